//! What is written before what, with many documents under way: outcomes and the intents behind them share commit groups.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use staffetta::domain::account::{Account, ProviderKind};
use staffetta::domain::calendar::Window;
use staffetta::queue::Options;
use staffetta::testing::{Fault, Sim};
use staffetta::view::ParentView;

use super::*;

/// VAT numbers of the account: so many lanes.
const ISSUERS: [&str; 12] = [
    "01234567897",
    "12345678903",
    "11111111115",
    "22222222220",
    "33333333335",
    "44444444440",
    "55555555555",
    "66666666660",
    "77777777775",
    "88888888880",
    "99999999995",
    "00000000000",
];

fn account() -> Account {
    Account {
        name: "shop".parse().unwrap(),
        provider: ProviderKind::Openapi,
        fiscal_ids: ISSUERS.iter().map(|id| id.parse().unwrap()).collect(),
        blackout: Window::NONE,
    }
}

/// Called with the key of a request.
type Arrived = Box<dyn Fn(&str) + Send>;

/// Looks at what is durable at the moment that a request arrives.
#[derive(Default)]
pub(super) struct Witness {
    queue: OnceLock<Queue>,
    pub(super) answers: Mutex<VecDeque<SubmitOutcome>>,
    seen: Mutex<Vec<String>>,
    /// What should not have been.
    pub(super) wrong: Mutex<Vec<String>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    /// Told of each request: its key; of a question what is asked and the key.
    pub(super) arrived: Mutex<Option<Arrived>>,
    /// Whether it has what was sent to it.
    pub(super) finds: AtomicBool,
    /// So many bytes more in what it finds.
    pub(super) words: AtomicUsize,
    slow: Duration,
}

impl Witness {
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
    fn asked(&self, what: &str, key: &Key) {
        if let Some(arrived) = &*self.arrived.lock().unwrap() {
            arrived(&format!("{what} {key}"));
        }
    }
}

#[async_trait]
impl Provider for Witness {
    async fn submit(&self, call: &Call) -> Answer<SubmitOutcome> {
        let queue = self.queue.get().unwrap();
        let mine = queue.get(call.key.as_str()).unwrap();
        // A panic here would only be a provider that broke down.
        let mut wrong = Vec::new();
        if mine.state != State::Sending {
            wrong.push(format!("{} is {}: its intent is not durable", call.key, mine.state));
        }
        for state in [State::Sending, State::InDoubt] {
            let open = queue.list(&ListFilter { state: Some(state), ..ListFilter::default() }).unwrap();
            let others = open.into_iter().filter(|one| one.fiscal_id == mine.fiscal_id && one.key != mine.key);
            wrong.extend(others.map(|other| format!("{} leaves while {} is {state}", call.key, other.key)));
        }
        self.wrong.lock().unwrap().extend(wrong);
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        self.seen.lock().unwrap().push(call.key.to_string());
        if let Some(arrived) = &*self.arrived.lock().unwrap() {
            arrived(call.key.as_str());
        }
        tokio::time::sleep(self.slow).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        let id = format!("r-{}", call.key);
        let told = self.answers.lock().unwrap().pop_front();
        Answer::without_http(told.unwrap_or_else(|| SubmitOutcome::Registered(remote(&id))))
    }
    async fn look_up(&self, lost: &Lost, _: &dyn Claimed) -> Answer<LookUpOutcome> {
        self.asked("look_up", &lost.call.key);
        let mut found = remote(&format!("r-{}", lost.call.key));
        found.status = Some("x".repeat(self.words.load(Ordering::SeqCst)));
        let found = LookUpOutcome::Found(found);
        Answer::without_http(if self.finds.load(Ordering::SeqCst) { found } else { LookUpOutcome::NotFound })
    }
    async fn track(&self, tracked: &Tracked) -> Answer<TrackOutcome> {
        self.asked("track", &tracked.call.key);
        Answer::without_http(TrackOutcome::Registered(Box::new(tracked.remote.clone())))
    }
}

pub(super) struct Crowd {
    pub(super) queue: Queue,
    pub(super) witness: Arc<Witness>,
    pub(super) dispatcher: Option<Dispatcher>,
    pub(super) disk: Sim,
    _folder: tempfile::TempDir,
}

