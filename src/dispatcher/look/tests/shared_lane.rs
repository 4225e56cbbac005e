//! Two accounts that sell for one VAT number.

use super::*;
use crate::domain::document::NewDocument;
use crate::domain::event::Hold;
use crate::domain::id::AccountName;
use crate::domain::outcome::HoldReason;

fn named(name: &str) -> AccountName {
    name.parse().unwrap()
}

/// The accounts `shop` and `other`, whose sales are taken in turn: `s0`, `o1`, `s2`, …
fn two_accounts(sales: usize) -> (Room, Vec<String>) {
    let other = Account { name: named("other"), ..shop::account() };
    let room = Room::of(vec![shop::account(), other], 0, Settings::default());
    let keys: Vec<_> = (0..sales).map(|number| format!("{}{number}", ["s", "o"][number % 2])).collect();
    for key in &keys {
        let account = if key.starts_with('s') { "shop" } else { "other" };
        let sale = NewDocument::from(shop::sale(SHOPS[0])).account(named(account));
        room.queue.enqueue(key, sale).unwrap();
    }
    (room, keys)
}

#[tokio::test]
async fn their_backlog_is_drained_in_order_without_looking_through_it() {
    let (mut room, keys) = two_accounts(10);
    room.look().await;
    for (number, key) in keys.iter().enumerate() {
        room.arrives(key).await;
        assert_eq!(room.open(), [room.find(key)], "one at a time");
        room.answer(registered(key)).await;
        assert!(!room.engine.stale, "after {key}");
        room.look().await;
        assert_eq!(room.engine.ahead.is_empty(), number == 9, "forgotten where all is looked through: {key}");
        room.end().await;
        room.look().await;
    }
    assert!(*room.idle.borrow() > 0);
}

/// A look finds nothing on a lane that is busy.
#[tokio::test]
async fn after_a_look_while_one_is_under_way_the_others_sale_still_has_its_turn() {
    let (mut room, keys) = two_accounts(4);
    room.look().await;
    room.arrives("s0").await;
    room.engine.stale = true;
    room.look().await;
    for key in &keys {
        if key != "s0" {
            room.arrives(key).await;
        }
        room.answer(registered(key)).await;
        assert!(!room.engine.stale, "after {key}");
        room.look().await;
    }
}

#[tokio::test]
async fn the_one_goes_on_while_the_other_is_held() {
    let (mut room, keys) = two_accounts(6);
    let hold = Hold {
        account: named("other"),
        fiscal_id: None,
        reason: HoldReason::Unpaid,
        detail: "no credit".to_owned(),
        cure: String::new(),
        since: room.clock.now(),
        secret: None,
    };
    room.queue.journal().transact(|txn| txn.hold(hold)).unwrap().unwrap();
    room.look().await;
    for key in keys.iter().filter(|key| key.starts_with('s')) {
        room.arrives(key).await;
        room.answer(registered(key)).await;
        assert!(!room.engine.stale, "after {key}");
        room.look().await;
        room.end().await;
        room.look().await;
    }
    assert!(room.engine.stock.is_all_gone() && room.engine.tasks.is_empty());
    assert_eq!(room.queue.get("o1").unwrap().events.len(), 1, "nothing was tried");
}
