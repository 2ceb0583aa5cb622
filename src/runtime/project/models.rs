//! The models of a recipe, ready to be asked. This is the one place that reads keys from the environment.

use super::ProjectError;
use super::Transports;
use crate::pure::recipe::RoleModels;
use crate::pure::recipe::{Recipe, Sim};
use crate::runtime::model::{Client, KeyLookup, OnNews};
use crate::runtime::sim::{Requests, SimTransport, WorldError};
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
///
/// # Errors
///
/// A file of the simulated world that cannot be read.
pub fn client(recipe: &Recipe, on_retry: OnNews) -> Result<Client<Transports>, ProjectError> {
    Ok(Client::new(transports(&recipe.sim)?, recipe.limits.clone(), on_retry))
}

/// Endpoints over HTTP, and the simulated model in its world.
///
/// # Errors
///
/// A file of the simulated world that cannot be read.
pub fn transports(sim: &Sim) -> Result<Transports, ProjectError> {
    Ok(Transports::new(keys(), SimTransport::in_world(sim.clone(), requests(sim)?)))
}

/// The simulated world's requests, where its settings name some.
///
/// # Errors
///
/// A file that cannot be read.
pub fn requests(sim: &Sim) -> Result<Option<Requests>, ProjectError> {
    Requests::open(sim).map_err(|error| match error {
        WorldError::Unusable { message, hint } => ProjectError::input(message).hint(hint),
        WorldError::Findings { file, findings } => ProjectError::findings(&file, findings),
    })
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
