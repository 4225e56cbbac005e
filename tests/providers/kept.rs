//! Which connections submissions take: a server may close one at the moment it is used again, and then nobody knows
//! whether the request was processed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::fault_server::{Act, FaultServer, Received, answer};
use super::*;

const ALL: [ProviderKind; 3] = [OPENAPI, SMART, STAMP];
const LONG: Duration = Duration::from_millis(150);
const JSON: (&str, &str) = ("content-type", "application/json");

/// The answer of a provider that gives each document its key as its id.
fn taken(request: &Received, headers: &[(&str, &str)]) -> Vec<u8> {
    let id = request.header("idempotency-key").expect("our key");
    let body = format!(r#"{{"data":{{"id":"{id}"}},"uuid":"{id}","DraftId":"{id}","InvoiceId":"{id}"}}"#);
    answer(200, &[&[JSON], headers].concat(), body.as_bytes())
}

fn say(request: &Received) -> Act {
    Act::Say(taken(request, &[]))
}

/// An account with a clock that stands still until it is told otherwise.
struct Shop {
    server: FaultServer,
    clock: Arc<TestClock>,
    adapter: Arc<dyn Adapter>,
    call: Call,
    next: AtomicUsize,
}

impl Shop {
    async fn open(provider: ProviderKind, act: impl Fn(&Received) -> Act + Send + Sync + 'static) -> Shop {
        let server =
            FaultServer::start(move |request| if is_login(request) { logged_in() } else { act(request) }).await;
        let clock = TestClock::at(NOW);
        let adapter = connect_adapter(config(provider, &server.url("")), clock.clone()).expect("an adapter");
        Shop { server, clock, adapter, call: first(provider), next: AtomicUsize::new(0) }
    }

    /// Until connections are used again. On a machine so busy that half a second passes between two lines here, one that
    /// was watched is given up, so another shop is opened then.
    async fn known(provider: ProviderKind, act: impl Fn(&Received) -> Act + Send + Sync + Clone + 'static) -> Shop {
        for _ in 0..10 {
            let shop = Shop::open(provider, act.clone()).await;
            shop.all_accepted(3, Duration::ZERO).await;
            assert_eq!(shop.again(0), [false; 3], "{provider}: nothing is known yet");
            shop.all_accepted(1, LONG).await;
            shop.all_accepted(20, Duration::ZERO).await;
            if shop.again(4).contains(&true) {
                return shop;
            }
        }
        panic!("{provider}: no connection was used again");
    }

    /// The same, of a server that answers otherwise while it is switched over.
    async fn switched(
        provider: ProviderKind,
        otherwise: impl Fn(&Received) -> Act + Clone + Send + Sync + 'static,
    ) -> (Shop, Arc<AtomicBool>) {
        let switch = Arc::new(AtomicBool::new(false));
        let on = Arc::clone(&switch);
        let act = move |request: &Received| if on.load(Ordering::SeqCst) { otherwise(request) } else { say(request) };
        (Shop::known(provider, act).await, switch)
    }

    /// Submits a document: its id, and what became of it.
    async fn submit(&self) -> (String, String) {
        self.submit_as(self.call.clone()).await
    }

    async fn submit_as(&self, call: Call) -> (String, String) {
        let id = format!("till-{}", self.next.fetch_add(1, Ordering::SeqCst));
        let call = Call { key: id.parse().expect("a key"), ..call };
        let outcome = word(&self.adapter.submit(&call).await.outcome);
        (id, outcome)
    }

    /// So many one after the other, each after this time by the account's clock; all accepted, each with its own id.
    async fn all_accepted(&self, count: usize, after: Duration) {
        for _ in 0..count {
            self.clock.forward(after);
            let (id, outcome) = self.submit().await;
            assert_eq!(outcome, format!("accepted {id}"));
            // Whatever the server did with the connection is seen by now: the runtime waited for the network.
            tokio::net::TcpStream::connect(self.server.address).await.expect("the server");
        }
    }

    /// Eight at once, all accepted, each with its own id.
    async fn eight_accepted(&self) {
        for (id, outcome) in futures_util::future::join_all((0..8).map(|_| self.submit())).await {
            assert_eq!(outcome, format!("accepted {id}"));
        }
    }

    fn submissions(&self) -> Vec<Received> {
        self.server.requests().into_iter().filter(|request| !is_login(request)).collect()
    }

    /// Whether each submission, from this one on, used a connection that an earlier one had used.
    fn again(&self, from: usize) -> Vec<bool> {
        let used: Vec<usize> = self.submissions().iter().map(|request| request.connection).collect();
        (from..used.len()).map(|at| used[..at].contains(&used[at])).collect()
    }
}

#[tokio::test]
async fn a_connection_is_used_again_where_the_server_is_known_to_leave_it_open() {
    for provider in ALL {
        Shop::known(provider, say).await;
    }
}

#[tokio::test]
async fn each_has_its_own_where_the_server_closes_after_each_answer_without_a_word() {
    for provider in ALL {
        let shop = Shop::open(provider, |request| Act::Break(taken(request, &[]))).await;
        shop.all_accepted(8, LONG).await;
        assert_eq!(shop.again(0), [false; 8], "{provider}");
    }
}

#[tokio::test]
async fn each_has_its_own_where_the_server_says_that_it_closes() {
    for provider in ALL {
        let shop = Shop::open(provider, |request| Act::Say(taken(request, &[("connection", "close")]))).await;
        shop.all_accepted(8, LONG).await;
        assert_eq!(shop.again(0), [false; 8], "{provider}");
    }
}

/// By the machine's own clock, whatever the account's says.
#[tokio::test]
async fn what_lay_idle_for_longer_is_not_used_again() {
    for provider in ALL {
        let shop = Shop::known(provider, say).await;
        for _ in 0..3 {
            let before = shop.submissions().len();
            tokio::time::pause();
            tokio::time::advance(LONG).await;
            tokio::time::resume();
            shop.all_accepted(1, Duration::ZERO).await;
            assert_eq!(shop.again(before), [false], "{provider}");
        }
    }
}

/// A server that is started anew, or has enough of a connection.
#[tokio::test]
async fn a_kept_connection_that_is_closed_costs_nothing() {
    for provider in ALL {
        let (shop, closes) = Shop::switched(provider, |request| Act::Break(taken(request, &[]))).await;
        let before = shop.submissions().len();
        closes.store(true, Ordering::SeqCst);
        shop.all_accepted(5, Duration::ZERO).await;
        closes.store(false, Ordering::SeqCst);
        shop.all_accepted(5, Duration::ZERO).await;
        assert_eq!(shop.submissions().len(), before + 10, "{provider}: each was delivered once");
    }
}

/// What the server says unasked is nobody's answer.
#[tokio::test]
async fn an_answer_that_comes_twice_is_not_the_next_ones() {
    for provider in ALL {
        let (shop, twice) = Shop::switched(provider, |request| Act::Say(taken(request, &[]).repeat(2))).await;
        let before = shop.submissions().len();
        twice.store(true, Ordering::SeqCst);
        shop.all_accepted(10, Duration::ZERO).await;
        for _ in 0..5 {
            shop.eight_accepted().await;
        }
        assert_eq!(shop.submissions().len(), before + 50, "{provider}: each was delivered once");
    }
}

/// A server that says one answer twice where a connection is used again, and from then on to each request the answer of the
/// one before it.
fn late() -> impl Fn(&Received) -> Act + Clone + Send + Sync + 'static {
    let before: Arc<Mutex<HashMap<usize, Vec<u8>>>> = Arc::default();
    move |request| {
        let own = taken(request, &[]);
        let last = before.lock().expect("the answers").insert(request.connection, own.clone());
        Act::Say(last.unwrap_or(own))
    }
}

