//! What a run is about to do, told before its first call: which model answers for each role, where it is, whether a key
//! goes with the calls, and how many calls the prompts will take.

use super::ProjectError;
use super::models::environment_variable;
use crate::pure::call::Role;
use crate::pure::method::MethodContext;
use crate::pure::prompt::{Message, Prompt};
use crate::pure::recipe::{LabelSource, ResolvedModel, RoleModels, SIM};
use crate::pure::reports::cost_estimate::{bounds, examination, total};
use crate::runtime::dataset::prompts::TakenColumns;
use crate::runtime::engine::{CallBounds, Event, ModelInUse, SentKey};
use crate::runtime::model::shown_url;

/// The event that tells what a run is about to do. `expected` is the number of prompts, where it is known.
pub(super) fn preflight(
    models: &RoleModels,
    context: &MethodContext,
    expected: Option<u64>,
    files: Vec<TakenColumns>,
) -> Result<Event, ProjectError> {
    let calls = expected.map(|prompts| call_bounds(context, prompts)).transpose()?.flatten();
    Ok(Event::Preflight { models: in_use(models), expected, calls, files })
}

/// Every model once, with the roles that it answers for.
fn in_use(models: &RoleModels) -> Vec<ModelInUse> {
    let mut found: Vec<ModelInUse> = Vec::new();
    for &role in Role::OF_RUNS {
        let model = models.of(role);
        let fallback = model.fallback.as_deref();
        for (model, is_fallback) in [(Some(model), false), (fallback, true)] {
            let Some(model) = model else { continue };
            let role = format!("{}{}", role.as_str(), if is_fallback { " (fallback)" } else { "" });
            let of_role = ModelInUse {
                roles: vec![role.clone()],
                model: model.model.clone(),
                endpoint: places_of(model),
                key: key_of(model),
            };
            match found
                .iter_mut()
                .find(|other| ModelInUse { roles: of_role.roles.clone(), ..(*other).clone() } == of_role)
            {
                Some(same) => same.roles.push(role),
                None => found.push(of_role),
            }
        }
    }
    found
}

/// The endpoints of a model as they may be shown.
fn places_of(model: &ResolvedModel) -> String {
    let urls: Vec<String> = model.base_urls().into_iter().map(shown_url).collect();
    if urls.is_empty() { SIM.to_owned() } else { urls.join(", ") }
}

fn key_of(model: &ResolvedModel) -> SentKey {
    let variable = &model.api_key_env;
    if model.is_sim() {
        SentKey::NotNeeded
    } else if variable.is_empty() {
        SentKey::Withheld
    } else if environment_variable(variable).is_some() {
        SentKey::Set { variable: variable.clone() }
    } else {
        SentKey::NotSet { variable: variable.clone() }
    }
}

/// The least and the most calls that prompts of one turn take. Pairs that somebody gives decide themselves how often they
/// are compared: for those there is no bound beforehand.
fn call_bounds(context: &MethodContext, prompts: u64) -> Result<Option<CallBounds>, ProjectError> {
    if context.label.source == LabelSource::Given {
        return Ok(None);
    }
    let prompt = Prompt::new(vec![Message::user("a prompt")], None, None);
    let (low, high) = bounds(context, &prompt).map_err(|error| ProjectError::input(error.to_string()))?;
    let (least, most) = examination(context).map_err(|error| ProjectError::input(error.to_string()))?;
    let calls = |first: f64, per_prompt: f64| first + (per_prompt * prompts as f64).ceil();
    Ok(Some(CallBounds {
        low: calls(total(&least).calls, total(&low).calls),
        high: calls(total(&most).calls, total(&high).calls),
    }))
}