impl Crowd {
    pub(super) fn new(slow: Duration) -> Crowd {
        let clock = Arc::new(TestClock::starting_at(MORNING.parse().unwrap()));
        let (folder, disk) = (tempfile::tempdir().unwrap(), Sim::default());
        let journal = staffetta::journal::Options {
            index_in_memory: true,
            files: Arc::new(disk.clone()),
            reserve_bytes: 0,
            ..Default::default()
        };
        let queue = Queue::open_with(folder.path(), Options { clock, accounts: vec![account()], journal }).unwrap();
        let witness = Arc::new(Witness { slow, ..Witness::default() });
        assert!(witness.queue.set(queue.clone()).is_ok());
        Crowd { queue, witness, dispatcher: None, disk, _folder: folder }
    }

    pub(super) fn sell(&self, lane: usize, number: usize) {
        self.try_sell(lane, number).unwrap();
    }

    pub(super) fn try_sell(&self, lane: usize, number: usize) -> Result<Ticket, Error> {
        let sale = Receipt::new(ISSUERS[lane].parse().unwrap())
            .item(Item::new("Caffè", "1.20".parse().unwrap(), VatRate::Ten).quantity(2))
            .cash("2.40".parse().unwrap());
        self.queue.enqueue(&format!("{lane}-{number}"), sale.build().unwrap())
    }

    pub(super) fn start(&mut self) {
        let managed = Managed::new(account(), self.witness.clone());
        let settings = Settings { blackout_spread: Duration::ZERO, ..Settings::default() };
        self.dispatcher = Some(Dispatcher::start_with(&self.queue, vec![managed], settings).unwrap());
    }

    pub(super) async fn drained(&self) {
        if !patiently(TimeDelta::hours(2), self.dispatcher.as_ref().unwrap().drained()).await {
            panic!("it drains: {:#?}", self.queue.list(&ListFilter::default()));
        }
        assert_eq!(*self.witness.wrong.lock().unwrap(), Vec::<String>::new());
    }

    pub(super) fn state(&self, key: &str) -> State {
        self.queue.get(key).unwrap().state
    }
}

#[tokio::test(start_paused = true)]
async fn each_request_finds_its_intent_durable_and_its_lane_free() {
    for slow in [0, 5] {
        let mut crowd = Crowd::new(Duration::from_millis(slow));
        // Two answers are lost on the way: their lanes stay shut until look-ups agree, and they are sent again.
        let fine = |number| SubmitOutcome::Registered(remote(&format!("fine-{number}")));
        let answers = (0..60).map(|number| if number == 30 || number == 50 { unknown() } else { fine(number) });
        crowd.witness.answers.lock().unwrap().extend(answers);
        for number in 0..10 {
            (0..ISSUERS.len()).for_each(|lane| crowd.sell(lane, number));
        }
        crowd.start();
        crowd.drained().await;
        let mut seen = crowd.witness.seen();
        assert_eq!(seen.len(), 122);
        for lane in 0..ISSUERS.len() {
            let prefix = format!("{lane}-");
            let mut numbers: Vec<_> = seen.iter().filter_map(|key| key.strip_prefix(&prefix)).collect();
            numbers.dedup();
            assert_eq!(numbers, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], "a lane keeps its order");
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 120, "all of them");
        let documents = crowd.queue.list(&ListFilter::default()).unwrap();
        assert!(documents.iter().all(|document| document.state == State::Registered));
        let most = crowd.witness.most_at_once.load(Ordering::SeqCst);
        assert!(most <= 8 && (slow == 0 || most == 8), "{most} at once, of 8");
    }
}

/// What happened is looked at when it happens, not when the next look is due anyway.
#[tokio::test(start_paused = true)]
async fn what_a_till_brings_is_sent_at_once_and_its_end_is_told_at_once() {
    let mut crowd = Crowd::new(Duration::from_millis(5));
    crowd.start();
    for number in 0..20 {
        (0..3).for_each(|lane| crowd.sell(lane, number));
        let drained = crowd.dispatcher.as_ref().unwrap().drained();
        assert!(patiently(TimeDelta::seconds(2), drained).await, "round {number}");
        assert_eq!(crowd.witness.seen().len(), 3 * (number + 1));
    }
}

