//! What became of a lost return, void, note number or cancel (PROVIDERS.md 4.3): the parent knows.

use serde_json::{Value, json as value};

use super::fault_server::{FaultServer, json};
use super::look_ups::Shop;
use super::*;

#[tokio::test]
async fn a_return_at_openapi() {
    let child = |id: &str, more: Value| {
        let mut child = value!({"id": id, "type": "return", "parent_receipt_id": "parent", "status": "new", "created_at": "2026-11-22T12:00:10Z", "items": [{}]});
        for (name, member) in more.as_object().expect("an object") {
            child[name] = member.clone();
        }
        child
    };
    let lost = lost(OPENAPI, Kind::Return);
    for (what, rows, claimed, expected) in [
        ("none", vec![], &[][..], "not_found"),
        ("one, without lines", vec![child("a", value!({}))], &[], "found a"),
        ("one of an earlier return", vec![child("a", value!({}))], &["a"], "not_found"),
        ("one besides", vec![child("a", value!({})), child("b", value!({}))], &["a"], "found b"),
        ("two", vec![child("a", value!({})), child("b", value!({}))], &[], "ambiguous a b"),
        (
            "two, one with our quantity",
            vec![child("a", value!({"items": [{"quantity": 2}]})), child("b", value!({"items": [{"quantity": 1}]}))],
            &[],
            "found b",
        ),
        (
            "the sale's quantity beside ours",
            vec![child("a", value!({"items": [{"quantity": 11, "return": 1}]}))],
            &[],
            "found a",
        ),
        ("another quantity", vec![child("a", value!({"items": [{"quantity": 3, "return": 3}]}))], &[], "ambiguous a"),
        ("an old one", vec![child("a", value!({"created_at": "2026-11-22T09:00:00Z"}))], &[], "not_found"),
        ("a void", vec![child("a", value!({"type": "void"}))], &[], "not_found"),
        (
            "of another parent, by a filter that is ignored",
            vec![child("a", value!({"parent_receipt_id": "other"}))],
            &[],
            "not_found",
        ),
    ] {
        assert_eq!(Shop::of(rows).look_up(OPENAPI, &lost, claimed).await, expected, "{what}");
    }
}

#[tokio::test]
async fn a_void_at_openapi() {
    let parent = |status: &str| value!({"id": "parent", "type": "sale", "status": status});
    let child = |id: &str, kind: &str, status: &str| value!({"id": id, "type": kind, "parent_receipt_id": "parent", "status": status, "created_at": "2026-11-22T12:00:10Z"});
    let lost = lost(OPENAPI, Kind::Void);
    for (what, rows, claimed, expected) in [
        ("nothing happened", vec![parent("ready")], &[][..], "not_found"),
        ("on its way", vec![parent("ready"), child("a", "void", "new")], &[], "found a"),
        ("done", vec![parent("voided"), child("a", "void", "ready")], &[], "found a"),
        ("done, and calls itself a return", vec![parent("voided"), child("a", "return", "ready")], &[], "found a"),
        ("done, and does not show itself", vec![parent("voided")], &[], "found void-of:parent"),
        ("on its way, and calls itself a return", vec![parent("ready"), child("a", "return", "new")], &[], "failed"),
        ("a return of someone else", vec![parent("ready"), child("a", "return", "ready")], &[], "not_found"),
        ("an earlier return of ours", vec![parent("ready"), child("a", "return", "new")], &["a"], "not_found"),
        ("another document's void", vec![parent("voided"), child("a", "void", "ready")], &["a"], "ambiguous a"),
        (
            "two voids",
            vec![parent("voided"), child("a", "void", "ready"), child("b", "void", "ready")],
            &[],
            "ambiguous a b",
        ),
        ("the parent is gone", vec![], &[], "failed"),
    ] {
        assert_eq!(Shop::of(rows).look_up(OPENAPI, &lost, claimed).await, expected, "{what}");
    }
}

