//! Runs a project: opens its prompts and its journal, freezes its inputs into the run directory, and lets the engine go.

use super::examine::{self, Examiner};
use super::own_rows::{self, OwnRows};
use super::preflight::preflight;
use super::run_journal::{Beginning, RunJournal};
use super::spent_before::{count_earlier, spending};
use super::{Project, ProjectError, RunDir, Transports, hub_files, models, shards, tuning};
use crate::pure::ask::Stop;
use crate::pure::method::MethodContext;
use crate::pure::recipe::{Concurrency, LabelSource, Recipe};
use crate::runtime::dataset::readers::{OpenError, RereadableSources, Source};
use crate::runtime::dataset::{prompts, readers};
use crate::runtime::engine::memo::Memo;
use crate::runtime::engine::{self, Event, EventBus, Finished, Run, Shutdown, Summary};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Project {
    /// Runs to the end of the prompts, or until `shutdown` says stop. A directory that holds a run already is gone on
    /// with: what its journal has is not asked again. A recipe that names a shard runs that part of the prompts.
    ///
    /// # Errors
    ///
    /// Whatever can be refused is refused before the first call: a model that is not named, prompts that cannot be
    /// opened, a directory that cannot be written. What stops a run later is in [`Finished::stop`], with its counts.
    pub async fn run(
        &self,
        dir: &RunDir,
        events: EventBus,
        shutdown: Shutdown,
    ) -> Result<Finished, ProjectError> {
        Box::pin(self.run_from(dir, events, shutdown, &Beginning::default())).await
    }

    /// The same, with more said about how it begins.
    pub async fn run_from(
        &self,
        dir: &RunDir,
        events: EventBus,
        shutdown: Shutdown,
        beginning: &Beginning,
    ) -> Result<Finished, ProjectError> {
        let shard = self.recipe.scale.shard();
        let limits = self.recipe.scale.part_of(&self.recipe.limits).map_err(|why| {
            ProjectError::input(why)
                .hint("raise the limit, or say with `--workers` how many work at the same time")
        })?;
        let recipe = &Recipe { limits, ..self.recipe.clone() };
        let spending = spending(recipe, &recipe.scale.part_of_budget(&recipe.whole_budget()))?;
        let models = models::resolve(recipe)?;
        let context = self.context(&models)?;
        let input = open_prompts(recipe)?;
        let retries = events.clone();
        let client = models::client(recipe, Arc::new(move |retry| retries.offer(&retry.into())))?;
        if let Some(shard) = shard {
            shards::check_neighbours(&dir.path, shard)?;
        }
        dir.create()?;
        let opened = RunJournal::open(self, dir, &events, &shutdown, beginning).await?;
        dir.freeze(self)?;
        for name in hub_files::keep(dir, input.from_hub())? {
            events.tell(Event::HubFileChanged { name }).await;
        }
        let journal = opened.journal.clone();
        count_earlier(&spending, &dir.path)?;
        let memo = Memo::new(journal, client, models, shutdown.clone(), spending);
        let finished = Box::pin(self.work(dir, memo, context, input, events, shutdown)).await;
        let closed = opened.close().await;
        let mut finished = finished?;
        if let Err(error) = closed {
            finished.stop.get_or_insert(engine::memo::journal_stop(&error));
        }
        if shard.is_some() && finished.stop.is_some() {
            // How many of the rows that were not read are this shard's, nobody knows.
            finished.summary.not_begun = None;
        }
        Ok(finished)
    }

    /// Examines the critic, and runs.
    async fn work(
        &self,
        dir: &RunDir,
        memo: Memo<Transports>,
        context: MethodContext,
        input: prompts::Reader,
        events: EventBus,
        shutdown: Shutdown,
    ) -> Result<Finished, ProjectError> {
        let recipe = &self.recipe;
        let shard = recipe.scale.shard();
        let width = recipe.limits.concurrency.width();
        let expected = input.expected();
        let expected = expected.map(|rows| recipe.input.limit.map_or(rows, |limit| limit.min(rows)));
        // Shards are about equal.
        let expected = expected.map(|rows| shard.map_or(rows, |shard| rows.div_ceil(shard.count().into())));
        events.tell(preflight(memo.models(), &context, expected, input.taken())?).await;
        let examiner =
            Examiner { memo: &memo, context: &context, events: &events, shutdown: &shutdown, width };
        let context = match examiner.examine().await {
            Ok(None) => context,
            Ok(Some(examination)) => {
                examine::keep(dir, &examination)?;
                if !examination.passes() && !recipe.method.unqualified {
                    return Ok(broken_off(&memo, examine::refusal(&examination)));
                }
                context.with_verdict_form(examination.trial().form)
            }
            Err(stop) => return Ok(broken_off(&memo, stop)),
        };
        let fingerprint = self.fingerprint(memo.models(), context.settings.verdict);
        let (dropped, told) = (input.replies_dropped(), events.clone());
        let journal = memo.journal().clone();
        let memo = Arc::new(memo);
        let run = Run {
            memo: Arc::clone(&memo),
            context: Arc::new(context),
            row_rule: self.row_rule(),
            fingerprint,
            // The client says how many prompts it wants, and `amend tune` may change that.
            width: Concurrency::Auto.width(),
            expected,
            events,
            shutdown,
            name: dir.path.display().to_string(),
            max_undecided_share: recipe.limits.max_undecided_share,
        };
        let rows = OwnRows::new(input, shard);
        let read = rows.read();
        let work = engine::run(run, rows);
        let obedience = tuning::obey(&dir.path, &memo, &told);
        let finished = tokio::select! {
            finished = work => finished?,
            never = obedience => match never {},
        };
        if let Some(read) = read.get().filter(|_| finished.stop.is_none()) {
            journal.set_meta(own_rows::FACT, &serde_json::to_string(read).unwrap_or_default()).await?;
        }
        let count = dropped.load(Ordering::Relaxed);
        if count > 0 {
            told.tell(Event::RepliesDropped { count }).await;
        }
        Ok(finished)
    }
}

