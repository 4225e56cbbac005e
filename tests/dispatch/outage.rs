//! The end of an outage: no storm.

use super::*;

/// Forty documents on lanes of their own wait for one provider; every answer takes a second.
#[tokio::test(start_paused = true)]
async fn dispatch_starts_slowly_after_an_outage() {
    let mut bench = Bench::new(MORNING);
    for number in 0..40 {
        let draft = format!(
            r#"{{"key":"d{number}","kind":"draft","body":{{"merchant_invoice_id":"TF-{number}","items":[{{"description":"Borsa","quantity":1,"unit_price_with_vat":610,"vat_rate":22}}]}}}}"#
        );
        bench.queue.take(staffetta::domain::line::parse(draft.as_bytes()).unwrap()).unwrap();
    }
    let attempts = 6;
    bench.taxfree.takes(Duration::from_secs(1)).will_answer((0..attempts).map(|_| not_sent()));
    bench.start_with(Settings { blackout_spread: Duration::ZERO, in_flight: 8, ..Settings::default() });
    bench.pass(Duration::from_secs(3600)).await;
    let sent = bench.taxfree.seen("submit");
    assert_eq!(sent.len(), attempts + 40);
    assert_eq!(bench.taxfree.inner.lock().unwrap().most_at_once, 8);
    // The first that is answered was alone; then twice as many with each answer, at most as many as are allowed.
    let up = sent[attempts];
    let within =
        |from: i64, to: i64| sent.iter().filter(|at| (from..to).contains(&(**at - up).num_milliseconds())).count();
    assert_eq!(within(0, 900), 1, "{sent:?}");
    assert!(within(900, 1_900) <= 2, "{sent:?}");
    assert!(within(1_900, 2_900) <= 8, "{sent:?}");
    assert!((0..30_000).step_by(900).all(|from| within(from, from + 900) <= 8), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn dispatch_probes_a_provider_that_is_down_with_one_request_at_a_time() {
    let mut bench = Bench::new(MORNING);
    for number in 0..40 {
        bench.sell(&format!("s{number}"));
    }
    bench.roma.will_answer((0..8).map(|_| not_sent()));
    bench.start();
    bench.pass(Duration::from_secs(60)).await;
    let early = bench.roma.seen("submit").len();
    assert!(early <= 6, "{early} requests in the first minute of an outage");
    bench.drained().await;
    let documents = bench.queue.list(&ListFilter::default()).unwrap();
    assert!(documents.iter().all(|document| document.state == State::Registered));
    let pauses: Vec<_> = bench.roma.seen("submit").windows(2).take(7).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| *pause >= TimeDelta::milliseconds(2_400)), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn dispatch_pauses_the_account_after_429_as_long_as_it_is_told() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    let wait = Some(Duration::from_secs(300));
    bench.roma.will_answer([SubmitOutcome::Deferred { why: "429".to_owned(), retry_after: wait, account: true }]);
    bench.start();
    bench.drained().await;
    let sent = bench.roma.seen("submit");
    assert!(sent[1] - sent[0] >= TimeDelta::seconds(300), "{sent:?}");
    assert_eq!(bench.get("a").attempts, 1, "a pause costs no attempt");
}
