//! What became of a lost submission (PROVIDERS.md 4.3).

use serde_json::{Value, json as value};

use super::fault_server::{FaultServer, Received, json};
use super::*;

mod moving;

/// A provider's receipts: list rows, each also to be had alone, with what only that shows.
#[derive(Clone, Default)]
pub struct Shop {
    rows: Vec<Value>,
    /// By id: members that only the single receipt (Openapi) or the details (Smart Receipt) have.
    alone: Vec<(&'static str, Value)>,
    /// Rows on a page at most, whatever was asked for.
    page: usize,
    /// Targets that contain this fail.
    broken: &'static str,
}

impl Shop {
    pub fn of(rows: Vec<Value>) -> Shop {
        Shop { rows, page: 100, ..Shop::default() }
    }

    fn answer(&self, provider: ProviderKind, request: &Received) -> fault_server::Act {
        if is_login(request) {
            return logged_in();
        }
        if !self.broken.is_empty() && request.target.contains(self.broken) {
            return json(500, "{}");
        }
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let wanted = |name: &str| {
            let prefix = format!("{name}=");
            query.split('&').find_map(|pair| pair.strip_prefix(&prefix)).map(str::to_owned)
        };
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        match (provider, segments.as_slice()) {
            (ProviderKind::Openapi, ["IT-receipts"]) => {
                let skip: usize = wanted("skip").and_then(|skip| skip.parse().ok()).unwrap_or(0);
                let rows = self.rows.iter().filter(|row| {
                    let day = wanted("created_at")
                        .is_none_or(|day| row["created_at"].as_str().unwrap_or("").starts_with(&day));
                    let parent =
                        wanted("parent_receipt_id").is_none_or(|parent| row["parent_receipt_id"] == parent.as_str());
                    day && parent
                });
                let rows: Vec<&Value> = rows.skip(skip).take(self.page).collect();
                json(200, &value!({"data": rows, "success": true}).to_string())
            }
            (_, ["receipts"]) => {
                let page: usize = wanted("page").and_then(|page| page.parse().ok()).unwrap_or(1);
                let rows = self
                    .rows
                    .iter()
                    .filter(|row| wanted("status").is_none_or(|status| row["status"] == status.as_str()));
                let rows: Vec<&Value> = rows.skip((page - 1) * self.page).take(self.page).collect();
                json(200, &value!(rows).to_string())
            }
            (_, ["IT-receipts", id] | ["receipts", id] | ["receipts", id, "details"]) => {
                let Some(row) = self.rows.iter().find(|row| row["id"] == *id || row["uuid"] == *id) else {
                    return json(404, r#"{"message":"not here","detail":"Not Found"}"#);
                };
                let extra = self.alone.iter().find(|(known, _)| known == id).map(|(_, extra)| extra);
                let details = segments.len() == 3;
                if details && extra.is_none() {
                    return json(404, r#"{"detail":"Not Found"}"#);
                }
                let mut whole = row.clone();
                if let (Some(extra), true) = (extra, details || provider == OPENAPI) {
                    for (name, member) in extra.as_object().expect("an object") {
                        whole[name] = member.clone();
                    }
                }
                json(200, &if provider == OPENAPI { value!({"data": whole}) } else { whole }.to_string())
            }
            _ => json(404, "{}"),
        }
    }

    /// What there is about the parent of a correction.
    pub async fn standing(self, provider: ProviderKind, call: &Call) -> (StandingOutcome, Vec<String>) {
        let server = FaultServer::start(move |request| self.answer(provider, request)).await;
        let answer = adapter(provider, &server).standing(call).await;
        (answer.outcome, server.lines().into_iter().filter(|line| !line.contains("/login")).collect())
    }

    pub fn alone(self, id: &'static str, more: Value) -> Shop {
        Shop { alone: vec![(id, more)], ..self }
    }

    pub fn broken(self, broken: &'static str) -> Shop {
        Shop { broken, ..self }
    }

    pub async fn look_up(self, provider: ProviderKind, lost: &Lost, claimed: &'static [&'static str]) -> String {
        let server = FaultServer::start(move |request| self.answer(provider, request)).await;
        let answer = adapter(provider, &server).look_up(lost, &Others(claimed)).await;
        found_word(&answer.outcome)
    }
}

/// The lines of the sale, in the fiscal shape.
fn lines() -> Value {
    value!([
        {"id": "1", "quantity": 1.00, "description": "CORNETTO VUOTO", "gross_price": "1.50", "vat_rate": "'10'", "gross_discount": 0.1, "unit_price": 1.36363636, "complimentary": false},
        {"id": "2", "quantity": "2", "description": "Caffe\u{300}".replace("e\u{300}", "è"), "gross_price": 1.2, "vat_rate": "10.00", "gross_discount": 0, "unit_price": 1.09090909},
    ])
}

fn row(id: &str, more: Value) -> Value {
    let mut row = value!({
        "id": id, "uuid": id, "fiscal_id": "12345678903", "type": "sale", "status": "submitted", "created_at": "2026-11-22T12:00:10.000Z",
        "cash_payment_amount": 3.8, "electronic_payment_amount": 0, "discount": 0, "lottery_code": null, "items": lines(),
    });
    for (name, member) in more.as_object().expect("an object") {
        row[name] = member.clone();
    }
    row
}

fn sale() -> Lost {
    lost(OPENAPI, Kind::Receipt)
}

const TAG: &str = "oq-till-3/2026-11-22/000123";

#[tokio::test]
async fn a_sale_at_openapi_by_its_content() {
    let request_shape = value!([
        {"quantity": 2, "description": "Caffè", "unit_price": 1.20, "vat_rate_code": "10"},
        {"quantity": 1, "description": "Cornetto, vuoto", "unit_price": 1.50, "vat_rate_code": "10", "discount": 0.10},
    ]);
    // What its net price would look like if it were taken for gross.
    let net = value!([
        {"quantity": 2, "description": "Caffè", "unit_price": 1.09, "vat_rate_code": "10"},
        {"quantity": 1, "description": "Cornetto, vuoto", "unit_price": 1.36, "vat_rate_code": "10", "discount": 0.10},
    ]);
    let other_line = |name: &str, member: Value| {
        let mut lines = lines();
        lines[0][name] = member;
        value!({"items": lines})
    };
    for (what, more, expected) in [
        ("the fiscal shape", value!({}), "found a"),
        ("the request's shape", value!({"items": request_shape}), "found a"),
        ("new, not summed up", value!({"items": request_shape, "status": "new", "total_amount": 0}), "found a"),
        ("failed already", value!({"status": "failed"}), "found a"),
        ("net prices", value!({"items": net}), "not_found"),
        ("another quantity", other_line("quantity", value!(2)), "not_found"),
        ("another price", other_line("gross_price", value!("1.51")), "not_found"),
        ("another rate", other_line("vat_rate", value!("22")), "not_found"),
        ("another discount", other_line("gross_discount", value!(0)), "not_found"),
        ("a gift", other_line("complimentary", value!(true)), "not_found"),
        ("another thing", other_line("description", value!("Brioche")), "not_found"),
        ("the end cut off", other_line("description", value!("Cornetto")), "ambiguous a"),
        ("a line less", value!({"items": [lines()[0]]}), "not_found"),
        ("paid otherwise", value!({"cash_payment_amount": 0, "electronic_payment_amount": 3.8}), "not_found"),
        ("another lottery code", value!({"lottery_code": "ABCDEFGH"}), "not_found"),
        ("another VAT number", value!({"fiscal_id": "99999999999"}), "not_found"),
        ("a return", value!({"type": "return"}), "not_found"),
        ("the tag of another sale of ours", value!({"tags": ["oq-till-3/2026-11-22/000122"]}), "not_found"),
        ("another's tag", value!({"tags": ["store1"]}), "found a"),
        ("before it was sent", value!({"created_at": "2026-11-22T11:59:54Z"}), "not_found"),
        ("by clocks a little apart", value!({"created_at": "2026-11-22T11:59:56Z"}), "found a"),
        ("while it settled", value!({"created_at": "2026-11-22T12:02:29Z"}), "found a"),
        ("after it settled", value!({"created_at": "2026-11-22T12:02:36Z"}), "not_found"),
        ("at a time unknown", value!({"created_at": "2026-11-22 some time"}), "found a"),
    ] {
        assert_eq!(Shop::of(vec![row("a", more)]).look_up(OPENAPI, &sale(), &[]).await, expected, "{what}");
    }
}

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn the_providers_clock_moves_the_window() {
    let at = |text: &str| Shop::of(vec![row("a", value!({"created_at": text}))]);
    for (skew, created, expected) in [
        (600_000, "2026-11-22T12:10:05Z", "found a"),
        (-600_000, "2026-11-22T11:50:05Z", "found a"),
        (0, "2026-11-22T12:10:05Z", "not_found"),
        (0, "2026-11-22T11:50:05Z", "not_found"),
        // Not a little off but wrong, as after a dead battery: only the provider's clock counts.
        (3 * DAY_MS, "2026-11-25T12:00:05Z", "found a"),
        (-20_000 * DAY_MS, "1972-02-19T12:00:05Z", "found a"),
        (3 * DAY_MS, "2026-11-22T12:00:05Z", "not_found"),
    ] {
        let lost = Lost { clock_skew_ms: skew, ..sale() };
        assert_eq!(at(created).look_up(OPENAPI, &lost, &[]).await, expected, "{skew} {created}");
    }
}

#[tokio::test]
async fn several_candidates() {
    let twin = |id| row(id, value!({}));
    let ours = |id| row(id, value!({"tags": [["store1"], TAG]}));
    for (what, rows, claimed, expected) in [
        ("nothing", vec![], &[][..], "not_found"),
        ("twins", vec![twin("a"), twin("b")], &[], "ambiguous a b"),
        ("a twin that is another document's", vec![twin("a"), twin("b")], &["a"], "found b"),
        ("both are others'", vec![twin("a"), twin("b")], &["a", "b"], "not_found"),
        ("our tag among twins", vec![twin("a"), ours("b"), twin("c")], &[], "found b"),
        ("our tag twice", vec![ours("a"), ours("b")], &[], "ambiguous a b"),
        (
            "our tag, an hour off",
            vec![row("a", value!({"tags": [TAG], "created_at": "2026-11-22T13:00:00Z"}))],
            &[],
            "found a",
        ),
        (
            "our tag, of before it was sent: another till's, or this one's before it was set up anew",
            vec![row("a", value!({"tags": [TAG], "created_at": "2026-11-22T11:00:00Z"}))],
            &[],
            "ambiguous a",
        ),
        (
            "our tag, of before and of now",
            vec![row("a", value!({"tags": [TAG], "created_at": "2026-11-22T11:00:00Z"})), ours("b")],
            &[],
            "found b",
        ),
        ("our tag, claimed", vec![ours("a")], &["a"], "not_found"),
        (
            "our tag on another content",
            vec![row("a", value!({"tags": [TAG], "cash_payment_amount": 9}))],
            &[],
            "ambiguous a",
        ),
        ("a row without an id", vec![row("", value!({}))], &[], "failed"),
    ] {
        assert_eq!(Shop::of(rows).look_up(OPENAPI, &sale(), claimed).await, expected, "{what}");
    }
}

#[tokio::test]
async fn what_the_list_does_not_show_is_read_from_the_receipt() {
    let bare = |id, status| row(id, value!({"items": [{}], "status": status}));
    let mut shop = Shop::of(vec![bare("a", "submitted")]);
    shop.alone = vec![("a", value!({"items": lines()}))];
    assert_eq!(shop.clone().look_up(OPENAPI, &sale(), &[]).await, "found a");
    shop.alone = vec![("a", value!({"items": lines(), "cash_payment_amount": 1}))];
    assert_eq!(shop.clone().look_up(OPENAPI, &sale(), &[]).await, "not_found");
    shop.broken = "/IT-receipts/a";
    assert_eq!(shop.look_up(OPENAPI, &sale(), &[]).await, "failed");
    // No lines anywhere: asked again while they may come, a person's matter when they do not.
    assert_eq!(Shop::of(vec![bare("a", "new")]).look_up(OPENAPI, &sale(), &[]).await, "failed");
    assert_eq!(Shop::of(vec![bare("a", "ready")]).look_up(OPENAPI, &sale(), &[]).await, "ambiguous a");
    // Tags only there: they tell twins apart.
    let mut shop = Shop::of(vec![row("a", value!({})), row("b", value!({}))]);
    shop.alone = vec![("a", value!({"tags": ["oq-other"]})), ("b", value!({"tags": [TAG]}))];
    assert_eq!(shop.clone().look_up(OPENAPI, &sale(), &[]).await, "found b");
    shop.alone = vec![("a", value!({"tags": ["oq-other"]}))];
    assert_eq!(shop.look_up(OPENAPI, &sale(), &[]).await, "found b");
}

#[tokio::test]
async fn all_pages_and_both_days_are_read() {
    // A provider that gives three rows at once, whatever it is asked for; ours is the last.
    let mut rows: Vec<Value> = (0..7).map(|n| row(&format!("n{n}"), value!({"cash_payment_amount": 1}))).collect();
    rows.push(row("z", value!({})));
    for provider in [OPENAPI, SMART] {
        let mut shop = Shop::of(rows.clone());
        shop.page = 3;
        shop.alone = vec![("z", value!({"items": lines()}))];
        assert_eq!(
            shop.look_up(provider, &Lost { call: call(provider, Kind::Receipt), ..sale() }, &[]).await,
            "found z"
        );
    }
    // 23:59:50 UTC is the next day in Rome, and two minutes later in UTC too.
    let (shop, late) =
        (Shop::of(vec![row("a", value!({"created_at": "2026-11-23T00:00:20Z"}))]), time("2026-11-22T23:59:50Z"));
    let server = FaultServer::start(move |request| shop.answer(OPENAPI, request)).await;
    let lost = Lost { sent_at: late, ended_at: late + Duration::from_secs(30), ..sale() };
    let answer = adapter(OPENAPI, &server).look_up(&lost, &Others(&[])).await;
    assert_eq!(found_word(&answer.outcome), "found a");
    let days = |day: &str| server.lines().iter().filter(|line| line.contains(&format!("created_at={day}"))).count();
    assert!(days("2026-11-22") > 0 && days("2026-11-23") > 0, "{:?}", server.lines());
    assert!(server.lines().iter().all(|line| line.starts_with("GET ")));
}

#[tokio::test]
async fn a_reading_that_fails_is_never_not_found() {
    let page = |status: u16, body: &'static str| async move {
        let mut words = Vec::new();
        for provider in [OPENAPI, SMART] {
            for kind in [Kind::Receipt, Kind::Return, Kind::Void] {
                let server =
                    FaultServer::start(move |request| if is_login(request) { logged_in() } else { json(status, body) })
                        .await;
                words.push(found_word(
                    &adapter(provider, &server).look_up(&lost(provider, kind), &Others(&[])).await.outcome,
                ));
            }
        }
        words.sort();
        words.dedup();
        words
    };
    for (status, body) in [
        (500, ""),
        (502, "<html>"),
        (200, "<html>"),
        (200, "{}"),
        (200, r#"{"data":"null","success":true}"#),
        (200, r#"{"data":null}"#),
        (200, r#"{"success":false,"data":[]}"#),
        (308, ""),
        (404, "<html>"),
        (404, r#"{"message":"no","detail":"no"}"#),
        (429, "{}"),
        (200, r#"{"data":[{"id":"same","uuid":"same","type":"sale","created_at":"2020-01-01T00:00:00Z"}]}"#),
    ] {
        assert_eq!(page(status, body).await, ["failed"], "{status} {body}");
    }
    assert_eq!(page(401, "{}").await, ["hold credentials"]);
    assert_eq!(page(403, r#"{"message":"no"}"#).await, ["hold forbidden"]);
    // One page of several fails.
    let mut shop = Shop::of((0..7).map(|n| row(&format!("n{n}"), value!({"cash_payment_amount": 1}))).collect());
    (shop.page, shop.broken) = (3, "skip=3");
    assert_eq!(shop.look_up(OPENAPI, &sale(), &[]).await, "failed");
}

#[tokio::test]
async fn what_is_too_much_to_be_read_is_a_persons_matter() {
    let months = Lost { ended_at: time("2027-03-22T12:00:00Z"), ..sale() };
    assert_eq!(Shop::of(vec![]).look_up(OPENAPI, &months, &[]).await, "cannot_tell");
    let shop =
        |number: usize, row: &dyn Fn(&str) -> Value| Shop::of((0..number).map(|n| row(&format!("n{n}"))).collect());
    let twin = |id: &str| row(id, value!({}));
    assert_eq!(shop(51, &twin).look_up(OPENAPI, &sale(), &[]).await, "cannot_tell");
    let twin = |id: &str| bare(id, "ready", "2026-11-22 12:00:10", "3.80");
    assert_eq!(shop(51, &twin).look_up(SMART, &lost(SMART, Kind::Receipt), &[]).await, "cannot_tell");
    // A list without an end.
    for provider in [OPENAPI, SMART] {
        let mut shop = shop(201, &|id| row(id, value!({"cash_payment_amount": 1, "total_amount": 1})));
        shop.page = 1;
        assert_eq!(shop.look_up(provider, &lost(provider, Kind::Receipt), &[]).await, "cannot_tell");
    }
}

/// A row as Smart Receipt lists it: no lines, no payments, no zone.
fn bare(id: &str, status: &str, created_at: &str, total: &str) -> Value {
    value!({"uuid": id, "type": "sale", "status": status, "fiscal_id": "12345678903", "created_at": created_at, "total_amount": total})
}

#[tokio::test]
async fn a_sale_at_smart_receipt() {
    let lost = lost(SMART, Kind::Receipt);
    let (utc, rome) = ("2026-11-22 12:00:10", "2026-11-22 13:00:10");
    for (what, rows, claimed, expected) in [
        ("nothing", vec![], &[][..], "not_found"),
        ("created in UTC", vec![bare("a", "submitted", utc, "3.80")], &[], "found a"),
        ("created in Rome's time", vec![bare("a", "submitted", rome, "3.80")], &[], "found a"),
        ("created at neither", vec![bare("a", "submitted", "2026-11-22 14:00:10", "3.80")], &[], "not_found"),
        ("failed", vec![bare("a", "failed", utc, "3.8")], &[], "found a"),
        ("rounded otherwise", vec![bare("a", "submitted", utc, "3.79")], &[], "found a"),
        ("another total", vec![bare("a", "submitted", utc, "3.50")], &[], "not_found"),
        ("no total yet", vec![bare("a", "new", utc, "0")], &[], "found a"),
        ("claimed", vec![bare("a", "submitted", utc, "3.80")], &["a"], "not_found"),
        ("twins", vec![bare("a", "new", utc, "3.80"), bare("b", "ready", rome, "3.80")], &[], "ambiguous a b"),
        (
            "another thing at the same price",
            vec![bare("other", "new", utc, "3.80"), bare("b", "ready", rome, "3.80")],
            &[],
            "found b",
        ),
        ("lines not there yet", vec![bare("later", "new", utc, "3.80")], &[], "failed"),
        ("lines never there", vec![bare("later", "ready", utc, "3.80")], &[], "ambiguous later"),
    ] {
        let mut shop = Shop::of(rows);
        let mut cheaper = lines();
        cheaper[0]["description"] = value!("Brioche");
        shop.alone = vec![
            ("a", value!({"items": lines()})),
            ("b", value!({"items": lines()})),
            ("other", value!({"items": cheaper})),
        ];
        assert_eq!(shop.clone().look_up(SMART, &lost, claimed).await, expected, "{what}");
    }
}

/// A year of sales is not read when the newest come first.
#[tokio::test]
async fn a_long_list_is_read_only_as_far_as_it_matters() {
    let mut rows = vec![bare("a", "ready", "2026-11-22 12:00:10", "3.80")];
    rows.extend(
        (0..2000).map(|n| bare(&format!("o{n}"), "ready", &format!("2026-11-{:02} 09:00:00", 19 - n / 200), "3.80")),
    );
    let mut shop = Shop::of(rows);
    shop.alone = vec![("a", value!({"items": lines()}))];
    let server = FaultServer::start(move |request| shop.answer(SMART, request)).await;
    let answer = adapter(SMART, &server).look_up(&lost(SMART, Kind::Receipt), &Others(&[])).await;
    assert_eq!(found_word(&answer.outcome), "found a");
    let pages = server.lines().iter().filter(|line| line.contains("status=ready")).count();
    assert_eq!(pages, 1, "{:?}", server.lines());
}

/// A list of three rows a page, in which something happens once its second page was asked for.
async fn while_it_is_paged(provider: ProviderKind, rows: Vec<Value>, then: fn(&mut Vec<Value>)) -> (String, usize) {
    let mut shop = Shop::of(rows);
    shop.page = 3;
    shop.alone = vec![("ours", value!({"items": lines()}))];
    let shop = std::sync::Mutex::new(Some((shop, false)));
    let server = FaultServer::start(move |request| {
        let mut shop = shop.lock().expect("no panic before");
        let (shop, happened) = shop.as_mut().expect("a shop");
        let second = ["page=2&", "skip=3"].iter().any(|second| request.target.contains(second));
        if second && !std::mem::replace(happened, *happened || second) {
            then(&mut shop.rows);
        }
        shop.answer(provider, request)
    })
    .await;
    let lost = Lost { call: call(provider, Kind::Receipt), ..sale() };
    let answer = adapter(provider, &server).look_up(&lost, &Others(&[])).await;
    (found_word(&answer.outcome), server.lines().iter().filter(|line| line.contains("receipts?")).count())
}
