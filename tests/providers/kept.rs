//! Which connections submissions take: a server may close one at the moment it is used again, and then nobody knows
//! whether the request was processed.

use super::fault_server::{Act, FaultServer, Received, answer, json};
use super::*;

const TAKEN: &str = r#"{"data":{"id":"x"},"uuid":"x","DraftId":"d","InvoiceId":"x"}"#;
const LONG: Duration = Duration::from_millis(150);

/// An account with a clock that stands still until it is told otherwise.
struct Shop {
    server: FaultServer,
    clock: Arc<TestClock>,
    adapter: Arc<dyn Adapter>,
    call: Call,
}

impl Shop {
    async fn open(provider: ProviderKind, act: impl Fn(&Received) -> Act + Send + Sync + 'static) -> Shop {
        let server =
            FaultServer::start(move |request| if is_login(request) { logged_in() } else { act(request) }).await;
        let clock = TestClock::at(NOW);
        let adapter = connect_adapter(config(provider, &server.url("")), clock.clone()).expect("an adapter");
        Shop { server, clock, adapter, call: first(provider) }
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

    /// Submits, after this time by the account's clock.
    async fn submit(&self, after: Duration) -> String {
        self.clock.forward(after);
        word(&self.adapter.submit(&self.call).await.outcome)
    }

    /// So many one after the other, all accepted.
    async fn all_accepted(&self, count: usize, after: Duration) {
        for _ in 0..count {
            assert_eq!(self.submit(after).await, "accepted x");
            // Whatever the server did with the connection is seen by now: the runtime waited for the network.
            tokio::net::TcpStream::connect(self.server.address).await.expect("the server");
        }
    }

    /// Whether each submission, from this one on, used a connection that an earlier one had used.
    fn again(&self, from: usize) -> Vec<bool> {
        let requests = self.server.requests();
        let used: Vec<usize> =
            requests.iter().filter(|request| !is_login(request)).map(|request| request.connection).collect();
        (from..used.len()).map(|at| used[..at].contains(&used[at])).collect()
    }
}

const ALL: [ProviderKind; 3] = [OPENAPI, SMART, STAMP];

#[tokio::test]
async fn a_connection_is_used_again_where_the_server_is_known_to_leave_it_open() {
    for provider in ALL {
        Shop::known(provider, |_| json(200, TAKEN)).await;
    }
}

#[tokio::test]
async fn each_has_its_own_where_the_server_closes_after_each_answer_without_a_word() {
    for provider in ALL {
        let shop = Shop::open(provider, |_| {
            Act::Break(answer(200, &[("content-type", "application/json")], TAKEN.as_bytes()))
        })
        .await;
        shop.all_accepted(8, LONG).await;
        assert_eq!(shop.again(0), [false; 8], "{provider}");
    }
}

#[tokio::test]
async fn each_has_its_own_where_the_server_says_that_it_closes() {
    for provider in ALL {
        let headers = [("content-type", "application/json"), ("connection", "close")];
        let shop = Shop::open(provider, move |_| Act::Say(answer(200, &headers, TAKEN.as_bytes()))).await;
        shop.all_accepted(8, LONG).await;
        assert_eq!(shop.again(0), [false; 8], "{provider}");
    }
}

/// What was sent on a kept connection and had no answer is delivered once, and the next ones have connections of their own.
#[tokio::test]
async fn after_a_lost_answer_each_has_its_own_again() {
    let silent: [fn() -> Act; 3] = [
        || Act::Reset(Vec::new()),
        || Act::Break(Vec::new()),
        || Act::Say(answer(408, &[("connection", "close")], b"")),
    ];
    for (provider, act) in ALL.into_iter().flat_map(|provider| silent.map(|act| (provider, act))) {
        let lost = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let loses = Arc::clone(&lost);
        let shop = Shop::known(provider, move |_| {
            if loses.swap(false, std::sync::atomic::Ordering::SeqCst) { act() } else { json(200, TAKEN) }
        })
        .await;
        let before = shop.again(0).len();
        lost.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(shop.submit(Duration::ZERO).await, "unknown", "{provider}");
        assert_eq!(shop.again(0).len(), before + 1, "{provider}: it was delivered once");
        shop.all_accepted(5, LONG).await;
        assert_eq!(shop.again(before + 1), [false; 5], "{provider}");
    }
}
