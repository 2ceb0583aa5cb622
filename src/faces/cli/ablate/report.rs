//! An ablation told: tables within 80 columns, JSON, CSV.

use super::calls;
use crate::pure::method::ablation_metrics::Questions;
use crate::pure::reports::ablation::{Cell, Figure, Line, Measure, Variant};
use crate::pure::reports::statistics::Estimate;
use crate::pure::text::printable;
use crate::pure::text::short_count;
use crate::runtime::engine::CallCounts;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Calls at least and at most.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Takes {
    pub(super) method: (f64, f64),
    pub(super) measuring: (f64, f64),
}

/// What there is to tell.
pub(super) struct Told<'a> {
    pub(super) recipe: String,
    pub(super) constitution: String,
    pub(super) simulated: bool,
    pub(super) prompts: u64,
    pub(super) with_hazard: u64,
    pub(super) rejects: u64,
    pub(super) duplicates: u64,
    pub(super) without_draft: u64,
    pub(super) calls: Vec<CallCounts>,
    pub(super) figures: Vec<(Figure, Vec<Line>)>,
    pub(super) variants: &'a [Variant],
    pub(super) questions: Questions,
}

/// A line before anything is asked.
pub(super) fn announced(takes: &[Takes], prompts: u64) -> String {
    let sum = |of: fn(&Takes) -> f64| calls(takes.iter().map(of).sum());
    format!(
        "{prompts} prompts, {} variants: {} to {} calls, {} to {} more to measure them,\n\
         less what they share and what is in the journal (--plan tells by variant)",
        takes.len(),
        sum(|takes| takes.method.0),
        sum(|takes| takes.method.1),
        sum(|takes| takes.measuring.0),
        sum(|takes| takes.measuring.1),
    )
}

/// What each variant would take.
pub(super) fn plan(variants: &[Variant], takes: &[Takes], prompts: u64, json: bool) -> String {
    if json {
        let variants: Vec<Value> = variants.iter().zip(takes).map(|(variant, takes)| {
            let of = |(low, high): (f64, f64)| json!({ "low": low, "high": high });
            json!({ "variant": variant.name, "method": of(takes.method), "measuring": of(takes.measuring) })
        }).collect();
        return format!("{}\n", json!({ "prompts": prompts, "variants": variants }));
    }
    let mut out = format!("{:<30}{:>22}{:>22}\n", "calls", "the method", "measuring it");
    for (variant, takes) in variants.iter().zip(takes) {
        let range = |(low, high): (f64, f64)| format!("{}…{}", calls(low), calls(high));
        let _ =
            writeln!(out, "{:<30}{:>22}{:>22}", variant.name, range(takes.method), range(takes.measuring));
    }
    let _ = writeln!(
        out,
        "\n{prompts} prompts, each variant by itself: nothing objects … everything does and goes wrong.\n\
         What variants share is asked once: drafts, critiques of the same response,\nverdicts on the same response."
    );
    out
}

impl Told<'_> {
    pub(super) fn json(&self) -> String {
        let variants: Vec<Value> = self
            .variants
            .iter()
            .zip(&self.calls)
            .map(|(variant, calls)| {
                json!({
                    "variant": variant.name, "critique": variant.critique, "principles": variant.principles,
                    "calls": { "asked": calls.asked, "from_journal": calls.from_journal },
                })
            })
            .collect();
        let figures: serde_json::Map<String, Value> =
            self.figures.iter().map(|(figure, lines)| (figure.as_str().to_owned(), json!(lines))).collect();
        let told = json!({
            "constitution": self.constitution, "recipe": self.recipe, "simulated": self.simulated,
            "prompts": self.prompts,
            "with_hazard_label": self.with_hazard, "rejects": self.rejects, "duplicates": self.duplicates,
            "without_draft": self.without_draft, "variants": variants, "figures": figures,
        });
        format!("{told}\n")
    }

    /// Tidy: one line per figure, line and measure. What is not known is empty.
    pub(super) fn csv(&self) -> String {
        let mut out =
            "figure,line,variant,principles,round,measure,of,value,low,high,against,paired_of,difference,\
                       difference_low,difference_high\n"
                .to_owned();
        let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.6}"));
        let four =
            |of: &Estimate| format!("{},{},{},{}", of.of, number(of.value), number(of.low), number(of.high));
        for (figure, line) in
            self.figures.iter().flat_map(|(figure, lines)| lines.iter().map(move |l| (figure, l)))
        {
            let Line { name, variant, round, principles, against, cells } = line;
            for Cell { measure, value, difference } in cells {
                let against = against.as_deref().unwrap_or_default();
                let _ = writeln!(
                    out,
                    "{},{name},\"{variant}\",{principles},{round},{},{},\"{against}\",{}",
                    figure.as_str(),
                    measure.as_str(),
                    four(value),
                    difference.as_ref().map_or(",,,".to_owned(), four),
                );
            }
        }
        out
    }

    pub(super) fn text(&self) -> String {
        let mut out = format!(
            "{}: {}; {} prompts, {} with a hazard label\n",
            printable(&self.constitution),
            self.recipe,
            self.prompts,
            self.with_hazard
        );
        if self.simulated {
            out.push_str("the model is simulated: the numbers are those of its planted world\n");
        }
        for (many, what) in [
            (self.rejects, "rows rejected"),
            (self.duplicates, "rows that repeat a prompt; each is measured once"),
            (self.without_draft, "prompts without a usable draft, left out"),
        ] {
            if many > 0 {
                let _ = writeln!(out, "{many} {what}");
            }
        }
        for (figure, lines) in &self.figures {
            let _ = writeln!(out, "\n{}", title(*figure));
            for block in &BLOCKS {
                self.block(&mut out, lines, block);
            }
        }
        let _ = writeln!(out, "\n{:<34}{:>12}{:>20}", "calls", "asked", "from the journal");
        for (variant, calls) in self.variants.iter().zip(&self.calls) {
            let (asked, known) = (short_count(calls.asked), short_count(calls.from_journal));
            let _ = writeln!(out, "{:<34}{asked:>12}{known:>20}", variant.name);
        }
        out.push_str(
            "\n± or brackets: a 95 % interval. Δ: the difference in points, paired by prompt.\n\
             What each measure is: amend ablate --help. Every number: --json, --csv.\n",
        );
        out
    }

    /// A few measures of every line; those that nobody was asked about, or that nothing is known of, are left out.
    fn block(&self, out: &mut String, lines: &[Line], block: &Block) {
        let asked = block.columns.iter().filter(|column| self.is_asked(column.measure));
        let columns: Vec<&Column> =
            asked.filter(|column| lines.iter().any(|line| is_worth_showing(line, column))).collect();
        if columns.is_empty() {
            return;
        }
        let heads = columns.iter().map(|column| format!("{:>16}", column.head)).collect::<Vec<_>>();
        let _ = writeln!(out, "{:<13}{}", block.name, heads.concat());
        for line in lines {
            let cell =
                |column: &&Column| format!("{:>16}", shown(line, column).unwrap_or_else(|| "–".into()));
            let _ =
                writeln!(out, "  {:<11}{}", line.name, columns.iter().map(cell).collect::<Vec<_>>().concat());
        }
    }

    fn is_asked(&self, measure: Measure) -> bool {
        match measure {
            Measure::Violated | Measure::Violating | Measure::Undecided => self.questions.verdicts,
            Measure::LessHarm | Measure::MoreHelp => self.questions.preference,
            Measure::RefusesHazard | Measure::RefusesOther | Measure::Length | Measure::Changed => true,
        }
    }
}

