//! `amend export`: the dataset of a run, written again without a call.

use super::Failure;
use super::failure::export_failure;
use crate::faces::cli::stdout::stdout;
use crate::pure::recipe::{Config, Pairs, SoftLabels};
use crate::pure::text::printable;
use crate::runtime::dataset::export::Report;
use crate::runtime::dataset::export::older;
use crate::runtime::journal::Reader;
use crate::runtime::project::FrozenRun;

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write the dataset of a run again, without a call
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  amend export runs/night --out data/night\n  \
                        amend export runs/night --out data/all --configs all\n  \
                        amend export runs/night --out data/dpo --configs preference --pairs steps --soft-labels expand=10\n\n\
                        Settings that are not given come from the run's recipe. A dataset that is there is replaced \
                        when the new one is whole; any other folder is left alone.")]
pub(super) struct Args {
    /// The run directory
    run: PathBuf,
    /// Where the dataset goes [default: RUN/dataset]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Configs, separated by commas; `all` for every one
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    configs: Vec<String>,
    /// Which responses are paired: first-last, first-best, steps or all
    #[arg(long, value_name = "WHICH", value_parser = pairs_named)]
    pairs: Option<Pairs>,
    /// What becomes of labels that are probabilities: hard, sample or expand=K
    #[arg(long, value_name = "HOW")]
    soft_labels: Option<SoftLabels>,
    /// Share of prompt families in validation, and as much again in test
    #[arg(long, value_name = "SHARE")]
    holdout: Option<f64>,
    /// Keep every prompt that this older dataset has in the split where it stands there
    #[arg(long, value_name = "DIR")]
    splits_of: Option<PathBuf>,
    /// Also write requests for OpenAI's Batch API to this model, from the config `prompts`
    #[arg(long, value_name = "MODEL")]
    batch_model: Option<String>,
    /// Keep final responses that a principle still objects to
    #[arg(long)]
    keep_unresolved: bool,
    /// Write what there is where `[export.mix]` cannot be met
    #[arg(long)]
    partial: bool,
    /// JSON: one object
    #[arg(long)]
    json: bool,
}

fn pairs_named(name: &str) -> Result<Pairs, String> {
    let known = [Pairs::FirstLast, Pairs::FirstBest, Pairs::Steps, Pairs::All];
    let named = known.into_iter().find(|pairs| json!(pairs) == json!(name));
    named.ok_or_else(|| "it is one of first-last, first-best, steps and all".into())
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut frozen = FrozenRun::open(&args.run)?;
    let reader = Reader::open(&args.run).map_err(|error| super::failure::journal_failure(&error))?;
    let settings = &mut frozen.recipe.export;
    if args.configs.iter().any(|name| name == "all") {
        settings.configs = Config::names().into_iter().map(str::to_owned).collect();
    } else if !args.configs.is_empty() {
        settings.configs.clone_from(&args.configs);
    }
    settings.pairs = args.pairs.unwrap_or(settings.pairs);
    settings.soft_labels = args.soft_labels.unwrap_or(settings.soft_labels);
    settings.holdout = args.holdout.unwrap_or(settings.holdout);
    if let Some(model) = &args.batch_model {
        settings.batch_model = Some(model.clone());
    }
    settings.keep_unresolved |= args.keep_unresolved;
    settings.mix.partial |= args.partial;
    let out = args.out.clone().unwrap_or_else(|| args.run.join("dataset"));
    let older = args.splits_of.as_deref().map(older).transpose().map_err(|error| export_failure(&error))?;
    let judged = frozen.report(&reader)?;
    let report = frozen.export(&reader, &judged, &out, older)?;
    let said = if args.json { as_json(&report, &out).to_string() } else { as_text(&report, &out) };
    // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
    let _ = writeln!(stdout(), "{said}");
    Ok(ExitCode::SUCCESS)
}

fn as_json(report: &Report, out: &Path) -> Value {
    let mut rows: serde_json::Map<String, Value> = serde_json::Map::new();
    for ((config, split), count) in &report.rows {
        if let Some(splits) = rows.entry(config.as_str()).or_insert_with(|| json!({})).as_object_mut() {
            splits.insert((*split).to_owned(), json!(count));
        }
    }
    let drops: Vec<Value> = report
        .drops
        .iter()
        .map(
            |((config, reason), count)| json!({ "config": config.as_str(), "reason": reason, "rows": count }),
        )
        .collect();
    json!({
        "event": "exported", "dir": out.display().to_string(), "transcripts": report.transcripts, "usable": report.usable,
        "families": report.families, "two_sides": report.two_sides, "rows": rows, "dropped": drops, "files": report.files, "bytes": report.bytes,
    })
}

fn as_text(report: &Report, out: &Path) -> String {
    let mut text = format!("{} transcripts, {} with a usable draft\n", report.transcripts, report.usable);
    for (config, count) in report.totals() {
        let _ = writeln!(text, "  {config:<20} {count:>9} rows");
    }
    for ((config, reason), count) in &report.drops {
        let _ = writeln!(text, "  left out: {count} of {} ({reason})", config.as_str());
    }
    let sides = &report.two_sides;
    if sides.benign + sides.harmful > 0 {
        let twins = sides.twin_share();
        let _ = writeln!(
            text,
            "  both sides: {} of {} benign prompts are refused, {} of {} harmful ones have a benign twin",
            sides.benign_refused, sides.benign, twins.count, twins.of
        );
    }
    let _ = write!(text, "{} files in {}", report.files, printable(&out.display().to_string()));
    text
}
