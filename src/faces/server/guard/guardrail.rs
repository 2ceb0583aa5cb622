//! The guard as a guardrail of LiteLLM's proxy: `POST /beta/litellm_basic_guardrail_api`. Source of the form: LiteLLM's "Generic
//! Guardrail API". Other gateways have web hooks of the same form.
//!
//! A gateway carries the text, and the guard only says what is to become of it: `NONE` (it goes on), `GUARDRAIL_INTERVENED`
//! (other texts go on), or `BLOCKED`.

use super::books::{Books, Closing};
use super::judge::{Judge, Judged, judged};
use super::outlet::{plain, told};
use super::shared::{Policy, Shared};
use crate::pure::guard::chat_request::read_request;
use crate::pure::guard::finding::{Finding, GRAVE, Grounds};
use crate::pure::guard::flow::Decision;
use crate::pure::guard::metrics::Counter;
use crate::pure::method::{GuardQuestion, GuardTurn, revise_answer};
use crate::pure::recipe::{OnViolation, UndecidedInput, UndecidedOutput, UnscannableParts};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

/// The route, for the audit and the counts.
const ROUTE: &str = "guardrail";
/// Most texts of one request.
const MOST: usize = 256;

/// What a gateway asks. Fields that are not named here say nothing of the text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Question {
    texts: Vec<String>,
    input_type: String,
    /// The conversation, where the gateway gives it.
    structured_messages: Option<Vec<Value>>,
    images: Option<Vec<Value>>,
}

/// What is to become of the texts.
enum Action {
    Pass,
    Change(Vec<String>),
    Block(String),
}

/// Answers a gateway's question.
pub(super) async fn guardrail(shared: &Shared, policy: &Policy, body: &[u8]) -> Response {
    let unreadable = |words: String| {
        shared.count(Counter::TurnedAway, &["unreadable"]);
        told(StatusCode::BAD_REQUEST, &words, "bad_request")
    };
    let question: Question = match serde_json::from_slice(body) {
        Ok(question) => question,
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            return unreadable(format!("The request cannot be read (line {line}, column {column})."));
        }
    };
    if question.texts.len() > MOST {
        return unreadable(format!("`texts` has {} texts; {MOST} are the most.", question.texts.len()));
    }
    let is_request = match question.input_type.as_str() {
        "request" => true,
        "response" => false,
        _ => return unreadable("`input_type` must be `request` or `response`.".to_owned()),
    };
    let id = shared.next_id();
    let books = Books { shared, policy, id: &id, route: ROUTE };
    if let Some(response) = books.open() {
        return response;
    }
    let guardrail = Guardrail { shared, policy, books };
    let has_images = question.images.as_ref().is_some_and(|images| !images.is_empty());
    let action = if has_images && shared.settings.unscannable.parts == UnscannableParts::Refuse {
        guardrail.unscannable()
    } else if is_request {
        guardrail.request(&question).await
    } else {
        guardrail.response(&question).await
    };
    let body = match action {
        Action::Pass => json!({ "action": "NONE" }),
        Action::Change(texts) => json!({ "action": "GUARDRAIL_INTERVENED", "texts": texts }),
        Action::Block(reason) => json!({ "action": "BLOCKED", "blocked_reason": reason }),
    };
    plain(StatusCode::OK, "application/json", body.to_string())
}

struct Guardrail<'a> {
    shared: &'a Shared,
    policy: &'a Policy,
    books: Books<'a>,
}

