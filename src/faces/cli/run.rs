//! `amend run`: prompts in, a training dataset out.

use super::Failure;
use super::check::this_day;
use super::failure::{Kind, journal_failure, stopped};
use super::progress::{Progress, duration};
use super::reject_reasons;
use super::scale_args::ScaleArgs;
use super::settings::RecipeArgs;
use super::signals;
use super::style::Style;
use crate::faces::cli::stdout::stdout;
use crate::pure::ask::Stop;
use crate::pure::constitution::{Day, Resource};
use crate::pure::reason::Reason;
use crate::pure::recipe::Target;
use crate::pure::reports::judge_report::JudgeReport;
use crate::pure::reports::judge_report_text;
use crate::pure::shard::Shard;
use crate::pure::text::{printable, short_count};
use crate::runtime::dataset::export::{ExportError, Report};
use crate::runtime::engine::{self, Event, EventBus, Finished, Summary};
use crate::runtime::journal::Reader;
use crate::runtime::project::{Beginning, Project};
use crate::runtime::project::{FrozenRun, rejects_by_reason};
use crate::runtime::project::{ProjectError, RunDir};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::mpsc;

/// Run a recipe: prompts in, a training dataset out
///
/// Running the same command on an existing run directory goes on where it was: answers that still apply come from its
/// journal. The first Ctrl-C asks nothing new and finishes the calls in flight, the second stops now; nothing answered is
/// lost.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  amend run --model sim --prompts prompts/seeds --out runs/first\n  \
                        amend run amend.toml\n  amend run amend.toml --limit 20 --out runs/trial\n  \
                        amend run --constitution mine.toml --prompts p.parquet --column question \\\n    \
                        --base-url http://localhost:8000/v1 --model my-model --concurrency 64 --out runs/night")]
pub(super) struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The run directory [default: runs/ and the constitution's id]
    #[arg(long, value_name = "RUN")]
    out: Option<String>,
    /// One JSON object per event on standard output; the last one is the summary
    #[arg(long)]
    json: bool,
    /// Do not write the dataset at the end; a shard writes none, as `amend merge` writes that of all
    #[arg(long)]
    no_export: bool,
    /// The day for which resources are to be fresh: those checked more than a year before it are told [default: today]
    #[arg(long, value_name = "DAY")]
    today: Option<Day>,
    #[command(flatten)]
    scale: ScaleArgs,
}

/// What is done besides the run.
#[derive(Debug, Clone)]
pub(super) struct RunOptions {
    /// Tell of it in JSON.
    pub(super) json: bool,
    /// Write the dataset at the end.
    pub(super) export: bool,
    /// How it begins.
    pub(super) beginning: Beginning,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut project = args.recipe.open_project()?;
    warn_of_stale_resources(&project, args.today.or_else(this_day));
    let named = args.out.clone().or_else(|| project.recipe.out.clone());
    project.recipe.out = Some(named.unwrap_or_else(|| format!("runs/{}", project.constitution.id)));
    args.scale.apply(&mut project.recipe)?;
    let beginning = args.scale.beginning()?;
    let export = !args.no_export && project.recipe.scale.shard.is_none();
    carry_out(&project, &RunOptions { json: args.json, export, beginning })
}

/// Tells which numbers and addresses, of those that styled answers may name, nobody has made sure of within a year.
fn warn_of_stale_resources(project: &Project, today: Option<Day>) {
    let styled = project.recipe.method.target == Target::Style;
    let Some(today) = today.filter(|_| styled) else { return };
    for Resource { locale, text, checked, .. } in project.constitution.styles.stale(today) {
        let _ = writeln!(
            std::io::stderr().lock(),
            "warning: the resource “{}” for `{locale}` was last checked on {checked}; make sure that it is right, and set `checked`",
            printable(text)
        );
    }
}

