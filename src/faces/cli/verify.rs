//! `amend verify`: is a dataset as it was written?

use super::Failure;
use crate::runtime::dataset::export::verify;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Arguments of `amend verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  amend verify runs/night/dataset\n\n\
                        Exit code 0 when every file is as `manifest.json` says, 1 when one is changed, missing or extra.")]
pub(super) struct Args {
    /// The dataset's folder, the one that holds `manifest.json`
    dir: String,
    /// JSON: one object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let dir = Path::new(&args.dir);
    if !dir.is_dir() {
        return Err(Failure::usage(format!("`{}` is not a folder", args.dir))
            .hint("name the folder that holds `manifest.json`, such as `runs/night/dataset`"));
    }
    let met = verify(dir);
    let findings: Vec<String> = met.findings.iter().map(ToString::to_string).collect();
    let text = if args.json {
        json!({ "intact": met.intact, "findings": findings }).to_string()
    } else if findings.is_empty() {
        format!("{} files, all as they were written", met.intact)
    } else {
        let lines: Vec<String> =
            findings.iter().map(|finding| crate::pure::text::printable(finding)).collect();
        format!(
            "{}\n{} files are as they were written, {} are not",
            lines.join("\n"),
            met.intact,
            findings.len()
        )
    };
    // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(super::failure::Kind::Findings as u8)
    })
}
