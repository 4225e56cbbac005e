//! The engine's moments one by one, by a clock that stands still: a busy machine or a slow disk puts anything between
//! two of them.

use std::sync::{Arc, mpsc};

use async_trait::async_trait;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, watch};

use super::super::engine::Stop;
use super::super::office::{Done, Health};
use super::super::settings::{Managed, Settings};
use super::super::shared::Taken;
use super::super::tests::{self as shop, SHOPS};
use super::*;
use crate::clock::Clock;
use crate::domain::account::Account;
use crate::domain::document::{Parent, Void};
use crate::domain::id::DocId;
use crate::domain::outcome::{Answer, LookUpOutcome, Remote, SubmitOutcome, TrackOutcome};
use crate::error::Error;
use crate::journal::{JournalError, View};
use crate::provider::{Call, Claimed, Lost, Provider, Tracked};
use crate::queue::Queue;

mod ahead;
mod shared_lane;
mod waiting;

/// How much later the first question about a verdict may be, with its jitter.
const FIRST_QUESTION: Duration = Duration::from_secs(6);

/// The provider's id of a document whose verdict cannot be read.
const UNREADABLE: &str = "unreadable";

/// Time passes when the test says so.
#[derive(Default)]
struct Still(std::sync::Mutex<Duration>);

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_161_600, 0).unwrap() + self.monotonic()
    }
    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

/// Tells which request has arrived, and answers it when the test does.
struct Slow {
    arrived: UnboundedSender<String>,
    answers: Mutex<UnboundedReceiver<SubmitOutcome>>,
}

#[async_trait]
impl Provider for Slow {
    async fn submit(&self, call: &Call) -> Answer<SubmitOutcome> {
        self.arrived.send(call.key.to_string()).unwrap();
        Answer::without_http(self.answers.lock().await.recv().await.unwrap())
    }
    async fn look_up(&self, _: &Lost, _: &dyn Claimed) -> Answer<LookUpOutcome> {
        drop(self.arrived.send("a look-up".to_owned()));
        Answer::without_http(LookUpOutcome::NotFound)
    }
    async fn track(&self, tracked: &Tracked) -> Answer<TrackOutcome> {
        drop(self.arrived.send("a question".to_owned())); // most tests are over by then
        if tracked.remote.remote_id.as_deref() == Some(UNREADABLE) {
            return Answer::without_http(TrackOutcome::Unreadable { why: "no JSON".to_owned(), retry_after: None });
        }
        Answer::without_http(TrackOutcome::Pending(Box::new(tracked.remote.clone())))
    }
}

struct Room {
    engine: Engine,
    queue: Queue,
    clock: Arc<Still>,
    arrived: UnboundedReceiver<String>,
    answers: UnboundedSender<SubmitOutcome>,
    idle: watch::Receiver<u64>,
    stop: watch::Sender<Stop>,
    _folder: tempfile::TempDir,
}

impl Room {
    fn new(requests_per_minute: u32) -> Room {
        Room::with(requests_per_minute, Settings::default())
    }

    fn with(requests_per_minute: u32, settings: Settings) -> Room {
        Room::of(vec![shop::account()], requests_per_minute, settings)
    }

    /// Of these accounts, at one provider.
    fn of(accounts: Vec<Account>, requests_per_minute: u32, settings: Settings) -> Room {
        let clock = Arc::new(Still::default());
        let folder = tempfile::tempdir().unwrap();
        let queue = shop::open(folder.path(), clock.clone());
        let ((arrives, arrived), (answers, told)) = (unbounded_channel(), unbounded_channel());
        let provider: Arc<dyn Provider> = Arc::new(Slow { arrived: arrives, answers: Mutex::new(told) });
        let managed = |account| Managed { requests_per_minute, ..Managed::new(account, provider.clone()) };
        let managed = accounts.into_iter().map(managed).collect();
        let ((stop, stopped), (idle, told)) = (watch::channel(Stop::No), watch::channel(0));
        let engine = Engine::prepare(queue.clone(), managed, settings, stopped, idle).unwrap();
        Room { engine, queue, clock, arrived, answers, idle: told, stop, _folder: folder }
    }

