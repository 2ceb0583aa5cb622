//! `amend test`: does the critic judge a constitution's own test cases as their authors do?

use super::failure::{Kind, stopped};
use super::project::Project;
use super::settings::RecipeArgs;
use super::style::{one_line, printable};
use super::{Failure, models};
use crate::constitution::{Expect, Principle, TestCase};
use crate::method::{Ask, MethodContext, RoleModels, Stop, criticise_case};
use crate::model::{Answer, Call, Client, Transports};
use crate::transcript::{Critique, Verdict};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

/// Cases judged side by side; the recipe's limits bound the calls further.
const AT_ONCE: usize = 64;

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
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Asks the models directly: every case is asked once.
struct Direct<'a> {
    client: &'a Client<Transports>,
    models: &'a RoleModels,
}

impl Ask for Direct<'_> {
    async fn ask(&self, call: Call) -> Result<Answer, Stop> {
        let (recorded, _permit) = self.client.ask(&call, self.models.answering(&call), 0, None).await?;
        Ok(recorded.answer(false))
    }
}

/// One case and what the critic made of it.
type Judged<'a> = (&'a Principle, &'a TestCase, Critique);

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if args.threshold.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Err(Failure::usage("`--threshold` is a share from 0 to 1"));
    }
    let recipe = RecipeArgs { constitution: Some(args.file.clone()), ..args.recipe.clone() };
    let Project { recipe, constitution, templates, .. } = Project::load(&recipe)?;
    let models = models::resolve(&recipe)?;
    let client = models::client(&recipe, Arc::new(|_| ()));
    let (method, gates) = (recipe.method.clone(), recipe.gates.clone());
    let cx = MethodContext::new(constitution, templates, models.clone(), method, gates, recipe.seed)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let cases: Vec<(&Principle, &TestCase)> =
        cx.constitution.principles.iter().flat_map(|p| p.tests.iter().map(move |case| (p, case))).collect();
    if cases.is_empty() {
        return Err(Failure::usage(format!("`{}` has no test cases", printable(&args.file)))
            .hint("add `[[principle.test]]` with `prompt`, `response` and `expect` below a principle"));
    }
    let (ask, cx) = (&Direct { client: &client, models: &models }, &cx);
    let mut work = Vec::new();
    for (principle, case) in cases {
        work.push(async move { Ok((principle, case, criticise_case(ask, cx, principle, case).await?)) });
    }
    let judged = futures::stream::iter(work).buffered(AT_ONCE).try_collect::<Vec<Judged<'_>>>();
    let judged = super::runtime()?.block_on(async {
        tokio::select! {
            judged = judged => judged.map_err(|stop| stopped(&stop)),
            () = super::interrupted() => Err(Failure::new(Kind::Interrupted, "interrupted")),
        }
    })?;
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
