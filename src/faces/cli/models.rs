//! The models of a recipe, ready to be asked. The one place that reads keys from the environment.

use super::Failure;
use crate::pure::recipe::Recipe;
use crate::pure::recipe::RoleModels;
use crate::runtime::model::{Client, KeyLookup, OnRetry};
use crate::runtime::project::Transports;
use secrecy::SecretString;
use std::sync::Arc;

/// The model of every role, or what the recipe lacks.
pub fn resolve(recipe: &Recipe) -> Result<RoleModels, Failure> {
    let models = RoleModels::resolve(&recipe.models).map_err(|role| {
        Failure::usage(format!("the recipe names no model for the {}", role.as_str())).hint(
            "give `--model NAME` with `--base-url URL`, or `--model sim` for the built-in simulated model",
        )
    })?;
    for role in crate::pure::call::Role::ALL {
        let model = models.of(role);
        if !model.is_sim() && model.base_url.is_none() {
            return Err(Failure::usage(format!("the model `{}` has no base URL", model.model))
                .hint("give `--base-url`, such as http://localhost:8000/v1 or https://api.openai.com/v1"));
        }
    }
    Ok(models)
}

/// A client over the recipe's endpoints and its simulated world.
pub fn client(recipe: &Recipe, on_retry: OnRetry) -> Client<Transports> {
    Client::new(Transports::new(keys(), recipe.sim.clone()), recipe.limits.clone(), on_retry)
}

/// Looks keys up in the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "keys come from the environment variable that the recipe names"
)]
pub fn keys() -> KeyLookup {
    Arc::new(|name: &str| {
        std::env::var(name)
            .ok()
            .filter(|key| !key.trim().is_empty())
            .map(|key| SecretString::from(key.trim()))
    })
}
