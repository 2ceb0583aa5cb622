//! A budget with what earlier passes took of it.

use super::ProjectError;
use crate::pure::recipe::{Budget, Recipe};
use crate::runtime::engine::Spending;
use crate::runtime::journal::Reader;
use crate::runtime::model::Recorded;
use std::path::Path;

/// The budget of a recipe, or of a shard's part of it.
pub(super) fn spending(recipe: &Recipe, budget: &Budget) -> Result<Spending, ProjectError> {
    Spending::new(budget.clone(), &recipe.models).map_err(|role| {
        let role = role.as_str();
        ProjectError::input(format!("`budget.money` needs the price of every model, and the {role}'s has none")).hint(
            format!("add `price = {{ prompt = 0.15, completion = 0.60 }}` under `[models.{role}]`, for a million tokens each"),
        )
    })
}

/// Counts what the answers in the journal took, where the budget depends on it: each is read once.
pub(super) fn count_earlier(spending: &Spending, dir: &Path) -> Result<(), ProjectError> {
    if !spending.counts_tokens() {
        return Ok(());
    }
    Reader::open(dir)?.each_answer(|answer| {
        let Some(body) = answer.body else { return };
        let (role, bytes) = (answer.role, body.len());
        let recorded =
            Recorded { status: answer.status, body: Some(body), failure: None, attempts: 1, latency_ms: 0 };
        spending.add_earlier(role, bytes, recorded.answer(true).usage);
    })?;
    Ok(())
}
