//! The handle that a run holds: async functions that return when their work is on disk.

use super::changes::{self, Change, Known};
use super::packed::{Packed, pack_transcript};
use super::seal::Seal;
use super::store::Store;
use super::transcript_summary::Outline;
use super::writer::{Committer, Death, Job, Writer};
use super::{Admission, Arrival, JournalError, Options, PassInfo, StoredAnswer};
use crate::pure::call::CallKey;
use crate::pure::prompt::PromptId;
use crate::pure::reject::Reject;
use crate::pure::transcript::Transcript;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{SetOnce, oneshot};

/// A run's journal, open for writing. Clones share one writer; when the last one is dropped, everything is on disk and
/// the lock is free.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    death: Death,
    /// The key of its texts, where they are encrypted.
    seal: Option<Seal>,
    writer: Writer,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Journal").field(&self.0.dir).finish()
    }
}

impl Journal {
    /// Opens the journal of a run directory, and makes both where they are missing.
    pub fn open(dir: &Path, options: Options) -> Result<Self, JournalError> {
        let synchronous = match options.durability {
            super::Durability::Disk => "FULL",
            super::Durability::Process => "OFF",
        };
        let store = Store::open(dir, synchronous)?;
        let seal = store.seal.clone();
        let death: Death = Arc::new(SetOnce::new());
        let committer = Committer::new(store, options.hook, Arc::clone(&death));
        let writer =
            Writer::start(committer, options.writing).map_err(|error| JournalError::from_io(dir, &error))?;
        Ok(Self(Arc::new(Inner { dir: dir.into(), death, seal, writer })))
    }

