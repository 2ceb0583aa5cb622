//! Which prompts a mixed dataset has: so many harmful ones to so many benign ones, evenly over hazards and languages, and no
//! opening in too many answers. The gate on both sides of refusing stands beside it.

mod twin;
mod two_sides;

pub use two_sides::TwoSides;

use crate::pure::digest::Parts;
use crate::pure::prompt::Prompt;
use crate::pure::reason::Reason;
use crate::pure::recipe::{Even, Mix};
use crate::pure::request_class::RequestClass;
use crate::pure::text::words;
use std::collections::{BTreeMap, BTreeSet};
use twin::Twin;

/// Words that make an opening.
const OPENING: usize = 4;

/// What a prompt is in a mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
enum Part {
    Harmful,
    Borderline,
    BenignTwin,
    Benign,
}

/// A prompt with a row, as mixing knows it.
#[derive(Debug, Clone)]
struct Candidate {
    at: usize,
    class: Option<RequestClass>,
    twin: Twin,
    cell: Vec<String>,
    draw: u64,
    /// How its answer begins.
    opening: Option<u64>,
}

/// The prompts of a cell by their part: the draw that orders them, and their number.
type Drawn = BTreeMap<Part, Vec<(u64, usize)>>;

/// Gathers the prompts that have rows, and then says which of them a dataset has.
#[derive(Debug)]
pub struct Mixer {
    mix: Mix,
    /// The largest share of answers that may begin with the same words; 0 for any.
    max_same_opening: f64,
    seed: u64,
    candidates: Vec<Candidate>,
    left_out: BTreeMap<usize, Reason>,
}

/// Which prompts a dataset has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mixed {
    /// The numbers of the prompts in the mix, where there is a mix.
    pub chosen: Option<BTreeSet<usize>>,
    /// The numbers of those that are left out for their answer, with the reason.
    pub left_out: BTreeMap<usize, Reason>,
    /// What is missing of the mix: a cell and a part, with how many there are.
    pub missing: Vec<String>,
}

impl Mixed {
    /// Why the dataset does not have the prompt with this number; `None` when it has it.
    pub fn why_not(&self, at: usize) -> Option<Reason> {
        let has = |chosen: &BTreeSet<usize>| chosen.contains(&at);
        let out_of_mix =
            || self.chosen.as_ref().is_some_and(|chosen| !has(chosen)).then_some(Reason::NotInMix);
        self.left_out.get(&at).cloned().or_else(out_of_mix)
    }
}

/// One choice of prompts.
#[derive(Debug, Default)]
struct Choice {
    chosen: BTreeSet<usize>,
    missing: Vec<String>,
}

impl Mixer {
    /// No prompt yet. Of answers that begin with the same four words, at most the share `max_same_opening` of the dataset
    /// stays, and at least one; 0 keeps all.
    pub fn new(mix: &Mix, max_same_opening: f64, seed: u64) -> Self {
        let (candidates, left_out) = (Vec::new(), BTreeMap::new());
        Self { mix: mix.clone(), max_same_opening, seed, candidates, left_out }
    }

    /// Adds the prompt with number `at`, which has a row with this answer. One without a class is in no mix.
    pub fn add(&mut self, at: usize, prompt: &Prompt, answer: &str) {
        let value = |even: &Even| match even {
            Even::Hazard => prompt.hazard.clone().unwrap_or_else(|| "no hazard".into()),
            Even::Language => prompt.language.clone().unwrap_or_else(|| "und".into()),
        };
        let cell = self.mix.even.iter().map(value).collect();
        let draw = Parts::new("mix").with_u64(self.seed).with(&prompt.id.0).uniform();
        let opening = (self.max_same_opening > 0.0).then(|| opening(answer)).flatten();
        let twin = Twin::of(prompt);
        self.candidates.push(Candidate { at, class: prompt.class, twin, cell, draw, opening });
    }

    /// Keeps one prompt of each group, the one that is drawn first. `group` gives the group of a prompt's number.
    pub fn keep_one_of_each(&mut self, mut group: impl FnMut(usize) -> u64) {
        self.candidates.sort_unstable_by_key(|candidate| (candidate.draw, candidate.at));
        let mut met = BTreeSet::new();
        let (kept, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.candidates).into_iter().partition(|c| met.insert(group(c.at)));
        self.candidates = kept;
        self.left_out.extend(others.into_iter().map(|candidate| (candidate.at, Reason::SimilarAnswer)));
    }

    /// Chooses. Every cell has the same number of each part, which the scarcest one decides; with `mix.partial` a cell that has
    /// too few of something has what its own scarcest part allows, and nothing is missing. An answer that opens as too many
    /// others makes room for another, so the mix stays exact.
    pub fn choose(mut self) -> Mixed {
        loop {
            let Choice { chosen, missing } = self.choice();
            let too_many = self.too_many_openings(&chosen);
            if too_many.is_empty() || !missing.is_empty() {
                let chosen = self.mix.is_on().then_some(chosen);
                return Mixed { chosen, left_out: self.left_out, missing };
            }
            self.left_out.extend(too_many.into_iter().map(|at| (at, Reason::SameOpening)));
            self.candidates.retain(|candidate| !self.left_out.contains_key(&candidate.at));
        }
    }

