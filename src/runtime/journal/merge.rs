//! The journals of shards become one.

use super::record_sum::is_whole;
use super::store::{Store, meta, set_meta};
use super::{FILE, JournalError, Reader, schema};
use std::path::{Path, PathBuf};

/// The fact that says of a journal that it was merged.
pub(super) const MERGED: &str = "run.merged";

/// The columns of each table that is taken over, and which records of a shard are: those of its last pass.
const TAKEN: [(&str, &str, &str); 4] = [
    ("answers", "key, prompt_id, role, model, status, body, packed, failure, attempts, latency_ms", "1"),
    ("prompts", "id, 1, at", "s.pass = ?1"),
    ("transcripts", "prompt_id, plan, provisional, outline, body", "s.plan = ?2"),
    (
        "rejects",
        "key, 1, plan, prompt_id, at, reason, detail",
        "s.pass = ?1 AND (s.plan IS NULL OR s.plan = ?2)",
    ),
];

/// Writes the journal of `dir` anew from the journals of shards, which must be of one plan and may be in any order. Every record
/// is checked before it is taken over. Only when all of them are there does the journal say that its input was read to its end,
/// and not even then where `is_whole` is false.
pub fn merge_journals(dir: &Path, shards: &[PathBuf], is_whole: bool) -> Result<(), JournalError> {
    let path = dir.join(FILE);
    let store = Store::open(dir, "FULL")?;
    let fail = |error: rusqlite::Error| JournalError::from_sqlite(&path, &error);
    let mut plan = None;
    for shard in shards {
        // What is wrong with a shard shows here, before anything is written.
        let reader = Reader::open(shard)?;
        plan = Some(reader.plan().to_owned());
    }
    let plan = plan.unwrap_or_default();
    store.db.execute_batch("BEGIN IMMEDIATE; DELETE FROM answers; DELETE FROM prompts; DELETE FROM transcripts; DELETE FROM rejects").map_err(fail)?;
    set_meta(&store.db, "plan", &plan).map_err(fail)?;
    set_meta(&store.db, "pass", "1").map_err(fail)?;
    set_meta(&store.db, "input", "open").map_err(fail)?;
    set_meta(&store.db, MERGED, &shards.len().to_string()).map_err(fail)?;
    store.db.execute_batch("COMMIT").map_err(fail)?;
    for shard in shards {
        take_over(&store, shard, &plan)?;
    }
    if is_whole {
        set_meta(&store.db, "input", "read").map_err(fail)?;
    }
    Ok(())
}

fn take_over(store: &Store, shard: &Path, plan: &str) -> Result<(), JournalError> {
    let file = shard.join(FILE);
    let fail = |error: rusqlite::Error| JournalError::from_sqlite(&file, &error);
    let pass: i64 = {
        let db = schema::open_to_read(&file)?;
        meta(&db, "pass").map_err(fail)?.and_then(|pass| pass.parse().ok()).unwrap_or(1)
    };
    let name = file.to_str().ok_or_else(|| JournalError::NotAJournal(file.display().to_string()))?;
    store.db.execute("ATTACH ?1 AS shard", [name]).map_err(fail)?;
    let copied = copy(store, pass, plan).map_err(fail);
    store.db.execute_batch("DETACH shard").map_err(fail)?;
    match copied? {
        None => Ok(()),
        Some(table) => Err(JournalError::Corrupt {
            path: file.display().to_string(),
            detail: format!("a record of the table `{table}` has a checksum that does not fit"),
        }),
    }
}

/// Copies a shard's records in one transaction. Gives the table in which a record is damaged, if there is one.
fn copy(store: &Store, pass: i64, plan: &str) -> rusqlite::Result<Option<&'static str>> {
    store.db.execute_batch("BEGIN IMMEDIATE")?;
    for (table, columns, which) in TAKEN {
        let whole = is_whole(table, "s");
        let damaged: i64 = store.db.query_row(
            &format!("SELECT count(*) FROM shard.{table} s WHERE NOT ({whole})"),
            [],
            |row| row.get(0),
        )?;
        if damaged > 0 {
            store.db.execute_batch("ROLLBACK")?;
            return Ok(Some(table));
        }
        let sql = format!(
            "INSERT OR IGNORE INTO main.{table} SELECT {columns}, record_sum({columns}) FROM shard.{table} s
             WHERE (?1 OR 1) AND (?2 OR 1) AND {which}"
        );
        store.db.execute(&sql, rusqlite::params![pass, plan])?;
    }
    store.db.execute_batch("COMMIT")?;
    Ok(None)
}
