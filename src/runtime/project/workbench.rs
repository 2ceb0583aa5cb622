//! A journal with the models above it: for everything that asks and is not a run, such as test cases, questions, variants
//! of a method, a chat.
//!
//! An answer is durable before it is used; asked again it comes from the journal. Nothing here knows what is asked.

use super::examine::Examiner;
use super::spent_before::{count_earlier, spending};
use super::{Project, ProjectError, RunDir, Transports, models};
use crate::pure::ask::Stop;
use crate::pure::method::MethodContext;
use crate::pure::recipe::RoleModels;
use crate::pure::reports::examination::Examination;
use crate::runtime::engine::memo::{Memo, MemoAt};
use crate::runtime::engine::{EventBus, Shutdown, WorkSetup, each};
use crate::runtime::journal::{Journal, Options, Reader};
use crate::runtime::model::OnNews;
use futures::Stream;
use std::path::Path;

/// A journal and the models of a project.
#[derive(Debug)]
pub struct Workbench {
    memo: Memo<Transports>,
    shutdown: Shutdown,
    width: usize,
}

impl Workbench {
    /// Opens the journal in `dir`, which need not be there yet, for [`Self::new`]. A folder of somebody's files is refused.
    pub fn journal_in(dir: &Path, options: Options) -> Result<Journal, ProjectError> {
        RunDir::new(dir).create()?;
        Ok(Journal::open(dir, options)?)
    }

    /// The models of a project above a journal. What the journal holds already counts towards the project's budget.
    pub fn new(
        journal: Journal,
        project: &Project,
        models: RoleModels,
        shutdown: Shutdown,
        on_retry: OnNews,
    ) -> Result<Self, ProjectError> {
        let answers = Reader::open(journal.dir())?.counts()?.answers;
        let limits = &project.recipe.limits;
        let client = models::client(&project.recipe, on_retry)?;
        let spending = spending(&project.recipe, &project.recipe.whole_budget())?;
        count_earlier(&spending, journal.dir())?;
        let memo = Memo::new(journal, client, models, shutdown.clone(), spending);
        memo.count_asked_before(answers);
        Ok(Self { memo, shutdown, width: limits.concurrency.width() })
    }

    /// Where the answers are kept.
    pub fn dir(&self) -> &Path {
        self.memo.journal().dir()
    }

    /// Answers calls from the journal, or from models.
    pub fn memo(&self) -> &Memo<Transports> {
        &self.memo
    }

    /// Examines the critic on test cases of the constitution. `None` where there are too few of them, or no critic to examine.
    pub async fn examine(
        &self,
        context: &MethodContext,
        events: &EventBus,
    ) -> Result<Option<Examination>, Stop> {
        let Self { memo, shutdown, width } = self;
        Examiner { memo, context, events, shutdown, width: *width }.examine().await
    }

    /// Does the work on every item, as many side by side as the recipe's limits let; see [`each()`].
    pub fn each<'a, I: 'a, R: 'a>(
        &'a self,
        events: &'a EventBus,
        expected: Option<u64>,
        items: impl Stream<Item = Result<I, Stop>> + 'a,
        work: &'a impl AsyncFn(&MemoAt<'_, Transports>, I) -> Result<R, Stop>,
    ) -> impl Stream<Item = Result<R, Stop>> + 'a {
        let setup = WorkSetup {
            memo: &self.memo,
            width: self.width,
            expected,
            events,
            shutdown: &self.shutdown,
            name: self.dir().display().to_string(),
        };
        each(setup, items, work)
    }
}
