//! The rule that says whether a transcript gives a row. It is the export's rule, so that the counts of a run are those of
//! its dataset.

use super::Project;
use crate::pure::transcript::{Ended, Transcript};
use crate::runtime::dataset::rows::{Boilerplate, Context, why_no_row};
use crate::runtime::engine::RowRule;
use crate::runtime::journal::Row;
use std::sync::Arc;

impl Project {
    /// The row rule of this project.
    pub fn row_rule(&self) -> RowRule {
        let constitution = self.constitution.clone();
        let (gates, export, seed) = (self.recipe.gates.clone(), self.recipe.export.clone(), self.recipe.seed);
        Arc::new(move |transcript: &Transcript| {
            let context = Context {
                constitution: &constitution,
                constitution_sha256: "",
                seed,
                simulated: false,
                export: &export,
                gates: &gates,
                boilerplate: &Boilerplate::default(),
            };
            match why_no_row(transcript, &context) {
                None => Row::Kept,
                Some(reason) => Row::Rejected { reason, detail: detail_of(&transcript.ended).to_owned() },
            }
        })
    }
}

/// What happened to a transcript without a row, in a few words.
fn detail_of(ended: &Ended) -> &'static str {
    match ended {
        Ended::NoDraft(_) => "there is no usable draft",
        Ended::Labelled => "no two of its responses make a pair with a label",
        Ended::Conforms
        | Ended::Undecided
        | Ended::Rounds
        | Ended::Oscillation
        | Ended::RolledBack
        | Ended::RevisionFailed(_) => "the final response is not fit for a row",
    }
}