    fn sell(&self, key: &str, shop: usize) -> DocId {
        self.queue.enqueue(key, shop::sale(SHOPS[shop])).unwrap();
        self.find(key)
    }

    fn find(&self, key: &str) -> DocId {
        self.queue.journal().find(&key.parse().unwrap()).unwrap().unwrap()
    }

    /// As after all that is durable was told of.
    async fn look(&mut self) -> Duration {
        let (mut changes, last) = (self.queue.changes(), self.queue.last_seq());
        let seq = *changes.wait_for(|seq| *seq >= last).await.unwrap();
        self.engine.look(seq).await
    }

    /// As when a sleep is over.
    async fn wake(&mut self, after: Duration) -> Duration {
        *self.clock.0.lock().unwrap() += after;
        self.look().await
    }

    async fn arrives(&mut self, key: &str) {
        assert_eq!(soon(self.arrived.recv()).await.as_deref(), Some(key));
    }

    /// The request that arrived first is answered, and the engine is told that its document was taken.
    async fn answer(&mut self, outcome: SubmitOutcome) {
        self.answers.send(outcome).unwrap();
        let taken = soon(self.engine.taken.recv()).await.unwrap();
        self.engine.give_back(taken);
    }

    async fn end(&mut self) {
        let ended = soon(self.engine.tasks.join_next_with_id()).await.unwrap();
        self.engine.take_in(ended).await;
    }

    /// The provider has answered: two requests at once are allowed.
    async fn warmed(requests_per_minute: u32) -> Room {
        let mut room = Room::new(requests_per_minute);
        room.sell("first", 0);
        room.look().await;
        room.arrives("first").await;
        room.answer(registered("first")).await;
        room.end().await;
        room.look().await;
        room
    }

    /// Nothing is written until what this returns is dropped.
    fn slow_disk(&self) -> mpsc::Sender<()> {
        let (go_on, wait) = mpsc::channel();
        let act = move |_: &mut crate::journal::Transaction<'_>| Ok::<_, JournalError>(wait.recv().is_ok());
        self.queue.journal().begin_then(act, drop);
        go_on
    }

    /// Sales that were looked for ahead.
    fn looked_for(&self) -> usize {
        self.engine.ahead.values().map(|ahead| ahead.len()).sum()
    }

    fn open(&self) -> Vec<DocId> {
        self.engine.busy.values().copied().collect()
    }
}

/// What does not come is a failure, not a test without end.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("it comes")
}

fn remote(id: &str) -> Box<Remote> {
    Box::new(Remote { remote_id: Some(id.to_owned()), ..Remote::default() })
}

fn registered(id: &str) -> SubmitOutcome {
    SubmitOutcome::Registered(remote(id))
}

#[tokio::test]
async fn a_backlog_is_drained_without_looking_through_it() {
    let mut room = Room::new(0);
    let keys: Vec<_> = (0..10).map(|number| format!("s{number}")).collect();
    for key in &keys {
        room.sell(key, 0);
    }
    room.look().await;
    for (number, key) in keys.iter().enumerate() {
        room.arrives(key).await;
        room.answer(registered(key)).await;
        room.look().await;
        // What was looked for ahead is forgotten where all is looked through.
        assert_eq!(room.looked_for(), 9 - number, "after {key}");
        room.end().await;
        assert_eq!(room.engine.moved, number == 9, "only the last is looked behind");
        room.look().await;
    }
    assert!(*room.idle.borrow() > 0);
}

