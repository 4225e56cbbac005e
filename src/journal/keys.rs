//! The index's keys: one sorted space, told apart by the first byte. Names hold no zero byte (`domain::id`), so that a
//! zero ends them; numbers are big-endian, so that they sort.
//!
//! | key | value |
//! |---|---|
//! | `k` key | document |
//! | `p` document | its progress and where its records are (`stored.rs`) |
//! | `s` state, document | – ; those that are ready are only under `r` |
//! | `r` account 0 fiscal id 0 document | – ; ready to be sent |
//! | `w` document | – ; waits for its parent |
//! | `t` due time, document | – |
//! | `d` deadline, document | – ; queued |
//! | `a` document | – ; a person should look |
//! | `h` parent, document | – |
//! | `j` provider's id of a parent issued elsewhere 0 document | – |
//! | `m` account 0 remote id 0 document | – |
//! | `i` invoice name 0 document | – |
//! | `c` account 0 state | how many |
//! | `o` account 0 fiscal id | the hold |
//! | `q` sequence number | where that record is; one of [`SAMPLE`] |

use chrono::{DateTime, Utc};

use crate::domain::id::{AccountName, DocId, FiscalId, Key};
use crate::domain::state::State;

/// Of so many records, one is in the index by its sequence number.
pub(crate) const SAMPLE: u64 = 64;

