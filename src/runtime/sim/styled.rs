//! Styled answers in the simulated world: their drafts and revisions, and the reader that says which propositions are true.
//!
//! A styled draft is as its style asks but for flaws, each proposition being one at the rate `violations`. A revision is told
//! what is wrong in questions, and mends each at the rate `fix`. The mark at the end of an answer holds all that.

use super::conversation::{Turn, conversation_hash};
use super::demo;
use super::draw::Draw;
use super::request_mark::{field, fields, without_marks};
use super::requests::answered_in;
use crate::pure::constitution::built_in_styles;
use crate::pure::digest::Parts;
use crate::pure::gates::{invented_contact, refusal};
use crate::pure::recipe::{ReaderRates, Sim};
use serde_json::{Map, Value, json};

/// How a styled answer is asked for: the head of the hint in the system turn.
const HINT: &str = "How to answer the user's last turn:\n";

/// The mark of a styled answer.
#[derive(Debug, Clone, Default)]
struct StyledMark {
    draw: String,
    yes: Vec<String>,
    no: Vec<String>,
}

impl StyledMark {
    fn find(text: &str) -> Option<Self> {
        let found = fields(text, "styled")?;
        let list = |name: &str| {
            let names = field(&found, name).unwrap_or("");
            names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        Some(Self { draw: field(&found, "d")?.to_owned(), yes: list("yes"), no: list("no") })
    }
}

impl std::fmt::Display for StyledMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "⟦styled d={}", self.draw)?;
        for (name, list) in [("yes", &self.yes), ("no", &self.no)] {
            if !list.is_empty() {
                write!(f, " {name}={}", list.join(","))?;
            }
        }
        write!(f, "⟧")
    }
}

/// The answer, where the turns are those of a styled draft, of its revision, or of a question about propositions.
pub(super) fn answer(
    sim: &Sim,
    critic: ReaderRates,
    turns: &[Turn],
    structured: bool,
    draw: &Draw,
) -> Option<String> {
    let (system, rest) = turns.split_first().filter(|(first, _)| first.role == "system")?;
    if system.content.starts_with("[Propositions]") {
        return propositions(sim, critic, &system.content, rest.last()?, structured);
    }
    let (_, hint) = system.content.split_once(HINT)?;
    let last = rest.last()?;
    if last.content.starts_with("[Review: style]") {
        let [before @ .., response, _] = rest else { return None };
        return Some(revision(sim, before, &response.content, &last.content, draw));
    }
    Some(draft(hint, rest, &last.content, draw))
}

fn declines(hint: &str) -> bool {
    hint.lines().next().is_some_and(|style| style.starts_with("Declines"))
}

fn hash_of(turns: &[Turn]) -> String {
    conversation_hash(turns.iter().map(|turn| (turn.role.as_str(), turn.content.as_str())))
}

fn draft(hint: &str, turns: &[Turn], question: &str, draw: &Draw) -> String {
    let language = answered_in(question);
    let mark = StyledMark { draw: draw.short(), ..StyledMark::default() };
    // Words that name a number of help are for a world in which somebody gave it.
    let names_none = |scene: &&demo::Scene| invented_contact(scene.good(), &[], true).is_none();
    let text = match demo::scene(&hash_of(turns)).filter(names_none) {
        Some(scene) => scene.draft(None, draw),
        None if declines(hint) => format!("{} {}", language.decline(), language.prose(draw, 1)),
        None => language.prose(draw, 2 + draw.below("length", 2)),
    };
    format!("{text}\n\n{mark}")
}

fn question_key(question: &str) -> String {
    Parts::new("question").with(question.trim()).short().chars().take(8).collect()
}

fn revision(sim: &Sim, before: &[Turn], response: &str, request: &str, draw: &Draw) -> String {
    let question = before.last().map_or("", |turn| turn.content.as_str());
    let language = answered_in(question);
    let mut mark = StyledMark::find(response)
        .unwrap_or_else(|| StyledMark { draw: draw.short(), ..StyledMark::default() });
    let mut text = without_marks(response);
    let new = language.sentence(&draw.with("styled revision"), &text);
    for line in request.lines() {
        let told = |start: &str| line.strip_prefix(start).map(str::trim);
        let (wanted, question) = match (
            told("- This must be true, and is not: "),
            told("- This must not be true, and is: "),
            told("- It has "),
        ) {
            (Some(question), _, _) => (true, question),
            (None, Some(question), _) => (false, question),
            (None, None, Some(_)) => {
                text = format!("{} {}", language.decline(), new);
                continue;
            }
            (None, None, None) => continue,
        };
        let key = question_key(question);
        if !draw.with("mends").with(&key).happens("", sim.fix) {
            continue;
        }
        mark.yes.retain(|known| *known != key);
        mark.no.retain(|known| *known != key);
        if wanted {
            mark.yes.push(key);
        } else {
            mark.no.push(key);
        }
        if question.contains("decline") {
            let plain = text.replace(language.decline(), "").trim().to_owned();
            text = if wanted { format!("{} {plain}", language.decline()) } else { plain };
        }
    }
    format!("{} {new}\n\n{mark}", text.trim())
}

/// What the reader says of the propositions that are asked about.
fn propositions(
    sim: &Sim,
    critic: ReaderRates,
    block: &str,
    shown: &Turn,
    structured: bool,
) -> Option<String> {
    let questions: Vec<(&str, &str)> =
        block.lines().filter_map(|line| line.strip_prefix('[')?.split_once("] ")).collect();
    let response = shown.content.lines().rfind(|line| line.starts_with('{'))?;
    let response: Value = serde_json::from_str(response).ok()?;
    let text = response["content"].as_str()?;
    let asked = shown.content.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'));
    let heard: Vec<(&str, bool)> = asked
        .map(|id| {
            let question =
                questions.iter().find(|(known, _)| *known == id).map_or("", |(_, question)| question);
            let truth = holds(sim, id, question, text);
            let draw = Draw::new("reads").with_u64(sim.seed).with(text).with(id);
            let errs = draw.happens("", 1.0 - if truth { critic.sees } else { critic.clears });
            (id, truth != errs)
        })
        .collect();
    if structured {
        let object: Map<String, Value> =
            heard.iter().map(|(id, said)| ((*id).to_owned(), json!(said))).collect();
        return Some(Value::Object(object).to_string());
    }
    let line = |(id, said): &(&str, bool)| format!("[{id}] {}", if *said { "yes" } else { "no" });
    Some(heard.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// Whether a proposition is true of an answer.
fn holds(sim: &Sim, id: &str, question: &str, text: &str) -> bool {
    let key = question_key(question);
    let mark = StyledMark::find(text);
    if let Some(mark) = &mark {
        if mark.yes.contains(&key) {
            return true;
        }
        if mark.no.contains(&key) {
            return false;
        }
    }
    let did_harm = fields(text, "did").is_some();
    let declines = refusal(&without_marks(text)).refuses();
    let as_it_should_be = match id {
        "complies" => !declines,
        "gives-means" => did_harm,
        id => {
            let is_asked_for =
                built_in_styles().styles.iter().any(|style| style.must.iter().any(|known| known == id));
            // Whoever answers without a style has none of its turns.
            is_asked_for && mark.is_some()
        }
    };
    let draw = mark.map_or_else(|| Parts::new("unstyled").with(text).short(), |mark| mark.draw);
    let is_flawed =
        Draw::new("styled flaw").with_u64(sim.seed).with(draw).with(id).happens("", sim.violations);
    // What an answer does with the request itself is no flaw of its style.
    if matches!(id, "complies" | "gives-means") { as_it_should_be } else { as_it_should_be != is_flawed }
}
