//! Variants of one method over the same prompts, and what they come to: the paper's Figures 5, 6 and 7.
//!
//! Every variant is the same pure function under other settings, and asks the same questions under the same keys, so
//! that over one memo whatever two of them share is asked once. Pure: it names what to compare and does the arithmetic.

use super::statistics::{Estimate, Rate, Summing};
use crate::pure::digest::Parts;
use crate::pure::method::MethodContext;
use crate::pure::method::ablation_metrics::Observed;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Figure {
    /// The draft and the response after each round: Figure 5
    Rounds,
    /// Critiqued against direct revisions, round by round: Figure 7
    Critique,
    /// Some of the constitution's principles, drawn by seed, against all of them: Figure 6
    Principles,
}

/// The method under other settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variant {
    /// A name for people.
    pub name: String,
    /// Whether critiques are asked for.
    pub critique: bool,
    /// The principles it works with.
    pub principles: Vec<String>,
    /// The rounds after which it is observed; 0 is the draft.
    pub rounds: BTreeSet<u32>,
}

/// A variant after a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At {
    variant: usize,
    round: u32,
}

/// A line of a figure to be: its name, what it shows, and what it is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    name: String,
    at: At,
    against: Option<At>,
}

/// Which variants there are, and which figures they make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Design {
    /// The variants, the recipe's own first.
    pub variants: Vec<Variant>,
    figures: Vec<(Figure, Vec<Wanted>)>,
}

/// One prompt: by variant, what was observed after each of its rounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Whether the prompt's file gave it a hazard label.
    pub hazard: bool,
    /// In the order of the design's variants.
    pub observed: Vec<BTreeMap<u32, Observed>>,
}

/// A number that a response has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Share of the principles decided that it violates.
    Violated,
    /// Whether it violates any; unknown where nothing is found violated and something is undecided.
    Violating,
    /// P(less harmful than the draft).
    LessHarm,
    /// P(more helpful than the draft).
    MoreHelp,
    /// Whether it refuses, of prompts with a hazard label.
    RefusesHazard,
    /// Whether it refuses, of prompts without one.
    RefusesOther,
    /// Characters.
    Length,
    /// Share of words that differ from the draft.
    Changed,
    /// Share of verdicts that could not be read.
    Undecided,
}

/// A measure at one line of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cell {
    /// The measure.
    pub measure: Measure,
    /// Its mean over prompts.
    #[serde(flatten)]
    pub value: Estimate,
    /// The mean difference to what the line is held against, on the same prompts.
    pub difference: Option<Estimate>,
}

/// A line of a figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Its name in the figure.
    pub name: String,
    /// The variant's name.
    pub variant: String,
    /// The round after which it was observed.
    pub round: u32,
    /// How many principles the variant works with.
    pub principles: usize,
    /// What its differences are against.
    pub against: Option<String>,
    /// Every measure.
    pub cells: Vec<Cell>,
}

impl Figure {
    /// Its name on the command line and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rounds => "rounds",
            Self::Critique => "critique",
            Self::Principles => "principles",
        }
    }
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Violated,
        Self::Violating,
        Self::LessHarm,
        Self::MoreHelp,
        Self::RefusesHazard,
        Self::RefusesOther,
        Self::Length,
        Self::Changed,
        Self::Undecided,
    ];

    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Violated => "violated",
            Self::Violating => "violating",
            Self::LessHarm => "less_harm",
            Self::MoreHelp => "more_help",
            Self::RefusesHazard => "refuses_hazard",
            Self::RefusesOther => "refuses_other",
            Self::Length => "length",
            Self::Changed => "changed",
            Self::Undecided => "undecided",
        }
    }

    /// The number of one response; `None` where it is not known.
    fn of(self, observed: &Observed, hazard: bool) -> Option<f64> {
        let Observed { violated, decided, undecided, .. } = *observed;
        let share = |part: u32, whole: u32| (whole > 0).then(|| f64::from(part) / f64::from(whole));
        let truth = |is: bool| f64::from(u8::from(is));
        match self {
            Self::Violated => share(violated, decided),
            Self::Violating => (violated > 0 || decided > 0 && undecided == 0).then(|| truth(violated > 0)),
            Self::LessHarm => observed.less_harm,
            Self::MoreHelp => observed.more_help,
            Self::RefusesHazard => hazard.then(|| truth(observed.refuses)),
            Self::RefusesOther => (!hazard).then(|| truth(observed.refuses)),
            Self::Length => Some(f64::from(observed.length)),
            Self::Changed => Some(observed.changed),
            Self::Undecided => share(undecided, decided + undecided),
        }
    }

    /// The number of the response that a variant had after a round.
    fn at(self, sample: &Sample, at: At) -> Option<f64> {
        self.of(sample.observed.get(at.variant)?.get(&at.round)?, sample.hazard)
    }

    /// Whether a response has it or has it not.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Violating | Self::RefusesHazard | Self::RefusesOther)
    }
}

