//! Tokens: kept, renewed early, one login at a time, renewed once when refused; secrets stay secret.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::fault_server::{Act, FaultServer, json};
use super::*;

fn token(number: usize) -> Act {
    // The second part says {"iat":1795348800,"exp":1795435200}: a day.
    let token = format!("t{number}.eyJpYXQiOjE3OTUzNDg4MDAsImV4cCI6MTc5NTQzNTIwMH0.x");
    json(200, &format!(r#"{{"token":"{token}","AccessToken":"{token}","ExpiresIn":86400}}"#))
}

/// Gives out numbered tokens; a submission is accepted with one that `good` takes.
async fn guarded(good: impl Fn(usize) -> bool + Send + Sync + 'static) -> FaultServer {
    let logins = AtomicUsize::new(0);
    FaultServer::start(move |request| {
        if is_login(request) {
            return token(logins.fetch_add(1, Ordering::SeqCst) + 1);
        }
        let number = request.header("authorization").and_then(|value| value.strip_prefix("Bearer t"));
        let number = number.and_then(|value| value.split('.').next()?.parse().ok()).unwrap_or(0);
        match good(number) {
            true => json(200, r#"{"uuid":"x","DraftId":"d","InvoiceId":"x"}"#),
            false => json(401, r#"{"code":401,"message":"Expired JWT Token"}"#),
        }
    })
    .await
}

fn count(server: &FaultServer, login: bool) -> usize {
    server.requests().iter().filter(|request| is_login(request) == login).count()
}

#[tokio::test]
async fn one_login_for_many_submissions_at_once() {
    for provider in [SMART, STAMP] {
        let server = guarded(|_| true).await;
        let (adapter, call) = (adapter(provider, &server), first(provider));
        let all = (0..8).map(|_| adapter.submit(&call));
        for answer in futures_util::future::join_all(all).await {
            assert_eq!(word(&answer.outcome), "accepted x");
        }
        assert_eq!((count(&server, true), count(&server, false)), (1, 8));
    }
}

#[tokio::test]
async fn what_a_login_says() {
    let server = guarded(|_| true).await;
    adapter(SMART, &server).submit(&call(SMART, Kind::Receipt)).await;
    let login = server.requests().remove(0);
    assert_eq!(login.line(), "POST /login");
    assert_eq!(login.text(), r#"{"email":"pos@example.com","password":"the-password"}"#);
    assert_eq!(login.header("authorization"), None);
    let server = guarded(|_| true).await;
    adapter(STAMP, &server).submit(&call(STAMP, Kind::Draft)).await;
    let login = server.requests().remove(0);
    assert_eq!(login.line(), "POST /api/auth/sign");
    assert_eq!(login.text(), r#"{"Email":"user@email.com","Password":"the-password"}"#);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_document_sent_again() {
    for provider in [SMART, STAMP] {
        let server = guarded(|number| number >= 2).await;
        let (adapter, call) = (adapter(provider, &server), first(provider));
        assert_eq!(word(&adapter.submit(&call).await.outcome), "accepted x");
        assert_eq!((count(&server, true), count(&server, false)), (2, 2));
    }
}

/// A clock that can go on without time having passed, as after the machine slept.
struct Sleepy(AtomicUsize);

impl Clock for Sleepy {
    fn now(&self) -> DateTime<Utc> {
        time(NOW) + Duration::from_secs(self.0.load(Ordering::SeqCst) as u64)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// Whether the blackout is far enough was seen before the login.
#[tokio::test]
async fn nothing_is_submitted_when_the_machine_slept_during_the_login() {
    for provider in [SMART, STAMP] {
        let clock = Arc::new(Sleepy(AtomicUsize::new(0)));
        let sleeps = Arc::clone(&clock);
        let server = FaultServer::start(move |request| {
            if is_login(request) {
                sleeps.0.store(600, Ordering::SeqCst);
                return token(1);
            }
            json(200, r#"{"uuid":"x","DraftId":"d","InvoiceId":"x"}"#)
        })
        .await;
        let adapter = connect_adapter(config(provider, &server.url("")), clock).expect("an adapter");
        let call = first(provider);
        assert!(matches!(adapter.submit(&call).await.outcome, SubmitOutcome::NotSent { .. }));
        assert_eq!((count(&server, true), count(&server, false)), (1, 0));
        // Awake, with the token.
        assert_eq!(word(&adapter.submit(&call).await.outcome), "accepted x");
    }
}

#[tokio::test]
async fn many_with_a_refused_token_renew_it_once() {
    let server = guarded(|number| number >= 2).await;
    let (adapter, call) = (adapter(SMART, &server), call(SMART, Kind::Receipt));
    let all = (0..8).map(|_| adapter.submit(&call));
    for answer in futures_util::future::join_all(all).await {
        assert_eq!(word(&answer.outcome), "accepted x");
    }
    assert_eq!(count(&server, true), 2);
}

#[tokio::test]
async fn a_new_token_that_is_refused_too_holds_the_account() {
    for provider in [SMART, STAMP] {
        let server = guarded(|_| false).await;
        let (adapter, call) = (adapter(provider, &server), first(provider));
        assert_eq!(word(&adapter.submit(&call).await.outcome), "hold account credentials");
        assert_eq!((count(&server, true), count(&server, false)), (2, 2));
        let looked_up = adapter.look_up(&lost(SMART, Kind::Receipt), &Others(&[])).await;
        assert!(provider == STAMP || found_word(&looked_up.outcome) == "hold credentials", "{looked_up:?}");
    }
    // A fixed token cannot be renewed.
    let server = FaultServer::start(|_| json(401, r#"{"message":"Unauthorized"}"#)).await;
    assert_eq!(
        word(&adapter(OPENAPI, &server).submit(&call(OPENAPI, Kind::Void)).await.outcome),
        "hold account credentials"
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    for provider in [SMART, STAMP] {
        let server = guarded(|_| true).await;
        let clock = TestClock::at(NOW);
        let adapter = connect_adapter(config(provider, &server.url("")), Arc::clone(&clock) as Arc<dyn Clock>)
            .expect("an adapter");
        let call = first(provider);
        adapter.submit(&call).await;
        clock.forward(Duration::from_secs(86_400 - 21 * 60));
        adapter.keep_fresh().await;
        assert_eq!(count(&server, true), 1);
        clock.forward(Duration::from_secs(2 * 60));
        adapter.submit(&call).await;
        assert_eq!(count(&server, true), 1, "still good for a request");
        adapter.keep_fresh().await;
        assert_eq!(count(&server, true), 2, "renewed in a quiet moment");
        clock.forward(Duration::from_secs(86_400 - 4 * 60));
        adapter.submit(&call).await;
        assert_eq!(count(&server, true), 3, "renewed before the end");
    }
}

#[tokio::test]
async fn a_login_that_fails() {
    let html: &str = "<html>blocked</html>";
    for (status, body, expected) in [
        (401, r#"{"code":401,"message":"Invalid credentials."}"#, "hold account credentials"),
        (400, r#"{"ErrorCode":3,"ErrorMessage":"wrong password"}"#, "hold account credentials"),
        (403, r#"{"message":"blocked user"}"#, "hold account credentials"),
        (403, html, "not_sent"),
        (402, "{}", "hold account unpaid"),
        (404, "{}", "hold account misconfigured"),
        (429, "{}", "pause"),
        (500, "{}", "not_sent"),
        (503, html, "not_sent"),
        (302, "", "not_sent"),
        (200, html, "not_sent"),
        (200, r#"{"token":null,"AccessToken":""}"#, "not_sent"),
        (200, r#"{"token":"a\nb","AccessToken":"a\nb"}"#, "not_sent"),
    ] {
        for provider in [SMART, STAMP] {
            let server = FaultServer::start(move |_| json(status, body)).await;
            let outcome = adapter(provider, &server).submit(&first(provider)).await;
            assert_eq!(word(&outcome.outcome), expected, "{provider}: {status} {body}: {outcome:?}");
            assert!(server.requests().iter().all(is_login), "the document left without a token");
        }
    }
}

/// A wrong password, tried once for each document that waits, would lock the account.
#[tokio::test]
async fn a_wrong_password_is_tried_once_for_all_that_wait() {
    let server = FaultServer::start(|_| json(401, r#"{"message":"Invalid credentials."}"#)).await;
    let (adapter, call) = (adapter(SMART, &server), call(SMART, Kind::Receipt));
    let all = (0..8).map(|_| adapter.submit(&call));
    for answer in futures_util::future::join_all(all).await {
        assert_eq!(word(&answer.outcome), "hold account credentials");
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_renewal_that_fails_early_leaves_the_old_token_in_use() {
    let logins = AtomicUsize::new(0);
    let server = FaultServer::start(move |request| match is_login(request) {
        true if logins.fetch_add(1, Ordering::SeqCst) == 0 => token(1),
        true => json(500, "{}"),
        false => json(200, r#"{"uuid":"x"}"#),
    })
    .await;
    let clock = TestClock::at(NOW);
    let adapter =
        connect_adapter(config(SMART, &server.url("")), Arc::clone(&clock) as Arc<dyn Clock>).expect("an adapter");
    let call = call(SMART, Kind::Receipt);
    adapter.submit(&call).await;
    clock.forward(Duration::from_secs(86_400 - 60));
    assert_eq!(word(&adapter.submit(&call).await.outcome), "accepted x");
    clock.forward(Duration::from_secs(61));
    assert_eq!(word(&adapter.submit(&call).await.outcome), "not_sent");
}

/// Whatever is said, no secret is in it: not the token, not the password, not the address with its ids.
#[tokio::test]
async fn no_secret_in_any_text() {
    for provider in [OPENAPI, SMART, STAMP] {
        for step in 0..6 {
            let server = FaultServer::start(move |request| match (is_login(request), step) {
                (true, 0) => json(401, r#"{"message":"no"}"#),
                (true, 1) => Act::Break(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"token\":\"secret".to_vec()),
                (true, _) => token(7),
                (_, 2) => Act::Reset(Vec::new()),
                (_, 3) => json(401, "{}"),
                (_, 4) => json(308, ""),
                _ => Act::Say(b"nonsense\r\n\r\n".to_vec()),
            })
            .await;
            let adapter = adapter(provider, &server);
            for call in calls(provider) {
                let said = format!("{:?}", adapter.submit(&call).await);
                for secret in ["the-token", "the-password", "t7.", "Bearer", "secret", &server.address.to_string()] {
                    assert!(!said.contains(secret), "{secret} in {said}");
                }
            }
        }
    }
}
