//! `amend run`: prompts in, a training dataset out.

use super::failure::{Kind, journal_failure, stopped};
use super::progress::{Progress, count, duration};
use super::project::Project;
use super::run_dir::RunDir;
use super::settings::RecipeArgs;
use super::style::Style;
use super::{Failure, export, models, report};
use crate::pure::ask::Stop;
use crate::pure::call::Role;
use crate::pure::digest::Parts;
use crate::pure::recipe::RoleModels;
use crate::pure::recipe::{LabelSource, Recipe};
use crate::pure::reports::judge_report::JudgeReport;
use crate::pure::transcript::{Ended, Transcript};
use crate::runtime::dataset::export::Report;
use crate::runtime::dataset::rows::Boilerplate;
use crate::runtime::dataset::rows::{Context, why_no_row};
use crate::runtime::dataset::{prompts, readers};
use crate::runtime::engine::memo::Memo;
use crate::runtime::engine::{self, Event, Finished, Judge, Run, Summary};
use crate::runtime::journal::Row;
use crate::runtime::journal::{Journal, Options, Reader};
use crate::runtime::project::Transports;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Run a recipe: prompts in, a training dataset out
///
/// Running the same command on an existing run directory goes on where it was: answers that still apply come from its
/// journal. The first Ctrl-C starts nothing new and finishes what is begun, the second stops now; nothing answered is lost.
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
    /// Do not write the dataset at the end
    #[arg(long)]
    no_export: bool,
}

/// What is done besides the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Then {
    /// Tell of it in JSON.
    pub(super) json: bool,
    /// Write the dataset at the end.
    pub(super) export: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut project = Project::load(&args.recipe)?;
    let named = args.out.clone().or_else(|| project.recipe.out.clone());
    project.recipe.out = Some(named.unwrap_or_else(|| format!("runs/{}", project.constitution.id)));
    carry_out(&project, Then { json: args.json, export: !args.no_export })
}

/// Carries out a run into the directory that its recipe names, and tells how it went.
pub(super) fn carry_out(project: &Project, then: Then) -> Result<ExitCode, Failure> {
    let dir = RunDir::new(project.recipe.out.clone().unwrap_or_default());
    let models = models::resolve(&project.recipe)?;
    let input = open_prompts(&project.recipe)?;
    dir.create()?;
    let journal = Journal::open(&dir.path, Options::default()).map_err(|error| journal_failure(&error))?;
    dir.freeze(project)?;

    let runtime = super::runtime()?;
    let (events, heard) = mpsc::channel(1024);
    let viewer = std::thread::spawn({
        let progress = Progress::new(then.json);
        move || show(heard, progress)
    });
    let finished = runtime.block_on(go(project, &dir, models, input, journal, events.clone()));
    // Calls that are given up are dropped here, before the journal is read.
    drop(runtime);
    // A journal that failed has lost its disk; a dataset would fail there too and hide the reason.
    let writable = matches!(&finished, Ok(finished) if !matches!(finished.stop, Some(Stop::Journal(_))));
    let made = writable.then(|| make(&dir, then.export)).transpose();
    if let Ok(finished) = &finished {
        if let Ok(Some(made)) = &made {
            made.events(&dir).into_iter().for_each(|event| drop(events.blocking_send(event)));
        }
        let _ = events.blocking_send(Event::Summary(finished.summary));
    }
    drop(events);
    // The viewer only shows; that it broke off changes nothing about the run.
    let _ = viewer.join();
    let finished = finished?;
    let made = made?;
    if !then.json {
        let reader = Reader::open(&dir.path).map_err(|error| journal_failure(&error))?;
        let text = told(&finished, made.as_ref(), &reader, &dir, Style::of_stdout());
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }
    outcome(&finished, &dir)
}

