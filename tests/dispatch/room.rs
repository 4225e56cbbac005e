//! A journal that cannot record: while the disk is full little is tried, and all goes on as soon as there is room; one that
//! takes nothing more until it is opened again ends the dispatcher.

use std::sync::atomic::{AtomicUsize, Ordering};

use staffetta::domain::limits::MAX_RECORD;
use staffetta::journal::JournalError;
use staffetta::testing::Fault;

use super::order::Crowd;
use super::*;

/// More than is tried in an hour: a disk that is asked more often gets its room back, so that a test ends.
const MANY: usize = 500;

async fn pass(time: TimeDelta) {
    patiently(time, std::future::pending::<()>()).await;
}

/// From the first request on that begins so, the disk is full; counts them.
fn fill_at(crowd: &Crowd, what: &'static str) -> Arc<AtomicUsize> {
    let (disk, count) = (crowd.disk.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    *crowd.witness.arrived.lock().unwrap() = Some(Box::new(move |arrived| {
        if arrived.starts_with(what) {
            match counted.fetch_add(1, Ordering::SeqCst) {
                0 => disk.set_room(disk.used()),
                MANY => disk.heal(),
                _ => {}
            }
        }
    }));
    count
}

fn states(crowd: &Crowd) -> Vec<State> {
    crowd.queue.list(&ListFilter::default()).unwrap().into_iter().map(|document| document.state).collect()
}

/// Its call is open: the lane stays shut behind it. With room again it is looked up, without a restart.
#[tokio::test(start_paused = true)]
async fn an_outcome_that_found_no_room_is_looked_up_when_there_is_some() {
    for finds in [true, false] {
        let mut crowd = Crowd::new(Duration::ZERO);
        crowd.witness.finds.store(finds, Ordering::SeqCst);
        (0..3).for_each(|number| crowd.sell(0, number));
        fill_at(&crowd, "0-1");
        crowd.start();
        pass(TimeDelta::minutes(10)).await;
        assert_eq!(crowd.witness.seen(), ["0-0", "0-1"]);
        assert_eq!((crowd.state("0-1"), crowd.state("0-2")), (State::Sending, State::Queued));
        let looks = fill_at(&crowd, "look_up");
        looks.fetch_add(1, Ordering::SeqCst); // none of them fills it
        crowd.disk.heal();
        crowd.sell(1, 0);
        pass(TimeDelta::seconds(61)).await;
        assert_eq!(crowd.state("1-0"), State::Registered, "other lanes go on");
        crowd.drained().await;
        let seen = crowd.witness.seen();
        let count = |key: &str| seen.iter().filter(|one| *one == key).count();
        assert_eq!((count("0-0"), count("0-2"), count("1-0")), (1, 1, 1), "{seen:?}");
        assert_eq!(count("0-1"), if finds { 1 } else { 2 }, "sent again only where it is not there: {seen:?}");
        assert!(looks.load(Ordering::SeqCst) > if finds { 1 } else { 2 }, "it was looked up");
        assert_eq!(states(&crowd), [State::Registered; 4]);
    }
}

#[tokio::test(start_paused = true)]
async fn intents_that_find_no_room_are_not_tried_in_a_hurry() {
    let mut crowd = Crowd::new(Duration::ZERO);
    (0..12).for_each(|lane| crowd.sell(lane, 0));
    crowd.disk.set_room(crowd.disk.used());
    let flushes = Arc::new(AtomicUsize::new(0));
    let (counted, disk) = (Arc::clone(&flushes), crowd.disk.clone());
    crowd.disk.on_flush(move || {
        if counted.fetch_add(1, Ordering::SeqCst) == MANY {
            let disk = disk.clone(); // it is in use by who flushes
            std::thread::spawn(move || disk.heal());
        }
    });
    crowd.start();
    pass(TimeDelta::hours(1)).await;
    let flushed = flushes.load(Ordering::SeqCst);
    assert!((60..=300).contains(&flushed), "{flushed} in an hour");
    assert!(crowd.witness.seen().is_empty());
    crowd.disk.heal();
    pass(TimeDelta::seconds(65)).await;
    assert_eq!(states(&crowd), [State::Registered; 12]);
    assert_eq!(crowd.witness.seen().len(), 12);
}

#[tokio::test(start_paused = true)]
async fn providers_are_not_asked_in_a_hurry_while_answers_find_no_room() {
    // The look-ups that count come two minutes after four lost answers; a verdict is asked for at once.
    let verdict = || SubmitOutcome::Accepted(remote("r-0-0"));
    for (what, answers, wait) in [("look_up", vec![unknown(); 4], 100), ("track", vec![verdict()], 0)] {
        let mut crowd = Crowd::new(Duration::ZERO);
        let lanes = answers.len();
        crowd.witness.answers.lock().unwrap().extend(answers);
        (0..lanes).for_each(|lane| crowd.sell(lane, 0));
        crowd.start();
        pass(TimeDelta::seconds(wait)).await;
        crowd.witness.finds.store(true, Ordering::SeqCst);
        let asked = fill_at(&crowd, what);
        pass(TimeDelta::hours(1)).await;
        let hour = asked.load(Ordering::SeqCst);
        assert!((30..=100).contains(&hour), "{what}: {hour} in an hour");
        crowd.disk.heal();
        crowd.sell(lanes, 0);
        pass(TimeDelta::seconds(65)).await;
        assert_eq!(states(&crowd), vec![State::Registered; lanes + 1], "{what}");
        assert_eq!(crowd.witness.seen().len(), lanes + 1, "each once");
    }
}

/// Not for want of room, but for what was answered: that document alone is left alone for a while.
#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_recorded_is_not_asked_for_in_a_hurry_and_stops_no_other() {
    let mut crowd = Crowd::new(Duration::from_millis(5));
    let (asked, witness) = (Arc::new(AtomicUsize::new(0)), Arc::downgrade(&crowd.witness));
    let counted = Arc::clone(&asked);
    crowd.witness.finds.store(true, Ordering::SeqCst);
    crowd.witness.words.store(MAX_RECORD, Ordering::SeqCst);
    crowd.witness.answers.lock().unwrap().push_back(unknown());
    *crowd.witness.arrived.lock().unwrap() = Some(Box::new(move |arrived| {
        if arrived.starts_with("look_up") && counted.fetch_add(1, Ordering::SeqCst) == MANY {
            witness.upgrade().unwrap().words.store(0, Ordering::SeqCst);
        }
    }));
    (0..2).for_each(|number| crowd.sell(0, number));
    crowd.start();
    pass(TimeDelta::seconds(1)).await;
    (0..20).for_each(|number| (1..4).for_each(|lane| crowd.sell(lane, number)));
    pass(TimeDelta::hours(1)).await;
    let hour = asked.load(Ordering::SeqCst);
    assert!((30..=100).contains(&hour), "{hour} in an hour");
    assert_eq!((crowd.state("0-0"), crowd.state("0-1")), (State::InDoubt, State::Queued));
    assert_eq!(crowd.witness.seen().len(), 1 + 60, "other lanes go on");
    crowd.witness.words.store(0, Ordering::SeqCst);
    pass(TimeDelta::seconds(65)).await;
    assert_eq!(states(&crowd), [State::Registered; 62]);
}

