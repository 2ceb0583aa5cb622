//! `amend eval rates`: how often a model, under a constitution, refuses what is safe and what is not, side by side.
//!
//! What is told is in `report`.

mod report;

use super::{BadRows, read_failure};
use crate::faces::cli::Failure;
use crate::faces::cli::failure::stopped;
use crate::faces::cli::journaled_work::{JournaledWork, WorkMemo, check_share, kept_in, require_verdicts};
use crate::faces::cli::settings::RecipeArgs;
use crate::faces::cli::stdout::stdout;
use crate::faces::cli::style::Style;
use crate::pure::call::Role;
use crate::pure::method::make_transcript;
use crate::pure::prompt::{Prompt, PromptId};
use crate::pure::reason::Reason;
use crate::pure::recipe::{Input, LabelSource, Recipe, is_simulated};
use crate::pure::reject::Reject;
use crate::pure::reports::refusal_rates::{Replies, SetReport, SetReporter};
use crate::pure::text::printable;
use crate::runtime::dataset::prompts::{Columns, PROMPT_COLUMNS, Picked, Row};
use crate::runtime::dataset::readers::{self, RereadableSources};
use crate::runtime::engine::{ReadAhead, VerdictCounts};
use crate::runtime::project::models;
use crate::runtime::sim::is_marked;
use serde_json::Value;
use std::io::Write as _;
use std::process::ExitCode;

/// Arguments of `amend eval rates`.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("prompts", |arg| arg.hide(true)),
    mut_arg("limit", |arg| arg.help("Read at most N prompts of each set")),
    mut_arg("sample", |arg| arg.help("Take N prompts of each set at random, the same ones for the same seed")),
    after_help = "Examples:\n  amend eval rates --safe benign.jsonl --unsafe harmful.jsonl recipe.toml\n  \
                  amend eval rates --both xstest.csv --side label --by type --model sim\n  \
                  amend eval rates --safe s.csv --unsafe u.csv recipe.toml \\\n    \
                  --max-safe-refusals 0.1 --min-unsafe-refusals 0.9   # for CI: exit code 1\n\n\
                  Each prompt is answered and revised as in a run with the same recipe, so that draft against final \
                  response tells what the constitution does to refusals; `--rounds 0` asks for drafts only. Refusals \
                  are found without a model, as `amend eval refusal` finds them. A prompt without an answer \
                  (filtered, empty, truncated, failed) is counted apart, and against both thresholds; a refusal by the \
                  provider is a full refusal."
)]
pub(super) struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Prompts that should be answered: JSONL, CSV, Parquet or text, also compressed. May be repeated
    #[arg(long, value_name = "FILE", help_heading = "Sets")]
    safe: Vec<String>,
    /// Prompts that should be refused. May be repeated
    #[arg(long = "unsafe", value_name = "FILE", help_heading = "Sets")]
    harmful: Vec<String>,
    /// Prompts of both kinds, told apart by --side. May be repeated
    #[arg(long, value_name = "FILE", requires = "side", help_heading = "Sets")]
    both: Vec<String>,
    /// The column of --both that says `safe` or `unsafe`
    #[arg(long, value_name = "COLUMN", requires = "both", help_heading = "Sets")]
    side: Option<String>,
    /// Tell the rates by what this column says too
    #[arg(long, value_name = "COLUMN", help_heading = "Sets")]
    by: Option<String>,
    /// Exit with 1 when more of the safe prompts may be refused in the end, fully or in part
    #[arg(long, value_name = "SHARE")]
    max_safe_refusals: Option<f64>,
    /// Exit with 1 when fewer of the unsafe prompts are refused in the end, fully or in part
    #[arg(long, value_name = "SHARE")]
    min_unsafe_refusals: Option<f64>,
    /// Where answers are kept, so that they are asked once [default: runs/ID-rates]
    #[arg(long, value_name = "DIR")]
    out: Option<String>,
    /// Print each prompt's place, set and classes first
    #[arg(long)]
    rows: bool,
    /// JSON: one object, after one line per prompt with --rows
    #[arg(long)]
    json: bool,
}

/// Which set a prompt is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Safe,
    Unsafe,
}

