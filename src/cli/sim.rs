//! `amend sim`.

use super::Failure;
use std::process::ExitCode;

/// Arguments of `amend sim`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
pub(super) fn run(_args: &Args) -> Result<ExitCode, Failure> {
    Err(Failure::new(super::failure::Kind::Bug, "`amend sim` is not built yet"))
}
