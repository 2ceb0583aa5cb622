//! The journal of a merged run: prompts, transcripts and rejects of all shards, in the order of their ids.
//!
//! One transaction: a merge that breaks off leaves the journal as it was. Answers stay in the shards (see
//! `shard_answers.rs`); those that the merged run itself asked since an earlier merge are kept.

use super::encryption;
use super::lock::Lock;
use super::reader::checked;
use super::shard_answers::{self, MergedFrom};
use super::stored::{pass, set_meta};
use super::{FILE, JournalError, Reader, schema};
use crate::runtime::private_files;
use rusqlite::{Connection, params};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::path::Path;

/// What is merged.
#[derive(Debug)]
pub struct Merging<'a> {
    /// The journals of the shards that are there.
    pub shards: &'a [Reader],
    /// The plan of all of them.
    pub plan: &'a str,
    /// What the run is merged from.
    pub from: &'a MergedFrom,
}

/// Writes the merged journal into a run directory, which may hold an earlier merge.
///
/// # Errors
///
/// A journal that cannot be read or written, or that another process writes. Then nothing is changed.
pub fn merge(dir: &Path, merging: &Merging<'_>) -> Result<(), JournalError> {
    private_files::create_dir_all(dir).map_err(|error| JournalError::from_io(dir, &error))?;
    let _lock = Lock::take(dir)?;
    let path = dir.join(FILE);
    private_files::options()
        .append(true)
        .create(true)
        .open(&path)
        .map_err(|error| JournalError::from_io(&path, &error))?;
    let mut db = schema::open_to_write(&path, "FULL")?;
    let fail = |error: rusqlite::Error| JournalError::from_sqlite(&path, &error);
    let begun = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fail)?;
    let pass = pass(&begun).map_err(fail)? + 1;
    for table in ["prompts", "transcripts", "rejects"] {
        begun.execute(&format!("DELETE FROM {table}"), []).map_err(fail)?;
    }
    let into = Target { db: &begun, path: &path, plan: merging.plan, pass };
    in_order(merging.shards, prompts_after, |prompt| into.put_prompt(prompt))?;
    in_order(merging.shards, transcripts_after, |transcript| into.put_transcript(transcript))?;
    in_order(merging.shards, rejects_after, |reject| into.put_reject(reject))?;
    let from = serde_json::to_string(merging.from).unwrap_or_default();
    let input = if merging.from.gaps.is_empty() { "read" } else { "open" };
    let pass = pass.to_string();
    for (fact, value) in
        [("plan", merging.plan), ("pass", &pass), ("input", input), (shard_answers::FACT, &from)]
    {
        set_meta(&begun, fact, value).map_err(fail)?;
    }
    if let Some(mark) = common_key(merging.shards, &path)? {
        encryption::set_mark(&begun, &mark).map_err(fail)?;
    }
    begun.commit().map_err(fail)
}

/// What tells the key of all shards from others; `None` where they are in the clear.
fn common_key(shards: &[Reader], path: &Path) -> Result<Option<String>, JournalError> {
    let marks = shards.iter().map(Reader::key_mark).collect::<Result<Vec<_>, _>>()?;
    match marks.split_first() {
        Some((first, others)) if others.iter().any(|other| other != first) => {
            Err(JournalError::OtherKey(path.display().to_string()))
        }
        Some((first, _)) => Ok(first.clone()),
        None => Ok(None),
    }
}

