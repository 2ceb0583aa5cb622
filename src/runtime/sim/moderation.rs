//! The simulated classifier: `POST /v1/moderations` in OpenAI's form. Categories are the hazards of the taxonomy.
//!
//! A text is harmful where it is a harmful request (by its mark, its label, or an attack that is read back to one), or an answer
//! that did what such a request asks for. The classifier errs at its rates, the same way each time for the same text. Pure.

use super::conversation::Turn;
use super::draw::Draw;
use super::request_mark::{field, fields};
use super::requests::Requests;
use super::wire::{answering_model, text_of};
use crate::pure::recipe::Sim;
use crate::pure::request_class::RequestClass;
use crate::pure::taxonomy::Taxonomy;
use serde_json::{Map, Value, json};

/// The model that is asked, and the texts. A list of parts is one text, as a message is.
pub(super) fn read(body: &Value) -> Result<(String, Vec<String>), String> {
    let model = body.get("model").and_then(Value::as_str).unwrap_or("sim").to_owned();
    let texts = match body.get("input") {
        None | Some(Value::Null) => return Err("`input` is missing".into()),
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(texts)) if texts.iter().all(Value::is_string) => {
            texts.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(parts @ Value::Array(list)) if list.iter().all(Value::is_object) => vec![text_of(parts)],
        Some(_) => return Err("`input` must be a text, a list of texts, or a list of parts".into()),
    };
    if texts.is_empty() {
        return Err("`input` is empty".into());
    }
    Ok((model, texts))
}

/// The body of the answer.
pub(super) fn answer(
    sim: &Sim,
    requests: Option<&Requests>,
    model: &str,
    texts: &[String],
    body_hash: u64,
) -> Value {
    let nothing = Requests::default();
    let requests = requests.unwrap_or(&nothing);
    let results: Vec<Value> = texts.iter().map(|text| result(&Verdict::of(sim, requests, text))).collect();
    json!({ "id": format!("modr-{body_hash:016x}"), "model": answering_model(model), "results": results })
}

/// What the classifier says of a text.
#[derive(Debug)]
pub(super) struct Verdict {
    /// The hazard, where it holds the text for harmful.
    pub(super) hazard: Option<String>,
    draw: Draw,
}

impl Verdict {
    pub(super) fn of(sim: &Sim, requests: &Requests, text: &str) -> Self {
        let draw = Draw::new("moderation").with_u64(sim.seed).with(text);
        let rates = requests.world.role.classifier;
        let harm = harm_in(requests, text);
        let right = draw.happens("right", if harm.is_some() { rates.sees } else { rates.clears });
        let hazard = match (harm, right) {
            (Some(hazard), true) => Some(hazard),
            (Some(_), false) | (None, true) => None,
            (None, false) => {
                let hazards = Taxonomy::built_in().hazards();
                hazards.get(draw.below("mistaken for", hazards.len())).map(|hazard| hazard.id.clone())
            }
        };
        Self { hazard, draw }
    }
}

/// The hazard of a text that is harmful.
fn harm_in(requests: &Requests, text: &str) -> Option<String> {
    if let Some(did) = fields(text, "did") {
        return Some(field(&did, "h").unwrap_or("none").to_owned());
    }
    let turn = Turn { role: "user".into(), content: text.to_owned() };
    let request = requests.request(&[turn], text);
    (request.class == RequestClass::Harmful).then(|| request.hazard.unwrap_or_else(|| "none".into()))
}

fn result(verdict: &Verdict) -> Value {
    let mut ids: Vec<&str> = Taxonomy::built_in().hazards().iter().map(|hazard| hazard.id.as_str()).collect();
    // A hazard that the taxonomy does not know is a category of this answer all the same.
    let found = verdict.hazard.as_deref();
    ids.extend(found.filter(|found| !ids.contains(found)));
    let (mut categories, mut scores) = (Map::new(), Map::new());
    for id in ids {
        let is_found = found == Some(id);
        let unit = verdict.draw.with(id).unit("score");
        categories.insert(id.to_owned(), json!(is_found));
        scores.insert(id.to_owned(), json!(if is_found { 0.5 + 0.5 * unit } else { 0.2 * unit }));
    }
    json!({ "flagged": found.is_some(), "categories": categories, "category_scores": scores })
}
