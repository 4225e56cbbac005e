//! Journals of every released format open for ever: the fixtures are never written again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use staffetta::clock::Clock;
use staffetta::domain::check::Violation;
use staffetta::domain::document::{Item, Kind, Parent, Receipt, Return, Void};
use staffetta::domain::event::{DocEvent as E, Enqueued, Entry, How, ParentRef};
use staffetta::domain::id::DocId;
use staffetta::domain::outcome::{Customs, Refusal, Remote, RemoteItem};
use staffetta::domain::state::State;
use staffetta::domain::totals::{self, Kept, Totals};
use staffetta::domain::vat::VatRate;
use staffetta::journal::{Journal, JournalError, Options, RealFiles, View, verify};
use tempfile::{TempDir, tempdir};

use crate::papers::*;
use crate::support::around::Real;
use crate::support::booted::Booted;
use crate::support::shop::memory_queue;

const FIRST_SEGMENT: &str = "segments/00000000000000000001.seg";
/// Versions of records: 1 has totals as JSON, 2 in a form of their own.
const VERSIONS: [u8; 2] = [1, 2];

fn fixture(version: u8) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/journal-v{version}"))
}

fn everything_known() -> Box<Remote> {
    Box::new(Remote {
        remote_id: Some("r-1".into()),
        document_number: Some("DCW2026/2610-5298".into()),
        document_date: Some("2026-11-22T10:00:00".into()),
        transaction_id: Some("t-1".into()),
        draft_id: Some("d-1".into()),
        invoice_id: Some("i-1".into()),
        portal_url: Some("https://example.com/d-1".into()),
        otello_id: Some("o-1".into()),
        customs: Some(Customs::Unknown(7)),
        status: Some("ready".into()),
        created_at: Some(at(1)),
        items: vec![RemoteItem {
            id: "item".into(),
            description: "Caffè".into(),
            quantity: "2.00".into(),
            gross_price: "1.20".into(),
            vat_rate: "10".into(),
            unit_price: "1.09090909".into(),
            unit_discount: "0.00000000".into(),
            returned: "1".into(),
            complimentary: true,
        }],
        totals: vec![("total_amount".into(), "2.40".into())],
    })
}

/// What is in a fixture: every kind of fact, in transactions of one or several.
fn facts(version: u8) -> Vec<Vec<Entry>> {
    let doc = |id, event| Entry::Document { id: DocId(id), event };
    let taken = |taken| Entry::Enqueued(Box::new(taken));
    let mut first = sale("till-3/2026-11-22/000123");
    first.deadline = Some(at(3_600));
    first.warnings = vec!["the fiscal id's check digit is wrong".into()];
    if version > 1 {
        let sale = Receipt::new(fiscal_id("12345678903"))
            .item(Item::new("Caffè", "1.20".parse().unwrap(), VatRate::Ten).quantity(2))
            .cash("2.40".parse().unwrap());
        first.totals = Kept::from(&Totals::Sale(totals::sale(&sale.build().unwrap()).unwrap()));
    }
    let mut draft = sale("draft");
    (draft.kind, draft.fiscal_id, draft.invoice_name) = (Kind::Draft, None, Some("F/1".into()));
    let mut unrouted = sale("unrouted");
    (unrouted.account, unrouted.parent, unrouted.kind) = (None, Some(ParentRef::Remote("x".into())), Kind::Void);
    let refusal = Refusal {
        code: Some("422".into()),
        message: "no".into(),
        violations: vec![Violation { property_path: "items[0]".into(), message: "This value is wrong.".into() }],
    };
    let (who, why) = (|| "me".to_owned(), || "because".to_owned());
    vec![
        vec![taken(first)],                                                                            // 2
        vec![taken(about("ret", Kind::Return, DocId(2))), taken(about("void", Kind::Void, DocId(2)))], // 3, 4
        vec![taken(draft), taken(unrouted)],                                                           // 5, 6
        vec![doc(2, E::Sending { attempt: 1 })],
        vec![doc(2, E::NotSent { why: why(), status: Some(429), counts: true, due_at: Some(at(5)) })],
        vec![doc(2, E::Sending { attempt: 2 })],
        vec![doc(2, E::Unknown { why: why(), status: None, due_at: Some(at(125)) })],
        vec![doc(2, E::LookedUp { counts: true, why: why(), due_at: None })],
        vec![doc(2, E::NotThere { why: why(), due_at: None })],
        vec![doc(2, E::Sending { attempt: 3 })],
        vec![doc(2, E::Accepted { remote: remote("r-1"), how: How::Answer, due_at: Some(at(200)) })],
        vec![doc(2, E::Tracked { remote: Box::default(), why: why(), due_at: Some(at(300)) })],
        vec![doc(2, E::Registered { remote: everything_known(), how: How::Tracking, due_at: None })],
        vec![doc(3, E::Sending { attempt: 1 }), doc(3, E::Refused { status: Some(422), refusal })],
        vec![doc(4, E::Cancelled { who: who(), why: why() })],
        vec![
            doc(5, E::Sending { attempt: 1 }),
            doc(5, E::Accepted { remote: remote("i-1"), how: How::LookUp, due_at: None }),
        ],
        vec![doc(5, E::Failed { code: Some("E1".into()), message: why(), remote: Box::default() })],
        vec![doc(6, E::Routed { account: account("shop") })],
        vec![doc(6, E::Held { code: "ambiguous".into(), why: why() })],
        vec![doc(6, E::Resolved { accepted: None, who: who(), why: why(), due_at: None })],
        vec![doc(6, E::Retried { who: who(), why: why() })],
        vec![doc(6, E::Attention { code: "deadline_near".into(), why: why(), raised: true })],
        vec![Entry::Hold(hold("shop", Some("12345678903"))), Entry::Hold(hold("shop", None))],
        vec![Entry::Released { account: account("shop"), fiscal_id: None, who: who(), why: why() }],
    ]
}

