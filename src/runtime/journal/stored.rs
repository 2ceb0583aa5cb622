//! What is read and written one by one: answers with their packed bodies, and facts of the run.

use super::packed::Packed;
use super::record_sum::is_whole;
use super::schema;
use crate::pure::call::{CallKey, Role};
use crate::pure::prompt::PromptId;
use rusqlite::{Connection, OptionalExtension as _};
use std::sync::LazyLock;

/// A response as it came, stored before anything was read from it (law 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The prompt that the call worked on.
    pub prompt_id: PromptId,
    /// Who was asked.
    pub role: Role,
    /// The model that was asked.
    pub model: String,
    /// HTTP status of the last response; 0 when there was none.
    pub status: u16,
    /// The body.
    pub body: Option<String>,
    /// Why there is no body, as the model layer writes it.
    pub failure: Option<String>,
    /// Attempts made, the first included.
    pub attempts: u32,
    /// Milliseconds that the last attempt took.
    pub latency_ms: u64,
}

/// Looks an answer up, and whether it is whole.
static FIND_ANSWER: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT prompt_id, role, model, status, body, packed, failure, attempts, latency_ms, {}
         FROM answers a WHERE key = ?1",
        is_whole("answers", "a")
    )
});

/// The answer to a call in one journal.
pub(super) fn find_answer(
    db: &Connection,
    key: &CallKey,
) -> rusqlite::Result<Option<(StoredAnswer, Option<Packed>)>> {
    let mut statement = db.prepare_cached(&FIND_ANSWER)?;
    let found = statement.query_row([&key.0[..]], |row| {
        if !row.get::<_, bool>(9)? {
            return Err(damaged(&format!("answer {key}")));
        }
        let role: String = row.get(1)?;
        let answer = StoredAnswer {
            prompt_id: PromptId(row.get(0)?),
            role: role.parse().map_err(|_| rusqlite::Error::InvalidColumnName("role".into()))?,
            model: row.get(2)?,
            status: row.get(3)?,
            body: None,
            failure: row.get(6)?,
            attempts: row.get(7)?,
            latency_ms: row.get::<_, i64>(8)?.unsigned_abs(),
        };
        let body: Option<Vec<u8>> = row.get(4)?;
        let form: u8 = row.get(5)?;
        Ok((answer, body.map(|bytes| Packed { bytes, form })))
    });
    found.optional()
}

/// A record whose checksum is not that of its columns, as an error of SQLite's: it is damage.
pub(super) fn damaged(what: &str) -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some(format!("{what}: its checksum does not fit")))
}

pub(super) fn meta(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    let whole = if schema::has_sums(schema::format(db)?) { is_whole("meta", "m") } else { "1".into() };
    let sql = format!("SELECT value, {whole} FROM meta m WHERE key = ?1");
    let found = db.query_row(&sql, [key], |row| {
        if row.get::<_, bool>(1)? { row.get(0) } else { Err(damaged(&format!("the fact `{key}`"))) }
    });
    found.optional()
}

pub(super) fn set_meta(db: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta (key, value, sum) VALUES (?1, ?2, record_sum(?1, ?2))
               ON CONFLICT (key) DO UPDATE SET value = excluded.value, sum = excluded.sum";
    db.execute(sql, [key, value])?;
    Ok(())
}

pub(super) fn pass(db: &Connection) -> rusqlite::Result<i64> {
    Ok(meta(db, "pass")?.and_then(|pass| pass.parse().ok()).unwrap_or(0))
}
