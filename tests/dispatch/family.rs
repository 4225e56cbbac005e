//! Corrections: what they need of their parent, and what becomes of them when it fails.

use super::*;

#[tokio::test(start_paused = true)]
async fn dispatch_binds_a_return_late_and_sends_it_after_its_parent_is_registered() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.queue.enqueue("back", Return::of(Parent::Key("a".parse().unwrap())).line(0, 1)).unwrap();
    let pending = TrackOutcome::Pending(remote("r1"));
    bench.roma.will_tell([pending.clone(), pending]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a", "back"]);
    assert_eq!(bench.get("back").state, State::Registered);
    assert!(bench.roma.seen("submit back")[0] >= bench.roma.seen("track a")[2]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_the_children_of_a_refused_parent_with_that_reason() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.queue.enqueue("back", Return::of(Parent::Key("a".parse().unwrap())).line(0, 1)).unwrap();
    bench.roma.will_answer([refused("no such thing")]);
    bench.start();
    bench.drained().await;
    let view = bench.get("back");
    assert_eq!(view.state, State::Held);
    assert!(view.reason.unwrap().contains("no such thing"));
}

#[tokio::test(start_paused = true)]
async fn dispatch_cancels_both_when_the_parent_of_a_void_never_left() {
    let bench = Bench::new(MORNING);
    bench.sell("a");
    bench.queue.enqueue("void", Void::of(Parent::Key("a".parse().unwrap()))).unwrap();
    assert_eq!(bench.get("a").state, State::Cancelled);
    assert_eq!(bench.get("void").state, State::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn dispatch_sends_a_void_of_an_open_parent_only_when_its_fate_is_known() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.roma.will_answer([unknown()]).will_find([LookUpOutcome::NotFound, LookUpOutcome::Found(remote("r9"))]);
    bench.start();
    bench.pass(Duration::from_secs(1)).await;
    assert_eq!(bench.get("a").state, State::InDoubt);
    bench.queue.enqueue("void", Void::of(Parent::Key("a".parse().unwrap()))).unwrap();
    assert_eq!(bench.get("void").state, State::Queued);
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a", "void"]);
    assert_eq!(bench.get("void").state, State::Registered);
}

/// A correction that names its parent by the provider's id.
fn by_id(document: impl FnOnce(Parent) -> NewDocument, id: &str) -> NewDocument {
    by_id_of("shop-roma", document, id)
}

fn by_id_of(account: &str, document: impl FnOnce(Parent) -> NewDocument, id: &str) -> NewDocument {
    document(Parent::Remote(id.to_owned())).account(account.parse().unwrap())
}

fn key(key: &str) -> Parent {
    Parent::Key(key.parse().unwrap())
}

#[track_caller]
fn rejected(answer: Result<staffetta::view::Ticket, Error>, code: &str) {
    assert!(matches!(&answer, Err(Error::Rejected(rejection)) if rejection.code == code), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn dispatch_knows_a_parent_given_by_the_providers_id() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    bench.start();
    bench.drained().await;
    let back = || by_id(|parent| Return::of(parent).id("item-0", 1).into(), "r1");
    bench.queue.enqueue("back", back()).unwrap();
    assert!(bench.queue.enqueue("back", back()).unwrap().duplicate);
    assert_eq!(bench.get("back").parent, Some(staffetta::view::ParentView::Key("a".to_owned())));
    assert!(bench.get("back").totals.is_some());
    bench.drained().await;
    rejected(bench.queue.enqueue("void", Void::of(key("a"))), "parent_conflict");
    rejected(bench.queue.enqueue("void", by_id(Void::of, "r1")), "parent_conflict");
    rejected(bench.queue.enqueue("more", Return::of(key("a")).line(0, 2)), "invalid");
    rejected(bench.queue.enqueue("more", by_id(|parent| Return::of(parent).id("item-0", 2).into(), "r1")), "invalid");
    bench.queue.enqueue("void-b", by_id(Void::of, "r2")).unwrap();
    rejected(bench.queue.enqueue("again", Void::of(key("b"))), "parent_conflict");
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a", "b", "back", "void-b"]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_never_voids_what_was_returned_by_an_id_that_became_known_later() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.roma.will_answer([unknown()]).will_find([LookUpOutcome::NotFound, LookUpOutcome::Found(remote("r9"))]);
    bench.start();
    bench.pass(Duration::from_secs(1)).await;
    bench.queue.enqueue("void", Void::of(key("a"))).unwrap();
    let back = || by_id(|parent| Return::of(parent).id("item-0", 1).into(), "r9");
    bench.queue.enqueue("back", back()).unwrap();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a", "back"]);
    let view = bench.get("void");
    assert_eq!(view.state, State::Held);
    assert!(view.reason.unwrap().contains("has the return back"));
    rejected(bench.queue.enqueue("another", Void::of(key("a"))), "parent_conflict");
    assert!(bench.queue.enqueue("back", back()).unwrap().duplicate, "the same line is the same document");
}

#[tokio::test(start_paused = true)]
async fn dispatch_counts_a_return_by_id_on_the_line_that_the_id_is_of() {
    let mut bench = Bench::new(MORNING);
    let item = |name: &str, price: &str| Item::new(name, price.parse().unwrap(), VatRate::Ten);
    let sale = Receipt::new("12345678903".parse().unwrap()).item(item("Caffè", "1.00")).item(item("Vino", "9.00"));
    bench.queue.enqueue("a", sale.cash("10.00".parse().unwrap()).build().unwrap()).unwrap();
    let told = ["Vino", "Caffè"].map(|name| RemoteItem {
        id: name.to_owned(),
        description: name.to_owned(),
        ..RemoteItem::default()
    });
    bench.roma.will_tell([TrackOutcome::Registered(Box::new(Remote { items: told.to_vec(), ..*remote("r1") }))]);
    bench.start();
    bench.drained().await;
    let lines: Vec<_> = bench.get("a").remote.items.iter().map(|item| item.line).collect();
    assert_eq!(lines, [Some(1), Some(0)]);
    bench.queue.enqueue("back", Return::of(key("a")).id("Vino", 1)).unwrap();
    let totals = bench.get("back").totals.unwrap().to_string();
    assert!(totals.contains("\"9.00\""), "{totals}");
    rejected(bench.queue.enqueue("again", Return::of(key("a")).line(1, 1)), "invalid");
    bench.queue.enqueue("rest", Return::of(key("a")).line(0, 1)).unwrap();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a", "back", "rest"]);
}

/// Its documents are this company's all the same: a sale that was given back is not voided under the account's new name.
#[tokio::test(start_paused = true)]
async fn dispatch_knows_a_parent_of_an_account_that_was_renamed() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    bench.queue.enqueue("back", Return::of(key("a")).line(0, 1)).unwrap();
    bench.start();
    bench.drained().await;
    let [a, b] = ["a", "b"].map(|key| bench.get(key).remote.remote_id.unwrap());
    bench.dispatcher.take().unwrap().stop().await.unwrap();
    bench.queue.close().unwrap();
    let mut renamed = accounts();
    renamed[0].name = "roma".parse().unwrap();
    let queue = crate::support::shop::memory_queue_of(bench.folder.path(), bench.clock.clone(), renamed);
    let void = |id: &str| by_id_of("roma", Void::of, id);
    // Nobody can send for the account that it belongs to; that is said, and what to do.
    for (name, id) in [("v-a", &a), ("v-b", &b)] {
        rejected(queue.enqueue(name, void(id)), "unknown_account");
    }
    let elsewhere = queue.enqueue("v-elsewhere", void("issued-elsewhere")).unwrap();
    assert_eq!(elsewhere.state, State::Queued);
}

/// The authority's lines differ in words, so none of the sale's can be named by its place: by ids it is plain what is meant.
#[tokio::test(start_paused = true)]
async fn dispatch_sends_a_return_by_ids_that_were_told_though_the_lines_differ() {
    let mut bench = Bench::new(MORNING);
    let told = RemoteItem { id: "told".to_owned(), description: "Altro".to_owned(), ..RemoteItem::default() };
    bench.roma.will_tell([TrackOutcome::Registered(Box::new(Remote { items: vec![told], ..*remote("r1") }))]);
    bench.sell("a");
    bench.start();
    bench.drained().await;
    bench.queue.enqueue("by-id", Return::of(key("a")).id("told", 1)).unwrap();
    bench.drained().await;
    for (name, what) in [("by-line", Return::of(key("a")).line(0, 1)), ("untold", Return::of(key("a")).id("other", 1))]
    {
        bench.queue.enqueue(name, what).unwrap();
        bench.drained().await;
        assert_eq!(bench.get(name).state, State::Held, "{name}");
        assert!(bench.events(name).contains(&"held".to_owned()), "{name}: {:?}", bench.get(name).reason);
    }
    assert_eq!(bench.roma.submitted(), ["a", "by-id"]);
}

/// Two accounts of one company: what the provider gave to one is not found by a person to be the other's.
#[tokio::test(start_paused = true)]
async fn dispatch_lets_nobody_resolve_to_an_id_that_another_account_of_the_company_has() {
    let mut bench = Bench::new(MORNING);
    let roma = accounts().swap_remove(0);
    let second = staffetta::domain::account::Account { name: "roma-2".parse().unwrap(), ..roma.clone() };
    let managed = [(roma, &bench.roma), (second, &bench.milano)]
        .map(|(account, script)| Managed::new(account, Arc::new(script.clone())));
    bench.dispatcher = Some(Dispatcher::start_with(&bench.queue, managed.into(), Settings::default()).unwrap());
    bench.milano.will_answer([unknown()]).will_find([LookUpOutcome::CannotTell("no list".to_owned())]);
    for (name, account) in [("a", "shop-roma"), ("b", "roma-2")] {
        let sale = Receipt::new("12345678903".parse().unwrap())
            .item(Item::new("Caffè", "1.20".parse().unwrap(), VatRate::Ten))
            .cash("1.20".parse().unwrap());
        let sale = NewDocument::from(sale.build().unwrap()).account(account.parse().unwrap());
        bench.queue.enqueue(name, sale).unwrap();
    }
    bench.drained().await;
    assert_eq!((bench.get("a").state, bench.get("b").state), (State::Registered, State::Held));
    let id = bench.get("a").remote.remote_id.unwrap();
    let decision = bench.queue.resolve("b", Some(&id), "me", "looked").unwrap();
    assert!(!decision.done && decision.why.contains("belongs to a"), "{}", decision.why);
    assert!(bench.queue.resolve("b", Some("r-other"), "me", "looked").unwrap().done);
}
