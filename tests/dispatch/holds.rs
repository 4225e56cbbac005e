//! What a hold stops and what it does not, and pauses.

use super::*;

/// A VAT number that the provider does not take any more: what it has already is asked about all the same.
#[tokio::test(start_paused = true)]
async fn dispatch_asks_about_what_the_provider_has_under_a_hold_of_the_vat_number() {
    let mut bench = Bench::new(MORNING);
    for key in ["a", "b", "c"] {
        bench.sell(key);
    }
    let pending = || TrackOutcome::Pending(remote("r1"));
    bench
        .roma
        .will_answer([
            SubmitOutcome::Accepted(remote("r1")),
            unknown(),
            hold(HoldScope::FiscalId, HoldReason::UnknownFiscalId),
        ])
        .will_tell([pending(), pending(), pending()])
        .will_find([LookUpOutcome::NotFound, LookUpOutcome::NotFound]);
    bench.start();
    bench.pass(Duration::from_secs(3600)).await;
    let holds = &bench.queue.status().unwrap().accounts[0].holds;
    assert_eq!((holds.len(), holds[0].fiscal_id.as_deref()), (1, Some("12345678903")));
    assert_eq!(bench.get("a").state, State::Registered, "its verdict was asked for");
    let looked_up = bench.get("b");
    assert_eq!(looked_up.state, State::Queued, "looked up, and waits for the release: {:?}", bench.roma.submitted());
    for key in ["b", "c"] {
        let reason = bench.get(key).reason.unwrap();
        assert!(reason.contains("VAT number 12345678903, is held"), "{reason}");
        assert!(reason.contains("staffetta release shop-roma 12345678903"), "{reason}");
    }
    assert_eq!(bench.roma.submitted().len(), 3, "a hold spends no attempts");
    assert!(bench.queue.release("shop-roma", Some("12345678903"), "anna", "made known").unwrap().done);
    bench.drained().await;
    assert!(["b", "c"].iter().all(|key| bench.get(key).state == State::Registered));
}

/// With a hold that says only that nothing new is taken (unpaid), verdicts are asked for; with refused credentials
/// nothing can be asked.
#[tokio::test(start_paused = true)]
async fn dispatch_asks_nothing_with_refused_credentials() {
    for (reason, asks) in [(HoldReason::Unpaid, true), (HoldReason::Credentials, false)] {
        let mut bench = Bench::new(MORNING);
        bench.sell("a");
        bench.sell("b");
        bench
            .roma
            .will_answer([SubmitOutcome::Accepted(remote("r1")), hold(HoldScope::Account, reason)])
            .will_tell([TrackOutcome::Pending(remote("r1")), TrackOutcome::Pending(remote("r1"))]);
        bench.start();
        bench.pass(Duration::from_secs(600)).await;
        let asked = bench.roma.seen("track").len();
        bench.pass(Duration::from_secs(3600)).await;
        assert_eq!(bench.get("a").state == State::Registered, asks, "{reason:?}");
        if !asks {
            assert_eq!(bench.roma.seen("track").len(), asked, "{reason:?}");
            let why = bench.get("a").reason.unwrap();
            assert!(why.contains("the account shop-roma is held (credentials"), "{why}");
        }
        assert_eq!(bench.get("b").state, State::Queued, "{reason:?}");
    }
}

/// 429 without a word about how long: pauses that grow, and end with the first answer.
#[tokio::test(start_paused = true)]
async fn dispatch_pauses_longer_and_longer_where_429_does_not_say_how_long() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    let deferred = || SubmitOutcome::Deferred { why: "429".to_owned(), retry_after: None, account: true };
    bench.roma.will_answer((0..8).map(|_| deferred()));
    bench.start();
    bench.drained().await;
    let sent = bench.roma.seen("submit");
    let pauses: Vec<_> = sent.windows(2).map(|pair| (pair[1] - pair[0]).num_seconds()).collect();
    assert_eq!(pauses.len(), 8);
    assert!(pauses[0] <= 8 && pauses[7] >= 300, "{pauses:?}");
    assert_eq!(bench.get("a").attempts, 1, "a pause costs no attempt");
    bench.sell("b");
    bench.roma.will_answer([deferred()]);
    bench.drained().await;
    let sent = bench.roma.seen("submit");
    let last = sent[sent.len() - 1] - sent[sent.len() - 2];
    assert!(last.num_seconds() <= 8, "an answer ends it: {last}");
}

