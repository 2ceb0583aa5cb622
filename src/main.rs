//! The `amend` binary: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    amend::faces::cli::main()
}
