//! Every command is the same with an agent and without one: output, errors, exit status; also when the agent comes or goes
//! in the middle.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::Value;

use super::{Agent, offline, online};
use crate::cli::dispatch::signal;
use crate::cli::{Shop, sale, sales};

/// What differs from one moment or process to the next is blanked out.
fn plain(text: &str) -> String {
    let blank = |text: &str, name: &str| {
        let mut out = String::new();
        let mut rest = text;
        let marker = format!("\"{name}\":");
        while let Some(at) = rest.find(&marker) {
            let (before, after) = rest.split_at(at + marker.len());
            let end = after.find([',', '}', ']']).unwrap_or(after.len());
            out.push_str(before);
            out.push('?');
            rest = &after[end..];
        }
        out + rest
    };
    let mut text = text.to_owned();
    for name in
        ["clock_skew_ms", "records", "age_s", "at", "enqueued_at", "issued_at", "id", "seq", "since", "next_due"]
    {
        text = blank(&text, name);
    }
    // "sound: 12 records, …": opening and closing are records too. A provider's clock is known to who asked it.
    text.lines()
        .filter(|line| !line.contains("the provider's clock is"))
        .map(|line| if line.starts_with("sound: ") { line.split(", ").nth(1).unwrap_or(line) } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The commands that change nothing here, or the same again.
fn looks() -> Vec<(Vec<&'static str>, &'static str)> {
    let looks: &[(&[&str], &str)] = &[
        (&["status"], ""),
        (&["list"], ""),
        (&["list", "--state", "cancelled"], ""),
        (&["list", "--kind", "return", "--limit", "1"], ""),
        (&["list", "--account", "nobody"], ""),
        (&["list", "--limit", "2"], ""),
        (&["list", "--since", "2999-01-01"], ""),
        (&["show", "k1"], ""),
        (&["show", "nobody"], ""),
        (&["show", "not a key"], ""),
        (&["export"], ""),
        (&["export", "--format", "csv"], ""),
        (&["export", "--until", "2999-01-01"], ""),
        (&["verify"], ""),
        (&["retry", "k1", "nobody"], ""),
        (&["cancel", "k1", "nobody", "--reason", "x"], ""),
        (&["resolve", "k1", "--accepted", "a", "--reason", "x"], ""),
        (&["resolve", "nobody", "--not-accepted", "--reason", "x"], ""),
        (&["release", "shop-roma"], ""),
        (&["release", "nobody", "1", "--reason", "x"], ""),
        (&["fetch", "k1", "details"], ""),
        (&["fetch", "k4", "details"], ""),
        (&["fetch", "nobody", "pdf"], ""),
        (&["receipts", "shop-roma"], ""),
        (&["company", "list"], ""),
        (&["drain", "--for", "60s"], ""),
        (
            &["enqueue"],
            "{bad\n\n{\"key\":\"k1\",\"kind\":\"void\"}\n{\"key\":\"x\",\"kind\":\"void\",\"parent\":\"nobody\"}\n",
        ),
        (&["enqueue"], ""),
        (&["enqueue", "no-such-file"], ""),
        (&["enqueue", "again.jsonl", "again.jsonl"], ""),
        (&["list", "--state", "lost"], ""),
    ];
    looks.iter().map(|(args, input)| (args.to_vec(), *input)).collect()
}

/// A shop where all is over: four sales, one of them called off, and a return.
fn settled() -> (Shop, crate::cli::dispatch::Sandbox) {
    let (shop, sandbox) = online();
    shop.feed(&["enqueue"], sales(4)).status(0);
    shop.run(&["cancel", "k4", "--reason", "wrong"]).status(0);
    shop.run(&["drain", "--for", "60s"]).status(0);
    shop.take(r#"{"key":"r1","kind":"return","parent":"k2","body":{"items":[{"line":0,"quantity":1}]}}"#);
    shop.run(&["drain", "--for", "60s"]).status(0);
    shop.file("again.jsonl", sales(3));
    (shop, sandbox)
}

#[test]
fn looking_is_the_same_with_and_without_an_agent() {
    let (shop, _sandbox) = settled();
    let all = |shop: &Shop| -> Vec<(String, String, String, Option<i32>)> {
        let mut all = Vec::new();
        for (args, input) in looks() {
            for json in [false, true] {
                let args: Vec<&str> = if json { [&["--json"], &args[..]].concat() } else { args.clone() };
                let mut ran = assert_cmd::Command::from_std(shop.command(&args));
                let output = ran.write_stdin(input).output().expect("it runs");
                let text = |bytes: &[u8]| plain(&String::from_utf8_lossy(bytes));
                all.push((args.join(" "), text(&output.stdout), text(&output.stderr), output.status.code()));
            }
        }
        all
    };
    let without = all(&shop);
    let agent = Agent::start(&shop);
    let with = all(&shop);
    agent.stop();
    for (without, with) in without.iter().zip(&with) {
        assert_eq!(without, with);
    }
    assert!(
        without.iter().any(|(.., status)| *status == Some(2)) && without.iter().any(|(.., status)| *status == Some(1))
    );
}

#[test]
fn deciding_is_the_same_with_and_without_an_agent() {
    let steps: &[(&[&str], &str)] = &[
        (&["--json", "enqueue"], "a.jsonl"),
        (&["enqueue"], "a.jsonl"),
        (&["--json", "cancel", "k2", "--reason", "wrong"], ""),
        (&["cancel", "k3", "k2", "--reason", "wrong"], ""),
        (&["--json", "show", "k2"], ""),
        (&["--json", "status"], ""),
        (&["--json", "drain", "--for", "1ms"], ""),
    ];
    let run = |with: bool| -> Vec<(String, String, Option<i32>)> {
        // Held, so that nothing moves by itself.
        let shop = offline();
        shop.change(&[("token = \"sandbox-token\"", "token = { env = \"OPENAPI_TOKEN\" }")]);
        shop.run(&["drain", "--for", "1ms"]);
        let agent = with.then(|| Agent::start(&shop));
        let mut all = Vec::new();
        for (args, input) in steps {
            let input = if input.is_empty() { String::new() } else { sales(3) };
            let mut ran = assert_cmd::Command::from_std(shop.command(args));
            let output = ran.write_stdin(input).output().expect("it runs");
            all.push((args.join(" "), plain(&String::from_utf8_lossy(&output.stdout)), output.status.code()));
        }
        if let Some(agent) = agent {
            agent.stop();
        }
        all
    };
    let (without, with) = (run(false), run(true));
    for (without, with) in without.iter().zip(&with) {
        assert_eq!(without, with);
    }
}

/// A till keeps `enqueue` open on a pipe while agents come and go, in good order and killed.
#[test]
fn a_till_on_a_pipe_notices_nothing_when_agents_come_and_go() {
    let shop = offline();
    let first = Agent::start(&shop);
    let mut command = shop.command(&["--json", "enqueue"]);
    let mut till = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut input = till.stdin.take().expect("a pipe");
    let mut output = BufReader::new(till.stdout.take().expect("a pipe")).lines();
    let mut number = 0;
    let mut hand_over = |keyless: bool| {
        number += 1;
        let line = sale(&format!("k{number}"));
        let line = if keyless { line.replace(&format!("\"key\":\"k{number}\","), "") } else { line };
        writeln!(input, "{line}").expect("it reads");
        let answer: Value = serde_json::from_str(&output.next().expect("an answer").expect("text")).expect("JSON");
        assert!(answer["id"].is_string(), "{answer}");
        assert_eq!(answer["line"], number);
    };
    hand_over(false);
    hand_over(true);
    first.stop();
    // Nobody has the journal: the till opens it, and keeps it.
    hand_over(false);
    let said = shop.run(&["run"]).trouble();
    assert!(said.contains("in use"), "{said}");
    drop(input);
    assert_eq!(till.wait().expect("it ends").code(), Some(0));

    let second = Agent::start(&shop);
    let mut till =
        shop.command(&["--json", "enqueue"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut input = till.stdin.take().expect("a pipe");
    let mut output = BufReader::new(till.stdout.take().expect("a pipe")).lines();
    let mut hand_over = |key: &str| {
        writeln!(input, "{}", sale(key)).expect("it reads");
        let answer: Value = serde_json::from_str(&output.next().expect("an answer").expect("text")).expect("JSON");
        assert_eq!(answer["duplicate"], false, "{answer}");
    };
    hand_over("killed1");
    second.kill();
    let third = Agent::start(&shop);
    hand_over("killed2");
    third.stop();
    drop(input);
    assert_eq!(till.wait().expect("it ends").code(), Some(0));
    assert_eq!(shop.run(&["--json", "list"]).status(0).lines().len(), 5);
}

#[test]
fn drain_waits_for_the_agent_and_goes_on_without_it() {
    let (shop, sandbox) = online();
    let agent = Agent::start(&shop);
    shop.feed(&["enqueue"], sales(5)).status(0);
    let report = shop.run(&["--json", "drain", "--for", "60s"]).status(0).one();
    assert_eq!((&report["registered"], &report["left"]), (&5.into(), &serde_json::json!([])), "{report}");
    agent.stop();

    // The line is down while the agent waits a long time; it stops, and `drain` does the rest itself.
    let shop = offline();
    shop.change(&[("initial = \"1h\", factor", "initial = \"50ms\", factor")]);
    shop.take(&sale("k1"));
    let agent = Agent::start(&shop);
    let drain = shop.command(&["--json", "drain", "--for", "3s"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let drain = drain.expect("it runs");
    // It is there when the agent has heard of it; the metrics need not know: a call of its own is enough.
    assert_eq!(agent.get("/healthz").status, 200);
    agent.stop();
    let output = drain.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(3));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["left"][0]["key"], "k1", "{report}");
    drop(sandbox);
}

#[test]
fn a_holder_without_an_agent_is_named() {
    let shop = offline();
    shop.take(&sale("k1"));
    // What a dead agent left is nobody.
    drop(std::os::unix::net::UnixListener::bind(shop.path("journal/agent.sock")).unwrap());
    shop.run(&["list"]).status(0);
    let holder = staffetta::queue::Queue::open(shop.path("journal")).expect("a journal");
    for args in [&["status"][..], &["verify"], &["drain"], &["enqueue"], &["archive", "--older-than", "1d"]] {
        let said = shop.run(args).trouble();
        assert!(said.contains(&format!("process {}", std::process::id())), "{args:?}: {said}");
    }
    holder.close().expect("closes");
}

#[test]
fn two_commands_at_once_wait_for_each_other() {
    let shop = offline();
    let mut all: Vec<_> = (0..4)
        .map(|n| {
            let file = shop
                .file(&format!("{n}.jsonl"), (0..50).map(|i| sale(&format!("t{n}-{i}")) + "\n").collect::<String>());
            shop.command(&["enqueue", &file]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs")
        })
        .collect();
    // Who finds the journal held for longer than a moment says so; nobody does half of the work.
    let taken =
        all.iter_mut().filter_map(|child| child.wait().expect("it ends").code()).filter(|code| *code == 0).count();
    assert!(taken >= 1);
    assert_eq!(shop.run(&["--json", "list"]).status(0).lines().len(), taken * 50);
}

#[test]
fn a_stop_is_served_to_its_end() {
    let (shop, _sandbox) = online();
    let agent = Agent::start(&shop);
    agent.batch(sales(20));
    let mut asked = shop.command(&["status"]).stdout(Stdio::piped()).spawn().expect("it runs");
    signal_and_wait(agent);
    assert_eq!(asked.wait().expect("it ends").code(), Some(0));
}

fn signal_and_wait(agent: Agent) {
    signal(&agent.child, "-TERM");
    agent.stop();
}
