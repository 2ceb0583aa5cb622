//! What an audit came to: counts by code with their intervals, and figures of the whole set.

use super::code::{Cuts, Name};
use super::item::{Found, Item};
use super::shape::Shape;
use super::shortcut::Shortcut;
use crate::pure::reports::page::{Bar, Bars, Body, Page, percent};
use crate::pure::reports::statistics::{Mean, Rate, Summing};
use crate::pure::text::{one_line, printable};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Hazards and languages told apart; what is beyond counts as `others`.
const CELLS: usize = 2_000;
/// Places told for each code.
pub const PLACES: usize = 5;
/// A preference for length is worth a line from this effect on.
const LONGER: f64 = 0.1;
/// A shortcut is worth a line from this area on, even at the lower end of its interval.
const TELLING: f64 = 0.55;

/// The end of a text, which says most of a path, in so many columns.
fn end_of(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let end: String = text.chars().skip(length + 1 - width.max(1)).collect();
    format!("…{end}")
}

/// Counts over rows, one at a time.
#[derive(Debug, Default)]
pub struct Tallies {
    rows: u64,
    chosen_longer: (u64, u64),
    lengths: [Summing; 2],
    squares: [f64; 2],
    refusals: BTreeMap<&'static str, [u64; 3]>,
    cells: BTreeMap<(String, String), Cell>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Cell {
    rows: u64,
    refused: u64,
}

impl Tallies {
    /// Counts one row that could be read.
    pub fn add(&mut self, item: &Item, found: &Found, shape: Shape) {
        self.rows += 1;
        let names: &[&'static str] = if shape == Shape::Pairs { &["chosen", "rejected"] } else { &["reply"] };
        for (name, refusal) in names.iter().zip(&found.refusals) {
            self.refusals.entry(name).or_default()[*refusal as usize] += 1;
        }
        if let [chosen, rejected] = &item.replies[..] {
            let (a, b) = (chosen.text.len(), rejected.text.len());
            self.chosen_longer.0 += u64::from(a > b);
            self.chosen_longer.1 += u64::from(a != b);
            for (n, length) in [a, b].into_iter().enumerate() {
                self.lengths[n].add(length as f64);
                self.squares[n] += (length as f64).powi(2);
            }
        }
        if item.hazard.is_some() || item.language.is_some() {
            let name = |label: &Option<String>| label.clone().unwrap_or_else(|| "none".into());
            let mut key = (name(&item.hazard), name(&item.language));
            if self.cells.len() >= CELLS && !self.cells.contains_key(&key) {
                key = ("others".into(), "others".into());
            }
            let cell = self.cells.entry(key).or_default();
            cell.rows += 1;
            cell.refused += u64::from(found.refusals.first().is_some_and(|refusal| refusal.refuses()));
        }
    }

    /// The report, once every row has its codes.
    pub fn finish(
        self,
        shape: Shape,
        cuts: &Cuts,
        mut codes: BTreeMap<Name, (u64, Vec<String>)>,
        rows: u64,
        shortcut: Option<Shortcut>,
        phrases: Vec<(String, u64, u64)>,
    ) -> AuditReport {
        let counted = Name::all(cuts).into_iter().filter(|name| match name {
            Name::Code(code) => code.applies_to(shape),
            Name::CutEqual { .. } => shape == Shape::Pairs,
        });
        let codes = counted
            .map(|name| {
                let (count, places) = codes.remove(&name).unwrap_or_default();
                CodeReport { code: name.to_string(), rate: Rate::new(count, rows), places }
            })
            .collect();
        let length_bias = (shape == Shape::Pairs).then(|| self.length_bias());
        let refusals = self
            .refusals
            .iter()
            .map(|(of, counts)| {
                let [none, partial, full] = *counts;
                let all = none + partial + full;
                RefusalReport { of, full: Rate::new(full, all), partial: Rate::new(partial, all) }
            })
            .collect();
        let of = |n: usize| -> BTreeSet<&str> {
            self.cells
                .keys()
                .map(|(hazard, language)| if n == 0 { hazard.as_str() } else { language.as_str() })
                .collect()
        };
        let empty_cells = of(0)
            .into_iter()
            .flat_map(|hazard| of(1).into_iter().map(move |language| (hazard, language)))
            .filter(|(hazard, language)| {
                !self.cells.contains_key(&((*hazard).to_owned(), (*language).to_owned()))
            })
            .map(|(hazard, language)| format!("{hazard} × {language}"))
            .collect();
        let cells = self
            .cells
            .iter()
            .map(|((hazard, language), cell)| CellReport {
                hazard: hazard.clone(),
                language: language.clone(),
                rows: cell.rows,
                refused: Rate::new(cell.refused, cell.rows),
            })
            .collect();
        AuditReport {
            shape: shape.as_str(),
            rows,
            codes,
            length_bias,
            shortcut,
            phrases,
            refusals,
            cells,
            empty_cells,
        }
    }

    fn length_bias(&self) -> LengthBias {
        let mean = |n: usize| self.lengths[n].finish();
        let n = self.rows.max(1) as f64;
        let variance = |side: usize| {
            let mean = mean(side).mean.unwrap_or_default();
            (self.squares[side] / n - mean * mean).max(0.0)
        };
        let spread = f64::midpoint(variance(0), variance(1)).sqrt();
        let apart = mean(0).mean.unwrap_or_default() - mean(1).mean.unwrap_or_default();
        let (longer, differing) = self.chosen_longer;
        LengthBias {
            chosen_longer: Rate::new(longer, differing),
            cohens_d: if spread > 0.0 { apart / spread } else { 0.0 },
            chosen_bytes: mean(0),
            rejected_bytes: mean(1),
        }
    }
}

/// What an audit came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditReport {
    /// What the rows were read as.
    pub shape: &'static str,
    /// Rows, those that cannot be read too.
    pub rows: u64,
    /// Every code that such rows can have.
    pub codes: Vec<CodeReport>,
    /// How far the longer reply is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length_bias: Option<LengthBias>,
    /// How far surface features tell the labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortcut: Option<Shortcut>,
    /// Phrases that chosen replies have far more often than rejected ones, with the pairs of each side that have them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phrases: Vec<(String, u64, u64)>,
    /// How often replies refuse.
    pub refusals: Vec<RefusalReport>,
    /// Rows and refusals by hazard and language, where the file names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<CellReport>,
    /// Pairs of a hazard and a language, both of which the file has, without a row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub empty_cells: Vec<String>,
}

/// One code.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CodeReport {
    /// Its name.
    pub code: String,
    /// Rows that have it.
    #[serde(flatten)]
    pub rate: Rate,
    /// The first of them.
    pub places: Vec<String>,
}

