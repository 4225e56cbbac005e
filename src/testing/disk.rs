//! A file system in memory that knows what was written and what was only hoped for. It writes down every operation, so
//! that the power can be cut after any of them, in the ways a disk may answer for it; and it fails when told to.

mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use super::power::{Disk, apply_content, apply_name, write};

/// One operation, as it was asked for. Files are known by number: a name may come to mean another one.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are the operation's arguments")]
pub enum Op {
    /// A new, empty file.
    Create { file: usize, path: PathBuf },
    /// Bytes at an offset.
    Write { file: usize, offset: u64, bytes: Vec<u8> },
    /// Another length.
    SetLen { file: usize, length: u64 },
    /// `fdatasync`.
    SyncData { file: usize },
    /// `fsync`.
    SyncAll { file: usize },
    /// The system may now take for written what it could not write.
    FailedSync { file: usize },
    /// Another name.
    Rename { from: PathBuf, to: PathBuf },
    /// No name any more.
    Remove { path: PathBuf },
    /// `fsync` of a folder.
    SyncDir { dir: PathBuf },
    /// Somebody was told something.
    Told(String),
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The device fails.
    Eio,
    /// There is no room; nothing is written.
    Enospc,
    /// Half of a write gets there, then there is no room.
    ShortWrite,
    /// Half of a write gets there, then the device fails.
    ShortEio,
}

/// Files and their contents.
pub type Image = BTreeMap<PathBuf, Vec<u8>>;

#[derive(Default)]
struct World {
    contents: Vec<Vec<u8>>,
    names: BTreeMap<PathBuf, usize>,
    dirs: BTreeSet<PathBuf>,
    locked: BTreeMap<PathBuf, String>,
    log: Vec<Op>,
    /// Counts down to the operation that fails.
    fault: Option<(usize, Fault)>,
    /// Whether it goes on failing.
    for_good: bool,
    /// Bytes that fit.
    room: Option<u64>,
    changes: usize,
    on_flush: Option<Arc<dyn Fn() + Send + Sync>>,
}

/// The file system.
#[derive(Clone, Default)]
pub struct Sim {
    world: Arc<Mutex<World>>,
}

impl Sim {
    /// One that holds these files, all durable.
    pub fn of(image: &Image) -> Sim {
        let sim = Sim::default();
        {
            let mut world = sim.world();
            for (path, content) in image {
                let file = world.contents.len();
                world.contents.push(content.clone());
                world.names.insert(path.clone(), file);
                let mut dir = path.as_path();
                while let Some(parent) = dir.parent() {
                    world.dirs.insert(parent.to_owned());
                    dir = parent;
                }
            }
        }
        sim
    }

    /// The same machine after its process was killed: everything written is there, durable or not.
    pub fn after_kill(disk: &Disk) -> Sim {
        let (mut contents, mut names) = (disk.contents.clone(), disk.names.clone());
        for (file, ops) in &disk.pending {
            ops.iter().for_each(|op| apply_content(&mut contents[*file], op));
        }
        disk.pending_names.iter().for_each(|op| apply_name(&mut names, op));
        let image = names.keys().map(|path| (path.clone(), Vec::new())).collect();
        let sim = Sim::of(&image);
        {
            let mut world = sim.world();
            world.contents = contents;
            world.names = names;
        }
        sim
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Writes down that somebody was told something.
    pub fn told(&self, what: impl Into<String>) {
        self.world().log.push(Op::Told(what.into()));
    }

    /// Everything that was asked for so far.
    pub fn log(&self) -> Vec<Op> {
        self.world().log.clone()
    }

    /// How many operations that is.
    pub fn operations(&self) -> usize {
        self.world().log.len()
    }

    /// The files as a process that goes on sees them.
    pub fn image(&self) -> Image {
        let world = self.world();
        world.names.iter().map(|(path, file)| (path.clone(), world.contents[*file].clone())).collect()
    }

    /// Makes the `nth` changing operation from now (from 0) fail, and if `for_good` all after it.
    pub fn fail(&self, nth: usize, fault: Fault, for_good: bool) {
        let mut world = self.world();
        world.fault = Some((nth, fault));
        world.for_good = for_good;
    }

    /// No more faults.
    pub fn heal(&self) {
        let mut world = self.world();
        world.fault = None;
        world.room = None;
    }

    /// Lets only so many bytes fit, over all files.
    pub fn set_room(&self, bytes: u64) {
        self.world().room = Some(bytes);
    }

    /// Calls this whenever a file's content is flushed: a slow disk lets a clock go on.
    pub fn on_flush(&self, f: impl Fn() + Send + Sync + 'static) {
        self.world().on_flush = Some(Arc::new(f));
    }

    /// Bytes in all files.
    pub fn used(&self) -> u64 {
        let world = self.world();
        world.names.values().map(|file| world.contents[*file].len() as u64).sum()
    }

    /// Changing operations so far.
    pub fn changes(&self) -> usize {
        self.world().changes
    }
}

impl World {
    /// Whether the next changing operation fails, and how.
    fn fault(&mut self) -> Option<Fault> {
        self.changes += 1;
        let (left, fault) = self.fault?;
        if left > 0 {
            self.fault = Some((left - 1, fault));
            return None;
        }
        if !self.for_good {
            self.fault = None;
        }
        Some(fault)
    }

    fn check(&mut self) -> io::Result<()> {
        match self.fault() {
            None | Some(Fault::ShortWrite) => Ok(()),
            Some(Fault::Eio | Fault::ShortEio) => Err(io::Error::from_raw_os_error(5)),
            Some(Fault::Enospc) => Err(io::Error::from_raw_os_error(28)),
        }
    }

    fn write(&mut self, file: usize, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let fault = self.fault();
        let mut bytes = match fault {
            Some(Fault::Eio) => return Err(io::Error::from_raw_os_error(5)),
            Some(Fault::Enospc) => return Err(io::Error::from_raw_os_error(28)),
            Some(Fault::ShortWrite) => {
                self.fault = Some((0, Fault::Enospc));
                &bytes[..bytes.len() / 2]
            }
            Some(Fault::ShortEio) => {
                self.fault = Some((0, Fault::Eio));
                &bytes[..bytes.len() / 2]
            }
            None => bytes,
        };
        if let Some(room) = self.room {
            let used: u64 = self.names.values().map(|file| self.contents[*file].len() as u64).sum();
            let grows = (offset + bytes.len() as u64).saturating_sub(self.contents[file].len() as u64);
            if used + grows > room {
                let fits = (bytes.len() as u64).saturating_sub(used + grows - room.max(used)) as usize;
                if fits == 0 {
                    return Err(io::Error::from_raw_os_error(28));
                }
                bytes = &bytes[..fits];
            }
        }
        if bytes.is_empty() {
            return Err(io::Error::from_raw_os_error(28));
        }
        write(&mut self.contents[file], bytes, offset);
        self.log.push(Op::Write { file, offset, bytes: bytes.to_vec() });
        Ok(bytes.len())
    }
}
