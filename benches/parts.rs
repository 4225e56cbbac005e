//! The parts, one by one: `cargo bench --bench parts`.

use std::collections::{HashMap, HashSet};
use std::hint::black_box;
use std::time::Duration;

use chrono::{DateTime, Utc};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use staffetta::dispatcher::Lane;
use staffetta::dispatcher::plan::{Board, Candidate, Desk, Step, plan};
use staffetta::domain::account::ProviderKind;
use staffetta::domain::calendar::Window;
use staffetta::domain::check::{self, Context};
use staffetta::domain::document::Body;
use staffetta::domain::id::DocId;
use staffetta::domain::totals::{Kept, Totals};
use staffetta::domain::{fingerprint, line};
use staffetta::journal::raw;

/// A receipt of seven lines, about 1.2 KB of JSON.
const LINE: &str = r#"{"key":"till-3/2026-11-22/000123","kind":"receipt","body":{"fiscal_id":"12345678903","items":[
{"description":"Caffè macchiato in tazza grande","quantity":2,"unit_price":"1.30","vat_rate_code":"10","sku":"800001230"},
{"description":"Cornetto alla crema pasticcera","quantity":2,"unit_price":"1.60","vat_rate_code":"10","sku":"800001231"},
{"description":"Panino prosciutto crudo e mozzarella","quantity":1,"unit_price":"5.50","vat_rate_code":"10","sku":"800001232"},
{"description":"Acqua minerale naturale 50 cl","quantity":3,"unit_price":"1.20","vat_rate_code":"22","sku":"800001233"},
{"description":"Spremuta d'arancia fresca","quantity":1,"unit_price":"4.00","vat_rate_code":"10","sku":"800001234"},
{"description":"Tramezzino tonno e carciofini","quantity":2,"unit_price":"3.20","vat_rate_code":"10","discount":"0.40","sku":"800001235"},
{"description":"Insalata mista con feta e olive","quantity":1,"unit_price":"7.90","vat_rate_code":"4","sku":"800001236"}
],"electronic_payment_amount":"32.80","tags":["till-3","123"]}}"#;

fn now() -> DateTime<Utc> {
    "2026-11-22T10:00:00Z".parse().expect("a time")
}

fn sale() -> Body {
    let document = line::parse(LINE.as_bytes()).expect("a document");
    check::body(&document.body, &context()).expect("it keeps the rules")
}

fn context() -> Context<'static> {
    Context { provider: Some(ProviderKind::Openapi), fiscal_ids: None, now: Some(now()) }
}

fn intake(c: &mut Criterion) {
    let (document, body) = (line::parse(LINE.as_bytes()).expect("a document"), sale());
    let mut group = c.benchmark_group("intake");
    group.throughput(Throughput::Elements(1));
    group.bench_function("parse a line", |b| b.iter(|| line::parse(black_box(LINE.as_bytes()))));
    group.bench_function("check", |b| b.iter(|| check::body(black_box(&document.body), &context())));
    group.bench_function("totals", |b| b.iter(|| Totals::of(black_box(&body))));
    group.bench_function("canonical JSON", |b| b.iter(|| black_box(&body).to_json()));
    group.bench_function("fingerprint", |b| b.iter(|| fingerprint::of(black_box(&body), None, None, None)));
    group.finish();
}

fn record(c: &mut Criterion) {
    use staffetta::domain::event::{Enqueued, Entry};
    let body = sale();
    let totals = Kept::from(&Totals::of(&body).expect("totals"));
    let entry = Entry::Enqueued(Box::new(Enqueued {
        key: "till-3/2026-11-22/000123".parse().expect("a key"),
        kind: body.kind(),
        account: Some("shop".parse().expect("a name")),
        fiscal_id: Some("12345678903".parse().expect("a VAT number")),
        parent: None,
        issued_at: now(),
        body: body.to_json().expect("JSON"),
        totals,
        fingerprint: [7; 32],
        deadline: None,
        invoice_name: None,
        warnings: Vec::new(),
    }));
    let journal = uuid::Uuid::from_u128(7);
    let bytes = raw::write(journal, &entry).expect("a record");
    let mut group = c.benchmark_group("record");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("write, with checksum and hash", |b| b.iter(|| raw::write(journal, black_box(&entry))));
    group.bench_function("read twice and write", |b| b.iter(|| raw::read(journal, black_box(&bytes))));
    group.finish();
}

fn planning(c: &mut Criterion) {
    let account: staffetta::AccountName = "shop".parse().expect("a name");
    let desk = Desk { clock_skew_ms: 40, ..Desk::of(8, Window::AUTHORITY) };
    let board = Board {
        free: 8,
        on_the_wire: Duration::from_secs(35),
        desks: HashMap::from([(account.clone(), desk)]),
        busy: HashSet::new(),
    };
    let mut group = c.benchmark_group("plan");
    for count in [16_u64, 256] {
        let candidates: Vec<Candidate> = (0..count)
            .map(|number| Candidate {
                id: DocId(number),
                account: account.clone(),
                lane: Lane::Alone(DocId(number)),
                step: [Step::Submit, Step::Track, Step::LookUp][(number % 3) as usize],
                deadline: None,
            })
            .collect();
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("{count} candidates"), |b| {
            let fresh = || (board.clone(), candidates.clone());
            b.iter_batched(fresh, |(board, candidates)| plan(now(), board, candidates), BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(parts, intake, record, planning);
criterion_main!(parts);
