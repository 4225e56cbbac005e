//! What is next: on a lane that becomes free, and among what waits for the same place.

use staffetta::domain::account::Account;

use super::*;

fn put_off(wait: Duration) -> SubmitOutcome {
    SubmitOutcome::Deferred { why: "later".to_owned(), retry_after: Some(wait), account: false }
}

fn keys(prefix: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("{prefix}{number}")).collect()
}

/// A person finds that an old sale is not there while its lane is busy with a backlog: it is older than all of that.
#[tokio::test(start_paused = true)]
async fn dispatch_sends_an_older_sale_that_is_ready_again_before_the_rest_of_its_lane() {
    let mut bench = Bench::new(MORNING);
    bench.sell("old");
    bench.roma.will_answer([unknown()]).will_find([LookUpOutcome::Ambiguous(vec!["x".to_owned(), "y".to_owned()])]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.get("old").state, State::Held);
    bench.roma.takes(Duration::from_secs(1));
    keys("s", 0..40).iter().for_each(|key| bench.sell(key));
    bench.pass(Duration::from_millis(5_250)).await;
    let before = bench.roma.submitted().len();
    assert!((3..9).contains(&before), "{before}");
    assert!(bench.queue.resolve("old", None, "anna", "it is not there").unwrap().done);
    bench.drained().await;
    let sent = bench.roma.submitted();
    let at = sent.iter().rposition(|key| key == "old").unwrap();
    assert!((before..before + 2).contains(&at), "{at} of {sent:?}");
    assert_eq!(sent.len(), 42);
}

/// More wait than are kept in mind.
#[tokio::test(start_paused = true)]
async fn dispatch_keeps_the_order_of_a_lane_where_a_crowd_was_put_off() {
    let mut bench = Bench::new(MORNING);
    let all = [keys("s", 0..100), keys("t", 0..70)].concat();
    all[..100].iter().for_each(|key| bench.sell(key));
    bench.roma.will_answer((0..100).map(|_| put_off(Duration::from_secs(3_600))));
    bench.start();
    bench.pass(Duration::from_secs(10)).await;
    assert_eq!(bench.roma.submitted(), all[..100]);
    bench.dispatcher.take().unwrap().stop().await.unwrap();
    bench.pass(Duration::from_secs(7_200)).await;
    all[100..].iter().for_each(|key| bench.sell(key));
    bench.start_with(Settings { blackout_spread: Duration::ZERO, in_flight: 1, ..Settings::default() });
    bench.drained().await;
    assert_eq!(bench.roma.submitted()[100..], all);
}

/// With one place only, each look at the queue finds it taken by the sale before.
#[tokio::test(start_paused = true)]
async fn dispatch_sends_a_correction_before_a_backlog_that_fills_the_only_place() {
    let mut bench = Bench::new(MORNING);
    bench.sell("p");
    bench.start_with(Settings { blackout_spread: Duration::ZERO, in_flight: 1, ..Settings::default() });
    bench.drained().await;
    bench.roma.takes(Duration::from_secs(40));
    keys("s", 0..6).iter().for_each(|key| bench.sell(key));
    bench.pass(Duration::from_secs(1)).await;
    bench.queue.enqueue("void", Void::of(Parent::Key("p".parse().unwrap()))).unwrap();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["p", "s0", "void", "s1", "s2", "s3", "s4", "s5"]);
}

/// Another account's request is on the wire meanwhile.
#[tokio::test(start_paused = true)]
async fn dispatch_goes_on_at_once_behind_a_refused_sale() {
    let mut bench = Bench::new(MORNING);
    bench.milano.takes(Duration::from_secs(25));
    bench.sell_at("m", "01234567897");
    ["a", "b", "c"].iter().for_each(|key| bench.sell(key));
    bench.roma.will_answer([SubmitOutcome::Accepted(remote("r-a")), refused("no such thing")]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a", "b", "c"]);
    let sent = bench.roma.seen("submit");
    assert!(sent[2] - sent[0] < TimeDelta::seconds(1), "{sent:?}");
    let asked = bench.roma.seen("track a")[0] - sent[0];
    assert!(asked <= TimeDelta::seconds(7), "its verdict is asked for in time: {asked}");
}

/// What backed off for a long time is due when another document finds the line up again.
#[tokio::test(start_paused = true)]
async fn dispatch_sends_at_once_what_waited_for_the_line_when_it_is_up() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.roma.will_answer((0..8).map(|_| put_off(Duration::from_secs(1)))).will_answer([not_sent()]);
    bench.start();
    bench.pass(Duration::from_secs(11)).await;
    assert_eq!((bench.roma.submitted().len(), bench.get("a").attempts), (9, 9));
    // Put off by the provider then, it waits as long as it is told.
    bench.roma.takes(Duration::from_secs(1));
    bench.roma.will_answer([SubmitOutcome::Accepted(remote("r-b")), put_off(Duration::from_secs(3_600))]);
    ["b", "c", "d", "e"].iter().for_each(|key| bench.sell(key));
    bench.pass(Duration::from_secs(30)).await;
    assert_eq!(bench.roma.submitted()[9..], ["b", "a", "c", "d", "e"]);
}

