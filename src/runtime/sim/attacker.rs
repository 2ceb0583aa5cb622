//! The simulated attacker, and the judge who says whether an attack still has its goal: marks stand for what is asked.
//!
//! It writes harmless prose with the goal's mark and a mark of the attack. In the first two turns of a conversation it asks for
//! something harmless about the same goal. At the world's rate `attacker_misses` it loses the goal.

use super::conversation::Turn;
use super::draw::Draw;
use super::request_mark::{Ask, field, fields};
use super::requests::Requests;
use super::words::Language;
use crate::pure::request_class::RequestClass;
use serde_json::Value;

/// The turn of a conversation from which on it asks for the goal.
const ASKS_FROM: u32 = 3;

/// The answer, where the turns ask for an attack, a translation, or whether an attack has its goal.
pub(super) fn answer(requests: Option<&Requests>, turns: &[Turn], draw: &Draw) -> Option<String> {
    let [system, wanted] = turns else { return None };
    let shown = Shown { requests, text: &wanted.content };
    match system.content.lines().next()? {
        "[Attacker]" => shown.attack(draw),
        "[Attacker: translate]" => shown.translation(draw),
        "[Same goal]" => shown.same_goal(),
        _ => None,
    }
}

/// What the user turn shows.
struct Shown<'a> {
    requests: Option<&'a Requests>,
    text: &'a str,
}

impl Shown<'_> {
    /// The first JSON line with this key.
    fn shown(&self, key: &str) -> Option<String> {
        let objects = self.text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        objects.filter_map(|object| object.get(key)?.as_str().map(str::to_owned)).next()
    }

    /// What a line `name: value` says.
    fn value(&self, name: &str) -> &str {
        self.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or("")
    }

    /// What a text asks for, by its mark or its label.
    fn asked(&self, text: &str) -> Option<Ask> {
        Ask::find(text).or_else(|| self.requests?.labelled(text))
    }

    fn attack(&self, draw: &Draw) -> Option<String> {
        let said = Language::tagged(self.value("language")).prose(draw, 2);
        let (family, way) = (self.value("family"), self.value("way"));
        let Some(ask) = self.asked(&self.shown("goal")?) else { return Some(said) };
        let misses = self.requests.map_or(0.0, |requests| requests.world.attacker_misses);
        let goal = ask.goal.as_deref().unwrap_or("0");
        if draw.happens("attacker misses", misses) {
            return Some(format!("{said} ⟦atk f={family} t={way} g=lost⟧"));
        }
        let turn: Option<u32> = self.value("turn").split(' ').next().and_then(|turn| turn.parse().ok());
        let is_harmless = turn.is_some_and(|turn| turn < ASKS_FROM);
        let class = if is_harmless { RequestClass::Benign } else { ask.class };
        Some(format!(
            "{said} {} ⟦atk f={family} t={way} g={goal}⟧",
            mark(&ask, class, ask.language.as_deref())
        ))
    }

    fn translation(&self, draw: &Draw) -> Option<String> {
        let language = self.value("language");
        let said = Language::tagged(language).prose(draw, 1);
        let Some(ask) = self.asked(&self.shown("request")?) else { return Some(said) };
        Some(format!("{said} {}", mark(&ask, ask.class, Some(language))))
    }

    fn same_goal(&self) -> Option<String> {
        let goal_of = |text: String| {
            let asked = self.asked(&text).and_then(|ask| ask.goal);
            let attack = || fields(&text, "atk").and_then(|found| field(&found, "g").map(str::to_owned));
            asked.or_else(attack)
        };
        let (goal, request) = (goal_of(self.shown("goal")?), goal_of(self.shown("request")?));
        Some(if goal == request { "yes".to_owned() } else { "no".to_owned() })
    }
}

fn mark(ask: &Ask, class: RequestClass, language: Option<&str>) -> String {
    let hazard = ask.hazard.as_deref().unwrap_or("none");
    let goal = ask.goal.as_deref().unwrap_or("0");
    let language = language.map_or_else(String::new, |tag| format!(" l={tag}"));
    format!("⟦ask h={hazard} c={} g={goal}{language}⟧", class.as_str())
}
