//! A journal with the models above it: for everything that asks and is not a run, such as test cases, questions, variants
//! of a method, a chat.
//!
//! An answer is durable before it is used; asked again it comes from the journal. Nothing here knows what is asked.

use super::{Project, ProjectError, Transports, models};
use crate::pure::ask::Stop;
use crate::pure::recipe::RoleModels;
use crate::runtime::engine::memo::{Memo, MemoAt};
use crate::runtime::engine::{EventBus, Shutdown, WorkSetup, each};
use crate::runtime::journal::{Journal, Options, Reader};
use futures::Stream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A journal and the models of a project.
#[derive(Debug)]
pub struct Workbench {
    dir: PathBuf,
    memo: Memo<Transports>,
    events: EventBus,
    shutdown: Shutdown,
    width: usize,
}

impl Workbench {
    /// Opens the journal in `dir`, which need not be there yet. Retries and counts are told on `events`.
    pub fn open(
        dir: &Path,
        project: &Project,
        models: RoleModels,
        events: EventBus,
        shutdown: Shutdown,
    ) -> Result<Self, ProjectError> {
        std::fs::create_dir_all(dir).map_err(|error| ProjectError::Disk {
            message: format!("cannot make `{}`: {error}", dir.display()),
            hint: "answers are kept there, so that they are not paid for twice; name another with `--out`"
                .into(),
        })?;
        let journal = Journal::open(dir, Options::default())?;
        let answers = Reader::open(dir)?.counts()?.answers;
        let limits = &project.recipe.limits;
        let retries = events.clone();
        let client = models::client(&project.recipe, Arc::new(move |retry| retries.offer(&retry.into())));
        let memo = Memo::new(journal, client, models, shutdown.clone(), limits.max_calls);
        memo.count_asked_before(answers);
        Ok(Self { dir: dir.to_owned(), memo, events, shutdown, width: limits.concurrency.width() })
    }

    /// Where the answers are kept.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Answers calls from the journal, or from models.
    pub fn memo(&self) -> &Memo<Transports> {
        &self.memo
    }

    /// Does the work on every item, as many side by side as the recipe's limits let; see [`each()`].
    pub fn each<'a, I: 'a, R: 'a>(
        &'a self,
        expected: Option<u64>,
        items: impl Stream<Item = Result<I, Stop>> + 'a,
        work: &'a impl AsyncFn(&MemoAt<'_, Transports>, I) -> Result<R, Stop>,
    ) -> impl Stream<Item = Result<R, Stop>> + 'a {
        let setup = WorkSetup {
            memo: &self.memo,
            width: self.width,
            expected,
            events: &self.events,
            shutdown: &self.shutdown,
            name: self.dir.display().to_string(),
        };
        each(setup, items, work)
    }
}