/// Also where nothing is left to wait for but the next minute's share.
#[tokio::test(start_paused = true)]
async fn dispatch_uses_the_requests_a_minute() {
    let mut bench = Bench::new(MORNING);
    keys("s", 0..5).iter().for_each(|key| bench.sell(key));
    bench.roma.will_answer((0..5).map(|number| SubmitOutcome::Registered(remote(&format!("r-{number}")))));
    let script = Arc::new(bench.roma.clone());
    let managed = Managed { requests_per_minute: 6, ..Managed::new(accounts().remove(0), script) };
    bench.dispatcher = Some(Dispatcher::start(&bench.queue, vec![managed]).unwrap());
    bench.drained().await;
    let sent = bench.roma.seen("submit");
    let pauses: Vec<_> = sent.windows(2).map(|pair| (pair[1] - pair[0]).num_milliseconds()).collect();
    assert!(pauses.len() == 4 && pauses.iter().all(|pause| (10_000..10_100).contains(pause)), "{pauses:?}");
}

/// A gate that opens while answers are awaited is not overslept.
#[tokio::test(start_paused = true)]
async fn dispatch_uses_the_requests_a_minute_beside_slow_answers() {
    let mut bench = Bench::new(MORNING);
    let shops = ["12345678903", "11111111115", "22222222220"];
    let account = accounts().remove(0);
    let fiscal_ids = shops.iter().map(|shop| shop.parse().unwrap()).collect();
    bench.roma.takes(Duration::from_secs(25));
    bench.roma.will_answer((0..6).map(|number| SubmitOutcome::Registered(remote(&format!("r-{number}")))));
    let script = Arc::new(bench.roma.clone());
    let managed = Managed { requests_per_minute: 6, ..Managed::new(Account { fiscal_ids, ..account }, script) };
    let settings = Settings { longest_sleep: Duration::from_secs(3_600), ..Settings::default() };
    bench.dispatcher = Some(Dispatcher::start_with(&bench.queue, vec![managed], settings).unwrap());
    for number in 0..6 {
        bench.sell_at(&format!("s{number}"), shops[number % 3]);
    }
    bench.drained().await;
    let sent = bench.roma.seen("submit");
    let pauses: Vec<_> = sent.windows(2).map(|pair| (pair[1] - pair[0]).num_milliseconds() / 100).collect();
    // The first is alone, then two at once.
    assert_eq!(pauses, [250, 100, 150, 100, 100]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_keeps_one_open_call_a_lane_and_lets_other_lanes_go_on() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    bench.sell_at("m", "01234567897");
    bench.roma.will_answer([unknown()]);
    bench.start();
    bench.pass(Duration::from_secs(100)).await;
    assert_eq!(bench.roma.submitted(), ["a"], "b waits until the fate of a is known");
    assert_eq!(bench.get("m").state, State::Registered);
    bench.drained().await;
    assert_eq!(bench.get("b").state, State::Registered);
}

/// Two tills' accounts at one provider: each finds the other's sales in its lists.
fn of_one_company() -> Vec<Account> {
    let mut all = accounts();
    let name = all[1].name.clone();
    all[1] = Account { name, ..all[0].clone() };
    all
}

fn sell_by(bench: &Bench, account: &str, key: &str) {
    let sale = Receipt::new("12345678903".parse().unwrap())
        .item(Item::new("Caffè", "1.20".parse().unwrap(), VatRate::Ten))
        .cash("1.20".parse().unwrap());
    bench.queue.enqueue(key, NewDocument::from(sale.build().unwrap()).account(account.parse().unwrap())).unwrap();
}

#[tokio::test(start_paused = true)]
async fn dispatch_keeps_one_lane_for_a_vat_number_that_two_accounts_sell_for() {
    let mut bench = Bench::of(MORNING, of_one_company());
    sell_by(&bench, "shop-roma", "a");
    sell_by(&bench, "shop-milano", "b");
    sell_by(&bench, "shop-roma", "c");
    bench.roma.will_answer([unknown()]).will_find([LookUpOutcome::NotFound, LookUpOutcome::NotFound]);
    bench.start();
    bench.drained().await;
    assert_eq!((bench.roma.submitted(), bench.milano.submitted()), (keys_of(&["a", "a", "c"]), keys_of(&["b"])));
    let first = |script: &Script, key: &str| *script.seen(&format!("submit {key}")).last().unwrap();
    let (a, b, c) = (first(&bench.roma, "a"), first(&bench.milano, "b"), first(&bench.roma, "c"));
    assert!(a <= b && b <= c, "{a} {b} {c}");
}

fn keys_of(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

/// It was held, and is in doubt again while another sale is on the wire.
#[tokio::test(start_paused = true)]
async fn dispatch_sends_nothing_past_what_is_in_doubt_again_behind_another_sale() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    let which = LookUpOutcome::Ambiguous(vec!["x".to_owned(), "y".to_owned()]);
    bench.roma.will_answer([unknown()]).will_find([which]);
    bench.start();
    bench.drained().await;
    bench.roma.takes(Duration::from_secs(30)).will_find(
        (0..3)
            .map(|_| LookUpOutcome::Failed { why: "no list".to_owned(), retry_after: Some(Duration::from_secs(300)) }),
    );
    ["b", "c", "d"].iter().for_each(|key| bench.sell(key));
    bench.pass(Duration::from_secs(35)).await;
    assert_eq!(bench.roma.submitted(), ["a", "b", "c"]);
    assert!(bench.queue.retry("a", "anna", "look again").unwrap().done);
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a", "b", "c", "a", "d"]);
}
