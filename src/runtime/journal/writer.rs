//! The writer: jobs in, one transaction for all that wait, answers out after it is on disk.
//!
//! A job is a closure over the [`Store`]. What it found is handed back only after the commit, so that nobody acts on
//! what a crash could take away. The first failure ends the writer: the transaction is rolled back, the lock is let
//! go, and every job from then on fails with the same error.

use super::JournalError;
use super::store::Store;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{SetOnce, mpsc};

/// What a hook lets happen to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtCommit {
    /// It goes on.
    Commit,
    /// As if the process died just before.
    DieBefore,
    /// As if the process died just after, before anybody heard of it.
    DieAfter,
    /// As if the disk were full.
    DiskFull,
}

/// Decides about the n-th commit, from 0; for tests that crash at every one of them.
#[derive(Clone)]
pub struct CommitHook(pub Arc<dyn Fn(u64) -> AtCommit + Send + Sync>);

impl std::fmt::Debug for CommitHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CommitHook")
    }
}

/// Where the journal's work is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Writing {
    /// On a thread of its own, many jobs to a transaction.
    #[default]
    Thread,
    /// By the caller, one job to a transaction. For tests on virtual time, which must not wait for a real thread.
    Inline,
}

/// What a commit waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// The disk: what is committed survives a loss of power.
    #[default]
    Disk,
    /// Nothing: what is committed survives the process. For tests, which make thousands of commits.
    Process,
}

/// How a journal is opened.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where the work is done.
    pub writing: Writing,
    /// What a commit waits for.
    pub durability: Durability,
    /// Decides about every commit.
    pub hook: Option<CommitHook>,
}

/// Hands back what a job found.
pub(super) type Ack = Box<dyn FnOnce() + Send>;

/// What a job does.
pub(super) type Work = Box<dyn FnOnce(&mut Store) -> Result<Ack, JournalError> + Send>;

/// Work for the writer.
pub(super) struct Job {
    /// Whether it changes anything: a batch that does not needs no transaction.
    pub(super) writes: bool,
    /// Does it.
    pub(super) work: Work,
}

/// Most jobs in one transaction.
const BATCH: usize = 512;

/// Commits batches of jobs.
pub(super) struct Committer {
    store: Store,
    hook: Option<CommitHook>,
    commits: u64,
    death: Death,
}

impl Committer {
    pub(super) fn new(store: Store, hook: Option<CommitHook>, death: Death) -> Self {
        Self { store, hook, commits: 0, death }
    }

    /// Does all jobs in one transaction, and hands back what they found. `Err` is the end.
    pub(super) fn commit(&mut self, jobs: Vec<Job>) -> Result<(), JournalError> {
        let mut acks = Vec::with_capacity(jobs.len());
        // Jobs that were not begun are dropped at the end of this function, when it is known why.
        let mut jobs = jobs;
        match self.try_commit(&mut jobs, &mut acks) {
            Ok(()) => {
                for ack in acks {
                    ack();
                }
                Ok(())
            }
            Err(error) => {
                // Known before the acknowledgements are dropped: whoever waits for one asks why.
                let _ = self.death.set(error.clone());
                Err(error)
            }
        }
    }

    fn try_commit(&mut self, jobs: &mut Vec<Job>, acks: &mut Vec<Ack>) -> Result<(), JournalError> {
        let writes = jobs.iter().any(|job| job.writes);
        if writes {
            self.store.check_place()?;
            self.execute("BEGIN IMMEDIATE")?;
        }
        jobs.reverse();
        while let Some(job) = jobs.pop() {
            acks.push((job.work)(&mut self.store)?);
        }
        if writes {
            let at_commit = self.hook.as_ref().map_or(AtCommit::Commit, |hook| (hook.0)(self.commits));
            self.commits += 1;
            match at_commit {
                AtCommit::DieBefore => return Err(JournalError::Closed),
                AtCommit::DiskFull => return Err(JournalError::DiskFull(super::FILE.into())),
                AtCommit::Commit | AtCommit::DieAfter => {}
            }
            self.execute("COMMIT")?;
            if at_commit == AtCommit::DieAfter {
                return Err(JournalError::Closed);
            }
        }
        Ok(())
    }

