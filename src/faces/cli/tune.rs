//! `amend tune`: other limits for a run that works.

use super::Failure;
use crate::faces::cli::stdout::stdout;
use crate::pure::recipe::Tuning;
use crate::pure::text::printable;
use crate::runtime::project::{RunDir, tune};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Change the limits of a run while it works
///
/// The run takes the change within a second, and keeps it until it ends. Started again it has the limits of its recipe.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  amend tune runs/night concurrency=256
  amend tune runs/night rpm=600 tpm=none      no more limit of tokens
  amend tune runs/night concurrency=auto")]
pub(super) struct Args {
    /// The run directory
    run: PathBuf,
    /// What changes: concurrency=N or auto, rpm=N or none, tpm=N or none
    #[arg(value_name = "SETTING", required = true)]
    settings: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let settings = args.settings.iter().map(String::as_str);
    let tuning = Tuning::read(settings).map_err(|why| Failure::usage(printable(&why)))?;
    let run = RunDir::existing(&args.run)?;
    super::runtime()?.block_on(tune(&run, tuning))?;
    let _ = writeln!(stdout(), "{}: {tuning}", printable(&args.run.display().to_string()));
    Ok(ExitCode::SUCCESS)
}