    /// The run directory.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Whether its texts are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.seal.is_some()
    }

    fn seal(&self) -> Option<&Seal> {
        self.0.seal.as_ref()
    }

    /// Why the journal failed, if it did.
    pub fn death(&self) -> Option<JournalError> {
        self.0.death.get().cloned()
    }

    /// Waits until the journal fails; for ever if it never does.
    pub async fn died(&self) -> JournalError {
        self.0.death.wait().await.clone()
    }

    /// Begins a pass over the inputs with the given plan.
    pub async fn begin_pass(&self, plan: &str) -> Result<PassInfo, JournalError> {
        let plan = plan.to_owned();
        self.write(move |store| store.begin_pass(&plan).map_err(|error| store.error(&error))).await
    }

    /// The input has been read to its end: from here on the rows are those of this pass.
    pub async fn end_input(&self) -> Result<(), JournalError> {
        self.write(|store| store.end_input().map_err(|error| store.error(&error))).await
    }

    /// Keeps a fact about the run, such as how it was started.
    pub async fn set_meta(&self, key: &str, value: &str) -> Result<(), JournalError> {
        let (key, value) = (format!("run.{key}"), value.to_owned());
        self.write(move |store| {
            super::stored::set_meta(&store.db, &key, &value).map_err(|error| store.error(&error))
        })
        .await
    }

    /// The answer to a call, if it was recorded.
    pub async fn answer(&self, key: CallKey) -> Result<Option<StoredAnswer>, JournalError> {
        let found = self.read(move |store| store.answer(&key).map_err(|error| store.error(&error))).await?;
        self.unpacked(key, found)
    }

    /// The same of a call about a prompt, wherever the answer is: those of a merged run are in its shards.
    pub async fn answer_about(
        &self,
        key: CallKey,
        prompt: &PromptId,
    ) -> Result<Option<StoredAnswer>, JournalError> {
        let prompt = prompt.clone();
        let found = self.read(move |store| store.answer_about(&key, &prompt)).await?;
        self.unpacked(key, found)
    }

    fn unpacked(
        &self,
        key: CallKey,
        found: Option<(StoredAnswer, Option<Packed>)>,
    ) -> Result<Option<StoredAnswer>, JournalError> {
        let Some((mut answer, body)) = found else { return Ok(None) };
        if let Some(body) = body {
            let text = body
                .text(&key.0, self.seal())
                .map_err(|detail| self.corrupt(format!("answer {key}: {detail}")))?;
            answer.body = Some(text);
        }
        Ok(Some(answer))
    }

    /// Records an answer. The first one recorded for a key stays, unless it is a failure.
    pub async fn record(&self, key: CallKey, mut answer: StoredAnswer) -> Result<(), JournalError> {
        // Packed here, where there are many threads; the writer is one.
        let body = answer.body.take().map(|text| Packed::new(&text, &key.0, self.seal())).transpose();
        let body = body.map_err(|detail| self.corrupt(format!("answer {key}: {detail}")))?;
        self.write(move |store| {
            store.record(&key, &answer, body.as_ref()).map_err(|error| store.error(&error))
        })
        .await
    }

    /// Says what is to be done about rows of the input, in their order. Rejects and duplicates are stored.
    pub async fn admit(&self, arrivals: Vec<Arrival>) -> Result<Vec<Admission>, JournalError> {
        self.write(move |store| arrivals.iter().map(|arrival| store.admit(arrival)).collect()).await
    }

    /// Stores a finished transcript. A `provisional` one, some call of which failed, is made anew in the next pass.
    pub async fn finish(
        &self,
        transcript: &Transcript,
        outline: Outline,
        provisional: bool,
    ) -> Result<(), JournalError> {
        let id = transcript.prompt.id.clone();
        let text = serde_json::to_string(transcript).map_err(|error| self.corrupt(error.to_string()))?;
        let body = pack_transcript(&text, &id, self.seal()).map_err(|detail| self.corrupt(detail))?;
        let json = serde_json::to_string(&outline).map_err(|error| self.corrupt(error.to_string()))?;
        self.write(move |store| {
            store.finish(&id, &outline, &json, &body, provisional).map_err(|error| store.error(&error))
        })
        .await
    }

    /// Stores a prompt that failed without a transcript. The next pass tries it again.
    pub async fn reject_prompt(&self, reject: Reject) -> Result<(), JournalError> {
        self.write(move |store| store.reject_prompt(&reject).map_err(|error| store.error(&error))).await
    }

    /// Whether this journal is new, or an earlier restoring of it broke off: then a copy may be put into it.
    pub async fn wants_copy(&self) -> Result<bool, JournalError> {
        self.read(|store| changes::wants_copy(&store.db).map_err(|error| store.error(&error))).await
    }

    /// Says that a copy is being put into this journal, or that all of it is there.
    pub async fn set_restoring(&self, begins: bool) -> Result<(), JournalError> {
        self.write(move |store| {
            changes::set_restoring(&store.db, begins).map_err(|error| store.error(&error))?;
            store.read_facts()
        })
        .await
    }

    /// Puts changes of a copy into this journal: all of them, or only the answers and transcripts that it does not have.
    pub async fn put(&self, changes: Vec<Change>, only_missing: bool) -> Result<(), JournalError> {
        self.write(move |store| {
            changes::put(&store.db, &changes, only_missing).map_err(|error| store.error(&error))
        })
        .await
    }

    /// Begins to note what changes, and everything that a copy does not have.
    pub async fn track(&self, known: Known) -> Result<(), JournalError> {
        self.write(move |store| changes::track(&store.db, &known).map_err(|error| store.error(&error))).await
    }

    /// The next records that changed, so many at most.
    pub async fn take_changes(&self, most: u32) -> Result<Vec<Change>, JournalError> {
        self.write(move |store| changes::take(&store.db, most).map_err(|error| store.error(&error))).await
    }

    /// Ends the journal: nothing is recorded any more, and whoever uses it hears why.
    pub fn fail(&self, why: JournalError) {
        let _ = self.0.death.set(why);
    }

    /// Makes the disk full at so many pages.
    #[cfg(test)]
    pub(super) async fn limit_pages(&self, pages: i64) {
        let limit = move |store: &mut Store| {
            store.db.pragma_update(None, "max_page_count", pages).map_err(|error| store.error(&error))
        };
        self.read(limit).await.unwrap();
    }

    async fn write<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<R, JournalError> + Send + 'static,
    ) -> Result<R, JournalError> {
        self.run(true, work).await
    }

    async fn read<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<R, JournalError> + Send + 'static,
    ) -> Result<R, JournalError> {
        self.run(false, work).await
    }

    async fn run<R: Send + 'static>(
        &self,
        writes: bool,
        work: impl FnOnce(&mut Store) -> Result<R, JournalError> + Send + 'static,
    ) -> Result<R, JournalError> {
        let (ack, acked) = oneshot::channel();
        let death = Arc::clone(&self.0.death);
        let job = Job {
            writes,
            work: Box::new(move |store| match work(store) {
                Ok(found) => Ok(Box::new(move || drop(ack.send(found)))),
                Err(error) => {
                    // Known before the acknowledgement is dropped.
                    let _ = death.set(error.clone());
                    Err(error)
                }
            }),
        };
        self.0.writer.send(job).await;
        acked.await.map_err(|_| self.death().unwrap_or(JournalError::Closed))
    }

    fn corrupt(&self, detail: String) -> JournalError {
        JournalError::Corrupt { path: self.0.dir.join(super::FILE).display().to_string(), detail }
    }
}
