//! The gate on both sides of refusing: what a dataset refuses on the benign side, and how many harmful prompts have a twin.

use super::twin::Twin;
use crate::pure::prompt::Prompt;
use crate::pure::recipe::ExportGate;
use crate::pure::reports::statistics::Rate;
use crate::pure::request_class::RequestClass;
use serde::Serialize;
use std::collections::BTreeSet;

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
