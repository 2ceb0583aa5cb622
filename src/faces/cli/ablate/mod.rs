//! `amend ablate`: variants of one recipe over the same prompts, and what each is worth.
//!
//! The variants and the arithmetic are in [`crate::pure::reports::ablation`], the questions in [`crate::pure::method::ablation_metrics`]. This
//! folder reads the prompts, asks over one journal, and tells the result (`report`).

mod report;

use super::Failure;
use super::failure::stopped;
use super::journaled_work::{JournaledWork, WorkMemo, kept_in, require_verdicts};
use super::settings::RecipeArgs;
use crate::faces::cli::stdout::stdout;
use crate::pure::method::ablation_metrics::{Questions, Yardstick, observe};
use crate::pure::method::{MethodContext, critique_revision};
use crate::pure::prompt::Prompt;
use crate::pure::recipe::{Choose, LabelSource, is_simulated};
use crate::pure::reports::ablation::{Design, Figure, FigureReporter, Sample, Variant, usual_sizes};
use crate::pure::reports::cost_estimate::{bounds, total};
use crate::pure::text::short_count;
use crate::runtime::dataset::prompts::{self, RepeatFilter, Row};
use crate::runtime::engine::{CallCounts, CallMeter, ReadAhead, VerdictCounts};
use crate::runtime::project::{Project, RereadablePrompts, models};
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

/// What the files of prompts hold, and what measuring takes.
struct Counted {
    prompts: u64,
    rejects: u64,
    duplicates: u64,
    /// By variant.
    takes: Vec<report::Takes>,
}

/// One prompt under every variant: what was observed, what it took, and whether the simulated model had a part in it.
struct Done {
    sample: Sample,
    calls: Vec<CallCounts>,
    simulated: bool,
}

/// What all prompts come to, added up one by one.
struct Sums<'a> {
    figures: FigureReporter<'a>,
    /// By variant.
    calls: Vec<CallCounts>,
    simulated: bool,
    with_hazard: u64,
    without_draft: u64,
    verdicts: VerdictCounts,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let project = args.recipe.open_project()?;
    let models = models::resolve(&project.recipe)?;
    let cx = context(&project, project.context(&models)?)?;
    let questions = questions(args)?;
    let design = design(args, &cx)?;
    let files = RereadablePrompts::new(&project.recipe)?;
    let counted = count(&files, &design, &cx, questions)?;
    if args.plan {
        print(&report::plan(&design.variants, &counted.takes, counted.prompts, args.json));
        return Ok(ExitCode::SUCCESS);
    }
    let dir = kept_in(args.out.as_ref(), &project, "ablate");
    let work = JournaledWork::open(&dir, &project, models, args.json)?;
    if !args.json {
        let _ = writeln!(std::io::stderr().lock(), "{}", report::announced(&counted.takes, counted.prompts));
    }
    let sums = measure(&work, &design, &cx, questions, once_each(files.open()?), counted.prompts)?;
    work.tell();
    let told = report::Told {
        recipe: format!("{}, {} rounds", cx.settings.schedule.as_str(), cx.settings.rounds),
        constitution: project.constitution.id.clone(),
        simulated: sums.simulated,
        prompts: counted.prompts,
        with_hazard: sums.with_hazard,
        rejects: counted.rejects,
        duplicates: counted.duplicates,
        without_draft: sums.without_draft,
        calls: sums.calls,
        figures: sums.figures.finish(),
        variants: &design.variants,
        questions,
    };
    print(&match (args.json, args.csv) {
        (true, _) => told.json(),
        (false, true) => told.csv(),
        (false, false) => told.text(),
    });
    require_verdicts(sums.verdicts, project.recipe.limits.max_undecided_share)?;
    Ok(ExitCode::from(u8::from(told.rejects > 0 || told.without_draft > 0)))
}

/// What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
fn print(text: &str) {
    let _ = stdout().write_all(text.as_bytes());
}

/// Every prompt under every variant, prompts side by side. The variants of a prompt come one after another: what a later
/// one shares with an earlier one is in the journal by then.
fn measure<'d>(
    work: &JournaledWork,
    design: &'d Design,
    cx: &MethodContext,
    questions: Questions,
    prompts: impl Iterator<Item = Prompt> + Send + 'static,
    expected: u64,
) -> Result<Sums<'d>, Failure> {
    let contexts: Vec<MethodContext> = design.variants.iter().map(|variant| variant.context(cx)).collect();
    let yardstick = Yardstick::new(cx, questions);
    let items = ReadAhead::start(prompts).map_err(|stop| stopped(&stop))?.into_stream();
    let mut sums = Sums::new(design);
    let observed = async |ask: &WorkMemo<'_>, prompt: Prompt| {
        let sample = Sample { hazard: prompt.hazard.is_some(), observed: Vec::new() };
        let mut done = Done { sample, calls: Vec::new(), simulated: false };
        for (variant, cx) in design.variants.iter().zip(&contexts) {
            let meter = CallMeter::new(ask);
            let transcript = critique_revision(&meter, cx, &prompt).await?;
            let observed = observe(&meter, &yardstick, &transcript, variant.rounds.clone()).await?;
            let calls = meter.finish();
            done.sample.observed.push(observed);
            done.calls.push(CallCounts { asked: calls.asked, from_journal: calls.known(), retried: 0 });
            done.simulated |= transcript.models.iter().any(|(_, model)| is_simulated(model));
        }
        Ok(done)
    };
    work.each("prompts", expected, items, &observed, |done| sums.add(&done))?;
    Ok(sums)
}

