//! The adapters against the simulated providers: what an outcome claims is what the ledger says, with every fault at
//! every submission.

use staffetta::provider::calls::{Fetch, Fetched, ReceiptFilter};
use staffetta::sandbox::{Blackout, FaultPlan, Options, Sandbox, Settings};

use super::*;

fn start(clock: &Arc<TestClock>, change: impl FnOnce(&mut Settings)) -> Sandbox {
    let mut settings = Settings { blackout: Blackout::Off, ..Settings::default() };
    change(&mut settings);
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    Sandbox::start_with(Options { settings, clock, ..Options::default() }).expect("a sandbox")
}

fn at(provider: ProviderKind, sandbox: &Sandbox, clock: &Arc<TestClock>, wall: Duration) -> Arc<dyn Adapter> {
    let mut config = config(provider, &format!("{}/{provider}", sandbox.base_url()));
    (config.connect_timeout, config.answer_timeout) = (wall / 2, wall / 2);
    connect_adapter(config, Arc::clone(clock) as Arc<dyn Clock>).expect("an adapter")
}

const LONG: Duration = Duration::from_secs(60);

fn lost_now(clock: &TestClock, call: &Call, clock_skew_ms: i64) -> Lost {
    let (sent_at, ended_at) = (clock.now(), clock.now() + Duration::from_secs(1));
    Lost { call: call.clone(), sent_at, ended_at, clock_skew_ms, settle: Duration::from_secs(120) }
}

fn accepted(outcome: SubmitOutcome) -> Remote {
    match outcome {
        SubmitOutcome::Accepted(remote) => *remote,
        other => panic!("{other:?}"),
    }
}

fn later(clock: &TestClock) {
    clock.forward(Duration::from_secs(5));
}

async fn found(adapter: &dyn Adapter, lost: &Lost) -> String {
    found_word(&adapter.look_up(lost, &Others(&[])).await.outcome)
}

async fn registered(adapter: &dyn Adapter, call: &Call, remote: &Remote, clock: &TestClock) -> Remote {
    let call = Call { parent_id: None, return_items: Vec::new(), ..call.clone() };
    let tracked = Tracked { call, remote: remote.clone(), accepted_at: clock.now() };
    match adapter.track(&tracked).await.outcome {
        TrackOutcome::Registered(remote) => *remote,
        other => panic!("{other:?}"),
    }
}

/// A sale, a return of it, another sale and its void: each is found by a look-up whatever its state, and only then.
#[tokio::test]
async fn the_life_of_receipts() {
    for (provider, tags, skew) in
        [(OPENAPI, true, 0), (OPENAPI, false, 300_000), (SMART, true, 0), (SMART, true, -200_000)]
    {
        let clock = TestClock::at("2026-11-22T12:00:00.300Z");
        let sandbox = start(&clock, |settings| {
            settings.echo_tags_in_lists = tags;
            settings.clock_skew_ms = skew;
        });
        let adapter = at(provider, &sandbox, &clock, LONG);

        let sale = call(provider, Kind::Receipt);
        let lost = lost_now(&clock, &sale, skew);
        assert_eq!(found(&*adapter, &lost).await, "not_found");
        let answer = adapter.submit(&sale).await;
        assert!(answer.clock_skew_ms.is_some_and(|seen| (seen - skew).abs() < 1000), "{answer:?}");
        let mut remote = accepted(answer.outcome);
        let id = remote.remote_id.clone().expect("an id");
        assert_eq!(found(&*adapter, &lost).await, format!("found {id}"));
        later(&clock);
        remote.absorb(registered(&*adapter, &sale, &remote, &clock).await);
        assert_eq!(remote.items.len(), 2);
        assert_eq!(found(&*adapter, &lost).await, format!("found {id}"));

        let back = Call {
            parent_id: Some(id.clone()),
            return_items: vec![(remote.items[0].id.clone(), "1".parse().expect("a number"))],
            ..call(provider, Kind::Return)
        };
        let lost = lost_now(&clock, &back, skew);
        assert_eq!(found(&*adapter, &lost).await, "not_found");
        let child = accepted(adapter.submit(&back).await.outcome);
        let expected = format!("found {}", child.remote_id.clone().expect("an id"));
        assert_eq!(found(&*adapter, &lost).await, expected);
        later(&clock);
        assert_eq!(found(&*adapter, &lost).await, expected);
        registered(&*adapter, &back, &child, &clock).await;

        let second = Call { key: "k2".parse().expect("a key"), ..sale.clone() };
        let parent = accepted(adapter.submit(&second).await.outcome).remote_id;
        let void = Call { key: "k3".parse().expect("a key"), parent_id: parent, ..call(provider, Kind::Void) };
        assert_eq!(word(&adapter.submit(&void).await.outcome), "later", "the sale is still new");
        later(&clock);
        let lost = lost_now(&clock, &void, skew);
        assert_eq!(found(&*adapter, &lost).await, "not_found");
        let child = accepted(adapter.submit(&void).await.outcome);
        let expected = format!("found {}", child.remote_id.clone().expect("an id"));
        assert_eq!(found(&*adapter, &lost).await, expected);
        later(&clock);
        assert_eq!(found(&*adapter, &lost).await, expected);
        registered(&*adapter, &void, &child, &clock).await;
        assert_eq!(word(&adapter.submit(&void).await.outcome), "unknown", "voided already, maybe by us");
        assert_eq!(sandbox.ledger().len(), 4);

        assert!(matches!(adapter.fetch(Fetch::Pdf, &id).await, Ok(Fetched::Pdf(_))));
        assert!(matches!(adapter.fetch(Fetch::Details, &id).await, Ok(Fetched::Json(_))));
        assert_eq!(adapter.receipts(&ReceiptFilter::default(), &mut |_| {}).await, Ok(4));
    }
}

