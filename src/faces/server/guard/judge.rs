//! Asks the judge: one attempt at one call, within a budget of time. A client waits meanwhile, so there is no queue and no retry:
//! what is late, broken or unreadable is `undecided`, and the recipe says what becomes of it.

use super::shared::{Policy, Shared};
use crate::pure::answer::{Answer, Outcome};
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::Call;
use crate::pure::guard::finding::{Finding, finding};
use crate::pure::method::{GuardQuestion, GuardTurn, ask_guard};
use crate::runtime::model::{Recorded, Request, Transport as _, wire};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// The models of a policy, asked without a journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) shared: &'a Shared,
    pub(super) policy: &'a Policy,
}

impl Ask for Judge<'_> {
    async fn ask(&self, call: Call) -> Result<Answer, Stop> {
        let model = self.policy.context.models.answering(&call);
        let request = Request { model: model.clone(), body: wire::body(&call, model) };
        let failed = |why: String| Answer::without_text(Outcome::Failed(why));
        let answer = match self.shared.transports.send(&request, None).await {
            Ok(reply) if reply.status == 200 => {
                let recorded = Recorded {
                    status: 200,
                    body: Some(reply.body),
                    failure: None,
                    attempts: 1,
                    latency_ms: 0,
                };
                recorded.answer(false)
            }
            Ok(reply) => failed(format!("the {} gave status {}", call.role.as_str(), reply.status)),
            Err(fault) => failed(fault.to_string()),
        };
        tracing::debug!(
            role = call.role.as_str(),
            purpose = call.purpose.as_str(),
            outcome = answer.outcome.as_str(),
            "asked"
        );
        Ok(answer)
    }
}

/// What the judge finds within its budget, and how long it took.
pub(super) async fn judged(
    shared: &Shared,
    policy: &Policy,
    turns: &[GuardTurn],
    question: GuardQuestion<'_>,
    budget_ms: u64,
) -> (Finding, Duration) {
    let began = Instant::now();
    let judge = Judge { shared, policy };
    let asked = ask_guard(&judge, &policy.context, turns, question);
    let read = match timeout(Duration::from_millis(budget_ms), asked).await {
        Ok(read) => read,
        Err(_) => Err(format!("the judge did not answer within {budget_ms} ms")),
    };
    let took = began.elapsed();
    let read = read.as_ref().map_err(String::as_str);
    if let Err(why) = read {
        tracing::warn!(why, "a check has no verdict");
    }
    let found = finding(read, &policy.context.constitution, &policy.context.taxonomy);
    let stage = match question {
        GuardQuestion::Request => "input",
        GuardQuestion::Answer(_) => "output",
    };
    let mode = shared.settings.mode.as_str();
    shared.measure(|metrics| metrics.checked(stage, mode, &found, took.as_secs_f64()));
    (found, took)
}
