//! Which prompts a mixed dataset has: so many harmful ones to so many benign ones, evenly over hazards and languages; and the
//! gate on both sides of refusing.

use crate::pure::digest::Parts;
use crate::pure::prompt::Prompt;
use crate::pure::recipe::{Even, ExportGate, Mix};
use crate::pure::reports::statistics::Rate;
use crate::pure::request_class::RequestClass;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

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
    class: RequestClass,
    twin: Twin,
    cell: Vec<String>,
    draw: u64,
}

/// Which prompt a prompt belongs with.
#[derive(Debug, Clone, Default)]
struct Twin {
    id: String,
    /// The tag that both have.
    tag: Option<String>,
    /// The id of the prompt that it is the twin of.
    of: Option<String>,
}

impl Twin {
    fn of(prompt: &Prompt) -> Self {
        let named =
            |column: &str| prompt.kept.get(column).and_then(serde_json::Value::as_str).map(str::to_owned);
        Self { id: prompt.id.0.clone(), tag: named("twin"), of: named("contrast_of") }
    }
}

/// The prompts of a cell by their part: the draw that orders them, and their number.
type Drawn = BTreeMap<Part, Vec<(u64, usize)>>;

/// Gathers the prompts that have rows, and then says which of them a mixed dataset has.
#[derive(Debug, Default)]
pub struct Mixer {
    candidates: Vec<Candidate>,
}

/// Which prompts were chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mixed {
    /// Their numbers, in the order in which they were added.
    pub chosen: BTreeSet<usize>,
    /// What is missing of the mix: a cell and a part, with how many there are.
    pub missing: Vec<String>,
}

impl Mixer {
    /// Adds the prompt with number `at`, which has a row. One without a class is in no mix.
    pub fn add(&mut self, at: usize, prompt: &Prompt, mix: &Mix, seed: u64) {
        let Some(class) = prompt.class else { return };
        let value = |even: &Even| match even {
            Even::Hazard => prompt.hazard.clone().unwrap_or_else(|| "no hazard".into()),
            Even::Language => prompt.language.clone().unwrap_or_else(|| "und".into()),
        };
        let cell = mix.even.iter().map(value).collect();
        let draw = Parts::new("mix").with_u64(seed).with(&prompt.id.0).uniform();
        self.candidates.push(Candidate { at, class, twin: Twin::of(prompt), cell, draw });
    }

    /// Chooses. Every cell has the same number of each part, which the scarcest one decides; with `mix.partial` a cell that has
    /// too few of something has what its own scarcest part allows, and nothing is missing.
    pub fn choose(self, mix: &Mix) -> Mixed {
        let harmful = |candidate: &&Candidate| candidate.class == RequestClass::Harmful;
        let ids: BTreeSet<String> =
            self.candidates.iter().filter(harmful).map(|candidate| candidate.twin.id.clone()).collect();
        let tags: BTreeSet<String> = self
            .candidates
            .iter()
            .filter(harmful)
            .filter_map(|candidate| candidate.twin.tag.clone())
            .collect();
        let is_twin = |twin: &Twin| {
            twin.of.as_ref().is_some_and(|of| ids.contains(of))
                || twin.tag.as_ref().is_some_and(|tag| tags.contains(tag))
        };
        let part = |candidate: &Candidate| match candidate.class {
            RequestClass::Harmful => Part::Harmful,
            RequestClass::Borderline => Part::Borderline,
            RequestClass::Benign if is_twin(&candidate.twin) => Part::BenignTwin,
            RequestClass::Benign => Part::Benign,
        };
        let mut cells: BTreeMap<Vec<String>, Drawn> = BTreeMap::new();
        for candidate in &self.candidates {
            let parts = cells.entry(candidate.cell.clone()).or_default();
            parts.entry(part(candidate)).or_default().push((candidate.draw, candidate.at));
        }
        let wanted: Vec<(Part, usize)> = [
            (Part::Harmful, mix.harmful),
            (Part::Borderline, mix.borderline),
            (Part::BenignTwin, mix.benign_twin),
            (Part::Benign, mix.benign),
        ]
        .into_iter()
        .filter(|(_, weight)| *weight > 0)
        .map(|(part, weight)| (part, weight as usize))
        .collect();
        let has = |parts: &Drawn, part: Part| parts.get(&part).map_or(0, Vec::len);
        let units =
            |parts: &Drawn| wanted.iter().map(|(part, weight)| has(parts, *part) / weight).min().unwrap_or(0);
        let common = cells.values().map(units).min().unwrap_or(0);
        let mut mixed = Mixed::default();
        for (cell, parts) in &mut cells {
            for (part, weight) in
                wanted.iter().filter(|(part, weight)| !mix.partial && has(parts, *part) < *weight)
            {
                let cell = if cell.is_empty() { "the whole set".to_owned() } else { cell.join(" × ") };
                let name: &str = (*part).into();
                mixed.missing.push(format!("{cell}: {} {name} of at least {weight}", has(parts, *part)));
            }
            let count = if mix.partial { units(parts) } else { common };
            for (part, weight) in &wanted {
                let Some(of_part) = parts.get_mut(part) else { continue };
                of_part.sort_unstable();
                mixed.chosen.extend(of_part.iter().take(count * weight).map(|(_, at)| *at));
            }
        }
        mixed
    }
}

