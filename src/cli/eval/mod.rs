//! `amend eval`: measurements that make no dataset, one file per measure.

mod refusal;

use super::Failure;
use std::process::ExitCode;

/// Arguments of `amend eval`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Which stored responses refuse, fully or in part; without a model
    Refusal(refusal::Args),
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.what {
        What::Refusal(args) => refusal::run(args),
    }
}