    fn execute(&self, sql: &str) -> Result<(), JournalError> {
        self.store.db.execute_batch(sql).map_err(|error| self.store.error(&error))
    }
}

/// The first failure, known to every handle.
pub(super) type Death = Arc<SetOnce<JournalError>>;

/// What a handle sends its jobs to.
pub(super) enum Writer {
    Thread { jobs: Option<mpsc::Sender<Job>>, thread: Option<std::thread::JoinHandle<()>> },
    Inline(Box<Mutex<Option<Committer>>>),
}

impl Writer {
    pub(super) fn start(committer: Committer, writing: Writing) -> std::io::Result<Self> {
        if writing == Writing::Inline {
            return Ok(Self::Inline(Box::new(Mutex::new(Some(committer)))));
        }
        let (jobs, waiting) = mpsc::channel(BATCH);
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || {
            // Why it ended is known to every handle.
            let _ = serve(committer, waiting);
        })?;
        Ok(Self::Thread { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Hands a job over. That it is done shows by its acknowledgement; a job that fails is dropped.
    pub(super) async fn send(&self, job: Job) {
        match self {
            Self::Thread { jobs, .. } => {
                if let Some(jobs) = jobs {
                    let _ = jobs.send(job).await;
                }
            }
            Self::Inline(committer) => {
                let mut committer = committer.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(alive) = committer.as_mut() else { return };
                if alive.commit(vec![job]).is_err() {
                    *committer = None;
                }
            }
        }
    }
}

impl Drop for Writer {
    /// When the last handle is gone, everything handed over is on disk and the lock is free.
    fn drop(&mut self) {
        if let Self::Thread { jobs, thread } = self {
            drop(jobs.take());
            if let Some(thread) = thread.take() {
                let _ = thread.join();
            }
        }
    }
}

fn serve(mut committer: Committer, mut waiting: mpsc::Receiver<Job>) -> Result<(), JournalError> {
    while let Some(first) = waiting.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = waiting.try_recv()
        {
            batch.push(next);
        }
        committer.commit(batch)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex as SyncMutex;

    /// Says, when it is dropped, whether it was known by then why the journal ended.
    struct AtDrop(Death, Arc<SyncMutex<Vec<bool>>>);

    impl Drop for AtDrop {
        fn drop(&mut self) {
            self.1.lock().unwrap().push(self.0.get().is_some());
        }
    }

    #[test]
    fn it_is_known_why_before_any_job_of_a_batch_is_dropped() {
        // The file is gone before the batch; or its second job fails; or its commit does.
        for (is_moved, fails_at, hook) in
            [(true, None, None), (false, Some(1), None), (false, None, Some(AtCommit::DiskFull))]
        {
            let dir = tempfile::tempdir().unwrap();
            let death: Death = Arc::new(SetOnce::new());
            let dropped = Arc::new(SyncMutex::new(Vec::new()));
            let store = Store::open(dir.path(), "OFF").unwrap();
            let hook = hook.map(|at| CommitHook(Arc::new(move |_| at)));
            let mut committer = Committer::new(store, hook, Arc::clone(&death));
            if is_moved {
                let path = dir.path().join(super::super::FILE);
                std::fs::rename(&path, dir.path().join("elsewhere")).unwrap();
            }
            let job = |n: usize| {
                let guard = AtDrop(Arc::clone(&death), Arc::clone(&dropped));
                let death = Arc::clone(&death);
                Job {
                    writes: true,
                    work: Box::new(move |_| {
                        if fails_at == Some(n) {
                            // As the handle's jobs do it.
                            let _ = death.set(JournalError::Closed);
                            return Err(JournalError::Closed);
                        }
                        Ok(Box::new(move || drop(guard)))
                    }),
                }
            };
            assert!(committer.commit((0..4).map(job).collect()).is_err());
            assert_eq!(*dropped.lock().unwrap(), [true; 4], "{is_moved} {fails_at:?}");
        }
    }
}