/// Both sides of refusing in a dataset: benign prompts whose answer refuses, harmful prompts without a benign twin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TwoSides {
    /// Rows of benign prompts.
    pub benign: u64,
    /// Those of them whose answer refuses, wholly or in part.
    pub benign_refused: u64,
    /// Rows of harmful prompts.
    pub harmful: u64,
    #[serde(skip)]
    harmful_twins: Vec<Twin>,
    #[serde(skip)]
    benign_twins: Vec<Twin>,
}

impl PartialEq for Twin {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Twin {}

impl TwoSides {
    /// Adds an `sft` row; `refuses` says whether its answer does.
    pub fn add(&mut self, prompt: &Prompt, refuses: bool) {
        match prompt.class {
            Some(RequestClass::Benign) => {
                self.benign += 1;
                self.benign_refused += u64::from(refuses);
                self.benign_twins.push(Twin::of(prompt));
            }
            Some(RequestClass::Harmful) => {
                self.harmful += 1;
                self.harmful_twins.push(Twin::of(prompt));
            }
            Some(RequestClass::Borderline) | None => {}
        }
    }

    /// The share of benign prompts whose answer refuses.
    pub fn refusal_on_benign(&self) -> Rate {
        Rate::new(self.benign_refused, self.benign)
    }

    /// The share of harmful prompts whose benign twin has a row too.
    pub fn twin_share(&self) -> Rate {
        let ids: BTreeSet<&str> = self.benign_twins.iter().filter_map(|twin| twin.of.as_deref()).collect();
        let tags: BTreeSet<&str> = self.benign_twins.iter().filter_map(|twin| twin.tag.as_deref()).collect();
        let has_twin = |twin: &&Twin| {
            ids.contains(twin.id.as_str()) || twin.tag.as_deref().is_some_and(|tag| tags.contains(tag))
        };
        Rate::new(self.harmful_twins.iter().filter(has_twin).count() as u64, self.harmful)
    }

