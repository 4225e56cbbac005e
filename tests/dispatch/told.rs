//! What tracking is told, and what comes of it.

use super::*;

fn without_items() -> TrackOutcome {
    let told =
        Remote { status: Some("ready".to_owned()), document_number: Some("DCW2026/1".to_owned()), ..*remote("r1") };
    TrackOutcome::Registered(Box::new(told))
}

#[tokio::test(start_paused = true)]
async fn dispatch_asks_on_for_the_item_ids_of_a_registered_sale() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    let back = Return::of(staffetta::Parent::Key("a".parse().unwrap())).line(0, 1);
    bench.queue.enqueue("b", back).unwrap();
    bench.roma.will_tell((0..5).map(|_| without_items()));
    bench.start();
    bench.pass(Duration::from_secs(20)).await;
    assert_eq!((bench.get("a").state, bench.get("b").state), (State::Registered, State::Queued));
    bench.drained().await;
    assert_eq!(bench.get("b").state, State::Registered);
    assert_eq!(bench.get("a").remote.items.len(), 1);
    let asked = bench.roma.seen("track a").len();
    bench.pass(Duration::from_secs(3 * 24 * 3600)).await;
    assert_eq!(bench.roma.seen("track a").len(), asked, "what is known is not asked for again");
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_a_return_whose_item_ids_never_come() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    let back = || Return::of(staffetta::Parent::Key("a".parse().unwrap())).line(0, 1);
    bench.queue.enqueue("b", back()).unwrap();
    bench.roma.will_tell((0..1_000).map(|_| without_items()));
    bench.start();
    bench.pass(Duration::from_secs(4 * 24 * 3600)).await;
    assert_eq!((bench.get("a").state, bench.get("b").state), (State::Registered, State::Held));
    assert!(bench.get("b").reason.is_some_and(|reason| reason.contains("item ids of a")));
    assert!(bench.roma.seen("track a").len() < 120, "{}", bench.roma.seen("track a").len());
    // One that comes later is told at once.
    bench.queue.enqueue("c", back()).unwrap();
    bench.drained().await;
    assert_eq!(bench.get("c").state, State::Held);
}

