//! `amend twins`: a benign twin for every harmful prompt of a file.

use super::Failure;
use super::journaled_work::{JournaledWork, WorkMemo, kept_in};
use super::settings::RecipeArgs;
use super::stdout::stdout;
use super::whole_file::WholeFile;
use crate::pure::method::{WrittenPrompt, write_twin};
use crate::pure::prompt::Prompt;
use crate::pure::reason::Reason;
use crate::pure::recipe::Input;
use crate::pure::request_class::RequestClass;
use crate::pure::text::{normalise, printable};
use crate::runtime::dataset::prompts::{self, Row};
use crate::runtime::dataset::readers;
use crate::runtime::engine::at_hand;
use crate::runtime::project::models;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::ExitCode;

/// Prompts without a twin that are named one by one.
const NAMED: usize = 10;

/// Write the benign twin of every harmful prompt
///
/// A twin is about the same subject, in the same language, with more than half of the same words, and a right answer gives what
/// it asks for. The judge (`models.judge`) must call the prompt harmful and its twin benign. Twins stand in the families of
/// their prompts, so that a split has both or none. Answers are kept: the same command goes on where it was.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("prompts", |arg| arg.hide(true)),
    mut_arg("schedule", |arg| arg.hide(true)),
    mut_arg("rounds", |arg| arg.hide(true)),
    mut_arg("screen", |arg| arg.hide(true)),
    mut_arg("unqualified", |arg| arg.hide(true)),
    mut_arg("recipe", |arg| arg.index(2)),
    after_help = "Examples:\n  amend twins harmful.jsonl recipe.toml --out twins.jsonl\n  \
                  amend run recipe.toml --prompts harmful.jsonl --prompts twins.jsonl --set 'method.target=\"style\"'"
)]
pub(super) struct Args {
    /// Prompts: those whose class (or side) is harmful get a twin
    #[arg(value_name = "FILE", index = 1)]
    file: String,
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "twins.jsonl")]
    out: String,
    /// Replace the file that is there
    #[arg(long)]
    force: bool,
    /// Where answers are kept [default: runs/ID-twins]
    #[arg(long, value_name = "DIR")]
    run: Option<String>,
    /// What was written and what is missing, as one JSON object
    #[arg(long)]
    json: bool,
}

/// What a file of prompts holds.
#[derive(Debug, Default)]
struct Read {
    harmful: Vec<Prompt>,
    others: u64,
    unusable: u64,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let project = args.recipe.open_project()?;
    let read = harmful_prompts(args, &project.recipe.input, project.recipe.seed)?;
    let file = WholeFile::begin(&args.out, args.force)?;
    let models = models::resolve(&project.recipe)?;
    let cx = project.context(&models)?;
    let dir = kept_in(args.run.as_ref(), &project, "twins");
    let work = JournaledWork::open(&dir, &project, models, args.json)?;
    let count = read.harmful.len() as u64;
    let twin = async |ask: &WorkMemo<'_>, prompt: Prompt| {
        let written = write_twin(ask, &cx, &prompt).await?;
        Ok((prompt, written))
    };
    let (mut lines, mut seen) = (Vec::new(), BTreeSet::new());
    let mut missing: BTreeMap<Reason, Vec<String>> = BTreeMap::new();
    work.each("prompts", count, at_hand(read.harmful), &twin, |(prompt, written)| {
        let written = written.and_then(|written| {
            let is_new = seen.insert(normalise(&written.text));
            is_new.then_some(written).ok_or(Reason::NearDuplicate)
        });
        match written {
            Ok(written) => lines.push(line(&prompt, &written)),
            Err(reason) => missing.entry(reason).or_default().push(prompt.id.0),
        }
    })?;
    work.tell();
    file.write(&lines)?;
    let lacking: usize = missing.values().map(Vec::len).sum();
    if args.json {
        let summary = json!({
            "out": args.out, "harmful": count, "twins": lines.len(), "others": read.others, "unusable": read.unusable,
            "missing": missing,
        });
        let _ = writeln!(stdout(), "{summary}");
    } else {
        tell(args, (lines.len(), count), &read_counts(read.others, read.unusable), &missing);
    }
    Ok(ExitCode::from(u8::from(lacking > 0 || read.unusable > 0)))
}

fn read_counts(others: u64, unusable: u64) -> Vec<String> {
    let mut told = Vec::new();
    if others > 0 {
        told.push(format!("{others} prompts are not harmful, and have no twin"));
    }
    if unusable > 0 {
        told.push(format!("{unusable} rows have no prompt"));
    }
    told
}

fn tell(
    args: &Args,
    (twins, harmful): (usize, u64),
    also: &[String],
    missing: &BTreeMap<Reason, Vec<String>>,
) {
    let mut err = std::io::stderr().lock();
    let out = printable(&args.out);
    let _ = writeln!(err, "{out}: {twins} twins of {harmful} harmful prompts");
    for line in also {
        let _ = writeln!(err, "  {line}");
    }
    for (reason, ids) in missing {
        let mut named = ids.iter().take(NAMED).cloned().collect::<Vec<_>>().join(" ");
        if ids.len() > NAMED {
            named.push_str(" …");
        }
        let _ = writeln!(err, "  {:>6} without a twin: {reason}: {named}", ids.len());
    }
    let file = printable(&args.file);
    let _ = writeln!(err, "next: amend run --prompts {file} --prompts {out} --set 'method.target=\"style\"'");
}

/// The harmful prompts of the file, each once.
fn harmful_prompts(args: &Args, input: &Input, seed: u64) -> Result<Read, Failure> {
    let input = Input { carries_labels: true, ..input.clone() };
    let sources = readers::sources(std::slice::from_ref(&args.file), || Box::new(std::io::stdin()));
    let reader = prompts::open(sources, &input, seed)
        .map_err(|error| Failure::usage(error.to_string()).hint(error.hint()))?;
    let (mut read, mut seen) = (Read::default(), BTreeSet::new());
    for row in reader {
        match row {
            Row::Reject(_) => read.unusable += 1,
            Row::Prompt { prompt, .. } if prompt.class != Some(RequestClass::Harmful) => read.others += 1,
            Row::Prompt { prompt, .. } => {
                if seen.insert(prompt.id.clone()) {
                    read.harmful.push(prompt);
                }
            }
        }
    }
    if read.harmful.is_empty() {
        return Err(Failure::usage(format!("`{}` has no harmful prompts", printable(&args.file)))
            .hint("give its rows a column `class` (or `side`) that says `harmful`"));
    }
    Ok(read)
}

/// A twin as a row of the file.
fn line(prompt: &Prompt, twin: &WrittenPrompt) -> String {
    let carried = |name: &str| prompt.kept.get(name).cloned().unwrap_or_default();
    json!({
        "prompt": twin.text,
        "hazard": prompt.hazard,
        "topic": carried("topic"),
        "class": RequestClass::Benign.as_str(),
        "language": prompt.language,
        "locale": prompt.locale,
        "localise": carried("localise"),
        "persona": carried("persona"),
        "technique": carried("technique"),
        "contrast_of": prompt.id.0,
        "made_by": twin.made_by,
        "seed": twin.number,
    })
    .to_string()
}
