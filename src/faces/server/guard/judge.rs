//! Judges: the rules of the constitution first, then the judge, by one attempt at one call, within a budget of time. A client waits meanwhile, so there is no queue and no retry:
//! what is late, broken or unreadable is `undecided`, and the recipe says what becomes of it.

use super::shared::{Policy, Shared};
use crate::pure::answer::{Answer, Outcome};
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::Call;
use crate::pure::guard::audit::CheckLine;
use crate::pure::guard::finding::{Finding, classified, finding, ruled};
use crate::pure::guard::metrics::CheckLabels;
use crate::pure::guard::rules::RuleHit;
use crate::pure::method::{GuardQuestion, GuardTurn, MethodContext, ask_classifier, ask_guard};
use crate::pure::recipe::{GuardJudgeForm, Tier};
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

/// What a check came to.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) finding: Finding,
    /// What decided.
    pub(super) tier: Tier,
    pub(super) took: Duration,
}

/// What is found: by the rules at once, else by the judge within its budget, as far as the recipe names them.
pub(super) async fn judged(
    shared: &Shared,
    policy: &Policy,
    turns: &[GuardTurn],
    question: GuardQuestion<'_>,
) -> Judged {
    let (tiers, budget_ms) = match question {
        GuardQuestion::Request => (&shared.settings.input.tiers, shared.settings.input.budget_ms),
        GuardQuestion::Answer(_) => (&shared.settings.output.tiers, shared.settings.output.budget_ms),
    };
    let hit = tiers.contains(&Tier::Rules).then(|| match question {
        GuardQuestion::Request => policy.rules.in_request(turns),
        GuardQuestion::Answer(answer) => policy.rules.in_answer(answer),
    });
    let judged = match hit.flatten() {
        Some(hit) => policy.ruled(&hit),
        None if tiers.contains(&Tier::Screen) => screened(shared, policy, turns, question, budget_ms).await,
        None => Judged { finding: Finding::Conforms, tier: Tier::Rules, took: Duration::ZERO },
    };
    let stage = match question {
        GuardQuestion::Request => "input",
        GuardQuestion::Answer(_) => "output",
    };
    judged.count(shared, stage);
    judged
}

/// What the judge finds within its budget, and how long it took.
pub(super) async fn screened(
    shared: &Shared,
    policy: &Policy,
    turns: &[GuardTurn],
    question: GuardQuestion<'_>,
    budget_ms: u64,
) -> Judged {
    let began = Instant::now();
    let judge = Judge { shared, policy };
    let MethodContext { constitution, taxonomy, .. } = &policy.context;
    let asked = async {
        match shared.settings.judge.form {
            GuardJudgeForm::Constitution => {
                let read = ask_guard(&judge, &policy.context, turns, question).await?;
                Ok(finding(Ok(&read), constitution, taxonomy))
            }
            form @ (GuardJudgeForm::LlamaGuard | GuardJudgeForm::Qwen3Guard) => {
                let safety = ask_classifier(&judge, &policy.context, form, turns, question).await?;
                Ok(classified(&safety, constitution, taxonomy))
            }
        }
    };
    let read: Result<Finding, String> = match timeout(Duration::from_millis(budget_ms), asked).await {
        Ok(read) => read,
        Err(_) => Err(format!("the judge did not answer within {budget_ms} ms")),
    };
    let took = began.elapsed();
    let finding = read.unwrap_or_else(|why| {
        tracing::warn!(why, "a check has no verdict");
        finding(Err(&why), constitution, taxonomy)
    });
    Judged { finding, tier: Tier::Screen, took }
}

impl Judged {
    /// Counts it.
    pub(super) fn count(&self, shared: &Shared, stage: &str) {
        let labels = CheckLabels { stage, tier: self.tier.as_str(), mode: shared.settings.mode.as_str() };
        shared.measure(|metrics| metrics.checked(&labels, &self.finding, self.took.as_secs_f64()));
    }

    /// The line of the audit, where it is of a request.
    pub(super) fn line(&self) -> CheckLine {
        let ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        CheckLine::new(&self.finding, self.tier, None, ms)
    }
}

impl Policy {
    /// What a rule found comes to.
    pub(super) fn ruled(&self, hit: &RuleHit) -> Judged {
        let grounds = ruled(hit, &self.context.constitution, &self.context.taxonomy);
        Judged { finding: Finding::Violates(grounds), tier: Tier::Rules, took: Duration::ZERO }
    }
}
