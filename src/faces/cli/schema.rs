//! `amend schema`: JSON schemas of our files, so that editors complete and validate them.

use crate::faces::cli::stdout::stdout;
use crate::pure::{constitution, recipe};
use std::io::Write as _;
use std::process::ExitCode;

/// Arguments of `amend schema`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Editors that know TOML (Even Better TOML, taplo, Zed, Helix) read the first line of a file:
  #:schema ./.amend/constitution.schema.json

`amend init` writes both files; after an update of amend, write them anew:
  amend schema constitution > .amend/constitution.schema.json
  amend schema recipe > .amend/recipe.schema.json"
)]
pub(super) struct Args {
    /// Of which file
    #[arg(value_enum)]
    of: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Constitution,
    Recipe,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> ExitCode {
    let schema = match args.of {
        Kind::Constitution => constitution::schema(),
        Kind::Recipe => recipe::schema(),
    };
    let _ = stdout().write_all(schema.as_bytes());
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schemas_are_current() {
        let check = |name: &str, schema: String| {
            let path = format!("{}/constitutions/schema/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(committed == schema, "write it again: amend schema {name} > {path}");
        };
        check("constitution", constitution::schema());
        check("recipe", recipe::schema());
    }
}
