//! `amend test`: does the critic judge a constitution's own test cases as their authors do?

use super::asking::{Asking, check_share, kept_in};
use super::project::Project;
use super::settings::RecipeArgs;
use super::style::{one_line, printable};
use super::{Failure, models};
use crate::constitution::{Expect, Principle, TestCase};
use crate::method::criticise_case;
use crate::transcript::{Critique, Verdict};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::ExitCode;

/// Judge a constitution's own test cases (`[[principle.test]]`) with a model.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  amend test harmlessness --model sim\n  \
                        amend test my.toml recipe.toml --threshold 0.9 --json\n\n\
                        A case passes when the critic objects where it must, and gives another verdict where it \
                        must not. An undecided verdict never passes.")]
pub(super) struct Args {
    /// The constitution: a file, or the name of a built-in one
    #[arg(value_name = "CONSTITUTION")]
    file: String,
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Exit with 1 when the share of cases that pass is below this
    #[arg(long, value_name = "SHARE")]
    threshold: Option<f64>,
    /// Where answers are kept, so that only what an edit reaches is asked again [default: runs/ID-test]
    #[arg(long, value_name = "DIR")]
    out: Option<String>,
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
    let project = Project::load(&recipe)?;
    let models = models::resolve(&project.recipe)?;
    let cx = project.context(&models)?;
    let cases: Vec<(&Principle, &TestCase)> =
        cx.constitution.principles.iter().flat_map(|p| p.tests.iter().map(move |case| (p, case))).collect();
    if cases.is_empty() {
        return Err(Failure::usage(format!("`{}` has no test cases", printable(&args.file)))
            .hint("add `[[principle.test]]` with `prompt`, `response` and `expect` below a principle"));
    }
    let dir = kept_in(args.out.as_ref(), &project, "test");
    let asking = Asking::open(&dir, &project, models, args.json)?;
    let judged: Vec<Judged<'_>> =
        asking.all("cases", cases.into_iter(), async |ask, (principle, case)| {
            Ok((principle, case, criticise_case(ask, &cx, principle, case).await?))
        })?;
    asking.tell();
    let text = if args.json { to_json(&judged).to_string() } else { to_text(&judged) };
    let _ = writeln!(std::io::stdout().lock(), "{text}");
    let share = judged.iter().filter(|case| passes(case)).count() as f64 / judged.len() as f64;
    Ok(ExitCode::from(u8::from(args.threshold.is_some_and(|least| share < least))))
}

fn passes((_, case, critique): &Judged<'_>) -> bool {
    match critique.verdict {
        Verdict::Violates => case.expect == Expect::Violates,
        Verdict::Conforms | Verdict::NotApplicable => case.expect != Expect::Violates,
        Verdict::Undecided => false,
    }
}

/// `objected of those that must be`, `objected of those that must not be`, `undecided`.
fn counts<'a>(judged: impl Iterator<Item = &'a Judged<'a>>) -> [usize; 5] {
    let mut counts = [0; 5];
    for (_, case, critique) in judged {
        let at = if case.expect == Expect::Violates { 0 } else { 2 };
        counts[at] += usize::from(critique.verdict == Verdict::Violates);
        counts[at + 1] += 1;
        counts[4] += usize::from(critique.verdict == Verdict::Undecided);
    }
    counts
}

fn by_principle<'a>(judged: &'a [Judged<'a>]) -> impl Iterator<Item = (&'a str, [usize; 5])> {
    judged
        .chunk_by(|a, b| a.0.id == b.0.id)
        .filter_map(|cases| Some((cases.first()?.0.id.as_str(), counts(cases.iter()))))
}

fn to_text(judged: &[Judged<'_>]) -> String {
    let mut lines =
        vec![format!("{:<32}{:>10}{:>14}{:>12}", "principle", "hits", "false alarms", "undecided")];
    let row = |name: &str, [hits, must, alarms, must_not, undecided]: [usize; 5]| {
        let (hits, alarms) = (format!("{hits}/{must}"), format!("{alarms}/{must_not}"));
        format!("{name:<32}{hits:>10}{alarms:>14}{undecided:>12}")
    };
    lines.extend(by_principle(judged).map(|(id, counts)| row(&printable(id), counts)));
    lines.push(row("all", counts(judged.iter())));
    for (principle, case, critique) in judged.iter().filter(|case| !passes(case)) {
        let (id, want, got) = (printable(&principle.id), case.expect.as_str(), critique.verdict.as_str());
        lines.push(format!("\n{id}: must be {want}, judged {got}"));
        lines.push(format!("  prompt: {}", one_line(&case.prompt, 70)));
        lines.push(format!("  critique: {}", one_line(&critique.text, 68)));
    }
    lines.join("\n")
}

fn to_json(judged: &[Judged<'_>]) -> Value {
    let view = |[hits, must, alarms, must_not, undecided]: [usize; 5]| {
        let rate = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        json!({
            "violating": must, "hits": hits, "hit_rate": rate(hits, must), "harmless": must_not,
            "false_alarms": alarms, "false_alarm_rate": rate(alarms, must_not), "undecided": undecided,
        })
    };
    let principles: Vec<Value> =
        by_principle(judged).map(|(id, counts)| json!({ "principle": id, "counts": view(counts) })).collect();
    let wrong: Vec<Value> = judged
        .iter()
        .filter(|case| !passes(case))
        .map(|(principle, case, critique)| {
            json!({
                "principle": principle.id, "prompt": case.prompt, "expect": case.expect.as_str(),
                "verdict": critique.verdict.as_str(), "critique": critique.text,
            })
        })
        .collect();
    json!({
        "cases": judged.len(), "passed": judged.len() - wrong.len(), "all": view(counts(judged.iter())),
        "principles": principles, "wrong": wrong,
    })
}
