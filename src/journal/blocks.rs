//! Index entries packed together: sled keeps 8 to 16 items a page, whatever their size, and writes a page anew every few
//! changes, so that small items cost it a kilobyte each on disk and much memory. It is given blocks instead: a run of
//! neighbouring entries under the key of the block's beginning, each without what it shares with the one before.
//! A block holds the entries from its beginning up to the next block's, all of one kind (first byte of the key).
//!
//! That is right for what changes together: entries in order of intake, of time, of a till's own numbers. Where changes
//! fall far apart (random keys) each would write a whole block anew, and sled's clean-up several times that: there a
//! block is one entry.

use super::apply::Pair;

/// Bytes of a block to aim for where changes fall close together.
const TARGET: usize = 1_500;
/// And under names chosen by others, where changes usually come fewer at a time.
const TARGET_OF_NAMES: usize = 300;
/// Changes are close together if they are at least one in so many entries of a block.
const CLOSE: usize = 8;

/// A key and its value, wherever they lie.
pub(crate) type Entry<'a> = (&'a [u8], &'a [u8]);

/// A block's bytes: for each entry how much of the key before it keeps (the first: of the block's beginning) and the
/// rest, then the same of its value.
pub(crate) fn encode<'a>(begin: &'a [u8], entries: impl IntoIterator<Item = Entry<'a>>) -> Vec<u8> {
    let (mut out, mut before) = (Vec::new(), (begin, [].as_slice()));
    for (key, value) in entries {
        for (part, before) in [(key, before.0), (value, before.1)] {
            let shared = shared(part, before);
            let rest = part.get(shared..).unwrap_or_default();
            number(shared, &mut out);
            number(rest.len(), &mut out);
            out.extend_from_slice(rest);
        }
        before = (key, value);
    }
    out
}

/// The entries of others' keeping.
pub(crate) fn entries(pairs: &[Pair]) -> impl Iterator<Item = Entry<'_>> {
    pairs.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
}

/// How many bytes two things have in common at their beginning.
fn shared(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// The entries of a block; `None` when these are not the bytes of one.
pub(crate) fn decode(begin: &[u8], bytes: &[u8]) -> Option<Vec<Pair>> {
    let mut entries = Vec::new();
    read(begin, bytes, |key, value| {
        entries.push((key.to_vec(), value.to_vec()));
        true
    })?;
    Some(entries)
}

/// Puts the entries of a block with `from` <= key < `to` after those there are, until there are `limit`; `None` when these
/// are not the bytes of one.
pub(crate) fn within(
    (begin, bytes): (&[u8], &[u8]),
    (from, to): (&[u8], &[u8]),
    limit: usize,
    entries: &mut Vec<Pair>,
) -> Option<()> {
    if entries.len() >= limit {
        return Some(());
    }
    read(begin, bytes, |key, value| {
        if key >= to {
            return false;
        }
        if key >= from {
            entries.push((key.to_vec(), value.to_vec()));
        }
        entries.len() < limit
    })
}

/// The value of a key in a block; the outer `None` when these are not the bytes of one.
pub(crate) fn find(begin: &[u8], bytes: &[u8], wanted: &[u8]) -> Option<Option<Vec<u8>>> {
    let mut found = None;
    read(begin, bytes, |key, value| {
        if key == wanted {
            found = Some(value.to_vec());
        }
        key < wanted
    })?;
    Some(found)
}

/// Reads entries until `each` has enough.
fn read(begin: &[u8], mut bytes: &[u8], mut each: impl FnMut(&[u8], &[u8]) -> bool) -> Option<()> {
    let (mut key, mut value) = (begin.to_vec(), Vec::new());
    while !bytes.is_empty() {
        for part in [&mut key, &mut value] {
            let shared = take_number(&mut bytes)?;
            if shared > part.len() {
                return None;
            }
            part.truncate(shared);
            part.extend_from_slice(take(&mut bytes)?);
        }
        if !each(&key, &value) {
            break;
        }
    }
    Some(())
}

/// Cuts sorted entries into blocks of about the same size; `changes` of them have just changed.
pub(crate) fn split<'a, 'b>(entries: &'a [Entry<'b>], changes: usize) -> Vec<&'a [Entry<'b>]> {
    let kind = entries.first().and_then(|(key, _)| key.first());
    let of_names = matches!(kind, Some(b'k' | b'm' | b'i'));
    if of_names && changes * CLOSE < entries.len() {
        return entries.chunks(1).collect();
    }
    let (target, total) = (if of_names { TARGET_OF_NAMES } else { TARGET }, encode(&[], entries.iter().copied()).len());
    if total <= 2 * target {
        return vec![entries];
    }
    let share = total.div_ceil(total.div_ceil(target));
    let (mut blocks, mut begin, mut size) = (Vec::new(), 0, 0);
    for (index, (key, value)) in entries.iter().enumerate() {
        // Close enough: without what is shared with the entry before.
        let before = index.checked_sub(1).filter(|_| size > 0).and_then(|before| entries.get(before));
        let left_out = before.map_or(0, |before| shared(key, before.0) + shared(value, before.1));
        size += key.len() + value.len() + 4 - left_out;
        if size >= share {
            blocks.extend(entries.get(begin..=index));
            (begin, size) = (index + 1, 0);
        }
    }
    blocks.extend(entries.get(begin..).filter(|rest| !rest.is_empty()));
    blocks
}

