//! Reading a run, while it goes on or years later. Everything a [`Reader`] gives is of the moment it was opened.
//!
//! Rows stream in the order of prompt ids, so that what is made of them does not depend on who finished first.

use super::encryption::{self, ReadingKey};
use super::lock::writer_of;
use super::log_check;
use super::packed::{Packed, is_sealed_transcript, unpack_transcript};
use super::record_sum::is_whole;
use super::shard_answers::{self, MergedFrom};
use super::stored::{StoredAnswer, damaged, find_answer, meta, pass};
use super::transcript_summary::Outline;
use super::{JournalError, schema};
use crate::pure::call::CallKey;
use crate::pure::prompt::PromptId;
use crate::pure::reason::Reason;
use crate::pure::reject::Reject;
use crate::pure::transcript::Transcript;
use rusqlite::{Connection, params};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// A run's journal, open for reading.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
    path: PathBuf,
    pub(super) plan: String,
    pub(super) pass: i64,
    /// Rows of earlier passes count too, because the input was not read to its end.
    pub(super) any_pass: bool,
    /// Whether records have checksums; those of version 0.1.0 have none.
    has_sums: bool,
    /// The key of its texts.
    key: ReadingKey,
}

/// The structure of a file up to this size is looked at whenever it is opened: that takes a tenth of a second.
const ALWAYS_CHECKED: u64 = 64 * 1024 * 1024;

/// How much is in a journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Passes over the input.
    pub passes: u64,
    /// Whether the last pass read the input to its end.
    pub input_read: bool,
    /// Answers, of every plan.
    pub answers: u64,
    /// Prompts of the run.
    pub prompts: u64,
    /// Their transcripts of the current plan.
    pub transcripts: u64,
    /// Rejects.
    pub rejects: u64,
}

/// What an id, or the beginning of one, stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// One transcript.
    One(Box<Transcript>),
    /// Several begin like this; the first few ids.
    Several(Vec<PromptId>),
    /// No transcript does.
    None,
}

/// A prompt of a run in short.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlineRow {
    /// The prompt's id.
    pub id: PromptId,
    /// Where it stood in the input when it was last met, as `file:line`.
    pub at: String,
    /// What became of it.
    pub outline: Outline,
}

