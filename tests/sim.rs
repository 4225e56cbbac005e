//! A file system that knows what was written and what was only hoped for. It writes down every operation, so that the
//! power can be cut after any of them, in the ways a disk may answer for it; and it fails when told to.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use staffetta::journal::{File, Files};

/// One operation, as it was asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    Create {
        file: usize,
        path: PathBuf,
    },
    Write {
        file: usize,
        offset: u64,
        bytes: Vec<u8>,
    },
    SetLen {
        file: usize,
        length: u64,
    },
    SyncData {
        file: usize,
    },
    SyncAll {
        file: usize,
    },
    /// The system may now take for written what it could not write.
    FailedSync {
        file: usize,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    SyncDir {
        dir: PathBuf,
    },
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

/// What a power cut leaves of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nothing.
    Nothing,
    /// Some of the operations, whole.
    Subset,
    /// Some of the sectors of 512 bytes.
    Sectors,
    /// Content, but neither sizes nor names.
    NoSizesNoNames,
    /// Sizes and names, but content only in part: the rest is zeros.
    SizesOnly,
}

impl Cut {
    pub const ALL: [Cut; 5] = [Cut::Nothing, Cut::Subset, Cut::Sectors, Cut::NoSizesNoNames, Cut::SizesOnly];
}

/// A small generator of random numbers.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    pub fn coin(&mut self) -> bool {
        self.roll() & 1 == 1
    }
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

fn write(content: &mut Vec<u8>, bytes: &[u8], offset: u64) {
    let end = offset as usize + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset as usize..end].copy_from_slice(bytes);
}

struct Handle {
    sim: Sim,
    file: usize,
}

impl Handle {
    fn sync(&self, op: Op) -> io::Result<()> {
        let mut world = self.sim.world();
        let done = world.check();
        world.log.push(if done.is_ok() { op } else { Op::FailedSync { file: self.file } });
        done
    }
}

