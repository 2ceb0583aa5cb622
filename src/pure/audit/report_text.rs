//! The report of an audit in words: lines for a terminal, Markdown, and a page. Nothing is counted here.

use super::judged_sample::SampleReport;
use super::report::{AuditReport, CellReport, CodeReport};
use super::tallies::PLACES;
use crate::pure::reports::page::{Bar, Bars, Body, Page, percent};
use crate::pure::reports::statistics::Rate;
use crate::pure::text::{one_line, printable};
use std::fmt::Write as _;

/// A preference for length is worth a line from this effect on.
const LONGER: f64 = 0.1;
/// A shortcut is worth a line from this area on, even at the lower end of its interval.
const TELLING: f64 = 0.55;

/// A share in per cent, with how many it is of and its interval.
pub(super) fn told(rate: &Rate) -> String {
    let [share, low, high] = [rate.share.unwrap_or_default(), rate.low, rate.high].map(|share| 100.0 * share);
    format!("{share:.1} % of {} ({low:.1}–{high:.1})", rate.of)
}

/// The end of a text, which says most of a path, in so many columns.
fn end_of(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let end: String = text.chars().skip(length + 1 - width.max(1)).collect();
    format!("…{end}")
}

impl AuditReport {
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
        out.extend(self.sample.iter().flat_map(SampleReport::lines));
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
        if let Some(sample) = &self.sample {
            sample.add_to(&mut page);
        }
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
