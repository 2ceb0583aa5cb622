//! What the journal does, as plain functions over one connection. They run inside the writer's transaction.

use super::identity::FileIdentity;
use super::lock::Lock;
use super::log_check;
use super::packed::Packed;
use super::record_sum::is_whole;
use super::seal::Seal;
use super::shard_answers::ShardAnswers;
use super::stored::{StoredAnswer, damaged, find_answer, meta, pass, set_meta};
use super::transcript_summary::{Outline, Row};
use super::{JournalError, encryption, schema};
use crate::pure::call::CallKey;
use crate::pure::prompt::PromptId;
use crate::pure::reason::Reason;
use crate::pure::reject::Reject;
use crate::runtime::private_files;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A row of the input as it is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// A prompt.
    Prompt {
        /// Its id.
        id: PromptId,
        /// `file:line`.
        at: String,
    },
    /// A row that cannot be read.
    Reject(Reject),
}

/// What is to be done about an [`Arrival`].
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// The method must run.
    New,
    /// A transcript of the current plan is there.
    Done(Outline),
    /// The same prompt was met before in this pass; this one is stored as a reject.
    Duplicate {
        /// Where it was met first.
        of: String,
    },
    /// The row is stored as a reject.
    Rejected,
}

/// How a pass begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PassInfo {
    /// Its number, from 1.
    pub pass: i64,
    /// Answers in the journal already.
    pub answers: u64,
    /// Finished transcripts of the same plan in the journal already.
    pub transcripts: u64,
}

/// Looks the outline of a finished transcript up, and whether it is whole.
static FIND_OUTLINE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT outline, {} FROM transcripts t WHERE prompt_id = ?1 AND plan = ?2 AND provisional = 0",
        is_whole("transcripts", "t")
    )
});

/// The connection, the lock, and what the pass is about.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) db: Connection,
    path: PathBuf,
    plan: String,
    pass: i64,
    file: FileIdentity,
    /// Where more answers are, if this is a merged run.
    shards: Option<ShardAnswers>,
    /// The key of its texts, where they are encrypted.
    pub(super) seal: Option<Seal>,
    // Last, so that it is let go after the connection is closed.
    lock: Lock,
}

impl Store {
    pub(super) fn open(dir: &Path, synchronous: &str) -> Result<Self, JournalError> {
        private_files::create_dir_all(dir).map_err(|error| JournalError::from_io(dir, &error))?;
        let lock = Lock::take(dir)?;
        let path = dir.join(super::FILE);
        // SQLite gives its other files the permissions of this one.
        private_files::options()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(|error| JournalError::from_io(&path, &error))?;
        // A merged run may share the file: it gets to keep what it has.
        private_files::unshare(&path).map_err(|error| JournalError::from_io(&path, &error))?;
        log_check::set_aside_if_damaged(&path)?;
        let db = schema::open_to_write(&path, synchronous)?;
        let file = FileIdentity::of(&path)?;
        let plan = meta(&db, "plan").map_err(|error| JournalError::from_sqlite(&path, &error))?;
        let pass = pass(&db).map_err(|error| JournalError::from_sqlite(&path, &error))?;
        let shards = ShardAnswers::of(&db, dir).map_err(|error| JournalError::from_sqlite(&path, &error))?;
        let is_new = is_empty(&db).map_err(|error| JournalError::from_sqlite(&path, &error))?;
        let seal = encryption::to_write(&db, &path, is_new)?;
        Ok(Self { db, path, plan: plan.unwrap_or_default(), pass, file, shards, seal, lock })
    }

    /// Reads the facts again that were put into the journal from elsewhere.
    pub(super) fn read_facts(&mut self) -> Result<(), JournalError> {
        let plan = meta(&self.db, "plan").map_err(|error| self.error(&error))?;
        self.plan = plan.unwrap_or_default();
        self.pass = pass(&self.db).map_err(|error| self.error(&error))?;
        // A copy of a run that was encrypted with another key cannot be gone on with.
        self.seal = encryption::to_write(&self.db, &self.path, false)?;
        Ok(())
    }

    /// Fails when the journal or its lock is not where it was opened: what is written would be lost.
    pub(super) fn check_place(&self) -> Result<(), JournalError> {
        self.file.check()?;
        self.lock.check_place()
    }

