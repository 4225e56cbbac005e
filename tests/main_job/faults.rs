//! Every fault of the sandbox's plan at every step of a submission (the login, the submission itself, the look-up of a
//! lost one, the question about the verdict), for each kind of document of each provider: it ends exactly once at the
//! authority, or where the contract says a person must decide; never twice, never lost, and nothing is stuck.

mod expected;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use staffetta::domain::account::ProviderKind;
use staffetta::prelude::*;
use staffetta::sandbox::{Call, CustomsStatus, Delay, Ending, Fault, FaultPlan, Rule, Span};
use staffetta::view::DocumentView;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Bench;
use super::bench::{OPENAPI, SMART, STAMP, Setup};
use expected::{End, end};
use plan::{KINDS, Kind, Named, Stage, Step, faults, steps};

/// One fault, at every step of a stage, for every kind of one provider; one after the other, in one shop.
struct Case {
    provider: ProviderKind,
    stage: Stage,
    fault: Named,
    kinds: Vec<Kind>,
}

impl Case {
    fn bench(&self) -> Bench {
        let mut setup = Setup { providers: vec![self.provider], ..Setup::default() };
        setup.sandbox.customs_delay = Delay::After(Duration::ZERO);
        setup.sandbox.customs_status = CustomsStatus::Approved;
        if self.fault.slow {
            setup.dispatch.connect_timeout = Duration::from_secs(1);
            setup.dispatch.answer_timeout = Duration::from_secs(1);
            setup.dispatch.settle = Duration::from_millis(700);
        }
        Bench::with(setup)
    }

    async fn run(self) {
        let mut bench = self.bench();
        bench.start();
        for kind in self.kinds.iter().copied() {
            for step in steps(self.provider, kind, self.stage) {
                let end = self.row(&mut bench, kind, step).await;
                if end == End::Waits && kind != Kind::Draft {
                    return; // a shop that waits for a verdict that never comes is not drained any more
                }
            }
        }
        bench.stop_now().await;
    }

    async fn row(&self, bench: &mut Bench, kind: Kind, step: Step) -> End {
        let key = format!("{kind:?}-{step:?}");
        let label = format!("{} {:?} {} at {step:?} of {kind:?}", self.provider, self.stage, self.fault.name);
        let mut expected = end(self.provider, kind, step, self.stage, &self.fault);
        let parent = format!("{key}/parent");
        // For the receipts too: after a success, three equal refusals in a row are not one shop's mistake.
        bench.take(kind.parent(self.provider, &parent));
        bench.registered(&parent).await;
        bench.drained().await;
        let keys = match step {
            Step::Crowd => self.crowd(bench, kind, &key).await,
            _ => {
                bench.sandbox.set_faults(self.plan(kind, step)).unwrap();
                bench.take(kind.document(self.provider, &key, &parent));
                vec![key]
            }
        };
        settled(bench, &keys, kind, expected).await;
        let applied = bench.sandbox.fault_counts().iter().all(|count| count.applied > 0);
        assert!(applied, "{label}: not every fault came to it: {:?}{}", bench.sandbox.fault_counts(), bench.story());
        bench.sandbox.clear_faults();
        if let End::AccountHeld(reason) = expected {
            let account = &bench.queue.status().unwrap().accounts[0];
            let holds: Vec<_> = account.holds.iter().map(|hold| hold.reason.split(':').next().unwrap()).collect();
            assert_eq!(holds, [reason], "{label}{}", bench.story());
            expected = expected::without_trouble(kind, self.stage);
            // The provider may speak of the same trouble for a moment more.
            while bench.queue.release(&account.name, None, "test", "it is cured").unwrap().done {
                settled(bench, &keys, kind, expected).await;
            }
        }
        for key in &keys {
            check(bench, key, kind, expected, &label).await;
        }
        expected
    }