#[tokio::test]
async fn corrections_at_smart_receipt() {
    let parent = |more: Value| {
        let mut parent = value!({"uuid": "parent", "type": "sale", "status": "ready", "return_receipts": [], "voiding_receipt": null});
        for (name, member) in more.as_object().expect("an object") {
            parent[name] = member.clone();
        }
        parent
    };
    let child = |id: &str, created: &str| value!({"uuid": id, "status": "new", "created_at": created});
    let now = "2026-11-22 12:00:10";
    let back = lost(SMART, Kind::Return);
    for (what, rows, claimed, expected) in [
        ("none", vec![parent(value!({}))], &[][..], "not_found"),
        ("one", vec![parent(value!({"return_receipts": [{"uuid": "a"}]})), child("a", now)], &[], "found a"),
        ("as a path", vec![parent(value!({"return_receipts": ["/receipts/a"]})), child("a", now)], &[], "found a"),
        ("claimed", vec![parent(value!({"return_receipts": ["a"]})), child("a", now)], &["a"], "not_found"),
        (
            "two",
            vec![parent(value!({"return_receipts": ["a", "b"]})), child("a", now), child("b", now)],
            &[],
            "ambiguous a b",
        ),
        (
            "an old one",
            vec![parent(value!({"return_receipts": ["a"]})), child("a", "2026-11-20 12:00:00")],
            &[],
            "not_found",
        ),
        ("not told", vec![value!({"uuid": "parent", "status": "ready"})], &[], "failed"),
        ("not readable", vec![parent(value!({"return_receipts": [{}]}))], &[], "failed"),
        ("the child is not there", vec![parent(value!({"return_receipts": ["a"]}))], &[], "failed"),
    ] {
        assert_eq!(Shop::of(rows).look_up(SMART, &back, claimed).await, expected, "return: {what}");
    }
    let void = lost(SMART, Kind::Void);
    for (what, rows, claimed, expected) in [
        ("nothing", vec![parent(value!({}))], &[][..], "not_found"),
        ("named", vec![parent(value!({"voiding_receipt": {"uuid": "a"}})), child("a", now)], &[], "found a"),
        ("done, not named", vec![parent(value!({"status": "voided"}))], &[], "found void-of:parent"),
        (
            "another document's",
            vec![parent(value!({"status": "voided", "voiding_receipt": "a"})), child("a", now)],
            &["a"],
            "ambiguous a",
        ),
        ("the child is not there", vec![parent(value!({"voiding_receipt": "a"}))], &[], "failed"),
    ] {
        assert_eq!(Shop::of(rows).look_up(SMART, &void, claimed).await, expected, "void: {what}");
    }
}

#[tokio::test]
async fn tax_free() {
    let not_found = r#"{"ErrorCode":101,"ErrorMessage":"Not found"}"#;
    for (kind, path, status, body, expected) in [
        (Kind::Draft, "", 200, "", "cannot_tell"),
        (Kind::NoteNumber, "/api/invoices/parent/note/pdf", 200, r#"{"FileUri":"https://x/y?sig=z"}"#, "found parent"),
        (Kind::NoteNumber, "/api/invoices/parent/note/pdf", 200, r#"{"FileUri":null}"#, "not_found"),
        (Kind::NoteNumber, "/api/invoices/parent/note/pdf", 400, not_found, "not_found"),
        (Kind::NoteNumber, "/api/invoices/parent/note/pdf", 500, "", "failed"),
        (Kind::NoteNumber, "/api/invoices/parent/note/pdf", 200, "<html>", "failed"),
        (Kind::NoteNumber, "/api/invoices/parent/note/pdf", 400, r#"{"ErrorCode":5}"#, "failed"),
        (Kind::Void, "/api/i/invoices/parent/status", 200, r#"{"Status":3}"#, "found parent"),
        (Kind::Void, "/api/i/invoices/parent/status", 200, r#"{"Status":0}"#, "not_found"),
        (Kind::Void, "/api/i/invoices/parent/status", 200, r#"{"Status":2}"#, "not_found"),
        (Kind::Void, "/api/i/invoices/parent/status", 400, not_found, "not_found"),
        (Kind::Void, "/api/i/invoices/parent/status", 200, "{}", "failed"),
        (Kind::Void, "/api/i/invoices/parent/status", 503, "", "failed"),
    ] {
        let server = FaultServer::start(move |request| match () {
            () if is_login(request) => logged_in(),
            () if request.target == path => json(status, body),
            () => json(404, "{}"),
        })
        .await;
        let answer = adapter(STAMP, &server).look_up(&lost(STAMP, kind), &Others(&[])).await;
        assert_eq!(found_word(&answer.outcome), expected, "{kind}: {status} {body}");
        assert!(server.requests().iter().all(|request| request.method == "GET" || is_login(request)));
        assert!(!format!("{answer:?}").contains("sig="), "the link shows in {answer:?}");
    }
}
