//! Where a session is kept, with the journal and the models above it.

use super::screen::Screen;
use crate::faces::cli::Failure;
use crate::pure::constitution::Constitution;
use crate::pure::recipe::RoleModels;
use crate::pure::text::printable;
use crate::runtime::engine::memo::Memo;
use crate::runtime::engine::shutdown;
use crate::runtime::journal::{Durability, Journal, Options};
use crate::runtime::model::ClientNews;
use crate::runtime::project::{
    Project, ProjectError, SessionDir, SessionEntry, SessionTurn, Transports, Workbench,
};
use std::path::Path;
use std::sync::Arc;

/// Where sessions are kept that name no place.
const RUNS: &str = "runs";

/// Where a session is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Keeping {
    /// In this directory, which may hold a session to go on with.
    In(SessionDir),
    /// In a new directory of `runs`, made when the first prompt is asked.
    Next,
    /// In a temporary directory: it is gone with the session.
    Nowhere,
}

impl Keeping {
    /// The newest session there is.
    pub(super) fn newest() -> Result<Self, Failure> {
        SessionDir::newest(Path::new(RUNS)).map(Self::In).ok_or_else(|| {
            Failure::usage(format!("there is no chat in `{RUNS}` to go on with"))
                .hint("`amend chat` begins one; `--out DIR` goes on with one that is kept elsewhere")
        })
    }

    /// The directory of the session, where it is known beforehand.
    pub(super) fn dir(&self) -> Option<&SessionDir> {
        match self {
            Self::In(dir) => Some(dir),
            Self::Next | Self::Nowhere => None,
        }
    }
}

/// The session's place, once it is open.
#[derive(Debug)]
struct OpenStore {
    // Before the directory, so that the journal is closed when that is taken away.
    bench: Workbench,
    dir: Option<SessionDir>,
    _temporary: Option<tempfile::TempDir>,
}

/// A session's place, opened when it is needed.
#[derive(Debug)]
pub(super) struct SessionStore {
    keeping: Keeping,
    open: Option<OpenStore>,
}

impl SessionStore {
    /// A store that is not open yet.
    pub(super) fn new(keeping: Keeping) -> Self {
        Self { keeping, open: None }
    }

    /// Opens the place of the session, where that is not done yet. A new session that cannot be kept is told of, and held
    /// in a temporary directory.
    pub(super) fn open(
        &mut self,
        project: &Project,
        models: &RoleModels,
        screen: &Arc<Screen>,
    ) -> Result<(), Failure> {
        if self.open.is_some() {
            return Ok(());
        }
        let kept = match &self.keeping {
            Keeping::In(dir) => Some(open_in(dir.clone())?),
            Keeping::Next => SessionDir::create_next(Path::new(RUNS))
                .and_then(open_in)
                .inspect_err(|error| screen.say(&not_kept(error)))
                .ok(),
            Keeping::Nowhere => None,
        };
        let (journal, dir, temporary) = if let Some((journal, dir)) = kept {
            (journal, Some(dir), None)
        } else {
            let temporary = tempfile::tempdir().map_err(|error| {
                Failure::disk(format!("cannot make a temporary directory: {error}"))
                    .hint("name a place with `--out DIR`")
            })?;
            let options = Options { durability: Durability::Process, ..Options::default() };
            (Workbench::journal_in(temporary.path(), options)?, None, Some(temporary))
        };
        let bench = bench_over(journal, project, models, screen)?;
        self.open = Some(OpenStore { bench, dir, _temporary: temporary });
        Ok(())
    }

    /// Takes on other models over the same journal.
    pub(super) fn change_models(
        &mut self,
        project: &Project,
        models: &RoleModels,
        screen: &Arc<Screen>,
    ) -> Result<(), Failure> {
        if let Some(open) = &mut self.open {
            open.bench = bench_over(open.bench.memo().journal().clone(), project, models, screen)?;
        }
        Ok(())
    }

    /// Answers calls, once the store is open.
    pub(super) fn memo(&self) -> Option<&Memo<Transports>> {
        self.open.as_ref().map(|open| open.bench.memo())
    }

    /// The turns of the conversation that is kept here.
    pub(super) fn turns(&self) -> Result<Vec<SessionTurn>, Failure> {
        Ok(self.kept().map_or_else(|| Ok(Vec::new()), SessionDir::turns)?)
    }

    /// Keeps what happened.
    pub(super) fn append(&self, entry: &SessionEntry) -> Result<(), Failure> {
        Ok(self.kept().map_or(Ok(()), |dir| dir.append(entry))?)
    }

    /// Keeps the recipe as it is now.
    pub(super) fn keep_settings(&self, project: &Project) -> Result<(), Failure> {
        Ok(self.kept().map_or(Ok(()), |dir| dir.keep_settings(project))?)
    }

    /// Keeps a constitution, and gives its hash.
    pub(super) fn keep_constitution(&self, constitution: &Constitution) -> Result<String, Failure> {
        Ok(self.kept().map_or_else(|| Ok(String::new()), |dir| dir.keep_constitution(constitution))?)
    }

    /// Where the session is kept and how to go on with it; `None` where there is nothing to find again.
    pub(super) fn farewell(&self) -> Option<String> {
        let dir = self.kept().filter(|dir| dir.has_log())?;
        let path = printable(&dir.path().display().to_string());
        Some(format!("The chat is kept in `{path}`; `amend chat --out {path}` goes on with it."))
    }

    fn kept(&self) -> Option<&SessionDir> {
        self.open.as_ref()?.dir.as_ref()
    }
}

fn open_in(dir: SessionDir) -> Result<(Journal, SessionDir), ProjectError> {
    Ok((Workbench::journal_in(dir.path(), Options::default())?, dir))
}

/// Nobody asks such a workbench to stop: a chat lets go of an answer as a whole.
fn bench_over(
    journal: Journal,
    project: &Project,
    models: &RoleModels,
    screen: &Arc<Screen>,
) -> Result<Workbench, ProjectError> {
    let screen = Arc::clone(screen);
    let on_retry = Arc::new(move |news: ClientNews| screen.hears_client(&news));
    let (_, shutdown) = shutdown();
    Workbench::new(journal, project, models.clone(), shutdown, on_retry)
}

fn not_kept(error: &ProjectError) -> String {
    format!(
        "{}, so this chat is in a temporary directory and is gone when it ends; `--out DIR` keeps it elsewhere",
        printable(&error.to_string())
    )
}
