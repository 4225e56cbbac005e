//! Whatever an answer holds: no panic, and no "accepted" without an id.

use proptest::prelude::*;
use staffetta::provider::raw;

use super::*;

/// Bytes that look like what providers send, more often than not.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"null\"".to_owned()),
        Just("\"'22'\"".to_owned()),
        Just("{}".to_owned()),
        Just("[{}]".to_owned()),
        Just("1e400".to_owned()),
        Just("-0.000000000000000000001".to_owned()),
        Just("\"x\"".to_owned()),
        Just("\"parent\"".to_owned()),
        Just("101".to_owned()),
        Just("\"ready\"".to_owned()),
        Just("\"failed\"".to_owned()),
        Just("\"2026-02-30T25:61:00Z\"".to_owned()),
        Just("\"2026-03-29 02:30:00\"".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        "[ -~]{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap_or_default()),
    ];
    let name = prop::sample::select(vec![
        "id",
        "uuid",
        "data",
        "success",
        "status",
        "items",
        "violations",
        "propertyPath",
        "message",
        "detail",
        "error",
        "ErrorCode",
        "InvoiceId",
        "DraftId",
        "Status",
        "created_at",
        "create_timestamp",
        "total_amount",
        "error_code",
        "error_message",
        "document_number",
        "voiding_receipt",
        "transaction_id",
        "quantity",
        "description",
    ]);
    let json = scalar.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec((name.clone(), inner), 0..6).prop_map(|all| {
                let members: Vec<String> = all.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    prop_oneof![
        8 => json.prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => Just(b"<html>".to_vec()),
        1 => Just(Vec::new()),
    ]
}

fn status() -> impl Strategy<Value = u16> {
    prop_oneof![4 => prop::sample::select(vec![200u16, 201, 204, 400, 401, 403, 404, 409, 422, 429, 500, 503]), 1 => any::<u16>()]
}

fn headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = prop_oneof![Just("date".to_owned()), Just("retry-after".to_owned()), "[a-z-]{0,9}"];
    let value = prop_oneof![
        Just(b"Sun, 22 Nov 2026 12:00:10 GMT".to_vec()),
        Just(b"99999999999999999999".to_vec()),
        Just(b"Sun, 99 Nov 262143 12:00:10 GMT".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec((name, value), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn a_list_never_panics_nor_invents_an_id(status in status(), headers in headers(), body in body()) {
        for provider in [OPENAPI, SMART] {
            for kind in [Kind::Receipt, Kind::Return] {
                let outcome = raw::look_up(provider, &lost(provider, kind), status, &headers, &body, time(NOW));
                match &outcome {
                    LookUpOutcome::Found(remote) => prop_assert!(remote.remote_id.as_ref().is_some_and(|id| !id.is_empty())),
                    LookUpOutcome::Ambiguous(ids) => prop_assert!(!ids.is_empty()),
                    LookUpOutcome::NotFound => prop_assert!((200..300).contains(&status), "{status}"),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn an_answer_never_panics_nor_invents_an_id(status in status(), headers in headers(), body in body()) {
        for provider in [OPENAPI, SMART, STAMP] {
            for call in calls(provider) {
                let outcome = raw::submit(provider, &call, status, &headers, &body, time(NOW));
                match &outcome {
                    SubmitOutcome::Accepted(remote) => {
                        prop_assert!(remote.remote_id.as_ref().is_some_and(|id| !id.is_empty()), "{provider}: {outcome:?}");
                        prop_assert!(remote.remote_id != call.parent_id, "the parent's id: {outcome:?}");
                        prop_assert!((200..300).contains(&status));
                    }
                    SubmitOutcome::Registered(remote) => {
                        prop_assert!(remote.invoice_id.is_some() && provider == STAMP && (200..300).contains(&status));
                    }
                    SubmitOutcome::Refused(_) => prop_assert!((400..499).contains(&status), "{status}: {outcome:?}"),
                    SubmitOutcome::Deferred { retry_after, .. } => {
                        prop_assert!(retry_after.is_none_or(|wait| wait <= Duration::from_secs(3600)));
                    }
                    // An answer came: something left.
                    SubmitOutcome::NotSent { .. } => prop_assert!(false, "{outcome:?}"),
                    SubmitOutcome::Hold(_) | SubmitOutcome::Unknown { .. } => {}
                }
                let tracked = tracked(provider, call.body.kind(), "x");
                if let TrackOutcome::Registered(remote) = raw::track(provider, &tracked, status, &headers, &body, time(NOW)) {
                    prop_assert!(remote.remote_id.is_some(), "{provider}: {remote:?}");
                }
            }
        }
    }
}