/// Customs may have spoken when OTELLO's id cannot be read for a moment.
#[tokio::test(start_paused = true)]
async fn dispatch_asks_on_for_the_id_at_otello() {
    let mut bench = Bench::new(MORNING);
    let draft = r#"{"key":"d","kind":"draft","body":{"merchant_invoice_id":"TF-1","items":[
        {"description":"Borsa in pelle","quantity":1,"unit_price_with_vat":610,"vat_rate":22}]}}"#;
    bench.queue.take(staffetta::domain::line::parse(draft.replace('\n', "").as_bytes()).unwrap()).unwrap();
    let told = |otello: Option<&str>| {
        let customs = Some(Customs::Approved);
        let otello_id = otello.map(str::to_owned);
        TrackOutcome::Registered(Box::new(Remote { customs, otello_id, ..*remote("r1") }))
    };
    bench.taxfree.will_tell([told(None), told(None), told(Some("6B1F"))]);
    bench.start();
    bench.pass(Duration::from_secs(3600)).await;
    let view = bench.get("d");
    assert_eq!((view.state, view.remote.otello_id.as_deref()), (State::Registered, Some("6B1F")));
    bench.pass(Duration::from_secs(24 * 3600)).await;
    assert_eq!(bench.taxfree.seen("track d").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn dispatch_raises_attention_where_the_provider_computed_other_totals_and_never_fails_the_document() {
    // A sale of 2.40 at 10 %: 2.18181818 and 0.21818182. One line, so 2 units of 10^-8 are the last that pass.
    for (total, taxable, vat, differs) in [
        ("2.40", "2.18181818", "0.21818182", None),
        ("2.4", "2.18181820", "0.21818180", None),
        ("0", "", "0.00000000", None),
        ("2.40", "2.40", "0", Some("total_vat_amount")),
        ("2.41", "2.18181818", "0.21818182", Some("total_amount")),
        ("2.40", "2.18181821", "0.21818182", Some("total_taxable_amount")),
        ("2.40", "2.18181818", "0.21818179", Some("total_vat_amount")),
    ] {
        let mut bench = Bench::new(MORNING);
        bench.sell("a");
        let totals = [("total_amount", total), ("total_taxable_amount", taxable), ("total_vat_amount", vat)];
        let registered = Remote {
            document_number: Some("DCW2026/1".to_owned()),
            items: vec![RemoteItem { id: "item-0".to_owned(), ..RemoteItem::default() }],
            totals: totals.map(|(name, digits)| (name.to_owned(), digits.to_owned())).to_vec(),
            ..*remote("r1")
        };
        bench.roma.will_tell([TrackOutcome::Registered(Box::new(registered))]);
        bench.start();
        bench.drained().await;
        let (view, status) = (bench.get("a"), bench.queue.status().unwrap());
        assert_eq!(view.state, State::Registered, "{differs:?}");
        assert_eq!(status.needs_person, differs.is_some(), "{status:?}");
        assert_eq!(
            (view.attention.len(), status.attention.len()),
            (usize::from(differs.is_some()), view.attention.len())
        );
        if let Some(name) = differs {
            assert_eq!(view.attention[0].what, "totals_differ");
            assert!(view.attention[0].why.contains(&format!(" {name}: the provider says")), "{:?}", view.attention);
            assert_eq!(status.attention[0].key.as_deref(), Some("a"));
            assert_eq!(status.attention[0].what, "totals_differ");
            assert_eq!(status.attention[0].why, view.attention[0].why);
        }
    }
}

/// The month counts from the invoice's own date, and only for an invoice that there is.
#[tokio::test(start_paused = true)]
async fn dispatch_counts_the_months_from_the_invoice() {
    for (completed, days, expected) in [(true, 72, false), (true, 73, true), (false, 101, false)] {
        let mut bench = Bench::new(MORNING);
        let draft = r#"{"key":"d","kind":"draft","body":{"merchant_invoice_id":"TF-1","created_on":"2026-10-31T10:00:00","items":[{"description":"Borsa","quantity":1,"unit_price_with_vat":610,"vat_rate":22}]}}"#;
        bench.queue.take(staffetta::domain::line::parse(draft.as_bytes()).unwrap()).unwrap();
        let waits = |_| {
            let remote = Box::new(Remote { customs: completed.then_some(Customs::Pending), ..*remote("r1") });
            if completed { TrackOutcome::Registered(remote) } else { TrackOutcome::Pending(remote) }
        };
        bench.taxfree.will_tell((0..100).map(waits));
        bench.start();
        bench.pass(Duration::from_secs(2 * 3600)).await;
        bench.dispatcher.take().unwrap().stop().await.unwrap();
        bench.clock.set_wrong_by(TimeDelta::days(days));
        bench.start();
        bench.pass(Duration::from_secs(2 * 3600)).await;
        let view = bench.get("d");
        assert_eq!(view.state, if completed { State::Registered } else { State::Accepted });
        let told = view.attention.iter().any(|one| one.what == "exit_over");
        assert_eq!(told, expected, "{completed} after {days} days: {:?}", view.attention);
    }
}

/// After the third month the goods should have left: a person hears of it until customs have spoken.
#[tokio::test(start_paused = true)]
async fn dispatch_raises_attention_when_the_goods_should_have_left() {
    let mut bench = Bench::new(MORNING);
    let draft = r#"{"key":"d","kind":"draft","body":{"merchant_invoice_id":"TF-1","items":[{"description":"Borsa","quantity":1,"unit_price_with_vat":610,"vat_rate":22}]}}"#;
    bench.queue.take(staffetta::domain::line::parse(draft.as_bytes()).unwrap()).unwrap();
    let waits = |customs| TrackOutcome::Registered(Box::new(Remote { customs: Some(customs), ..*remote("r1") }));
    bench.taxfree.will_tell((0..40).map(|_| waits(Customs::Pending)));
    let attention = |bench: &Bench| bench.get("d").attention.into_iter().map(|one| one.what).collect::<Vec<_>>();
    for (days, expected) in [(0, false), (100, false), (101, true), (102, true)] {
        bench.clock.set_wrong_by(TimeDelta::days(days));
        bench.start();
        bench.pass(Duration::from_secs(2 * 3600)).await;
        // Sold on 20 November: 28 February is the last day, 100 days on.
        let there = attention(&bench).iter().filter(|what| *what == "exit_over").count();
        assert_eq!(there, usize::from(expected), "after {days} days: {:?}", bench.get("d").events);
        bench.dispatcher.take().unwrap().stop().await.unwrap();
    }
    assert!(bench.queue.status().unwrap().needs_person);
    let told = bench.get("d").events.iter().filter(|event| event.code.as_deref() == Some("exit_over")).count();
    assert_eq!(told, 1, "once");
    bench.taxfree.inner.lock().unwrap().tracks.clear();
    let approved = Remote { otello_id: Some("6B1F".to_owned()), customs: Some(Customs::Approved), ..*remote("r1") };
    bench.taxfree.will_tell([TrackOutcome::Registered(Box::new(approved))]);
    bench.start();
    bench.pass(Duration::from_secs(2 * 3600)).await;
    assert_eq!(attention(&bench), Vec::<String>::new());
}
