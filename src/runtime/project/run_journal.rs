//! The journal of a run as it is opened: the process that has it is waited for, and a copy on shared storage is gone on from and
//! kept.

use super::network_disk::network_disk;
use super::{Project, ProjectError, RunDir};
use crate::pure::ask::Stop;
use crate::pure::shard::Shard;
use crate::runtime::engine::{Event, EventBus, MirrorNews, Phase, Shutdown};
use crate::runtime::journal::{Journal, JournalError, Options, this_process};
use crate::runtime::mirror::{Keeper, Mirror, MirrorError, OnTrouble, Settings};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// How a run begins, besides what its recipe says.
#[derive(Debug, Clone, Default)]
pub struct Beginning {
    /// Wait while another process writes the run.
    pub wait: bool,
    /// The scheduler's name for this job, which a process that takes the run over later is told.
    pub job: Option<String>,
}

/// How often a run that another process writes is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Files may fail to reach the mirror for so many times the grace before the run ends.
const GRACES: f64 = 3.0;

/// A journal, and the task that mirrors it.
#[derive(Debug)]
pub(super) struct RunJournal {
    pub(super) journal: Journal,
    keeping: JoinSet<Result<(), JournalError>>,
    end: Option<oneshot::Sender<()>>,
}

impl RunJournal {
    /// Opens the journal of a run.
    pub(super) async fn open(
        project: &Project,
        dir: &RunDir,
        events: &EventBus,
        shutdown: &Shutdown,
        beginning: &Beginning,
    ) -> Result<Self, ProjectError> {
        if let Some(kind) = network_disk(&dir.path) {
            events.tell(Event::NetworkDisk { run: dir.path.display().to_string(), kind }).await;
        }
        let journal = open_or_wait(dir, events, shutdown, beginning.wait).await?;
        let (mut keeping, mut end) = (JoinSet::new(), None);
        if let Some(folder) = &project.recipe.scale.mirror {
            let (keeper, ended) = mirror(project, dir, &journal, folder, events, beginning).await?;
            end = Some(ended);
            keeping.spawn(keeper);
        }
        Ok(Self { journal, keeping, end })
    }

    /// Ends the mirror with a last file.
    pub(super) async fn close(mut self) -> Result<(), JournalError> {
        drop(self.end.take());
        match self.keeping.join_next().await {
            Some(Ok(kept)) => kept,
            Some(Err(error)) => Err(JournalError::Mirror(format!("keeping the mirror broke off: {error}"))),
            None => Ok(()),
        }
    }
}

/// The folder of a mirror in which a shard has its files.
pub(super) fn mirror_of(folder: &Path, shard: Option<Shard>) -> PathBuf {
    folder.join(shard.map_or_else(|| "run".to_owned(), Shard::dir_name))
}

async fn open_or_wait(
    dir: &RunDir,
    events: &EventBus,
    shutdown: &Shutdown,
    waits: bool,
) -> Result<Journal, ProjectError> {
    let mut told = false;
    loop {
        match Journal::open(&dir.path, Options::default()) {
            Err(JournalError::Held { path, holder }) if waits => {
                if !std::mem::replace(&mut told, true) {
                    events.tell(Event::Waiting { run: path, holder }).await;
                }
            }
            opened => return Ok(opened?),
        }
        tokio::select! {
            () = shutdown.reaches(Phase::Draining) => return Err(Stop::Interrupted.into()),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

type Kept = std::pin::Pin<Box<dyn Future<Output = Result<(), JournalError>> + Send>>;

/// Claims the mirror, brings it and the journal together, and gives the work of keeping it.
async fn mirror(
    project: &Project,
    dir: &RunDir,
    journal: &Journal,
    folder: &str,
    events: &EventBus,
    beginning: &Beginning,
) -> Result<(Kept, oneshot::Sender<()>), ProjectError> {
    let scale = &project.recipe.scale;
    let place = mirror_of(Path::new(folder), scale.shard());
    let holder = match &beginning.job {
        Some(job) => format!("{job}, {}", this_process()),
        None => this_process(),
    };
    let mut mirror = Mirror::claim(&place, &holder).map_err(failed)?;
    let found = mirror.join(journal).await.map_err(failed)?;
    if let Some(detail) = found.damage {
        events.tell(Event::Mirror(MirrorNews::Damaged { detail })).await;
    }
    if found.restored {
        events.tell(Event::Mirror(MirrorNews::Restored { records: found.records })).await;
    }
    let patience = Duration::from_secs_f64((scale.grace_s * GRACES).max(1.0));
    let settings = Settings {
        every: Duration::from_secs_f64(scale.mirror_every_s),
        patience,
        files: dir.describing_files(project),
    };
    let told = events.clone();
    let on_trouble: OnTrouble = Box::new(move |trouble| {
        told.offer(&Event::Mirror(match trouble {
            Some(detail) => MirrorNews::Trouble { detail, patience_s: patience.as_secs() },
            None => MirrorNews::Mended,
        }));
    });
    let keeper = Keeper::new(mirror, journal.clone(), &dir.path, settings, on_trouble);
    let (end, ended) = oneshot::channel();
    Ok((Box::pin(keeper.keep(ended)), end))
}

/// A mirror that cannot be used at the beginning.
pub(super) fn failed(error: MirrorError) -> ProjectError {
    match error {
        MirrorError::Journal(error) => error.into(),
        error @ (MirrorError::Io { .. } | MirrorError::TakenOver { .. }) => {
            JournalError::Mirror(error.to_string()).into()
        }
    }
}