#[tokio::test]
async fn with_a_limit_a_minute_it_sleeps_until_the_next_may_start() {
    let tenth = Duration::from_secs(10);
    let mut room = Room::new(6);
    for (key, shop) in [("a", 0), ("b", 1), ("c", 2), ("d", 0)] {
        room.sell(key, shop);
    }
    assert_eq!(room.look().await, tenth, "others wait");
    room.arrives("a").await;
    room.answer(registered("a")).await;
    assert_eq!(room.look().await, tenth, "its outcome is under way");
    assert_eq!(room.wake(tenth).await, tenth, "what is started now closes the gate again");
    room.arrives("b").await;
    assert_eq!(room.wake(Duration::from_secs(4)).await, Duration::from_secs(6));
    room.end().await;
    room.answer(registered("b")).await;
    room.end().await;
    assert_eq!(room.look().await, Duration::from_secs(6), "nothing is under way");
    assert_eq!(room.wake(Duration::from_secs(6)).await, tenth, "one is left");
    room.arrives("c").await;
    room.answer(registered("c")).await;
    room.end().await;
    assert!(room.wake(tenth).await > tenth, "nothing waits for the gate");
    room.arrives("d").await;
    room.answer(registered("d")).await;
    room.end().await;
    room.look().await;
    assert!(*room.idle.borrow() > 0, "nor does anybody");
}

#[tokio::test]
async fn a_sale_that_is_called_off_when_its_turn_comes_holds_up_nobody() {
    let mut room = Room::new(0);
    for key in ["a", "b", "c", "d"] {
        room.sell(key, 0);
    }
    room.look().await;
    for key in ["a", "b"] {
        room.arrives(key).await;
        if key == "b" {
            assert!(room.queue.cancel("c", "anna", "not sold").unwrap().done);
        }
        let told = room.queue.last_seq() - u64::from(key == "b");
        room.answer(registered(key)).await;
        // The engine has not heard of that yet.
        room.engine.look(told).await;
    }
    room.arrives("d").await;
}

/// The timer of a document that was taken is not in the journal before its outcome is.
#[tokio::test]
async fn a_verdict_is_asked_for_in_time_though_its_outcome_was_long_under_way() {
    for late in [false, true] {
        let mut room = Room::warmed(0).await;
        room.sell("a", 1);
        room.sell("slow", 2);
        room.look().await;
        room.arrives("a").await;
        room.arrives("slow").await;
        let disk = room.slow_disk();
        room.answer(SubmitOutcome::Accepted(remote("r-a"))).await;
        if late {
            room.wake(FIRST_QUESTION).await;
        }
        // Something else makes the engine look through the queue, which does not know of it yet.
        room.engine.stale = true;
        assert!(room.look().await > FIRST_QUESTION);
        drop(disk);
        room.end().await;
        let sleep = room.look().await;
        let asked = room.engine.work.values().any(|work| work.tracking);
        assert_eq!(asked, late, "in {sleep:?}");
        assert!(late || sleep <= FIRST_QUESTION, "{sleep:?}");
    }
}

#[tokio::test]
async fn what_was_idle_stays_so_while_only_its_own_facts_are_told_of() {
    let mut room = Room::warmed(0).await;
    let last = room.queue.last_seq();
    room.engine.stale = true;
    room.engine.look(last - 1).await;
    assert_eq!(*room.idle.borrow(), last - 1);
    room.engine.look(last).await;
    assert_eq!(*room.idle.borrow(), last);
}

/// Were it told too early, or its outcome lost: the intent behind it is the last to see that.
#[tokio::test]
async fn the_next_of_a_lane_does_not_leave_behind_an_open_call() {
    let mut room = Room::warmed(0).await;
    let a = room.sell("a", 1);
    room.sell("b", 1);
    room.look().await;
    room.arrives("a").await;
    room.engine.give_back(Taken { id: a, clock_skew_ms: None, due_at: None });
    assert!(room.open().is_empty());
    room.look().await;
    tokio::select! {
        biased;
        key = room.arrived.recv() => panic!("{key:?} leaves while a is open"),
        ended = room.engine.tasks.join_next_with_id() => room.engine.take_in(ended.unwrap()).await,
    }
    assert_eq!(room.open(), [a], "b waits for it");
    room.look().await;
    assert_eq!(room.engine.tasks.len(), 1, "and is not tried again meanwhile");
    assert!(room.arrived.try_recv().is_err());
}