    /// Enough documents that their verdicts are read from a list, and all due at once.
    async fn crowd(&self, bench: &mut Bench, kind: Kind, key: &str) -> Vec<String> {
        let normal = bench.sandbox.settings();
        // On a busy machine the authority may be done before all are asked about: then another crowd, with more time.
        for delay in [6_000, 12_000, 24_000] {
            bench.sandbox.change(|settings| {
                (settings.submit_delay, settings.ready_delay) =
                    (Span::from_millis(delay), Span::from_millis(delay + 100));
            });
            let keys: Vec<_> = (0..5).map(|number| format!("{key}/{delay}/{number}")).collect();
            for key in &keys {
                bench.take(kind.document(self.provider, key, ""));
            }
            for key in &keys {
                bench.until(key, |view| matches!(view.state, State::Accepted | State::Registered)).await;
            }
            bench.stop().await;
            let asked = |key: &String| bench.queue.retry(key, "test", "ask about all of them").unwrap().done;
            let all = keys.iter().all(asked);
            bench.sandbox.set_settings(normal.clone());
            if all {
                bench.sandbox.set_faults(self.plan(kind, Step::Crowd)).unwrap();
            }
            bench.start();
            if all {
                return keys;
            }
        }
        panic!("no five documents are asked about together: {}", bench.story());
    }

    fn plan(&self, kind: Kind, step: Step) -> FaultPlan {
        // Before a correction is sent the same is asked. And A-Cube answers a void without its id: that is asked for at once,
        // and tracking asks after it.
        let before = self.stage != Stage::Before;
        let void_id = self.provider == SMART && kind == Kind::Void && self.stage == Stage::Verdict;
        let once = |fault: Fault, call: Call| {
            let asked = plan::own_steps(self.provider, kind, Stage::Before).iter().any(|step| step.call(kind) == call);
            let skip = u64::from(before && asked) + u64::from(void_id && call == Call::Get);
            Rule::new(fault).call(call).skip(skip).times(1)
        };
        let mut rules = Vec::new();
        if let Stage::Lost { processed } = self.stage {
            let fault = if processed { Fault::DropAfter(Ending::Reset) } else { Fault::DropBefore(Ending::Close) };
            rules.push(once(fault, kind.call()));
        }
        if step == Step::Login {
            // A token refused makes it log in again.
            rules.push(once(plan::status(401), plan::first_call(self.provider, kind, self.stage)));
        }
        rules.push(once(self.fault.fault.clone(), step.call(kind)));
        FaultPlan { rules, ..FaultPlan::default() }
    }
}

/// Waits until nothing more can be done. The dispatcher does not wait for a draft's merchant, who is quick here.
async fn settled(bench: &Bench, keys: &[String], kind: Kind, expected: End) {
    if expected == End::Waits {
        bench.until(&keys[0], |view| view.events.iter().filter(|event| event.event == "tracked").count() > 2).await;
        return;
    }
    bench.drained().await;
    for key in keys.iter().filter(|_| kind == Kind::Draft) {
        let held = || !bench.queue.status().unwrap().accounts[0].holds.is_empty();
        bench.until(key, |view| view.state != State::Accepted || held()).await;
    }
}

