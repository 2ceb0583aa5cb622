//! The answers of a merged run: they stay in its shards, and are looked up there.
//!
//! A merged run directory holds a folder for each shard. Which shard an answer is in follows from the prompt that it is
//! about. Only reading happens here: what a merged run asks later goes into its own journal.

use super::packed::Packed;
use super::stored::{StoredAnswer, find_answer, meta};
use super::{JournalError, schema};
use crate::pure::call::CallKey;
use crate::pure::prompt::PromptId;
use crate::pure::shard::Shard;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The fact that says that a run is merged.
pub(super) const FACT: &str = "run.merged_from";

/// Journals kept open at a time: each takes up to three of the files that a process may have open.
const OPEN: usize = 128;

/// What a run was merged from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedFrom {
    /// How many shards the run has.
    pub shards: u32,
    /// Those of them that were not there.
    pub missing: Vec<u32>,
    /// Answers in those that were there.
    pub answers: u64,
    /// What is missing, a sentence each; nothing where all shards were finished.
    pub gaps: Vec<String>,
}

/// What a journal says of it.
pub(super) fn told(db: &Connection) -> rusqlite::Result<Option<MergedFrom>> {
    Ok(meta(db, FACT)?.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Finds answers in the shards of a merged run.
#[derive(Debug)]
pub(super) struct ShardAnswers {
    dir: PathBuf,
    from: MergedFrom,
    open: BTreeMap<u32, Connection>,
}

impl ShardAnswers {
    /// `None` where the journal is not of a merged run.
    pub(super) fn of(db: &Connection, dir: &Path) -> rusqlite::Result<Option<Self>> {
        Ok(told(db)?.map(|from| Self { dir: dir.to_owned(), from, open: BTreeMap::new() }))
    }

    /// How many there are.
    pub(super) fn answers(&self) -> u64 {
        self.from.answers
    }

    pub(super) fn find(
        &mut self,
        key: &CallKey,
        prompt: &PromptId,
    ) -> Result<Option<(StoredAnswer, Option<Packed>)>, JournalError> {
        let index = Shard::of_prompt(prompt, self.from.shards);
        if self.from.missing.contains(&index) {
            return Ok(None);
        }
        let Ok(shard) = Shard::new(index, self.from.shards) else { return Ok(None) };
        let path = self.dir.join(shard.dir_name()).join(super::FILE);
        if !self.open.contains_key(&index) {
            if !path.exists() {
                return Err(JournalError::Missing(self.dir.join(shard.dir_name()).display().to_string()));
            }
            if self.open.len() >= OPEN {
                self.open.clear();
            }
            self.open.insert(index, schema::open_to_read(&path)?);
        }
        match self.open.get(&index).map(|db| find_answer(db, key)) {
            Some(found) => found.map_err(|error| JournalError::from_sqlite(&path, &error)),
            None => Ok(None),
        }
    }
}
