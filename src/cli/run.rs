//! `amend run`.

use super::Failure;
use std::process::ExitCode;

/// Arguments of `amend run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
pub(super) fn run(_args: &Args) -> Result<ExitCode, Failure> {
    Err(Failure::new(super::failure::Kind::Bug, "`amend run` is not built yet"))
}
