//! Where a dataset is written before it is one: a folder beside the target, and the spill of rows to be shuffled.

use super::ExportError;
use super::manifest::{MANIFEST, is_finished};
use crate::pure::digest::Parts;
use crate::runtime::dataset::rows::{Config, Row, Value};
use crate::runtime::private_files;
use std::fs::{File, TryLockError};
use std::io::{BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// A folder that becomes the target when everything in it is durable.
pub(in crate::runtime) struct Staging {
    target: PathBuf,
    new: PathBuf,
    old: PathBuf,
    done: bool,
    /// Held as long as this export goes on; another one of the same target is refused.
    _lock: TargetLock,
}

impl Staging {
    /// Makes an empty folder beside the target. What a crash left there is cleaned up first.
    pub(in crate::runtime) fn begin(target: &Path, is_partial: bool) -> Result<Self, ExportError> {
        Self::begin_where(target, is_partial, replaceable)
    }

    /// The same, where `may_replace` says what may be replaced.
    pub(in crate::runtime) fn begin_where(
        target: &Path,
        is_partial: bool,
        may_replace: impl Fn(&Path) -> bool,
    ) -> Result<Self, ExportError> {
        let name = target.file_name().map(|n| n.to_string_lossy().into_owned());
        let Some(name) = name else { return Err(ExportError::Occupied(target.to_owned())) };
        let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(|e| ExportError::io("create", parent, e))?;
        let lock = TargetLock::take(parent.join(format!(".{name}.lock")), target)?;
        let staging = Self {
            target: target.to_owned(),
            new: parent.join(format!(".{name}.writing")),
            old: parent.join(format!(".{name}.replaced")),
            done: false,
            _lock: lock,
        };
        if !target.exists() && staging.old.exists() {
            // The last export stopped between its two renames.
            std::fs::rename(&staging.old, target).map_err(|e| ExportError::io("restore", target, e))?;
        }
        if target.exists() && !may_replace(target) {
            return Err(ExportError::Occupied(target.to_owned()));
        }
        if is_partial && is_finished(target) {
            return Err(ExportError::Finished(target.to_owned()));
        }
        remove(&staging.new)?;
        remove(&staging.old)?;
        std::fs::create_dir(&staging.new).map_err(|e| ExportError::io("create", &staging.new, e))?;
        Ok(staging)
    }

    /// The folder to write into.
    pub(in crate::runtime) fn path(&self) -> &Path {
        &self.new
    }

    /// Puts the folder in the target's place.
    pub(in crate::runtime) fn commit(mut self) -> Result<(), ExportError> {
        let rename =
            |from: &Path, to: &Path| std::fs::rename(from, to).map_err(|e| ExportError::io("rename", to, e));
        if self.target.exists() {
            rename(&self.target, &self.old)?;
        }
        rename(&self.new, &self.target)?;
        self.done = true;
        if let Some(parent) = self.target.parent().and_then(|p| File::open(p).ok()) {
            // Best effort: not every system lets a folder be synced, and nothing is lost where it cannot.
            let _ = parent.sync_all();
        }
        remove(&self.old)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.done {
            let _ = std::fs::remove_dir_all(&self.new);
        }
    }
}

/// The lock of a target: a file beside it, which goes with the export.
struct TargetLock {
    path: PathBuf,
    _file: File,
}

impl TargetLock {
    fn take(path: PathBuf, target: &Path) -> Result<Self, ExportError> {
        loop {
            let file = private_files::options().append(true).create(true).open(&path);
            let file = file.map_err(|e| ExportError::io("create", &path, e))?;
            match file.try_lock() {
                // The holder before may have deleted the file that was opened here; then the lock is of nothing.
                Ok(()) if private_files::is_at(&file, &path) => return Ok(Self { path, _file: file }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(ExportError::Busy(target.to_owned())),
                Err(TryLockError::Error(error)) => return Err(ExportError::io("lock", &path, error)),
            }
        }
    }
}

impl Drop for TargetLock {
    fn drop(&mut self) {
        // Before the file is closed: who opens it from now on opens another one.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether the target may be replaced: it is a dataset of ours, or empty.
fn replaceable(target: &Path) -> bool {
    target.join(MANIFEST).is_file()
        || std::fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_none())
}

fn remove(dir: &Path) -> Result<(), ExportError> {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(ExportError::io("remove", dir, e)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Rows waiting on disk to be read in the order of a hash of their ids; 24 bytes of memory for each.
pub(super) struct Spill {
    path: PathBuf,
    out: BufWriter<File>,
    line: Vec<u8>,
    rows: Vec<(u64, u64, u8)>,
    end: u64,
}

impl Spill {
    /// An empty spill in the folder.
    pub(super) fn create(root: &Path, config: Config) -> Result<Self, ExportError> {
        let path = root.join(format!("{}.spill", config.as_str()));
        let file = File::create(&path).map_err(|e| ExportError::io("create", &path, e))?;
        Ok(Self { path, out: BufWriter::new(file), line: Vec::new(), rows: Vec::new(), end: 0 })
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: &Row, split: usize) -> Result<(), ExportError> {
        self.line.clear();
        let at = |e| ExportError::io("write", &self.path, e);
        serde_json::to_writer(&mut self.line, row).map_err(|e| at(e.into()))?;
        self.line.push(b'\n');
        let id = if let Value::Text(id) = row.get("id") { id.as_str() } else { "" };
        self.rows.push((
            Parts::new("shuffle").with(id).uniform(),
            self.end,
            u8::try_from(split).unwrap_or(0),
        ));
        self.end += self.line.len() as u64;
        self.out.write_all(&self.line).map_err(at)
    }

    /// Reads every row back, shuffled, and removes the file.
    pub(super) fn read_sorted(
        mut self,
        config: Config,
        mut take: impl FnMut(Row, usize) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let at = |e| ExportError::io("read", &self.path, e);
        self.out.flush().map_err(at)?;
        self.rows.sort_unstable();
        let mut file = BufReader::new(File::open(&self.path).map_err(at)?);
        let mut line = String::new();
        for (_, offset, split) in &self.rows {
            file.seek(SeekFrom::Start(*offset)).map_err(at)?;
            line.clear();
            file.read_line(&mut line).map_err(at)?;
            let row = serde_json::from_str(&line).ok().and_then(|json| Row::from_json(config, &json));
            take(row.ok_or(ExportError::Changed)?, usize::from(*split))?;
        }
        std::fs::remove_file(&self.path).map_err(at)
    }
}
