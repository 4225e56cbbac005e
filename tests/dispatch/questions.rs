//! Questions that bring nothing: sales go on, and the provider is not asked without end.

use super::*;

fn unreadable() -> TrackOutcome {
    TrackOutcome::Unreadable { why: "HTTP 503".to_owned(), retry_after: None }
}
fn no_list() -> LookUpOutcome {
    LookUpOutcome::Failed { why: "HTTP 503".to_owned(), retry_after: None }
}

/// The shop's accounts, the first with more VAT numbers.
fn company() -> Vec<Account> {
    let mut accounts = accounts();
    accounts[0].fiscal_ids.extend((0..10).map(|number| fiscal_id(number).parse().unwrap()));
    accounts
}

/// How long after the first sale the last one was sent. What waits for the disk lets paused time run on: it is told apart
/// from the pauses of an account by far.
fn took(bench: &Bench) -> TimeDelta {
    let sent = bench.roma.seen("submit");
    sent[sent.len() - 1] - sent[0]
}

#[tokio::test(start_paused = true)]
async fn dispatch_sells_on_while_no_verdict_can_be_read() {
    let mut bench = Bench::of(MORNING, company());
    bench.roma.will_tell((0..2_000).map(|_| unreadable())).takes(Duration::from_secs(5));
    (0..60).for_each(|number| bench.sell(&format!("s{number}")));
    bench.start();
    bench.pass(Duration::from_secs(2 * 3600)).await;
    assert_eq!(bench.roma.submitted().len(), 60);
    assert!(took(&bench) < TimeDelta::minutes(8), "60 times 5 seconds: {}", took(&bench));
    let asked = bench.roma.seen("track").len();
    assert!((2..150).contains(&asked), "{asked} questions in two hours");
}

#[tokio::test(start_paused = true)]
async fn dispatch_sells_on_elsewhere_while_a_look_up_fails() {
    let mut bench = Bench::of(MORNING, company());
    bench.roma.will_answer([unknown()]).will_find((0..2_000).map(|_| no_list())).takes(Duration::from_secs(5));
    bench.sell("lost");
    (0..60).for_each(|number| bench.sell_at(&format!("s{number}"), &fiscal_id(0)));
    bench.start();
    bench.pass(Duration::from_secs(2 * 3600)).await;
    assert_eq!(bench.roma.submitted().len(), 61);
    assert!(took(&bench) < TimeDelta::minutes(9), "61 times 5 seconds: {}", took(&bench));
    assert_eq!(bench.get("lost").state, State::InDoubt);
    let asked = bench.roma.seen("look_up").len();
    assert!((4..60).contains(&asked), "{asked} look-ups in two hours");
}

/// The first request after an outage asks; it is not the outage's end that none can be asked.
#[tokio::test(start_paused = true)]
async fn dispatch_finds_the_line_up_again_although_no_look_up_works() {
    let mut bench = Bench::of(MORNING, company());
    bench.roma.will_answer([unknown(), not_sent(), not_sent()]).will_find((0..2_000).map(|_| no_list()));
    bench.sell("lost");
    (0..5).for_each(|number| bench.sell_at(&format!("s{number}"), &fiscal_id(0)));
    bench.start();
    bench.pass(Duration::from_secs(300)).await;
    for number in 0..5 {
        assert!(bench.get(&format!("s{number}")).remote.remote_id.is_some(), "s{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn dispatch_asks_again_as_soon_as_the_line_is_up() {
    let mut bench = Bench::of(MORNING, company());
    let failures = 12;
    bench.roma.will_answer([unknown()]).will_find((0..failures).map(|_| no_list()));
    bench.sell("lost");
    bench.start();
    bench.pass(Duration::from_secs(3600 * 2)).await;
    bench.sell("later");
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["lost", "lost", "later"]);
}

/// One document that can never be read does not keep the verdicts of the others.
#[tokio::test(start_paused = true)]
async fn dispatch_reads_the_others_beside_one_that_cannot_be_read() {
    let mut bench = Bench::of(MORNING, company());
    (0..10).for_each(|number| bench.sell_at(&format!("s{number}"), &fiscal_id(number)));
    // Of each batch the first is unreadable: always another in this script, but never two in a row.
    bench.roma.will_tell([unreadable()]);
    bench.start();
    bench.pass(Duration::from_secs(30)).await;
    let open = (0..10).filter(|number| bench.get(&format!("s{number}")).state != State::Registered).count();
    assert!(open <= 1, "{open} without a verdict");
}

/// VAT numbers with right check digits.
fn fiscal_id(number: u32) -> String {
    let ten = format!("{:010}", 2_345_678_900 + u64::from(number));
    let digit = |at: usize| u32::from(ten.as_bytes()[at] - b'0');
    let sum: u32 =
        (0..10).map(|at| if at % 2 == 0 { digit(at) } else { digit(at) * 2 / 10 + digit(at) * 2 % 10 }).sum();
    format!("{ten}{}", (10 - sum % 10) % 10)
}

/// Nothing passes it on its lane, and look-ups may fail for ever.
#[tokio::test(start_paused = true)]
async fn dispatch_tells_a_person_of_a_doubt_that_lasts() {
    let mut bench = Bench::new(MORNING);
    bench.roma.will_answer([unknown()]).will_find((0..2_000).map(|_| no_list()));
    bench.sell("lost");
    bench.start();
    bench.pass(Duration::from_secs(3600)).await;
    assert_eq!((bench.get("lost").state, bench.asks("lost")), (State::InDoubt, vec![]));
    assert!(!bench.queue.status().unwrap().needs_person);
    bench.pass(Duration::from_secs(3660)).await;
    assert_eq!(bench.asks("lost"), ["in_doubt"]);
    assert!(bench.get("lost").attention[0].why.contains("HTTP 503"), "{:?}", bench.get("lost").attention);
    assert!(bench.queue.status().unwrap().needs_person);
    bench.queue.resolve("lost", Some("r9"), "anna", "seen there").unwrap();
    bench.drained().await;
    assert_eq!((bench.get("lost").state, bench.asks("lost")), (State::Registered, vec![]));
}

/// "Not so many" is said to the account, whatever was asked; but sales have as long before the next question.
#[tokio::test(start_paused = true)]
async fn dispatch_pauses_the_account_where_a_question_is_one_too_many() {
    let pause = Some(Duration::from_secs(600));
    for look_up in [false, true] {
        let mut bench = Bench::of(MORNING, company());
        bench.roma.will_tell([TrackOutcome::Unreadable { why: "HTTP 429".to_owned(), retry_after: pause }]);
        if look_up {
            let slowly = LookUpOutcome::Failed { why: "HTTP 429".to_owned(), retry_after: pause };
            bench.roma.will_answer([unknown()]).will_find([slowly, LookUpOutcome::Found(remote("r9"))]);
        }
        bench.sell("a");
        bench.start();
        let question = if look_up { "look_up a" } else { "track a" };
        while bench.roma.seen(question).is_empty() {
            bench.pass(Duration::from_secs(1)).await;
        }
        let asked = bench.roma.seen(question)[0];
        bench.sell_at("b", &fiscal_id(0));
        bench.drained().await;
        assert!(bench.roma.seen("submit b")[0] - asked >= TimeDelta::seconds(600), "{look_up}");
        assert!(bench.roma.seen(question)[1] - asked >= TimeDelta::seconds(1_200), "{look_up}");
    }
}