#[tokio::test]
async fn the_life_of_a_tax_free_invoice() {
    let clock = TestClock::at(NOW);
    let sandbox = start(&clock, |_| {});
    let adapter = at(STAMP, &sandbox, &clock, LONG);
    let draft = call(STAMP, Kind::Draft);
    let remote = accepted(adapter.submit(&draft).await.outcome);
    let id = remote.remote_id.clone().expect("an id");
    let note = Call { parent_id: Some(id.clone()), ..call(STAMP, Kind::NoteNumber) };
    let cancel = Call { parent_id: Some(id.clone()), ..call(STAMP, Kind::Void) };
    for call in [&note, &cancel] {
        assert_eq!(word(&adapter.submit(call).await.outcome), "later", "the merchant has not completed it");
        assert_eq!(found(&*adapter, &lost_now(&clock, call, 0)).await, "not_found");
    }
    later(&clock);
    let seen = registered(&*adapter, &draft, &remote, &clock).await;
    assert!(seen.otello_id.is_some() && seen.customs.is_some_and(|customs| customs.name() == "pending"));
    for call in [&note, &cancel] {
        assert_eq!(word(&adapter.submit(call).await.outcome), format!("registered {id}"));
        assert_eq!(found(&*adapter, &lost_now(&clock, call, 0)).await, format!("found {id}"));
    }
    let seen = registered(&*adapter, &draft, &remote, &clock).await;
    assert!(seen.customs.is_some_and(|customs| customs.name() == "cancelled"));
    for what in [Fetch::Pdf, Fetch::NotePdf, Fetch::Customer, Fetch::Status, Fetch::Crf0] {
        assert!(adapter.fetch(what, &id).await.is_ok(), "{}", what.name());
    }
}

const FAULTS: [&str; 26] = [
    r#"{"type":"refuse_connection","ms":1}"#,
    r#"{"type":"drop_before","how":"reset"}"#,
    r#"{"type":"drop_before","how":"close"}"#,
    r#"{"type":"drop_after","how":"reset"}"#,
    r#"{"type":"drop_after","how":"close"}"#,
    r#"{"type":"half_answer"}"#,
    r#"{"type":"hang","ms":60000,"processed":true}"#,
    r#"{"type":"hang","ms":60000,"processed":false}"#,
    r#"{"type":"status","code":500,"processed":false}"#,
    r#"{"type":"status","code":500,"processed":true}"#,
    r#"{"type":"status","code":503,"processed":false}"#,
    r#"{"type":"status","code":504,"processed":true}"#,
    r#"{"type":"status","code":408,"processed":true}"#,
    r#"{"type":"status","code":429,"processed":false}"#,
    r#"{"type":"status","code":401,"processed":false}"#,
    r#"{"type":"status","code":403,"processed":false}"#,
    r#"{"type":"status","code":422,"processed":false}"#,
    r#"{"type":"status","code":400,"processed":false}"#,
    r#"{"type":"html","code":502,"processed":true}"#,
    r#"{"type":"html","code":200,"processed":false}"#,
    r#"{"type":"html","code":404,"processed":true}"#,
    r#"{"type":"broken_json"}"#,
    r#"{"type":"empty_body"}"#,
    r#"{"type":"redirect","code":307,"location":null,"processed":false}"#,
    r#"{"type":"redirect","code":303,"location":null,"processed":true}"#,
    r#"{"type":"huge_body","bytes":33554432}"#,
];