/// The first one that is given another's answer is in doubt; then each has its own, and nobody another's.
#[tokio::test]
async fn an_answer_that_another_one_had_ends_the_use_of_its_connection() {
    for provider in ALL {
        for at_once in [1, 8] {
            let (shop, switch) = Shop::switched(provider, late()).await;
            switch.store(true, Ordering::SeqCst);
            let (mut doubted, before) = (0, shop.submissions().len());
            for _ in 0..48 / at_once {
                for (id, outcome) in futures_util::future::join_all((0..at_once).map(|_| shop.submit())).await {
                    let own = outcome == format!("accepted {id}");
                    assert!(own || outcome == "unknown", "{provider}: {id} {outcome}");
                    doubted += usize::from(!own);
                }
            }
            assert!((1..=at_once).contains(&doubted), "{provider}: {doubted} of {at_once} at once");
            assert_eq!(shop.again(before + 40), [false; 8], "{provider}");
            shop.all_accepted(15, LONG).await;
            assert_eq!(shop.again(before + 48), [false; 15], "{provider}: for longer than after an answer of trouble");
        }
    }
}

/// Nothing in their answers tells whose they are.
#[tokio::test]
async fn what_gets_no_id_of_its_own_never_uses_a_connection_again() {
    for (provider, kind) in [(OPENAPI, Kind::Void), (OPENAPI, Kind::Return), (SMART, Kind::Void), (SMART, Kind::Return)]
    {
        let shop = Shop::known(provider, say).await;
        let before = shop.submissions().len();
        for _ in 0..3 {
            let (id, outcome) = shop.submit_as(call(provider, kind)).await;
            assert_eq!(outcome, format!("accepted {id}"));
            assert_eq!(shop.again(before).last(), Some(&false), "{provider} {kind}");
        }
    }
}