/// A failed write: the journal takes nothing more. Whoever waits for the dispatcher hears of it.
#[tokio::test(start_paused = true)]
async fn a_journal_that_takes_nothing_more_ends_the_dispatcher() {
    let mut crowd = Crowd::new(Duration::from_secs(1));
    (0..3).for_each(|number| crowd.sell(0, number));
    let disk = crowd.disk.clone();
    *crowd.witness.arrived.lock().unwrap() = Some(Box::new(move |key| {
        if key == "0-1" {
            disk.fail(0, Fault::Eio, true);
        }
    }));
    crowd.start();
    assert!(patiently(TimeDelta::minutes(1), crowd.dispatcher.as_ref().unwrap().drained()).await);
    assert!(patiently(TimeDelta::minutes(1), crowd.dispatcher.as_ref().unwrap().ended()).await);
    assert_eq!(crowd.witness.seen(), ["0-0", "0-1"]);
    let closed = crowd.queue.close();
    assert!(matches!(closed, Err(Error::Journal(JournalError::Poisoned { .. }))), "{closed:?}");
}

/// Also where a till's sale met the failure, before anything more is asked that could not be recorded.
#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_has_nothing_to_write_ends_with_its_journal_too() {
    let mut crowd = Crowd::new(Duration::ZERO);
    crowd.witness.answers.lock().unwrap().push_back(SubmitOutcome::Accepted(remote("r-0-0")));
    let asked = fill_at(&crowd, "track");
    crowd.sell(0, 0);
    crowd.start();
    pass(TimeDelta::seconds(1)).await;
    assert_eq!(crowd.state("0-0"), State::Accepted);
    crowd.disk.fail(0, Fault::Eio, true);
    assert!(crowd.try_sell(1, 0).is_err());
    assert!(patiently(TimeDelta::minutes(1), crowd.dispatcher.as_ref().unwrap().drained()).await);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}