/// The outcome of a submission under a fault, against the ledger: "not sent", "refused", "later" and holds are only said
/// of what is not there, "accepted" only of what is there once, and what is unknown the look-up finds out rightly.
async fn under_a_fault(provider: ProviderKind, kind: Kind, fault: &'static str) {
    let clock = TestClock::at(NOW);
    let sandbox = start(&clock, |_| {});
    let wall = if fault.contains("hang") { Duration::from_secs(3) } else { LONG };
    let adapter = at(provider, &sandbox, &clock, wall);
    let mut call = call(provider, kind);
    if kind.has_parent() {
        let parent = if provider == STAMP { Kind::Draft } else { Kind::Receipt };
        let first = Call { key: "parent".parse().expect("a key"), ..super::call(provider, parent) };
        let remote = accepted(adapter.submit(&first).await.outcome);
        later(&clock);
        let seen = registered(&*adapter, &first, &remote, &clock).await;
        call.parent_id.clone_from(&remote.remote_id);
        if let Some((item, _)) = call.return_items.first_mut() {
            item.clone_from(&seen.items[0].id);
        }
        later(&clock);
    }
    let before = sandbox.ledger().len();
    let name = match (provider, kind) {
        (_, Kind::Receipt) => "submit",
        (_, Kind::Return) => "return",
        (ProviderKind::Stamp, Kind::Void) => "cancel",
        (_, Kind::Void) => "void",
        (_, Kind::Draft) => "draft",
        (_, Kind::NoteNumber) => "note",
    };
    let plan = format!(r#"{{"faults":[{{"call":"{name}","times":1,"fault":{fault}}}]}}"#);
    let plan = FaultPlan::parse(plan.as_bytes()).expect("a plan");
    sandbox.set_faults(plan).expect("a plan");
    let lost = lost_now(&clock, &call, 0);
    let outcome = adapter.submit(&call).await.outcome;
    let ledger = sandbox.ledger();
    let there = ledger.len() - before;
    let what = format!("{provider} {kind} {fault}: {outcome:?}, in the ledger {there}");
    assert!(there <= 1, "{what}");
    assert!(sandbox.fault_counts().iter().all(|count| count.applied == 1), "{what}: the fault did not happen");
    match &outcome {
        SubmitOutcome::NotSent { .. }
        | SubmitOutcome::Deferred { .. }
        | SubmitOutcome::Hold(_)
        | SubmitOutcome::Refused(_) => {
            assert_eq!(there, 0, "{what}");
        }
        SubmitOutcome::Accepted(remote) => {
            assert_eq!(there, 1, "{what}");
            assert_eq!(remote.remote_id.as_ref(), ledger.last().map(|entry| &entry.remote_id), "{what}");
        }
        SubmitOutcome::Registered(_) => assert_eq!(there, 1, "{what}"),
        SubmitOutcome::Unknown { .. } => {
            let mut said = found(&*adapter, &lost).await;
            while said == "failed" && fault.contains("refuse_connection") {
                tokio::task::yield_now().await; // the port opens again in a moment
                said = found(&*adapter, &lost).await;
            }
            let id = match provider {
                ProviderKind::Stamp => call.parent_id.clone().unwrap_or_default(),
                _ => ledger.last().map(|entry| entry.remote_id.clone()).unwrap_or_default(),
            };
            let expected = match (kind, there) {
                (Kind::Draft, _) => "cannot_tell".to_owned(),
                (_, 0) => "not_found".to_owned(),
                _ => format!("found {id}"),
            };
            assert_eq!(said, expected, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_at_every_submission() {
    for fault in FAULTS {
        let all = [OPENAPI, SMART, STAMP].into_iter().flat_map(|provider| {
            Kind::ALL
                .into_iter()
                .filter(move |kind| provider.takes(*kind))
                .map(move |kind| under_a_fault(provider, kind, fault))
        });
        futures_util::future::join_all(all).await;
    }
}
