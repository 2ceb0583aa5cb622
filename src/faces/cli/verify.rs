//! `amend verify`: is a dataset, or a run, as it was written?

use super::Failure;
use super::failure::journal_failure;
use crate::faces::cli::stdout::stdout;
use crate::pure::shard::Shard;
use crate::pure::text::printable;
use crate::runtime::dataset::export::verify;
use crate::runtime::journal::{FILE, JournalCheck, Reader, check};
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Arguments of `amend verify`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amend verify runs/night/dataset    every file of a dataset\n  amend verify runs/night            every record of a run\n\n\
                        Exit code 0 when every file is as `manifest.json` says, 1 when one is changed, missing or extra."
)]
pub(super) struct Args {
    /// The dataset's folder, the one that holds `manifest.json`; or a run directory
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
    if dir.join(FILE).is_file() {
        return verify_run(dir, args.json);
    }
    let met = verify(dir);
    let findings: Vec<String> = met.findings.iter().map(ToString::to_string).collect();
    let text = if args.json {
        json!({ "intact": met.intact, "findings": findings }).to_string()
    } else if findings.is_empty() {
        format!("{} files, all as they were written", met.intact)
    } else {
        let lines: Vec<String> = findings.iter().map(|finding| printable(finding)).collect();
        format!(
            "{}\n{} files are as they were written, {} are not",
            lines.join("\n"),
            met.intact,
            findings.len()
        )
    };
    // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
    let _ = writeln!(stdout(), "{text}");
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(super::failure::Kind::Findings as u8)
    })
}

/// Looks at every record of a run's journal.
fn verify_run(dir: &Path, json: bool) -> Result<ExitCode, Failure> {
    let mut found = check(dir).map_err(|error| journal_failure(&error))?;
    // The answers of a merged run are in its shards.
    let merged = if found.faults.is_empty() {
        Reader::open(dir).and_then(|reader| reader.merged_from()).map_err(|error| journal_failure(&error))?
    } else {
        None
    };
    for shard in
        merged.iter().flat_map(|from| Shard::all(from.shards).filter(|s| !from.missing.contains(&s.index())))
    {
        add_shard(&mut found, shard, &dir.join(shard.dir_name()));
    }
    let text = if json { json!(found).to_string() } else { run_text(&found) };
    let _ = writeln!(stdout(), "{text}");
    if found.faults.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::new(super::failure::Kind::Findings, "the journal of the run is damaged")
        .hint(format!("`amend repair {}` keeps what is whole", dir.display())))
}

/// Adds the answers of a shard to those of the merged run, and what is wrong with its journal.
fn add_shard(found: &mut JournalCheck, shard: Shard, dir: &Path) {
    match check(dir) {
        Ok(of_shard) => {
            found.faults.extend(of_shard.faults.iter().map(|fault| format!("shard {shard}: {fault}")));
            for table in found.tables.iter_mut().filter(|table| table.table == "answers") {
                for more in of_shard.tables.iter().filter(|more| more.table == table.table) {
                    table.whole += more.whole;
                    table.damaged += more.damaged;
                }
            }
        }
        Err(error) => found.faults.push(format!("shard {shard}: {error}")),
    }
}

fn run_text(found: &JournalCheck) -> String {
    let mut lines: Vec<String> = found.faults.iter().map(|fault| printable(fault)).collect();
    let tables: Vec<String> =
        found.tables.iter().map(|table| format!("{} {}", table.whole, table.table)).collect();
    let checked =
        if found.has_checksums { "whole" } else { "there; they have no checksums until the run goes on" };
    lines.push(format!("records: {}: {checked}", tables.join(", ")));
    lines.join("\n")
}