/// Builds a key.
fn key(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    out.push(kind);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

fn name(account: Option<&AccountName>) -> &[u8] {
    account.map_or(b"", |account| account.as_str().as_bytes())
}

fn fiscal(fiscal_id: Option<&FiscalId>) -> &[u8] {
    fiscal_id.map_or(b"", |fiscal_id| fiscal_id.as_str().as_bytes())
}

/// A time as bytes that sort as times do.
fn moment(at: DateTime<Utc>) -> [u8; 8] {
    (at.timestamp_micros().cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

pub(crate) fn of_key(of: &Key) -> Vec<u8> {
    key(b'k', &[of.as_str().as_bytes()])
}
pub(crate) fn document(id: DocId) -> Vec<u8> {
    key(b'p', &[&id.0.to_be_bytes()])
}
pub(crate) fn state(state: State, id: DocId) -> Vec<u8> {
    key(b's', &[&[state as u8], &id.0.to_be_bytes()])
}
pub(crate) fn ready(account: Option<&AccountName>, fiscal_id: Option<&FiscalId>, sales: bool, id: DocId) -> Vec<u8> {
    key(b'r', &[name(account), &[0], fiscal(fiscal_id), &[0, u8::from(sales)], &id.0.to_be_bytes()])
}
pub(crate) fn waiting(id: DocId) -> Vec<u8> {
    key(b'w', &[&id.0.to_be_bytes()])
}
pub(crate) fn timer(due: DateTime<Utc>, id: DocId) -> Vec<u8> {
    key(b't', &[&moment(due), &id.0.to_be_bytes()])
}
pub(crate) fn deadline(at: DateTime<Utc>, id: DocId) -> Vec<u8> {
    key(b'd', &[&moment(at), &id.0.to_be_bytes()])
}
pub(crate) fn attention(id: DocId) -> Vec<u8> {
    key(b'a', &[&id.0.to_be_bytes()])
}
pub(crate) fn child(parent: DocId, id: DocId) -> Vec<u8> {
    key(b'h', &[&parent.0.to_be_bytes(), &id.0.to_be_bytes()])
}
pub(crate) fn remote_child(parent: &str, id: DocId) -> Vec<u8> {
    key(b'j', &[parent.as_bytes(), &[0], &id.0.to_be_bytes()])
}
pub(crate) fn remote(account: Option<&AccountName>, remote_id: &str, id: DocId) -> Vec<u8> {
    key(b'm', &[name(account), &[0], remote_id.as_bytes(), &[0], &id.0.to_be_bytes()])
}
pub(crate) fn invoice(invoice: &str, id: DocId) -> Vec<u8> {
    key(b'i', &[invoice.as_bytes(), &[0], &id.0.to_be_bytes()])
}
pub(crate) fn count(account: Option<&AccountName>, state: State) -> Vec<u8> {
    key(b'c', &[name(account), &[0, state as u8]])
}
pub(crate) fn hold(account: &AccountName, fiscal_id: Option<&FiscalId>) -> Vec<u8> {
    key(b'o', &[account.as_str().as_bytes(), &[0], fiscal(fiscal_id)])
}
pub(crate) fn sample(seq: u64) -> Vec<u8> {
    key(b'q', &[&seq.to_be_bytes()])
}

/// The smallest key above every key that begins like this one. No key is all `ff`.
pub(crate) fn after(mut prefix: Vec<u8>) -> Vec<u8> {
    while let Some(last) = prefix.pop() {
        if let Some(next) = last.checked_add(1) {
            prefix.push(next);
            break;
        }
    }
    prefix
}

/// The document at a key's end.
pub(crate) fn id_at_end(key: &[u8]) -> Option<DocId> {
    Some(DocId(u64::from_be_bytes(*key.last_chunk::<8>()?)))
}

/// The time in a timer's or deadline's key.
pub(crate) fn moment_of(key: &[u8]) -> Option<DateTime<Utc>> {
    let bytes = key.get(1..)?.first_chunk::<8>()?;
    DateTime::from_timestamp_micros((u64::from_be_bytes(*bytes) ^ (1 << 63)).cast_signed())
}

/// The account's name in a count's key, and the state.
pub(crate) fn count_of(key: &[u8]) -> Option<(Option<AccountName>, State)> {
    let (state, name) = key.get(1..)?.split_last()?;
    let state = State::ALL.into_iter().find(|known| *known as u8 == *state)?;
    Some((account_of(name.strip_suffix(&[0])?)?, state))
}

/// Account, fiscal id and whether it is a sale, in the key of a ready document.
pub(crate) fn group_of(key: &[u8]) -> Option<(Option<AccountName>, Option<FiscalId>, bool)> {
    let (names, _) = key.get(1..)?.split_last_chunk::<8>()?;
    let (sales, names) = names.split_last()?;
    let sales = match sales {
        0 => false,
        1 => true,
        _ => return None,
    };
    let mut names = names.strip_suffix(&[0])?.splitn(2, |byte| *byte == 0);
    let account = account_of(names.next()?)?;
    let fiscal_id = match std::str::from_utf8(names.next()?).ok()? {
        "" => None,
        text => Some(text.parse().ok()?),
    };
    Some((account, fiscal_id, sales))
}

fn account_of(bytes: &[u8]) -> Option<Option<AccountName>> {
    match std::str::from_utf8(bytes).ok()? {
        "" => Some(None),
        text => Some(Some(text.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_key_after_a_prefix() {
        assert_eq!(after(b"ab".to_vec()), b"ac");
        assert_eq!(after(vec![b'a', 0xff, 0xff]), b"b");
    }

    proptest! {
        #[test]
        fn times_sort_as_keys_and_come_back(a in any::<i32>(), b in any::<i32>(), micros in 0..1_000_000_u32) {
            let at = |seconds: i32| DateTime::from_timestamp(i64::from(seconds) * 30, micros * 1_000).unwrap();
            prop_assert_eq!(at(a).cmp(&at(b)), timer(at(a), DocId(1)).cmp(&timer(at(b), DocId(1))));
            prop_assert_eq!(moment_of(&timer(at(a), DocId(7))), Some(at(a)));
            prop_assert_eq!(id_at_end(&timer(at(a), DocId(7))), Some(DocId(7)));
        }

        #[test]
        fn groups_come_back(account in "[!-~]{1,64}", fiscal_id in "[!-~]{1,64}", id in any::<u64>()) {
            let (account, fiscal_id) = (account.parse::<AccountName>().unwrap(), fiscal_id.parse::<FiscalId>().unwrap());
            for (account, fiscal_id) in [(Some(&account), Some(&fiscal_id)), (None, Some(&fiscal_id)), (Some(&account), None), (None, None)] {
                for sales in [true, false] {
                    let key = ready(account, fiscal_id, sales, DocId(id));
                    prop_assert_eq!(group_of(&key), Some((account.cloned(), fiscal_id.cloned(), sales)));
                }
            }
            for state in State::ALL {
                prop_assert_eq!(count_of(&count(Some(&account), state)), Some((Some(account.clone()), state)));
                prop_assert_eq!(count_of(&count(None, state)), Some((None, state)));
            }
        }
    }
}