impl<'a> Sums<'a> {
    fn new(design: &'a Design) -> Self {
        Self {
            figures: design.reporter(),
            calls: vec![CallCounts::default(); design.variants.len()],
            simulated: false,
            with_hazard: 0,
            without_draft: 0,
            verdicts: VerdictCounts::default(),
        }
    }

    fn add(&mut self, done: &Done) {
        self.figures.add(&done.sample);
        for observed in done.sample.observed.iter().flat_map(|rounds| rounds.values()) {
            self.verdicts.asked += u64::from(observed.decided + observed.undecided);
            self.verdicts.undecided += u64::from(observed.undecided);
        }
        for (sum, calls) in self.calls.iter_mut().zip(&done.calls) {
            sum.asked += calls.asked;
            sum.from_journal += calls.from_journal;
        }
        self.simulated |= done.simulated;
        self.with_hazard += u64::from(done.sample.hazard);
        self.without_draft += u64::from(done.sample.observed.iter().all(BTreeMap::is_empty));
    }
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

/// Every prompt once, without the rows that hold none.
fn once_each(rows: prompts::Reader) -> impl Iterator<Item = Prompt> + Send + 'static {
    let mut repeats = RepeatFilter::default();
    rows.filter_map(move |row| match row {
        Row::Prompt { prompt, .. } => repeats.is_new(&prompt.id).then_some(prompt),
        Row::Reject(_) => None,
    })
}

/// Reads every prompt once: counts, and adds up what each variant takes.
fn count(
    files: &RereadablePrompts<'_>,
    design: &Design,
    cx: &MethodContext,
    questions: Questions,
) -> Result<Counted, Failure> {
    let contexts: Vec<MethodContext> = design.variants.iter().map(|variant| variant.context(cx)).collect();
    let takes = vec![report::Takes::default(); contexts.len()];
    let mut counted = Counted { prompts: 0, rejects: 0, duplicates: 0, takes };
    let mut repeats = RepeatFilter::default();
    for row in files.open()? {
        match row {
            Row::Prompt { prompt, .. } if repeats.is_new(&prompt.id) => {
                counted.prompts += 1;
                let variants = design.variants.iter().zip(&contexts).zip(&mut counted.takes);
                for ((variant, own), takes) in variants {
                    add_takes(takes, variant, own, cx, questions, &prompt)?;
                }
            }
            Row::Prompt { .. } => counted.duplicates += 1,
            Row::Reject(_) => counted.rejects += 1,
        }
    }
    if counted.prompts == 0 {
        let rejects = counted.rejects;
        return Err(Failure::usage(format!("there is no prompt to measure on (rows rejected: {rejects})"))
            .hint("`amend run` with the same prompts tells of every rejected row why"));
    }
    Ok(counted)
}

/// Adds the fewest and the most calls that a prompt takes of a variant, by itself: of the method, and of measuring.
fn add_takes(
    sum: &mut report::Takes,
    variant: &Variant,
    own: &MethodContext,
    cx: &MethodContext,
    questions: Questions,
    prompt: &Prompt,
) -> Result<(), Failure> {
    let (low, high) = bounds(own, prompt).map_err(|error| Failure::usage(error.to_string()))?;
    let asked = if questions.verdicts { cx.applicable(prompt).len() as f64 } else { 0.0 };
    // Two sides in two orders, and votes where there are no log-probabilities.
    let compared = if questions.preference { 4.0 * f64::from(cx.label.votes.max(1)) } else { 0.0 };
    let responses = variant.rounds.len() as f64;
    let revised = variant.rounds.iter().filter(|round| **round > 0).count() as f64;
    sum.method.0 += total(&low).calls;
    sum.method.1 += total(&high).calls;
    sum.measuring.0 += asked;
    sum.measuring.1 += responses * asked + revised * compared;
    Ok(())
}

/// A number of calls that is a bound.
fn calls(number: f64) -> String {
    short_count(format!("{number:.0}").parse().unwrap_or(u64::MAX))
}
