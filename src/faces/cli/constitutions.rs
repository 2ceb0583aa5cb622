//! `amend constitutions`: the constitutions that are built in, to be looked at and copied.

use super::Failure;
use super::style::{Style, plural};
use super::word_wrap::wrap;
use crate::faces::cli::stdout::stdout;
use crate::pure::constitution::{built_in, built_in_names, read_built_in};
use crate::pure::diagnostic::nearest;
use crate::pure::taxonomy;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The harm taxonomy, which is built in beside the constitutions. It is printed only: nothing reads a copy.
const TAXONOMY: &str = "taxonomy";

/// List the built-in constitutions, print one, or copy it to edit it
///
/// `amend constitutions taxonomy` prints the harm taxonomy: the ids that a prompt's `hazard` can name.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amend constitutions\n  amend constitutions harmlessness\n  amend constitutions taxonomy\n  \
                        amend constitutions support-desk --copy mine.toml"
)]
pub(super) struct Args {
    /// Print this one as it is
    name: Option<String>,
    /// Write it to a file of your own, which must not be there yet
    #[arg(long, value_name = "FILE", requires = "name")]
    copy: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let Some(name) = &args.name else {
        let _ = stdout().write_all(listed(Style::of_stdout()).as_bytes());
        return Ok(ExitCode::SUCCESS);
    };
    if name == TAXONOMY && args.copy.is_none() {
        let _ = stdout().write_all(taxonomy::BUILT_IN.as_bytes());
        return Ok(ExitCode::SUCCESS);
    }
    let file = built_in(name).ok_or_else(|| {
        let failure = Failure::usage(format!("there is no built-in constitution `{name}`"));
        match nearest(name, built_in_names()) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("`amend constitutions` lists them"),
        }
    })?;
    match &args.copy {
        None => {
            let _ = stdout().write_all(file.text.as_bytes());
        }
        Some(path) => {
            copy(path, &file.text)?;
            let _ = writeln!(stdout(), "{} is a copy of `{name}`; next: amend check {0}", path.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn copy(path: &Path, text: &str) -> Result<(), Failure> {
    let created = std::fs::File::options().write(true).create_new(true).open(path);
    let written = created.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::usage(format!("`{}` is there already", path.display()))
            .hint("name a file that is not there"),
        _ => Failure::disk(format!("cannot write `{}`: {error}", path.display())),
    })
}

/// Each with its size and what it is for.
fn listed(style: Style) -> String {
    let mut out = String::new();
    for constitution in built_in_names().filter_map(read_built_in) {
        let principles = constitution.principles.len();
        let hard = constitution.principles.iter().filter(|principle| principle.hard).count();
        let tests: usize = constitution.principles.iter().map(|principle| principle.tests.len()).sum();
        let _ = writeln!(
            out,
            "{}  {}, {hard} hard, {}",
            style.strong(&constitution.id),
            plural(principles, "principle"),
            plural(tests, "test")
        );
        let description = wrap(&constitution.description, style.width.saturating_sub(2));
        for line in description.iter().filter(|line| !line.is_empty()) {
            let _ = writeln!(out, "  {line}");
        }
    }
    let _ = writeln!(out, "{}", style.faint("`amend constitutions NAME --copy FILE` makes one your own"));
    out
}