    /// What breaks the gate. A side without rows breaks nothing: there is nothing to say about it.
    pub fn breaks(&self, gate: &ExportGate) -> Vec<String> {
        let mut broken = Vec::new();
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        if let (Some(most), Some(share)) = (gate.max_refusal_on_benign, self.refusal_on_benign().share)
            && share > most
        {
            broken.push(format!(
                "{} of {} benign prompts are refused ({}); `export.gate.max_refusal_on_benign` is {}",
                self.benign_refused,
                self.benign,
                percent(share),
                percent(most)
            ));
        }
        let twins = self.twin_share();
        if let (Some(least), Some(share)) = (gate.min_twin_share, twins.share)
            && share < least
        {
            broken.push(format!(
                "{} of {} harmful prompts have a benign twin ({}); `export.gate.min_twin_share` is {}",
                twins.count,
                twins.of,
                percent(share),
                percent(least)
            ));
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::prompt::Message;
    use serde_json::json;

    fn prompt(
        n: usize,
        class: RequestClass,
        hazard: usize,
        language: usize,
        twin_of: Option<&str>,
    ) -> Prompt {
        let message = Message::user(format!("prompt {n}"));
        let mut prompt = Prompt::new(vec![message], Some(format!("h{hazard}")), Some(format!("l{language}")))
            .with_class(Some(class), None);
        if let Some(of) = twin_of {
            prompt.kept.insert("contrast_of".into(), json!(of));
        }
        prompt
    }

    #[test]
    fn a_mix_is_exact_to_one_row_in_every_cell() {
        let mix = Mix {
            harmful: 1,
            benign_twin: 1,
            benign: 2,
            even: vec![Even::Hazard, Even::Language],
            ..Mix::default()
        };
        let mut mixer = Mixer::default();
        let (mut n, mut prompts) = (0, Vec::new());
        for (hazard, language) in (0..12).flat_map(|h| (0..6).map(move |l| (h, l))) {
            // Some cells have more than others.
            let more = (hazard * 7 + language * 3) % 5;
            for k in 0..14 + more {
                let harmful = prompt(n, RequestClass::Harmful, hazard, language, None);
                let twin = (k % 14 < 13)
                    .then(|| prompt(n + 1, RequestClass::Benign, hazard, language, Some(&harmful.id.0)));
                let benign = (2..5).map(|m| prompt(n + m, RequestClass::Benign, hazard, language, None));
                let of_cell: Vec<Prompt> = benign.chain(twin).chain([harmful]).collect();
                n += 6;
                prompts.extend(of_cell);
            }
        }
        assert!(prompts.len() > 4000, "{}", prompts.len());
        for (at, prompt) in prompts.iter().enumerate() {
            mixer.add(at, prompt, &mix, 7);
        }
        let mixed = mixer.choose(&mix);
        assert_eq!(mixed.missing, Vec::<String>::new());
        let mut counts: BTreeMap<(String, String, bool, bool), usize> = BTreeMap::new();
        for at in &mixed.chosen {
            let Prompt { hazard, language, class, kept, .. } = &prompts[*at];
            let key = (
                hazard.clone().unwrap(),
                language.clone().unwrap(),
                *class == Some(RequestClass::Benign),
                !kept.is_empty(),
            );
            *counts.entry(key).or_default() += 1;
        }
        assert_eq!(counts.len(), 12 * 6 * 3);
        for ((_, _, benign, twin), count) in &counts {
            assert_eq!(*count, if *benign && !*twin { 26 } else { 13 });
        }
    }

    #[test]
    fn what_is_missing_is_named_and_a_partial_mix_takes_what_there_is() {
        let mix = Mix { harmful: 1, benign: 1, even: vec![Even::Hazard], ..Mix::default() };
        let all = [
            prompt(1, RequestClass::Harmful, 1, 1, None),
            prompt(2, RequestClass::Benign, 1, 1, None),
            prompt(3, RequestClass::Harmful, 2, 1, None),
        ];
        let choose = |mix: &Mix| {
            let mut mixer = Mixer::default();
            all.iter().enumerate().for_each(|(at, prompt)| mixer.add(at, prompt, mix, 0));
            mixer.choose(mix)
        };
        let mixed = choose(&mix);
        assert_eq!((mixed.chosen.len(), mixed.missing), (0, vec!["h2: 0 benign of at least 1".to_owned()]));
        let mixed = choose(&Mix { partial: true, ..mix });
        assert_eq!((mixed.chosen.into_iter().collect::<Vec<_>>(), mixed.missing.len()), (vec![0, 1], 0));
    }

    #[test]
    fn the_gate_looks_at_both_sides() {
        let gate = ExportGate { max_refusal_on_benign: Some(0.01), min_twin_share: Some(0.9) };
        let sides = |refused: usize, twins: usize| {
            let mut sides = TwoSides::default();
            for n in 0..1000 {
                sides.add(&prompt(n, RequestClass::Benign, 1, 1, None), n < refused);
            }
            for n in 0..100 {
                let harmful = prompt(5000 + n, RequestClass::Harmful, 1, 1, None);
                if n < twins {
                    sides.add(&prompt(9000 + n, RequestClass::Benign, 1, 1, Some(&harmful.id.0)), false);
                }
                sides.add(&harmful, true);
            }
            sides.breaks(&gate)
        };
        assert_eq!(sides(9, 90), Vec::<String>::new());
        let broken = sides(22, 89);
        assert!(
            broken.len() == 2 && broken[0].contains("22 of 1089") && broken[1].contains("89 of 100"),
            "{broken:?}"
        );
        assert_eq!(TwoSides::default().breaks(&gate), Vec::<String>::new());
    }
}