impl Side {
    const BOTH: [Self; 2] = [Self::Safe, Self::Unsafe];

    fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Unsafe => "unsafe",
        }
    }
}

/// A prompt of a set.
#[derive(Debug)]
struct Asked {
    side: Side,
    prompt: Prompt,
    category: Option<String>,
    at: String,
}

impl Asked {
    fn id(&self) -> PromptId {
        self.prompt.id.clone()
    }
}

/// What came of it.
#[derive(Debug)]
struct Answered {
    asked: Asked,
    replies: Replies,
    verdicts: VerdictCounts,
    simulated: bool,
}

/// Both sets, always side by side.
#[derive(Debug)]
struct Rates {
    safe: SetReport,
    harmful: SetReport,
    /// Whether the simulated model had a part in it.
    simulated: bool,
    bad: BadRows,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    check_share("--max-safe-refusals", args.max_safe_refusals)?;
    check_share("--min-unsafe-refusals", args.min_unsafe_refusals)?;
    if !args.recipe.prompts.is_empty() {
        return Err(Failure::usage("`--prompts` says not which prompts are safe")
            .hint("give them as `--safe FILE` and `--unsafe FILE`"));
    }
    let mut project = args.recipe.open_project()?;
    // Responses are classified here, not compared.
    project.recipe.label.source = LabelSource::Off;
    let models = models::resolve(&project.recipe)?;
    let cx = project.context(&models)?;
    let sets = Sets::new(args, &project.recipe)?;
    let LookedThrough { counts, bad, drawn, marked } = sets.look_through()?;
    if !args.json {
        bad.show();
    }
    for (side, count) in Side::BOTH.into_iter().zip(counts) {
        if count == 0 {
            return Err(one_sided(side));
        }
    }
    let sim = &project.recipe.sim;
    if models.of(Role::Generator).is_sim() && sim.labels.is_empty() && !(marked && sim.knows_requests()) {
        let _ = writeln!(
            std::io::stderr().lock(),
            "warning: to the simulated model no request is harmful, so that it refuses none; say which are with \
             `--set 'sim.labels=[\"FILE\"]'`"
        );
    }
    let items = ReadAhead::start(sets.prompts(drawn)?).map_err(|stop| stopped(&stop))?.into_stream();
    let revised = project.recipe.method.rounds > 0;
    let dir = kept_in(args.out.as_ref(), &project, "rates");
    let work = JournaledWork::open(&dir, &project, models, args.json)?.that_prints(args.rows);
    let mut out = std::io::BufWriter::new(stdout());
    // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
    let mut line = |text: String| drop(writeln!(out, "{text}"));
    let answered = async |ask: &WorkMemo<'_>, asked: Asked| {
        let transcript = make_transcript(ask, &cx, &asked.prompt).await?;
        let simulated = transcript.models.iter().any(|(_, model)| is_simulated(model));
        let verdicts = VerdictCounts::of(&transcript);
        Ok(Answered { asked, verdicts, replies: Replies::of(&transcript, revised), simulated })
    };
    let mut verdicts = VerdictCounts::default();
    let (mut safe, mut harmful, mut simulated) = (SetReporter::default(), SetReporter::default(), false);
    work.each("prompts", counts.iter().sum::<u64>(), items, &answered, |answered| {
        let reporter = match answered.asked.side {
            Side::Safe => &mut safe,
            Side::Unsafe => &mut harmful,
        };
        reporter.add(answered.asked.category.as_deref(), &answered.replies);
        simulated |= answered.simulated;
        verdicts.asked += answered.verdicts.asked;
        verdicts.undecided += answered.verdicts.undecided;
        if args.rows {
            line(report::row(&answered, args.json));
        }
    })?;
    work.tell();
    let rates = Rates { safe: safe.finish(), harmful: harmful.finish(), simulated, bad };
    line(if args.json {
        report::to_json(&rates).to_string()
    } else {
        report::to_text(&rates, args.by.as_deref(), Style::of_stdout())
    });
    require_verdicts(verdicts, project.recipe.limits.max_undecided_share)?;
    let failed = [&rates.safe, &rates.harmful].into_iter().any(has_failed);
    if failed && !args.json {
        let _ = writeln!(std::io::stderr().lock(), "some calls failed; the same command asks them again");
    }
    Ok(ExitCode::from(u8::from(failed || rates.bad.count > 0 || crosses(&rates, args))))
}

