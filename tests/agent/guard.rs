//! Who is let in.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use super::{Agent, exchange, offline, request, tcp};
use crate::cli::sale;

fn mode(path: impl AsRef<std::path::Path>) -> u32 {
    std::fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn the_socket_is_for_this_user_alone_and_goes_with_the_agent() {
    let shop = offline();
    // What a dead process left: a socket that nobody listens at, and a workshop.
    shop.run(&["list"]).status(0);
    drop(UnixListener::bind(shop.path("journal/agent.sock")).unwrap());
    std::fs::create_dir(shop.path("journal/agent.tmp")).unwrap();
    std::fs::set_permissions(shop.path("journal"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let agent = Agent::start(&shop);
    assert_eq!(mode(&agent.socket), 0o600);
    assert!(!shop.path("journal/agent.tmp").exists());
    assert_eq!(agent.get("/healthz").status, 200);
    let socket = agent.socket.clone();
    agent.stop();
    assert!(!socket.exists());
}

#[test]
fn a_second_run_says_who_has_the_journal_and_leaves_the_socket_alone() {
    let shop = offline();
    let agent = Agent::start(&shop);
    let said = shop.run(&["run"]).trouble();
    assert!(said.contains(&format!("process {}", agent.id())) && said.contains("run"), "{said}");
    assert_eq!(shop.run(&["--json", "run"]).status(2).one()["error"]["code"], "journal_locked");
    assert_eq!(agent.get("/healthz").status, 200);
}

#[test]
fn a_web_page_does_not_get_in() {
    let shop = offline();
    let agent = Agent::start(&shop);
    for origin in ["http://evil.example", "null", "http://localhost", ""] {
        let kind = [("content-type", "application/json"), ("origin", origin)];
        let answer = agent.call("POST", "/v1/documents", &kind, sale("k1"));
        assert_eq!(answer.status, 403, "{origin}");
    }
    assert!(agent.get("/v1/documents").json()["documents"].as_array().unwrap().is_empty());
}

#[test]
fn tcp_wants_the_token_and_its_own_name() {
    let shop = offline();
    shop.change(&[("# listen = \"127.0.0.1:7071\"", "listen = \"127.0.0.1:0\"")]);
    let agent = Agent::start(&shop);
    let address = agent.greeting.split("http://").nth(1).expect("an address").split(' ').next().expect("an address");
    let port = address.split(':').nth(1).expect("a port");
    let token = std::fs::read_to_string(shop.path("agent.token")).expect("a token");
    let token = token.trim();
    assert_eq!(mode(shop.path("agent.token")), 0o600);
    let bearer = format!("Bearer {token}");
    let local = format!("localhost:{port}");
    let ask = |host: &str, authorization: &str| {
        let mut headers = vec![("host", host)];
        if !authorization.is_empty() {
            headers.push(("authorization", authorization));
        }
        tcp(address, "GET", "/v1/status", &headers).status
    };
    assert_eq!(ask(address, &bearer), 200);
    assert_eq!(ask(&local, &bearer), 200);
    assert_eq!(ask(address, &format!("bearer  {token}")), 200);
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        token,
        &format!("Basic {token}"),
        &format!("{bearer}x"),
        &bearer[..bearer.len() - 1],
    ] {
        assert_eq!(ask(address, wrong), 401, "{wrong}");
    }
    // A name that somebody made to point here (DNS rebinding), another port, no name.
    for wrong in ["evil.example", &format!("evil.example:{port}"), "localhost", "127.0.0.1", "localhost:1", "", "[::1]"]
    {
        assert_eq!(ask(wrong, &bearer), 421, "{wrong}");
    }
    let evil = format!(
        "GET http://evil.example/v1/status HTTP/1.1\r\nhost: {address}\r\nauthorization: {bearer}\r\nconnection: close\r\n\r\n"
    );
    let connect = || std::net::TcpStream::connect(address).unwrap();
    assert_eq!(exchange(connect(), evil.as_bytes()).status, 421);
    let twice = format!(
        "GET /v1/status HTTP/1.1\r\nhost: {address}\r\nhost: evil\r\nauthorization: {bearer}\r\nconnection: close\r\n\r\n"
    );
    assert!([400, 421].contains(&exchange(connect(), twice.as_bytes()).status));
    for path in ["/metrics", "/healthz", "/v1/openapi.json", "/nothing"] {
        assert_eq!(tcp(address, "GET", path, &[("host", address)]).status, 401, "{path}");
    }
    let headers = [("host", address), ("authorization", bearer.as_str()), ("origin", "http://localhost")];
    assert_eq!(tcp(address, "GET", "/v1/status", &headers).status, 403);
    // The token stays the same.
    agent.stop();
    let agent = Agent::start(&shop);
    assert_eq!(std::fs::read_to_string(shop.path("agent.token")).unwrap().trim(), token);
    assert_eq!(agent.get("/healthz").status, 200);
}

#[test]
fn an_address_that_cannot_be_had_is_our_trouble() {
    let shop = offline();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    shop.change(&[("# listen = \"127.0.0.1:7071\"", &format!("listen = \"{address}\""))]);
    let said = shop.run(&["run"]).trouble();
    assert!(said.contains(&address), "{said}");
    assert!(!shop.path("journal/agent.sock").exists());
}

/// Longer than a socket's address may be.
#[cfg(target_os = "linux")]
#[test]
fn a_journal_deep_down_is_served_too() {
    let shop = offline();
    let deep = format!("{}/journal", "d".repeat(120));
    shop.change(&[("path = \"journal\"", &format!("path = \"{deep}\""))]);
    let agent = Agent::start(&shop);
    shop.feed(&["enqueue"], sale("k1")).status(0);
    let stop = agent.stop();
    assert!(stop.iter().any(|line| line.contains("SIGTERM")));
    assert!(UnixStream::connect(shop.path(&deep).join("agent.sock")).is_err());
    assert_eq!(shop.run(&["--json", "list"]).status(0).lines().len(), 1);
    let _ = request("GET", "/", &[], b"");
}
