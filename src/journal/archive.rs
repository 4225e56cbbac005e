//! Archives: sealed segments kept compressed (`packed.rs` has the bytes). To whoever reads, an archive is the segment:
//! the same bytes at the same offsets, frame by frame.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::error::{JournalError, Result};
use super::files::{File, Files, read_full};
use super::packed::{self, FOOT, Head, NoHead, Part, read_foot, read_names, stated_length};
use super::segment;
use super::shared::lock;

const FOLDER: &str = "archives";
pub(crate) const EXTENSION: &str = ".arc";

/// The folder of archives of a journal.
pub(crate) fn folder(journal: &Path) -> PathBuf {
    journal.join(FOLDER)
}

/// The archive of a segment.
pub(crate) fn path(journal: &Path, first_seq: u64) -> PathBuf {
    folder(journal).join(name(first_seq))
}

fn name(first_seq: u64) -> String {
    format!("{first_seq:020}{EXTENSION}")
}

/// What is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// In words that name the archive.
    pub what: String,
    /// The keys of the documents that cannot be read for it.
    pub keys: Vec<String>,
}

/// An archive open for reading.
pub(crate) struct Archive {
    file: Arc<dyn File>,
    name: String,
    head: Head,
    /// Of each frame: where it begins in the segment, and in the file.
    begins: Vec<(u64, u64)>,
    /// The frame read last.
    last: Mutex<Option<(usize, Arc<Vec<u8>>)>>,
    /// What cannot be read is zeros, and no error.
    lenient: bool,
}

impl Archive {
    /// Opens the archive of a segment. Which frames are sound is found out when they are read.
    pub fn open(files: &dyn Files, journal: &Path, first_seq: u64) -> Result<Archive> {
        let path = path(journal, first_seq);
        let file = files.open(&path).map_err(|error| JournalError::io("open", &path, error))?;
        Archive::of(file, first_seq)
    }

    /// Reads the head of an archive, or where that is damaged its copy.
    pub fn of(file: Arc<dyn File>, first_seq: u64) -> Result<Archive> {
        let name = name(first_seq);
        let damaged = |what: &str| JournalError::damaged(first_seq, 0, format!("the archive {name}: {what}"));
        let unreadable = |error: io::Error| damaged(&format!("it cannot be read: {error}"));
        let head = match first_head(&*file).map_err(unreadable)? {
            Err(NoHead::Damaged(what)) => second_head(&*file).map_err(unreadable)?.map_err(|second| match second {
                NoHead::Damaged(_) => NoHead::Damaged(what),
                version @ NoHead::Version(_) => version,
            }),
            read => read,
        };
        let head = head.map_err(|no| match no {
            NoHead::Damaged(what) => damaged(what),
            NoHead::Version(version) => {
                JournalError::Version { what: format!("the archive {name} is of version {version}") }
            }
        })?;
        match segment::Header::decode(&head.segment) {
            Ok(header) if header.first_seq == first_seq => {}
            Ok(_) => return Err(damaged("its name is not that of the segment in it")),
            Err((true, what)) => return Err(JournalError::Version { what }),
            Err((false, what)) => return Err(damaged(&what)),
        }
        let (mut begins, mut at) = (Vec::with_capacity(head.frames.len()), (segment::HEADER as u64, head.size()));
        for part in &head.frames {
            begins.push(at);
            at = (at.0 + u64::from(part.raw), at.1 + u64::from(part.packed));
        }
        Ok(Archive { file, name, head, begins, last: Mutex::default(), lenient: false })
    }

    /// The same for reading what is readable: what is damaged reads as zeros.
    pub fn lenient(self) -> Archive {
        Archive { lenient: true, ..self }
    }

    /// Bytes of the archive's file, as they should be.
    pub fn size(&self) -> u64 {
        let body: u64 = self.parts().map(|part| u64::from(part.packed)).sum();
        2 * self.head.size() + body + FOOT as u64
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.head.frames.iter().chain(std::iter::once(&self.head.names))
    }

