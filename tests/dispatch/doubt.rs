//! What is in doubt is looked up, and sent again only when it is certain that it did not arrive.

use super::*;

#[tokio::test(start_paused = true)]
async fn dispatch_adopts_what_a_look_up_finds_and_sends_once() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.roma.will_answer([unknown()]).will_find([LookUpOutcome::NotFound, LookUpOutcome::Found(remote("r9"))]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a"]);
    let view = bench.get("a");
    assert_eq!((view.state, view.remote.remote_id.as_deref()), (State::Registered, Some("r9")));
}

#[tokio::test(start_paused = true)]
async fn dispatch_sends_again_only_after_two_agreeing_look_ups_past_the_settle_time() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.roma.will_answer([unknown()]);
    bench.start();
    bench.drained().await;
    let (sent, asked) = (bench.roma.seen("submit a"), bench.roma.seen("look_up a"));
    assert_eq!(sent.len(), 2);
    let counting: Vec<_> = asked.iter().filter(|at| **at - sent[0] >= TimeDelta::seconds(120)).collect();
    assert_eq!(counting.len(), 2, "two look-ups count: {asked:?} after {sent:?}");
    assert!(*counting[1] - *counting[0] >= TimeDelta::seconds(60), "the second confirms half a settle time later");
    assert!(sent[1] >= *counting[1]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_waits_for_the_second_look_however_often_it_is_asked_to_look() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.roma.will_answer([unknown()]);
    bench.start();
    for _ in 0..130 {
        bench.pass(Duration::from_secs(1)).await;
        bench.queue.retry("a", "anna", "now").unwrap();
    }
    bench.drained().await;
    let (sent, asked) = (bench.roma.seen("submit a"), bench.roma.seen("look_up a"));
    assert!(asked.len() > 50, "it looks whenever it is asked to: {}", asked.len());
    assert_eq!(sent.len(), 2);
    assert!(sent[1] - sent[0] >= TimeDelta::seconds(180), "{:?}", sent[1] - sent[0]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_never_counts_a_failed_look_up_as_not_found() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    let failed = || LookUpOutcome::Failed { why: "no line".to_owned(), retry_after: None };
    bench
        .roma
        .will_answer([unknown()])
        .will_find((0..6).map(|_| failed()))
        .will_find([LookUpOutcome::Found(remote("r9"))]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a"]);
    assert_eq!(bench.get("a").state, State::Registered);
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_what_a_look_up_cannot_tell_apart() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    bench.roma.will_answer([unknown()]).will_find([LookUpOutcome::Ambiguous(vec!["x".to_owned(), "y".to_owned()])]);
    bench.start();
    bench.drained().await;
    let view = bench.get("a");
    assert_eq!(view.state, State::Held);
    assert!(view.reason.unwrap().contains("x, y"));
    assert_eq!(bench.get("b").state, State::Registered, "a held document does not block its lane");
    // Trying it again asks again, and never sends by itself.
    bench.roma.will_find([LookUpOutcome::Found(remote("x"))]);
    assert!(bench.queue.retry("a", "anna", "asked the provider").unwrap().done);
    bench.pass(Duration::from_secs(60)).await;
    assert_eq!(bench.get("a").state, State::Registered);
    assert_eq!(bench.roma.submitted(), ["a", "b"]);
}

/// It is open again: nothing passes it on its lane, or it might be taken for the other one.
#[tokio::test(start_paused = true)]
async fn dispatch_shuts_the_lane_of_what_is_looked_up_again() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    let ambiguous = LookUpOutcome::Ambiguous(vec!["x".to_owned(), "y".to_owned()]);
    bench.roma.will_answer([unknown()]).will_find([ambiguous]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.get("a").state, State::Held);
    bench.roma.will_find([LookUpOutcome::NotFound, LookUpOutcome::Found(remote("x"))]);
    assert!(bench.queue.retry("a", "anna", "look again").unwrap().done);
    bench.sell("b");
    bench.pass(Duration::from_secs(20)).await;
    assert_eq!(bench.roma.seen("look_up a").len(), 2, "found nothing, and is asked once more");
    assert_eq!(bench.roma.submitted(), ["a"]);
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a", "b"]);
    assert_eq!(bench.get("a").remote.remote_id.as_deref(), Some("x"));
    assert_eq!(bench.get("b").state, State::Registered);
}

#[tokio::test(start_paused = true)]
async fn dispatch_never_takes_an_id_that_belongs_to_another_document() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    bench.roma.will_answer([SubmitOutcome::Accepted(remote("same")), SubmitOutcome::Accepted(remote("same"))]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.get("a").state, State::Registered);
    assert_eq!(bench.get("b").state, State::Held);
}

#[tokio::test(start_paused = true)]
async fn dispatch_takes_a_bare_bad_request_for_unknown_once_and_then_for_a_refusal() {
    let mut bench = Bench::new(MORNING);
    bench.sell_at("m", "01234567897");
    bench.milano.will_answer([SubmitOutcome::Unknown { why: format!("{BARE_BAD_REQUEST} without violations") }]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.milano.submitted(), ["m"]);
    assert_eq!(bench.get("m").state, State::Refused);
}

