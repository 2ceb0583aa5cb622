//! Many pieces of work over one journal, outside a run: test cases, questions, variants of a method.
//!
//! What the engine does for the prompts of a run, this does for anything that asks: an answer is durable before it is
//! used, asked again it comes from the journal, the first Ctrl-C finishes what is begun and the second stops now.

use super::Failure;
use super::failure::{Kind, journal_failure, stopped};
use super::progress::Progress;
use crate::pure::ask::Stop;
use crate::pure::recipe::RoleModels;
use crate::pure::text::short_count;
use crate::runtime::engine::memo::{Memo, MemoAt};
use crate::runtime::engine::{CallCounts, Event, Phase, Shutdown, Stopper, Summary, shutdown};
use crate::runtime::journal::{Journal, Options, Reader};
use crate::runtime::project::Project;
use crate::runtime::project::Transports;
use crate::runtime::project::models;
use futures::StreamExt as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, interval};

/// The memo as one piece of work sees it.
pub(super) type Ask<'a> = MemoAt<'a, Transports>;

/// A journal and the models above it.
#[derive(Debug)]
pub(super) struct Asking {
    dir: PathBuf,
    memo: Memo<Transports>,
    stopper: Stopper,
    shutdown: Shutdown,
    width: usize,
    json: bool,
}

impl Asking {
    /// Opens the journal in `dir`, which need not be there yet. With `json` nothing is shown while it goes on.
    pub(super) fn open(
        dir: &Path,
        project: &Project,
        models: RoleModels,
        json: bool,
    ) -> Result<Self, Failure> {
        let limits = &project.recipe.limits;
        std::fs::create_dir_all(dir).map_err(|error| {
            Failure::disk(format!("cannot make `{}`: {error}", dir.display())).hint(
                "answers are kept there, so that they are not paid for twice; name another with `--out`",
            )
        })?;
        let journal = Journal::open(dir, Options::default()).map_err(|error| journal_failure(&error))?;
        let counts = Reader::open(dir).and_then(|reader| reader.counts());
        let client = models::client(&project.recipe, Arc::new(|_| ()));
        let (stopper, shutdown) = shutdown();
        let memo = Memo::new(journal, client, models, shutdown.clone(), limits.max_calls);
        memo.count_asked_before(counts.map_err(|error| journal_failure(&error))?.answers);
        Ok(Self { dir: dir.to_owned(), memo, stopper, shutdown, width: limits.concurrency.width(), json })
    }

    /// Does the work on every item, as many side by side as the recipe's limits let. Results come in the items' order.
    /// A piece that says stop ends it all, after those begun are finished: what is in flight is paid for.
    pub(super) fn all<I, T>(
        &self,
        noun: &'static str,
        items: impl ExactSizeIterator<Item = I>,
        work: impl AsyncFn(&Ask<'_>, I) -> Result<T, Stop>,
    ) -> Result<Vec<T>, Failure> {
        let runtime = super::runtime()?;
        runtime.block_on(async {
            tokio::select! {
                done = self.each(noun, items, work) => done,
                never = super::watch_signals(&self.stopper) => match never {},
            }
        })
    }

    async fn each<I, T>(
        &self,
        noun: &'static str,
        items: impl ExactSizeIterator<Item = I>,
        work: impl AsyncFn(&Ask<'_>, I) -> Result<T, Stop>,
    ) -> Result<Vec<T>, Failure> {
        let expected = items.len();
        let (mut progress, began) = (self.progress(noun, expected), Instant::now());
        let (mut results, mut stop) = (Vec::new(), None);
        let going_on = |_: &(usize, I)| self.shutdown.phase() == Phase::Running;
        let mut running = futures::stream::iter(items.enumerate().take_while(going_on))
            .map(|(turn, item)| {
                let work = &work;
                async move { work(&self.memo.at(turn as u64), item).await }
            })
            .buffered(self.width);
        let mut tick = interval(Duration::from_secs(2));
        tick.tick().await;
        loop {
            let next = tokio::select! {
                next = running.next() => next,
                _ = tick.tick() => {
                    self.show(&mut progress, results.len(), began);
                    continue;
                }
            };
            match next {
                None => break,
                Some(Ok(result)) => results.push(result),
                Some(Err(why @ Stop::Journal(_))) => return Err(stopped(&why)),
                Some(Err(why)) => {
                    if self.shutdown.phase() == Phase::Running {
                        self.stopper.step();
                    }
                    stop.get_or_insert(why);
                }
            }
        }
        drop(progress);
        if stop.is_none() && results.len() < expected {
            stop = Some(Stop::Interrupted);
        }
        match stop {
            None => Ok(results),
            Some(why) => Err(self.broke_off(&why, results.len(), expected, noun)),
        }
    }

    /// Where answers came from so far.
    pub(super) fn counts(&self) -> CallCounts {
        self.memo.counts()
    }

    /// Says in one line what was asked and where the answers are; nothing with `json`.
    pub(super) fn tell(&self) {
        if self.json {
            return;
        }
        let CallCounts { asked, from_journal, .. } = self.counts();
        let usage = self.memo.usage();
        let line = format!(
            "{} calls asked, {} from the journal in {}; {} prompt tokens, {} completion tokens",
            short_count(asked),
            short_count(from_journal),
            crate::pure::text::printable(&self.dir.display().to_string()),
            short_count(usage.prompt),
            short_count(usage.completion)
        );
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    fn broke_off(&self, why: &Stop, done: usize, expected: usize, noun: &str) -> Failure {
        let failure = stopped(why);
        Failure { message: format!("{} after {done} of {expected} {noun}", failure.message), ..failure }
            .hint(format!("every answer is kept in `{}`: the same command goes on", self.dir.display()))
    }

    fn progress(&self, noun: &'static str, expected: usize) -> Option<Progress> {
        let mut progress = (!self.json).then(|| Progress::of(noun))?;
        let run = self.dir.display().to_string();
        progress.show(&Event::Started { run, expected: Some(expected as u64), journalled: 0 });
        Some(progress)
    }

    fn show(&self, progress: &mut Option<Progress>, done: usize, began: Instant) {
        let Some(progress) = progress else { return };
        progress.show(&Event::Progress(Summary {
            rows: done as u64,
            calls: self.memo.counts(),
            tokens: self.memo.usage(),
            seconds: began.elapsed().as_secs_f64(),
            ..Summary::default()
        }));
    }
}

/// Where the answers of a command are kept: the directory that is named, or one beside the runs.
pub(super) fn kept_in(named: Option<&String>, project: &Project, what: &str) -> PathBuf {
    named.map_or_else(|| format!("runs/{}-{what}", project.constitution.id).into(), PathBuf::from)
}

/// What a share must be, for `--threshold` and its like.
pub(super) fn check_share(flag: &str, share: Option<f64>) -> Result<(), Failure> {
    if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Err(Failure::new(Kind::Usage, format!("`{flag}` is a share from 0 to 1")));
    }
    Ok(())
}
