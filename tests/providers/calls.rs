//! The calls beside the documents: files, company configurations, lists.

use serde_json::{Value, json as value};
use staffetta::provider::CallError;
use staffetta::provider::calls::{Fetch, Fetched, ReceiptFilter};

use super::fault_server::{Act, FaultServer, answer, json};
use super::*;

/// A server that answers by `METHOD target`.
async fn server(answers: Vec<(&'static str, u16, &'static str)>) -> FaultServer {
    FaultServer::start(move |request| {
        if is_login(request) {
            return logged_in();
        }
        let line = request.line();
        let known = answers.iter().find(|(wanted, _, _)| *wanted == line);
        known.map_or_else(
            || json(404, r#"{"message":"no such path","detail":"no"}"#),
            |(_, status, body)| match *body {
                "PDF" => Act::Say(answer(*status, &[("content-type", "application/pdf")], b"%PDF-1.4 ...")),
                body => json(*status, body),
            },
        )
    })
    .await
}

async fn fetch(provider: ProviderKind, server: &FaultServer, what: Fetch) -> Result<Fetched, CallError> {
    adapter(provider, server).fetch(what, "x").await
}

fn pdf() -> Fetched {
    Fetched::Pdf(b"%PDF-1.4 ...".to_vec())
}

fn is_json(fetched: Result<Fetched, CallError>) -> Value {
    match fetched {
        Ok(Fetched::Json(json)) => json,
        Ok(Fetched::Pdf(_)) => panic!("a PDF"),
        Err(err) => panic!("{err}"),
    }
}

#[tokio::test]
async fn files_and_details_of_receipts() {
    let openapi = server(vec![("GET /IT-receipts/x", 200, "PDF")]).await;
    assert!(fetch(OPENAPI, &openapi, Fetch::Pdf).await == Ok(pdf()));
    assert_eq!(openapi.requests()[0].header("content-type"), Some("application/pdf"));
    let openapi = server(vec![(
        "GET /IT-receipts/x",
        200,
        r#"{"data":{"id":"x","status":"ready","total_amount":1.10,"sku":1}}"#,
    )])
    .await;
    assert_eq!(
        is_json(fetch(OPENAPI, &openapi, Fetch::Details).await).to_string(),
        r#"{"id":"x","sku":1,"status":"ready","total_amount":1.10}"#
    );
    assert_eq!(is_json(fetch(OPENAPI, &openapi, Fetch::Status).await), value!({"id": "x", "status": "ready"}));
    assert!(matches!(fetch(OPENAPI, &openapi, Fetch::Pdf).await, Err(CallError::Unanswered(_))));
    for what in [Fetch::NotePdf, Fetch::Customer, Fetch::Crf0] {
        assert!(matches!(fetch(OPENAPI, &openapi, what).await, Err(CallError::NotOffered(_))));
        assert!(matches!(fetch(SMART, &openapi, what).await, Err(CallError::NotOffered(_))));
    }
    let smart =
        server(vec![("GET /receipts/x/details", 200, "PDF"), ("GET /receipts/x", 200, r#"{"uuid":"x"}"#)]).await;
    assert!(fetch(SMART, &smart, Fetch::Pdf).await == Ok(pdf()));
    assert!(smart.requests().iter().any(|request| request.header("accept") == Some("application/pdf")));
    assert_eq!(is_json(fetch(SMART, &smart, Fetch::Status).await), value!({"uuid": "x"}));
    let smart = server(vec![("GET /receipts/x/details", 200, r#"{"items":[]}"#)]).await;
    assert_eq!(is_json(fetch(SMART, &smart, Fetch::Details).await), value!({"items": []}));
    assert!(matches!(adapter(SMART, &smart).fetch(Fetch::Pdf, "y").await, Err(CallError::NotFound(_))));
    assert!(matches!(adapter(SMART, &smart).fetch(Fetch::Pdf, "..").await, Err(CallError::Invalid(_))));
}

/// The link is a key to the file: used at once, shown nowhere, and our token does not go with it.
#[tokio::test]
async fn files_of_tax_free_invoices() {
    let storage = FaultServer::start(|request| match request.target.as_str() {
        "/file.pdf?sig=SECRET" => Act::Say(answer(200, &[], b"%PDF-1.4 ...")),
        "/expired.pdf?sig=SECRET" => Act::Say(answer(403, &[], b"<Error>AuthenticationFailed SECRET</Error>")),
        _ => Act::Reset(Vec::new()),
    })
    .await;
    for (path, fine) in [("file.pdf", true), ("expired.pdf", false), ("broken.pdf", false)] {
        let link = storage.url(&format!("/{path}?sig=SECRET"));
        let stamp = FaultServer::start(move |request| match is_login(request) {
            true => logged_in(),
            false => json(200, &format!(r#"{{"FileUri":"{link}"}}"#)),
        })
        .await;
        for (what, target) in [(Fetch::Pdf, "/api/invoices/x/pdf"), (Fetch::NotePdf, "/api/invoices/x/note/pdf")] {
            match fetch(STAMP, &stamp, what).await {
                Ok(file) => assert!(fine && file == pdf()),
                Err(err) => assert!(!fine && !format!("{err} {err:?}").contains("SECRET"), "{err:?}"),
            }
            assert!(stamp.lines().contains(&format!("GET {target}")));
        }
    }
    assert!(storage.requests().iter().all(|request| request.header("authorization").is_none()));
    for link in ["http://storage.example/file.pdf?sig=SECRET", "file:///etc/passwd?SECRET", "SECRET"] {
        let stamp = FaultServer::start(move |request| match is_login(request) {
            true => logged_in(),
            false => json(200, &format!(r#"{{"FileUri":"{link}"}}"#)),
        })
        .await;
        let err = fetch(STAMP, &stamp, Fetch::Pdf).await.err().expect("an error");
        assert!(!format!("{err} {err:?}").contains("SECRET"), "{err:?}");
    }
}

#[tokio::test]
async fn what_stamp_knows_of_an_invoice() {
    let stamp = server(vec![
        ("GET /api/i/invoices/x/customer", 200, r#"{"Fullname":"Luca Rossi","DocumentType":0}"#),
        ("GET /api/i/invoices/x/status", 200, r#"{"Status":0}"#),
        ("GET /api/invoices/x/crf0", 200, r#"{"OtelloCommunicationId":"OT"}"#),
    ])
    .await;
    assert_eq!(
        is_json(fetch(STAMP, &stamp, Fetch::Customer).await),
        value!({"Fullname": "Luca Rossi", "DocumentType": 0})
    );
    assert_eq!(is_json(fetch(STAMP, &stamp, Fetch::Status).await), value!({"Status": 0}));
    assert_eq!(is_json(fetch(STAMP, &stamp, Fetch::Crf0).await), value!({"OtelloCommunicationId": "OT"}));
    assert!(matches!(fetch(STAMP, &stamp, Fetch::Details).await, Err(CallError::NotOffered(_))));
    let waiting = FaultServer::start(|request| match is_login(request) {
        true => logged_in(),
        false => json(400, r#"{"ErrorCode":101,"ErrorMessage":"Not found"}"#),
    })
    .await;
    for what in [Fetch::Pdf, Fetch::NotePdf, Fetch::Customer, Fetch::Status, Fetch::Crf0] {
        assert!(matches!(fetch(STAMP, &waiting, what).await, Err(CallError::NotYet(_))));
    }
    let xml =
        server(vec![("GET /api/i/invoices/x/customer", 200, "<Customer><Fullname>Luca Rossi</Fullname></Customer>")])
            .await;
    let err = fetch(STAMP, &xml, Fetch::Customer).await.err().expect("an error");
    assert!(err.to_string().contains("XML") && !err.to_string().contains("Rossi"), "{err}");
}

const COMPANY: &str = r#"{"data":{"fiscal_id":"12345678903","name":"Bar","email":"a@b.it","receipts":true,"receipts_authentication":{"taxCode":"T"}},"success":true}"#;

#[tokio::test]
async fn company_configurations() {
    let there = server(vec![
        ("GET /IT-configurations", 200, r#"{"data":[{"fiscal_id":"12345678903"},{"fiscal_id":"2"}],"success":true}"#),
        ("GET /IT-configurations/12345678903", 200, COMPANY),
        ("POST /IT-configurations", 200, COMPANY),
        ("PATCH /IT-configurations/12345678903", 200, COMPANY),
        (
            "DELETE /IT-configurations/12345678903",
            200,
            r#"{"data":"null","success":true,"message":"Deleted configuration for id: 12345678903","error":null}"#,
        ),
    ])
    .await;
    let adapter = adapter(OPENAPI, &there);
    let body = value!({"fiscal_id": "12345678903", "name": "Bar", "email": "a@b.it", "receipts": true});
    assert_eq!(adapter.companies().await.map(|all| all.len()), Ok(2));
    assert_eq!(adapter.company("12345678903").await.map(|one| one["name"].clone()), Ok(value!("Bar")));
    assert_eq!(adapter.add_company(&body).await.map(|one| one["name"].clone()), Ok(value!("Bar")));
    assert!(
        adapter.update_credentials("12345678903", &value!({"taxCode": "T", "password": "p", "pin": "1"})).await.is_ok()
    );
    let patch = there.requests().into_iter().find(|request| request.method == "PATCH").expect("a PATCH");
    assert_eq!(patch.text(), r#"{"receipts_authentication":{"password":"p","pin":"1","taxCode":"T"}}"#);
    assert_eq!(adapter.remove_company("12345678903").await, Ok(()));
    assert!(matches!(adapter.company("9").await, Err(CallError::NotFound(_))));
    assert!(matches!(adapter.update_company("9", &body).await, Err(CallError::NotFound(_))));
    assert!(matches!(adapter.remove_company("9").await, Err(CallError::NotFound(_))));
    assert!(matches!(adapter.add_company(&value!({})).await, Err(CallError::Invalid(_))));
}

/// One document says 409, the other 404 (PROVIDERS.md 1.5.17): on either the values decide, so that a repeat after a lost
/// answer is a success.
#[tokio::test]
async fn a_company_that_is_there_already() {
    for (status, error) in [
        (409, r#"{"success":false,"message":"exists","error":1}"#),
        (404, r#"{"data":"null","success":true,"message":"no","error":111}"#),
    ] {
        let there = server(vec![
            ("POST /IT-configurations", status, error),
            ("GET /IT-configurations/12345678903", 200, COMPANY),
        ])
        .await;
        let adapter = adapter(OPENAPI, &there);
        let same = value!({"fiscal_id": "12345678903", "name": "Bar", "email": "a@b.it", "receipts_authentication": {"taxCode": "T", "password": "p"}});
        assert!(adapter.add_company(&same).await.is_ok());
        let other = value!({"fiscal_id": "12345678903", "name": "Bar Sport", "email": "a@b.it"});
        assert!(matches!(adapter.add_company(&other).await, Err(CallError::Conflict(_))));
    }
    let refused = server(vec![
        ("PATCH /IT-configurations/1", 400, r#"{"data":"null","success":true,"message":"Invalid field: email. Fields fiscal_id, name, email are not editable.","error":670}"#),
    ])
    .await;
    let err = adapter(OPENAPI, &refused).update_company("1", &value!({"email": "x"})).await.expect_err("an error");
    assert!(matches!(&err, CallError::Refused(refusal) if refusal.code.as_deref() == Some("670")), "{err:?}");
}

#[tokio::test]
async fn companies_elsewhere() {
    let smart = server(vec![
        ("POST /business-registry-configurations", 201, r#"{"uuid":"b"}"#),
        ("PUT /business-registry-configurations/b", 200, r#"{"uuid":"b"}"#),
        ("PUT /business-registry-configurations/b/credentials/fisconline", 204, ""),
    ])
    .await;
    let at_smart = adapter(SMART, &smart);
    assert_eq!(at_smart.add_company(&value!({"fiscal_id": "1"})).await, Ok(value!({"uuid": "b"})));
    assert_eq!(at_smart.update_company("b", &value!({"receipts_enabled": true})).await, Ok(value!({"uuid": "b"})));
    assert_eq!(at_smart.update_credentials("b", &value!({"pin": "1"})).await, Ok(Value::Null));
    assert!(matches!(at_smart.companies().await, Err(CallError::NotOffered(_))));
    assert!(matches!(at_smart.remove_company("b").await, Err(CallError::NotOffered(_))));
    let stamp = adapter(STAMP, &smart);
    assert!(matches!(stamp.companies().await, Err(CallError::NotOffered(_))));
    assert!(matches!(stamp.receipts(&ReceiptFilter::default(), &mut |_| {}).await, Err(CallError::NotOffered(_))));
}

#[tokio::test]
async fn lists_of_receipts() {
    let openapi = FaultServer::start(|request| {
        let skip: usize = request.target.split("skip=").nth(1).and_then(|rest| rest.parse().ok()).unwrap_or(0);
        let limit: usize =
            request.target.split("limit=").nth(1).and_then(|rest| rest.split('&').next()?.parse().ok()).unwrap_or(0);
        let rows: Vec<String> =
            (skip..(skip + limit).min(250)).map(|n| format!(r#"{{"id":"r{n}","total_amount":1.10}}"#)).collect();
        json(200, &format!(r#"{{"data":[{}]}}"#, rows.join(",")))
    })
    .await;
    let adapter_o = adapter(OPENAPI, &openapi);
    let mut all = Vec::new();
    assert_eq!(adapter_o.receipts(&ReceiptFilter::default(), &mut |row| all.push(row)).await, Ok(250));
    assert_eq!(all[249].to_string(), r#"{"id":"r249","total_amount":1.10}"#);
    let filter = ReceiptFilter {
        fiscal_ids: vec!["1".to_owned(), "2".to_owned()],
        document_number: Some("DCW2026/1-2".to_owned()),
        statuses: vec!["new".to_owned(), "retry".to_owned()],
        types: vec!["sale".to_owned()],
        created_at: Some("2026-11-22".to_owned()),
        created_after: Some("2026-11-20".to_owned()),
        created_before: Some("2026-11-25".to_owned()),
        document_date: Some("2026-11-21".to_owned()),
        document_after: Some("2026-11-19".to_owned()),
        document_before: Some("2026-11-24".to_owned()),
        parent_receipt_id: Some("p".to_owned()),
        limit: Some(120),
        skip: 5,
    };
    let mut ids = Vec::new();
    assert_eq!(adapter_o.receipts(&filter, &mut |row| ids.push(row["id"].clone())).await, Ok(120));
    assert_eq!((ids[0].clone(), ids[119].clone()), (value!("r5"), value!("r124")));
    let target = openapi.lines().into_iter().rev().find(|line| line.contains("skip=5")).expect("a request");
    assert_eq!(
        target,
        "GET /IT-receipts?fiscal_id=1%2C2&document_number=DCW2026%2F1-2&status=new%2Cretry&type=sale&created_at=2026-11-22&created_at%5Bafter%5D=2026-11-20&created_at%5Bbefore%5D=2026-11-25&document_date=2026-11-21&document_date%5Bafter%5D=2026-11-19&document_date%5Bbefore%5D=2026-11-24&parent_receipt_id=p&limit=100&skip=5"
    );

    let smart = FaultServer::start(|request| match request.target.as_str() {
        "/login" => logged_in(),
        target if target.contains("page=1&") => json(200, r#"[{"uuid":"a"},{"uuid":"b"}]"#),
        target if target.contains("page=2&") => json(200, r#"{"hydra:member":[{"uuid":"c"}]}"#),
        _ => json(200, "[]"),
    })
    .await;
    let filter = ReceiptFilter {
        fiscal_ids: vec!["1".to_owned()],
        statuses: vec!["new".to_owned(), "retry".to_owned()],
        skip: 1,
        ..ReceiptFilter::default()
    };
    let mut ids = Vec::new();
    assert_eq!(adapter(SMART, &smart).receipts(&filter, &mut |row| ids.push(row["uuid"].clone())).await, Ok(5));
    assert_eq!(ids, ["b", "c", "a", "b", "c"]);
    let unknown = ReceiptFilter { created_at: Some("2026-11-22".to_owned()), ..ReceiptFilter::default() };
    assert!(matches!(adapter(SMART, &smart).receipts(&unknown, &mut |_| {}).await, Err(CallError::NotOffered(_))));
}

/// What the provider says to a filter is told; only where it did not answer it may be asked again.
#[tokio::test]
async fn a_filter_that_the_provider_refuses_is_told_in_its_words() {
    for (status, body, refused) in [
        (400, r#"{"message":"Invalid status","error":400,"detail":"status: Invalid status"}"#, true),
        (422, r#"{"message":"Invalid status","detail":"status: Invalid status"}"#, true),
        (400, "<html>", false),
        (408, r#"{"message":"slow","detail":"slow"}"#, false),
        (500, r#"{"message":"broken","detail":"broken"}"#, false),
    ] {
        let says = move |request: &super::fault_server::Received| {
            if is_login(request) { logged_in() } else { json(status, body) }
        };
        let server = FaultServer::start(says).await;
        for provider in [OPENAPI, SMART] {
            let filter = ReceiptFilter { statuses: vec!["lost".to_owned()], ..ReceiptFilter::default() };
            match adapter(provider, &server).receipts(&filter, &mut |_| {}).await {
                Err(CallError::Refused(refusal)) if refused => assert!(refusal.message.contains("Invalid status")),
                Err(CallError::Unanswered(why)) if !refused => assert!(why.contains(&status.to_string()), "{why}"),
                other => panic!("{status} {body}: {other:?}"),
            }
        }
    }
}
