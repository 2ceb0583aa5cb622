//! Counts over the rows of an audit, one at a time, and the report that they come to.

use super::code::{Cuts, Name};
use super::item::{Found, Item};
use super::report::{AuditReport, CellReport, CodeReport, LengthBias, RefusalReport};
use super::shape::Shape;
use super::shortcut::Shortcut;
use crate::pure::reports::statistics::{Rate, Summing};
use std::collections::{BTreeMap, BTreeSet};

/// Hazards and languages told apart; what is beyond counts as `others`.
const CELLS: usize = 2_000;
/// Places told for each code.
pub const PLACES: usize = 5;

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
            sample: None,
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
