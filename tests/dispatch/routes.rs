//! Documents that were taken before any account was known.

use super::*;

/// A queue opened without accounts, as by a program that only enqueues.
fn early() -> Bench {
    Bench { accounts: accounts(), ..Bench::of(MORNING, Vec::new()) }
}

fn take(bench: &Bench, line: &str) -> Result<staffetta::view::Ticket, Error> {
    bench.queue.take(staffetta::domain::line::parse(line.as_bytes()).unwrap())
}

fn void(key: &str, account: &str) -> String {
    format!(r#"{{"key":"{key}","kind":"void","account":"{account}","parent":{{"remote_id":"far-{key}"}},"body":{{}}}}"#)
}

#[tokio::test(start_paused = true)]
async fn dispatch_sends_to_the_account_that_was_named_before_any_was_known() {
    let mut bench = early();
    // Two accounts can void what was issued elsewhere: only the name tells.
    assert!(!take(&bench, &void("v", "shop-milano")).unwrap().duplicate);
    assert!(take(&bench, &void("v", "shop-milano")).unwrap().duplicate, "the same line again");
    let other = take(&bench, &void("v", "shop-roma"));
    assert!(matches!(&other, Err(Error::Rejected(why)) if why.code == "key_reused"), "{other:?}");
    bench.start();
    bench.drained().await;
    assert_eq!(bench.get("v").state, State::Registered);
    assert_eq!((bench.milano.submitted(), bench.roma.submitted()), (vec!["v".to_owned()], vec![]));
    assert!(!bench.queue.status().unwrap().needs_person);
}

#[tokio::test(start_paused = true)]
async fn dispatch_sends_a_child_where_its_parent_goes() {
    let mut bench = early();
    bench.sell("unnamed");
    let sale = Receipt::new("01234567897".parse().unwrap())
        .item(Item::new("Caffè", "1.20".parse().unwrap(), VatRate::Ten).quantity(2))
        .cash("2.40".parse().unwrap());
    let sale = sale.build().unwrap();
    let named = staffetta::domain::document::NewDocument::from(sale).account("shop-milano".parse().unwrap());
    bench.queue.enqueue("named", named).unwrap();
    for parent in ["named", "unnamed"] {
        let line = format!(
            r#"{{"key":"r-{parent}","kind":"return","parent":"{parent}","body":{{"items":[{{"line":0,"quantity":1}}]}}}}"#
        );
        take(&bench, &line).unwrap();
    }
    assert_eq!(bench.get("r-named").account.as_deref(), Some("shop-milano"), "its parent's, from the start");
    bench.start();
    bench.drained().await;
    assert_eq!(bench.milano.submitted(), ["named", "r-named"]);
    assert_eq!(bench.roma.submitted(), ["unnamed", "r-unnamed"]);
}

/// Its parent had no account yet, so what it named counted for nothing; and nobody says another thing by saying it again.
#[tokio::test(start_paused = true)]
async fn dispatch_gave_a_child_another_account_than_it_named_and_it_is_the_same_line_all_the_same() {
    let mut bench = early();
    bench.sell("sale");
    let line = r#"{"key":"back","kind":"return","account":"shop-milano","parent":"sale","body":{"items":[{"line":0,"quantity":1}]}}"#;
    let first = take(&bench, line).unwrap();
    assert!(take(&bench, line).unwrap().duplicate);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.get("back").account.as_deref(), Some("shop-roma"));
    let again = take(&bench, line).unwrap();
    assert!(again.duplicate && again.id == first.id);
    let other = take(&bench, &line.replace(r#""quantity":1"#, r#""quantity":2"#));
    assert!(matches!(&other, Err(Error::Rejected(why)) if why.code == "key_reused"), "{other:?}");
}

#[tokio::test(start_paused = true)]
async fn dispatch_tells_a_person_of_what_no_account_will_take() {
    let mut bench = early();
    take(&bench, &void("gone", "shop-napoli")).unwrap();
    take(&bench, &void("any", "shop-roma").replace(r#""account":"shop-roma","#, "")).unwrap();
    bench.sell("good");
    assert!(!bench.queue.status().unwrap().needs_person, "nothing is known of accounts yet");
    bench.start();
    bench.drained().await;
    assert_eq!(bench.get("good").state, State::Registered);
    let status = bench.queue.status().unwrap();
    assert!(status.needs_person);
    assert_eq!((bench.get("gone").state, bench.get("any").state), (State::Queued, State::Queued));
    let line = |what: &str| status.attention.iter().find(|line| line.what == what).expect("a line of it");
    assert_eq!(line("account_missing").account.as_deref(), Some("shop-napoli"));
    assert_eq!(line("account_unknown").key.as_deref(), Some("any"));
    assert!(line("account_unknown").why.contains("names no account"));
    assert_eq!(bench.asks("any"), ["account_unknown"]);
    assert_eq!(bench.asks("good"), [""; 0]);
    assert!(bench.get("gone").reason.unwrap().contains("shop-napoli is not in the configuration"));
    for key in ["gone", "any"] {
        bench.queue.cancel(key, "anna", "not ours").unwrap();
    }
    assert!(!bench.queue.status().unwrap().needs_person);
}
