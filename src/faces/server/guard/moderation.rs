//! The constitution as a moderation model: `POST /v1/moderations`, in the OpenAI form.
//!
//! Categories are the hazards that the constitution names. A text is judged as a request of a user. A score is 1 where a principle
//! is violated, 0.5 where the judge is unsure, and 0 otherwise: it is a verdict and no probability.

use super::books::{Books, Closing};
use super::judge::{Judged, judged};
use super::outlet::{plain, told};
use super::shared::{Policy, Shared};
use crate::pure::guard::finding::Finding;
use crate::pure::guard::flow::Decision;
use crate::pure::guard::metrics::Counter;
use crate::pure::method::{GuardQuestion, GuardTurn};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

/// The route, for the audit and the counts.
const ROUTE: &str = "moderations";

/// Most texts of one request.
const MOST: usize = 32;

/// The category of principles that name no hazard.
const OTHER: &str = "constitution";

pub(super) async fn moderate(shared: &Shared, policy: &Policy, body: &[u8]) -> Response {
    let Some(texts) = texts_in(body) else {
        shared.count(Counter::TurnedAway, &["unreadable"]);
        let words = format!("`input` must be a text, or a list of at most {MOST} texts.");
        return told(StatusCode::BAD_REQUEST, &words, "bad_request");
    };
    let id = shared.next_id();
    let books = Books { shared, policy, id: &id, route: ROUTE };
    if let Some(response) = books.open() {
        return response;
    }
    let close = |input: Option<&Judged>, decision: Decision| {
        books.close(Closing { decision, would: None, input, checks: &[] });
    };
    let mut results = Vec::new();
    let mut worst = None::<Judged>;
    for text in texts {
        let turn = GuardTurn { role: "user".into(), content: text };
        let judged = judged(shared, policy, &[turn], GuardQuestion::Request).await;
        let has_verdict = judged.finding.grounds().is_none_or(|grounds| grounds.why.is_none());
        if !has_verdict {
            close(Some(&judged), Decision::CouldNotJudge);
            let words = "The judge gave no verdict. Please try again in a moment.";
            return told(StatusCode::SERVICE_UNAVAILABLE, words, "could_not_judge");
        }
        results.push(result(policy, &judged.finding));
        let is_worse = worst.as_ref().is_none_or(|worst| worst.finding == Finding::Conforms);
        if is_worse || matches!(judged.finding, Finding::Violates(_)) {
            worst = Some(judged);
        }
    }
    close(worst.as_ref(), Decision::Answered);
    let body =
        json!({ "id": format!("modr-{id}"), "model": policy.context.constitution.id, "results": results });
    plain(StatusCode::OK, "application/json", body.to_string())
}

fn texts_in(body: &[u8]) -> Option<Vec<String>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |value: &Value| {
        let part = value.get("text").filter(|_| value["type"] == "text");
        part.unwrap_or(value).as_str().map(str::to_owned)
    };
    match body.get("input")? {
        Value::Array(texts) if !texts.is_empty() && texts.len() <= MOST => texts.iter().map(text).collect(),
        one => Some(vec![text(one)?]),
    }
}

/// One result: every hazard that the constitution names, and whether the text is about it.
fn result(policy: &Policy, finding: &Finding) -> Value {
    let score = match finding {
        Finding::Conforms => 0.0,
        Finding::Violates(_) => 1.0,
        Finding::Undecided(_) => 0.5,
    };
    let named = finding.grounds().map_or(&[][..], |grounds| &grounds.principles);
    let (mut categories, mut scores) = (Map::new(), Map::new());
    for principle in &policy.context.constitution.principles {
        let is_hit = named.contains(&principle.id);
        let other = [OTHER.to_owned()];
        let hazards = if principle.hazards.is_empty() { &other[..] } else { &principle.hazards };
        for hazard in hazards {
            let was = scores.get(hazard).and_then(Value::as_f64).unwrap_or(0.0);
            let now = if is_hit { score } else { 0.0_f64 }.max(was);
            categories.insert(hazard.clone(), json!(now >= 1.0));
            scores.insert(hazard.clone(), json!(now));
        }
    }
    json!({ "flagged": matches!(finding, Finding::Violates(_)), "categories": categories, "category_scores": scores })
}