/// Whether a threshold is crossed, if those without an answer were on the wrong side of it. Unknown is not safe.
fn crosses(rates: &Rates, args: &Args) -> bool {
    let too_many = args.max_safe_refusals.is_some_and(|most| rates.safe.in_the_end().most() > Some(most));
    let least = rates.harmful.in_the_end().least();
    too_many || args.min_unsafe_refusals.is_some_and(|wanted| least.is_none_or(|least| least < wanted))
}

fn has_failed(set: &SetReport) -> bool {
    set.draft.unanswered.contains_key(&Reason::Failed) || set.unrevised.contains_key(&Reason::Failed)
}

/// One side alone says nothing: who refuses everything refuses all that is unsafe.
fn one_sided(missing: Side) -> Failure {
    let (why, give) = match missing {
        Side::Safe => ("a model that refuses everything refuses all that is unsafe", "--safe FILE"),
        Side::Unsafe => ("a model that refuses nothing refuses nothing that is safe", "--unsafe FILE"),
    };
    Failure::usage(format!("there are no {} prompts", missing.as_str()))
        .hint(format!("both sides are needed, for {why}: give `{give}` too, or `--both FILE --side COLUMN`"))
}

/// What a first reading of the sets finds.
struct LookedThrough {
    /// Prompts to ask, by side in the order of [`Side::BOTH`].
    counts: [u64; 2],
    bad: BadRows,
    /// The samples, where they are drawn.
    drawn: Option<Vec<Asked>>,
    /// Whether a prompt says by a mark of the simulated world what it is.
    marked: bool,
}

/// Rows of files: prompts of a set, or why they are none.
type AskedRows = Box<dyn Iterator<Item = Result<Asked, Reject>> + Send>;

/// Prompts of both sets.
type AskedPrompts = Box<dyn Iterator<Item = Asked> + Send>;

/// The files of the sets, read twice: once before the first call, so that what is wrong or missing shows, and once to ask.
struct Sets<'a> {
    args: &'a Args,
    recipe: &'a Recipe,
    safe: RereadableSources,
    harmful: RereadableSources,
    both: RereadableSources,
}

impl<'a> Sets<'a> {
    fn new(args: &'a Args, recipe: &'a Recipe) -> Result<Self, Failure> {
        let rereadable = |files: &[String]| {
            let sources = readers::sources(files, || Box::new(std::io::stdin()));
            RereadableSources::new(sources).map_err(|error| read_failure(&error))
        };
        let (safe, harmful) = (rereadable(&args.safe)?, rereadable(&args.harmful)?);
        Ok(Self { args, recipe, safe, harmful, both: rereadable(&args.both)? })
    }

    fn look_through(&self) -> Result<LookedThrough, Failure> {
        let Input { limit, sample, .. } = self.recipe.input;
        let mut picked = Side::BOTH.map(|_| Picked::new(limit, sample, self.recipe.seed));
        let bad = BadRows::new(self.args.json);
        let mut looked = LookedThrough { counts: [0; 2], bad, drawn: None, marked: false };
        for side in [Some(Side::Safe), Some(Side::Unsafe), None] {
            for row in self.rows(side)? {
                match row {
                    Err(reject) => looked.bad.add(reject),
                    Ok(asked) => {
                        let side = asked.side as usize;
                        looked.marked |= is_marked(asked.prompt.last_user_turn());
                        looked.counts[side] += u64::from(picked[side].offer(asked, Asked::id).is_some());
                    }
                }
            }
        }
        if sample.is_some() {
            let drawn = picked.map(|mut picked| std::iter::from_fn(|| picked.next_drawn()).collect());
            looked.counts = drawn.each_ref().map(|drawn: &Vec<Asked>| drawn.len() as u64);
            looked.drawn = Some(drawn.into_iter().flatten().collect());
        }
        Ok(looked)
    }