impl Files for Sim {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.check()?;
        let mut dir = Some(dir);
        while let Some(path) = dir {
            world.dirs.insert(path.to_owned());
            dir = path.parent();
        }
        Ok(())
    }

    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        let world = self.world();
        if !world.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = world.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut world = self.world();
        world.check()?;
        let file = match world.names.get(path).copied() {
            Some(file) => {
                world.contents[file].clear();
                world.log.push(Op::SetLen { file, length: 0 });
                file
            }
            None => {
                let file = world.contents.len();
                world.contents.push(Vec::new());
                world.names.insert(path.to_owned(), file);
                world.log.push(Op::Create { file, path: path.to_owned() });
                file
            }
        };
        Ok(Arc::new(Handle { sim: self.clone(), file }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = self.world().names.get(path).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(Handle { sim: self.clone(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.check()?;
        let file = world.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        world.names.insert(to.to_owned(), file);
        world.log.push(Op::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.check()?;
        world.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        world.log.push(Op::Remove { path: path.to_owned() });
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.check()?;
        world.log.push(Op::SyncDir { dir: dir.to_owned() });
        Ok(())
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Result<Box<dyn Any + Send + Sync>, String>> {
        struct Guard(Sim, PathBuf);
        impl Drop for Guard {
            fn drop(&mut self) {
                self.0.world().locked.remove(&self.1);
            }
        }
        let mut world = self.world();
        if let Some(holder) = world.locked.get(path) {
            return Ok(Err(holder.clone()));
        }
        world.locked.insert(path.to_owned(), holder.trim().to_owned());
        Ok(Ok(Box::new(Guard(self.clone(), path.to_owned()))))
    }

    fn boot_id(&self) -> Option<String> {
        Some("the same machine, never stopped".to_owned())
    }
}

impl File for Handle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let world = self.sim.world();
        let rest = world.contents[self.file].get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.sim.world().write(self.file, bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut world = self.sim.world();
        world.check()?;
        world.contents[self.file].resize(length as usize, 0);
        world.log.push(Op::SetLen { file: self.file, length });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync(Op::SyncData { file: self.file })
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync(Op::SyncAll { file: self.file })
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.sim.world().contents[self.file].len() as u64)
    }
}

/// A disk while a log is played: what is durable for certain, and what may or may not be.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    contents: Vec<Vec<u8>>,
    names: BTreeMap<PathBuf, usize>,
    /// Operations on each file's content since it was synced.
    pending: BTreeMap<usize, Vec<Op>>,
    /// Operations on names since their folder was synced.
    pending_names: Vec<Op>,
}

impl Disk {
    /// One that holds these files, all durable.
    pub fn of(image: &Image) -> Disk {
        let mut disk = Disk::default();
        for (path, content) in image {
            disk.names.insert(path.clone(), disk.contents.len());
            disk.contents.push(content.clone());
        }
        disk
    }

    /// Plays one operation.
    pub fn play(&mut self, op: &Op) {
        match op {
            Op::Write { file, .. } | Op::SetLen { file, .. } => self.pending.entry(*file).or_default().push(op.clone()),
            Op::Create { file, .. } => {
                self.contents.resize(self.contents.len().max(file + 1), Vec::new());
                self.pending_names.push(op.clone());
            }
            Op::Rename { .. } | Op::Remove { .. } => self.pending_names.push(op.clone()),
            Op::SyncData { file } | Op::SyncAll { file } => {
                for op in self.pending.remove(file).unwrap_or_default() {
                    apply_content(&mut self.contents[*file], &op);
                }
            }
            Op::FailedSync { file } => {
                let pending = self.pending.entry(*file).or_default();
                pending.retain(|op| !matches!(op, Op::Write { .. }));
            }
            Op::SyncDir { dir } => {
                for op in std::mem::take(&mut self.pending_names) {
                    if folder_of(&op) == Some(dir) {
                        apply_name(&mut self.names, &op);
                    } else {
                        self.pending_names.push(op);
                    }
                }
            }
            Op::Told(_) => {}
        }
    }

    /// What is there after the power was cut now.
    pub fn cut(&self, how: Cut, dice: &mut Dice) -> Image {
        let mut names = self.names.clone();
        for op in &self.pending_names {
            let survives = match how {
                Cut::Nothing | Cut::NoSizesNoNames => false,
                Cut::Subset | Cut::Sectors => dice.coin(),
                Cut::SizesOnly => true,
            };
            if survives {
                apply_name(&mut names, op);
            }
        }
        let mut image = Image::new();
        for (path, file) in names {
            let mut content = self.contents[file].clone();
            let durable = content.len();
            for op in self.pending.get(&file).into_iter().flatten() {
                survive(&mut content, op, how, dice);
            }
            if how == Cut::NoSizesNoNames {
                content.truncate(durable);
            }
            image.insert(path, content);
        }
        image
    }
}

fn survive(content: &mut Vec<u8>, op: &Op, how: Cut, dice: &mut Dice) {
    match (how, op) {
        (Cut::Nothing, _) => {}
        (Cut::NoSizesNoNames, _) => apply_content(content, op),
        (Cut::Subset, _) | (Cut::Sectors | Cut::SizesOnly, Op::SetLen { .. }) if dice.coin() => {
            apply_content(content, op)
        }
        (Cut::Subset, _) | (Cut::Sectors | Cut::SizesOnly, Op::SetLen { .. }) => {}
        (_, Op::Write { offset, bytes, .. }) => {
            if how == Cut::SizesOnly {
                let end = *offset as usize + bytes.len();
                content.resize(content.len().max(end), 0);
            }
            let mut at = *offset;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let sector = (512 - at as usize % 512).min(rest.len());
                let lucky = if how == Cut::SizesOnly { dice.below(4) == 0 } else { dice.coin() };
                if lucky {
                    write(content, &rest[..sector], at);
                }
                at += sector as u64;
                rest = &rest[sector..];
            }
        }
        _ => {}
    }
}

fn apply_content(content: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Write { offset, bytes, .. } => write(content, bytes, *offset),
        Op::SetLen { length, .. } => content.resize(*length as usize, 0),
        _ => {}
    }
}

fn apply_name(names: &mut BTreeMap<PathBuf, usize>, op: &Op) {
    match op {
        Op::Create { file, path } => {
            names.insert(path.clone(), *file);
        }
        Op::Rename { from, to } => {
            // What was renamed may itself not have survived under its first name.
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        Op::Remove { path } => {
            names.remove(path);
        }
        _ => {}
    }
}

fn folder_of(op: &Op) -> Option<&Path> {
    match op {
        Op::Create { path, .. } | Op::Remove { path } => path.parent(),
        Op::Rename { to, .. } => to.parent(),
        _ => None,
    }
}