/// One second between any two looks at it.
struct Steps(Mutex<i64>);

impl Clock for Steps {
    fn now(&self) -> DateTime<Utc> {
        let mut steps = self.0.lock().unwrap();
        *steps += 1;
        at(0) + TimeDelta::seconds(*steps)
    }
}

/// Wrote the newest fixture, once: `STAFFETTA_WRITE_FIXTURE=DIR cargo test format`. For a new format there will be a new folder.
#[test]
fn the_facts_of_the_fixture_can_be_written() {
    let temporary = tempdir().unwrap();
    let wanted = std::env::var_os("STAFFETTA_WRITE_FIXTURE").map(PathBuf::from);
    let dir = wanted.as_deref().unwrap_or(temporary.path());
    let clock = Arc::new(Steps(Mutex::new(0)));
    let options = Options { clock, segment_bytes: 2_500, files: Arc::new(Real(Booted(None))), ..Options::default() };
    let journal = Journal::open(dir, options).unwrap().0;
    for facts in facts(2) {
        let write = move |tx: &mut staffetta::journal::Transaction<'_>| {
            for fact in facts {
                match fact {
                    Entry::Enqueued(taken) => drop(tx.enqueue(*taken)?),
                    Entry::Document { id, event } => drop(tx.record(id, event)?),
                    Entry::Hold(hold) => tx.hold(hold)?,
                    Entry::Released { account, fiscal_id, who, why } => {
                        assert!(tx.release(&account, fiscal_id.as_ref(), who, why)?);
                    }
                    Entry::Opened { .. } | Entry::Closed => {}
                }
            }
            Ok::<_, JournalError>(())
        };
        journal.transact(write).unwrap().unwrap();
    }
    drop(journal);
    for leftover in ["lock", "reserve"] {
        std::fs::remove_file(dir.join(leftover)).unwrap();
    }
    std::fs::remove_dir_all(dir.join("index")).unwrap();
    check(copied(dir).path(), 2);
}

fn copied(from: &Path) -> TempDir {
    let dir = tempdir().unwrap();
    std::fs::create_dir(dir.path().join("segments")).unwrap();
    for name in ["checkpoint", "segments"] {
        let from = from.join(name);
        if from.is_dir() {
            for entry in std::fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                std::fs::copy(entry.path(), dir.path().join("segments").join(entry.file_name())).unwrap();
            }
        } else {
            std::fs::copy(from, dir.path().join(name)).unwrap();
        }
    }
    dir
}

fn check(dir: &Path, version: u8) {
    let expected: Vec<Entry> = facts(version).into_iter().flatten().collect();
    let report = verify(dir, Arc::new(RealFiles)).unwrap();
    assert!(report.sound, "{report:?}");
    assert_eq!((report.records, report.documents), (expected.len() as u64 + 2, 5));
    let (journal, recovery) = Journal::open(dir, Options::default()).unwrap();
    assert!(recovery.clean);
    let read = journal.events_after(0, usize::MAX).unwrap();
    assert_eq!(read[0].entry, Entry::Opened { version: "0.1.0".into(), cut: 0 });
    assert_eq!(read[expected.len() + 1].entry, Entry::Closed);
    for (read, expected) in read[1..].iter().zip(&expected) {
        assert_eq!(read.entry, *expected);
    }
    let states: Vec<_> = (2..=6).map(|id| journal.progress(DocId(id)).unwrap().unwrap().state).collect();
    assert_eq!(states, [State::Registered, State::Refused, State::Cancelled, State::Failed, State::Queued]);
    assert_eq!(journal.history(DocId(2)).unwrap().len(), 11);
    assert_eq!(journal.holds().unwrap(), [hold("shop", Some("12345678903"))]);
    enqueue(&journal, sale("and it goes on".replace(' ', "-").as_str())).unwrap();
}

