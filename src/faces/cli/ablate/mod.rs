//! `amend ablate`: variants of one recipe over the same prompts, and what each is worth.
//!
//! The variants and the arithmetic are in [`crate::pure::reports::ablation`], the questions in [`crate::pure::method::ablation_metrics`]. This
//! folder reads the prompts, asks over one journal, and tells the result (`report`).

mod report;

use super::Failure;
use super::asking::{Asking, kept_in};
use super::call_meter::Counting;
use super::settings::RecipeArgs;
use crate::pure::method::ablation_metrics::{Questions, Yardstick, observe};
use crate::pure::method::{MethodContext, critique_revision};
use crate::pure::prompt::Prompt;
use crate::pure::recipe::{Choose, LabelSource, is_simulated};
use crate::pure::reports::ablation::{Design, Figure, Sample, usual_sizes};
use crate::pure::reports::cost_estimate::{bounds, total};
use crate::pure::text::short_count;
use crate::runtime::dataset::prompts::Row;
use crate::runtime::engine::CallCounts;
use crate::runtime::project::Project;
use crate::runtime::project::models;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::ExitCode;

/// Measure what rounds, critiques and principles are each worth
///
/// Runs variants of one recipe over the same prompts and measures them alike. All are asked over one journal: what two
/// variants share, such as drafts and critiques of them, is asked once; asked again, nothing is.
///
/// The figures are those of the paper (arXiv 2212.08073): `rounds` is Figure 5, `critique` Figure 7, `principles`
/// Figure 6. The measures are not: there is no trained preference model. See below for what each is.
#[derive(Debug, clap::Args)]
#[command(after_help = MEASURES)]
pub(super) struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// What is compared [default: all three]
    #[arg(long, value_name = "FIGURE", value_delimiter = ',', help_heading = "Figures")]
    figures: Vec<Figure>,
    /// Numbers of principles to compare [default: 1,2,4,8,… and all]
    #[arg(long, value_name = "N", value_delimiter = ',', help_heading = "Figures")]
    sizes: Vec<usize>,
    /// What is asked about each response; `none` measures what needs no call
    #[arg(
        long,
        value_name = "MEASURE",
        value_delimiter = ',',
        default_value = "verdicts,preference",
        help_heading = "Figures"
    )]
    measure: Vec<Ask>,
    /// Where answers are kept [default: runs/ID-ablate]
    #[arg(long, value_name = "DIR")]
    out: Option<String>,
    /// Tell what each variant would take, and ask nothing
    #[arg(long)]
    plan: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print CSV: one line per figure, variant, round and measure
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// What is asked about a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Ask {
    /// A verdict on every principle of the whole constitution: as many calls as principles apply
    Verdicts,
    /// A comparison with the draft, for harm and for help, in both orders: 4 calls where log-probabilities are given
    Preference,
    /// Nothing
    None,
}

const MEASURES: &str = "\
Measures, each a mean over prompts with a 95 % interval:
  violated    share of the constitution's principles that the response violates,
              as the critic finds it: always the whole constitution, criticised in
              full, whatever the variant works with
  violating   responses that violate at least one
  less harm   probability that the judge finds the response less harmful than its
              draft, both orders averaged; a response left as it was counts as 50 %
  more help   the same for which helps more with what was asked
  refuses     full or partial refusals, by the detector of `amend eval refusal`,
              apart for prompts with a hazard label and for those without one
  length      characters;  changed: share of words that differ from the draft
A verdict or preference that cannot be read is left out and counted (undecided).
Differences are paired, prompt by prompt: variants answer the same prompts, so
they are much surer than the two means beside each other.

The critic that measures is the one whose objections steer the variants: what it
is blind to is not seen, and that flatters critiqued variants. The judge steers
nothing: give it another model (`models.judge`) to look from a second side.

Examples:
  amend ablate amend.toml --sample 100 --plan
  amend ablate amend.toml --sample 100 --figures rounds,critique
  amend ablate --schedule sampled --rounds 4 --set method.revise_always=true \\
      --model sim --prompts prompts/seeds --csv > figures.csv";

/// What the files of prompts hold.
struct Input {
    prompts: Vec<Prompt>,
    rejects: u64,
    duplicates: u64,
}

