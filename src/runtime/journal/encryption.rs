//! Whether a journal is encrypted, and with which key: its fact `seal` says so, from its first record on.

use super::JournalError;
use super::seal::Seal;
use super::stored::{meta, set_meta};
use rusqlite::Connection;
use std::path::Path;

/// The fact of a journal that says of which key it is.
const FACT: &str = "seal";

/// The key that a journal's texts are written with; `None` for one in the clear. A new journal is of the environment's key.
pub(super) fn to_write(db: &Connection, path: &Path, is_new: bool) -> Result<Option<Seal>, JournalError> {
    let fail = |error: rusqlite::Error| JournalError::from_sqlite(path, &error);
    let name = || path.display().to_string();
    let (fact, key) = (meta(db, FACT).map_err(fail)?, Seal::of_environment()?);
    match (fact, key) {
        (None, None) => Ok(None),
        (None, Some(key)) if is_new => {
            set_meta(db, FACT, &key.mark).map_err(fail)?;
            Ok(Some(key))
        }
        (None, Some(_)) => Err(JournalError::NotEncrypted(name())),
        (Some(mark), Some(key)) if key.mark == mark => Ok(Some(key)),
        (Some(_), Some(_)) => Err(JournalError::OtherKey(name())),
        (Some(_), None) => Err(JournalError::NoKey(name())),
    }
}

/// What a reader knows of a journal's key.
#[derive(Debug, Clone)]
pub(super) enum ReadingKey {
    /// The journal is in the clear.
    NotNeeded,
    /// The right key.
    Key(Seal),
    /// No key, or another one: counts can be read, texts cannot.
    Missing(JournalError),
}

impl ReadingKey {
    /// The key of a journal that is read.
    pub(super) fn of(db: &Connection, path: &Path) -> Result<Self, JournalError> {
        let fact = meta(db, FACT).map_err(|error| JournalError::from_sqlite(path, &error))?;
        let Some(mark) = fact else { return Ok(Self::NotNeeded) };
        let name = path.display().to_string();
        Ok(match Seal::of_environment()? {
            Some(key) if key.mark == mark => Self::Key(key),
            Some(_) => Self::Missing(JournalError::OtherKey(name)),
            None => Self::Missing(JournalError::NoKey(name)),
        })
    }

    /// The key, where there is one.
    pub(super) fn seal(&self) -> Result<Option<&Seal>, JournalError> {
        match self {
            Self::NotNeeded => Ok(None),
            Self::Key(seal) => Ok(Some(seal)),
            Self::Missing(why) => Err(why.clone()),
        }
    }
}

/// The fact of an encrypted journal, for one that is made of it.
pub(super) fn mark(db: &Connection) -> rusqlite::Result<Option<String>> {
    meta(db, FACT)
}

/// Says that a journal is of the key with this mark.
pub(super) fn set_mark(db: &Connection, mark: &str) -> rusqlite::Result<()> {
    set_meta(db, FACT, mark)
}