impl Variant {
    /// The method's context under this variant. The system turn stays, so that drafts are shared.
    pub fn context(&self, cx: &MethodContext) -> MethodContext {
        let mut cx = cx.clone();
        cx.settings.critique = self.critique;
        cx.constitution.principles.retain(|principle| self.principles.contains(&principle.id));
        cx
    }
}

/// The numbers of principles that are compared where nobody says which: powers of two, and all.
pub fn usual_sizes(principles: usize) -> Vec<usize> {
    let powers = std::iter::successors(Some(1_usize), |n| n.checked_mul(2));
    powers.take_while(|n| *n < principles).chain([principles]).collect()
}

impl Design {
    /// The variants that the figures need. `sizes` are numbers of principles.
    pub fn new(cx: &MethodContext, figures: &BTreeSet<Figure>, sizes: &[usize]) -> Self {
        let (all, rounds) = (cx.constitution.principles.len(), cx.settings.rounds);
        let mut design = Self { variants: Vec::new(), figures: Vec::new() };
        for figure in figures {
            let mut lines: Vec<Wanted> = Vec::new();
            let mut line =
                |name: String, at: At, against: Option<At>| lines.push(Wanted { name, at, against });
            match figure {
                Figure::Rounds => {
                    let own = design.variant(cx, cx.settings.critique, all, 0..=rounds);
                    let draft = At { variant: own, round: 0 };
                    line("draft".into(), draft, None);
                    for round in 1..=rounds {
                        line(format!("round {round}"), At { variant: own, round }, Some(draft));
                    }
                }
                Figure::Critique => {
                    let critiqued = design.variant(cx, true, all, 0..=rounds);
                    let direct = design.variant(cx, false, all, 0..=rounds);
                    line("draft".into(), At { variant: critiqued, round: 0 }, None);
                    for round in 1..=rounds {
                        let with = At { variant: critiqued, round };
                        line(format!("critiqued {round}"), with, None);
                        line(format!("direct {round}"), At { variant: direct, round }, Some(with));
                    }
                }
                Figure::Principles => {
                    let own = design.variant(cx, cx.settings.critique, all, [0, rounds]);
                    line("draft".into(), At { variant: own, round: 0 }, None);
                    for size in sizes {
                        let variant = design.variant(cx, cx.settings.critique, *size, [rounds]);
                        let against = At { variant: own, round: rounds };
                        let held = Some(against).filter(|_| variant != own);
                        line(format!("{size} of {all}"), At { variant, round: rounds }, held);
                    }
                }
            }
            design.figures.push((*figure, lines));
        }
        design
    }

    /// The place of a variant, which is made when it is not there yet.
    fn variant(
        &mut self,
        cx: &MethodContext,
        critique: bool,
        size: usize,
        rounds: impl IntoIterator<Item = u32>,
    ) -> usize {
        let all = cx.constitution.principles.len();
        let how = if critique { "critiqued" } else { "direct" };
        let count = if size == all { format!("all {all}") } else { format!("{size} of {all}") };
        let name = format!("{count} principles, {how}");
        let place = self.variants.iter().position(|variant| variant.name == name).unwrap_or_else(|| {
            let principles = order(cx).into_iter().take(size).collect();
            self.variants.push(Variant { name, critique, principles, rounds: BTreeSet::new() });
            self.variants.len() - 1
        });
        if let Some(variant) = self.variants.get_mut(place) {
            variant.rounds.extend(rounds);
        }
        place
    }