/// How far the longer reply is chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LengthBias {
    /// Of pairs whose lengths differ: those whose chosen reply is longer, in bytes.
    pub chosen_longer: Rate,
    /// The difference of the mean lengths, in standard deviations.
    pub cohens_d: f64,
    /// Length of chosen replies, in bytes.
    pub chosen_bytes: Mean,
    /// Length of rejected replies, in bytes.
    pub rejected_bytes: Mean,
}

/// How often replies refuse.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RefusalReport {
    /// Which replies: `chosen`, `rejected` or `reply`.
    pub of: &'static str,
    /// Those that decline.
    pub full: Rate,
    /// Those that decline a part and help with another.
    pub partial: Rate,
}

/// The rows of one hazard in one language.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellReport {
    /// The hazard.
    pub hazard: String,
    /// The language.
    pub language: String,
    /// Rows.
    pub rows: u64,
    /// Those whose reply, or chosen reply, refuses.
    pub refused: Rate,
}

impl AuditReport {
    /// The share of rows that have a code; `None` for a code that such rows cannot have.
    pub fn share_of(&self, code: &str) -> Option<f64> {
        let report = self.codes.iter().find(|report| report.code == code)?;
        Some(report.rate.share.unwrap_or(0.0))
    }

    /// What was found, in lines of at most 80 columns.
    pub fn lines(&self) -> Vec<String> {
        let mut out = vec![format!("{} rows, read as {}", self.rows, self.shape)];
        let found: Vec<&CodeReport> = self.codes.iter().filter(|report| report.rate.count > 0).collect();
        for report in &found {
            let Rate { count, share, low, high, .. } = report.rate;
            let hundred = |share: f64| 100.0 * share;
            let interval = format!("({:.1}–{:.1})", hundred(low), hundred(high));
            let figures = format!(
                "{:<17}{count:>8}{:>7.1} %  {interval:<13}",
                report.code,
                hundred(share.unwrap_or_default())
            );
            let place = report.places.first().map_or("", String::as_str);
            out.push(format!(
                "{figures}{}",
                end_of(&printable(place), 80_usize.saturating_sub(figures.chars().count()))
            ));
        }
        if found.is_empty() {
            out.push("nothing was found in any row".into());
        }
        out.extend(self.whole());
        out
    }