/// Carries out a run into the directory that its recipe names, and tells how it went.
pub(super) fn carry_out(project: &Project, then: &RunOptions) -> Result<ExitCode, Failure> {
    let dir = RunDir::of(&project.recipe);
    let grace = Duration::from_secs_f64(project.recipe.scale.grace_s);
    let json = then.json;
    let runtime = super::runtime()?;
    let events = EventBus::default();
    let heard = events.subscribe();
    let viewer = std::thread::spawn({
        let progress = Progress::new(json);
        move || show(heard, progress)
    });
    let finished = runtime.block_on(async {
        let (stopper, shutdown) = engine::shutdown();
        tokio::select! {
            finished = project.run_from(&dir, events.clone(), shutdown, &then.beginning) => finished,
            never = signals::watch(&stopper, grace) => match never {},
        }
    });
    // Calls that are given up are dropped here, before the journal is read.
    drop(runtime);
    // A journal that failed has lost its disk; a dataset would fail there too and hide the reason.
    let writable = matches!(&finished, Ok(finished) if !matches!(finished.stop, Some(Stop::Journal(_))));
    // A run that broke off before its first row, by a wrong key say, leaves no dataset that looks like one.
    let is_worth_one = dir.dataset().exists()
        || matches!(&finished, Ok(finished) if finished.stop.is_none() || finished.summary.rows > 0);
    let made = writable.then(|| make(&dir, then.export && is_worth_one)).transpose();
    if let Ok(finished) = &finished {
        if let Ok(Some(made)) = &made {
            made.events(&dir).into_iter().for_each(|event| events.tell_blocking(&event));
        }
        events.tell_blocking(&Event::Summary(finished.summary));
    }
    drop(events);
    // The viewer only shows; that it broke off changes nothing about the run.
    let _ = viewer.join();
    let finished = finished?;
    let made = made?;
    if !then.json {
        let reader = Reader::open(&dir.path).map_err(|error| journal_failure(&error))?;
        let text = told(&finished, made.as_ref(), &reader, &dir, Style::of_stdout());
        let _ = stdout().write_all(text.as_bytes());
    }
    outcome(&finished, &dir)
}

/// Shows events until there are no more.
fn show(mut heard: mpsc::Receiver<Event>, mut progress: Progress) {
    while let Some(event) = heard.blocking_recv() {
        progress.show(&event);
    }
}

/// What is made of a run's transcripts when it is over.
pub(super) struct Made {
    pub(super) judged: JudgeReport,
    pub(super) dataset: Option<Report>,
    /// The dataset of an earlier, finished run, which this one does not replace.
    pub(super) left_alone: Option<PathBuf>,
}

pub(super) fn make(dir: &RunDir, with_dataset: bool) -> Result<Made, Failure> {
    let frozen = FrozenRun::open(&dir.path)?;
    let reader = Reader::open(&dir.path).map_err(|error| journal_failure(&error))?;
    let judged = frozen.write_report(&reader)?;
    let write = || frozen.export(&reader, &judged, &dir.dataset(), None);
    let (dataset, left_alone) = match with_dataset.then(write).transpose() {
        Ok(dataset) => (dataset, None),
        Err(ProjectError::Export(ExportError::Finished(path))) => (None, Some(path)),
        Err(error) => return Err(error.into()),
    };
    Ok(Made { judged, dataset, left_alone })
}

impl Made {
    fn events(&self, dir: &RunDir) -> Vec<Event> {
        let exported = self.dataset.as_ref().map(|report| Event::Exported {
            dir: dir.dataset().display().to_string(),
            rows: report.totals(),
            left_out: report.left_out(),
        });
        let left_alone =
            self.left_alone.as_ref().map(|path| Event::DatasetLeftAlone { dir: path.display().to_string() });
        exported.into_iter().chain(left_alone).chain([Event::Report(Box::new(self.judged.clone()))]).collect()
    }
}

