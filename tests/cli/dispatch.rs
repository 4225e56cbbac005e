//! `sandbox`, `run`, `drain`: over real HTTP, with real signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{Shop, sale, sales};

/// A sandbox of its own, as a process; ends with the test.
pub struct Sandbox {
    child: Child,
    address: String,
}

impl Sandbox {
    /// With a fault plan beside the settings that make tests independent of the hour.
    pub fn start(shop: &Shop, rules: &str) -> Sandbox {
        let plan = format!(
            r#"{{"settings":{{"blackout":"off","submit_delay":"20ms","ready_delay":"40ms","merchant_delay":"never"}},"faults":{rules}}}"#
        );
        let plan = shop.file("faults.json", plan);
        let mut child = shop
            .command(&["--json", "sandbox", "--listen", "127.0.0.1:0", "--faults", &plan])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let said: Value = serde_json::from_str(&line).expect("JSON");
        let base = said["base_url"].as_str().expect("an address");
        let address = base.strip_prefix("http://").expect("http").to_owned();
        for name in ["openapi", "smart_receipt", "stamp", "portal", "ledger"] {
            assert!(said[name].as_str().is_some_and(|url| url.starts_with(base)), "{said}");
        }
        Sandbox { child, address }
    }

    /// A shop whose accounts are here, without blackout, with short delays.
    pub fn shop() -> (Shop, Sandbox) {
        Sandbox::shop_with("[]")
    }

    pub fn shop_with(rules: &str) -> (Shop, Sandbox) {
        let shop = Shop::new();
        let sandbox = Sandbox::start(&shop, rules);
        shop.change(&[
            ("127.0.0.1:7070", &sandbox.address),
            ("blackout = \"23:55-00:00\"", "blackout = \"none\""),
            ("initial = \"5s\", max = \"1h\"", "initial = \"50ms\", max = \"200ms\""),
            ("initial = \"5s\", factor", "initial = \"50ms\", factor"),
            ("settle = \"120s\"", "settle = \"100ms\""),
        ]);
        (shop, sandbox)
    }

    /// What this path answers.
    pub fn get(&self, path: &str) -> Value {
        self.ask("GET", path, "")
    }

