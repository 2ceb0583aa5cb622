//! `amend redteam`: what attacks get out of a model, one file per sub-command.

mod import;

use super::Failure;
use std::process::ExitCode;

/// Take in what red-team tools found, in one form, and judge it here
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Import(Box<import::Args>),
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.what {
        What::Import(args) => import::run(args),
    }
}
