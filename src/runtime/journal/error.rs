//! What can go wrong with a journal, and what to do about each.

use std::path::Path;

/// Why the journal cannot be opened, read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// There is no journal at that place.
    #[error("`{0}` holds no run: there is no journal in it")]
    Missing(String),
    /// Another process writes this run.
    #[error("`{path}` is being written by {holder}")]
    Held {
        /// The run directory.
        path: String,
        /// Process and host.
        holder: String,
    },
    /// A later amend wrote it.
    #[error("`{path}` has journal format {found}, and this amend knows formats up to {known}")]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// The file is something else.
    #[error("`{0}` is not a journal of amend")]
    NotAJournal(String),
    /// The file is damaged.
    #[error("`{path}` is damaged: {detail}")]
    Corrupt {
        /// The file.
        path: String,
        /// What was found.
        detail: String,
    },
    /// No space left.
    #[error("no space left for `{0}`")]
    DiskFull(String),
    /// The directory or file cannot be written.
    #[error("`{0}` cannot be written: it is read-only, or belongs to somebody else")]
    ReadOnly(String),
    /// The SQLite in this build has a known fault that can damage journals.
    #[error("SQLite {0} is too old to keep a journal safely")]
    OldSqlite(String),
    /// The file was moved away, deleted or replaced while it was open.
    #[error("`{0}` was moved, deleted or replaced while the run went on")]
    Gone(String),
    /// The journal is encrypted, and the environment holds no key.
    #[error("`{0}` is encrypted, and AMEND_JOURNAL_KEY is not set")]
    NoKey(String),
    /// The journal is encrypted with another key.
    #[error("`{0}` is encrypted with another key than that in AMEND_JOURNAL_KEY")]
    OtherKey(String),
    /// The environment holds a key, and the journal was begun without one.
    #[error("`{0}` was begun without encryption, and AMEND_JOURNAL_KEY is set")]
    NotEncrypted(String),
    /// The environment holds something that is not a key.
    #[error("AMEND_JOURNAL_KEY does not hold a key of 64 hexadecimal digits")]
    BadKey,
    /// Any other trouble with the disk.
    #[error("`{path}`: {detail}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        detail: String,
    },
    /// The copy on shared storage cannot be kept.
    #[error("{0}")]
    Mirror(String),
    /// The writer has ended, and the process with it as far as this journal is concerned.
    #[error("the journal is closed")]
    Closed,
}

impl JournalError {
    /// What the user can do, in one sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing(_) => "name the directory that `amend run --out` wrote",
            Self::Held { .. } => {
                "wait until it has ended (`amend run --wait` does), or give this run another `--out`"
            }
            Self::Newer { .. } => "update amend, or use the version that wrote the run",
            Self::NotAJournal(_) => "give `--out` a new or empty directory",
            Self::Corrupt { .. } => {
                "`amend verify RUN` tells what is damaged, and `amend repair RUN` keeps what is whole"
            }
            Self::DiskFull(_) => {
                "free some space and run the same command again: every answer so far is kept"
            }
            Self::ReadOnly(_) => "check the permissions of the run directory, or give `--out` another one",
            Self::Gone(_) => {
                "put the file back and run the same command again; what was answered until then is in it"
            }
            Self::NoKey(_) | Self::OtherKey(_) => {
                "set AMEND_JOURNAL_KEY to the key that the run was begun with"
            }
            Self::NotEncrypted(_) => {
                "unset AMEND_JOURNAL_KEY to go on without encryption, or begin an encrypted run in another `--out`"
            }
            Self::BadKey => "`openssl rand -hex 32` makes one; keep it where the run's files are not",
            Self::OldSqlite(_) => "build amend with its bundled SQLite",
            Self::Io { .. } => "check the disk and run the same command again: every answer so far is kept",
            Self::Mirror(_) => {
                "see that the folder of `--mirror` can be written, and run the same command again to go on"
            }
            Self::Closed => "run the same command again: every answer so far is kept",
        }
    }

    pub(super) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseCorrupt, DiskFull, NotADatabase, PermissionDenied, ReadOnly, Unknown,
        };
        let path = path.display().to_string();
        match error.sqlite_error_code() {
            Some(DiskFull) => Self::DiskFull(path),
            Some(ReadOnly | PermissionDenied) => Self::ReadOnly(path),
            Some(NotADatabase) => Self::NotAJournal(path),
            // `None`: not an error of SQLite itself, but a value that is not of its column's type.
            // `Unknown`: our own statements do not fit the tables, so the tables are not ours any more.
            Some(DatabaseCorrupt | Unknown) | None => Self::Corrupt { path, detail: error.to_string() },
            Some(CannotOpen) => Self::Io { path, detail: "the file cannot be opened".into() },
            Some(_) => Self::Io { path, detail: error.to_string() },
        }
    }

    pub(super) fn from_io(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let name = path.display().to_string();
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(name),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull(name),
            _ => Self::Io { path: name, detail: error.to_string() },
        }
    }
}