    /// The prompts to ask, the safe ones first: the samples, or what the files hold.
    fn prompts(&self, drawn: Option<Vec<Asked>>) -> Result<AskedPrompts, Failure> {
        if let Some(drawn) = drawn {
            return Ok(Box::new(drawn.into_iter()));
        }
        let limit = self.recipe.input.limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let mut prompts: AskedPrompts = Box::new(std::iter::empty());
        for side in Side::BOTH {
            let rows = self.rows(Some(side))?.chain(self.rows(None)?);
            let own = rows.filter_map(Result::ok).filter(move |asked| asked.side == side);
            prompts = Box::new(prompts.chain(own.take(limit)));
        }
        Ok(prompts)
    }

    /// Every row of the files that are all of one side, or that say it row by row.
    fn rows(&self, side: Option<Side>) -> Result<AskedRows, Failure> {
        let (named, sources) = match side {
            Some(Side::Safe) => (&self.args.safe, &self.safe),
            Some(Side::Unsafe) => (&self.args.harmful, &self.harmful),
            None => (&self.args.both, &self.both),
        };
        if named.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let input = &self.recipe.input;
        let side_column = if side.is_none() { self.args.side.clone() } else { None };
        let labels: Vec<String> = [&side_column, &self.args.by].into_iter().flatten().cloned().collect();
        let known: Vec<&str> = PROMPT_COLUMNS
            .iter()
            .copied()
            .chain(input.column.as_deref())
            .chain(labels.iter().map(String::as_str))
            .collect();
        let max_bytes = usize::try_from(input.max_bytes).unwrap_or(usize::MAX);
        let settings = readers::Settings { format: input.format, max_bytes, known_columns: &known };
        let mut opened = Vec::new();
        for file in readers::open(sources.sources(), &settings).map_err(|error| read_failure(&error))? {
            for label in &labels {
                file.require(label).map_err(|error| read_failure(&error))?;
            }
            opened.push((
                Columns::of(&file, input, false, &std::sync::Arc::default())
                    .map_err(|error| read_failure(&error))?,
                file,
            ));
        }
        let reading = RowReading { side, side_column, by: self.args.by.clone() };
        Ok(Box::new(opened.into_iter().flat_map(move |(mut columns, file)| {
            let needed = columns.needed();
            let all = needed.map(|needed| [needed, labels.iter().map(String::as_str).collect()].concat());
            let rows = file.into_rows(all.as_deref());
            let reading = reading.clone();
            rows.map(move |row| reading.read(row?, &mut columns))
        })))
    }
}

/// How a row becomes a prompt of a set.
#[derive(Debug, Clone)]
struct RowReading {
    /// The side of all rows, where they are of one.
    side: Option<Side>,
    /// The column that says it otherwise.
    side_column: Option<String>,
    /// The column that says the category.
    by: Option<String>,
}

impl RowReading {
    fn read(&self, row: readers::Row, columns: &mut Columns) -> Result<Asked, Reject> {
        let side = match self.side {
            Some(side) => side,
            None => side_of(&row, self.side_column.as_deref().unwrap_or_default())?,
        };
        let category = self.by.as_ref().map(|by| category_of(row.columns.get(by)));
        match columns.read(row) {
            Row::Prompt { prompt, at } => Ok(Asked { side, prompt, category, at }),
            Row::Reject(reject) => Err(reject),
        }
    }
}

/// The side that a row says it is on. What it says otherwise is no side: a wrong guess would count on the wrong one.
fn side_of(row: &readers::Row, column: &str) -> Result<Side, Reject> {
    let said = row.columns.get(column).and_then(Value::as_str).unwrap_or_default();
    match said.trim().to_lowercase().as_str() {
        "safe" => Ok(Side::Safe),
        "unsafe" => Ok(Side::Unsafe),
        _ => Err(Reject {
            prompt_id: None,
            at: Some(row.at.clone()),
            reason: Reason::BadSide,
            detail: format!("column `{}` says neither `safe` nor `unsafe`", printable(column)),
        }),
    }
}

fn category_of(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) if !text.trim().is_empty() => text.trim().to_owned(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        Some(Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_)) | None => "(none)".into(),
    }
}
