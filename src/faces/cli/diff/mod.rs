//! `amend diff`: two constitutions, a constitution against its version in git, or two runs.

mod constitutions;
mod render;
mod runs;

use super::Failure;
use crate::pure::constitution::built_in;
use crate::runtime::project::{CONSTITUTION, RunDir};
use std::path::Path;
use std::process::ExitCode;

/// Prompts that are shown unless `--limit` says otherwise.
const SHOWN: usize = 10;

/// Compare two constitutions or two runs
///
/// Two constitutions: what was added, removed, reworded, reprioritised. Two runs: which prompts end differently, the
/// difference by word, the principle that caused it, and where the two transcripts part; counts come first. A run and a
/// constitution: what the run was made with against the file. No model is asked.
///
/// Exit code 0 when nothing differs, 1 when something does, as `diff` has it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  amend diff old.toml new.toml
  amend diff constitutions/mine.toml --git HEAD~1
  amend diff runs/first runs/second          what an edit did
  amend diff runs/first runs/second --stat   the counts alone
  amend diff runs/first mine.toml            what changed since the run

To see what an edit does, and pay only for what it reaches:
  cp -r runs/first runs/second
  amend run amend.toml --constitution edited.toml --out runs/second
  amend diff runs/first runs/second")]
pub(super) struct Args {
    /// The old one, or the only one with --git: a file, a built-in constitution, or a run
    #[arg(value_name = "OLD")]
    old: String,
    /// The new one
    #[arg(value_name = "NEW", required_unless_present = "git")]
    new: Option<String>,
    /// Compare the file with its version at this git revision
    #[arg(long, value_name = "REV", conflicts_with = "new")]
    git: Option<String>,
    /// The counts alone, without texts
    #[arg(long)]
    stat: bool,
    /// Of two runs, show this many prompts [default: 10; all with --json]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Of two runs, show this prompt, by the beginning of its id
    #[arg(long, value_name = "ID", conflicts_with_all = ["stat", "limit"])]
    prompt: Option<String>,
    /// Of two runs, show only prompts that differ because of this principle
    #[arg(long, value_name = "ID", conflicts_with = "prompt")]
    principle: Option<String>,
    /// Of two runs, show the length and a hash of each text in its place
    #[arg(long)]
    redact: bool,
    /// JSON: one object; of two runs, one line per prompt and the counts last
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if let Some(new) = &args.new
        && let (Ok(old), Ok(new)) = (RunDir::existing(&args.old), RunDir::existing(new))
    {
        return runs::run(&old, &new, args);
    }
    if args.limit.is_some() || args.prompt.is_some() || args.principle.is_some() || args.redact {
        return Err(Failure::usage("`--limit`, `--prompt`, `--principle` and `--redact` are about two runs")
            .hint("name two directories that `amend run --out` wrote"));
    }
    if let (Ok(_), Some(new)) = (RunDir::existing(&args.old), &args.new)
        && built_in(new).is_none()
        && !Path::new(new).is_file()
    {
        // What stands beside a run and is no file was meant as a run.
        RunDir::existing(new)?;
    }
    constitutions::run(args)
}

/// The constitution of this name; that of a run is the one it was made with.
fn constitution_at(name: &str) -> String {
    match RunDir::existing(name) {
        Ok(dir) => dir.path.join(CONSTITUTION).to_string_lossy().into_owned(),
        Err(_) => name.to_owned(),
    }
}