/// Answers that come together are written together; what one of them says is of that one alone.
#[tokio::test(start_paused = true)]
async fn outcomes_that_come_together_do_not_hurt_each_other() {
    let mut crowd = Crowd::new(Duration::from_secs(1));
    (0..8).for_each(|lane| crowd.sell(lane, 0));
    let outcomes = [
        SubmitOutcome::Accepted(remote("same")),
        SubmitOutcome::Accepted(remote("same")),
        refused("no"),
        unknown(),
        SubmitOutcome::Accepted(remote("fine")),
        SubmitOutcome::Deferred { why: "not now".to_owned(), retry_after: None, account: false },
        SubmitOutcome::Registered(remote("done")),
        not_sent(),
    ];
    // The first answer opens the gate to two, then to four, …: all lanes but that of a first sale come together.
    (8..12).for_each(|lane| crowd.sell(lane, 0));
    let first = (0..3).map(|number| SubmitOutcome::Registered(remote(&format!("first-{number}"))));
    crowd.witness.answers.lock().unwrap().extend(first.chain(outcomes));
    crowd.start();
    patiently(TimeDelta::seconds(4), std::future::pending::<()>()).await;
    let mut states: Vec<State> =
        crowd.queue.list(&ListFilter::default()).unwrap().into_iter().map(|document| document.state).collect();
    states.sort();
    let count = |state| states.iter().filter(|one| **one == state).count();
    assert_eq!(count(State::Held), 1, "the second of one id: {states:?}");
    assert_eq!((count(State::Refused), count(State::InDoubt)), (1, 1), "{states:?}");
    crowd.drained().await;
    let keys: Vec<_> = crowd.queue.list(&ListFilter::default()).unwrap();
    let ends = |state| keys.iter().filter(|one| one.state == state).count();
    assert_eq!((ends(State::Registered), ends(State::Held), ends(State::Refused)), (10, 1, 1), "{keys:#?}");
    assert_eq!(crowd.witness.seen().len(), 12 + 3, "put off, not sent and not found are sent again, nothing else");
}

/// The disk fails as an outcome is written: what waits behind it on its lane has no intent, so it does not leave; nor does
/// anything else.
#[tokio::test(start_paused = true)]
async fn nothing_leaves_behind_an_outcome_that_is_not_written() {
    let mut crowd = Crowd::new(Duration::ZERO);
    (0..3).for_each(|number| crowd.sell(0, number));
    let disk = crowd.disk.clone();
    *crowd.witness.arrived.lock().unwrap() = Some(Box::new(move |key| {
        if key == "0-1" {
            disk.fail(0, Fault::Eio, true);
        }
    }));
    crowd.start();
    patiently(TimeDelta::hours(1), std::future::pending::<()>()).await;
    assert_eq!(crowd.witness.seen(), ["0-0", "0-1"]);
    assert_eq!(*crowd.witness.wrong.lock().unwrap(), Vec::<String>::new());
    assert_eq!(
        (crowd.state("0-0"), crowd.state("0-1"), crowd.state("0-2")),
        (State::Registered, State::Sending, State::Queued)
    );
}

/// A void is bound to what is durable of its sale; it becomes ready by an outcome of the dispatcher's own.
#[tokio::test(start_paused = true)]
async fn a_correction_follows_its_sale_at_once_while_others_fill_every_place() {
    let mut crowd = Crowd::new(Duration::from_secs(1));
    crowd.sell(0, 0);
    let queue = crowd.queue.clone();
    *crowd.witness.arrived.lock().unwrap() = Some(Box::new(move |key| {
        if key == "0-0" {
            queue.enqueue("void", Void::of(Parent::Key("0-0".parse().unwrap()))).unwrap();
        }
    }));
    for number in 0..30 {
        (1..ISSUERS.len()).for_each(|lane| crowd.sell(lane, number));
    }
    crowd.start();
    crowd.drained().await;
    let seen = crowd.witness.seen();
    let at = seen.iter().position(|key| key == "void").unwrap();
    assert!(at <= 40, "the void has a deadline and comes before the backlog: {at}");
    assert!(matches!(crowd.queue.get("void").unwrap().parent, Some(ParentView::Key(_))));
}