/// A copy of a journal under another directory: the same file under another name where both are on one disk, which each of
/// the two gives up before it is written to.
///
/// # Errors
///
/// A disk that is full, a journal that cannot be read.
pub fn copy_of(from: &Path, to: &Path) -> Result<(), JournalError> {
    private_files::create_dir_all(to).map_err(|error| JournalError::from_io(to, &error))?;
    let (source, target) = (from.join(FILE), to.join(FILE));
    let beside = to.join("journal.copy");
    for path in [&beside, &target] {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(JournalError::from_io(path, &error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    // With the lock held, and the log folded in, the file is the whole journal.
    if let Ok(_lock) = Lock::take(from)
        && schema::open_to_write(&source, "FULL").is_ok()
        && !log_is_there(&source)
        && std::fs::hard_link(&source, &target).is_ok()
    {
        return Ok(());
    }
    let db = schema::open_to_read(&source)?;
    db.execute_batch("COMMIT").map_err(|error| JournalError::from_sqlite(&source, &error))?;
    let name = beside.display().to_string();
    db.execute("VACUUM INTO ?1", [&name]).map_err(|error| JournalError::from_sqlite(&beside, &error))?;
    drop(db);
    std::fs::rename(&beside, &target).map_err(|error| JournalError::from_io(&target, &error))
}

/// Whether there is a write-ahead log with something in it.
fn log_is_there(journal: &Path) -> bool {
    std::fs::metadata(super::log_check::path_of(journal)).is_ok_and(|log| log.len() > 0)
}

/// A record that is known by a key.
trait Keyed {
    fn key(&self) -> &str;
}

struct Prompt {
    id: String,
    at: String,
}

struct Transcript {
    id: String,
    provisional: bool,
    outline: String,
    body: Vec<u8>,
}

struct Reject {
    key: String,
    of_plan: bool,
    prompt_id: Option<String>,
    at: Option<String>,
    reason: String,
    detail: String,
}

impl Keyed for Prompt {
    fn key(&self) -> &str {
        &self.id
    }
}

impl Keyed for Transcript {
    fn key(&self) -> &str {
        &self.id
    }
}

impl Keyed for Reject {
    fn key(&self) -> &str {
        &self.key
    }
}

/// Records read at a time from each shard.
const PAGE: u32 = 64;

/// Hands the records of all shards on in the order of their keys, with a page of each shard in memory.
fn in_order<R: Keyed>(
    shards: &[Reader],
    read_after: fn(&Reader, &str) -> Result<Vec<R>, JournalError>,
    mut take: impl FnMut(&R) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let mut pages: Vec<VecDeque<R>> = Vec::with_capacity(shards.len());
    let mut heads = BinaryHeap::new();
    for (n, shard) in shards.iter().enumerate() {
        let page: VecDeque<R> = read_after(shard, "")?.into();
        heads.extend(page.front().map(|first| Reverse((first.key().to_owned(), n))));
        pages.push(page);
    }
    while let Some(Reverse((key, n))) = heads.pop() {
        let (Some(page), Some(shard)) = (pages.get_mut(n), shards.get(n)) else { continue };
        if let Some(record) = page.pop_front() {
            take(&record)?;
        }
        if page.is_empty() {
            *page = read_after(shard, &key)?.into();
        }
        heads.extend(page.front().map(|next| Reverse((next.key().to_owned(), n))));
    }
    Ok(())
}

fn prompts_after(shard: &Reader, after: &str) -> Result<Vec<Prompt>, JournalError> {
    let whole = shard.whole("prompts", "p");
    let sql = format!(
        "SELECT id, at, {whole} FROM prompts p WHERE ((?1 OR pass = ?2) OR NOT ({whole})) AND id > ?3
         ORDER BY id LIMIT ?4"
    );
    shard.collect(&sql, params![shard.any_pass, shard.pass, after, PAGE], |row| {
        let row = checked(row, 2, &row.get::<_, String>(0)?)?;
        Ok(Prompt { id: row.get(0)?, at: row.get(1)? })
    })
}

fn transcripts_after(shard: &Reader, after: &str) -> Result<Vec<Transcript>, JournalError> {
    let sql = shard.of_transcripts("t.provisional, t.outline, t.body");
    let bounds = params![shard.plan, shard.any_pass, shard.pass, after, PAGE];
    shard.collect(&sql, bounds, |row| {
        let row = checked(row, 1, &row.get::<_, String>(0)?)?;
        Ok(Transcript { id: row.get(0)?, provisional: row.get(2)?, outline: row.get(3)?, body: row.get(4)? })
    })
}

fn rejects_after(shard: &Reader, after: &str) -> Result<Vec<Reject>, JournalError> {
    let whole = shard.whole("rejects", "r");
    let sql = format!(
        "SELECT key, plan IS NOT NULL, prompt_id, at, reason, detail, {whole} FROM rejects r
         WHERE (((plan IS NULL OR plan = ?1) AND (?2 OR pass = ?3)) OR NOT ({whole})) AND key > ?4
         ORDER BY key LIMIT ?5"
    );
    let bounds = params![shard.plan, shard.any_pass, shard.pass, after, PAGE];
    shard.collect(&sql, bounds, |row| {
        let row = checked(row, 6, &row.get::<_, String>(0)?)?;
        Ok(Reject {
            key: row.get(0)?,
            of_plan: row.get(1)?,
            prompt_id: row.get(2)?,
            at: row.get(3)?,
            reason: row.get(4)?,
            detail: row.get(5)?,
        })
    })
}

/// The merged journal as it is written.
struct Target<'a> {
    db: &'a Connection,
    path: &'a Path,
    plan: &'a str,
    pass: i64,
}

impl Target<'_> {
    fn put(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<(), JournalError> {
        let put = || self.db.prepare_cached(sql)?.execute(values);
        put().map(|_| ()).map_err(|error| JournalError::from_sqlite(self.path, &error))
    }

    fn put_prompt(&self, Prompt { id, at }: &Prompt) -> Result<(), JournalError> {
        let sql =
            "INSERT OR IGNORE INTO prompts (id, pass, at, sum) VALUES (?1, ?2, ?3, record_sum(?1, ?2, ?3))";
        self.put(sql, params![id, self.pass, at])
    }

    fn put_transcript(&self, transcript: &Transcript) -> Result<(), JournalError> {
        let Transcript { id, provisional, outline, body } = transcript;
        let sql = "INSERT OR IGNORE INTO transcripts (prompt_id, plan, provisional, outline, body, sum)
                   VALUES (?1, ?2, ?3, ?4, ?5, record_sum(?1, ?2, ?3, ?4, ?5))";
        self.put(sql, params![id, self.plan, provisional, outline, body])
    }

    fn put_reject(&self, reject: &Reject) -> Result<(), JournalError> {
        let Reject { key, of_plan, prompt_id, at, reason, detail } = reject;
        let sql = "INSERT OR IGNORE INTO rejects (key, pass, plan, prompt_id, at, reason, detail, sum)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, record_sum(?1, ?2, ?3, ?4, ?5, ?6, ?7))";
        let plan = of_plan.then_some(self.plan);
        self.put(sql, params![key, self.pass, plan, prompt_id, at, reason, detail])
    }
}