/// What the run made and where, for a person.
fn told(finished: &Finished, made: Option<&Made>, reader: &Reader, dir: &RunDir, style: Style) -> String {
    let Summary { prompts, rows, rejects, unfinished, not_begun, calls, tokens, seconds, verdicts } =
        finished.summary;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}  {prompts} prompts = {rows} rows + {rejects} rejects + {unfinished} unfinished, in {}",
        style.strong(&dir.path.display().to_string()),
        duration(seconds)
    );
    if let Some(left @ 1..) = not_begun {
        let _ = writeln!(out, "  {left} more prompts were not begun");
    }
    let _ = writeln!(
        out,
        "  {} calls asked, {} from the journal, {} retried\n  {} prompt tokens ({} cached), {} completion tokens",
        short_count(calls.asked),
        short_count(calls.from_journal),
        short_count(calls.retried),
        short_count(tokens.prompt),
        short_count(tokens.cached),
        short_count(tokens.completion)
    );
    if verdicts.undecided > 0 {
        let share = verdicts.share_undecided() * 100.0;
        let _ =
            writeln!(out, "  {} of {} verdicts undecided ({share:.0} %)", verdicts.undecided, verdicts.asked);
    }
    for (reason, n) in rejects_by_reason(reader).unwrap_or_default() {
        let _ = writeln!(out, "  {n:>7} rejected: {}", crate::pure::text::printable(reason.as_str()));
        let _ = writeln!(out, "{}", reject_reasons::next_step(&reason, 10, style));
    }
    if let Some(report) = made.and_then(|made| made.dataset.as_ref()) {
        let rows =
            report.totals().iter().map(|(config, n)| format!("{config} {n}")).collect::<Vec<_>>().join(", ");
        let rows = if rows.is_empty() { "no rows".to_owned() } else { rows };
        let _ = writeln!(out, "{}  {rows}", style.strong(&dir.dataset().display().to_string()));
        for line in left_out(report) {
            let _ = writeln!(out, "  {line}");
        }
    }
    if let Some(path) = made.and_then(|made| made.left_alone.as_ref()) {
        let _ = writeln!(
            out,
            "{}  left as it is: it is of a finished run, and this one is not finished",
            style.strong(&path.display().to_string())
        );
    }
    let telling = made.map_or_else(Vec::new, |made| judge_report_text::telling(&made.judged));
    if !telling.is_empty() {
        let _ = writeln!(out, "{}", style.strong("the judge's own report"));
        out.extend(telling.iter().map(|line| format!("  {line}\n")));
    }
    let next = match (finished.stop.is_some(), shards_beside(dir), rejects) {
        (true, ..) => how_to_go_on(finished.stop.as_ref()).to_owned(),
        (false, Some(out), _) => format!("amend merge {out}, when all shards are done"),
        (false, None, 0) => format!("amend show {}", dir.path.display()),
        (false, None, _) => format!("amend show {} (--rejects tells why rows failed)", dir.path.display()),
    };
    let _ = writeln!(out, "{}", style.faint(&format!("next: {next}")));
    out
}

/// What goes on with a run that stopped. A budget of time is of one pass; any other would end the same command again.
fn how_to_go_on(stop: Option<&Stop>) -> &'static str {
    match stop {
        Some(Stop::Budget(_)) => "run it again to go on; calls, tokens and money then need a larger budget",
        _ => "run the same command again to go on",
    }
}

/// Where the shards of the run are, if this is one of them.
fn shards_beside(dir: &RunDir) -> Option<String> {
    Shard::of_dir_name(&dir.path.file_name()?.to_string_lossy())?;
    Some(dir.path.parent()?.display().to_string())
}

/// What could have been rows of the dataset and is not there, by config and reason.
pub(super) fn left_out(report: &Report) -> Vec<String> {
    let mut by_config: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (config, reason, n) in report.left_out() {
        by_config
            .entry(config)
            .or_default()
            .push(format!("{n} {}", crate::pure::text::printable(reason.as_str())));
    }
    let line =
        |(config, reasons): (String, Vec<String>)| format!("left out of {config}: {}", reasons.join(", "));
    by_config.into_iter().map(line).flat_map(|line| crate::faces::cli::word_wrap::wrap(&line, 76)).collect()
}

/// The exit code: what broke off, else whether rows failed. A repeated prompt is no failure.
fn outcome(finished: &Finished, dir: &RunDir) -> Result<ExitCode, Failure> {
    if let Some(stop) = &finished.stop {
        let failure = stopped(stop);
        let hint = format!("nothing answered is lost: {}", how_to_go_on(Some(stop)));
        return Err(if failure.kind == Kind::Usage { failure } else { failure.hint(hint) });
    }
    let reader = Reader::open(&dir.path).map_err(|error| journal_failure(&error))?;
    let reasons = rejects_by_reason(&reader).map_err(|error| journal_failure(&error))?;
    let failed = reasons.into_keys().any(|reason| reason != Reason::Duplicate);
    Ok(ExitCode::from(u8::from(failed)))
}