pub(super) fn open_prompts(recipe: &Recipe) -> Result<prompts::Reader, Failure> {
    if recipe.prompts.is_empty() {
        return Err(Failure::usage("there are no prompts to run")
            .hint("give `--prompts FILE`, or `prompts = [\"…\"]` in the recipe; `-` reads standard input"));
    }
    let sources = readers::sources(&recipe.prompts, || Box::new(std::io::stdin()));
    let open =
        if recipe.label.source == LabelSource::Given { prompts::open_with_responses } else { prompts::open };
    open(sources, &recipe.input, recipe.seed)
        .map_err(|error| Failure::usage(error.to_string()).hint(error.hint()))
}

/// Shows events until there are no more.
fn show(mut heard: mpsc::Receiver<Event>, mut progress: Progress) {
    while let Some(event) = heard.blocking_recv() {
        progress.show(&event);
    }
}

async fn go(
    project: &Project,
    dir: &RunDir,
    models: RoleModels,
    input: prompts::Reader,
    journal: Journal,
    events: mpsc::Sender<Event>,
) -> Result<Finished, Failure> {
    let recipe = &project.recipe;
    let plan = plan(project, &models);
    let context = project.context(&models)?;
    let retries = events.clone();
    let client = models::client(
        recipe,
        Arc::new(move |retry: crate::runtime::model::Retrying| {
            // A full queue of events is no reason to hold a call up.
            let _ = retries.try_send(Event::Retry {
                role: retry.role.as_str().into(),
                cause: retry.cause,
                wait_s: retry.wait.as_secs_f64(),
            });
        }),
    );
    let (stopper, shutdown) = engine::shutdown();
    let memo: Memo<Transports> =
        Memo::new(journal, client, models, shutdown.clone(), recipe.limits.max_calls);
    let run = Run {
        memo: Arc::new(memo),
        context: Arc::new(context),
        judge: judge(project),
        plan,
        width: recipe.limits.concurrency.width(),
        expected: input.expected().map(|rows| recipe.input.limit.map_or(rows, |limit| limit.min(rows))),
        events,
        shutdown,
        name: dir.path.display().to_string(),
    };
    tokio::select! {
        finished = engine::run(run, input) => finished.map_err(|stop| stopped(&stop)),
        never = super::watch_signals(&stopper) => match never {},
    }
}

/// A hash of everything but the prompt that decides a transcript and whether it yields a row.
pub(super) fn plan(project: &Project, models: &RoleModels) -> String {
    let Project { recipe, constitution, templates, .. } = project;
    let text = |value: Result<String, toml::ser::Error>| value.unwrap_or_default();
    let mut parts = Parts::new("plan")
        .with(constitution.sha256())
        .with(templates.sha256())
        .with(text(toml::to_string(&recipe.method)))
        .with(text(toml::to_string(&recipe.label)))
        .with(text(toml::to_string(&recipe.gates)))
        .with(recipe.export.keep_unresolved.to_string())
        .with_u64(recipe.seed);
    for role in Role::ALL {
        parts = parts.with(models.of(role).identity());
    }
    parts.hex()
}

/// The same rules as the export's, so that the counts of a run are those of its dataset.
fn judge(project: &Project) -> Judge {
    let constitution = project.constitution.clone();
    let (gates, export, seed) =
        (project.recipe.gates.clone(), project.recipe.export.clone(), project.recipe.seed);
    Arc::new(move |transcript: &Transcript| {
        let context = Context {
            constitution: &constitution,
            constitution_sha256: "",
            seed,
            simulated: false,
            export: &export,
            gates: &gates,
            boilerplate: &Boilerplate::default(),
        };
        match why_no_row(transcript, &context) {
            None => Row::Kept,
            Some(reason) => {
                let detail = match &transcript.ended {
                    Ended::NoDraft(_) => "there is no usable draft",
                    Ended::Labelled => "no two of its responses make a pair with a label",
                    Ended::Conforms
                    | Ended::Undecided
                    | Ended::Rounds
                    | Ended::Oscillation
                    | Ended::RolledBack
                    | Ended::RevisionFailed(_) => "the final response is not fit for a row",
                };
                Row::Rejected { reason, detail: detail.to_owned() }
            }
        }
    })
}

/// What is made of a run's transcripts when it is over.
struct Made {
    judged: JudgeReport,
    dataset: Option<Report>,
}