/// A run that ends before its first prompt.
fn broken_off(memo: &Memo<Transports>, stop: Stop) -> Finished {
    let summary = Summary { calls: memo.counts(), tokens: memo.usage(), ..Summary::default() };
    Finished { summary, stop: Some(stop) }
}

/// Opens the prompts that a recipe names, as far as can be told before they are read.
pub fn open_prompts(recipe: &Recipe) -> Result<prompts::Reader, ProjectError> {
    open_sources(named_sources(recipe)?, recipe)
}

/// The prompts that a recipe names, to be read more than once. Standard input and pipes are read to their end here.
#[derive(Debug)]
pub struct RereadablePrompts<'a> {
    recipe: &'a Recipe,
    sources: RereadableSources,
}

impl<'a> RereadablePrompts<'a> {
    /// Finds the sources, and copies what comes only once.
    pub fn new(recipe: &'a Recipe) -> Result<Self, ProjectError> {
        let sources = RereadableSources::new(named_sources(recipe)?);
        Ok(Self { recipe, sources: sources.map_err(|error| cannot_open(&error))? })
    }

    /// Opens them, from their beginning.
    pub fn open(&self) -> Result<prompts::Reader, ProjectError> {
        open_sources(self.sources.sources(), self.recipe)
    }
}

fn named_sources(recipe: &Recipe) -> Result<Vec<Source>, ProjectError> {
    if recipe.prompts.is_empty() {
        return Err(ProjectError::input("there are no prompts to run")
            .hint("give `--prompts FILE`, or `prompts = [\"…\"]` in the recipe; `-` reads standard input"));
    }
    Ok(readers::sources(&recipe.prompts, || Box::new(std::io::stdin())))
}

fn open_sources(sources: Vec<Source>, recipe: &Recipe) -> Result<prompts::Reader, ProjectError> {
    let open =
        if recipe.label.source == LabelSource::Given { prompts::open_with_responses } else { prompts::open };
    open(sources, &recipe.input, recipe.seed).map_err(|error| cannot_open(&error))
}

fn cannot_open(error: &OpenError) -> ProjectError {
    ProjectError::input(error.to_string()).hint(error.hint())
}
