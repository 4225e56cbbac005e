//! The network's own ways to fail, at a submission of every kind to every provider: what left no byte may be sent again,
//! everything else is unknown, and nothing is ever delivered twice.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::fault_server::{Act, FaultServer, OnAccept, Received, answer, json};
use super::*;

type Answers = Arc<dyn Fn(&Received) -> Act + Send + Sync>;

/// Submits every document of every provider against a server that answers each submission so.
async fn each(what: &str, expected: &str, act: impl Fn(&Received) -> Act + Send + Sync + 'static) {
    within(Duration::from_secs(30), what, expected, act).await;
}

async fn within(wall: Duration, what: &str, expected: &str, act: impl Fn(&Received) -> Act + Send + Sync + 'static) {
    let act: Answers = Arc::new(act);
    let all = [OPENAPI, SMART, STAMP]
        .into_iter()
        .flat_map(|provider| calls(provider).into_iter().map(move |call| (provider, call)));
    let all = all.map(|(provider, call)| one(provider, call, wall, Arc::clone(&act)));
    for (who, outcome, deliveries) in futures_util::future::join_all(all).await {
        assert_eq!(outcome, expected, "{what}: {who}");
        assert_eq!(deliveries, 1, "{what}: {who} was delivered {deliveries} times");
    }
}

async fn one(provider: ProviderKind, call: Call, wall: Duration, act: Answers) -> (String, String, usize) {
    let server = FaultServer::start(move |request| if is_login(request) { logged_in() } else { act(request) }).await;
    let mut config = config(provider, &server.url(""));
    (config.connect_timeout, config.answer_timeout) = (wall / 2, wall / 2);
    let adapter = connect_adapter(config, TestClock::at(NOW)).expect("an adapter");
    let outcome = adapter.submit(&call).await;
    let deliveries = server.requests().iter().filter(|request| request.method != "GET" && !is_login(request)).count();
    (format!("{provider} {}: {outcome:?}", call.body.kind()), word(&outcome.outcome), deliveries)
}

#[tokio::test]
async fn an_answer_that_breaks_is_unknown_and_delivered_once() {
    each("reset after the request", "unknown", |_| Act::Reset(Vec::new())).await;
    each("close without an answer", "unknown", |_| Act::Break(Vec::new())).await;
    each("half a status line", "unknown", |_| Act::Break(b"HTTP/1.1 20".to_vec())).await;
    each("half the headers", "unknown", |_| Act::Break(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec())).await;
    let half = |ending: fn(Vec<u8>) -> Act| {
        move |_: &Received| ending(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"data\":{\"id\":\"x\"".to_vec())
    };
    each("half a body, then closed", "unknown", half(Act::Break)).await;
    each("half a body, then reset", "unknown", half(Act::Reset)).await;
    each("not HTTP", "unknown", |_| Act::Break(b"220 hello\r\n\r\n".to_vec())).await;
}

/// Long enough for a login on a busy machine, short enough for a test.
const SHORT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn silence_is_unknown() {
    within(SHORT, "no answer", "unknown", |_| Act::Hang(Vec::new())).await;
    within(SHORT, "slow headers", "unknown", |_| Act::Hang(b"HTTP/1.1 200 OK\r\n".to_vec())).await;
    within(SHORT, "a slow body", "unknown", |_| {
        Act::Hang(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"uuid\":\"x\"".to_vec())
    })
    .await;
}

#[tokio::test]
async fn a_body_without_end_is_cut_and_unknown() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n{\"data\":{\"id\":\"x\"}} ".to_vec();
    let server = FaultServer::start(move |_| Act::Endless(head.clone(), vec![b' '; 1 << 20])).await;
    let mut config = config(OPENAPI, &server.url(""));
    config.answer_timeout = Duration::from_secs(60);
    let adapter = connect_adapter(config, TestClock::at(NOW)).expect("an adapter");
    let outcome = adapter.submit(&call(OPENAPI, Kind::Receipt)).await;
    let SubmitOutcome::Unknown { why } = &outcome.outcome else { panic!("{outcome:?}") };
    assert!(why.contains("longer than"), "{why}");
    assert_eq!(outcome.status, Some(200));
}

#[tokio::test]
async fn an_answer_that_is_not_the_providers_is_unknown() {
    let html = "<html><body>Welcome to the café's Wi-Fi</body></html>";
    let page = |status| move |_: &Received| Act::Say(answer(status, &[("content-type", "text/html")], html.as_bytes()));
    for status in [200, 201, 400, 403, 404, 413, 500, 502, 503, 504] {
        each(&format!("HTML with {status}"), "unknown", page(status)).await;
    }
    for (status, body) in
        [(200, "[]"), (201, "{\"data\":[]}"), (200, "{\"data\":{\"id\":\"\"}}"), (200, "{\"data\":"), (200, "7")]
    {
        each(&format!("{status} {body}"), "unknown", move |_| json(status, body)).await;
    }
    for status in [408, 425, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524] {
        let error = r#"{"message":"oh","title":"An error occurred","detail":"SERVICE_UNAVAILABLE","ErrorCode":1}"#;
        each(&status.to_string(), "unknown", move |_| json(status, error)).await;
    }
}

