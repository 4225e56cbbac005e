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
