//! `amend export`.

use super::Failure;
use std::process::ExitCode;

/// Arguments of `amend export`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
pub(super) fn run(_args: &Args) -> Result<ExitCode, Failure> {
    Err(Failure::new(super::failure::Kind::Bug, "`amend export` is not built yet"))
}
