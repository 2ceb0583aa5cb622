//! `amend plan`: what a run will take, before it is paid for.
//!
//! The arithmetic is in [`crate::pure::reports::cost_estimate`]; this file reads the prompts, asks the probe and tells the result.

use super::Failure;
use super::failure::{journal_failure, stopped};
use super::journaled_work::{JournaledWork, WorkMemo};
use super::progress::duration;
use super::settings::RecipeArgs;
use crate::faces::cli::stdout::stdout;
use crate::pure::call::Role;
use crate::pure::digest::Parts;
use crate::pure::method::{MethodContext, make_transcript};
use crate::pure::prompt::Prompt;
use crate::pure::recipe::RoleModels;
use crate::pure::recipe::{Budget, Concurrency, Limits, Models};
use crate::pure::reports::cost_estimate::{Interval, Used, UsedByRole, bounds, examination, predict, total};
use crate::pure::text::short_count;
use crate::runtime::dataset::prompts::{RepeatFilter, Row};
use crate::runtime::engine::{self, CallMeter, Replayed, at_hand};
use crate::runtime::journal::{FILE, OutlineRow, Reader};
use crate::runtime::project::RunDir;
use crate::runtime::project::models;
use crate::runtime::project::{Project, as_examined};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use tokio::time::Instant;

/// Tell what a run will take, before it is paid for
///
/// Without a probe: bounds, from the schedule, the rendered requests and the longest answers allowed. With `--probe N`:
/// runs the method on N prompts drawn by hash and predicts the rest, with an interval at 95 %. The probe's answers go
/// into the run's journal, so that the run does not ask them again.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amend plan amend.toml\n  amend plan amend.toml --probe 20 --out runs/night\n  \
                        amend plan --model sim --prompts prompts/seeds --json"
)]
pub(super) struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The run directory [default: runs/ and the constitution's id]
    #[arg(long, value_name = "RUN")]
    out: Option<String>,
    /// Ask what N prompts need, and predict the rest; 20 is a good N
    #[arg(long, value_name = "N", default_value_t = 0)]
    probe: usize,
    /// The plan as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// A plan, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Plan {
    prompts: u64,
    rejects: u64,
    probed: usize,
    /// By role; those that are not asked are left out.
    roles: BTreeMap<&'static str, Tokens>,
    total: Tokens,
    /// In the currency of the recipe's prices; absent where a role that is asked has none.
    money: Option<Interval>,
    /// Absent without a probe where no limit is set.
    seconds: Option<Interval>,
    /// What the probe found out about time; absent where it asked nothing.
    pace: Option<Pace>,
    journal: Free,
    /// What the run asks now, by a replay of its journal; absent where there is none.
    replay: Option<AskedNow>,
    /// Each part of the budget that the recipe sets.
    budget: Vec<Outlook>,
}

/// What prompts ask before anything new is known, and what may follow.
#[derive(Debug, Default, Serialize)]
struct AskedNow {
    /// Prompts that ask nothing.
    done: u64,
    /// Calls answered from the journal on the way.
    known: u64,
    /// Calls that the journal lacks, by role: the run asks them, whatever they answer.
    missing: BTreeMap<&'static str, u64>,
    /// Calls that may follow from their answers, at most.
    then_at_most: u64,
}

