//! Runs a project: opens its prompts and its journal, freezes its inputs into the run directory, and lets the engine go.

use super::examine::{self, Examiner};
use super::preflight::preflight;
use super::{Project, ProjectError, RunDir, Transports, models};
use crate::pure::ask::Stop;
use crate::pure::recipe::{LabelSource, Recipe};
use crate::runtime::dataset::readers::{OpenError, RereadableSources, Source};
use crate::runtime::dataset::{prompts, readers};
use crate::runtime::engine::memo::Memo;
use crate::runtime::engine::{self, Event, EventBus, Finished, Run, Shutdown, Summary};
use crate::runtime::journal::{Journal, Options};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Project {
    /// Runs to the end of the prompts, or until `shutdown` says stop. A directory that holds a run already is gone on
    /// with: what its journal has is not asked again.
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
        let recipe = &self.recipe;
        let models = models::resolve(recipe)?;
        let context = self.context(&models)?;
        let input = open_prompts(recipe)?;
        let retries = events.clone();
        let client = models::client(recipe, Arc::new(move |retry| retries.offer(&retry.into())))?;
        dir.create()?;
        let journal = Journal::open(&dir.path, Options::default())?;
        dir.freeze(self)?;
        let width = recipe.limits.concurrency.width();
        let memo: Memo<Transports> =
            Memo::new(journal, client, models, shutdown.clone(), recipe.limits.max_calls);
        let expected = input.expected();
        let expected = expected.map(|rows| recipe.input.limit.map_or(rows, |limit| limit.min(rows)));
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
        let run = Run {
            memo: Arc::new(memo),
            context: Arc::new(context),
            row_rule: self.row_rule(),
            fingerprint,
            width,
            expected,
            events,
            shutdown,
            name: dir.path.display().to_string(),
            max_undecided_share: recipe.limits.max_undecided_share,
        };
        let finished = engine::run(run, input).await?;
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