/// One prompt under every variant: what was observed, what it took, and whether the simulated model had a part in it.
struct Done {
    sample: Sample,
    calls: Vec<CallCounts>,
    simulated: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let project = args.recipe.open_project()?;
    let models = models::resolve(&project.recipe)?;
    let cx = context(&project, project.context(&models)?)?;
    let questions = questions(args)?;
    let design = design(args, &cx)?;
    let input = read(&project)?;
    let takes = takes(&design, &cx, questions, &input.prompts)?;
    if args.plan {
        print(&report::plan(&design.variants, &takes, input.prompts.len(), args.json));
        return Ok(ExitCode::SUCCESS);
    }
    let dir = kept_in(args.out.as_ref(), &project, "ablate");
    let asking = Asking::open(&dir, &project, models, args.json)?;
    if !args.json {
        let _ = writeln!(std::io::stderr().lock(), "{}", report::announced(&takes, input.prompts.len()));
    }
    let done = measure(&asking, &design, &cx, questions, &input.prompts)?;
    asking.tell();
    let calls = sums(&done, design.variants.len());
    let simulated = done.iter().any(|done| done.simulated);
    let samples: Vec<Sample> = done.into_iter().map(|done| done.sample).collect();
    let undrafted = |sample: &&Sample| sample.observed.iter().all(BTreeMap::is_empty);
    let told = report::Told {
        recipe: format!("{}, {} rounds", cx.settings.schedule.as_str(), cx.settings.rounds),
        constitution: project.constitution.id.clone(),
        simulated,
        prompts: input.prompts.len(),
        with_hazard: samples.iter().filter(|sample| sample.hazard).count(),
        rejects: input.rejects,
        duplicates: input.duplicates,
        without_draft: samples.iter().filter(undrafted).count(),
        calls,
        figures: design.lines(&samples),
        variants: &design.variants,
        questions,
    };
    print(&match (args.json, args.csv) {
        (true, _) => told.json(),
        (false, true) => told.csv(),
        (false, false) => told.text(),
    });
    Ok(ExitCode::from(u8::from(told.rejects > 0 || told.without_draft > 0)))
}

/// What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Every prompt under every variant, prompts side by side. The variants of a prompt come one after another: what a later
/// one shares with an earlier one is in the journal by then.
fn measure(
    asking: &Asking,
    design: &Design,
    cx: &MethodContext,
    questions: Questions,
    prompts: &[Prompt],
) -> Result<Vec<Done>, Failure> {
    let contexts: Vec<MethodContext> = design.variants.iter().map(|variant| variant.context(cx)).collect();
    let yardstick = Yardstick::new(cx, questions);
    asking.all("prompts", prompts.iter(), async |ask, prompt| {
        let sample = Sample { hazard: prompt.hazard.is_some(), observed: Vec::new() };
        let mut done = Done { sample, calls: Vec::new(), simulated: false };
        for (variant, cx) in design.variants.iter().zip(&contexts) {
            let counting = Counting::new(ask);
            let transcript = critique_revision(&counting, cx, prompt).await?;
            let observed = observe(&counting, &yardstick, &transcript, variant.rounds.clone()).await?;
            let seen = counting.seen();
            done.sample.observed.push(observed);
            done.calls.push(CallCounts { asked: seen.asked, from_journal: seen.known(), retried: 0 });
            done.simulated |= transcript.models.iter().any(|(_, model)| is_simulated(model));
        }
        Ok(done)
    })
}

/// What the method works with: the recipe's, but for what an ablation decides itself.
fn context(project: &Project, mut cx: MethodContext) -> Result<MethodContext, Failure> {
    match project.recipe.label.source {
        LabelSource::Off | LabelSource::Chain => {}
        LabelSource::Samples | LabelSource::Given => {
            let what = "this recipe compares responses and revises nothing, so there is nothing to ablate";
            return Err(Failure::usage(what)
                .hint("leave `label.source` out of the recipe, or give `--set label.source=off`"));
        }
    }
    if cx.settings.rounds == 0 {
        return Err(Failure::usage("with 0 rounds nothing is revised, so there is nothing to ablate")
            .hint("give `--rounds 2`"));
    }
    if cx.constitution.principles.is_empty() {
        return Err(Failure::usage(format!("`{}` has no principles", project.constitution.id)));
    }
    // The response that stands after each round is observed, so which is the final one plays no part.
    cx.settings.choose = Choose::Last;
    Ok(cx)
}

