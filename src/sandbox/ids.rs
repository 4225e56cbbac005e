//! Ids and numbers as the providers and the authority make them: opaque, never repeated within a run, and by default
//! not in the next one either.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

/// Makes ids.
#[derive(Debug, Clone)]
pub struct Ids {
    seed: u64,
    drawn: u64,
    number: u64,
    item: u64,
}

impl Ids {
    /// From a seed; the same one gives the same ids.
    pub fn new(seed: Option<u64>) -> Ids {
        let seed = seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
        // Document numbers of different runs lie far apart too.
        let start = seed % 900;
        Ids { seed, drawn: 0, number: start * 100_000 + 4_700, item: start * 1_000_000 + 200_000 }
    }

    fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        let mut hash = Sha256::new();
        hash.update(b"staffetta sandbox");
        hash.update(self.seed.to_be_bytes());
        hash.update(self.drawn.to_be_bytes());
        hash.finalize().into()
    }

    /// 24 hexadecimal digits that begin with the time, as Openapi's.
    pub fn object_id(&mut self, at: DateTime<Utc>) -> String {
        let random = self.draw();
        let tail: String = random.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{:08x}{tail}", u32::try_from(at.timestamp()).unwrap_or(u32::MAX))
    }

    /// A random UUID, as A-Cube's and Stamp's.
    pub fn uuid(&mut self) -> String {
        let mut bytes = [0u8; 16];
        for (byte, random) in bytes.iter_mut().zip(self.draw()) {
            *byte = random;
        }
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// So many hexadecimal digits, for tokens and codes.
    pub fn hex(&mut self, digits: usize) -> String {
        let text: String = self.draw().iter().map(|byte| format!("{byte:02x}")).collect();
        text.chars().take(digits).collect()
    }

    /// The authority's next running number.
    pub fn document(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// The authority's next item id.
    pub fn item(&mut self) -> String {
        self.item += 1;
        self.item.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_providers_forms_and_differ_between_runs() {
        let (mut one, mut same, mut other) = (Ids::new(Some(1)), Ids::new(Some(1)), Ids::new(None));
        let at = DateTime::UNIX_EPOCH;
        let (a, b, c) = (one.object_id(at), same.object_id(at), other.object_id(at));
        assert_eq!((a.len(), &a), (24, &b));
        assert_ne!(a, c);
        assert_ne!(one.object_id(at), a);
        assert_eq!(uuid::Uuid::parse_str(&one.uuid()).unwrap().get_version_num(), 4);
    }
}
