//! Many pieces of work over a journal, as a command shows them: progress on standard error, Ctrl-C, and what to say when
//! they break off. The work itself is [`Workbench`]'s.

use super::failure::{Kind, stopped};
use super::progress::Progress;
use super::{Failure, signals};
use crate::pure::ask::Stop;
use crate::pure::recipe::RoleModels;
use crate::pure::text::{printable, short_count};
use crate::runtime::engine::memo::MemoAt;
use crate::runtime::engine::{CallCounts, EventBus, Stopper, VerdictCounts, shutdown};
use crate::runtime::journal::Options;
use crate::runtime::model::ClientNews;
use crate::runtime::project::{Project, Transports, Workbench};
use futures::{Stream, StreamExt as _};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

/// The memo as one piece of work sees it.
pub(super) type WorkMemo<'a> = MemoAt<'a, Transports>;

/// A workbench, and what the command shows of it.
#[derive(Debug)]
pub(super) struct JournaledWork {
    bench: Workbench,
    events: EventBus,
    stopper: Stopper,
    /// Nothing is shown.
    is_quiet: bool,
    /// There is a progress display.
    has_progress: bool,
}

impl JournaledWork {
    /// Opens the journal in `dir`, which need not be there yet. With `is_quiet` nothing is shown while it goes on.
    pub(super) fn open(
        dir: &Path,
        project: &Project,
        models: RoleModels,
        is_quiet: bool,
    ) -> Result<Self, Failure> {
        let (events, (stopper, shutdown)) = (EventBus::default(), shutdown());
        let journal = Workbench::journal_in(dir, Options::default())?;
        let retries = events.clone();
        let on_retry = Arc::new(move |news: ClientNews| retries.offer(&news.into()));
        let bench = Workbench::new(journal, project, models, shutdown, on_retry)?;
        Ok(Self { bench, events, stopper, is_quiet, has_progress: !is_quiet })
    }

    /// The same where results are printed one by one: on a terminal they are the progress, and leave no room for a bar.
    pub(super) fn that_prints(mut self, prints: bool) -> Self {
        self.has_progress &= !(prints && std::io::stdout().is_terminal());
        self
    }

    /// Does the work on every item, as many side by side as the recipe's limits let. Results are taken one by one, in the
    /// items' order. A piece that says stop ends it all, after those begun are finished: what is in flight is paid for.
    pub(super) fn each<I, R>(
        &self,
        noun: &'static str,
        expected: impl Into<Option<u64>>,
        items: impl Stream<Item = Result<I, Stop>>,
        work: &impl AsyncFn(&WorkMemo<'_>, I) -> Result<R, Stop>,
        mut take: impl FnMut(R),
    ) -> Result<(), Failure> {
        let expected = expected.into();
        let mut heard = self.events.subscribe();
        let mut progress = self.has_progress.then(|| Progress::of(noun));
        let mut done = 0;
        let ended = super::runtime()?.block_on(async {
            let mut results = pin!(self.bench.each(&self.events, expected, items, work));
            let mut signals = pin!(signals::watch(&self.stopper, signals::GRACE));
            loop {
                tokio::select! {
                    result = results.next() => match result {
                        Some(Ok(result)) => {
                            done += 1;
                            take(result);
                        }
                        Some(Err(stop)) => break Err(stop),
                        None => break Ok(()),
                    },
                    Some(event) = heard.recv() => {
                        if let Some(progress) = &mut progress {
                            progress.show(&event);
                        }
                    }
                    never = &mut signals => match never {},
                }
            }
        });
        // The bar goes before the failure is told.
        drop(progress);
        ended.map_err(|stop| self.broke_off(&stop, done, expected, noun))
    }

    /// Where answers came from so far.
    pub(super) fn counts(&self) -> CallCounts {
        self.bench.memo().counts()
    }

    /// Says in one line what was asked and where the answers are.
    pub(super) fn tell(&self) {
        if self.is_quiet {
            return;
        }
        let CallCounts { asked, from_journal, .. } = self.counts();
        let usage = self.bench.memo().usage();
        let line = format!(
            "{} calls asked, {} from the journal in {}; {} prompt tokens, {} completion tokens",
            short_count(asked),
            short_count(from_journal),
            printable(&self.bench.dir().display().to_string()),
            short_count(usage.prompt),
            short_count(usage.completion)
        );
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    fn broke_off(&self, why: &Stop, done: u64, expected: Option<u64>, noun: &str) -> Failure {
        let failure = stopped(why);
        if matches!(why, Stop::Journal(_)) {
            return failure;
        }
        let dir = self.bench.dir().display();
        let of = expected.map_or_else(String::new, |expected| format!(" of {expected}"));
        Failure { message: format!("{} after {done}{of} {noun}", failure.message), ..failure }
            .hint(format!("every answer is kept in `{dir}`: the same command goes on"))
    }
}

/// Where the answers of a command are kept: the directory that is named, or one beside the runs.
pub(super) fn kept_in(named: Option<&String>, project: &Project, what: &str) -> PathBuf {
    named.map_or_else(|| format!("runs/{}-{what}", project.constitution.id).into(), PathBuf::from)
}

/// Fails when so many verdicts are undecided that what was counted says nothing: a critic that nobody can read is not a
/// good result.
pub(super) fn require_verdicts(counts: VerdictCounts, most: f64) -> Result<(), Failure> {
    if counts.share_undecided() <= most {
        return Ok(());
    }
    let VerdictCounts { asked, undecided } = counts;
    Err(Failure::new(
        super::failure::Kind::Findings,
        format!("{undecided} of {asked} verdicts are undecided"),
    )
    .hint("ask one with `amend chat` to see what the critic answers, or try the endpoint with `amend doctor`")
    .hint("`limits.max_undecided_share` says how many may be undecided"))
}

/// What a share must be, for `--threshold` and its like.
pub(super) fn check_share(flag: &str, share: Option<f64>) -> Result<(), Failure> {
    if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Err(Failure::new(Kind::Usage, format!("`{flag}` is a share from 0 to 1")));
    }
    Ok(())
}