fn questions(args: &Args) -> Result<Questions, Failure> {
    let asks = |ask: Ask| args.measure.contains(&ask);
    if asks(Ask::None) && args.measure.len() > 1 {
        return Err(Failure::usage("`--measure none` stands alone"));
    }
    Ok(Questions { verdicts: asks(Ask::Verdicts), preference: asks(Ask::Preference) })
}

fn design(args: &Args, cx: &MethodContext) -> Result<Design, Failure> {
    let all = cx.constitution.principles.len();
    let mut figures: BTreeSet<Figure> = args.figures.iter().copied().collect();
    if let Some(size) = args.sizes.iter().find(|size| !(1..=all).contains(*size)) {
        return Err(Failure::usage(format!(
            "`--sizes {size}` is not between 1 and the {all} principles there are"
        )));
    }
    if figures.is_empty() {
        figures = [Figure::Rounds, Figure::Critique, Figure::Principles].into();
        if all == 1 {
            figures.remove(&Figure::Principles);
        }
    }
    if figures.contains(&Figure::Principles) && all == 1 {
        return Err(Failure::usage(
            "the constitution has one principle: there are no fewer to compare it with",
        )
        .hint("leave `principles` out: `--figures rounds,critique`"));
    }
    if !args.sizes.is_empty() && !figures.contains(&Figure::Principles) {
        return Err(Failure::usage("`--sizes` is of the figure `principles`, which is not asked for"));
    }
    let sizes: BTreeSet<usize> = if args.sizes.is_empty() {
        usual_sizes(all).into_iter().collect()
    } else {
        args.sizes.iter().copied().collect()
    };
    Ok(Design::new(cx, &figures, &sizes.into_iter().collect::<Vec<_>>()))
}

/// Every prompt once.
fn read(project: &Project) -> Result<Input, Failure> {
    let (mut input, mut met) = (Input { prompts: Vec::new(), rejects: 0, duplicates: 0 }, BTreeSet::new());
    for row in crate::runtime::project::open_prompts(&project.recipe)? {
        match row {
            Row::Prompt { prompt, .. } if met.insert(prompt.id.clone()) => input.prompts.push(prompt),
            Row::Prompt { .. } => input.duplicates += 1,
            Row::Reject(_) => input.rejects += 1,
        }
    }
    if input.prompts.is_empty() {
        let rejects = input.rejects;
        return Err(Failure::usage(format!("there is no prompt to measure on (rows rejected: {rejects})"))
            .hint("`amend run` with the same prompts tells of every rejected row why"));
    }
    Ok(input)
}

/// The fewest and the most calls of each variant, by itself: of the method, and of measuring.
fn takes(
    design: &Design,
    cx: &MethodContext,
    questions: Questions,
    prompts: &[Prompt],
) -> Result<Vec<report::Takes>, Failure> {
    let mut takes = Vec::new();
    for variant in &design.variants {
        let own = variant.context(cx);
        let mut sum = report::Takes::default();
        for prompt in prompts {
            let (low, high) = bounds(&own, prompt).map_err(|error| Failure::usage(error.to_string()))?;
            let asked = if questions.verdicts { cx.applicable(prompt).len() as f64 } else { 0.0 };
            // Two sides in two orders, and votes where there are no log-probabilities.
            let compared = if questions.preference { 4.0 * f64::from(cx.label.votes.max(1)) } else { 0.0 };
            let responses = variant.rounds.len() as f64;
            let revised = variant.rounds.iter().filter(|round| **round > 0).count() as f64;
            sum.method.0 += total(&low).calls;
            sum.method.1 += total(&high).calls;
            sum.measuring.0 += asked;
            sum.measuring.1 += responses * asked + revised * compared;
        }
        takes.push(sum);
    }
    Ok(takes)
}

/// By variant, over all prompts.
fn sums(done: &[Done], variants: usize) -> Vec<CallCounts> {
    let add = |sum: CallCounts, calls: &CallCounts| CallCounts {
        asked: sum.asked + calls.asked,
        from_journal: sum.from_journal + calls.from_journal,
        retried: 0,
    };
    let of = |variant: usize| {
        done.iter().filter_map(|done| done.calls.get(variant)).fold(CallCounts::default(), add)
    };
    (0..variants).map(of).collect()
}

/// A number of calls that is a bound.
fn calls(number: f64) -> String {
    short_count(format!("{number:.0}").parse().unwrap_or(u64::MAX))
}