    /// What is to be said of the whole set.
    fn whole(&self) -> Vec<String> {
        let told = |rate: &Rate| {
            let share = rate.share.unwrap_or_default();
            format!(
                "{:.1} % of {} ({:.1}–{:.1})",
                100.0 * share,
                rate.of,
                100.0 * rate.low,
                100.0 * rate.high
            )
        };
        let mut out = Vec::new();
        for report in &self.refusals {
            let partly = 100.0 * report.partial.share.unwrap_or_default();
            out.push(format!("refusals, {}: {}, {partly:.1} % partly", report.of, told(&report.full)));
        }
        if let Some(bias) = self.length_bias.as_ref().filter(|bias| bias.chosen_longer.of > 0) {
            let telling = if bias.cohens_d.abs() >= LONGER { ": length-bias" } else { "" };
            out.push(format!("the longer reply is chosen in {}", told(&bias.chosen_longer)));
            out.push(format!("  Cohen's d of the lengths {:+.2}{telling}", bias.cohens_d));
        }
        if let Some(shortcut) = &self.shortcut {
            let telling = if shortcut.low > TELLING { ": shortcut" } else { "" };
            out.push(format!(
                "surface features alone tell the chosen reply: AUROC {:.3} ({:.3}–{:.3}){telling}",
                shortcut.auroc, shortcut.low, shortcut.high
            ));
            let features: Vec<String> =
                shortcut.strongest.iter().map(|(name, weight)| format!("{name} {weight:+.2}")).collect();
            out.push(format!("  strongest: {}", features.join(", ")));
        }
        for (phrase, chosen, rejected) in self.phrases.iter().take(PLACES) {
            let line =
                format!("phrase: “{}” in {chosen} chosen replies, {rejected} rejected", printable(phrase));
            out.push(one_line(&line, 80));
        }
        if !self.empty_cells.is_empty() {
            let line = format!("{} empty cells: {}", self.empty_cells.len(), self.empty_cells.join(", "));
            out.push(one_line(&printable(&line), 80));
        }
        out
    }

    /// The report as a page.
    pub fn page(&self) -> Page {
        let lead = vec![format!("{} rows, read as {}. Intervals are at 95 %.", self.rows, self.shape)];
        let mut page = Page { title: "Audit".into(), lead, sections: Vec::new() };
        let found = self.codes.iter().filter(|report| report.rate.count > 0);
        let bars = |report: &CodeReport| Bars {
            label: report.code.clone(),
            bars: vec![Bar::of_rate("", &report.rate)],
        };
        page.add(
            "Rows with a finding",
            "The share of the rows that have each code.",
            Body::Bars(found.clone().map(bars).collect()),
        );
        let refusals = self.refusals.iter().map(|report| Bars {
            label: report.of.to_owned(),
            bars: vec![Bar::of_rate("wholly", &report.full), Bar::of_rate("in part", &report.partial)],
        });
        page.add("Refusals", "Replies that refuse, by their words.", Body::Bars(refusals.collect()));
        page.add("The whole set", "", Body::Lines(self.whole()));
        let cells = self.cells.iter().map(|cell| {
            let refused = cell.refused.share.map_or_else(String::new, percent);
            vec![cell.hazard.clone(), cell.language.clone(), cell.rows.to_string(), refused]
        });
        let head = ["hazard", "language", "rows", "refused"].map(str::to_owned).to_vec();
        page.add("Rows by hazard and language", "", Body::Table(head, cells.collect(), 2));
        let places = found.map(|report| vec![report.code.clone(), report.places.join(", ")]);
        let head = ["code", "first places"].map(str::to_owned).to_vec();
        page.add("Where to look", "", Body::Table(head, places.collect(), 2));
        page
    }

    /// The report in Markdown.
    pub fn markdown(&self) -> String {
        let mut out = format!("# Audit\n\n{} rows, read as {}.\n", self.rows, self.shape);
        out.push_str(
            "\n| code | rows | share | 95 % interval | first places |\n| --- | ---: | ---: | --- | --- |\n",
        );
        let cell = |text: &str| printable(text).replace('|', "\\|");
        for CodeReport { code, rate, places } in &self.codes {
            let places: Vec<String> = places.iter().map(|place| cell(place)).collect();
            let _ = writeln!(
                out,
                "| `{code}` | {} | {:.4} | {:.4} to {:.4} | {} |",
                rate.count,
                rate.share.unwrap_or_default(),
                rate.low,
                rate.high,
                places.join(", ")
            );
        }
        let whole = self.whole();
        if !whole.is_empty() {
            let _ = write!(out, "\n## The whole set\n\n```\n{}\n```\n", whole.join("\n"));
        }
        if !self.cells.is_empty() {
            out.push_str("\n## Refusals by hazard and language\n\n| hazard | language | rows | refused | 95 % interval |\n| --- | --- | ---: | ---: | --- |\n");
            for CellReport { hazard, language, rows, refused } in &self.cells {
                let _ = writeln!(
                    out,
                    "| {} | {} | {rows} | {:.3} | {:.3} to {:.3} |",
                    cell(hazard),
                    cell(language),
                    refused.share.unwrap_or_default(),
                    refused.low,
                    refused.high
                );
            }
        }
        out
    }
}