impl Reader {
    /// Opens the journal of a run directory, which may be read-only.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join(super::FILE);
        if !path.exists() {
            return Err(JournalError::Missing(dir.display().to_string()));
        }
        // While a process writes, the log grows under the eyes of who reads it.
        if writer_of(dir).is_none()
            && let Some(fault) =
                log_check::fault(&std::fs::read(log_check::path_of(&path)).unwrap_or_default())
        {
            let detail = format!("its write-ahead log: {fault}");
            return Err(JournalError::Corrupt { path: path.display().to_string(), detail });
        }
        let db = schema::open_to_read(&path)?;
        let fail = |error: rusqlite::Error| JournalError::from_sqlite(&path, &error);
        let has_sums = schema::has_sums(schema::format(&db).map_err(fail)?);
        let size = std::fs::metadata(&path).map_or(0, |found| found.len());
        let fault = if has_sums { schema::count_mismatch(&db).map_err(fail)? } else { None };
        let fault = match fault {
            None if size <= ALWAYS_CHECKED => schema::structure_fault(&db).map_err(fail)?,
            fault => fault,
        };
        if let Some(detail) = fault {
            return Err(JournalError::Corrupt { path: path.display().to_string(), detail });
        }
        let plan = meta(&db, "plan").map_err(fail)?.unwrap_or_default();
        let any_pass = meta(&db, "input").map_err(fail)?.as_deref() != Some("read");
        let pass = pass(&db).map_err(fail)?;
        let key = ReadingKey::of(&db, &path)?;
        Ok(Self { db, path, plan, pass, any_pass, has_sums, key })
    }

    /// A fact that the run kept with [`Journal::set_meta`](super::Journal::set_meta).
    pub fn meta(&self, key: &str) -> Result<Option<String>, JournalError> {
        meta(&self.db, &format!("run.{key}")).map_err(|error| self.error(&error))
    }

    /// What the run was merged from, if it was.
    pub fn merged_from(&self) -> Result<Option<MergedFrom>, JournalError> {
        shard_answers::told(&self.db).map_err(|error| self.error(&error))
    }

    /// Answers that are in the shards of a merged run.
    fn merged_answers(&self) -> Result<u64, JournalError> {
        Ok(self.merged_from()?.map_or(0, |merged| merged.answers))
    }

    /// The plan of the last pass.
    pub fn plan(&self) -> &str {
        &self.plan
    }

    /// How much there is.
    pub fn counts(&self) -> Result<Counts, JournalError> {
        let count = |sql: &str, of: &[&dyn rusqlite::ToSql]| {
            let counted = self.db.query_row(sql, of, |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()));
            counted.map_err(|error| self.error(&error))
        };
        Ok(Counts {
            passes: self.pass.unsigned_abs(),
            input_read: !self.any_pass,
            answers: count("SELECT count(*) FROM answers", &[])? + self.merged_answers()?,
            prompts: count(
                "SELECT count(*) FROM prompts WHERE ?1 OR pass = ?2",
                &[&self.any_pass, &self.pass],
            )?,
            transcripts: count(
                "SELECT count(*) FROM transcripts t JOIN prompts p ON p.id = t.prompt_id
                 WHERE t.plan = ?3 AND (?1 OR p.pass = ?2)",
                &[&self.any_pass, &self.pass, &self.plan],
            )?,
            rejects: count(
                "SELECT count(*) FROM rejects WHERE (plan IS NULL OR plan = ?3) AND (?1 OR pass = ?2)",
                &[&self.any_pass, &self.pass, &self.plan],
            )?,
        })
    }

    /// Whether every prompt of the input has its transcript or its reject: nothing is left of the run.
    pub fn is_complete(&self) -> Result<bool, JournalError> {
        if self.any_pass {
            return Ok(false);
        }
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM prompts p WHERE p.pass = ?1
                   AND NOT EXISTS (SELECT 1 FROM transcripts t WHERE t.prompt_id = p.id AND t.plan = ?2)
                   AND NOT EXISTS (SELECT 1 FROM rejects r WHERE r.key = 'prompt ' || p.id AND r.pass = ?1))";
        let found = self.db.query_row(sql, params![self.pass, self.plan], |row| row.get(0));
        found.map_err(|error| self.error(&error))
    }

    /// Every transcript of the current plan, also those whose prompt is a reject, in the order of prompt ids.
    pub fn transcripts(&self) -> Transcripts<'_> {
        Transcripts { reader: self, page: VecDeque::new(), last: String::new(), ended: false }
    }

    /// The transcript whose prompt id begins so.
    pub fn transcript(&self, prefix: &str) -> Result<Found, JournalError> {
        // Ids are hexadecimal; anything else matches nothing, and `g` comes after `f`.
        let sql = "SELECT prompt_id FROM transcripts WHERE plan = ?1 AND prompt_id >= ?2 AND prompt_id < ?3
                   ORDER BY prompt_id LIMIT 6";
        let bounds = params![self.plan, prefix, format!("{prefix}g")];
        let mut ids = self.collect(sql, bounds, |row| Ok(PromptId(row.get(0)?)))?;
        match (ids.pop(), ids.is_empty()) {
            (None, _) => Ok(Found::None),
            (Some(only), true) => {
                let sql = format!(
                    "SELECT body, {} FROM transcripts t WHERE prompt_id = ?1",
                    self.whole("transcripts", "t")
                );
                let body: Vec<u8> = self
                    .db
                    .query_row(&sql, [&only.0], |row| checked(row, 1, &only.0)?.get(0))
                    .map_err(|error| self.error(&error))?;
                Ok(Found::One(Box::new(self.unpack(&only.0, &body)?)))
            }
            (Some(last), false) => {
                ids.push(last);
                Ok(Found::Several(ids))
            }
        }
    }

    /// Every reject of the run, rows of the input by their place, then prompts by their id.
    pub fn rejects(&self) -> Rejects<'_> {
        Rejects { reader: self, page: VecDeque::new(), last: String::new(), ended: false }
    }

    /// Where a prompt stood in the input when it was last met.
    pub fn place(&self, id: &PromptId) -> Result<Option<String>, JournalError> {
        let sql = format!("SELECT at, {} FROM prompts p WHERE id = ?1", self.whole("prompts", "p"));
        let found = self.collect(&sql, params![id.0], |row| checked(row, 1, &id.0)?.get(0))?;
        Ok(found.into_iter().next())
    }

    /// The outline of each transcript of the current plan, in the order of prompt ids: enough for a table of a run.
    /// `after` is the id to go on from; at most `limit` are given.
    pub fn outlines(&self, after: &str, limit: u32) -> Result<Vec<OutlineRow>, JournalError> {
        let sql = self.of_transcripts("t.outline, p.at");
        let bounds = params![self.plan, self.any_pass, self.pass, after, limit];
        let texts = |row: &rusqlite::Row<'_>| {
            let id: String = row.get(0)?;
            let row = checked(row, 1, &id)?;
            Ok((id, row.get(2)?, row.get(3)?))
        };
        let rows: Vec<(String, String, String)> = self.collect(&sql, bounds, texts)?;
        let parse = |(id, json, at): (String, String, String)| match serde_json::from_str(&json) {
            Ok(outline) => Ok(OutlineRow { id: PromptId(id), at, outline }),
            Err(error) => Err(self.corrupt(format!("outline of transcript {id}: {error}"))),
        };
        rows.into_iter().map(parse).collect()
    }

    /// The transcripts of the run after the id `?4`, as SQL: their ids, whether they are whole, and `columns`. What is damaged is
    /// among them whatever it says of its plan and pass: else it would be left out, and nobody would hear of it.
    pub(super) fn of_transcripts(&self, columns: &str) -> String {
        let whole = format!("({} AND {})", self.whole("transcripts", "t"), self.whole("prompts", "p"));
        format!(
            "SELECT t.prompt_id, {whole}, {columns} FROM transcripts t LEFT JOIN prompts p ON p.id = t.prompt_id
             WHERE ((t.plan = ?1 AND p.id IS NOT NULL AND (?2 OR p.pass = ?3)) OR NOT {whole})
             AND t.prompt_id > ?4 ORDER BY t.prompt_id LIMIT ?5"
        )
    }

    /// Whether a record is whole, as SQL.
    /// The answer to a call, where this journal holds it; those of a merged run are in its shards.
    pub fn answer(&self, key: &CallKey) -> Result<Option<StoredAnswer>, JournalError> {
        let found = find_answer(&self.db, key).map_err(|error| self.error(&error))?;
        found.map(|(answer, body)| self.unpacked(key, answer, body)).transpose()
    }

    fn unpacked(
        &self,
        key: &CallKey,
        mut answer: StoredAnswer,
        body: Option<Packed>,
    ) -> Result<StoredAnswer, JournalError> {
        if let Some(body) = body {
            let seal = if body.is_sealed() { self.key.seal()? } else { None };
            let text = body.text(&key.0, seal);
            answer.body = Some(text.map_err(|detail| self.corrupt(format!("answer {key}: {detail}")))?);
        }
        Ok(answer)
    }

    /// Hands out every answer, of every plan, in no order that means anything. One is in memory at a time.
    pub fn each_answer(&self, mut hand_out: impl FnMut(StoredAnswer)) -> Result<(), JournalError> {
        let fail = |error: rusqlite::Error| self.error(&error);
        let mut statement = self.db.prepare_cached("SELECT key FROM answers").map_err(fail)?;
        let mut rows = statement.query([]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let bytes: Vec<u8> = row.get(0).map_err(fail)?;
            let key = <[u8; 32]>::try_from(bytes).map_err(|_| self.corrupt("a key of an answer".into()))?;
            if let Some(answer) = self.answer(&CallKey(key))? {
                hand_out(answer);
            }
        }
        Ok(())
    }

    /// What tells the key of its texts from others; `None` for a journal in the clear.
    pub(super) fn key_mark(&self) -> Result<Option<String>, JournalError> {
        encryption::mark(&self.db).map_err(|error| self.error(&error))
    }

    pub(super) fn whole(&self, table: &str, alias: &str) -> String {
        if self.has_sums { is_whole(table, alias) } else { "1".into() }
    }

    pub(super) fn collect<R>(
        &self,
        sql: &str,
        bounds: &[&dyn rusqlite::ToSql],
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<R>,
    ) -> Result<Vec<R>, JournalError> {
        let run =
            || self.db.prepare_cached(sql)?.query_map(bounds, read)?.collect::<rusqlite::Result<Vec<R>>>();
        run().map_err(|error| self.error(&error))
    }

    fn unpack(&self, id: &str, body: &[u8]) -> Result<Transcript, JournalError> {
        let seal = if is_sealed_transcript(body) { self.key.seal()? } else { None };
        let json = unpack_transcript(body, id, seal);
        let read = json.and_then(|json| serde_json::from_slice(&json).map_err(|error| error.to_string()));
        read.map_err(|detail| self.corrupt(format!("transcript {id}: {detail}")))
    }

    pub(super) fn error(&self, error: &rusqlite::Error) -> JournalError {
        JournalError::from_sqlite(&self.path, error)
    }

    fn corrupt(&self, detail: String) -> JournalError {
        JournalError::Corrupt { path: self.path.display().to_string(), detail }
    }
}