/// Should the provider change our tags, no look-up would ever find a sale that it has.
#[tokio::test(start_paused = true)]
async fn dispatch_never_sends_again_what_was_answered_with_anothers_tag() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    bench.roma.will_answer([SubmitOutcome::Unknown { why: format!("{OTHERS_ANSWER}: HTTP 200 for x") }, unknown()]);
    bench.start();
    bench.drained().await;
    let view = bench.get("a");
    assert_eq!(view.state, State::Held);
    assert!(view.reason.unwrap().contains("one of another document"));
    assert_eq!(bench.roma.submitted(), ["a", "b", "b"], "what had no answer at all is sent again");
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_what_the_provider_gave_up_with_the_authority_uncertain() {
    let mut bench = Bench::new(MORNING);
    bench.sell_at("m", "01234567897");
    let failed = TrackOutcome::Failed {
        certain: false,
        code: Some("500".to_owned()),
        message: "gave up".to_owned(),
        remote: remote("r1"),
    };
    bench.milano.will_tell([failed]);
    bench.start();
    bench.drained().await;
    let view = bench.get("m");
    assert_eq!(view.state, State::Held);
    assert!(view.reason.unwrap().contains("Fatture e Corrispettivi"));
    assert!(bench.queue.resolve("m", Some("r1"), "anna", "found it").unwrap().done);
    bench.pass(Duration::from_secs(60)).await;
    assert_eq!(bench.get("m").state, State::Registered);
    assert_eq!(bench.milano.submitted(), ["m"]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_sends_a_lost_draft_again_and_a_lost_note_never() {
    use staffetta::domain::document::Note;
    use staffetta::domain::input::{DraftInput, DraftItemInput};
    let mut bench = Bench::new(MORNING);
    let item = DraftItemInput {
        item_code: None,
        description: "Borsa in pelle".to_owned(),
        quantity: "1".into(),
        unit_price_with_vat: "244".into(),
        vat_rate: "22".into(),
    };
    let draft =
        DraftInput { merchant_invoice_id: "F1".to_owned(), created_on: None, items: vec![item], discount: None };
    bench.queue.enqueue("d", draft).unwrap();
    bench
        .taxfree
        .will_answer([unknown()])
        .will_find([LookUpOutcome::CannotTell("no list".to_owned()), LookUpOutcome::CannotTell("no list".to_owned())]);
    bench.start();
    bench.pass(Duration::from_secs(600)).await;
    assert_eq!(bench.taxfree.submitted(), ["d", "d"]);
    bench.taxfree.will_answer([unknown()]);
    let note = NoteNumber::of(Parent::Key("d".parse().unwrap()), Note::CreditVat, "N1");
    bench.queue.enqueue("n", note).unwrap();
    bench.drained().await;
    assert_eq!(bench.taxfree.submitted(), ["d", "d", "n"], "{:?}", bench.queue.list(&ListFilter::default()));
    assert_eq!(bench.get("n").state, State::Held);
}

#[tokio::test(start_paused = true)]
async fn dispatch_does_not_send_again_what_a_look_up_finds_after_a_person_said_that_it_is_not_there() {
    let mut bench = Bench::new(MORNING);
    bench.roma.will_answer([unknown()]).will_find([LookUpOutcome::Found(remote("r9"))]);
    bench.roma.looks_for(Duration::from_secs(10));
    bench.sell("a");
    bench.start();
    while bench.roma.seen("look_up a").is_empty() {
        bench.pass(Duration::from_secs(1)).await;
    }
    assert!(bench.queue.resolve("a", None, "anna", "it is not there").unwrap().done);
    bench.drained().await;
    let view = bench.get("a");
    assert_eq!((bench.roma.submitted().len(), view.state), (1, State::Held));
    assert!(view.reason.as_deref().is_some_and(|why| why.contains("has it as r9")), "{:?}", view.reason);
    assert!(bench.queue.resolve("a", Some("r9"), "anna", "so it is").unwrap().done);
    bench.drained().await;
    assert_eq!((bench.roma.submitted().len(), bench.get("a").state), (1, State::Registered));
}

/// Its lane goes on, and the person is told what to do.
#[tokio::test(start_paused = true)]
async fn dispatch_holds_at_once_what_no_look_up_can_tell() {
    let mut bench = Bench::new(MORNING);
    let endless = LookUpOutcome::CannotTell("the list goes on after 200 pages".to_owned());
    bench.roma.will_answer([unknown()]).will_find([endless]);
    bench.sell("a");
    bench.sell("b");
    bench.start();
    bench.drained().await;
    let view = bench.get("a");
    assert_eq!((view.state, bench.get("b").state), (State::Held, State::Registered));
    let why = view.reason.unwrap();
    assert!(why.contains("200 pages") && why.contains("staffetta resolve a"), "{why}");
}