async fn check(bench: &Bench, key: &str, kind: Kind, expected: End, label: &str) {
    let ledger = bench.ledger(key);
    let issued = ledger.iter().filter(|entry| entry.issued).count();
    let view = bench.get(key);
    let story = || format!("{label}: {expected:?}{}", bench.story());
    assert!(ledger.len() <= 1 || kind == Kind::Draft, "twice: {}", story());
    let code = view.events.iter().rev().find(|event| event.event == "held").and_then(|event| event.code.as_deref());
    match expected {
        End::Once => {
            // What belongs to it may come a moment after its number.
            let whole = |view: &DocumentView| match kind {
                Kind::Draft => view.remote.otello_id.is_some(),
                Kind::Receipt => view.remote.items.len() == 2,
                _ => true,
            };
            let view = bench.until(key, |view| view.state != State::Registered || whole(view)).await;
            assert_eq!((view.state, ledger.len()), (State::Registered, 1), "{}", story());
            let entry = bench.entry(key);
            assert!(entry.issued, "{}", story());
            let id = if entry.provider == STAMP.name() { &view.remote.invoice_id } else { &view.remote.remote_id };
            assert_eq!(id.as_ref(), Some(&entry.remote_id), "{}", story());
            assert_eq!(view.remote.document_number, entry.document_number, "{}", story());
            assert_eq!(view.attention, [], "{}", story());
        }
        End::DraftTwice => {
            assert_eq!((view.state, ledger.len()), (State::Registered, 2), "{}", story());
            assert_eq!(view.remote.invoice_id, Some(ledger[1].remote_id.clone()), "{}", story());
        }
        End::Held { code: expected, ledger: there } => {
            assert_eq!((view.state, code), (State::Held, Some(expected)), "{}", story());
            assert!(view.reason.is_some_and(|reason| reason.len() > 20), "{}", story());
            assert_eq!(ledger.len(), there, "{}", story());
            if issued == 1 && matches!(expected, "gone" | "ambiguous") {
                // A passing mistake of the provider's: asked again, it is there.
                assert!(bench.queue.retry(key, "test", "ask again").unwrap().done);
                bench.drained().await;
                assert_eq!(bench.get(key).state, State::Registered, "{}", story());
            }
        }
        End::Refused => assert_eq!((view.state, ledger.len()), (State::Refused, 0), "{}", story()),
        End::Failed => assert_eq!((view.state, ledger.len(), issued), (State::Failed, 1, 0), "{}", story()),
        End::Waits => assert_eq!((view.state, ledger.len(), issued), (State::Accepted, 1, 0), "{}", story()),
        End::AccountHeld(_) => unreachable!("released"),
    }
}

/// All faults of a stage side by side; every row that fails is told.
async fn all(provider: ProviderKind, stage: Stage) {
    // So many shops at once that none waits for the machine; those that wait for time-outs do not count.
    let room = Arc::new(Semaphore::new(12));
    let mut cases = JoinSet::new();
    for fault in faults(stage) {
        let kinds: Vec<_> = KINDS.into_iter().filter(|kind| kind.is_of(provider)).collect();
        // Time-outs take their time: side by side then.
        let size = if fault.slow { 1 } else { kinds.len() };
        for kinds in kinds.chunks(size).map(<[Kind]>::to_vec) {
            let (room, case) = (Arc::clone(&room), Case { provider, stage, fault: fault.clone(), kinds });
            cases.spawn(async move {
                let _place = if case.fault.slow { None } else { Some(room.acquire().await) };
                case.run().await;
            });
        }
    }
    let mut failures = Vec::new();
    while let Some(case) = cases.join_next().await {
        if let Err(error) = case {
            let panic = error.into_panic();
            let words = panic.downcast_ref::<String>().cloned();
            failures.push(
                words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned())).unwrap_or_default(),
            );
        }
    }
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n\n"));
}

macro_rules! stages {
    ($($name:ident: $provider:expr, $stage:expr;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            all($provider, $stage).await;
        })*
    };
}

stages! {
    openapi_question_before_a_correction: OPENAPI, Stage::Before;
    openapi_login_and_submission: OPENAPI, Stage::Submission;
    openapi_look_up_of_what_arrived: OPENAPI, Stage::Lost { processed: true };
    openapi_look_up_of_what_did_not_arrive: OPENAPI, Stage::Lost { processed: false };
    openapi_verdict: OPENAPI, Stage::Verdict;
    smart_receipt_question_before_a_correction: SMART, Stage::Before;
    smart_receipt_login_and_submission: SMART, Stage::Submission;
    smart_receipt_look_up_of_what_arrived: SMART, Stage::Lost { processed: true };
    smart_receipt_look_up_of_what_did_not_arrive: SMART, Stage::Lost { processed: false };
    smart_receipt_verdict: SMART, Stage::Verdict;
    stamp_login_and_submission: STAMP, Stage::Submission;
    stamp_look_up_of_what_arrived: STAMP, Stage::Lost { processed: true };
    stamp_look_up_of_what_did_not_arrive: STAMP, Stage::Lost { processed: false };
    stamp_verdict: STAMP, Stage::Verdict;
}