/// Whether a part of the budget is enough.
#[derive(Debug, Serialize)]
struct Outlook {
    /// `calls`, `tokens`, `money` or `time`.
    what: &'static str,
    most: f64,
    enough: Enough,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Enough {
    Yes,
    Perhaps,
    No,
    /// Nothing says how much the run takes.
    Unknown,
}

#[derive(Debug, Default, Serialize)]
struct Tokens {
    calls: Interval,
    prompt: Interval,
    cached: Interval,
    completion: Interval,
}

/// How fast the endpoint answered the probe.
#[derive(Debug, Clone, Copy, Serialize)]
struct Pace {
    /// Calls answered per second, with as many in flight as the limits of the recipe let and the probe had.
    calls_per_second: f64,
    /// Mean seconds of a call, with its wait for a place among those in flight.
    mean_seconds: f64,
}

/// What the run's journal holds already.
#[derive(Debug, Default, Serialize)]
struct Free {
    /// Answers, some of which may be of other plans.
    answers: u64,
    /// Prompts finished under this very plan, whose calls and tokens are free.
    finished: u64,
    calls: u64,
    prompt: u64,
    completion: u64,
}

/// Prompts counted, with the bounds of all and the few to probe.
struct Counted {
    prompts: u64,
    rejects: u64,
    low: UsedByRole,
    high: UsedByRole,
    drawn: BTreeMap<(u64, String), Prompt>,
    replay: AskedNow,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let project = args.recipe.open_project()?;
    let models = models::resolve(&project.recipe)?;
    let named = args.out.clone().or_else(|| project.recipe.out.clone());
    let dir = RunDir::new(named.unwrap_or_else(|| format!("runs/{}", project.constitution.id)));
    let context = as_examined(project.context(&models)?, &dir);
    let replay = journal_of(&dir)?.map(engine::Replay::new);
    let mut counted = read(&project, &context, args.probe, replay.as_ref())?;
    let journal = free(&dir, &project.fingerprint(&models, context.settings.verdict))?;
    let drawn: Vec<Prompt> = counted.drawn.values().cloned().collect();
    let (probed, pace) = if drawn.is_empty() {
        (Vec::new(), None)
    } else {
        probe(&project, &dir, models, &context, &drawn, args.json)?
    };
    let mut plan = reckon(&project.recipe.models, &project.recipe.limits, &counted, &probed, pace, journal);
    plan.budget = outlook(&plan, &project.recipe.whole_budget());
    plan.replay = replay.map(|_| std::mem::take(&mut counted.replay));
    let text = if args.json {
        let line = serde_json::to_string(&plan).map_err(|error| Failure::usage(error.to_string()))?;
        line + "\n"
    } else {
        told(&plan)
    };
    let _ = stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

/// Reads every prompt once: counts, adds up bounds, and draws those with the smallest hashes.
fn read(
    project: &Project,
    context: &MethodContext,
    probe: usize,
    replay: Option<&engine::Replay>,
) -> Result<Counted, Failure> {
    let (low, high) = examination(context).map_err(|error| Failure::usage(error.to_string()))?;
    let mut counted =
        Counted { prompts: 0, rejects: 0, low, high, drawn: BTreeMap::new(), replay: AskedNow::default() };
    let mut repeats = RepeatFilter::default();
    for row in crate::runtime::project::open_prompts(&project.recipe)? {
        let Row::Prompt { prompt, .. } = row else {
            counted.rejects += 1;
            continue;
        };
        if !repeats.is_new(&prompt.id) {
            counted.rejects += 1;
            continue;
        }
        let rank = Parts::new("probe").with_u64(project.recipe.seed).with(&prompt.id.0).uniform();
        counted.prompts += 1;
        let (least, most) = bounds(context, &prompt).map_err(|error| Failure::usage(error.to_string()))?;
        for &role in Role::ALL {
            counted.low[role] += least[role];
            counted.high[role] += most[role];
        }
        if let Some(replay) = replay {
            let replayed = replay.replay(context, &prompt).map_err(|stop| stopped(&stop))?;
            counted.replay.add(&replayed, total(&most).calls);
        }
        counted.drawn.insert((rank, prompt.id.0.clone()), prompt);
        if counted.drawn.len() > probe {
            counted.drawn.pop_last();
        }
    }
    Ok(counted)
}

impl AskedNow {
    fn add(&mut self, replayed: &Replayed, most: f64) {
        let (known, missing): (u64, u64) =
            (replayed.known.iter().map(|(_, n)| n).sum(), replayed.missing.iter().map(|(_, n)| n).sum());
        self.known += known;
        for (role, calls) in replayed.missing.iter().filter(|(_, calls)| **calls > 0) {
            *self.missing.entry(role.as_str()).or_default() += calls;
        }
        if replayed.is_done {
            self.done += 1;
        } else {
            self.then_at_most = self.then_at_most.saturating_add(count(most).saturating_sub(known + missing));
        }
    }
}

/// The journal of the run, if there is one.
fn journal_of(dir: &RunDir) -> Result<Option<Reader>, Failure> {
    if !dir.path.join(FILE).exists() {
        return Ok(None);
    }
    Reader::open(&dir.path).map(Some).map_err(|error| journal_failure(&error))
}

/// What the journal holds of this run, if there is one.
fn free(dir: &RunDir, plan: &str) -> Result<Free, Failure> {
    let Some(reader) = journal_of(dir)? else { return Ok(Free::default()) };
    let answers = reader.counts().map_err(|error| journal_failure(&error))?.answers;
    let mut free = Free { answers, ..Free::default() };
    if reader.plan() != plan {
        return Ok(free);
    }
    let mut after = String::new();
    loop {
        let page = reader.outlines(&after, 256).map_err(|error| journal_failure(&error))?;
        let Some(last) = page.last() else { return Ok(free) };
        after.clone_from(&last.id.0);
        for OutlineRow { outline, .. } in page {
            free.finished += 1;
            free.calls += outline.tally.calls;
            free.prompt += outline.tally.usage.prompt;
            free.completion += outline.tally.usage.completion;
        }
    }
}

/// What each prompt of the probe took, and how fast the calls asked were answered.
fn probe(
    project: &Project,
    dir: &RunDir,
    models: RoleModels,
    context: &MethodContext,
    prompts: &[Prompt],
    json: bool,
) -> Result<(Vec<UsedByRole>, Option<Pace>), Failure> {
    let work = JournaledWork::open(&dir.path, project, models, json)?;
    dir.freeze(project)?;
    let began = Instant::now();
    let metered = async |ask: &WorkMemo<'_>, prompt: &Prompt| {
        let meter = CallMeter::new(ask);
        make_transcript(&meter, context, prompt).await?;
        Ok(meter.finish())
    };
    // The spread between prompts is part of the prediction: a few numbers for each of the prompts drawn, which are in memory.
    let (mut used, mut asked, mut waited) = (Vec::new(), 0, 0.0);
    work.each("prompts", prompts.len() as u64, at_hand(prompts), &metered, |calls| {
        used.push(calls.used);
        asked += calls.asked;
        waited += calls.waited;
    })?;
    let elapsed = began.elapsed().as_secs_f64();
    let calls = asked as f64;
    let pace = Pace { calls_per_second: calls / elapsed, mean_seconds: waited / calls };
    Ok((used, (asked > 0 && elapsed > 0.0).then_some(pace)))
}

/// One number of a plan: predicted where there was a probe, else between its bounds.
fn interval(counted: &Counted, probed: &[UsedByRole], of: impl Fn(&UsedByRole) -> f64) -> Interval {
    let (low, high) = (of(&counted.low), of(&counted.high));
    if probed.is_empty() {
        return Interval { low, likely: None, high };
    }
    let predicted = predict(&probed.iter().map(of).collect::<Vec<_>>(), counted.prompts);
    // A probe of one prompt has no spread; the bound is then all that is known.
    let high = if predicted.high.is_finite() { predicted.high } else { high };
    Interval { high, ..predicted }
}

fn tokens(counted: &Counted, probed: &[UsedByRole], of: impl Fn(&UsedByRole) -> Used) -> Tokens {
    Tokens {
        calls: interval(counted, probed, |by| of(by).calls),
        prompt: interval(counted, probed, |by| of(by).prompt),
        cached: interval(counted, probed, |by| of(by).cached),
        completion: interval(counted, probed, |by| of(by).completion),
    }
}

fn reckon(
    models: &Models,
    limits: &Limits,
    counted: &Counted,
    probed: &[UsedByRole],
    pace: Option<Pace>,
    journal: Free,
) -> Plan {
    let roles: BTreeMap<&'static str, Tokens> = Role::ALL
        .iter()
        .map(|&role| (role.as_str(), tokens(counted, probed, |by| by[role])))
        .filter(|(_, tokens)| tokens.calls.high > 0.0)
        .collect();
    let priced =
        Role::ALL.iter().all(|role| models.price(*role).is_some() || !roles.contains_key(role.as_str()));
    let cost = |by: &UsedByRole| {
        by.iter().map(|(role, used)| models.price(role).map_or(0.0, |price| used.money(price))).sum()
    };
    let total = tokens(counted, probed, total);
    let seconds = seconds(limits, &total, pace);
    Plan {
        prompts: counted.prompts,
        rejects: counted.rejects,
        probed: probed.len(),
        money: (priced && !roles.is_empty()).then(|| interval(counted, probed, cost)),
        seconds,
        pace,
        roles,
        total,
        journal,
        replay: None,
        budget: Vec::new(),
    }
}

/// How each part of the budget compares with what the whole run takes.
fn outlook(plan: &Plan, budget: &Budget) -> Vec<Outlook> {
    let Tokens { calls, prompt, completion, .. } = &plan.total;
    let tokens = (prompt.low + completion.low, prompt.high + completion.high);
    let ends = |of: &Interval| (of.low, of.high);
    let parts = [
        ("calls", budget.calls.map(|most| most as f64), Some(ends(calls))),
        ("tokens", budget.tokens.map(|most| most as f64), Some(tokens)),
        ("money", budget.money, plan.money.as_ref().map(ends)),
        ("time", budget.time_s, plan.seconds.as_ref().map(ends)),
    ];
    let compared = |(what, most, takes): (&'static str, Option<f64>, Option<(f64, f64)>)| {
        let most = most?;
        let enough = match takes {
            None => Enough::Unknown,
            Some((_, high)) if high <= most => Enough::Yes,
            Some((low, _)) if low > most => Enough::No,
            Some(_) => Enough::Perhaps,
        };
        Some(Outlook { what, most, enough })
    };
    parts.into_iter().filter_map(compared).collect()
}

/// The slowest decides: the limits per minute, or the endpoint.
///
/// How fast the endpoint is, the probe has shown: with `auto` at the number of calls in flight that the limiter reached.
/// With a fixed number, a probe that kept fewer in flight was slower than the run will be, so that its calls at that
/// number are the other end of the interval.
fn seconds(limits: &Limits, total: &Tokens, pace: Option<Pace>) -> Option<Interval> {
    let known = pace.is_some() || limits.rpm.is_some() || limits.tpm.is_some();
    let by_limits = |calls: f64, tokens: f64| {
        let by_rpm = limits.rpm.map_or(0.0, |rpm| calls * 60.0 / f64::from(rpm));
        by_rpm.max(limits.tpm.map_or(0.0, |tpm| tokens * 60.0 / f64::from(tpm)))
    };
    let ends = |calls: f64| -> [f64; 2] {
        let Some(Pace { calls_per_second, mean_seconds }) = pace else { return [0.0; 2] };
        let as_probed = calls / calls_per_second;
        let filled = match limits.concurrency {
            Concurrency::Fixed(n) => calls * mean_seconds / f64::from(n),
            Concurrency::Auto => as_probed,
        };
        [as_probed.min(filled), as_probed.max(filled)]
    };
    let slowest = |calls: f64, tokens: f64| ends(calls).map(|end| end.max(by_limits(calls, tokens)));
    let Tokens { calls, prompt, completion, .. } = total;
    let likely = calls.likely.zip(prompt.likely).zip(completion.likely);
    let [low, _] = slowest(calls.low, prompt.low + completion.low);
    let [_, high] = slowest(calls.high, prompt.high + completion.high);
    known.then(|| Interval {
        low,
        likely: likely.map(|((calls, prompt), completion)| slowest(calls, prompt + completion)[0]),
        high,
    })
}

/// What is asked now, within 80 columns.
fn told_of_replay(replay: &AskedNow) -> String {
    let AskedNow { done, known, missing, then_at_most } = replay;
    let all: u64 = missing.values().sum();
    let mut out = format!(
        "replay   {done} prompts ask nothing; {} answers of the journal are used\n",
        short_count(*known)
    );
    if all > 0 {
        let by_role: Vec<String> = missing.iter().map(|(role, calls)| format!("{role} {calls}")).collect();
        let _ = writeln!(out, "         {all} calls are asked in any case: {}", by_role.join(", "));
    }
    if *then_at_most > 0 {
        let _ =
            writeln!(out, "         their answers may lead to {} more, at most", short_count(*then_at_most));
    }
    out
}

/// A number of things for people.
fn whole(number: f64) -> String {
    short_count(count(number))
}

/// A number of things, which arithmetic has as a fraction.
fn count(number: f64) -> u64 {
    format!("{number:.0}").parse().unwrap_or(u64::MAX)
}

/// The plan for people, within 80 columns.
fn told(plan: &Plan) -> String {
    let mut out = format!("{} prompts, {} rejects", plan.prompts, plan.rejects);
    let how = if plan.probed > 0 {
        format!("; predicted from {} prompts, with an interval at 95 %", plan.probed)
    } else {
        "; bounds: nothing objects … everything does (--probe 20 narrows)".to_owned()
    };
    let _ = writeln!(
        out,
        "{how}\n\n{:<10}{:>14}{:>18}{:>18}{:>18}",
        "", "calls", "prompt", "cached", "completion"
    );
    for (name, row) in plan.roles.iter().map(|(name, row)| (*name, row)).chain([("total", &plan.total)]) {
        let cells = [&row.calls, &row.prompt, &row.cached, &row.completion];
        let likely = cells.map(|cell| cell.likely.map_or(String::new(), whole));
        let range = cells.map(|cell| format!("{}…{}", whole(cell.low), whole(cell.high)));
        if plan.probed > 0 {
            let [a, b, c, d] = likely;
            let _ = writeln!(out, "{name:<10}{a:>14}{b:>18}{c:>18}{d:>18}");
        }
        let [a, b, c, d] = range;
        let name = if plan.probed > 0 { "" } else { name };
        let _ = writeln!(out, "{name:<10}{a:>14}{b:>18}{c:>18}{d:>18}");
    }
    out.push('\n');
    let between = |of: &Interval, show: &dyn Fn(f64) -> String| {
        let likely = of.likely.map_or(String::new(), |n| format!("{}, ", show(n)));
        format!("{likely}{} to {}", show(of.low), show(of.high))
    };
    let unknown = |hint: &str| format!("not known: {hint}");
    let money = plan.money.as_ref().map(|of| between(of, &|n| format!("{n:.2}")));
    let _ = writeln!(
        out,
        "money    {}",
        money.unwrap_or_else(|| unknown("give price = { prompt = …, completion = … } in [models.default]"))
    );
    let time = plan.seconds.as_ref().map(|of| between(of, &duration));
    let _ =
        writeln!(out, "time     {}", time.unwrap_or_else(|| unknown("needs --probe, or limits.rpm or tpm")));
    if let Some(pace) = plan.pace {
        let _ = writeln!(
            out,
            "         the probe was answered {:.1} calls a second; a longer run may reach more",
            pace.calls_per_second
        );
    }
    let Free { answers, finished, calls, prompt, completion } = plan.journal;
    let _ = writeln!(
        out,
        "journal  {finished} prompts finished, free: {} calls, {} tokens; {} answers in all",
        short_count(calls),
        short_count(prompt + completion),
        short_count(answers)
    );
    if let Some(replay) = &plan.replay {
        out.push_str(&told_of_replay(replay));
    }
    for Outlook { what, most, enough } in &plan.budget {
        let most = match *what {
            "money" => format!("{most:.2}"),
            "time" => duration(*most),
            what => format!("{} {what}", whole(*most)),
        };
        let says = match enough {
            Enough::Yes => "enough",
            Enough::Perhaps => "perhaps used up before the end",
            Enough::No => "used up before the end",
            Enough::Unknown => "it is not known what the run takes",
        };
        let _ = writeln!(out, "budget   {most}: {says}");
    }
    out
}