    /// The prompts whose answers open as too many others of the chosen ones; those that are drawn last go first.
    fn too_many_openings(&self, chosen: &BTreeSet<usize>) -> Vec<usize> {
        let mut by_opening: BTreeMap<u64, Vec<(u64, usize)>> = BTreeMap::new();
        for candidate in self.candidates.iter().filter(|candidate| chosen.contains(&candidate.at)) {
            if let Some(opening) = candidate.opening {
                by_opening.entry(opening).or_default().push((candidate.draw, candidate.at));
            }
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a count of rows"
        )]
        let most = ((self.max_same_opening * chosen.len() as f64) as usize).max(1);
        let beyond = |mut alike: Vec<(u64, usize)>| {
            alike.sort_unstable();
            alike.into_iter().skip(most).map(|(_, at)| at)
        };
        by_opening.into_values().flat_map(beyond).collect()
    }

    /// The candidates that the mix takes; all where nothing is mixed.
    fn choice(&self) -> Choice {
        if !self.mix.is_on() {
            return Choice { chosen: self.candidates.iter().map(|c| c.at).collect(), missing: Vec::new() };
        }
        let mut cells = self.cells();
        let wanted = self.wanted();
        let has = |parts: &Drawn, part: Part| parts.get(&part).map_or(0, Vec::len);
        let units =
            |parts: &Drawn| wanted.iter().map(|(part, weight)| has(parts, *part) / weight).min().unwrap_or(0);
        let common = cells.values().map(units).min().unwrap_or(0);
        let mut choice = Choice::default();
        for (cell, parts) in &mut cells {
            let lacks = |(part, weight): &&(Part, usize)| !self.mix.partial && has(parts, *part) < *weight;
            for (part, weight) in wanted.iter().filter(lacks) {
                let cell = if cell.is_empty() { "the whole set".to_owned() } else { cell.join(" × ") };
                let name: &str = (*part).into();
                choice.missing.push(format!("{cell}: {} {name} of at least {weight}", has(parts, *part)));
            }
            let count = if self.mix.partial { units(parts) } else { common };
            for (part, weight) in &wanted {
                let Some(of_part) = parts.get_mut(part) else { continue };
                of_part.sort_unstable();
                choice.chosen.extend(of_part.iter().take(count * weight).map(|(_, at)| *at));
            }
        }
        choice
    }

    /// The parts that the mix asks for, with their weights.
    fn wanted(&self) -> Vec<(Part, usize)> {
        let parts = [
            (Part::Harmful, self.mix.harmful),
            (Part::Borderline, self.mix.borderline),
            (Part::BenignTwin, self.mix.benign_twin),
            (Part::Benign, self.mix.benign),
        ];
        let asked = parts.into_iter().filter(|(_, weight)| *weight > 0);
        asked.map(|(part, weight)| (part, weight as usize)).collect()
    }

    /// The candidates that have a class, by cell and part.
    fn cells(&self) -> BTreeMap<Vec<String>, Drawn> {
        let harmful = |candidate: &&Candidate| candidate.class == Some(RequestClass::Harmful);
        let harmful: Vec<&Twin> = self.candidates.iter().filter(harmful).map(|c| &c.twin).collect();
        let ids: BTreeSet<&String> = harmful.iter().map(|twin| &twin.id).collect();
        let tags: BTreeSet<&String> = harmful.iter().filter_map(|twin| twin.tag.as_ref()).collect();
        let is_twin = |twin: &Twin| {
            twin.of.as_ref().is_some_and(|of| ids.contains(of))
                || twin.tag.as_ref().is_some_and(|tag| tags.contains(tag))
        };
        let mut cells: BTreeMap<Vec<String>, Drawn> = BTreeMap::new();
        for candidate in &self.candidates {
            let part = match candidate.class {
                None => continue,
                Some(RequestClass::Harmful) => Part::Harmful,
                Some(RequestClass::Borderline) => Part::Borderline,
                Some(RequestClass::Benign) if is_twin(&candidate.twin) => Part::BenignTwin,
                Some(RequestClass::Benign) => Part::Benign,
            };
            let parts = cells.entry(candidate.cell.clone()).or_default();
            parts.entry(part).or_default().push((candidate.draw, candidate.at));
        }
        cells
    }
}

/// The hash of the first words of an answer; `None` for one that has fewer.
fn opening(answer: &str) -> Option<u64> {
    // The first words stand at the beginning: a long answer need not be read whole.
    let start: String = answer.chars().take(400).collect();
    let words = words(&start);
    let first = words.get(..OPENING)?;
    Some(first.iter().fold(Parts::new("opening"), Parts::with).uniform())
}

#[cfg(test)]
mod tests;