impl Guardrail<'_> {
    /// Closes the books. A guard that only looks on lets everything pass, and says what it would have done.
    fn close(&self, decision: Decision, input: Option<&Judged>, checks: &[Judged], action: Action) -> Action {
        let is_shadow = self.shared.is_shadow();
        let (decision, would) =
            if is_shadow { (Decision::Answered, Some(decision)) } else { (decision, None) };
        self.books.close(Closing { decision, would, input, checks });
        if is_shadow { Action::Pass } else { action }
    }

    fn unscannable(&self) -> Action {
        let words = "The request holds images, which cannot be checked here. Send text only.".to_owned();
        self.close(Decision::CouldNotJudge, None, &[], Action::Block(words))
    }

    async fn request(&self, question: &Question) -> Action {
        let turns = conversation(question).unwrap_or_else(|| {
            let user = |text: &String| GuardTurn { role: "user".into(), content: text.clone() };
            question.texts.iter().map(user).collect()
        });
        let judged = judged(self.shared, self.policy, &turns, GuardQuestion::Request).await;
        let (decision, action) = match &judged.finding {
            Finding::Violates(grounds) => {
                (Decision::AnsweredByStyle, Action::Block(self.declined(&turns, grounds)))
            }
            Finding::Undecided(grounds)
                if grounds.severity >= GRAVE
                    || self.shared.settings.input.undecided == UndecidedInput::Closed =>
            {
                (Decision::CouldNotJudge, Action::Block(self.not_judged(&turns)))
            }
            Finding::Conforms | Finding::Undecided(_) => (Decision::Answered, Action::Pass),
        };
        self.close(decision, Some(&judged), &[], action)
    }

    async fn response(&self, question: &Question) -> Action {
        let turns = conversation(question).unwrap_or_default();
        let (mut texts, mut checks) = (question.texts.clone(), Vec::new());
        let mut decision = Decision::Answered;
        for text in &mut texts {
            let judged = judged(self.shared, self.policy, &turns, GuardQuestion::Answer(text)).await;
            let finding = judged.finding.clone();
            checks.push(judged);
            match finding {
                Finding::Violates(grounds) => {
                    let instead = self.in_place_of(&turns, text, &grounds, &mut checks).await;
                    let Some(instead) = instead else {
                        let action = Action::Block(self.declined(&turns, &grounds));
                        return self.close(Decision::Stopped, None, &checks, action);
                    };
                    (*text, decision) = instead;
                }
                Finding::Undecided(grounds)
                    if grounds.severity >= GRAVE
                        || self.shared.settings.output.undecided == UndecidedOutput::Closed =>
                {
                    let action = Action::Block(self.not_judged(&turns));
                    return self.close(Decision::CouldNotJudge, None, &checks, action);
                }
                Finding::Conforms | Finding::Undecided(_) => {}
            }
        }
        let action = if decision == Decision::Answered { Action::Pass } else { Action::Change(texts) };
        self.close(decision, None, &checks, action)
    }

    /// What goes on in place of an answer that violates principles: a revision that was judged again, or words that decline.
    async fn in_place_of(
        &self,
        turns: &[GuardTurn],
        answer: &str,
        grounds: &Grounds,
        checks: &mut Vec<Judged>,
    ) -> Option<(String, Decision)> {
        let on_violation = self.shared.settings.output.on_violation;
        if on_violation == OnViolation::Stop {
            return None;
        }
        // A guard that only looks on pays for no revision.
        if on_violation == OnViolation::Revise && !self.shared.is_shadow() {
            let judge = Judge { shared: self.shared, policy: self.policy };
            let asked = revise_answer(&judge, &self.policy.context, turns, answer, &grounds.principles);
            if let Ok(Ok(Some(text))) = timeout(self.shared.patience, asked).await {
                let again = judged(self.shared, self.policy, turns, GuardQuestion::Answer(&text)).await;
                let holds = again.finding == Finding::Conforms;
                checks.push(again);
                if holds {
                    return Some((text, Decision::Revised));
                }
            }
        }
        Some((self.declined(turns, grounds), Decision::Replaced))
    }

    fn declined(&self, turns: &[GuardTurn], grounds: &Grounds) -> String {
        self.policy.wording(&self.shared.settings.answer, turns).declined(grounds)
    }

    fn not_judged(&self, turns: &[GuardTurn]) -> String {
        self.policy.wording(&self.shared.settings.answer, turns).not_judged()
    }
}

/// The conversation, where the gateway gave one that can be read.
fn conversation(question: &Question) -> Option<Vec<GuardTurn>> {
    let messages = question.structured_messages.as_ref().filter(|messages| !messages.is_empty())?;
    let body = json!({ "messages": messages }).to_string();
    read_request(body.as_bytes()).ok().map(|request| request.turns)
}
