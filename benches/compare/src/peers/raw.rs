//! The floors: append the bytes, flush. No key, no index, no check.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use super::{Doc, Prepared, Store, Taker};
use crate::floor::at_least;

pub struct Log {
    file: File,
    flush: Option<Duration>,
    buffer: Vec<u8>,
}

impl Log {
    pub fn open(dir: &Path, flush: Option<Duration>) -> Log {
        let file = OpenOptions::new().create(true).append(true).open(dir.join("log")).expect("a file");
        Log { file, flush, buffer: Vec::new() }
    }

    fn append(&mut self) {
        self.file.write_all(&self.buffer).expect("a write");
        at_least(self.flush.unwrap_or_default(), || self.file.sync_data()).expect("a flush");
        self.buffer.clear();
    }
}

impl Store for Log {
    fn commit(&mut self, docs: &[Doc]) {
        docs.iter().for_each(|doc| self.buffer.extend_from_slice(&doc.value));
        self.append();
    }
}

/// One producer that appends and flushes by itself: nothing durable can be quicker.
pub struct Append(Mutex<Log>);

impl Append {
    pub fn open(dir: &Path, flush: Option<Duration>) -> Append {
        Append(Mutex::new(Log::open(dir, flush)))
    }
}

impl Taker for Append {
    fn take(&self, _: u64, _: u64, prepared: Prepared) {
        let Prepared::Doc(doc) = prepared else { unreachable!("prepared for Staffetta") };
        self.0.lock().expect("no thread panics here").commit(&[doc]);
    }
}