/// With the defaults of the HTTP client a 308 loop delivers one POST eleven times.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        each(&format!("redirect {status}"), "unknown", move |request| {
            Act::Say(answer(status, &[("location", &request.target)], b""))
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_that_slams_the_door_may_have_read_first() {
    let server = FaultServer::start_with(OnAccept::Reset, |_| Act::Break(Vec::new())).await;
    for call in calls(OPENAPI) {
        let outcome = adapter(OPENAPI, &server).submit(&call).await;
        // The kernel may report it at the connection or at the first write; only the former proves anything.
        assert!(matches!(word(&outcome.outcome).as_str(), "unknown" | "not_sent"), "{outcome:?}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn nobody_there_is_not_sent() {
    for provider in [OPENAPI, SMART, STAMP] {
        // Bound, and closed again: nobody listens there.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let adapter = connect_adapter(config(provider, &format!("http://127.0.0.1:{port}")), TestClock::at(NOW))
            .expect("an adapter");
        for call in calls(provider) {
            let outcome = adapter.submit(&call).await;
            assert_eq!(word(&outcome.outcome), "not_sent", "{outcome:?}");
            assert_eq!(outcome.status, None);
        }
    }
}

/// The environment's proxies are not used: a child of this very test is told of one, and must not speak to it.
#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used() {
    let proxy = FaultServer::start(|_| json(200, r#"{"data":{"id":"x"},"uuid":"x"}"#)).await;
    let mut child = std::process::Command::new(std::env::current_exe().expect("this program"));
    child
        .args(["--exact", "providers::faults::nobody_there_is_not_sent"])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, proxy.url(""));
    }
    let output = tokio::task::spawn_blocking(move || child.output()).await.expect("no panic").expect("a child");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert!(proxy.requests().is_empty(), "{:?}", proxy.lines());
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_not_sent() {
    let adapter =
        connect_adapter(config(OPENAPI, "https://no-such-host.invalid"), TestClock::at(NOW)).expect("an adapter");
    let outcome = adapter.submit(&call(OPENAPI, Kind::Receipt)).await;
    let SubmitOutcome::NotSent { why } = &outcome.outcome else { panic!("{outcome:?}") };
    assert!(!why.contains("IT-receipts"), "the address shows in {why}");
}

#[tokio::test]
async fn a_handshake_that_fails_is_not_sent() {
    let server = FaultServer::start_with(OnAccept::Babble, |_| Act::Break(Vec::new())).await;
    let url = format!("https://{}", server.address);
    let adapter = connect_adapter(config(OPENAPI, &url), TestClock::at(NOW)).expect("an adapter");
    let outcome = adapter.submit(&call(OPENAPI, Kind::Receipt)).await;
    assert_eq!(word(&outcome.outcome), "not_sent", "{outcome:?}");
}

/// A certificate of its own making: nothing is sent, and the reason says what to look at.
#[tokio::test]
async fn an_untrusted_certificate_is_not_sent() {
    let certificate = include_bytes!("../support/untrusted.cert.der").to_vec().into();
    let key = PrivateKeyDer::Pkcs8(include_bytes!("../support/untrusted.key.der").to_vec().into());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a server's configuration");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let handshakes = Arc::new(AtomicUsize::new(0));
    let completed = Arc::clone(&handshakes);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                // TLS 1.3 servers are done before the client has judged: a request would have to arrive.
                let mut some = [0; 64];
                if tokio::io::AsyncReadExt::read(&mut stream, &mut some).await.is_ok_and(|read| read > 0) {
                    completed.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    });
    for provider in [OPENAPI, SMART, STAMP] {
        let base = format!("https://localhost:{port}");
        let adapter = connect_adapter(super::config(provider, &base), TestClock::at(NOW)).expect("an adapter");
        let outcome = adapter.submit(&first(provider)).await;
        let SubmitOutcome::NotSent { why } = &outcome.outcome else { panic!("{outcome:?}") };
        assert!(why.contains("certificate is not trusted"), "{why}");
    }
    assert_eq!(handshakes.load(Ordering::SeqCst), 0, "something was sent");
}

/// Without a token nothing leaves.
#[tokio::test]
async fn a_login_without_an_answer_is_not_sent() {
    let server =
        FaultServer::start(|request| if is_login(request) { Act::Hang(Vec::new()) } else { json(500, "{}") }).await;
    for provider in [SMART, STAMP] {
        let mut config = config(provider, &server.url(""));
        (config.connect_timeout, config.answer_timeout) = (SHORT / 4, SHORT / 4);
        let adapter = connect_adapter(config, TestClock::at(NOW)).expect("an adapter");
        let outcome = adapter.submit(&first(provider)).await;
        assert_eq!(word(&outcome.outcome), "not_sent", "{outcome:?}");
    }
    assert!(server.requests().iter().all(is_login));
}
