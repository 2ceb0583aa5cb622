//! What is remembered of a request until it is over, then counted and written down: once.

use super::incoming::Incoming;
use super::judge::Judged;
use super::shared::{Policy, Shared};
use crate::pure::gates::read_refusal;
use crate::pure::guard::answer_text::AnswerText;
use crate::pure::guard::audit::{CheckLine, Done, OutputLine, hazard_and_style, kept};
use crate::pure::guard::finding::{Finding, Grounds};
use crate::pure::guard::flow::Decision;
use crate::pure::guard::metrics::{Counter, Seconds};
use crate::pure::recipe::AuditText;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::time::Instant;

/// What is remembered of one request.
#[derive(Debug, Default)]
pub(super) struct Record {
    input: Option<CheckLine>,
    checks: Vec<CheckLine>,
    grounds: Option<Grounds>,
    severity: u8,
    why: Option<String>,
    first_came: Option<Instant>,
    first_left: Option<Instant>,
    ended: Option<Instant>,
    is_undecided: [bool; 2],
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    pub(super) decision: Decision,
    pub(super) would: Option<Decision>,
    pub(super) released: usize,
}

impl Record {
    pub(super) fn screened(&mut self, judged: &Judged) {
        let finding = &judged.finding;
        self.note(finding);
        self.is_undecided[0] = matches!(finding, Finding::Undecided(_));
        self.input = Some(judged.line());
    }

    pub(super) fn checked(&mut self, judged: &Judged, upto: usize) {
        let Judged { finding, tier, took } = judged;
        self.note(finding);
        self.is_undecided[1] |= matches!(finding, Finding::Undecided(_));
        self.checks.push(CheckLine::new(finding, *tier, Some(upto), millis(*took)));
    }

    /// Whether a check of the answer is written down.
    pub(super) fn has_checks(&self) -> bool {
        !self.checks.is_empty()
    }

    fn note(&mut self, finding: &Finding) {
        if let Some(grounds) = finding.grounds() {
            self.severity = self.severity.max(grounds.severity);
        }
        if let Finding::Violates(grounds) = finding {
            self.ground(grounds);
        }
    }

    /// Why something was decided; the first reason stays.
    pub(super) fn ground(&mut self, grounds: &Grounds) {
        self.why = self.why.take().or_else(|| grounds.why.clone());
        if self.grounds.is_none() && (!grounds.principles.is_empty() || grounds.hazard.is_some()) {
            self.grounds = Some(grounds.clone());
        }
    }

    pub(super) fn grounds(&self) -> Option<&Grounds> {
        self.grounds.as_ref()
    }

    pub(super) fn not_scanned(&mut self) {
        self.checks.push(CheckLine::not_scanned());
    }

    pub(super) fn failed(&mut self, why: String) {
        self.why.get_or_insert(why);
    }

    pub(super) fn came(&mut self) {
        self.first_came.get_or_insert_with(Instant::now);
    }

    pub(super) fn left(&mut self) {
        self.first_left.get_or_insert_with(Instant::now);
    }

    pub(super) fn ended(&mut self) {
        self.ended.get_or_insert_with(Instant::now);
    }

    /// Counts it and writes it down.
    pub(super) fn settle(
        &mut self,
        shared: &Shared,
        policy: &Policy,
        incoming: &Incoming,
        answer: &AnswerText,
        ending: Ending,
    ) {
        let Ending { decision, would, released } = ending;
        let held = self.first_came.zip(self.first_left).map(|(came, left)| left.duration_since(came));
        shared.measure(|metrics| {
            metrics.count(Counter::Requests, &[decision.as_str(), ROUTE]);
            if let Some(would) = would {
                metrics.count(Counter::Would, &[would.as_str()]);
            }
            let acted = if decision == Decision::CouldNotJudge { "closed" } else { "passed" };
            for (stage, _) in ["input", "output"].iter().zip(self.is_undecided).filter(|(_, is)| *is) {
                metrics.count(Counter::Undecided, &[stage, acted]);
            }
            if decision == Decision::Answered {
                if let Some(text) = answer.only_content() {
                    metrics.count(Counter::UpstreamRefusals, &[read_refusal(text).class.as_str()]);
                }
                if let Some(held) = held {
                    metrics.took(Seconds::FirstByteAdded, &[], held.as_secs_f64());
                }
                if let Some(ended) = self.ended {
                    metrics.took(Seconds::LastByteAdded, &[], ended.elapsed().as_secs_f64());
                }
            }
        });
        let (hazard, style) = hazard_and_style(self.grounds.as_ref());
        let how = shared.settings.audit.text;
        let at = shared.now();
        let checks = std::mem::take(&mut self.checks);
        shared.write_audit(&Done {
            event: "done",
            id: &incoming.id,
            at: &at,
            app: policy.app.as_deref(),
            route: ROUTE,
            model: &incoming.chat.model,
            stream: incoming.chat.stream,
            mode: shared.settings.mode.as_str(),
            constitution: &policy.name,
            sha256: &policy.sha256,
            unscanned: &incoming.chat.unscannable,
            input: self.input.take().unwrap_or_else(CheckLine::not_scanned),
            output: OutputLine {
                verdict: checks.is_empty().then_some("not-scanned"),
                checks,
                released_before: released,
                held_ms: held.map(millis),
            },
            decision: decision.as_str(),
            would: would.map(Decision::as_str),
            hazard,
            style,
            why: self.why.take(),
            request: kept(&conversation(incoming), how, self.severity),
            answer: if how == AuditText::None { None } else { kept(&answer.shown(), how, self.severity) },
        });
    }
}

/// The route of an exchange, for the audit and the counts.
pub(super) const ROUTE: &str = "chat";

fn conversation(incoming: &Incoming) -> String {
    incoming.chat.turns.iter().fold(String::new(), |mut text, turn| {
        let _ = writeln!(text, "{}: {}", turn.role, turn.content);
        text
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