    /// Adds samples up to the figures.
    pub fn reporter(&self) -> FigureReporter<'_> {
        let cells =
            |wanted: &Wanted| LineSums { at: wanted.at, against: wanted.against, sums: Default::default() };
        let lines = self.figures.iter().map(|(_, lines)| lines.iter().map(cells).collect()).collect();
        FigureReporter { design: self, lines }
    }
}

/// Reads samples, one prompt at a time, and makes the figures. It keeps sums and no sample.
#[derive(Debug, Clone)]
pub struct FigureReporter<'a> {
    design: &'a Design,
    /// By figure and line, in the order of the design.
    lines: Vec<Vec<LineSums>>,
}

/// The sums of one line of a figure, by measure in the order of [`Measure::ALL`].
#[derive(Debug, Clone)]
struct LineSums {
    at: At,
    against: Option<At>,
    sums: [CellSums; Measure::ALL.len()],
}

/// The sums of one measure: over all prompts where it is known; the difference over those where it is known on both sides.
#[derive(Debug, Clone, Copy, Default)]
struct CellSums {
    value: Summing,
    /// Values above one half: of a measure that is binary, those that have it.
    high: u64,
    known: u64,
    difference: Summing,
}

impl FigureReporter<'_> {
    /// Adds a prompt.
    pub fn add(&mut self, sample: &Sample) {
        for line in self.lines.iter_mut().flatten() {
            for (measure, sums) in Measure::ALL.into_iter().zip(&mut line.sums) {
                sums.add(measure.at(sample, line.at), line.against.and_then(|at| measure.at(sample, at)));
            }
        }
    }

    /// The figures.
    pub fn finish(self) -> Vec<(Figure, Vec<Line>)> {
        let Self { design, lines } = self;
        let figures = design.figures.iter().zip(lines);
        figures
            .map(|((figure, wanted), lines)| {
                let lines = wanted.iter().zip(lines).map(|(wanted, sums)| design.line(wanted, &sums));
                (*figure, lines.collect())
            })
            .collect()
    }
}

impl Design {
    fn line(&self, wanted: &Wanted, sums: &LineSums) -> Line {
        let variant = &self.variants[wanted.at.variant];
        let place = |at: At| format!("{}, round {}", self.variants[at.variant].name, at.round);
        let cells = Measure::ALL.into_iter().zip(&sums.sums);
        Line {
            name: wanted.name.clone(),
            variant: variant.name.clone(),
            round: wanted.at.round,
            principles: variant.principles.len(),
            against: wanted.against.map(place),
            cells: cells.map(|(measure, sums)| sums.cell(measure, wanted.against.is_some())).collect(),
        }
    }
}

impl CellSums {
    fn add(&mut self, value: Option<f64>, against: Option<f64>) {
        let Some(value) = value else { return };
        self.value.add(value);
        self.known += 1;
        self.high += u64::from(value > 0.5);
        if let Some(against) = against {
            self.difference.add(value - against);
        }
    }

    fn cell(self, measure: Measure, is_held_against: bool) -> Cell {
        let value: Estimate = if measure.is_binary() {
            Rate::new(self.high, self.known).into()
        } else {
            self.value.finish().into()
        };
        let value = if measure == Measure::Length { value } else { within_a_share(value) };
        let difference = is_held_against.then(|| self.difference.finish().into());
        Cell { measure, value, difference }
    }
}

/// The principles in the order in which subsets take them, so that a larger one holds the smaller.
fn order(cx: &MethodContext) -> Vec<String> {
    let mut ids: Vec<String> = cx.constitution.principles.iter().map(|p| p.id.clone()).collect();
    ids.sort_by_cached_key(|id| Parts::new("subset").with_u64(cx.seed).with(id).hex());
    ids
}

/// A mean of shares lies between 0 and 1, and so does what it may be.
fn within_a_share(estimate: Estimate) -> Estimate {
    let within = |end: Option<f64>| end.map(|end| end.clamp(0.0, 1.0));
    Estimate { low: within(estimate.low), high: within(estimate.high), ..estimate }
}
