//! `amend test`: does the critic judge a constitution's own test cases as their authors do?
//!
//! What is told about the judged cases is in `report`, and for CI servers in `junit`.

mod junit;
mod report;

use super::Failure;
use super::journaled_work::{JournaledWork, WorkMemo, check_share, kept_in, require_verdicts};
use super::settings::RecipeArgs;
use super::style::Style;
use crate::faces::cli::stdout::stdout;
use crate::pure::constitution::{Constitution, Expect, Principle, TestCase};
use crate::pure::diagnostic::nearest;
use crate::pure::method::criticise_case;
use crate::pure::text::{printable, printable_json};
use crate::pure::transcript::{Critique, Verdict};
use crate::runtime::engine::{VerdictCounts, at_hand};
use crate::runtime::project::models;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Judge a constitution's own test cases (`[[principle.test]]`) with a model
///
/// A case passes when the critic objects where it must (`expect = "violates"`), and gives another verdict where it must
/// not. An undecided verdict never passes. Answers are kept: a second run asks nothing, and after an edit only the cases
/// of the principles that changed are asked.
///
/// Exit codes: 0 when every case passes, or at least the share that `--threshold` names; 1 when fewer do, or when most
/// verdicts are undecided.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  amend test harmlessness --model sim\n  \
                        amend test my.toml recipe.toml --threshold 0.9 --junit report.xml\n  \
                        amend test my.toml recipe.toml --principle no-false-cures\n\n\
                        The simulated model knows the cases of the constitutions that ship; with others they only rehearse.")]
pub(super) struct Args {
    /// The constitution: a file, or the name of a built-in one
    #[arg(value_name = "CONSTITUTION")]
    file: String,
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Only the cases of this principle; may be given several times
    #[arg(long, value_name = "ID")]
    principle: Vec<String>,
    /// Exit with 1 when the share of cases that pass, from 0 to 1, is below this
    #[arg(long, value_name = "SHARE")]
    threshold: Option<f64>,
    /// Exit with 0 whatever cases fail
    #[arg(long, conflicts_with = "threshold")]
    no_fail: bool,
    /// Where answers are kept, so that only what an edit reaches is asked again [default: runs/ID-test]
    #[arg(long, value_name = "DIR")]
    out: Option<String>,
    /// Also write the cases as JUnit XML, for CI servers
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// One case and what the critic made of it.
type Judged<'a> = (&'a Principle, &'a TestCase, Critique);

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    check_share("--threshold", args.threshold)?;
    let recipe = RecipeArgs { constitution: Some(args.file.clone()), ..args.recipe.clone() };
    let project = recipe.open_project()?;
    let models = models::resolve(&project.recipe)?;
    let cx = project.context(&models)?;
    let cases = cases(&cx.constitution, &args.principle)?;
    if cases.is_empty() {
        return Err(no_cases(args));
    }
    let dir = kept_in(args.out.as_ref(), &project, "test");
    let work = JournaledWork::open(&dir, &project, models, args.json)?;
    // One for each case of the constitution, which is in memory with its texts.
    let mut judged: Vec<Judged<'_>> = Vec::new();
    let expected = cases.len() as u64;
    let judge = async |ask: &WorkMemo<'_>, (principle, case)| {
        Ok((principle, case, criticise_case(ask, &cx, principle, case).await?.critique))
    };
    work.each("cases", expected, at_hand(cases), &judge, |case| judged.push(case))?;
    work.tell();
    if let Some(path) = &args.junit {
        write_new(path, &junit::to_xml(&cx.constitution.id, &judged))?;
    }
    let text = if args.json {
        printable_json(&report::to_json(&judged, work.counts()).to_string())
    } else {
        report::to_text(&judged, Style::of_stdout())
    };
    // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
    let _ = writeln!(stdout(), "{text}");
    let undecided = judged.iter().filter(|(_, _, critique)| !critique.verdict.is_decided()).count();
    let verdicts = VerdictCounts { asked: judged.len() as u64, undecided: undecided as u64 };
    require_verdicts(verdicts, project.recipe.limits.max_undecided_share)?;
    let share = judged.iter().filter(|case| passes(case)).count() as f64 / judged.len() as f64;
    let least = args.threshold.unwrap_or(if args.no_fail { 0.0 } else { 1.0 });
    Ok(ExitCode::from(u8::from(share < least)))
}

/// The cases of the principles that are named, or of all.
fn cases<'a>(
    constitution: &'a Constitution,
    named: &[String],
) -> Result<Vec<(&'a Principle, &'a TestCase)>, Failure> {
    let principles = &constitution.principles;
    for id in named {
        if !principles.iter().any(|principle| principle.id == *id) {
            let ids = || principles.iter().map(|principle| principle.id.as_str());
            let hint = match nearest(id, ids()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", ids().collect::<Vec<_>>().join(", ")),
            };
            return Err(Failure::usage(format!("there is no principle `{}`", printable(id))).hint(hint));
        }
    }
    let is_wanted = |principle: &&Principle| named.is_empty() || named.contains(&principle.id);
    let of = |principle: &'a Principle| principle.tests.iter().map(move |case| (principle, case));
    Ok(principles.iter().filter(is_wanted).flat_map(of).collect())
}

fn no_cases(args: &Args) -> Failure {
    let of = if args.principle.is_empty() { printable(&args.file) } else { args.principle.join("`, `") };
    Failure::usage(format!("`{of}` has no test cases"))
        .hint("add `[[principle.test]]` with `prompt`, `response` and `expect` below a principle")
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(path, text)).map_err(
        |error| {
            Failure::disk(format!("cannot write `{}`: {error}", path.display()))
                .hint("the answers are kept: run it again with another `--junit`")
        },
    )
}

fn passes((_, case, critique): &Judged<'_>) -> bool {
    match critique.verdict {
        Verdict::Violates => case.expect == Expect::Violates,
        Verdict::Conforms | Verdict::NotApplicable => case.expect != Expect::Violates,
        Verdict::Undecided => false,
    }
}
