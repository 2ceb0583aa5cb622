//! How the files of a mirror are written, and what can go wrong with them.

use crate::runtime::journal::JournalError;
use crate::runtime::private_files;
use std::io::Write as _;
use std::path::Path;

/// Why a mirror cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// The disk.
    #[error("`{path}` of the mirror: {detail}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        detail: String,
    },
    /// A newer process goes on with the run.
    #[error("the run in `{dir}` was taken over by {holder}")]
    TakenOver {
        /// The mirror.
        dir: String,
        /// Job, process and host.
        holder: String,
    },
    /// The journal of the run.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl MirrorError {
    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), detail: error.to_string() }
    }
}

/// Writes a file beside its place, syncs it, and moves it there.
pub(super) fn put(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), MirrorError> {
    let path = dir.join(name);
    let beside = dir.join(format!("{name}.{}.new", std::process::id()));
    let write = || {
        let mut file = private_files::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, &path)?;
        // The name is durable once its folder is. Some file systems do not sync folders; they need not.
        if let Ok(folder) = std::fs::File::open(dir) {
            let _ = folder.sync_all();
        }
        Ok(())
    };
    write().map_err(|error: std::io::Error| MirrorError::io(&path, &error))
}
