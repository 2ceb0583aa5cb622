//! `amend completions` and `amend man`: what shells and manual readers take, made from the commands themselves.

use super::Failure;
use crate::faces::cli::stdout::stdout;
use clap::CommandFactory as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amend completions bash > ~/.local/share/bash-completion/completions/amend\n  \
                        amend completions fish > ~/.config/fish/completions/amend.fish"
)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Write the manual pages
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  amend man ~/.local/share/man/man1 && man amend-run")]
pub(super) struct ManArgs {
    /// Where to; it is made if it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Prints the completions.
pub(super) fn completions(args: &CompletionsArgs) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "amend", &mut script);
    // A closed pipe is not our failure.
    let _ = stdout().write_all(&script);
    ExitCode::SUCCESS
}

/// Writes `amend.1` and a page for every command.
pub(super) fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::disk(format!("cannot write manual pages to `{}`: {error}", args.dir.display()))
    };
    std::fs::create_dir_all(&args.dir).map_err(cannot)?;
    clap_mangen::generate_to(super::Cli::command(), &args.dir).map_err(cannot)?;
    Ok(ExitCode::SUCCESS)
}