#[tokio::test]
async fn an_outcome_that_could_not_be_recorded_shuts_its_lane_again() {
    let mut room = Room::warmed(0).await;
    let a = room.sell("a", 1);
    room.look().await;
    room.arrives("a").await;
    room.engine.give_back(Taken { id: a, clock_skew_ms: None, due_at: None });
    let task = *room.engine.work.keys().next().unwrap();
    let error = Some(Error::Dispatcher("no room".to_owned()));
    room.engine.take_in(Ok((task, Done { error, ..Done::of(Health::Nothing) }))).await;
    assert_eq!(room.open(), [a]);
    room.sell("b", 1);
    room.look().await;
    assert_eq!(room.open(), [a]);
    assert_eq!(room.engine.tasks.len(), 1, "b is not sent");
}

/// A correction is bound to what is durable of its sale: it waits for that, and no longer.
#[tokio::test]
async fn a_correction_is_noticed_with_the_outcome_it_waited_for() {
    let mut room = Room::warmed(0).await;
    room.sell("a", 1);
    let slow = room.sell("slow", 2);
    room.look().await;
    room.arrives("a").await;
    room.arrives("slow").await;
    room.queue.enqueue("void", Void::of(Parent::Key("a".parse().unwrap()))).unwrap();
    room.look().await;
    let disk = room.slow_disk();
    room.answer(registered("a")).await;
    room.engine.stale = true;
    room.look().await;
    assert_eq!(room.engine.tasks.len(), 2, "not yet");
    drop(disk);
    room.end().await;
    room.look().await;
    room.arrives("void").await;
    // Nor is its own outcome told before it is durable: what is next about the sale is bound to that.
    ["slow", "void"].iter().for_each(|key| room.answers.send(registered(key)).unwrap());
    for _ in 0..2 {
        soon(room.engine.tasks.join_next_with_id()).await.unwrap().unwrap();
    }
    assert_eq!(room.engine.taken.recv().await.map(|taken| taken.id), Some(slow));
    assert!(room.engine.taken.try_recv().is_err());
}

/// What is decided without asking anybody changes what others wait for, and nobody else tells of it.
#[tokio::test]
async fn what_was_decided_in_a_look_is_looked_at_again_at_once() {
    let mut room = Room::warmed(0).await;
    room.queue.enqueue("void", Void::of(Parent::Key("first".parse().unwrap()))).unwrap();
    assert!(!room.engine.stale);
    room.wake(Duration::from_secs(25 * 3_600)).await;
    assert_eq!(room.queue.get("void").unwrap().state, State::Held, "the provider takes no void after a day");
    assert!(room.engine.stale, "looked through once more");
    room.look().await;
    assert!(!room.engine.stale && room.engine.tasks.is_empty());
}

/// It may hand over an intent, which nobody would take back any more.
#[tokio::test]
async fn it_has_not_ended_while_a_read_that_nobody_waits_for_goes_on() {
    let Room { mut engine, stop, _folder, .. } = Room::new(0);
    let (shared, (begins, mut begun), (go_on, wait)) =
        (engine.shared.clone(), unbounded_channel(), mpsc::channel::<()>());
    engine.tasks.spawn(async move {
        let read = move |_: &Queue| {
            begins.send(()).unwrap();
            Ok(wait.recv().is_ok())
        };
        drop(shared.read(read).await);
        Done::of(Health::Nothing)
    });
    soon(begun.recv()).await.unwrap();
    stop.send_replace(Stop::Now);
    let run = engine.run();
    tokio::pin!(run);
    for _ in 0..100 {
        tokio::select! {
            biased;
            () = &mut run => panic!("it has ended"),
            () = tokio::task::yield_now() => {}
        }
    }
    drop(go_on);
    soon(run).await;
}
