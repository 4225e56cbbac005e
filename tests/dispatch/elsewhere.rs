//! Others correct the same sales: another till, another program, a person at the portal.

use super::*;

fn known(standing: Standing) -> Answer<StandingOutcome> {
    Answer::without_http(StandingOutcome::Known(standing))
}

fn voided() -> Answer<StandingOutcome> {
    known(Standing { voided: true, ..Standing::default() })
}

fn returned(ids: &[&str]) -> Answer<StandingOutcome> {
    known(Standing { returns: ids.iter().map(|id| (*id).to_owned()).collect(), ..Standing::default() })
}

/// So many of the two pieces of the sale's line were given back.
fn given_back(returned: &str) -> Answer<StandingOutcome> {
    let line = RemoteItem {
        id: "item-0".to_owned(),
        quantity: "2.00".to_owned(),
        returned: returned.to_owned(),
        ..RemoteItem::default()
    };
    known(Standing { items: vec![line], ..Standing::default() })
}

fn failed(status: Option<u16>) -> Answer<StandingOutcome> {
    let why = "no list".to_owned();
    Answer { status, ..Answer::without_http(StandingOutcome::Failed { why, retry_after: None }) }
}

/// Why it is held, in short.
fn code(view: &DocumentView) -> Option<String> {
    view.events.iter().rev().find(|event| event.event == "held").and_then(|event| event.code.clone())
}

/// A registered sale, and then its correction.
async fn corrected(
    document: impl FnOnce(Parent) -> NewDocument,
    answers: impl IntoIterator<Item = Answer<StandingOutcome>>,
) -> Bench {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.start();
    bench.drained().await;
    bench.roma.will_have(answers);
    bench.queue.enqueue("c", document(Parent::Key("a".parse().unwrap()))).unwrap();
    bench.drained().await;
    bench
}

fn one_back(parent: Parent) -> NewDocument {
    Return::of(parent).line(0, 1).into()
}

#[tokio::test(start_paused = true)]
async fn dispatch_never_voids_a_sale_that_was_returned_elsewhere() {
    let bench = corrected(Void::of, [returned(&["x1"]), returned(&["x1"]), returned(&[])]).await;
    let view = bench.get("c");
    assert_eq!((view.state, code(&view).as_deref()), (State::Held, Some("parent_returned")));
    assert!(view.reason.unwrap().contains("(x1)"));
    assert_eq!(bench.roma.submitted(), ["a"]);
    assert_eq!(bench.events("c"), ["enqueued", "sending", "not_sent", "held"]);
    // A person's word has it asked again, …
    bench.queue.retry("c", "shop", "looked at it").unwrap();
    bench.drained().await;
    assert_eq!((bench.get("c").state, bench.roma.submitted().len()), (State::Held, 1));
    // … and it is sent when nothing speaks against it.
    bench.queue.retry("c", "shop", "the return failed").unwrap();
    bench.drained().await;
    assert_eq!(bench.get("c").state, State::Registered);
    assert_eq!(bench.roma.submitted(), ["a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_can_call_off_a_void_of_what_was_returned_elsewhere() {
    let bench = corrected(Void::of, [returned(&["x1"])]).await;
    bench.queue.cancel("c", "shop", "it is returned").unwrap();
    assert_eq!(bench.get("c").state, State::Cancelled);
    let back = Return::of(Parent::Key("a".parse().unwrap())).line(0, 1);
    bench.queue.enqueue("back", back).unwrap();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a", "back"]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_adopts_a_void_that_is_there_already() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.start();
    bench.drained().await;
    bench.roma.will_have([voided()]).will_find([LookUpOutcome::Found(remote("v9"))]);
    bench.queue.enqueue("c", Void::of(Parent::Key("a".parse().unwrap()))).unwrap();
    bench.drained().await;
    assert_eq!(bench.get("c").state, State::Registered);
    assert_eq!(bench.get("c").remote.remote_id.as_deref(), Some("v9"));
    assert_eq!(bench.roma.submitted(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_returns_nothing_of_what_was_voided_elsewhere() {
    let bench = corrected(one_back, [voided()]).await;
    let view = bench.get("c");
    assert_eq!((view.state, code(&view).as_deref()), (State::Held, Some("parent_voided")));
    assert_eq!(bench.roma.submitted(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_gives_back_no_more_than_others_left() {
    let bench = corrected(one_back, [given_back("1.00")]).await;
    assert_eq!(bench.roma.submitted(), ["a", "c"]);
    let bench = corrected(one_back, [given_back("2")]).await;
    let view = bench.get("c");
    assert_eq!((view.state, code(&view).as_deref()), (State::Held, Some("return_does_not_fit")));
    assert!(view.reason.unwrap().contains("given back already"));
    assert_eq!(bench.roma.submitted(), ["a"]);
    // What is no number says nothing; nor do returns: partial ones are usual.
    for told in [given_back(""), given_back("?"), returned(&["x1"])] {
        assert_eq!(corrected(one_back, [told]).await.roma.submitted(), ["a", "c"]);
    }
}

#[tokio::test(start_paused = true)]
async fn dispatch_corrects_nothing_while_the_sale_cannot_be_read() {
    let bench = corrected(Void::of, [failed(None), failed(Some(500)), returned(&["x1"])]).await;
    assert_eq!(bench.get("c").state, State::Held);
    assert_eq!(bench.roma.submitted(), ["a"]);
    let asked = bench.roma.seen("standing c");
    assert_eq!(asked.len(), 3);
    // Five seconds, then ten, each with a jitter of half.
    let pauses = (asked[1] - asked[0], asked[2] - asked[1]);
    assert!(pauses.0 >= TimeDelta::milliseconds(2_500) && pauses.1 >= TimeDelta::seconds(5), "{asked:?}");
    // It has no such question.
    assert_eq!(corrected(Void::of, [failed(Some(405))]).await.roma.submitted(), ["a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_waits_where_a_question_about_the_sale_is_one_too_many() {
    let pause = Answer {
        status: Some(429),
        ..Answer::without_http(StandingOutcome::Failed {
            why: "slowly".to_owned(),
            retry_after: Some(Duration::from_secs(600)),
        })
    };
    let bench = corrected(Void::of, [pause, returned(&[])]).await;
    let asked = bench.roma.seen("standing c");
    assert!(asked[1] - asked[0] >= TimeDelta::seconds(600), "{asked:?}");
    assert_eq!((bench.roma.submitted(), bench.get("c").attempts), (vec!["a".to_owned(), "c".to_owned()], 1));
}

#[tokio::test(start_paused = true)]
async fn dispatch_sends_no_correction_in_the_blackout_that_began_while_it_asked() {
    let mut bench = Bench::new("2026-11-20T20:00:00Z");
    bench.sell("a");
    bench.start();
    bench.drained().await;
    // Five minutes before the blackout, and the question takes longer than what is left.
    bench.pass(Duration::from_secs(2 * 3600 + 49 * 60)).await;
    bench.roma.will_have([returned(&[])]).looks_for(Duration::from_secs(900));
    bench.queue.enqueue("c", Void::of(Parent::Key("a".parse().unwrap()))).unwrap();
    bench.drained().await;
    let sent = bench.roma.seen("submit c")[0];
    assert!(sent >= "2026-11-20T23:00:00Z".parse::<DateTime<Utc>>().unwrap(), "{sent}");
}
