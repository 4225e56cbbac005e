use super::super::tests as shop;
use super::*;
use crate::clock::SystemClock;

/// Two tills of one company, each with an account: the sale of the one is not what the other lost.
#[test]
fn what_another_account_of_the_company_has_is_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let queue = shop::open(folder.path(), Arc::new(SystemClock));
    let named = |name: &str| Account { name: name.parse().unwrap(), ..shop::account() };
    let elsewhere = Account { provider: ProviderKind::SmartReceipt, ..named("elsewhere") };
    queue.enqueue("a", shop::sale(shop::SHOPS[0])).unwrap();
    let id = queue.journal().find(&"a".parse().unwrap()).unwrap().unwrap();
    queue.set_accounts(vec![named("shop"), named("till-2"), elsewhere.clone()]).unwrap();
    let remote = Box::new(crate::domain::outcome::Remote { remote_id: Some("r1".to_owned()), ..Default::default() });
    let record = move |txn: &mut crate::journal::Transaction<'_>| {
        txn.record(id, DocEvent::Sending { attempt: 1 })?;
        txn.record(id, DocEvent::Accepted { remote, how: How::Answer, due_at: None })
    };
    queue.journal().transact(record).unwrap().unwrap();
    for (account, claimed) in [(named("shop"), true), (named("till-2"), true), (elsewhere, false)] {
        let owned = Owned { queue: queue.clone(), accounts: queue.of_one_company(&account.name).unwrap() };
        assert_eq!((owned.is_claimed("r1"), owned.is_claimed("r2")), (claimed, false), "{}", account.name);
    }
}
