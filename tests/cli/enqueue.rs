//! `enqueue`: every line gets its answer, in order; a bad one never stops the others.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::Value;

use super::{Shop, sale, sales};

#[test]
fn every_line_gets_its_own_answer_in_order() {
    let shop = Shop::new();
    let other = sale("k1").replace("1.00", "2.00").replace("\"cash_payment_amount\":1", "\"cash_payment_amount\":2");
    let input = [
        sale("k1"),
        String::from("{\"key\":\"k2\",\"kind\":"),
        sale("k1"),
        other,
        sale("k3").replace("\"items\"", "\"colour\":1,\"items\""),
        sale("k4").replace("\"cash_payment_amount\":1", "\"cash_payment_amount\":1.50"),
        sale("k5").replace("shop-roma", "shop-napoli"),
        String::from(r#"{"key":"k6","kind":"return","parent":"nobody","body":{"items":[{"line":0,"quantity":1}]}}"#),
        String::from(r#"{"key":"k7","kind":"return","parent":"k1","body":{"items":[{"line":0,"quantity":2}]}}"#),
        String::from(r#"{"key":"r1","kind":"return","parent":"k1","body":{"items":[{"line":0,"quantity":1}]}}"#),
        String::from(r#"{"key":"v1","kind":"void","parent":"k1","body":{}}"#),
        String::from("[1,2]"),
        String::from("  "),
        sale("k 8"),
        sale("k9"),
    ]
    .join("\n");
    let ran = shop.feed(&["enqueue", "--json"], input).status(1);
    let lines = ran.lines();
    let said: Vec<(u64, Option<&str>, &str)> = lines
        .iter()
        .map(|line| {
            let what = line["error"]["code"].as_str().unwrap_or_else(|| {
                assert_eq!(line["state"], "queued", "{line}");
                if line["duplicate"] == true { "known" } else { "taken" }
            });
            (line["line"].as_u64().expect("a number"), line["key"].as_str(), what)
        })
        .collect();
    let expected = [
        (1, Some("k1"), "taken"),
        (2, None, "malformed"),
        (3, Some("k1"), "known"),
        (4, Some("k1"), "key_reused"),
        (5, Some("k3"), "unknown_field"),
        (6, Some("k4"), "invalid"),
        (7, Some("k5"), "unknown_account"),
        (8, Some("k6"), "unknown_parent"),
        (9, Some("k7"), "invalid"),
        (10, Some("r1"), "taken"),
        (11, Some("v1"), "parent_conflict"),
        (12, None, "malformed"),
        (14, None, "invalid"),
        (15, Some("k9"), "taken"),
    ];
    for (index, expected) in expected.iter().enumerate() {
        let found = said.get(index).expect("a line each");
        // What of a broken line can still be read of its key is not promised.
        let key = if expected.1.is_none() { None } else { found.1 };
        assert_eq!((found.0, key, found.2), *expected, "{}", lines[index]);
    }
    assert_eq!(said.len(), expected.len());
    assert_eq!(lines[0]["id"], lines[2]["id"]);
    let unknown = lines[4]["error"]["message"].as_str().expect("a message");
    assert!(unknown.contains("colour"), "{unknown}");
    let violation = &lines[5]["error"]["violations"][0];
    assert_eq!(violation["propertyPath"], "");
    assert_eq!(violation["message"], "Total paid and uncollected amounts is not matching the items total amount.");
    assert!(ran.err().contains("1 blank line"), "{}", ran.err());
    let keys: Vec<Value> = shop.run(&["list", "--json"]).status(0).lines();
    assert_eq!(keys.iter().map(|line| line["key"].as_str().unwrap_or("?")).collect::<Vec<_>>(), ["k1", "r1", "k9"]);
}

/// Read before the journal is asked, and told together with what the journal finds.
#[test]
fn a_bad_key_is_told_as_it_was_given_with_all_else() {
    let shop = Shop::new();
    let line = sale("k 1").replace("\"quantity\":1", "\"quantity\":0");
    let said = shop.feed(&["--json", "enqueue"], line).status(1).one();
    let paths: Vec<_> =
        said["error"]["violations"].as_array().expect("some").iter().map(|one| &one["propertyPath"]).collect();
    assert_eq!(
        (&said["key"], paths.as_slice()),
        (&"k 1".into(), &[&"key".into(), &"items[0].quantity".into()][..]),
        "{said}"
    );
    assert!(shop.run(&["--json", "list"]).status(0).lines().is_empty());
}

#[test]
fn people_get_a_line_each_too() {
    let shop = Shop::new();
    let input = format!("{}\n{}\nnonsense\n", sale("k1"), sale("k1"));
    let ran = shop.feed(&["enqueue", "-"], input).status(1);
    let out = ran.out();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert!(lines[0].starts_with("taken") && lines[0].contains("k1"));
    assert!(lines[1].starts_with("known") && lines[1].contains("k1"));
    assert!(lines[2].starts_with("refused") && lines[2].contains("line 3") && lines[2].contains("malformed"));
    assert!(ran.err().contains("2 taken, 1 of them known already, 1 refused"), "{}", ran.err());
}

#[test]
fn line_ends_byte_order_marks_and_blank_lines_do_not_matter() {
    let shop = Shop::new();
    let input = format!("\u{feff}{}\r\n\r\n \t\r\n{}\n\n{}", sale("k1"), sale("k2"), sale("k3"));
    let ran = shop.feed(&["--json", "enqueue"], input).status(0);
    let lines: Vec<u64> = ran.lines().iter().filter_map(|line| line["line"].as_u64()).collect();
    assert_eq!(lines, [1, 4, 6]);
    assert!(ran.err().contains("3 blank lines"), "{}", ran.err());
    // The same content with another spelling is the same document.
    let again = sale("k1").replace("\"1.00\"", "1.0").replace("\"quantity\":1", "\"quantity\":\"1.000\"");
    let again = shop.feed(&["--json", "enqueue"], again).status(0).one();
    assert_eq!(again["duplicate"], true);
    let empty = shop.feed(&["--json", "enqueue"], "").status(0);
    assert_eq!(empty.out(), "");
}

#[test]
fn a_line_over_one_mebibyte_is_refused_and_the_next_is_taken() {
    let shop = Shop::new();
    let long = format!("{{\"key\":\"long\",\"x\":\"{}\"}}", "x".repeat(3 * 1024 * 1024));
    let ran = shop.feed(&["--json", "enqueue"], format!("{long}\n{}\n{long}", sale("k1"))).status(1);
    let said: Vec<Value> = ran.lines();
    assert_eq!(said[0]["error"]["code"], "too_large");
    assert_eq!(said[0]["line"], 1);
    assert_eq!(said[1]["key"], "k1");
    assert_eq!(said[2]["error"]["code"], "too_large");
    assert_eq!(said.len(), 3);
}

#[test]
fn bytes_that_are_no_text_stop_nothing() {
    let shop = Shop::new();
    let mut input = b"{\"key\":\"\xff\xfe\"}\n\0\0\0\n".to_vec();
    input.extend(sale("k1").into_bytes());
    let ran = shop.feed(&["--json", "enqueue"], input).status(1);
    let codes: Vec<Option<String>> =
        ran.lines().iter().map(|line| line["error"]["code"].as_str().map(str::to_owned)).collect();
    assert_eq!(codes, [Some("malformed".to_owned()), Some("malformed".to_owned()), None]);
}

#[test]
fn several_files_are_taken_in_order() {
    let shop = Shop::new();
    let (a, b) = (shop.file("a.jsonl", sale("k1")), shop.file("b.jsonl", format!("\u{feff}\nx\n{}\n", sale("k2"))));
    let ran = shop.run(&["--json", "enqueue", &a, &b]).status(1);
    let lines = ran.lines();
    assert_eq!(lines[0]["file"], a.as_str());
    assert_eq!((&lines[1]["file"], &lines[1]["line"]), (&Value::from(b.as_str()), &Value::from(2)));
    assert_eq!(lines[2]["key"], "k2");

    // Every file is opened before anything is taken.
    let c = shop.file("c.jsonl", sale("k3"));
    let said = shop.run(&["enqueue", &c, "no-such-file.jsonl"]).trouble();
    assert!(said.contains("no-such-file.jsonl") && said.contains("nothing was taken"), "{said}");
    let said = shop.run(&["enqueue", &c, "."]).trouble();
    assert!(said.contains("folder"), "{said}");
    shop.run(&["enqueue", "-", "-"]).trouble();
    shop.run(&["show", "k3"]).status(1);
}

#[test]
fn a_till_that_waits_gets_its_answer_before_it_writes_again() {
    let shop = Shop::new();
    let mut child = shop
        .command(&["--json", "enqueue"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let mut input = child.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for n in 1..=5 {
        // Half of the next line is there already: it must not keep back the answer to this one.
        let (line, next) = (sale(&format!("k{n}")) + "\n", &sale(&format!("k{}", n + 1))[..20]);
        let rest = if n == 1 { &line[..] } else { &line[20..] };
        input.write_all(rest.as_bytes()).expect("it reads");
        input.write_all(next.as_bytes()).expect("it reads");
        input.flush().expect("it reads");
        let answer: Value = serde_json::from_str(&answers.next().expect("an answer").expect("text")).expect("JSON");
        assert_eq!(answer["key"], format!("k{n}"));
        assert_eq!(answer["duplicate"], false);
    }
    drop(input);
    let last: Value = serde_json::from_str(&answers.next().expect("an answer").expect("text")).expect("JSON");
    assert_eq!(last["error"]["code"], "malformed");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn everything_is_taken_though_nobody_reads_the_answers() {
    let shop = Shop::new();
    let file = shop.file("day.jsonl", sales(3_000));
    let mut child =
        shop.command(&["enqueue", &file]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    let err = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{err}");
    assert!(err.contains("3000 taken"), "{err}");
    let all = shop.run(&["list", "--json"]).status(0).lines();
    assert_eq!(all.len(), 3_000);
    assert_eq!(all[2_999]["key"], "k3000");
}

#[test]
fn the_shop_day_that_ships_has_exactly_one_refused_document() {
    let shop = Shop::new();
    let day = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/shop-day.jsonl");
    let lines = shop.run(&["--json", "enqueue", day]).status(1).lines();
    assert!(lines.len() >= 60, "{}", lines.len());
    let refused: Vec<&Value> = lines.iter().filter(|line| !line["error"].is_null()).collect();
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert_eq!(refused[0]["error"]["code"], "invalid");
    let violation = &refused[0]["error"]["violations"][0]["message"];
    assert_eq!(violation, "Total paid and uncollected amounts is not matching the items total amount.");
    assert!(lines.iter().all(|line| line["duplicate"] != true), "every document is its own");
    let taken = shop.run(&["list", "--json"]).status(0).lines();
    assert_eq!(taken.len(), lines.len() - 1);
    for kind in ["receipt", "return", "void", "draft", "note_number"] {
        assert!(taken.iter().any(|line| line["kind"] == kind), "{kind}");
    }
    for account in ["shop-roma", "shop-milano", "taxfree"] {
        assert!(taken.iter().any(|line| line["account"] == account), "{account}");
    }
    // The till sends its whole day again: nothing is taken twice.
    let again = shop.run(&["--json", "enqueue", day]).status(1).lines();
    assert!(again.iter().all(|line| line["duplicate"] == true || !line["error"].is_null()));
    assert_eq!(shop.run(&["list", "--json"]).lines().len(), taken.len());
}

#[test]
fn a_warning_of_the_accounts_provider_is_kept_and_refuses_nothing() {
    let shop = Shop::new();
    shop.take(&sale("k1").replace("\"cash_payment_amount\"", "\"email\":\"a@b.it\",\"cash_payment_amount\""));
    let show = shop.run(&["--json", "show", "k1"]).status(0).one();
    assert_eq!(show["warnings"].as_array().map(Vec::len), Some(1), "{show}");
    assert!(show["warnings"][0].as_str().is_some_and(|warning| warning.starts_with("email: this provider")), "{show}");
}
