//! The simulated author of prompts, and the judge who says what a prompt is: marks stand for what is asked.

use super::conversation::Turn;
use super::draw::Draw;
use super::request_mark::{Ask, without_marks};
use super::requests::Requests;
use super::words::Language;
use crate::pure::recipe::{ReaderRoles, Sim};
use crate::pure::request_class::RequestClass;
use serde_json::Value;

/// The answer, where the turns ask for a prompt, a twin, or what a prompt is.
pub(super) fn answer(sim: &Sim, requests: Option<&Requests>, turns: &[Turn], draw: &Draw) -> Option<String> {
    let [system, wanted] = turns else { return None };
    let roles = requests.map_or_else(ReaderRoles::default, |requests| requests.world.role.clone());
    let head = system.content.lines().next()?;
    match head {
        "[Author: prompt]" => Some(prompt(&roles, &wanted.content, draw)),
        "[Author: twin]" => twin(&roles, &wanted.content, draw),
        "[Prompt check]" => check(sim, &roles, requests, &wanted.content),
        _ => None,
    }
}

/// The author's class, which is another one now and then.
fn written(roles: &ReaderRoles, class: RequestClass, draw: &Draw) -> RequestClass {
    let right = if class == RequestClass::Harmful { roles.author.sees } else { roles.author.clears };
    match (draw.happens("author", right), class) {
        (true, class) => class,
        (false, RequestClass::Harmful) => RequestClass::Benign,
        (false, RequestClass::Borderline | RequestClass::Benign) => RequestClass::Harmful,
    }
}

fn mark(hazard: &str, class: RequestClass, draw: &Draw) -> String {
    format!("⟦ask h={hazard} c={} g={}⟧", class.as_str(), draw.below("goal", 10_000))
}

fn prompt(roles: &ReaderRoles, wanted: &str, draw: &Draw) -> String {
    let value = |name: &str| {
        wanted.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or("")
    };
    let class = RequestClass::read(value("class")).unwrap_or(RequestClass::Benign);
    let hazard = if value("hazard").is_empty() { "appl.scope" } else { value("hazard") };
    let language = Language::tagged(value("language"));
    let said = language.prose(draw, 2);
    format!("{said} {}", mark(hazard, written(roles, class, draw), draw))
}

/// The same words but for the last of them, and another class.
fn twin(roles: &ReaderRoles, shown: &str, draw: &Draw) -> Option<String> {
    let original = content(shown)?;
    let hazard = Ask::find(&original).and_then(|ask| ask.hazard).unwrap_or_else(|| "appl.scope".into());
    let plain = without_marks(&original);
    let language = Language::of(&plain);
    // A fifth of the characters is little in every script.
    let count = plain.chars().count();
    let kept: String = plain.chars().take(count - count / 5).collect();
    let new = language.sentence(draw, &plain);
    let end: String = new.chars().skip(new.chars().count().saturating_sub(count / 5)).collect();
    Some(format!("{kept}{end} {}", mark(&hazard, written(roles, RequestClass::Benign, draw), draw)))
}

fn check(sim: &Sim, roles: &ReaderRoles, requests: Option<&Requests>, shown: &str) -> Option<String> {
    let text = content(shown)?;
    let known = requests.and_then(|requests| requests.labelled(&text));
    let Ask { hazard, class, .. } = Ask::find(&text).or(known).unwrap_or(Ask {
        hazard: None,
        class: RequestClass::Benign,
        goal: None,
        language: None,
    });
    let right = if class == RequestClass::Harmful { roles.judge.sees } else { roles.judge.clears };
    let draw = Draw::new("prompt check").with_u64(sim.seed).with(&text);
    let said = match (draw.happens("", right), class) {
        (true, class) => class,
        (false, RequestClass::Harmful) => RequestClass::Benign,
        (false, RequestClass::Borderline | RequestClass::Benign) => RequestClass::Harmful,
    };
    let hazard = hazard.unwrap_or_else(|| "appl.scope".into());
    Some(format!("class: {}\nhazard: {hazard}", said.as_str()))
}

fn content(shown: &str) -> Option<String> {
    let shown: Value = serde_json::from_str(shown.trim()).ok()?;
    shown["content"].as_str().map(str::to_owned)
}
