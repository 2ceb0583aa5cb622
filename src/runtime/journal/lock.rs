//! One process writes a run.
//!
//! The lock is the operating system's, on a file beside the journal, so that a process that died holds nothing. What
//! stands in the file only tells a person who holds it.

use super::identity::FileIdentity;
use super::{JournalError, LOCK_FILE as FILE};
use crate::runtime::private_files;
use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    place: FileIdentity,
}

impl Lock {
    /// Takes the lock of a run directory, or says who has it.
    pub(super) fn take(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join(FILE);
        let mut file = private_files::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| JournalError::from_io(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Held { path: dir.display().to_string(), holder: named_in(&file) });
            }
            Err(TryLockError::Error(error)) => return Err(JournalError::from_io(&path, &error)),
        }
        let named = file.set_len(0).and_then(|()| file.write_all(this_process().as_bytes()));
        named.map_err(|error| JournalError::from_io(&path, &error))?;
        Ok(Self { file, place: FileIdentity::of(&path)? })
    }

    /// Fails when the file was replaced: another process could lock the new one.
    pub(super) fn check_place(&self) -> Result<(), JournalError> {
        self.place.check()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The file stays: deleting it could take it away from a process that has just locked it.
        let _ = self.file.set_len(0);
    }
}

/// The process that a locked file names.
fn named_in(file: &File) -> String {
    let mut holder = String::new();
    let read = file.take(200).read_to_string(&mut holder);
    let holder = holder.trim();
    let known = read.is_ok() && !holder.is_empty();
    if known { holder } else { "another process" }.escape_debug().to_string()
}

/// The process that writes a run now, where there is one.
pub fn writer_of(dir: &Path) -> Option<String> {
    let file = File::open(dir.join(FILE)).ok()?;
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| named_in(&file))
}

/// Names this process and its host to a person.
pub fn this_process() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match host.trim() {
        "" => format!("process {}", std::process::id()),
        host => format!("process {} on {host}", std::process::id()),
    }
}
