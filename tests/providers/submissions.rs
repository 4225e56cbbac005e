//! The rows of PROVIDERS.md 4.2 and 5 for answers to submissions.

use super::fault_server::{Act, FaultServer, answer, json};
use super::*;

type Row = (u16, &'static str, &'static str);

/// Submits against a server that answers each submission so, and whose parent is as `parent` says.
async fn outcome(
    provider: ProviderKind,
    call: &Call,
    status: u16,
    body: &'static str,
    parent: &'static str,
) -> SubmitOutcome {
    let server = FaultServer::start(move |request| match request.method.as_str() {
        _ if is_login(request) => logged_in(),
        "GET" if parent.is_empty() => json(500, "{}"),
        "GET" if parent == "404" => json(404, r#"{"message":"no such receipt","detail":"Not Found"}"#),
        "GET" => json(200, parent),
        _ => json(status, body),
    })
    .await;
    let answer = adapter(provider, &server).submit(call).await;
    assert_eq!(answer.status, Some(status));
    let submissions = server.requests().iter().filter(|request| request.method != "GET" && !is_login(request)).count();
    assert_eq!(submissions, if status == 401 && provider != OPENAPI { 2 } else { 1 });
    answer.outcome
}

async fn rows(provider: ProviderKind, kind: Kind, rows: &[Row]) {
    for (status, body, expected) in rows {
        let found = outcome(provider, &call(provider, kind), *status, body, "").await;
        assert_eq!(&word(&found), expected, "{provider} {kind}: {status} {body}: {found:?}");
    }
}

const MISSING: &str = r#"{"data":"null","success":false,"message":"Missing fiscal_id","error":423}"#;
const UNKNOWN_FISCAL_ID: &str =
    r#"{"data":"null","success":true,"message":"Fiscal ID not found or not registered","error":111}"#;

#[tokio::test]
async fn a_sale_at_openapi() {
    rows(OPENAPI, Kind::Receipt, &[
        (200, r#"{"data":{"id":"679cd95","status":"new","total_amount":0,"document_number":""},"success":true,"message":"","error":null}"#, "accepted 679cd95"),
        (201, r#"{"data":{"data":{"id":"679cd95"},"custom":null},"error":"nulll"}"#, "accepted 679cd95"),
        (200, r#"{"data":{"id":"679cd95","tags":["oq-till-3/2026-11-22/000123"]}}"#, "accepted 679cd95"),
        (200, r#"{"data":{"id":"679cd95","tags":["theirs"]}}"#, "accepted 679cd95"),
        (200, r#"{"data":{"id":"679cd95","tags":[["oq-till-3/2026-11-22/000124"]]}}"#, "unknown"),
        (200, r#"{"data":{"id":"679cd95"},"success":false}"#, "unknown"),
        (200, r#"{"data":"null","success":true,"message":"ok"}"#, "unknown"),
        (200, r#"{"id":"679cd95"}"#, "unknown"),
        (200, r#"{"data":{"id":null},"success":true}"#, "unknown"),
        (204, "", "unknown"),
        (400, MISSING, "refused"),
        (400, r#"{"data":"null","success":true,"message":"Invalid field","error":670}"#, "refused"),
        (422, r#"{"success":false,"message":"Unprocessable","error":99}"#, "refused"),
        (422, r#"{"success":false,"message":"INVALID_CREDENTIALS","error":422}"#, "hold fiscal_id credentials"),
        (400, r#"{"success":false,"message":"bad","error":"INVALID_CREDENTIALS"}"#, "hold fiscal_id credentials"),
        (401, r#"{"success":false,"message":"Unauthorized","error":120}"#, "hold account credentials"),
        (401, "", "hold account credentials"),
        (402, r#"{"success":false,"message":"pay"}"#, "hold account unpaid"),
        (400, r#"{"success":false,"message":"Insufficient credit in your wallet","error":140}"#, "hold account unpaid"),
        (403, r#"{"success":false,"message":"scope","error":160}"#, "hold account forbidden"),
        (404, UNKNOWN_FISCAL_ID, "hold fiscal_id unknown_fiscal_id"),
        (400, UNKNOWN_FISCAL_ID, "hold fiscal_id unknown_fiscal_id"),
        (409, r#"{"success":false,"message":"conflict","error":1}"#, "refused"),
        (429, "", "pause"),
        (418, "{}", "unknown"),
    ])
    .await;
}

#[tokio::test]
async fn an_answer_with_anothers_tag_is_marked() {
    let body = r#"{"data":{"id":"x","tags":["oq-other"]}}"#;
    let found = outcome(OPENAPI, &call(OPENAPI, Kind::Receipt), 200, body, "").await;
    let SubmitOutcome::Unknown { why } = found else { panic!("{found:?}") };
    assert!(why.starts_with(staffetta::provider::OTHERS_ANSWER) && why.ends_with(" for x"), "{why}");
}

/// Ours is not among them then, and one of the till's may look like ours.
#[tokio::test]
async fn a_sale_whose_tags_the_till_has_filled() {
    let tags = (0..10).map(|number| format!(r#""oq-{number}""#)).collect::<Vec<_>>().join(",");
    let sale = SALE.replacen('{', &format!(r#"{{"tags":[{tags}],"#), 1);
    let body = Body::from_json(Kind::Receipt, &sale).expect("a sale");
    let filled = Call { body, ..call(OPENAPI, Kind::Receipt) };
    let found = outcome(OPENAPI, &filled, 200, r#"{"data":{"id":"x","tags":["oq-0","oq-1"]}}"#, "").await;
    assert_eq!(word(&found), "accepted x");
}

#[tokio::test]
async fn a_sale_at_smart_receipt() {
    let violations = r#"{"type":"t","title":"An error occurred","detail":"items[0].gross_discount: Discount cannot be greater or equal to total amount","violations":[{"propertyPath":"items[0].gross_discount","message":"Discount cannot be greater or equal to total amount"}]}"#;
    rows(SMART, Kind::Receipt, &[
        (201, r#"{"uuid":"u-1","type":"sale","status":"new","created_at":"2026-11-22 12:00:01","total_amount":"3.80"}"#, "accepted u-1"),
        (201, r#"{"type":"sale"}"#, "unknown"),
        (204, "", "unknown"),
        (400, violations, "refused"),
        (422, violations, "refused"),
        (400, r#"{"title":"An error occurred","detail":"BAD_REQUEST"}"#, "unknown"),
        (400, r#"{"title":"An error occurred","detail":"BAD_REQUEST","violations":[]}"#, "unknown"),
        (400, r#"{"title":"An error occurred","detail":"The receipt is too old"}"#, "refused"),
        (400, r#"{"detail":"fiscal_id: Unknown fiscal id","violations":[{"propertyPath":"fiscal_id","message":"Unknown fiscal id"}]}"#, "hold fiscal_id unknown_fiscal_id"),
        (403, r#"{"detail":"CANNOT_SEND_DATA_FOR_THIS_LEGAL_ENTITY"}"#, "hold fiscal_id unknown_fiscal_id"),
        (403, r#"{"detail":"CANNOTSENDDATAFORTHISLEGALENTITY"}"#, "hold fiscal_id unknown_fiscal_id"),
        (403, r#"{"code":403,"message":"Access Denied"}"#, "hold account forbidden"),
        (422, r#"{"detail":"INVALID_CREDENTIALS"}"#, "hold fiscal_id credentials"),
        (401, r#"{"code":401,"message":"Invalid JWT Token"}"#, "hold account credentials"),
        (402, r#"{"detail":"pay"}"#, "hold account unpaid"),
        (404, r#"{"detail":"Not Found"}"#, "hold account misconfigured"),
        (500, r#"{"detail":"SERVICE_UNAVAILABLE"}"#, "unknown"),
        (429, r#"{"detail":"slow down"}"#, "pause"),
    ])
    .await;
}

#[tokio::test]
async fn tax_free_documents_at_stamp() {
    let refused = r#"{"ErrorCode":7,"ErrorMessage":"MerchantInvoiceId exists"}"#;
    let not_found = r#"{"ErrorCode":101,"ErrorMessage":"Not found"}"#;
    rows(
        STAMP,
        Kind::Draft,
        &[
            (200, r#"{"DraftId":"d-1","InvoiceId":"i-1"}"#, "accepted i-1"),
            (200, r#"{"DraftId":"d-1"}"#, "unknown"),
            (200, r#"{"InvoiceId":"i-1"}"#, "unknown"),
            (200, "", "unknown"),
            (400, refused, "refused"),
            (400, not_found, "refused"),
            (404, not_found, "hold account misconfigured"),
            (403, refused, "hold account forbidden"),
            (401, "", "hold account credentials"),
            (500, refused, "unknown"),
            (429, "", "pause"),
        ],
    )
    .await;
    for kind in [Kind::NoteNumber, Kind::Void] {
        rows(
            STAMP,
            kind,
            &[
                (200, "", "registered parent"),
                (204, "", "registered parent"),
                (200, "null", "registered parent"),
                (200, r#"{"ErrorCode":101,"ErrorMessage":"Not found"}"#, "unknown"),
                (200, "welcome", "unknown"),
                (400, not_found, "later"),
                (400, refused, "refused"),
                (404, refused, "refused"),
                (403, refused, "hold account forbidden"),
                (401, "", "hold account credentials"),
                (500, "", "unknown"),
                (429, "", "pause"),
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn what_a_draft_brings() {
    let found = outcome(STAMP, &call(STAMP, Kind::Draft), 200, r#"{"DraftId":"d-1","InvoiceId":"i-1"}"#, "").await;
    let SubmitOutcome::Accepted(remote) = found else { panic!("{found:?}") };
    assert_eq!(
        (remote.draft_id.as_deref(), remote.invoice_id.as_deref(), remote.remote_id.as_deref()),
        (Some("d-1"), Some("i-1"), Some("i-1"))
    );
    assert!(remote.portal_url.is_some_and(|url| url.ends_with("/portal/draft-invoice/d-1")));
}

#[tokio::test]
async fn what_a_sale_brings() {
    let body = r#"{"data":{"id":"x","status":"new","created_at":"2025-01-31T14:08:20.000Z","document_number":"","total_amount":0,
        "transaction_id":null,"items":[{"quantity":11,"description":"t","unit_price":10,"vat_rate_code":"22"}]},"success":true}"#;
    let SubmitOutcome::Accepted(remote) = outcome(OPENAPI, &call(OPENAPI, Kind::Receipt), 200, body, "").await else {
        panic!()
    };
    assert_eq!(remote.created_at, Some(time("2025-01-31T14:08:20Z")));
    assert_eq!(remote.status.as_deref(), Some("new"));
    assert_eq!((remote.document_number, remote.transaction_id), (None, None));
    assert!(remote.items.is_empty() && remote.totals.is_empty(), "{:?} {:?}", remote.items, remote.totals);
    // No zone: of the two that it may mean, the one near the answer. 13:00 in Rome is noon UTC.
    let body = r#"{"uuid":"u","status":"new","created_at":"2026-11-22 13:00:00","total_amount":"3.80"}"#;
    let SubmitOutcome::Accepted(remote) = outcome(SMART, &call(SMART, Kind::Receipt), 201, body, "").await else {
        panic!()
    };
    assert_eq!(remote.created_at, Some(time(NOW)));
    assert_eq!(remote.totals, [("total_amount".to_owned(), "3.80".to_owned())]);
}

#[tokio::test]
async fn a_refusal_keeps_the_providers_words() {
    let body =
        r#"{"detail":"a: b","violations":[{"propertyPath":"a","message":"b"},{"propertyPath":"","message":"c"}]}"#;
    let SubmitOutcome::Refused(refusal) = outcome(SMART, &call(SMART, Kind::Receipt), 400, body, "").await else {
        panic!()
    };
    let paths: Vec<_> =
        refusal.violations.iter().map(|one| (one.property_path.as_str(), one.message.as_str())).collect();
    assert_eq!(paths, [("a", "b"), ("", "c")]);
    let SubmitOutcome::Refused(refusal) = outcome(OPENAPI, &call(OPENAPI, Kind::Receipt), 400, MISSING, "").await
    else {
        panic!()
    };
    assert_eq!(refusal.code.as_deref(), Some("423"));
    assert_eq!(refusal.message, "HTTP 400: Missing fiscal_id (error 423)");
}

/// The dispatcher knows a bare BAD_REQUEST by this, to take its repetition for a refusal.
#[tokio::test]
async fn a_bare_bad_request_is_marked() {
    let body = r#"{"title":"An error occurred","detail":"BAD_REQUEST"}"#;
    let SubmitOutcome::Unknown { why } = outcome(SMART, &call(SMART, Kind::Receipt), 400, body, "").await else {
        panic!()
    };
    assert!(why.starts_with(staffetta::provider::BARE_BAD_REQUEST), "{why}");
    let other = outcome(SMART, &call(SMART, Kind::Receipt), 500, r#"{"detail":"SERVICE_UNAVAILABLE"}"#, "").await;
    let SubmitOutcome::Unknown { why } = other else { panic!() };
    assert!(!why.starts_with(staffetta::provider::BARE_BAD_REQUEST) && why.contains("SERVICE_UNAVAILABLE"), "{why}");
}

/// Refused because the parent is not there yet is "later"; voided already may have been our doing; a parent that is
/// gone stays gone.
#[tokio::test]
async fn a_correction_that_is_refused() {
    let parent = |provider, status: &str| -> &'static str {
        let body = if provider == OPENAPI {
            format!(r#"{{"data":{{"id":"parent","status":"{status}"}}}}"#)
        } else {
            format!(r#"{{"uuid":"parent","status":"{status}"}}"#)
        };
        Box::leak(body.into_boxed_str())
    };
    let error = r#"{"message":"not in this state","detail":"not in this state","error":77}"#;
    for provider in [OPENAPI, SMART] {
        for (kind, status, expected) in [
            (Kind::Void, "new", "later"),
            (Kind::Void, "retry", "later"),
            (Kind::Return, "new", "later"),
            (Kind::Void, "voided", "unknown"),
            (Kind::Return, "voided", "refused"),
            (Kind::Void, "ready", "refused"),
            (Kind::Void, "submitted", "refused"),
            (Kind::Void, "failed", "refused"),
        ] {
            for code in [400, 409, 422] {
                let found = outcome(provider, &call(provider, kind), code, error, parent(provider, status)).await;
                assert_eq!(word(&found), expected, "{provider} {kind} of a sale that is {status}: {found:?}");
            }
        }
        for kind in [Kind::Void, Kind::Return] {
            // The parent cannot be read: nothing was processed, so it is asked again later.
            for code in [400, 404] {
                assert_eq!(word(&outcome(provider, &call(provider, kind), code, error, "").await), "later");
            }
            assert_eq!(word(&outcome(provider, &call(provider, kind), 400, error, "404").await), "refused");
            assert_eq!(word(&outcome(provider, &call(provider, kind), 404, error, "404").await), "refused");
        }
        let hold = outcome(OPENAPI, &call(OPENAPI, Kind::Void), 404, UNKNOWN_FISCAL_ID, "").await;
        assert_eq!(word(&hold), "hold fiscal_id unknown_fiscal_id");
    }
}

#[tokio::test]
async fn what_a_correction_brings() {
    let child = r#"{"data":{"id":"child","type":"return","parent_receipt_id":"parent","items":[{}],"status":"new","total_amount":null},"success":true,"error":"nulll"}"#;
    for kind in [Kind::Return, Kind::Void] {
        assert_eq!(word(&outcome(OPENAPI, &call(OPENAPI, kind), 200, child, "").await), "accepted child");
        // The parent itself is not the child.
        let parent = r#"{"data":{"id":"parent","status":"voided"},"success":true}"#;
        assert_eq!(word(&outcome(OPENAPI, &call(OPENAPI, kind), 200, parent, "").await), "unknown");
    }
    let (back, void) = (call(SMART, Kind::Return), call(SMART, Kind::Void));
    assert_eq!(word(&outcome(SMART, &back, 201, r#"{"uuid":"child","status":"new"}"#, "").await), "accepted child");
    assert_eq!(word(&outcome(SMART, &back, 201, r#"{"uuid":"parent","status":"ready"}"#, "").await), "unknown");
    assert_eq!(word(&outcome(SMART, &back, 204, "", "").await), "unknown");
    // A void is answered with nothing: its id is with the parent, at once or later.
    let named = r#"{"uuid":"parent","status":"ready","voiding_receipt":{"uuid":"child"}}"#;
    assert_eq!(word(&outcome(SMART, &void, 204, "", named).await), "accepted child");
    let path = r#"{"uuid":"parent","status":"ready","voiding_receipt":"/receipts/child"}"#;
    assert_eq!(word(&outcome(SMART, &void, 204, "", path).await), "accepted child");
    assert_eq!(word(&outcome(SMART, &void, 204, "", "").await), "accepted void-of:parent");
    assert_eq!(word(&outcome(SMART, &void, 200, "", "").await), "unknown");
}

#[tokio::test]
async fn retry_after_and_the_providers_clock() {
    for (value, seconds) in [("7", 7), ("86400", 3600), ("Sun, 22 Nov 2026 12:01:10 GMT", 60), ("soon", 0)] {
        let server = FaultServer::start(move |_| {
            let headers = [("retry-after", value), ("date", "Sun, 22 Nov 2026 12:00:10 GMT")];
            Act::Say(answer(429, &headers, b"{}"))
        })
        .await;
        let answer = adapter(OPENAPI, &server).submit(&call(OPENAPI, Kind::Receipt)).await;
        assert_eq!(answer.clock_skew_ms, Some(10_500));
        let SubmitOutcome::Deferred { retry_after, account: true, .. } = answer.outcome else { panic!("{answer:?}") };
        assert_eq!(retry_after, (value != "soon").then(|| Duration::from_secs(seconds)));
    }
}

#[tokio::test]
async fn documents_of_another_provider() {
    let server = FaultServer::start(|_| json(500, "{}")).await;
    for provider in [OPENAPI, SMART, STAMP] {
        for kind in Kind::ALL.into_iter().filter(|kind| !provider.takes(*kind)) {
            let outcome = adapter(provider, &server).submit(&call(provider, kind)).await;
            assert_eq!(word(&outcome.outcome), "refused", "{provider} {kind}");
        }
    }
    assert!(server.requests().is_empty());
}
