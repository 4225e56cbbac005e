//! What a power cut leaves: a log of a simulated file system is played onto a disk, which knows what is durable for
//! certain and what may or may not be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::disk::{Image, Op};
use super::random::Random;

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
    /// All of them.
    pub const ALL: [Cut; 5] = [Cut::Nothing, Cut::Subset, Cut::Sectors, Cut::NoSizesNoNames, Cut::SizesOnly];
}

/// A disk while a log is played: what is durable for certain, and what may or may not be.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    pub(super) contents: Vec<Vec<u8>>,
    pub(super) names: BTreeMap<PathBuf, usize>,
    /// Operations on each file's content since it was synced.
    pub(super) pending: BTreeMap<usize, Vec<Op>>,
    /// Operations on names since their folder was synced.
    pub(super) pending_names: Vec<Op>,
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
    pub fn cut(&self, how: Cut, dice: &mut Random) -> Image {
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

fn survive(content: &mut Vec<u8>, op: &Op, how: Cut, dice: &mut Random) {
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

pub(super) fn apply_content(content: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Write { offset, bytes, .. } => write(content, bytes, *offset),
        Op::SetLen { length, .. } => content.resize(*length as usize, 0),
        _ => {}
    }
}

pub(super) fn apply_name(names: &mut BTreeMap<PathBuf, usize>, op: &Op) {
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

pub(super) fn write(content: &mut Vec<u8>, bytes: &[u8], offset: u64) {
    let end = offset as usize + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset as usize..end].copy_from_slice(bytes);
}
