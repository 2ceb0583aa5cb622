//! The models of a recipe, ready to be asked. This is the one place that reads keys from the environment.

use super::ProjectError;
use super::Transports;
use crate::pure::recipe::Recipe;
use crate::pure::recipe::RoleModels;
use crate::runtime::model::{Client, KeyLookup, OnNews};
use secrecy::SecretString;
use std::sync::Arc;

/// The model of every role, or what the recipe lacks.
pub fn resolve(recipe: &Recipe) -> Result<RoleModels, ProjectError> {
    let models = RoleModels::resolve(&recipe.models).map_err(|role| {
        ProjectError::input(format!("the recipe names no model for the {}", role.as_str())).hint(
            "give `--model NAME` with `--base-url URL`, or `--model sim` for the built-in simulated model",
        )
    })?;
    for role in crate::pure::call::Role::OF_RUNS {
        let model = models.of(*role);
        if !model.is_sim() && model.base_url.is_none() {
            return Err(ProjectError::input(format!("the model `{}` has no base URL", model.model))
                .hint("give `--base-url URL`, or write `base_url = \"http://localhost:8000/v1\"` under `[models.default]`; OpenAI's own is https://api.openai.com/v1"));
        }
    }
    Ok(models)
}

/// A client over the recipe's endpoints and its simulated world.
pub fn client(recipe: &Recipe, on_retry: OnNews) -> Client<Transports> {
    Client::new(Transports::new(keys(), recipe.sim.clone()), recipe.limits.clone(), on_retry)
}

/// Looks keys up in the environment.
pub fn keys() -> KeyLookup {
    Arc::new(|name: &str| environment_variable(name).map(SecretString::from))
}

/// What an environment variable says, without white space around it; `None` where it says nothing.
#[expect(
    clippy::disallowed_methods,
    reason = "keys and the endpoint come from the environment variables that the recipe names"
)]
pub fn environment_variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok()?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}