/// What customs refused asks for a debit note until its number has arrived.
#[tokio::test(start_paused = true)]
async fn dispatch_ends_the_call_for_a_debit_note_when_its_number_arrived() {
    use staffetta::domain::document::Note;
    let mut bench = Bench::new(MORNING);
    let draft = r#"{"key":"d","kind":"draft","body":{"merchant_invoice_id":"TF-1","items":[{"description":"Borsa","quantity":1,"unit_price_with_vat":610,"vat_rate":22}]}}"#;
    bench.queue.take(staffetta::domain::line::parse(draft.as_bytes()).unwrap()).unwrap();
    let customs = Some(Customs::Rejected);
    let told = Remote { customs, otello_id: Some("6B1F".to_owned()), ..*remote("r1") };
    bench.taxfree.will_tell([TrackOutcome::Registered(Box::new(told))]);
    bench.start();
    bench.pass(Duration::from_secs(3600)).await;
    let asks = |bench: &Bench| bench.get("d").attention.iter().any(|one| one.what.contains("debit"));
    assert!(asks(&bench), "{:?}", bench.get("d").attention);
    bench.taxfree.will_answer([SubmitOutcome::Registered(Box::default())]);
    bench.queue.enqueue("n", NoteNumber::of(Parent::Key("d".parse().unwrap()), Note::DebitVat, "ND-7")).unwrap();
    bench.drained().await;
    assert_eq!(bench.get("n").state, State::Registered);
    assert!(!asks(&bench), "{:?}", bench.get("d").attention);
}

/// One account's hold is no other's.
#[tokio::test(start_paused = true)]
async fn dispatch_holds_of_one_account_do_not_stop_another() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell_at("m", "01234567897");
    bench.roma.will_answer([hold(HoldScope::Account, HoldReason::Unpaid)]);
    bench.start();
    bench.drained().await;
    let back = Return::of(Parent::Key("m".parse().unwrap())).line(0, 1);
    bench.queue.enqueue("back", back).unwrap();
    bench.drained().await;
    assert_eq!((bench.get("a").state, bench.get("back").state), (State::Queued, State::Registered));
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_an_account_whose_credentials_are_refused_and_goes_on_after_release() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    bench.sell_at("m", "01234567897");
    bench.roma.will_answer([hold(HoldScope::Account, HoldReason::Credentials)]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a"]);
    let view = bench.get("a");
    assert_eq!((view.state, view.attempts), (State::Queued, 0));
    assert!(view.reason.unwrap().contains("credentials"));
    assert_eq!(bench.get("m").state, State::Registered);
    let status = bench.queue.status().unwrap();
    assert!(status.needs_person);
    assert!(status.accounts.iter().any(|account| account.name == "shop-roma" && account.holds.len() == 1));
    assert!(bench.queue.release("shop-roma", None, "anna", "new password").unwrap().done);
    assert!(!bench.queue.release("shop-roma", None, "anna", "again").unwrap().done);
    bench.pass(Duration::from_secs(120)).await;
    assert_eq!(bench.get("b").state, State::Registered);
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_one_vat_number_and_not_the_others() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.roma.will_answer([hold(HoldScope::FiscalId, HoldReason::UnknownFiscalId)]);
    bench.start();
    bench.drained().await;
    let holds = &bench.queue.status().unwrap().accounts[0].holds;
    assert_eq!(holds[0].fiscal_id.as_deref(), Some("12345678903"));
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_after_three_equal_refusals_in_a_row() {
    let mut bench = Bench::new(MORNING);
    for key in ["a", "b", "c", "d"] {
        bench.sell(key);
    }
    bench.roma.will_answer((0..3).map(|_| refused("EF0 'Provincia' non valido")));
    bench.start();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a", "b", "c"]);
    assert_eq!(bench.get("c").state, State::Refused);
    assert_eq!(bench.get("d").state, State::Queued);
}

/// The provider tries again by itself in its own time; until then it goes on saying what it said before.
#[tokio::test(start_paused = true)]
async fn dispatch_does_not_hold_again_for_what_a_document_said_before_the_release() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    let refused = || {
        let (scope, reason) = (HoldScope::FiscalId, HoldReason::Credentials);
        let hold = HoldAnswer { scope, reason, detail: "INVALID_CREDENTIALS".to_owned() };
        TrackOutcome::PendingHeld { remote: remote("r1"), hold }
    };
    bench.roma.will_answer([SubmitOutcome::Accepted(remote("r1"))]).will_tell((0..3).map(|_| refused()));
    bench.start();
    let held = |bench: &Bench| bench.queue.status().unwrap().accounts[0].holds.len();
    while held(&bench) == 0 {
        bench.pass(Duration::from_secs(1)).await;
    }
    assert!(bench.queue.release("shop-roma", Some("12345678903"), "anna", "changed").unwrap().done);
    let asked = bench.roma.seen("track").len();
    while bench.roma.seen("track").len() < asked + 2 {
        bench.pass(Duration::from_secs(1)).await;
    }
    bench.pass(Duration::from_secs(1)).await;
    assert_eq!(held(&bench), 0, "{:?}", bench.get("a"));
    bench.sell("b");
    bench.roma.will_answer([SubmitOutcome::Accepted(remote("r2"))]).will_tell([refused(), refused()]);
    bench.pass(Duration::from_secs(3_600)).await;
    assert_eq!(held(&bench), 1, "another document says it for the first time");
}