    pub(super) fn error(&self, error: &rusqlite::Error) -> JournalError {
        JournalError::from_sqlite(&self.path, error)
    }

    pub(super) fn corrupt(&self, detail: impl Into<String>) -> JournalError {
        JournalError::Corrupt { path: self.path.display().to_string(), detail: detail.into() }
    }

    pub(super) fn begin_pass(&mut self, plan: &str) -> rusqlite::Result<PassInfo> {
        self.pass += 1;
        self.plan = plan.into();
        set_meta(&self.db, "plan", plan)?;
        set_meta(&self.db, "pass", &self.pass.to_string())?;
        set_meta(&self.db, "input", "open")?;
        let count = |sql, of: &[&dyn rusqlite::ToSql]| {
            self.db.query_row(sql, of, |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))
        };
        Ok(PassInfo {
            pass: self.pass,
            answers: count("SELECT count(*) FROM answers", &[])?
                + self.shards.as_ref().map_or(0, ShardAnswers::answers),
            transcripts: count("SELECT count(*) FROM transcripts WHERE plan = ?1", &[&plan])?,
        })
    }

    pub(super) fn end_input(&self) -> rusqlite::Result<()> {
        set_meta(&self.db, "input", "read")
    }

    /// The answer to a call about a prompt: here, else in the prompt's shard.
    pub(super) fn answer_about(
        &mut self,
        key: &CallKey,
        prompt: &PromptId,
    ) -> Result<Option<(StoredAnswer, Option<Packed>)>, JournalError> {
        let found = self.answer(key).map_err(|error| self.error(&error))?;
        match &mut self.shards {
            Some(shards) if found.is_none() => shards.find(key, prompt),
            Some(_) | None => Ok(found),
        }
    }

    pub(super) fn answer(&self, key: &CallKey) -> rusqlite::Result<Option<(StoredAnswer, Option<Packed>)>> {
        find_answer(&self.db, key)
    }

    pub(super) fn record(
        &self,
        key: &CallKey,
        answer: &StoredAnswer,
        body: Option<&Packed>,
    ) -> rusqlite::Result<()> {
        // The first answer stays: the method has been given it. Only what is no answer gives way.
        let sql = "INSERT INTO answers
                   (key, prompt_id, role, model, status, body, packed, failure, attempts, latency_ms, sum)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                   record_sum(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)) ON CONFLICT (key) DO UPDATE SET
                   prompt_id = excluded.prompt_id, role = excluded.role, model = excluded.model,
                   status = excluded.status, body = excluded.body, packed = excluded.packed, failure = excluded.failure,
                   attempts = excluded.attempts, latency_ms = excluded.latency_ms, sum = excluded.sum
                   WHERE answers.failure IS NOT NULL";
        self.db.prepare_cached(sql)?.execute(params![
            &key.0[..],
            answer.prompt_id.0,
            answer.role.as_str(),
            answer.model,
            answer.status,
            body.map(|packed| &packed.bytes),
            body.map_or(0, |packed| packed.form),
            answer.failure,
            answer.attempts,
            i64::try_from(answer.latency_ms).unwrap_or(i64::MAX),
        ])?;
        Ok(())
    }

    pub(super) fn admit(&self, arrival: &Arrival) -> Result<Admission, JournalError> {
        let admitted = match arrival {
            Arrival::Prompt { id, at } => return self.admit_prompt(id, at),
            Arrival::Reject(reject) => self.reject(&row_key(reject), None, reject),
        };
        admitted.map_err(|error| self.error(&error))?;
        Ok(Admission::Rejected)
    }

    fn admit_prompt(&self, id: &PromptId, at: &str) -> Result<Admission, JournalError> {
        let fail = |error: rusqlite::Error| self.error(&error);
        let sql = "SELECT at FROM prompts WHERE id = ?1 AND pass = ?2";
        let mut met = self.db.prepare_cached(sql).map_err(fail)?;
        let met = met.query_row(params![id.0, self.pass], |row| row.get::<_, String>(0)).optional();
        if let Some(of) = met.map_err(fail)? {
            let reject = Reject {
                prompt_id: Some(id.clone()),
                at: Some(at.into()),
                reason: Reason::Duplicate,
                detail: format!("the same prompt is at {of}"),
            };
            self.reject(&row_key(&reject), None, &reject).map_err(fail)?;
            return Ok(Admission::Duplicate { of });
        }
        let sql = "INSERT INTO prompts (id, pass, at, sum) VALUES (?1, ?2, ?3, record_sum(?1, ?2, ?3))
                   ON CONFLICT (id) DO UPDATE SET pass = excluded.pass, at = excluded.at, sum = excluded.sum";
        let mut meet = self.db.prepare_cached(sql).map_err(fail)?;
        meet.execute(params![id.0, self.pass, at]).map_err(fail)?;

        let mut done = self.db.prepare_cached(&FIND_OUTLINE).map_err(fail)?;
        let outline = done.query_row(params![id.0, self.plan], |row| {
            if row.get::<_, bool>(1)? {
                row.get::<_, String>(0)
            } else {
                Err(damaged(&format!("transcript {id}")))
            }
        });
        let Some(outline) = outline.optional().map_err(fail)? else { return Ok(Admission::New) };
        let outline: Outline = serde_json::from_str(&outline)
            .map_err(|error| self.corrupt(format!("outline of transcript {id}: {error}")))?;
        self.keep_reject_of(id, &outline).map_err(fail)?;
        Ok(Admission::Done(outline))
    }

    /// Stores a transcript with its outline; `provisional` ones are made anew in the next pass.
    pub(super) fn finish(
        &self,
        id: &PromptId,
        outline: &Outline,
        outline_json: &str,
        body: &[u8],
        provisional: bool,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO transcripts (prompt_id, plan, provisional, outline, body, sum)
                   VALUES (?1, ?2, ?3, ?4, ?5, record_sum(?1, ?2, ?3, ?4, ?5))
                   ON CONFLICT (prompt_id) DO UPDATE SET plan = excluded.plan, provisional = excluded.provisional,
                   outline = excluded.outline, body = excluded.body, sum = excluded.sum";
        let mut statement = self.db.prepare_cached(sql)?;
        statement.execute(params![id.0, self.plan, provisional, outline_json, body])?;
        self.keep_reject_of(id, outline)
    }

    pub(super) fn reject_prompt(&self, reject: &Reject) -> rusqlite::Result<()> {
        let id = reject.prompt_id.as_ref().map_or("", |id| &id.0);
        self.reject(&prompt_key(id), Some(&self.plan), reject)
    }

    /// A prompt stands in the reject table exactly when its outline says so.
    fn keep_reject_of(&self, id: &PromptId, outline: &Outline) -> rusqlite::Result<()> {
        match &outline.row {
            Row::Kept => {
                let sql = "DELETE FROM rejects WHERE key = ?1";
                self.db.prepare_cached(sql)?.execute([prompt_key(&id.0)])?;
                Ok(())
            }
            Row::Rejected { reason, detail } => self.reject_prompt(&Reject {
                prompt_id: Some(id.clone()),
                at: None,
                reason: reason.clone(),
                detail: detail.clone(),
            }),
        }
    }

    fn reject(&self, key: &str, plan: Option<&str>, reject: &Reject) -> rusqlite::Result<()> {
        let sql = "INSERT INTO rejects (key, pass, plan, prompt_id, at, reason, detail, sum)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, record_sum(?1, ?2, ?3, ?4, ?5, ?6, ?7))
                   ON CONFLICT (key) DO UPDATE SET pass = excluded.pass, plan = excluded.plan,
                   prompt_id = excluded.prompt_id, at = excluded.at, reason = excluded.reason,
                   detail = excluded.detail, sum = excluded.sum";
        let id = reject.prompt_id.as_ref().map(|id| &id.0);
        let mut statement = self.db.prepare_cached(sql)?;
        statement.execute(params![
            key,
            self.pass,
            plan,
            id,
            reject.at,
            reject.reason.as_str(),
            reject.detail
        ])?;
        Ok(())
    }
}

/// Whether nothing was ever recorded.
fn is_empty(db: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM answers) AND NOT EXISTS (SELECT 1 FROM transcripts)";
    db.query_row(sql, [], |row| row.get(0))
}

/// A row of the input is known by its place, a prompt by its id, wherever it stands.
fn row_key(reject: &Reject) -> String {
    match &reject.at {
        Some(at) => format!("row {at}"),
        None => format!("row {}: {}", reject.reason, reject.detail),
    }
}

fn prompt_key(id: &str) -> String {
    format!("prompt {id}")
}
