//! From the provider's states to verdicts.

use super::fault_server::{Act, FaultServer, json};
use super::*;

async fn track(
    provider: ProviderKind,
    kind: Kind,
    id: &str,
    answers: Vec<(&'static str, u16, String)>,
) -> TrackOutcome {
    let server = FaultServer::start(move |request| {
        if is_login(request) {
            return logged_in();
        }
        let known = answers.iter().find(|(target, _, _)| request.target == *target || *target == "*");
        known.map_or_else(
            || json(404, r#"{"message":"no such path","detail":"Not Found"}"#),
            |(_, status, body)| json(*status, body),
        )
    })
    .await;
    adapter(provider, &server).track(&tracked(provider, kind, id)).await.outcome
}

/// The state of a sale `x` with these further members.
fn sale(provider: ProviderKind, status: &str, more: &str) -> String {
    match provider {
        ProviderKind::Openapi => format!(r#"{{"data":{{"id":"x","status":"{status}"{more}}}}}"#),
        _ => format!(r#"{{"uuid":"x","status":"{status}"{more}}}"#),
    }
}

const NUMBER: &str =
    r#","document_number":"DCW2026/2610-5298","document_date":"2026-11-22","transaction_id":"77","total_amount":3.80"#;
const ITEMS: &str = r#""items":[{"id":"'200170'","quantity":10,"description":"product","gross_price":10.00,"vat_rate":"'22'","gross_discount":0,"complimentary":false,"unit_price":8.19672131,"return":1,"unit_discount":0.00000000}]"#;

#[tokio::test]
async fn the_states_of_a_receipt() {
    for provider in [OPENAPI, SMART] {
        let path = if provider == OPENAPI { "/IT-receipts/x" } else { "/receipts/x" };
        let error = |code: &str, message: &str| format!(r#","error_code":{code},"error_message":"{message}""#);
        let rows = [
            ("new", String::new(), "pending"),
            ("retry", error("500", "SERVICE_UNAVAILABLE"), "pending"),
            ("retry", error("422", "INVALID_CREDENTIALS"), "pending, hold credentials"),
            ("retry", error("null", "password expired"), "pending, hold credentials"),
            ("submitted", String::new(), "pending"),
            ("ready", NUMBER.to_owned(), "registered"),
            ("voided", NUMBER.to_owned(), "registered"),
            ("READY", NUMBER.to_owned(), "registered"),
            ("failed", error("400", "EF0 'Partita IVA' non valido"), "failed certain"),
            ("failed", error("\"400\"", "EF0 'Partita IVA' non valido"), "failed certain"),
            ("failed", error("403", "CANNOT_SEND_DATA_FOR_THIS_LEGAL_ENTITY"), "failed certain"),
            ("failed", error("422", "INVALID_CREDENTIALS"), "failed certain"),
            (
                "failed",
                error("400", "Receipt could not be confirmed the same day it was requested"),
                "failed uncertain",
            ),
            ("failed", error("400", ""), "failed uncertain"),
            ("failed", error("400", "BAD_REQUEST"), "failed uncertain"),
            ("failed", error("500", "SERVICE_UNAVAILABLE"), "failed uncertain"),
            ("failed", error("null", ""), "failed uncertain"),
            ("failed", String::new(), "failed uncertain"),
            ("dreaming", String::new(), "pending"),
            ("", String::new(), "unreadable"),
        ];
        for (status, more, expected) in rows {
            let found = track(provider, Kind::Receipt, "x", vec![(path, 200, sale(provider, status, &more))]).await;
            assert_eq!(verdict_word(&found), expected, "{provider}: {status} {more}: {found:?}");
        }
    }
}

#[tokio::test]
async fn items_and_totals_are_kept() {
    for (provider, answers) in [
        (OPENAPI, vec![("/IT-receipts/x", 200, sale(OPENAPI, "submitted", &format!("{NUMBER},{ITEMS}")))]),
        (
            SMART,
            vec![
                ("/receipts/x", 200, sale(SMART, "submitted", NUMBER)),
                ("/receipts/x/details", 200, format!("{{{ITEMS}}}")),
            ],
        ),
    ] {
        let found = track(provider, Kind::Receipt, "x", answers).await;
        let TrackOutcome::Registered(remote) = found else { panic!("{found:?}") };
        assert_eq!(remote.remote_id.as_deref(), Some("x"));
        assert_eq!(remote.document_number.as_deref(), Some("DCW2026/2610-5298"));
        assert_eq!(remote.transaction_id.as_deref(), Some("77"));
        let [item] = remote.items.as_slice() else { panic!("{:?}", remote.items) };
        assert_eq!(
            (
                item.id.as_str(),
                item.gross_price.as_str(),
                item.unit_price.as_str(),
                item.vat_rate.as_str(),
                item.returned.as_str()
            ),
            ("200170", "10.00", "8.19672131", "22", "1")
        );
        assert_eq!(item.unit_discount, "0.00000000");
        assert_eq!(remote.totals, [("total_amount".to_owned(), "3.80".to_owned())]);
    }
}

/// Returns need the item ids: a sale is asked again until they are there, but not for ever.
#[tokio::test]
async fn a_sale_without_its_items_yet() {
    for (status, expected) in [("submitted", "pending"), ("ready", "registered")] {
        let row = sale(OPENAPI, status, &format!(r#"{NUMBER},"items":[{{}}]"#));
        assert_eq!(
            verdict_word(&track(OPENAPI, Kind::Receipt, "x", vec![("/IT-receipts/x", 200, row)]).await),
            expected
        );
        let row = sale(SMART, status, NUMBER);
        assert_eq!(
            verdict_word(&track(SMART, Kind::Receipt, "x", vec![("/receipts/x", 200, row.clone())]).await),
            expected
        );
        let broken = vec![("/receipts/x", 200, row), ("/receipts/x/details", 500, String::new())];
        assert_eq!(verdict_word(&track(SMART, Kind::Receipt, "x", broken).await), "unreadable");
    }
    // A return or void has nothing to wait for.
    for kind in [Kind::Return, Kind::Void] {
        for (provider, path) in [(OPENAPI, "/IT-receipts/x"), (SMART, "/receipts/x")] {
            let row = sale(provider, "submitted", NUMBER);
            assert_eq!(verdict_word(&track(provider, kind, "x", vec![(path, 200, row)]).await), "registered");
        }
    }
}

#[tokio::test]
async fn answers_that_prove_nothing() {
    let other = r#"{"data":{"id":"y","status":"ready"},"uuid":"y","status":"ready"}"#;
    for provider in [OPENAPI, SMART] {
        for (status, body, expected) in [
            (404, r#"{"message":"not here","detail":"Not Found"}"#, "gone"),
            (404, "<html>", "unreadable"),
            (200, other, "unreadable"),
            (200, "{}", "unreadable"),
            (200, "<html>", "unreadable"),
            (200, r#"{"success":false,"data":{"id":"x","status":"ready"},"uuid":"x","status":"ready"}"#, "unreadable"),
            (500, "{}", "unreadable"),
            (429, "{}", "unreadable"),
            (308, "", "unreadable"),
            (401, "{}", "hold credentials"),
            (402, "{}", "hold unpaid"),
            (403, r#"{"message":"scope"}"#, "hold forbidden"),
            (403, "<html>", "unreadable"),
        ] {
            let found = track(provider, Kind::Receipt, "x", vec![("*", status, body.to_owned())]).await;
            assert_eq!(verdict_word(&found), expected, "{provider}: {status} {body}: {found:?}");
        }
    }
    let unknown = r#"{"data":"null","success":true,"message":"Fiscal ID not found","error":111}"#;
    assert_eq!(
        verdict_word(&track(OPENAPI, Kind::Receipt, "x", vec![("*", 404, unknown.to_owned())]).await),
        "hold unknown_fiscal_id"
    );
}

/// A void whose id was never told is known by its effect, and gets its name when it is shown.
#[tokio::test]
async fn a_void_without_a_name() {
    let id = "void-of:parent";
    let parent = |status: &str, more: &str| {
        ("/receipts/parent", 200, format!(r#"{{"uuid":"parent","status":"{status}"{more}}}"#))
    };
    let waiting = track(SMART, Kind::Void, id, vec![parent("ready", r#","voiding_receipt":null"#)]).await;
    assert_eq!(verdict_word(&waiting), "pending");
    let done = track(SMART, Kind::Void, id, vec![parent("voided", "")]).await;
    assert_eq!(verdict_word(&done), "registered");
    let child = ("/receipts/x", 200, sale(SMART, "ready", NUMBER));
    let named = track(SMART, Kind::Void, id, vec![parent("voided", r#","voiding_receipt":"x""#), child]).await;
    let TrackOutcome::Registered(remote) = named else { panic!("{named:?}") };
    assert_eq!(
        (remote.remote_id.as_deref(), remote.document_number.as_deref()),
        (Some("x"), Some("DCW2026/2610-5298"))
    );
}

#[tokio::test]
async fn tax_free() {
    let status = |body: &str| ("/api/i/invoices/x/status", 200, body.to_owned());
    let not_found = r#"{"ErrorCode":101,"ErrorMessage":"Not found"}"#.to_owned();
    let waiting = track(STAMP, Kind::Draft, "x", vec![("*", 400, not_found.clone())]).await;
    assert_eq!(verdict_word(&waiting), "pending");
    for (number, name) in [
        ("0", "pending"),
        ("1", "approved"),
        ("2", "rejected"),
        ("3", "cancelled"),
        ("\"1\"", "approved"),
        ("9", "unknown"),
    ] {
        let crf0 = ("/api/invoices/x/crf0", 200, r#"{"OtelloCommunicationId":"OT-1"}"#.to_owned());
        let found = track(STAMP, Kind::Draft, "x", vec![status(&format!(r#"{{"Status":{number}}}"#)), crf0]).await;
        let TrackOutcome::Registered(remote) = found else { panic!("{number}: {found:?}") };
        assert_eq!(remote.customs.map(|customs| customs.name()), Some(name));
        assert_eq!(remote.otello_id.as_deref(), Some("OT-1"));
        assert_eq!(remote.remote_id.as_deref(), Some("x"));
    }
    // Without the communication id it is registered all the same.
    let found = track(STAMP, Kind::Draft, "x", vec![status(r#"{"Status":0}"#), ("*", 400, not_found.clone())]).await;
    assert_eq!(verdict_word(&found), "registered");
    for (code, body, expected) in [
        (200, "{}", "unreadable"),
        (200, "[]", "unreadable"),
        (200, r#"{"Status":null}"#, "unreadable"),
        (400, r#"{"ErrorCode":5,"ErrorMessage":"no"}"#, "unreadable"),
        (404, r#"{"ErrorCode":5,"ErrorMessage":"no"}"#, "gone"),
        (500, "", "unreadable"),
        (401, "", "hold credentials"),
        (403, r#"{"ErrorMessage":"no"}"#, "hold forbidden"),
    ] {
        let found = track(STAMP, Kind::Draft, "x", vec![("*", code, body.to_owned())]).await;
        assert_eq!(verdict_word(&found), expected, "{code} {body}: {found:?}");
    }
}

#[tokio::test]
async fn many_are_asked_about_by_lists() {
    for provider in [OPENAPI, SMART] {
        let server = FaultServer::start(move |request| {
            let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
            let id = path.rsplit('/').next().unwrap_or_default();
            let first = query.contains("skip=0") || query.contains("page=1&");
            match (is_login(request), path) {
                (true, _) => logged_in(),
                (_, "/IT-receipts" | "/receipts") if !first || query.contains("status=retry") => {
                    json(200, r#"{"data":[]}"#)
                }
                (_, "/IT-receipts" | "/receipts") => {
                    let rows: Vec<String> =
                        (0..6).map(|n| format!(r#"{{"id":"r{n}","uuid":"r{n}","status":"new"}}"#)).collect();
                    json(200, &format!(r#"{{"data":[{}]}}"#, rows.join(",")))
                }
                (_, "/receipts/moved/details") => json(200, &format!("{{{ITEMS}}}")),
                _ => {
                    json(200, &format!(r#"{{"data":{{"id":"{id}","uuid":"{id}","status":"ready"{NUMBER},{ITEMS}}}}}"#))
                }
            }
        })
        .await;
        let ids = ["r0", "r1", "moved", "r3", "r5"];
        let all: Vec<Tracked> = ids.iter().map(|id| tracked(provider, Kind::Receipt, id)).collect();
        let adapter = adapter(provider, &server);
        let words: Vec<String> =
            adapter.track_many(&all).await.iter().map(|answer| verdict_word(&answer.outcome)).collect();
        assert_eq!(words, ["pending", "pending", "registered", "pending", "pending"]);
        let single: Vec<String> = server
            .lines()
            .into_iter()
            .filter(|line| line.contains("/r") && line.contains("/r0") || line.contains("/moved"))
            .collect();
        assert!(single.iter().all(|line| line.contains("moved")), "{single:?}");
        // A few are cheaper one by one.
        let few = adapter.track_many(&all[2..3]).await;
        assert_eq!(verdict_word(&few[0].outcome), "registered");
    }
}

/// At Openapi the lists show the items too: a hundred documents that moved on cost two pages, not a hundred requests.
#[tokio::test]
async fn many_that_moved_on_come_by_their_days_list() {
    for (items, requests) in [(ITEMS, 3), (r#""items":[]"#, 23)] {
        let server = FaultServer::start(move |request| {
            let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
            let id = path.rsplit('/').next().unwrap_or_default();
            let row = |id: &str| format!(r#"{{"id":"{id}","status":"ready"{NUMBER},{items}}}"#);
            match (path, query) {
                ("/IT-receipts", query) if query.contains("status=new") => json(200, r#"{"data":[]}"#),
                ("/IT-receipts", query) => {
                    assert!(query.contains("created_at=2026-11-22"), "{query}");
                    // Ten a page, whatever was asked for.
                    let skip: usize = query.split("skip=").nth(1).and_then(|skip| skip.parse().ok()).unwrap_or(0);
                    let rows: Vec<String> = (skip..skip + 10).map(|n| row(&format!("r{n}"))).collect();
                    json(200, &format!(r#"{{"data":[{}]}}"#, rows.join(",")))
                }
                _ => json(200, &format!(r#"{{"data":{}}}"#, row(id))),
            }
        })
        .await;
        let all: Vec<Tracked> = (0..20).map(|n| tracked(OPENAPI, Kind::Receipt, &format!("r{n}"))).collect();
        let answers = adapter(OPENAPI, &server).track_many(&all).await;
        for (n, answer) in answers.iter().enumerate() {
            let TrackOutcome::Registered(remote) = &answer.outcome else { panic!("{answer:?}") };
            assert_eq!(remote.remote_id, Some(format!("r{n}")));
        }
        assert_eq!(server.requests().len(), requests, "{:?}", server.lines());
    }
}

/// Behind ten thousand others that wait, a list would cost more than asking for each.
#[tokio::test]
async fn a_list_that_goes_on_with_others_is_given_up() {
    for provider in [OPENAPI, SMART] {
        let server = FaultServer::start(move |request| {
            let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
            let mut parts = path.trim_start_matches('/').split('/').skip(1);
            let pair = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            match (is_login(request), parts.next(), parts.next()) {
                (true, ..) => logged_in(),
                // Its first page has the first of what is asked for, the rest are of others, without end.
                (_, None, _) => {
                    let page = pair("skip").or(pair("page")).unwrap_or_default();
                    let mut rows: Vec<String> = (0..100)
                        .map(|n| format!(r#"{{"id":"x{page}-{n}","uuid":"x{page}-{n}","status":"new"}}"#))
                        .collect();
                    if matches!(page, "0" | "1") {
                        rows.push(r#"{"id":"r0","uuid":"r0","status":"new"}"#.to_owned());
                    }
                    json(200, &format!(r#"{{"data":[{}]}}"#, rows.join(",")))
                }
                (_, _, Some("details")) => json(200, &format!("{{{ITEMS}}}")),
                (_, Some(id), _) => {
                    json(200, &format!(r#"{{"data":{{"id":"{id}","uuid":"{id}","status":"ready"{NUMBER},{ITEMS}}}}}"#))
                }
            }
        })
        .await;
        let all: Vec<Tracked> = (0..50).map(|n| tracked(provider, Kind::Receipt, &format!("r{n}"))).collect();
        let answers = adapter(provider, &server).track_many(&all).await;
        let mut words = answers.iter().map(|answer| verdict_word(&answer.outcome));
        assert_eq!(words.next().as_deref(), Some("pending"));
        assert!(words.all(|word| word == "registered"));
        // One page that had something; then, of two lists each, two in vain.
        let lists = server.requests().iter().filter(|request| request.target.contains('?')).count();
        assert_eq!(lists, 1 + 2 + 2, "{provider:?}");
    }
}

#[tokio::test]
async fn a_list_that_fails_says_nothing_of_any() {
    for provider in [OPENAPI, SMART] {
        let server = FaultServer::start(|request| match is_login(request) {
            true => logged_in(),
            false => Act::Say(super::fault_server::answer(503, &[("retry-after", "9")], b"")),
        })
        .await;
        let all: Vec<Tracked> = (0..5).map(|n| tracked(provider, Kind::Receipt, &format!("r{n}"))).collect();
        let answers = adapter(provider, &server).track_many(&all).await;
        assert_eq!(answers.len(), 5);
        for answer in &answers {
            let TrackOutcome::Unreadable { retry_after, .. } = &answer.outcome else { panic!("{answer:?}") };
            assert_eq!(*retry_after, Some(Duration::from_secs(9)));
        }
        assert_eq!(server.requests().iter().filter(|request| !is_login(request)).count(), 1);
    }
}

/// "Not found" to the question for a list is not "not found" to the question for each of its documents.
#[tokio::test]
async fn a_list_that_is_not_found_says_nothing_of_any() {
    for provider in [OPENAPI, SMART] {
        let server = FaultServer::start(|request| match is_login(request) {
            true => logged_in(),
            false => json(404, r#"{"message":"Not Found","detail":"Not Found","error":404}"#),
        })
        .await;
        let all: Vec<Tracked> = (0..5).map(|n| tracked(provider, Kind::Receipt, &format!("r{n}"))).collect();
        for answer in adapter(provider, &server).track_many(&all).await {
            assert_eq!(verdict_word(&answer.outcome), "unreadable", "{answer:?}");
        }
    }
}

/// Each may take as long as an answer is waited for, and there may be fifty.
#[tokio::test]
async fn after_two_questions_in_vain_no_more_are_asked() {
    for provider in [OPENAPI, SMART, STAMP] {
        let server = FaultServer::start(|request| match is_login(request) {
            true => logged_in(),
            false => Act::Say(super::fault_server::answer(503, &[], b"")),
        })
        .await;
        let kind = if provider == STAMP { Kind::Draft } else { Kind::Receipt };
        let all: Vec<Tracked> = (0..3).map(|n| tracked(provider, kind, &format!("r{n}"))).collect();
        let answers = adapter(provider, &server).track_many(&all).await;
        assert_eq!(answers.iter().map(|answer| verdict_word(&answer.outcome)).collect::<Vec<_>>(), ["unreadable"; 2]);
        assert_eq!(server.requests().iter().filter(|request| !is_login(request)).count(), 2, "{provider:?}");
    }
}
