//! What a judge made of a sample, in words and as sections of the page. Nothing is counted here.

use super::judged_sample::SampleReport;
use super::report_text::told;
use super::tallies::PLACES;
use crate::pure::reports::page::{Bar, Bars, Body, Page};
use crate::pure::text::{one_line, printable};

impl SampleReport {
    /// Lines of at most 80 columns.
    pub(super) fn lines(&self) -> Vec<String> {
        let judge = printable(&self.models.join(", "));
        let mut out = vec![
            one_line(&format!("labels that a judge holds for wrong: {}, by {judge}", told(&self.wrong)), 80),
            format!("  {} of {} pairs undecided", self.undecided.count, self.pairs),
            format!("  the judge's choice flips with the order: {}", told(&self.judge.flips)),
        ];
        if let Some(bias) = self.judge.position_bias.mean {
            let plus_minus = self.judge.position_bias.plus_minus.unwrap_or_default();
            out.push(format!("  its bias for the first reply {bias:+.3} ± {plus_minus:.3}"));
        }
        out.extend(self.sides.iter().map(|(side, wrong)| format!("  wrong where {side}: {}", told(wrong))));
        let least = self.least.iter().take(PLACES);
        out.extend(
            least.map(|(place, p)| one_line(&format!("  least probable: {p:.3} {}", printable(place)), 80)),
        );
        out
    }

    /// Adds what was found to a page.
    pub(super) fn add_to(&self, page: &mut Page) {
        let bars = |label: &str, rate| Bars { label: label.to_owned(), bars: vec![Bar::of_rate("", rate)] };
        let mut rates = vec![bars("all", &self.wrong)];
        rates.extend(self.sides.iter().map(|(side, wrong)| bars(side, wrong)));
        rates.push(bars("flips with the order", &self.judge.flips));
        page.add(
            "What a judge says",
            "The share of labels that a judge holds for wrong, over all pairs of the sample and on each side.",
            Body::Bars(rates),
        );
        let least = self.least.iter().map(|(place, p)| vec![place.clone(), format!("{p:.3}")]);
        let head = ["least probable labels", "probability"].map(str::to_owned).to_vec();
        page.add("Labels to look at", "", Body::Table(head, least.collect(), 1));
    }
}
