//! Lists that move while they are read.

use super::*;

/// Rows that leave a list while it is paged move others past the reader: what was not seen then is not "not there".
#[tokio::test]
async fn a_list_that_moves_while_it_is_paged_is_never_not_found() {
    let others = |n: usize| {
        (0..n).map(|n| row(&format!("n{n}"), value!({"cash_payment_amount": 1, "status": "new", "total_amount": 1})))
    };
    let ours = || row("ours", value!({"status": "new"}));
    for provider in [OPENAPI, SMART] {
        let what = format!("{provider:?}");
        let with_ours = |before: usize| others(before).chain([ours()]).collect::<Vec<_>>();
        let behind_the_boundary = || {
            let mut rows = with_ours(7);
            rows.swap(3, 7);
            rows
        };
        let delivered: fn(&mut Vec<Value>) = |rows| rows[0]["status"] = value!("submitted");
        let removed: fn(&mut Vec<Value>) = |rows| drop(rows.remove(0));
        let still: fn(&mut Vec<Value>) = |_| {};
        let came: fn(&mut Vec<Value>) =
            |rows| rows.insert(0, row("later", value!({"cash_payment_amount": 1, "status": "new", "total_amount": 1})));
        let came_ours: fn(&mut Vec<Value>) = |rows| rows.insert(0, row("ours", value!({"status": "new"})));
        // Ours stands just behind the boundary and moves before it.
        assert_eq!(
            while_it_is_paged(provider, behind_the_boundary(), removed).await.0,
            "failed",
            "{what}: one was removed"
        );
        if provider == SMART {
            assert_eq!(
                while_it_is_paged(provider, behind_the_boundary(), delivered).await.0,
                "failed",
                "{what}: one moved on"
            );
        }
        let seven = || others(7).collect::<Vec<_>>();
        assert_eq!(while_it_is_paged(provider, seven(), came_ours).await.0, "failed", "{what}: ours came in front");
        // A busy shop is still told.
        assert_eq!(while_it_is_paged(provider, seven(), came).await.0, "not_found", "{what}: another came in front");
        let (word, requests) = while_it_is_paged(provider, seven(), still).await;
        // Three pages, the empty one, the first again; Smart Receipt's five other lists are empty.
        let lists = if provider == SMART { 5 } else { 0 };
        assert_eq!((word.as_str(), requests), ("not_found", 5 + lists), "{what}: nothing moved");
        let (word, requests) = while_it_is_paged(provider, with_ours(7), still).await;
        assert_eq!((word.as_str(), requests), ("found ours", 4 + lists), "{what}: found, nothing to make sure of");
        let (word, requests) = while_it_is_paged(provider, others(2).collect(), still).await;
        assert_eq!((word.as_str(), requests), ("not_found", 2 + lists), "{what}: one page does not move");
    }
}

/// A row met under two statuses: others may have moved past the reader with it.
#[tokio::test]
async fn a_receipt_met_under_two_statuses_is_never_not_found() {
    let rows = ["new", "submitted"].map(|status| bare("n", status, "2026-11-22 12:00:10", "1.00"));
    assert_eq!(Shop::of(rows.to_vec()).look_up(SMART, &lost(SMART, Kind::Receipt), &[]).await, "failed");
}
