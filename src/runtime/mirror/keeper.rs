//! Keeps a mirror while a run goes on: a file every few seconds, and a last one at the end.

use super::files::MirrorError;
use super::segment::{Item, Packer};
use super::store::Mirror;
use crate::runtime::journal::{Journal, JournalError};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, timeout_at};

/// How a mirror is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Time between two files.
    pub every: Duration,
    /// How long files may fail before the run stops.
    pub patience: Duration,
    /// Files of the run directory that go along when they change.
    pub files: Vec<String>,
}

/// Hears of trouble, `Some` with what is wrong, and of its end.
pub type OnTrouble = Box<dyn Fn(Option<String>) + Send + Sync>;

/// Keeps a mirror of a journal.
pub struct Keeper {
    mirror: Option<Mirror>,
    journal: Journal,
    run: PathBuf,
    settings: Settings,
    on_trouble: OnTrouble,
    /// The files as they were written last.
    sent: Vec<Option<Vec<u8>>>,
    troubled: Option<Instant>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("mirror", &self.mirror).finish_non_exhaustive()
    }
}

/// Notes taken from the journal at a time: few enough that answers need not wait for them.
const BATCH: u32 = 500;
/// The largest file, about.
const LARGEST: usize = 64 << 20;
/// The wait before a file that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);

impl Keeper {
    /// A keeper of the mirror of a run directory's journal.
    pub fn new(
        mirror: Mirror,
        journal: Journal,
        run: &Path,
        settings: Settings,
        on_trouble: OnTrouble,
    ) -> Self {
        let sent = settings.files.iter().map(|_| None).collect();
        Self {
            mirror: Some(mirror),
            journal,
            run: run.to_owned(),
            settings,
            on_trouble,
            sent,
            troubled: None,
        }
    }

    /// Writes files until `ended` says that the run is over, and then a last one. A mirror that cannot be kept ends the journal,
    /// and with it the run: it must not outlive its safety net in silence.
    pub async fn keep(mut self, mut ended: oneshot::Receiver<()>) -> Result<(), JournalError> {
        let mut tick = tokio::time::interval_at(Instant::now() + self.settings.every, self.settings.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_over = tokio::select! {
                _ = &mut ended => true,
                _ = tick.tick() => false,
            };
            if let Err(error) = self.write_all().await {
                let error = match error {
                    MirrorError::Journal(error) => error,
                    error => JournalError::Mirror(error.to_string()),
                };
                self.journal.fail(error.clone());
                return Err(error);
            }
            if is_over {
                return Ok(());
            }
        }
    }

    /// Writes everything that changed, in as many files as that takes.
    async fn write_all(&mut self) -> Result<(), MirrorError> {
        loop {
            let (bytes, is_all) = self.next_file().await?;
            match bytes {
                Some(bytes) => self.write(bytes).await?,
                // Also a process with nothing to write stops when another one has taken the run over.
                None => self.in_time(|mirror| mirror.check_claim()).await?,
            }
            if is_all {
                return Ok(());
            }
        }
    }

    /// The next file's bytes, and whether nothing is left for another.
    async fn next_file(&mut self) -> Result<(Option<Vec<u8>>, bool), MirrorError> {
        let mut items: Vec<Item> = self.changed_files();
        let packing = |error: std::io::Error| MirrorError::io(&self.run, &error);
        let mut packer = Packer::new().map_err(packing)?;
        let mut is_empty = items.is_empty();
        let is_all = loop {
            for item in &items {
                packer.add(item).map_err(packing)?;
            }
            if packer.size() > LARGEST {
                break false;
            }
            let changes = self.journal.take_changes(BATCH).await?;
            if changes.is_empty() {
                break true;
            }
            is_empty = false;
            items = changes.into_iter().map(Item::Change).collect();
        };
        let bytes = if is_empty { None } else { Some(packer.finish().map_err(packing)?) };
        Ok((bytes, is_all))
    }

    fn changed_files(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        for (name, sent) in self.settings.files.iter().zip(&mut self.sent) {
            let now = std::fs::read(self.run.join(name)).ok();
            if now != *sent {
                items.extend(now.clone().map(|bytes| Item::File { name: name.clone(), bytes }));
                *sent = now;
            }
        }
        items
    }

    /// Writes a file, again and again while it fails and patience lasts.
    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), MirrorError> {
        let bytes = std::sync::Arc::new(bytes);
        self.in_time(move |mirror| mirror.write(&bytes)).await
    }

    async fn in_time(
        &mut self,
        work: impl Fn(&mut Mirror) -> Result<(), MirrorError> + Clone + Send + 'static,
    ) -> Result<(), MirrorError> {
        loop {
            let until = self.troubled.unwrap_or_else(Instant::now) + self.settings.patience;
            match self.attempt(work.clone(), until).await {
                Ok(()) => {
                    if self.troubled.take().is_some() {
                        (self.on_trouble)(None);
                    }
                    return Ok(());
                }
                Err(error @ (MirrorError::TakenOver { .. } | MirrorError::Journal(_))) => return Err(error),
                Err(error) => {
                    if self.troubled.is_none() {
                        self.troubled = Some(Instant::now());
                        (self.on_trouble)(Some(error.to_string()));
                    }
                    if Instant::now() >= until || self.mirror.is_none() {
                        return Err(error);
                    }
                    tokio::time::sleep(AGAIN.min(until - Instant::now())).await;
                }
            }
        }
    }

    /// One attempt, on a thread of its own: shared storage that hangs must not hold up the run, nor its end.
    async fn attempt(
        &mut self,
        work: impl Fn(&mut Mirror) -> Result<(), MirrorError> + Send + 'static,
        until: Instant,
    ) -> Result<(), MirrorError> {
        let hangs = |run: &Path| MirrorError::Io {
            path: run.display().to_string(),
            detail: "the shared storage does not answer".into(),
        };
        let Some(mut mirror) = self.mirror.take() else { return Err(hangs(&self.run)) };
        let (send, done) = oneshot::channel();
        let started = std::thread::Builder::new().name("mirror".into()).spawn(move || {
            let result = work(&mut mirror);
            let _ = send.send((mirror, result));
        });
        started.map_err(|error| MirrorError::io(&self.run, &error))?;
        match timeout_at(until, done).await {
            Ok(Ok((mirror, result))) => {
                self.mirror = Some(mirror);
                result
            }
            Ok(Err(_)) | Err(_) => Err(hangs(&self.run)),
        }
    }
}
