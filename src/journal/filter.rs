//! Filters that say of a name that it is not there, without a look at what is. A name has all its bits in one line of
//! 64 bytes, so that asking reads one; each line has a checksum. They err only one way, for about one name in a hundred.

/// Bytes of a line: 60 of bits and a CRC-32.
pub(crate) const LINE: usize = 64;
const BITS: u32 = 8 * 60;
/// Bits of room for each name, and how many of them it sets.
const ROOM: usize = 12;
const SET: u32 = 7;

/// Which line, of which block: part of its checksum.
pub(crate) type Place = (u32, u32);

/// The lines for these names, of the block with this checksum; none for no names.
pub(crate) fn make(names: &[&[u8]], block: u32) -> Vec<u8> {
    let mut names = names.to_vec();
    names.dedup();
    let count = u32::try_from((names.len() * ROOM).div_ceil(BITS as usize)).unwrap_or(u32::MAX);
    let mut lines = vec![0; count as usize * LINE];
    let (places, _) = lines.as_chunks_mut::<LINE>();
    for name in names {
        let Some(line) = places.get_mut(line_of(name, count) as usize) else { continue };
        for bit in bits(name) {
            if let Some(byte) = line.get_mut(bit as usize / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
    }
    for (number, line) in (0..).zip(places) {
        let crc = checksum(line, (block, number));
        if let Some(place) = line.last_chunk_mut::<4>() {
            *place = crc.to_le_bytes();
        }
    }
    lines
}

/// The line that a name is in, of so many.
pub(crate) fn line_of(name: &[u8], lines: u32) -> u32 {
    (((hash(name) >> 32) * u64::from(lines)) >> 32) as u32
}

/// Whether the name may be there; `None` when the line is damaged.
pub(crate) fn has(line: &[u8; LINE], name: &[u8], place: Place) -> Option<bool> {
    if line.last_chunk::<4>().map(|crc| u32::from_le_bytes(*crc)) != Some(checksum(line, place)) {
        return None;
    }
    Some(bits(name).all(|bit| line.get(bit as usize / 8).is_some_and(|byte| byte & 1 << (bit % 8) != 0)))
}

fn checksum(line: &[u8; LINE], (block, number): Place) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&block.to_le_bytes());
    crc.update(&number.to_le_bytes());
    crc.update(line.get(..LINE - 4).unwrap_or_default());
    crc.finalize()
}

fn bits(name: &[u8]) -> impl Iterator<Item = u32> {
    let hash = hash(name) as u32;
    let (begin, step) = (hash & 0xffff, hash >> 16 | 1);
    (0..SET).map(move |n| (begin + n * step) % BITS)
}

/// FNV-1a, and its bits mixed once more. It is written into files: it stays.
fn hash(name: &[u8]) -> u64 {
    let sum = name
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let sum = (sum ^ sum >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let sum = (sum ^ sum >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    sum ^ sum >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_never_denied_and_what_is_not_seldom_claimed() {
        let names: Vec<String> = (0..1_000).map(|n| format!("ktill-3/2026-11-22/{n:06}")).collect();
        let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let lines = make(&names, 7);
        let count = u32::try_from(lines.len() / LINE).unwrap();
        let ask = |name: &[u8]| {
            let line = line_of(name, count);
            has(&lines.as_chunks::<LINE>().0[line as usize], name, (7, line)).unwrap()
        };
        assert!(names.iter().all(|name| ask(name)));
        let claimed = (0..10_000).filter(|n| ask(format!("ktill-3/2026-11-23/{n:06}").as_bytes())).count();
        assert!(claimed < 200, "{claimed} of 10000");
        assert!(make(&[], 7).is_empty());
    }

    #[test]
    fn any_changed_bit_and_any_other_place_is_found() {
        let lines = make(&[b"one", b"two"], 7);
        let line: &[u8; LINE] = lines.first_chunk().unwrap();
        assert_eq!((has(line, b"one", (7, 0)), lines.len()), (Some(true), LINE));
        assert_eq!((has(line, b"one", (8, 0)), has(line, b"one", (7, 1))), (None, None));
        assert_eq!(has(&[0; LINE], b"one", (7, 0)), None);
        for bit in 0..8 * LINE {
            let mut damaged = *line;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(has(&damaged, b"one", (7, 0)), None, "bit {bit}");
        }
    }
}
