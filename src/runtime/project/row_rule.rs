//! The rule that says whether a transcript gives a row, with the constitution and the settings of a project.

use super::Project;
use crate::pure::transcript::Transcript;
use crate::runtime::dataset::rows::{Boilerplate, Context, MoreColumns, keep_or_reject};
use crate::runtime::engine::RowRule;
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
                more_columns: MoreColumns::None,
                export: &export,
                gates: &gates,
                boilerplate: &Boilerplate::default(),
            };
            keep_or_reject(transcript, &context)
        })
    }
}
