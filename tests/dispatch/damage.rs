//! A record that can no longer be read while the journal is in use: its document is a person's, all others go on.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::*;
use staffetta::view::Summary;

/// A byte in the record that brought this document.
fn place(bench: &Bench, key: &str) -> usize {
    fs::read(segment(bench)).unwrap().windows(key.len()).position(|bytes| bytes == key.as_bytes()).unwrap()
}

/// Flips a bit; again, and it is as it was.
fn flip(bench: &Bench, at: usize) {
    let byte = fs::read(segment(bench)).unwrap()[at];
    let mut file = OpenOptions::new().write(true).open(segment(bench)).unwrap();
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(&[byte ^ 1]).unwrap();
}

fn segment(bench: &Bench) -> PathBuf {
    bench.folder.path().join("segments/00000000000000000001.seg")
}

fn summary(bench: &Bench, key: &str) -> Summary {
    let all = bench.queue.list(&ListFilter::default()).unwrap();
    all.into_iter().find(|summary| summary.key == key).unwrap()
}

/// What `status` tells a person about this document.
fn told(bench: &Bench, key: &str) -> Vec<String> {
    let status = bench.queue.status().unwrap();
    let lines = status.attention.into_iter().filter(|line| line.key.as_deref() == Some(key));
    let lines: Vec<String> = lines.map(|line| format!("{}: {}", line.what, line.why)).collect();
    assert_eq!(status.needs_person, !lines.is_empty());
    lines
}

fn registered(bench: &Bench) -> usize {
    let filter = ListFilter { state: Some(State::Registered), ..ListFilter::default() };
    bench.queue.list(&filter).unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_a_queued_document_that_cannot_be_read_and_sends_all_others() {
    let mut bench = Bench::new(MORNING);
    (1..=20).for_each(|n| bench.sell(&format!("sale-{n:02}")));
    let at = place(&bench, "sale-06");
    flip(&bench, at);
    bench.start();
    bench.drained().await;
    assert_eq!((registered(&bench), bench.roma.submitted().len()), (19, 19));
    assert!(!bench.roma.submitted().contains(&"sale-06".to_owned()));
    let held = summary(&bench, "sale-06");
    let reason = held.reason.unwrap();
    assert_eq!(held.state, State::Held);
    assert!(reason.contains("segment 00000000000000000001 at byte ") && reason.contains("retry sale-06"), "{reason}");
    assert_eq!(told(&bench, "sale-06").len(), 1);
    // What can be read is exported, and the rest is named.
    let mut exported = 0;
    let result = bench.queue.export(&ListFilter::default(), &mut |_| {
        exported += 1;
        std::ops::ControlFlow::Continue(())
    });
    assert!(result.unwrap_err().to_string().contains("damaged"));
    assert_eq!(exported, 19);
    // The segment is put back.
    flip(&bench, at);
    assert!(bench.queue.retry("sale-06", "me", "restored").unwrap().done);
    bench.drained().await;
    assert_eq!((registered(&bench), told(&bench, "sale-06").len()), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn dispatch_leaves_in_doubt_what_cannot_be_read_and_only_its_lane_waits() {
    let mut bench = Bench::new(MORNING);
    bench.sell("lost-1");
    bench.roma.will_answer([unknown()]).will_find([LookUpOutcome::Failed { why: "no line".into(), retry_after: None }]);
    bench.start();
    bench.pass(Duration::from_secs(2)).await;
    let at = place(&bench, "lost-1");
    flip(&bench, at);
    bench.sell("behind-1");
    bench.sell_at("beside-1", "01234567897");
    bench.drained().await;
    let states = ["lost-1", "behind-1", "beside-1"].map(|key| summary(&bench, key).state);
    assert_eq!(states, [State::InDoubt, State::Queued, State::Registered]);
    let lines = told(&bench, "lost-1");
    assert!(
        matches!(lines.as_slice(), [line] if line.starts_with("unreadable: ") && line.contains("at byte")),
        "{lines:?}"
    );
    // It is told once, however long it lasts.
    bench.pass(Duration::from_secs(6 * 3600)).await;
    assert_eq!((told(&bench, "lost-1").len(), bench.roma.submitted().len()), (1, 1));
    flip(&bench, at);
    bench.roma.will_find([LookUpOutcome::Found(remote("r7"))]);
    bench.queue.retry("lost-1", "me", "restored").unwrap();
    bench.drained().await;
    assert_eq!((registered(&bench), told(&bench, "lost-1").len()), (3, 0));
    assert_eq!(bench.roma.submitted(), ["lost-1", "behind-1"]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_follows_the_others_when_one_that_was_accepted_cannot_be_read() {
    let mut bench = Bench::new(MORNING);
    bench.sell("told-1");
    bench.sell("told-2");
    bench.roma.will_tell([TrackOutcome::Pending(remote("r1")), TrackOutcome::Pending(remote("r2"))]);
    bench.start();
    bench.pass(Duration::from_secs(1)).await;
    let at = place(&bench, "told-1");
    flip(&bench, at);
    bench.drained().await;
    assert_eq!(["told-1", "told-2"].map(|key| summary(&bench, key).state), [State::Accepted, State::Registered]);
    assert!(told(&bench, "told-1")[0].starts_with("unreadable: "));
    flip(&bench, at);
    bench.queue.retry("told-1", "me", "restored").unwrap();
    bench.drained().await;
    assert_eq!((registered(&bench), told(&bench, "told-1").len()), (2, 0));
}

/// Of two returns of one sale the one by the provider's id, taken before that was known to be this sale's, is on another lane.
#[tokio::test(start_paused = true)]
async fn dispatch_is_idle_when_what_is_left_waits_for_one_that_cannot_be_read() {
    let mut bench = Bench::new(MORNING);
    bench.roma.takes(Duration::from_secs(10));
    bench.roma.will_answer([SubmitOutcome::Accepted(remote("r1")), unknown()]);
    bench.roma.will_find([LookUpOutcome::Failed { why: "no line".into(), retry_after: None }]);
    bench.sell("a");
    bench.start();
    bench.pass(Duration::from_secs(1)).await;
    let by_id = Return::of(Parent::Remote("r1".to_owned())).id("item-0", 1);
    bench.queue.enqueue("by-id", NewDocument::from(by_id).account("shop-roma".parse().unwrap())).unwrap();
    bench.queue.enqueue("by-key", Return::of(Parent::Key("a".parse().unwrap())).line(0, 1)).unwrap();
    bench.pass(Duration::from_secs(60)).await;
    flip(&bench, place(&bench, "by-id"));
    bench.drained().await;
    let states = ["a", "by-id", "by-key"].map(|key| summary(&bench, key).state);
    assert_eq!(states, [State::Registered, State::InDoubt, State::Queued]);
    assert_eq!(bench.roma.submitted(), ["a", "by-id"]);
}