    /// Reads all of it and tells what is wrong, by the place in the segment: a frame's beginning, or 0 for the rest.
    pub fn flaws(&self) -> io::Result<BTreeMap<u64, Vec<Flaw>>> {
        let mut flaws: BTreeMap<u64, Vec<Flaw>> = BTreeMap::new();
        let mut found = |at, what: &str, keys| {
            flaws.entry(at).or_default().push(Flaw { what: format!("the archive {}: {what}", self.name), keys });
        };
        let whole = |head: Result<Head, NoHead>| head.is_ok_and(|head| head == self.head);
        if !whole(first_head(&*self.file)?) {
            found(0, "its head is damaged; the copy at its end is sound", Vec::new());
        }
        if !whole(second_head(&*self.file)?) || self.file.length()? != self.size() {
            found(0, "the copy of its head, or its end, is damaged; its head is sound", Vec::new());
        }
        let names = match self.names()? {
            Ok(names) => names,
            Err(what) => {
                found(0, &format!("the list of its documents: {what}; every document can be read"), Vec::new());
                Vec::new()
            }
        };
        for (index, (at, _)) in self.begins.iter().enumerate() {
            if let Err(what) = self.read_frame(index)? {
                let keys = names.get(index).cloned().unwrap_or_default();
                found(*at, &format!("frame {index}: {what}"), keys);
            }
        }
        Ok(flaws)
    }

    fn names(&self) -> io::Result<Result<Vec<Vec<String>>, &'static str>> {
        let frames: u64 = self.head.frames.iter().map(|part| u64::from(part.packed)).sum();
        let raw = packed::read(&*self.file, self.head.size() + frames, self.head.names)?;
        Ok(raw.and_then(|raw| read_names(&raw).ok_or("it cannot be read")))
    }

    fn read_frame(&self, index: usize) -> io::Result<Result<Vec<u8>, &'static str>> {
        let (Some(part), Some((_, at))) = (self.head.frames.get(index), self.begins.get(index)) else {
            return Ok(Err("there is none"));
        };
        packed::read(&*self.file, *at, *part)
    }

    /// A frame's bytes, kept until another one is read.
    fn frame(&self, index: usize) -> io::Result<Arc<Vec<u8>>> {
        if let Some((_, bytes)) = lock(&self.last).as_ref().filter(|(last, _)| *last == index) {
            return Ok(bytes.clone());
        }
        let bytes = match self.read_frame(index)? {
            Ok(bytes) => bytes,
            Err(_) if self.lenient => vec![0; self.head.frames.get(index).map_or(0, |part| part.raw as usize)],
            Err(what) => {
                let what = format!("the archive {}, frame {index}: {what}", self.name);
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        };
        let bytes = Arc::new(bytes);
        *lock(&self.last) = Some((index, bytes.clone()));
        Ok(bytes)
    }
}

fn first_head(file: &dyn File) -> io::Result<Result<Head, NoHead>> {
    let mut begin = vec![0; 16];
    let there = read_full(file, &mut begin, 0)?;
    begin.truncate(there);
    match stated_length(&begin) {
        Some(size) => head_at(file, 0, size),
        None => Ok(Err(NoHead::Damaged("it does not begin like an archive"))),
    }
}

fn second_head(file: &dyn File) -> io::Result<Result<Head, NoHead>> {
    let cut = Ok(Err(NoHead::Damaged("its end is cut off")));
    let Some(end) = file.length()?.checked_sub(FOOT as u64) else { return cut };
    let mut foot = vec![0; FOOT];
    let there = read_full(file, &mut foot, end)?;
    foot.truncate(there);
    let Some(size) = read_foot(&foot) else { return cut };
    match end.checked_sub(size as u64) {
        Some(at) => head_at(file, at, size),
        None => cut,
    }
}

fn head_at(file: &dyn File, at: u64, size: usize) -> io::Result<Result<Head, NoHead>> {
    if file.length()? < at + size as u64 {
        return Ok(Err(NoHead::Damaged("its head is cut short")));
    }
    let mut bytes = vec![0; size];
    let there = read_full(file, &mut bytes, at)?;
    bytes.truncate(there);
    Ok(Head::decode(&bytes))
}

impl File for Archive {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (bytes, begin) = match self.begins.partition_point(|(begin, _)| *begin <= offset).checked_sub(1) {
            None => (Arc::new(self.head.segment.clone()), 0),
            Some(index) => (self.frame(index)?, self.begins.get(index).map_or(0, |(begin, _)| *begin)),
        };
        let from = usize::try_from(offset - begin).unwrap_or(usize::MAX);
        let rest = bytes.get(from..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        let (Some(to), Some(from)) = (buffer.get_mut(..length), rest.get(..length)) else { return Ok(0) };
        to.copy_from_slice(from);
        Ok(length)
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
    fn length(&self) -> io::Result<u64> {
        Ok(self.head.length)
    }
}