fn make(dir: &RunDir, with_dataset: bool) -> Result<Made, Failure> {
    let (recipe, constitution, text) = export::frozen(&dir.path)?;
    let reader = Reader::open(&dir.path).map_err(|error| journal_failure(&error))?;
    let judged = report::of_run(&reader, &constitution)?;
    report::write(dir, &judged)?;
    let write = || export::write_dataset(&reader, recipe, constitution, text, &judged, &dir.dataset(), None);
    let dataset = with_dataset.then(write).transpose()?;
    Ok(Made { judged, dataset })
}

impl Made {
    fn events(&self, dir: &RunDir) -> Vec<Event> {
        let exported = self.dataset.as_ref().map(|report| Event::Exported {
            dir: dir.dataset().display().to_string(),
            rows: report.totals(),
            left_out: report.left_out(),
        });
        exported.into_iter().chain([Event::Report(Box::new(self.judged.clone()))]).collect()
    }
}

/// What the run made and where, for a person.
fn told(finished: &Finished, made: Option<&Made>, reader: &Reader, dir: &RunDir, style: Style) -> String {
    let Summary { prompts, rows, rejects, unfinished, calls, tokens, seconds } = finished.summary;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}  {prompts} prompts = {rows} rows + {rejects} rejects + {unfinished} unfinished, in {}",
        style.strong(&dir.path.display().to_string()),
        duration(seconds)
    );
    let _ = writeln!(
        out,
        "  {} calls asked, {} from the journal, {} retried\n  {} prompt tokens ({} cached), {} completion tokens",
        count(calls.asked),
        count(calls.from_journal),
        count(calls.retried),
        count(tokens.prompt),
        count(tokens.cached),
        count(tokens.completion)
    );
    for (reason, n) in reasons(reader) {
        let _ = writeln!(out, "  {n:>7} rejected: {}", super::style::printable(&reason));
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
    let telling = made.map_or_else(Vec::new, |made| report::telling(&made.judged));
    if !telling.is_empty() {
        let _ = writeln!(out, "{}", style.strong("the judge's own report"));
        out.extend(telling.iter().map(|line| format!("  {line}\n")));
    }
    let next = match (finished.stop.is_some(), rejects) {
        (true, _) => "run the same command again to go on".to_owned(),
        (false, 0) => format!("amend show {}", dir.path.display()),
        (false, _) => format!("amend show {} (--rejects tells why rows failed)", dir.path.display()),
    };
    let _ = writeln!(out, "{}", style.faint(&format!("next: {next}")));
    out
}

/// What could have been rows of the dataset and is not there, by config and reason.
fn left_out(report: &Report) -> Vec<String> {
    let mut by_config: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (config, reason, n) in report.left_out() {
        by_config.entry(config).or_default().push(format!("{n} {}", super::style::printable(&reason)));
    }
    let line =
        |(config, reasons): (String, Vec<String>)| format!("left out of {config}: {}", reasons.join(", "));
    by_config.into_iter().map(line).flat_map(|line| crate::faces::cli::word_wrap::wrap(&line, 76)).collect()
}

fn reasons(reader: &Reader) -> BTreeMap<String, u64> {
    let mut reasons = BTreeMap::new();
    for reject in reader.rejects().flatten() {
        *reasons.entry(reject.reason).or_default() += 1;
    }
    reasons
}

/// The exit code: what broke off, else whether rows failed. A repeated prompt is no failure.
fn outcome(finished: &Finished, dir: &RunDir) -> Result<ExitCode, Failure> {
    if let Some(stop) = &finished.stop {
        let failure = stopped(stop);
        let hint = "nothing answered is lost: run the same command again to go on";
        return Err(if failure.kind == Kind::Usage { failure } else { failure.hint(hint) });
    }
    let reader = Reader::open(&dir.path).map_err(|error| journal_failure(&error))?;
    let failed = reasons(&reader).into_iter().any(|(reason, n)| n > 0 && reason != "duplicate");
    Ok(ExitCode::from(u8::from(failed)))
}