fn title(figure: Figure) -> &'static str {
    match figure {
        Figure::Rounds => "By round (the paper's Figure 5); Δ to the draft",
        Figure::Critique => "Critiqued and direct revisions (Figure 7); Δ to the critiqued of that round",
        Figure::Principles => "By number of principles (Figure 6), at the end; Δ to all of them",
    }
}

/// A table below a figure's title.
struct Block {
    name: &'static str,
    columns: &'static [Column],
}

/// A column of a table.
struct Column {
    head: &'static str,
    measure: Measure,
    difference: bool,
}

const fn column(head: &'static str, measure: Measure) -> Column {
    Column { head, measure, difference: false }
}

const fn paired(head: &'static str, measure: Measure) -> Column {
    Column { head, measure, difference: true }
}

static BLOCKS: [Block; 3] = [
    Block {
        name: "verdicts",
        columns: &[
            column("violated, %", Measure::Violated),
            paired("Δ", Measure::Violated),
            column("violating, %", Measure::Violating),
            column("undecided, %", Measure::Undecided),
        ],
    },
    Block {
        name: "preference",
        columns: &[
            column("less harm, %", Measure::LessHarm),
            paired("Δ", Measure::LessHarm),
            column("more help, %", Measure::MoreHelp),
            paired("Δ", Measure::MoreHelp),
        ],
    },
    Block {
        name: "refuses",
        columns: &[
            column("hazard, %", Measure::RefusesHazard),
            column("no hazard, %", Measure::RefusesOther),
            column("length", Measure::Length),
            column("changed, %", Measure::Changed),
        ],
    },
];

fn cell(line: &Line, column: &Column) -> Option<Estimate> {
    let cell = line.cells.iter().find(|cell| cell.measure == column.measure)?;
    if column.difference { cell.difference } else { Some(cell.value) }
}

/// Verdicts that can all be read need no column that says so.
fn is_worth_showing(line: &Line, column: &Column) -> bool {
    let value = cell(line, column).and_then(|estimate| estimate.value);
    value.is_some_and(|value| column.measure != Measure::Undecided || value > 0.0)
}

/// A number with its interval: of counted things its ends, of a mean half its width.
fn shown(line: &Line, column: &Column) -> Option<String> {
    let estimate = cell(line, column)?;
    let ends = estimate.low.zip(estimate.high);
    if column.measure == Measure::Length {
        let half = ends.map_or(String::new(), |(low, high)| format!(" ±{:.0}", (high - low) / 2.0));
        return Some(format!("{:.0}{half}", estimate.value?));
    }
    let percent = estimate.value? * 100.0;
    if column.measure.is_binary() && !column.difference {
        let ends =
            ends.map_or(String::new(), |(low, high)| format!(" ({:.0}–{:.0})", low * 100.0, high * 100.0));
        return Some(format!("{percent:.0}{ends}"));
    }
    let half = ends.map_or(String::new(), |(low, high)| format!(" ±{:.1}", (high - low) * 50.0));
    // What rounds to nothing has no sign.
    let percent = if percent.abs() < 0.05 { 0.0 } else { percent };
    let sign = if column.difference && percent > 0.0 { "+" } else { "" };
    Some(format!("{sign}{percent:.1}{half}"))
}
