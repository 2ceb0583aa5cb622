//! Which role a request is for, as far as it tells: for the statistics.
//!
//! The requests of our templates say it in their first line. Whatever is no review and no work of a judge is a conversation to
//! answer, for a generator; a model that is attacked or guarded looks the same.

use super::conversation::{Kind, kind_of};
use super::wire::text_of;
use crate::pure::call::Role;
use serde_json::Value;

/// Who says whether a text is harmful: no role of a recipe.
pub(super) const CLASSIFIER: &str = "classifier";

/// The role that a body asks.
pub(super) fn role_of(body: &Value) -> &'static str {
    let turns = body.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let content =
        |turn: Option<&Value>| turn.and_then(|turn| turn.get("content")).map(text_of).unwrap_or_default();
    let system = turns.first().filter(|turn| turn.get("role").is_some_and(|role| role == "system"));
    let has_response = turns.len() > 1 + usize::from(system.is_some());
    let role = by_system_turn(content(system).trim_start())
        .unwrap_or_else(|| by_last_turn(&content(turns.last()), has_response));
    role.as_str()
}

fn by_system_turn(text: &str) -> Option<Role> {
    let head = text.lines().next()?;
    let roles = [
        ("[Guard]", Role::Judge),
        ("[Prompt check]", Role::Judge),
        ("[Same goal]", Role::Judge),
        ("[Propositions]", Role::Critic),
        ("[Author", Role::Author),
        ("[Attacker", Role::Attacker),
    ];
    roles.iter().find(|(start, _)| head.starts_with(start)).map(|(_, role)| *role)
}

fn by_last_turn(text: &str, has_response: bool) -> Role {
    if text.trim_start().starts_with("[Review: style]") {
        return Role::Reviser;
    }
    match kind_of(text, has_response) {
        Kind::Draft => Role::Generator,
        Kind::Critique | Kind::Screen | Kind::Verdict | Kind::VerdictChoice | Kind::RevisionCheck => {
            Role::Critic
        }
        Kind::Revision | Kind::MergedRevision | Kind::DirectRevision => Role::Reviser,
        Kind::Comparison | Kind::Choice => Role::Judge,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_tells_whom_it_asks() {
        let check = |system: &str, last: &str, role: &str| {
            let mut turns = Vec::new();
            if !system.is_empty() {
                turns.push(json!({ "role": "system", "content": system }));
            }
            turns.push(json!({ "role": "user", "content": last }));
            assert_eq!(role_of(&json!({ "messages": turns })), role, "{system} {last}");
        };
        check("", "How do I bake bread?", "generator");
        check("You are kind.", "How do I bake bread?", "generator");
        check("[Guard]\nPrinciple [kind]: …", "{}", "judge");
        check("[Author: prompt]\n…", "class: benign", "author");
        check("[Prompt check]\n…", "{}", "judge");
        check("[Attacker]\n…", "…", "attacker");
        check("[Propositions]\n…", "…", "critic");
        check("", "[Review: critique]\n…", "critic");
        check("", "[Review: merged revision]\n…", "reviser");
        check("How to answer the user's last turn:\n…", "[Review: style]\n…", "reviser");
        check("", "[Review: comparison]\n…", "judge");
        for odd in [json!({}), json!({ "messages": [] }), json!({ "messages": [7] }), json!([])] {
            assert_eq!(role_of(&odd), "generator", "{odd}");
        }
    }
}
