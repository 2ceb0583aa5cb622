//! Who writes a mirror: a file with a number that grows, and the name of the process.

use super::files::{MirrorError, put};
use serde::{Deserialize, Serialize};
use std::path::Path;

const FILE: &str = "claim.json";

/// The newest claim of a mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// Grows by one with each start.
    pub(super) number: u32,
    /// The job, the process and its host.
    pub(super) holder: String,
}

impl Claim {
    /// Takes the mirror over from whoever had it.
    pub(super) fn take(dir: &Path, holder: &str) -> Result<Self, MirrorError> {
        let before = read(dir)?.map_or(0, |claim| claim.number);
        let claim = Self { number: before + 1, holder: holder.to_owned() };
        let text = serde_json::to_string(&claim).unwrap_or_default() + "\n";
        put(dir, FILE, text.as_bytes())?;
        Ok(claim)
    }

    /// Fails when somebody claimed the mirror since.
    pub(super) fn check(&self, dir: &Path) -> Result<(), MirrorError> {
        match read(dir)? {
            Some(newest) if newest != *self => Err(MirrorError::TakenOver {
                dir: dir.display().to_string(),
                holder: newest.holder.escape_debug().to_string(),
            }),
            Some(_) | None => Ok(()),
        }
    }
}

/// The newest claim, where there is one that can be read.
fn read(dir: &Path) -> Result<Option<Claim>, MirrorError> {
    let path = dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(serde_json::from_str(&text).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(MirrorError::io(&path, &error)),
    }
}
