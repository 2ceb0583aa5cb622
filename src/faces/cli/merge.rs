//! `amend merge`: one run out of its shards.

use super::Failure;
use super::run::{Made, left_out, make};
use super::style::Style;
use crate::faces::cli::stdout::stdout;
use crate::pure::text::printable;
use crate::runtime::journal::Reader;
use crate::runtime::project::{MergeSettings, MergedRun, merge_shards, rejects_by_reason};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Make one run of its shards
///
/// The merged directory is a run like any other: show, export and verify it, or edit the recipe and run it again. Its dataset is
/// the one that a single process would have written, byte for byte. Answers stay in the folders of the shards. Shards that are
/// missing, not finished, or of another plan are named.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  amend merge runs/night\n  amend merge runs/night --out runs/whole\n  \
                        amend merge /scratch/night --mirror /shared/night --out runs/night")]
pub(super) struct Args {
    /// The directory that the shards ran with as their --out
    out: PathBuf,
    /// The merged run's directory [default: the same]
    #[arg(long = "out", value_name = "RUN")]
    run: Option<PathBuf>,
    /// The mirror: shards that have no folder, or are not finished there, come from it
    #[arg(long, value_name = "DIR")]
    mirror: Option<PathBuf>,
    /// Merge what there is; the report and the dataset's card say what is missing
    #[arg(long)]
    partial: bool,
    /// Do not write the dataset
    #[arg(long)]
    no_export: bool,
    /// JSON: one object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let settings = MergeSettings {
        shards: args.out.clone(),
        run: args.run.clone().unwrap_or_else(|| args.out.clone()),
        mirror: args.mirror.clone(),
        partial: args.partial,
    };
    open_many_files();
    let merged = super::runtime()?.block_on(Box::pin(merge_shards(&settings)))?;
    let made = make(&merged.dir, !args.no_export)?;
    let reader = Reader::open(&merged.dir.path).map_err(|error| super::failure::journal_failure(&error))?;
    let counts = reader.counts().map_err(|error| super::failure::journal_failure(&error))?;
    let reasons = rejects_by_reason(&reader).map_err(|error| super::failure::journal_failure(&error))?;
    let reasons: BTreeMap<&str, u64> = reasons.iter().map(|(reason, n)| (reason.as_str(), *n)).collect();
    let told = Told { merged: &merged, made: &made, transcripts: counts.transcripts, reasons };
    let text = if args.json { told.json().to_string() + "\n" } else { told.text() };
    // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
    let _ = stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

/// Asks the system for as many open files as it allows: each shard takes up to three.
#[cfg(unix)]
fn open_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused, a merge of very many shards says which file could not be opened.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

#[cfg(not(unix))]
fn open_many_files() {}

/// What there is to tell.
struct Told<'a> {
    merged: &'a MergedRun,
    made: &'a Made,
    transcripts: u64,
    reasons: BTreeMap<&'a str, u64>,
}

impl Told<'_> {
    fn json(&self) -> Value {
        let from = &self.merged.from;
        let rows: BTreeMap<String, u64> = self
            .made
            .dataset
            .as_ref()
            .map(|report| report.totals().into_iter().collect())
            .unwrap_or_default();
        json!({
            "event": "merged",
            "run": self.merged.dir.path.display().to_string(),
            "shards": from.shards,
            "merged": from.shards as usize - from.missing.len(),
            "missing": from.missing,
            "restored": self.merged.restored,
            "gaps": from.gaps,
            "transcripts": self.transcripts,
            "rejects": self.reasons,
            "answers": from.answers,
            "rows": rows,
        })
    }

    fn text(&self) -> String {
        let from = &self.merged.from;
        let style = Style::of_stdout();
        let dir = &self.merged.dir;
        let mut out = String::new();
        let _ = writeln!(
            out,
            "{}  {} of {} shards: {} transcripts; {} answers stay in the shards",
            style.strong(&printable(&dir.path.display().to_string())),
            from.shards as usize - from.missing.len(),
            from.shards,
            self.transcripts,
            crate::pure::text::short_count(from.answers),
        );
        if self.merged.restored > 0 {
            let _ = writeln!(out, "  {} of them from the mirror", self.merged.restored);
        }
        for gap in &from.gaps {
            let _ = writeln!(out, "  {}", style.warn(&printable(gap)));
        }
        for (reason, n) in &self.reasons {
            let _ = writeln!(out, "  {n:>7} rejected: {}", printable(reason));
        }
        if let Some(report) = &self.made.dataset {
            let rows: Vec<String> =
                report.totals().iter().map(|(config, n)| format!("{config} {n}")).collect();
            let rows = if rows.is_empty() { "no rows".to_owned() } else { rows.join(", ") };
            let _ =
                writeln!(out, "{}  {rows}", style.strong(&printable(&dir.dataset().display().to_string())));
            for line in left_out(report) {
                let _ = writeln!(out, "  {line}");
            }
        }
        if let Some(path) = &self.made.left_alone {
            let path = printable(&path.display().to_string());
            let _ =
                writeln!(out, "{path}  left as it is: it is of a finished run, and this one is not finished");
        }
        let _ = writeln!(
            out,
            "{}",
            style.faint(&format!("next: amend show {}", printable(&dir.path.display().to_string())))
        );
        out
    }
}
