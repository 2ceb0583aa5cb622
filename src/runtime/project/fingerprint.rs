//! The fingerprint of a run: a hash of everything but the prompt that decides a transcript and whether it gives a row.
//!
//! A transcript in the journal is current while its run's fingerprint is the same. Where an endpoint is, as whom it is
//! asked and how hard it is pressed are no part of it.

use super::Project;
use crate::pure::call::Role;
use crate::pure::digest::Parts;
use crate::pure::grade::Grade;
use crate::pure::recipe::{RoleModels, Target, VerdictForm};

impl Project {
    /// The fingerprint of this project with these models, in hexadecimal. `asked_by` is the form in which the critic is asked,
    /// which an examination may have found.
    pub fn fingerprint(&self, models: &RoleModels, asked_by: VerdictForm) -> String {
        let Self { recipe, constitution, templates, .. } = self;
        let text = |value: Result<String, toml::ser::Error>| value.unwrap_or_default();
        // The name of the hash is the one of version 0.1.0: its journals hold fingerprints made with it.
        let mut parts = Parts::new("plan")
            .with(constitution.sha256())
            .with(templates.sha256())
            .with(text(toml::to_string(&recipe.method)))
            .with(text(toml::to_string(&recipe.label)))
            .with(text(toml::to_string(&recipe.gates)))
            .with(recipe.export.keep_unresolved.to_string())
            .with_u64(recipe.seed);
        for role in Role::OF_RUNS {
            parts = parts.with(models.of(*role).identity());
        }
        // Transcripts hold the kept columns. The default adds nothing: fingerprints of version 0.1.0 do not have it.
        if let Some(names) = &recipe.input.keep {
            parts = parts.with("keep").with(names.join(","));
        }
        if recipe.method.target == Target::Style {
            parts = parts
                .with("styles")
                .with(constitution.styles.sha256())
                .with(<&str>::from(Grade::from(recipe.export.min_grade)));
        }
        // Runs without the question do not depend on its words.
        if recipe.gates.confirm_revision {
            parts = parts.with("confirm revision").with(templates.confirm_revision_source());
        }
        if asked_by != recipe.method.verdict {
            parts = parts.with("asked by").with(asked_by.as_str());
        }
        parts.hex()
    }
}