#[test]
fn a_journal_of_any_version_opens_and_says_what_it_said() {
    for version in VERSIONS {
        let dir = copied(&fixture(version));
        assert!(std::fs::read_dir(dir.path().join("segments")).unwrap().count() >= 2);
        let first = std::fs::read(dir.path().join(FIRST_SEGMENT)).unwrap();
        assert_eq!(first[106], version, "the first record's version");
        check(dir.path(), version);
    }
}

#[test]
fn what_a_newer_program_wrote_is_refused_by_name() {
    let rewritten = |f: &dyn Fn(&mut Vec<u8>)| {
        let dir = copied(&fixture(2));
        let mut bytes = std::fs::read(dir.path().join(FIRST_SEGMENT)).unwrap();
        f(&mut bytes);
        std::fs::write(dir.path().join(FIRST_SEGMENT), bytes).unwrap();
        let opened = Journal::open(dir.path(), Options::default());
        assert!(matches!(opened, Err(JournalError::Version { .. })), "{:?}", opened.map(|_| ()));
        assert!(matches!(verify(dir.path(), Arc::new(RealFiles)), Err(JournalError::Version { .. })));
    };
    rewritten(&|bytes| {
        bytes[8] = 2; // the segment's version
        let crc = crc32fast::hash(&bytes[..100]);
        bytes[100..104].copy_from_slice(&crc.to_le_bytes());
    });
    rewritten(&|bytes| {
        bytes[106] = 3; // the first record's version
        let length = u32::from_le_bytes(bytes[112..116].try_into().unwrap()) as usize;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&bytes[12..28]); // the journal's id
        crc.update(&bytes[104..108]);
        crc.update(&bytes[112..104 + 88 + length]);
        let crc = crc.finalize();
        bytes[108..112].copy_from_slice(&crc.to_le_bytes());
    });
}

#[test]
fn totals_are_those_that_were_journaled_and_never_those_of_newer_rules() {
    let clock = || Arc::new(Steps(Mutex::new(0)));
    let (ours, older) = (tempdir().unwrap(), tempdir().unwrap());
    let queue = memory_queue(ours.path(), clock());
    let sale = Receipt::new(fiscal_id("12345678903"))
        .item(Item::new("Caffè", "1.20".parse().unwrap(), VatRate::Ten).quantity(2))
        .cash("2.40".parse().unwrap());
    queue.enqueue("a", sale.build().unwrap()).unwrap();
    queue.close().unwrap();
    let (journal, _) = Journal::open(ours.path(), Options::default()).unwrap();
    let taken = journal.document(journal.find(&key("a")).unwrap().unwrap()).unwrap().unwrap();
    journal.close().unwrap();

    // A version with other rules: another total, another price without VAT, a field that is no more.
    let totals =
        taken.totals.json().unwrap().unwrap().replace("\"2.40\"", "\"2.39\"").replace("1.09090909", "1.00000000");
    let totals = totals.replacen('{', "{\"older\":\"1\",", 1);
    assert!(totals.contains(r#""total_amount":"2.39""#) && totals.contains("1.00000000"), "{totals}");
    let (journal, _) = Journal::open(older.path(), Options { clock: clock(), ..Options::default() }).unwrap();
    for of in ["a", "b"] {
        let taken = Enqueued { key: key(of), totals: Kept::of_json(&totals), ..taken.clone() };
        let id = enqueue(&journal, taken).unwrap();
        record(&journal, id, E::Sending { attempt: 1 }).unwrap();
        record(&journal, id, E::Registered { remote: remote(of), how: How::Answer, due_at: None }).unwrap();
    }
    journal.close().unwrap();

    let queue = memory_queue(older.path(), clock());
    let shown = |of: &str| queue.get(of).unwrap().totals.unwrap().get().to_owned();
    assert_eq!(shown("a"), totals);
    // What follows from a sale follows from its totals as they are.
    queue.enqueue("r", Return::of(Parent::Key(key("a"))).line(0, 1)).unwrap();
    assert!(shown("r").contains(r#""taxable_amount":"1.00000000""#) && shown("r").contains(r#""total_amount":"1.10""#));
    queue.enqueue("v", Void::of(Parent::Key(key("b")))).unwrap();
    assert!(shown("v").contains(r#""total_amount":"2.39""#) && shown("v").contains(r#""paid_amount":"0.00""#));
    queue.close().unwrap();
    let queue = memory_queue(older.path(), clock());
    assert_eq!(queue.get("a").unwrap().totals.unwrap().get(), totals, "also after opening again");
}
