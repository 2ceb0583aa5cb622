//! `amend merge`: the shards of a run become one run.

use super::Failure;
use super::run::{make_whole, tell_rows};
use super::stdout::stdout;
use super::style::Style;
use crate::pure::text::printable;
use crate::runtime::project::merge::{Merged, merge};
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Merge the shards of a run into one run, with the dataset that one process would have written
///
/// All shards must be there, finished and of one plan. Families, duplicates, splits and reports are computed over the whole. The
/// result is an ordinary run directory: show it, export it, edit the recipe and run it again.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amend run night.toml --shard 0/4 --out night     # on each machine its own number\n  amend merge night"
)]
pub(super) struct Args {
    /// The folder that the shards are in: what `amend run --shard … --out` was given
    #[arg(value_name = "OUT")]
    shards: PathBuf,
    /// Where the merged run goes [default: OUT itself]
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Merge what is there although shards are missing or not finished; the report and the card say so
    #[arg(long)]
    partial: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let out = args.out.clone().unwrap_or_else(|| args.shards.clone());
    let Merged { dir, shards, missing } = merge(&args.shards, &out, args.partial)?;
    let made = make_whole(&dir)?;
    let path = printable(&dir.path.display().to_string());
    if args.json {
        let rows: serde_json::Map<String, serde_json::Value> =
            made.totals().into_iter().map(|(config, count)| (config, json!(count))).collect();
        let _ = writeln!(
            stdout(),
            "{}",
            json!({ "run": dir.path.display().to_string(), "shards": shards, "missing": missing, "rows": rows })
        );
    } else {
        let style = Style::of_stdout();
        let _ = writeln!(stdout(), "{}  merged from {shards} shards", style.strong(&path));
        for what in &missing {
            let _ = writeln!(stdout(), "  {}", style.warn(&printable(what)));
        }
        let _ = writeln!(stdout(), "{}", tell_rows(&made, &dir, style));
    }
    Ok(ExitCode::SUCCESS)
}
