//! What Staffetta is compared with. Each keeps a document, makes its key unique, keeps an index by due time, and is
//! durable when it answers. Each gets what makes it fastest: one thread that commits all that waits at once.

mod databases;
mod front;
mod raw;
pub mod staffetta;

use std::path::Path;
use std::time::Duration;

pub use front::Front;

/// What a producer hands over.
#[derive(Clone)]
pub struct Doc {
    pub key: String,
    pub value: Vec<u8>,
    pub due: u64,
}

/// Something that takes documents from many threads.
pub trait Taker: Send + Sync {
    /// Takes the document of this till with this number; durable when this returns.
    fn take(&self, till: u64, number: u64, prepared: Prepared);
}

/// A document made ready outside of the time that is measured.
pub enum Prepared {
    Doc(Doc),
    New(Box<::staffetta::NewDocument>),
}

/// A store behind a front.
pub trait Store: Send {
    /// Makes these durable together.
    fn commit(&mut self, docs: &[Doc]);
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    Staffetta,
    RawLog,
    Sqlite,
    Redb,
    Fjall,
}

impl Peer {
    pub const ALL: [Peer; 5] = [Peer::Staffetta, Peer::RawLog, Peer::Sqlite, Peer::Redb, Peer::Fjall];

    pub fn name(self) -> &'static str {
        match self {
            Peer::Staffetta => "Staffetta",
            Peer::RawLog => "raw log",
            Peer::Sqlite => "SQLite",
            Peer::Redb => "redb",
            Peer::Fjall => "fjall",
        }
    }

    /// Opens it in an empty folder. The raw log of one producer has no thread of its own: it appends and flushes.
    pub fn open(self, dir: &Path, flush: Option<Duration>, producers: u64) -> Box<dyn Taker> {
        match self {
            Peer::Staffetta => Box::new(staffetta::Till::open(dir, flush)),
            Peer::RawLog if producers == 1 => Box::new(raw::Append::open(dir, flush)),
            Peer::RawLog => Box::new(Front::over(raw::Log::open(dir, flush))),
            Peer::Sqlite => Box::new(Front::over(databases::Sqlite::open(dir, flush))),
            Peer::Redb => Box::new(Front::over(databases::Redb::open(dir, flush))),
            Peer::Fjall => Box::new(Front::over(databases::Fjall::open(dir, flush))),
        }
    }

    /// Makes a document ready. The raw logs write as many bytes as Staffetta's journal does; the databases the line.
    pub fn prepare(self, till: u64, number: u64, record: usize) -> Prepared {
        if self == Peer::Staffetta {
            return Prepared::New(Box::new(crate::documents::document(till, number)));
        }
        let mut value = crate::documents::line(till, number).into_bytes();
        if self == Peer::RawLog {
            value.resize(record, b'.');
        }
        Prepared::Doc(Doc { key: crate::documents::key(till, number), value, due: 1_800_000_000 + number })
    }
}
