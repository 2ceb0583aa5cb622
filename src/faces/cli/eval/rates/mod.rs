//! `amend eval rates`: how often a model, under a constitution, refuses what is safe and what is not, side by side.
//!
//! What is told is in `report`.

mod report;

use super::{Picked, read_failure, show_rejects};
use crate::faces::cli::Failure;
use crate::faces::cli::asking::{Asking, check_share, kept_in};
use crate::faces::cli::settings::RecipeArgs;
use crate::faces::cli::style::Style;
use crate::pure::method::make_transcript;
use crate::pure::prompt::Prompt;
use crate::pure::reason::Reason;
use crate::pure::recipe::{Input, LabelSource, Recipe, is_simulated};
use crate::pure::reject::Reject;
use crate::pure::reports::refusal_rates::{Replies, SetReport, SetReporter};
use crate::pure::text::printable;
use crate::runtime::dataset::prompts::{Columns, PROMPT_COLUMNS, Row};
use crate::runtime::dataset::readers;
use crate::runtime::project::models;
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

/// What came of it.
#[derive(Debug)]
struct Answered {
    asked: Asked,
    replies: Replies,
    simulated: bool,
}

/// Both sets, always side by side.
#[derive(Debug)]
struct Rates {
    safe: SetReport,
    harmful: SetReport,
    /// Whether the simulated model had a part in it.
    simulated: bool,
    rejects: Vec<Reject>,
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
    let (asked, rejects) = read_sets(args, &project.recipe)?;
    if !args.json {
        show_rejects(&rejects);
    }
    for side in [Side::Safe, Side::Unsafe] {
        if !asked.iter().any(|asked| asked.side == side) {
            return Err(one_sided(side));
        }
    }
    let revised = project.recipe.method.rounds > 0;
    let asking = Asking::open(&kept_in(args.out.as_ref(), &project, "rates"), &project, models, args.json)?;
    let answered = asking.all("prompts", asked.into_iter(), async |ask, asked| {
        let transcript = make_transcript(ask, &cx, &asked.prompt).await?;
        let simulated = transcript.models.iter().any(|(_, model)| is_simulated(model));
        Ok(Answered { asked, replies: Replies::of(&transcript, revised), simulated })
    })?;
    asking.tell();
    let rates = rates(&answered, rejects);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
    let mut line = |text: String| drop(writeln!(out, "{text}"));
    if args.rows {
        for answered in &answered {
            line(report::row(answered, args.json));
        }
    }
    line(if args.json {
        report::to_json(&rates).to_string()
    } else {
        report::to_text(&rates, args.by.as_deref(), Style::of_stdout())
    });
    let failed = [&rates.safe, &rates.harmful].into_iter().any(has_failed);
    if failed && !args.json {
        let _ = writeln!(std::io::stderr().lock(), "some calls failed; the same command asks them again");
    }
    Ok(ExitCode::from(u8::from(failed || !rates.rejects.is_empty() || crosses(&rates, args))))
}

fn rates(answered: &[Answered], rejects: Vec<Reject>) -> Rates {
    let of = |side: Side| {
        let mut reporter = SetReporter::default();
        for Answered { asked, replies, .. } in answered.iter().filter(|answered| answered.asked.side == side)
        {
            reporter.add(asked.category.as_deref(), replies);
        }
        reporter.finish()
    };
    let simulated = answered.iter().any(|answered| answered.simulated);
    Rates { safe: of(Side::Safe), harmful: of(Side::Unsafe), simulated, rejects }
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

/// The prompts of both sets, and the rows that make none.
fn read_sets(args: &Args, recipe: &Recipe) -> Result<(Vec<Asked>, Vec<Reject>), Failure> {
    let (mut safe, mut harmful) = (Picked::new(recipe), Picked::new(recipe));
    let mut rejects = Vec::new();
    let sets = [(&args.safe, Some(Side::Safe)), (&args.harmful, Some(Side::Unsafe)), (&args.both, None)];
    for (files, side) in sets.into_iter().filter(|(files, _)| !files.is_empty()) {
        for asked in read_files(files, side, args, &recipe.input)? {
            match asked {
                Err(reject) => rejects.push(reject),
                Ok(asked) => {
                    let set = match asked.side {
                        Side::Safe => &mut safe,
                        Side::Unsafe => &mut harmful,
                    };
                    set.offer(&asked.prompt.id.clone(), asked);
                }
            }
        }
    }
    Ok((safe.finish().into_iter().chain(harmful.finish()).collect(), rejects))
}

/// The prompts of some files, all of one side or as the rows say.
fn read_files(
    files: &[String],
    side: Option<Side>,
    args: &Args,
    input: &Input,
) -> Result<impl Iterator<Item = Result<Asked, Reject>>, Failure> {
    let side_column = side.is_none().then(|| args.side.clone()).flatten();
    let labels: Vec<String> = [&side_column, &args.by].into_iter().flatten().cloned().collect();
    let known: Vec<&str> = PROMPT_COLUMNS
        .iter()
        .copied()
        .chain(input.column.as_deref())
        .chain(labels.iter().map(String::as_str))
        .collect();
    let max_bytes = usize::try_from(input.max_bytes).unwrap_or(usize::MAX);
    let settings = readers::Settings { format: input.format, max_bytes, known_columns: &known };
    let sources = readers::sources(files, || Box::new(std::io::stdin()));
    let mut opened = Vec::new();
    for file in readers::open(sources, &settings).map_err(|error| read_failure(&error))? {
        for label in &labels {
            file.require(label).map_err(|error| read_failure(&error))?;
        }
        opened.push((Columns::of(&file, input, false).map_err(|error| read_failure(&error))?, file));
    }
    let by = args.by.clone();
    Ok(opened.into_iter().flat_map(move |(mut columns, file)| {
        let needed = columns.needed();
        let all = needed.map(|needed| [needed, labels.iter().map(String::as_str).collect()].concat());
        let rows = file.into_rows(all.as_deref());
        let (side_column, by) = (side_column.clone(), by.clone());
        rows.map(move |row| {
            let row = row?;
            let side = match (side, &side_column) {
                (Some(side), _) => side,
                (None, column) => side_of(&row, column.as_deref().unwrap_or_default())?,
            };
            let category = by.as_ref().map(|by| category_of(row.columns.get(by)));
            match columns.read(row) {
                Row::Prompt { prompt, at } => Ok(Asked { side, prompt, category, at }),
                Row::Reject(reject) => Err(reject),
            }
        })
    }))
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