/// The row, if the column `whole` says that its records are.
pub(super) fn checked<'a, 'r>(
    row: &'a rusqlite::Row<'r>,
    whole: usize,
    what: &str,
) -> rusqlite::Result<&'a rusqlite::Row<'r>> {
    if row.get::<_, bool>(whole)? { Ok(row) } else { Err(damaged(&format!("record {what}"))) }
}

/// Rows read at a time: what a stream of them holds in memory.
const PAGE: u32 = 64;

/// Transcripts, streaming.
#[derive(Debug)]
pub struct Transcripts<'a> {
    reader: &'a Reader,
    page: VecDeque<(String, Vec<u8>)>,
    last: String,
    ended: bool,
}

impl Iterator for Transcripts<'_> {
    type Item = Result<Transcript, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() && !self.ended {
            let reader = self.reader;
            let sql = reader.of_transcripts("t.body");
            let Reader { plan, any_pass, pass, .. } = reader;
            let bounds = params![plan, any_pass, pass, self.last, PAGE];
            let read = |row: &rusqlite::Row<'_>| {
                let id: String = row.get(0)?;
                let body = checked(row, 1, &id)?.get(2)?;
                Ok((id, body))
            };
            match reader.collect(&sql, bounds, read) {
                Ok(page) => {
                    self.ended = page.len() < PAGE as usize;
                    self.page = page.into();
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        let (id, body) = self.page.pop_front()?;
        let transcript = self.reader.unpack(&id, &body);
        self.last = id;
        Some(transcript)
    }
}