/// Puts sorted changes into sorted entries.
pub(crate) fn merge<'a>(old: &'a [Pair], changes: &[(&'a [u8], Option<&'a [u8]>)]) -> Vec<Entry<'a>> {
    let mut merged = Vec::with_capacity(old.len() + changes.len());
    let mut changes = changes.iter().peekable();
    let put = |&(key, value): &(&'a [u8], Option<&'a [u8]>)| Some((key, value?));
    for entry in entries(old) {
        while let Some(change) = changes.next_if(|(key, _)| *key < entry.0) {
            merged.extend(put(change));
        }
        match changes.next_if(|(key, _)| *key == entry.0) {
            Some(change) => merged.extend(put(change)),
            None => merged.push(entry),
        }
    }
    merged.extend(changes.filter_map(put));
    merged
}

/// Seven bits a byte, lowest first.
fn number(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0usize;
    for shift in [0, 7, 14, 21] {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_number(bytes)?;
    let (part, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn some() -> impl Strategy<Value = BTreeMap<Vec<u8>, Vec<u8>>> {
        let key = prop::collection::vec(0u8..3, 0..6).prop_map(|mut key| {
            key.insert(0, b'k');
            key
        });
        prop::collection::btree_map(key, prop::collection::vec(any::<u8>(), 0..300), 0..60)
    }

    proptest! {
        #[test]
        fn blocks_hold_what_was_put_in(old in some(), new in some(), gone in any::<[bool; 8]>()) {
            let old_pairs: Vec<Pair> = old.clone().into_iter().collect();
            prop_assert_eq!(decode(b"k", &encode(b"k", entries(&old_pairs))), Some(old_pairs.clone()));
            for (key, value) in &old {
                prop_assert_eq!(find(b"k", &encode(b"k", entries(&old_pairs)), key), Some(Some(value.clone())));
            }
            prop_assert_eq!(find(b"k", &encode(b"k", entries(&old_pairs)), b"nothing"), Some(None));
            let (from, to, limit) = (b"k\x01".as_slice(), b"k\x01\x02".as_slice(), usize::from(gone[1]) + 1);
            let mut some = Vec::new();
            within((b"k", &encode(b"k", entries(&old_pairs))), (from, to), limit, &mut some);
            let range = old.range(from.to_vec()..to.to_vec()).take(limit);
            prop_assert_eq!(some, range.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>());
            let removed = |index: usize| gone[index % gone.len()];
            let changes: Vec<_> = new
                .iter()
                .enumerate()
                .map(|(index, (key, value))| (key.as_slice(), (!removed(index)).then_some(value.as_slice())))
                .collect();
            let mut expected = old;
            for (key, value) in &changes {
                match value {
                    Some(value) => drop(expected.insert(key.to_vec(), value.to_vec())),
                    None => drop(expected.remove(*key)),
                }
            }
            let merged = merge(&old_pairs, &changes);
            let expected: Vec<Pair> = expected.into_iter().collect();
            prop_assert_eq!(&merged, &entries(&expected).collect::<Vec<_>>());
            let blocks = split(&merged, if gone[0] { merged.len() } else { 0 });
            prop_assert_eq!(&blocks.concat(), &merged);
            for block in blocks {
                prop_assert!(block.len() <= 1 || encode(b"k", block.iter().copied()).len() <= 1_500);
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(b"kk", &bytes);
            let _ = find(b"kk", &bytes, b"k");
            let _ = within((b"kk", &bytes), (b"", b"l"), 7, &mut Vec::new());
        }
    }
}
