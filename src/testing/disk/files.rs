//! The disk as the journal meets it: each operation is checked, done and written down.

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Op, Sim};
use crate::journal::{File, Files};

struct Handle {
    sim: Sim,
    file: usize,
}

impl Handle {
    fn sync(&self, op: Op) -> io::Result<()> {
        let mut world = self.sim.world();
        world.on_flush.iter().for_each(|f| f());
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
