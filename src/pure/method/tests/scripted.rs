//! A scripted model for tests: a function from a call to an answer, a record of what was asked, and answers that come
//! back in any order.

use crate::pure::answer::{Answer, Outcome, TokenLogprob, TopLogprob, Usage};
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Call, Purpose, Role};
use crate::pure::constitution::{Constitution, Principle, When};
use crate::pure::digest::Parts;
use crate::pure::method::MethodContext;
use crate::pure::prompt::{Message, Prompt};
use crate::pure::recipe::RoleModels;
use crate::pure::recipe::{Gates, Method, Model, Models, Sim};
use crate::pure::template::Templates;
use crate::runtime::model::{Request, Transport, wire};
use crate::runtime::sim::SimTransport;
use std::sync::Mutex;

type Script<'s> = Box<dyn Fn(&Call) -> Answer + Send + Sync + 's>;

/// Answers by a script.
pub(crate) struct Scripted<'s> {
    script: Script<'s>,
    order: u64,
    pub(crate) calls: Mutex<Vec<Call>>,
}

impl<'s> Scripted<'s> {
    pub(crate) fn new(script: impl Fn(&Call) -> Answer + Send + Sync + 's) -> Self {
        Self { script: Box::new(script), order: 0, calls: Mutex::default() }
    }

    /// Answers come back in an order that depends on the number.
    pub(crate) fn in_order(self, order: u64) -> Self {
        Self { order, ..self }
    }

    pub(crate) fn asked(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// How many calls of each role were asked: `generator critic reviser judge`.
    pub(crate) fn count(&self) -> String {
        let calls = self.asked();
        let of = |role: &Role| calls.iter().filter(|call| call.role == *role).count().to_string();
        Role::OF_RUNS.iter().map(of).collect::<Vec<_>>().join(" ")
    }
}

impl Ask for Scripted<'_> {
    async fn ask(&self, call: Call) -> Result<Answer, Stop> {
        let turns = Parts::new("order").with_u64(self.order).with(call.key().0).uniform() % 7;
        for _ in 0..if self.order == 0 { 0 } else { turns } {
            tokio::task::yield_now().await;
        }
        let answer = (self.script)(&call);
        self.calls.lock().unwrap().push(call);
        Ok(answer)
    }
}

/// Runs on virtual time.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(work)
}

/// An answer of one token with its alternatives.
pub(crate) fn chooses(odds: &[(&str, f64)]) -> Answer {
    let top = odds.iter().map(|(token, p)| TopLogprob { token: (*token).into(), logprob: p.ln() }).collect();
    let (token, p) = odds[0];
    let token = TokenLogprob { token: token.into(), logprob: p.ln(), top };
    Answer { logprobs: Some(vec![token]), ..says(odds[0].0) }
}

/// A complete answer.
pub(crate) fn says(text: impl Into<String>) -> Answer {
    let usage = Usage { prompt: 10, cached: 3, completion: 5 };
    Answer { text: text.into(), usage, ..ends(Outcome::Complete) }
}

/// An answer without a text.
pub(crate) fn ends(outcome: Outcome) -> Answer {
    Answer {
        outcome,
        text: String::new(),
        reasoning: None,
        logprobs: None,
        usage: Usage::default(),
        finish_reason: None,
        model: None,
        attempts: 1,
        from_journal: false,
    }
}

pub(crate) fn principle(id: &str) -> Principle {
    Principle {
        id: id.into(),
        text: format!("The response keeps to {id}."),
        critique: None,
        revision: None,
        compare: None,
        priority: 0,
        hard: false,
        weight: 1.0,
        hazards: Vec::new(),
        when: When::default(),
        exceptions: Vec::new(),
        examples: Vec::new(),
        tests: Vec::new(),
        rules: Vec::new(),
        allow: Vec::new(),
    }
}

/// A context over principles of the given ids.
pub(crate) fn context(ids: &[&str], settings: Method) -> MethodContext {
    let constitution = Constitution {
        id: "test".into(),
        version: "1.0.0".into(),
        title: "Test".into(),
        description: String::new(),
        system: Some("You are kind.".into()),
        principles: ids.iter().map(|id| principle(id)).collect(),
        styles: crate::pure::constitution::Styles::default(),
    };
    let default = Model { model: Some("m".into()), ..Model::default() };
    let models = RoleModels::resolve(&Models { default, ..Models::default() }).unwrap();
    let gates = Gates::default();
    MethodContext::new(constitution, Templates::built_in(), models, settings, gates, 7).unwrap()
}

/// The built-in template that a request was rendered from, by its first line: what a test of requests looks at. A script
/// that answers goes by [`Call::purpose`].
pub(crate) fn template_of(call: &Call) -> &str {
    let first = request(call).lines().next().unwrap_or("");
    first.strip_prefix("[Review: ").and_then(|rest| rest.strip_suffix(']')).unwrap_or("?")
}

pub(crate) fn request(call: &Call) -> &str {
    &call.messages.last().unwrap().content
}

/// The principles that a request names, in order; what [`Call::purpose`] says must be the same.
pub(crate) fn named(call: &Call) -> Vec<&str> {
    // A screening names them in its system turn.
    let is_screening = matches!(call.purpose, Purpose::Screening { .. });
    let text = if is_screening { &call.messages[0].content } else { request(call) };
    let lines = text.lines().filter_map(|line| line.strip_prefix("Principle ["));
    lines.filter_map(|rest| rest.split_once("]:")).map(|(id, _)| id).collect()
}

/// The response that a call is about: what stands after the system turn and the prompt's one turn.
pub(crate) fn about(call: &Call) -> &str {
    &call.messages[2].content
}

pub(crate) fn prompt() -> Prompt {
    Prompt::new(vec![Message::user("How do I open the old harbour gate?")], None, None)
}

/// The simulated model in process, without retries and without a journal.
pub(crate) struct Simulated {
    pub(crate) transport: SimTransport,
    pub(crate) models: RoleModels,
}

impl Simulated {
    pub(crate) fn new(sim: Sim, cx: &MethodContext) -> Self {
        Self { transport: SimTransport::new(sim), models: cx.models.clone() }
    }
}

impl Ask for Simulated {
    async fn ask(&self, call: Call) -> Result<Answer, Stop> {
        let model = self.models.answering(&call);
        let request = Request { model: model.clone(), body: wire::body(&call, model) };
        let reply = self.transport.send(&request, None).await;
        Ok(reply
            .map_or_else(|fault| ends(Outcome::Failed(fault.to_string())), |reply| wire::read(&reply.body)))
    }
}