/// Rejects, streaming.
#[derive(Debug)]
pub struct Rejects<'a> {
    reader: &'a Reader,
    page: VecDeque<(String, Reject)>,
    last: String,
    ended: bool,
}

impl Iterator for Rejects<'_> {
    type Item = Result<Reject, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() && !self.ended {
            let whole = self.reader.whole("rejects", "r");
            let sql = format!(
                "SELECT key, prompt_id, at, reason, detail, {whole} FROM rejects r
                 WHERE (((plan IS NULL OR plan = ?1) AND (?2 OR pass = ?3)) OR NOT ({whole}))
                 AND key > ?4 ORDER BY key LIMIT ?5"
            );
            let Reader { plan, any_pass, pass, .. } = self.reader;
            let bounds = params![plan, any_pass, pass, self.last, PAGE];
            let read = |row: &rusqlite::Row<'_>| {
                let row = checked(row, 5, &row.get::<_, String>(0)?)?;
                let id: Option<String> = row.get(1)?;
                let reason = Reason::stored(&row.get::<_, String>(3)?);
                let (at, detail) = (row.get(2)?, row.get(4)?);
                Ok((row.get(0)?, Reject { prompt_id: id.map(PromptId), at, reason, detail }))
            };
            match self.reader.collect(&sql, bounds, read) {
                Ok(page) => {
                    self.ended = page.len() < PAGE as usize;
                    self.page = page.into();
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        let (key, reject) = self.page.pop_front()?;
        self.last = key;
        Some(Ok(reject))
    }
}