    pub fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// The documents that were issued.
    pub fn ledger(&self) -> Vec<Value> {
        let answer = self.get("/_sandbox/ledger");
        let rows =
            answer.as_array().or_else(|| answer["documents"].as_array()).or_else(|| answer["entries"].as_array());
        rows.unwrap_or_else(|| panic!("{answer}")).clone()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again until it is so. No clock, no sleep: each question is a request of its own.
fn until(mut so: impl FnMut() -> bool) {
    assert!((0..100_000).any(|_| so()), "it never came");
}

pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill {name} {}", child.id())]).status().expect("a shell");
    assert!(sent.success());
}

#[test]
fn drain_delivers_and_says_what_is_left() {
    let (shop, sandbox) = Sandbox::shop();
    shop.feed(&["enqueue"], sales(3)).status(0);
    shop.take(r#"{"key":"r1","kind":"return","parent":"k1","body":{"items":[{"line":0,"quantity":1}]}}"#);
    shop.take(r#"{"key":"d1","kind":"draft","body":{"merchant_invoice_id":"TF-1","items":[{"description":"Borsa in pelle","quantity":1,"unit_price_with_vat":890,"vat_rate":22}]}}"#);
    shop.run(&["cancel", "k3", "--reason", "wrong"]).status(0);
    // A draft that waits for its merchant is no reason to fail.
    let report = shop.run(&["--json", "drain", "--for", "60s"]).status(0).one();
    assert_eq!(report["registered"], 3, "{report}");
    assert_eq!(report["cancelled"], 1);
    assert_eq!(report["left"], serde_json::json!([]));
    assert_eq!(report["waiting"][0]["key"], "d1");
    assert_eq!(report["waiting"][0]["state"], "accepted");
    assert_eq!(sandbox.ledger().len(), 4, "{:#?}", sandbox.ledger());

    let show = shop.run(&["--json", "show", "k1"]).status(0).one();
    assert!(show["remote"]["document_number"].is_string(), "{show}");
    assert!(shop.run(&["show", "k1"]).out().contains("registered"));
    let people = shop.run(&["drain", "--until", "05:00"]).status(0).out();
    assert!(people.starts_with("3 registered, 1 cancelled, 0 left"), "{people}");
    assert!(people.contains("d1"), "{people}");
    // Nothing is sent a second time.
    assert_eq!(sandbox.ledger().len(), 4);
    shop.run(&["status"]).status(0);
}

#[test]
fn the_providers_clock_is_told_after_the_process_that_heard_it() {
    let (shop, sandbox) = Sandbox::shop();
    let skew = |shop: &Shop, account: usize| {
        let status = shop.run(&["--json", "status"]).status(0).one();
        status["accounts"][account]["clock_skew_ms"].clone()
    };
    sandbox.ask("POST", "/_sandbox/settings", r#"{"clock_skew_ms":-90000}"#);
    assert!(skew(&shop, 0).is_null(), "nobody has asked yet");
    shop.feed(&["enqueue"], sales(1)).status(0);
    shop.run(&["drain", "--for", "60s"]).status(0);
    let near = |told: &serde_json::Value, wanted: i64| told.as_i64().is_some_and(|ms| (ms - wanted).abs() < 5_000);
    assert!(near(&skew(&shop, 0), -90_000), "{}", skew(&shop, 0));
    assert!(skew(&shop, 1).is_null(), "no document went there");
    assert!(shop.run(&["status"]).out().contains("behind ours"));
    // Measured last is what counts; who reads leaves it as it is.
    sandbox.ask("POST", "/_sandbox/settings", r#"{"clock_skew_ms":60000}"#);
    assert!(near(&skew(&shop, 0), -90_000));
    shop.take(&sale("k2"));
    shop.run(&["drain", "--for", "60s"]).status(0);
    assert!(near(&skew(&shop, 0), 60_000), "{}", skew(&shop, 0));
    // It is no part of the journal: nothing is wrong without it, or with what nobody can read.
    for broken in ["", "{\"shop-roma\":"] {
        std::fs::write(shop.path("journal/clocks.json"), broken).expect("written");
        assert!(skew(&shop, 0).is_null());
        shop.run(&["verify"]).status(0);
    }
    std::fs::remove_file(shop.path("journal/clocks.json")).expect("removed");
    assert!(skew(&shop, 0).is_null());
}

#[test]
fn the_shop_day_that_ships_goes_through() {
    let (shop, sandbox) = Sandbox::shop();
    sandbox.ask("POST", "/_sandbox/settings", r#"{"merchant_delay":"50ms"}"#);
    let day = include_str!("../../examples/shop-day.jsonl");
    // What is sold in the morning is delivered before it is corrected in the afternoon.
    let (morning, afternoon): (Vec<&str>, Vec<&str>) = day.lines().partition(|line| !line.contains("\"parent\""));
    shop.feed(&["enqueue"], morning.join("\n")).status(1);
    shop.run(&["drain", "--for", "120s"]).status(0);
    shop.feed(&["enqueue"], afternoon.join("\n")).status(0);
    let report = shop.run(&["--json", "drain", "--for", "120s"]).status(0).one();
    let waiting = report["waiting"].as_array().map_or(0, Vec::len);
    assert_eq!((&report["left"], waiting), (&serde_json::json!([]), 0), "{report}");
    assert_eq!(report["registered"], day.lines().count() - 1);
    let ledger = sandbox.ledger();
    assert_eq!(ledger.len(), day.lines().count() - 1);
    assert!(ledger.iter().all(|entry| entry["duplicates"] == 0 && entry["issued"] == true), "{ledger:#?}");
}

#[test]
fn what_is_refused_is_left_and_named() {
    let (shop, sandbox) = Sandbox::shop_with(
        r#"[{"call":"submit","fault":{"type":"status","code":400,"body":{"data":"null","success":false,"message":"Missing fiscal_id","error":423}}}]"#,
    );
    shop.feed(&["enqueue"], sales(1)).status(0);
    let ran = shop.run(&["--json", "drain", "--for", "60s"]).status(3);
    let report = ran.one();
    let left = &report["left"][0];
    assert_eq!((&left["key"], &left["state"]), (&"k1".into(), &"refused".into()), "{report}");
    assert!(left["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    shop.run(&["status"]).status(3);
    assert_eq!(shop.run(&["--json", "status"]).status(3).one()["needs_person"], true);
    assert_eq!(shop.run(&["--json", "retry", "k1"]).status(1).one()["done"], false);
    assert!(sandbox.ledger().is_empty());
}

#[test]
fn the_time_can_be_up() {
    let shop = Shop::with(&[("127.0.0.1:7070", "127.0.0.1:9"), ("blackout = \"23:55-00:00\"", "blackout = \"none\"")]);
    shop.take(&sale("k1"));
    let report = shop.run(&["--json", "drain", "--for", "300ms"]).status(3).one();
    assert_eq!(report["left"][0]["state"], "queued");
    let show = shop.run(&["--json", "show", "k1"]).one();
    assert!(show["events"].as_array().is_some_and(|events| events.len() >= 2), "{show}");
}

#[test]
fn an_account_without_its_secret_is_held_and_the_others_are_served() {
    let (shop, sandbox) = Sandbox::shop();
    shop.change(&[("token = \"sandbox-token\"", "token = { env = \"OPENAPI_TOKEN\" }")]);
    shop.take(&sale("roma"));
    shop.take(&sale("milano").replace("shop-roma", "shop-milano").replace("12345678903", "01234567897"));
    let ran = shop.run(&["--json", "drain", "--for", "60s"]).status(3);
    let report = ran.one();
    assert_eq!(report["registered"], 1, "{report}");
    assert_eq!(report["left"][0]["key"], "roma");
    assert!(report["left"][0]["reason"].as_str().is_some_and(|reason| reason.contains("OPENAPI_TOKEN")), "{report}");
    let status = shop.run(&["--json", "status"]).status(3).one();
    let hold = &status["accounts"][0]["holds"][0];
    assert!(hold["reason"].is_string() && hold["cure"].is_string() && hold["since"].is_string(), "{status}");
    // The secret comes, the hold goes by itself.
    let mut again = shop.command(&["--json", "drain", "--for", "60s"]);
    again.env("OPENAPI_TOKEN", "sandbox-token");
    let output = again.output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(sandbox.ledger().len(), 2);
}

/// One that no request can carry is one account's trouble alone; what was wrong at an earlier start is no longer told.
#[test]
fn an_account_with_a_malformed_secret_is_held_and_the_others_are_served() {
    let (shop, sandbox) = Sandbox::shop();
    shop.change(&[("token = \"sandbox-token\"", "token = { file = \"token\" }")]);
    shop.take(&sale("roma"));
    shop.take(&sale("milano").replace("shop-roma", "shop-milano").replace("12345678903", "01234567897"));
    let reason = |report: Value| report["left"][0]["reason"].as_str().unwrap_or_default().to_owned();
    let missing = reason(shop.run(&["--json", "drain", "--for", "60s"]).status(3).one());
    assert!(missing.contains("cannot be read"), "{missing}");
    let since = shop.run(&["--json", "status"]).status(3).one()["accounts"][0]["holds"][0]["since"].clone();
    shop.file("token", "first\nsecond\n");
    let ran = shop.run(&["--json", "drain", "--for", "60s"]).status(3);
    assert!(!ran.err().contains("second"), "a secret is not shown: {}", ran.err());
    let report = ran.one();
    assert_eq!(
        (&report["left"][0]["key"], report["left"].as_array().map(Vec::len)),
        (&"roma".into(), Some(1)),
        "{report}"
    );
    let malformed = reason(report);
    assert!(malformed.contains("cannot be sent") && malformed.contains("token"), "{malformed}");
    assert!(!malformed.contains("cannot be read"), "of the earlier start: {malformed}");
    let status = shop.run(&["--json", "status"]).status(3).one();
    assert_eq!(status["accounts"][0]["holds"].as_array().map(Vec::len), Some(1), "{status}");
    assert_eq!(status["accounts"][0]["holds"][0]["since"], since, "held since then all the same");
    shop.file("token", "sandbox-token\n");
    shop.run(&["--json", "drain", "--for", "60s"]).status(0);
    assert_eq!(sandbox.ledger().len(), 2);
}

/// The command that it names is one that this account's provider answers, whatever other accounts there are.
#[test]
fn the_cure_of_an_unknown_vat_number_is_a_command_that_works() {
    let rules = r#"[{"provider":"smart-receipt","call":"submit","times":1,"fault":{"type":"status","code":403,"body":{"title":"An error occurred","detail":"CANNOT_SEND_DATA_FOR_THIS_LEGAL_ENTITY"}}}]"#;
    let (shop, _sandbox) = Sandbox::shop_with(rules);
    shop.take(&sale("milano").replace("shop-roma", "shop-milano").replace("12345678903", "01234567897"));
    shop.run(&["drain", "--for", "60s"]).status(3);
    let status = shop.run(&["--json", "status"]).status(3).one();
    let hold = &status["accounts"][1]["holds"][0];
    let cure = hold["cure"].as_str().unwrap_or_default();
    let named = cure.split('`').nth(1).unwrap_or_default();
    assert_eq!(named, "staffetta company add 01234567897 --account shop-milano", "{status}");
    let args: Vec<&str> =
        named.split(' ').skip(1).chain(["--name", "Bar Milano", "--email", "bar@example.com"]).collect();
    let ran = shop.run(&args);
    assert!(!ran.err().contains("does not offer"), "{}", ran.err());
    shop.run(&cure.rsplit('`').nth(1).unwrap_or_default().split(' ').skip(1).collect::<Vec<_>>()).status(0);
    shop.run(&["drain", "--for", "60s"]).status(0);
}

#[test]
fn a_refused_secret_holds_until_it_is_released_or_changed() {
    let (shop, sandbox) = Sandbox::shop();
    shop.change(&[("token = \"sandbox-token\"", "token = \"wrong-token\"")]);
    shop.take(&sale("k1"));
    let report = shop.run(&["--json", "drain", "--for", "60s"]).status(3).one();
    assert_eq!(report["left"][0]["state"], "queued", "{report}");
    let show = shop.run(&["--json", "show", "k1"]).one();
    assert_eq!(show["attempts"], 0, "a hold spends no attempt: {show}");
    assert!(!shop.run(&["show", "k1"]).out().contains("wrong-token"));
    let released = shop.run(&["--json", "release", "shop-roma"]).status(0).one();
    assert_eq!((&released["account"], &released["done"]), (&"shop-roma".into(), &true.into()));
    shop.run(&["--json", "drain", "--for", "60s"]).status(3);
    shop.change(&[("token = \"wrong-token\"", "token = \"sandbox-token\"")]);
    shop.run(&["drain", "--for", "60s"]).status(0);
    assert_eq!(sandbox.ledger().len(), 1);
}

#[cfg(unix)]
#[test]
fn run_delivers_until_a_signal_and_stops_in_good_order() {
    for name in ["-TERM", "-INT"] {
        let (shop, sandbox) = Sandbox::shop();
        shop.feed(&["enqueue"], sales(2)).status(0);
        let mut child = shop.command(&["-v", "run"]).stderr(Stdio::piped()).spawn().expect("it runs");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        assert!(said.any(|line| line.expect("text").contains("dispatching")));
        until(|| sandbox.ledger().len() == 2);
        signal(&child, name);
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
        let rest: Vec<String> = said.map(|line| line.expect("text")).collect();
        assert!(rest.iter().any(|line| line.contains("finishing what is on the wire")), "{rest:?}");
        let verify = shop.run(&["--json", "verify"]).status(0).one();
        assert_eq!(verify["sound"], true);
        shop.run(&["drain", "--for", "60s"]).status(0);
        assert_eq!(sandbox.ledger().len(), 2);
    }
}

#[cfg(unix)]
#[test]
fn a_second_signal_stops_at_once() {
    let (shop, sandbox) = Sandbox::shop_with(r#"[{"call":"submit","fault":{"type":"hang","ms":"1h"}}]"#);
    shop.change(&[("answer_timeout = \"30s\"", "answer_timeout = \"30m\"")]);
    shop.take(&sale("k1"));
    let mut child = shop.command(&["run"]).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut said = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    assert!(said.next().expect("a line").expect("text").contains("dispatching"));
    until(|| sandbox.get("/_sandbox/requests").to_string().contains("\"submit\""));
    signal(&child, "-TERM");
    assert!(said.next().expect("a line").expect("text").contains("SIGTERM"));
    // One that waited for the answer would be here for half an hour.
    signal(&child, "-TERM");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(said.any(|line| line.expect("text").contains("in doubt")));
    assert_eq!(shop.run(&["--json", "show", "k1"]).one()["state"], "in_doubt");
}

#[test]
fn a_sandbox_that_cannot_start_says_why() {
    let (shop, sandbox) = Sandbox::shop();
    let said = shop.run(&["sandbox", "--listen", &sandbox.address]).trouble();
    assert!(said.contains(&sandbox.address) && said.contains("--listen"), "{said}");
    let said = shop.run(&["sandbox", "--listen", "0.0.0.0:0"]).trouble();
    assert!(said.contains("loopback"), "{said}");
    let wrong = shop.file("wrong.json", "{\"rulez\":[]}");
    let said = shop.run(&["sandbox", "--faults", &wrong]).trouble();
    assert!(said.contains("wrong.json") && said.contains("rulez"), "{said}");
    let said = shop.run(&["sandbox", "--faults", "none.json"]).trouble();
    assert!(said.contains("none.json"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_closed_terminal_stops_no_delivery() {
    let (shop, sandbox) = Sandbox::shop();
    shop.feed(&["enqueue"], sales(2)).status(0);
    let mut child = shop.command(&["-vvv", "run"]).stderr(Stdio::piped()).spawn().expect("it runs");
    drop(child.stderr.take());
    until(|| sandbox.ledger().len() == 2);
    signal(&child, "-TERM");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn without_accounts_nothing_is_taken_or_sent() {
    let shop = Shop::bare();
    shop.file("staffetta.toml", "[journal]\npath = \"journal\"\n");
    for args in [&["enqueue"][..], &["run"], &["drain"]] {
        let said = shop.run(args).trouble();
        assert!(said.contains("[[account]]"), "{said}");
    }
    shop.run(&["list"]).status(0);
}
