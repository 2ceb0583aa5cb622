//! Whether a file that is open still is the one at its path: a journal that was moved away or deleted keeps nothing.

use super::JournalError;
use crate::runtime::private_files::number_of;
use std::path::{Path, PathBuf};

/// A file as it was when it was opened.
#[derive(Debug)]
pub(super) struct FileIdentity {
    path: PathBuf,
    /// Device and number.
    number: (u64, u64),
}

impl FileIdentity {
    /// The file at this path.
    pub(super) fn of(path: &Path) -> Result<Self, JournalError> {
        let found = std::fs::metadata(path).map_err(|error| JournalError::from_io(path, &error))?;
        Ok(Self { path: path.to_owned(), number: number_of(&found) })
    }

    /// Fails when another file is at the path, or none.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        let is_same = std::fs::metadata(&self.path).is_ok_and(|found| number_of(&found) == self.number);
        if is_same { Ok(()) } else { Err(JournalError::Gone(self.path.display().to_string())) }
    }
}