#[tokio::test]
async fn many_at_once_have_each_its_own_answer() {
    for provider in ALL {
        let shop = Shop::known(provider, say).await;
        for _ in 0..20 {
            shop.eight_accepted().await;
        }
        let keys: Vec<_> =
            shop.submissions().iter().map(|request| request.header("idempotency-key").map(str::to_owned)).collect();
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(keys.len(), distinct.len(), "{provider}: each was delivered once");
    }
}

/// Has a shop whose connections are kept answer one submission so, on a connection that is used again; then tells which of
/// the next ones, each a bit later, use one again.
async fn after(provider: ProviderKind, expected: &str, act: fn(&Received) -> Act) -> Vec<bool> {
    for _ in 0..10 {
        let (shop, wrong) = Shop::switched(provider, act).await;
        let before = shop.submissions().len();
        wrong.store(true, Ordering::SeqCst);
        assert_eq!(shop.submit().await.1, expected, "{provider}");
        wrong.store(false, Ordering::SeqCst);
        let on = shop.again(before);
        assert_eq!(on.len(), 1, "{provider}: it was delivered once");
        // A busy machine may have left the connection idle for too long.
        if on == [true] {
            shop.all_accepted(30, LONG).await;
            return shop.again(before + 1);
        }
    }
    panic!("{provider}: no connection was used again");
}

/// What was sent on a kept connection and had no answer is unknown, and delivered once; then each has its own.
#[tokio::test]
async fn after_a_lost_answer_each_has_its_own_again() {
    let silent: [fn(&Received) -> Act; 3] = [
        |_| Act::Reset(Vec::new()),
        |_| Act::Break(Vec::new()),
        |_| Act::Say(answer(408, &[("connection", "close")], b"")),
    ];
    for (provider, act) in ALL.into_iter().flat_map(|provider| silent.map(|act| (provider, act))) {
        assert_eq!(after(provider, "unknown", act).await, [false; 30], "{provider}");
    }
}

/// For a while: other connections may be in the same trouble.
#[tokio::test]
async fn after_an_answer_of_trouble_each_has_its_own_until_those_there_were_are_gone() {
    for provider in ALL {
        let again = after(provider, "pause", |_| Act::Say(answer(429, &[], b""))).await;
        assert_eq!(again[..6], [false; 6], "{provider}: a second");
    }
}
