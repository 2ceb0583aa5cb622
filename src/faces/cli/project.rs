//! A recipe with everything that it names, read and checked: what every command that asks a model starts from.

use super::Failure;
use super::inputs::Inputs;
use super::settings::RecipeArgs;
use crate::pure::constitution::Constitution;
use crate::pure::diagnostic::SourceFile;
use crate::pure::method::MethodContext;
use crate::pure::recipe::Recipe;
use crate::pure::recipe::RoleModels;
use crate::pure::taxonomy::Taxonomy;
use crate::pure::template::Templates;

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
    /// Reads the recipe, the flags and what they name. Every problem of a file is told at once.
    pub fn load(args: &RecipeArgs) -> Result<Self, Failure> {
        let recipe = args.resolve()?;
        let mut inputs = Inputs::default();
        let constitution = inputs.constitution(&recipe.constitution)?;
        let templates = inputs.templates(recipe.templates.as_deref())?;
        Ok(Self { recipe, constitution, templates, taxonomy: Taxonomy::built_in() })
    }

    /// What the methods work with, by this project.
    pub fn context(&self, models: &RoleModels) -> Result<MethodContext, Failure> {
        self.context_of(self.constitution.clone(), models)
    }

    /// The same with another constitution, such as a part of this one.
    pub fn context_of(
        &self,
        constitution: Constitution,
        models: &RoleModels,
    ) -> Result<MethodContext, Failure> {
        let Self { recipe, templates, .. } = self;
        let context = MethodContext::new(
            constitution,
            templates.clone(),
            models.clone(),
            recipe.method.clone(),
            recipe.gates.clone(),
            recipe.seed,
        );
        let context = context.map_err(|error| Failure::usage(error.to_string()))?;
        Ok(context.with_label(recipe.label.clone()))
    }
}

/// Reads a constitution: a file, or a built-in one by name.
pub fn read_constitution(name: &str) -> Result<Constitution, Failure> {
    Inputs::default().constitution(name)
}

/// Reads a constitution whose text is at hand.
pub fn read_constitution_text(main: &SourceFile) -> Result<Constitution, Failure> {
    Inputs::default().constitution_text(main)
}
