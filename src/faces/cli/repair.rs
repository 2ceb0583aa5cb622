//! `amend repair`: a damaged run, made whole as far as it is.

use super::Failure;
use super::failure::journal_failure;
use crate::faces::cli::stdout::stdout;
use crate::pure::text::printable;
use crate::runtime::journal::{Repaired, repair};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Keep what is whole of a damaged run
///
/// A new journal is made of every record whose checksum fits; the damaged one stays beside it. The same `amend run`
/// command then asks what was lost, and nothing else.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  amend verify runs/night                what is damaged\n  \
                        amend repair runs/night\n  amend run night.toml                   asks what was lost")]
pub(super) struct Args {
    /// The run directory
    run: PathBuf,
    /// JSON: one object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let repaired = repair(&args.run).map_err(|error| journal_failure(&error))?;
    let text = if args.json { serde_json::json!(repaired).to_string() } else { as_text(&repaired) };
    // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
    let _ = writeln!(stdout(), "{text}");
    Ok(ExitCode::SUCCESS)
}

fn as_text(repaired: &Repaired) -> String {
    let mut text = String::new();
    for table in &repaired.tables {
        let _ = writeln!(text, "{:>9} {} kept, {} damaged", table.whole, table.table, table.damaged);
    }
    let aside = printable(&repaired.aside.display().to_string());
    let _ = write!(
        text,
        "the journal as it was is in `{aside}`; run the same `amend run` command again to go on"
    );
    text
}
