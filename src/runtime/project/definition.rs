//! A recipe with everything that it names, read and checked: what every run starts from.

use super::{InputFiles, ProjectError};
use crate::pure::constitution::{Constitution, Styles, built_in_styles};
use crate::pure::method::MethodContext;
use crate::pure::recipe::Recipe;
use crate::pure::recipe::{RoleModels, Target};
use crate::pure::taxonomy::Taxonomy;
use crate::pure::template::Templates;
use crate::runtime::journal::{KEY_VARIABLE, is_key_set};

/// A recipe and what it names.
#[derive(Debug)]
pub struct Project {
    /// What to run.
    pub recipe: Recipe,
    /// The constitution, extended and checked.
    pub constitution: Constitution,
    /// The templates, overrides laid over the built-in ones.
    pub templates: Templates,
    /// The harm taxonomy that hazard ids are of.
    pub taxonomy: &'static Taxonomy,
}

impl Project {
    /// Reads what a recipe names. Every problem of a file is in the error, not only the first. Warnings wait in `files`.
    pub fn open(mut recipe: Recipe, files: &mut InputFiles) -> Result<Self, ProjectError> {
        if recipe.encrypted && !is_key_set()? {
            let message = format!("the recipe says `encrypted = true`, and {KEY_VARIABLE} is not set");
            let hint = format!(
                "`export {KEY_VARIABLE}=$(openssl rand -hex 32)` sets a new key; keep it where the run's files are not"
            );
            return Err(ProjectError::input(message).hint(hint));
        }
        recipe.input.carries_labels =
            recipe.method.target == Target::Style || recipe.export.mix.is_on() || recipe.export.gate.is_on();
        let mut constitution = files.constitution(&recipe.constitution)?;
        match recipe.method.target {
            // A constitution without styles of its own has those that ship.
            Target::Style if constitution.styles.styles.is_empty() => {
                let resources = std::mem::take(&mut constitution.styles.resources);
                constitution.styles = Styles { resources, ..built_in_styles().clone() };
            }
            Target::Principles if constitution.principles.is_empty() => {
                let message = format!("`{}` has no principles", recipe.constitution);
                return Err(ProjectError::input(message).hint(
                    "add a `[[principle]]`, or work towards its styles with `--set method.target=\"style\"`",
                ));
            }
            Target::Style | Target::Principles => {}
        }
        let templates = files.templates(recipe.templates.as_deref())?;
        Ok(Self { recipe, constitution, templates, taxonomy: Taxonomy::built_in() })
    }

    /// What the methods work with, by this project.
    pub fn context(&self, models: &RoleModels) -> Result<MethodContext, ProjectError> {
        self.context_of(self.constitution.clone(), models)
    }

    /// The same with another constitution, such as a part of this one.
    pub fn context_of(
        &self,
        constitution: Constitution,
        models: &RoleModels,
    ) -> Result<MethodContext, ProjectError> {
        let Self { recipe, templates, .. } = self;
        let context = MethodContext::new(
            constitution,
            templates.clone(),
            models.clone(),
            recipe.method.clone(),
            recipe.gates.clone(),
            recipe.seed,
        );
        let context = context.map_err(|error| ProjectError::input(error.to_string()))?;
        Ok(context.with_label(recipe.label.clone()))
    }
}
