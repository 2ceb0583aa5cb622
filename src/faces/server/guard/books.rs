//! What is counted and written down of a request that is judged and carried no further: a moderation, a guardrail's question.

use super::judge::Judged;
use super::outlet::told;
use super::shared::{Policy, Shared};
use crate::pure::guard::audit::{CheckLine, Done, OutputLine, Received, hazard_and_style};
use crate::pure::guard::flow::Decision;
use crate::pure::guard::metrics::Counter;
use axum::http::StatusCode;
use axum::response::Response;

/// The books of one request.
#[derive(Clone, Copy)]
pub(super) struct Books<'a> {
    pub(super) shared: &'a Shared,
    pub(super) policy: &'a Policy,
    pub(super) id: &'a str,
    pub(super) route: &'a str,
}

/// How it ended.
#[derive(Clone, Copy)]
pub(super) struct Closing<'a> {
    pub(super) decision: Decision,
    /// In shadow: how it would have ended.
    pub(super) would: Option<Decision>,
    /// The request's check, if there was one.
    pub(super) input: Option<&'a Judged>,
    /// The checks of answers.
    pub(super) checks: &'a [Judged],
}

impl Books<'_> {
    /// Writes down that it was received. What cannot be written down is not judged: the response says so.
    pub(super) fn open(&self) -> Option<Response> {
        let Self { shared, policy, id, route } = self;
        let model = &policy.context.constitution.id;
        let at = shared.now();
        if shared.write_audit(&Received {
            event: "received",
            id,
            at: &at,
            app: policy.app.as_deref(),
            route,
            model,
            stream: false,
        }) {
            return None;
        }
        shared.count(Counter::TurnedAway, &["audit"]);
        let words = "The guard cannot write its audit, so it takes no requests on.";
        Some(told(StatusCode::SERVICE_UNAVAILABLE, words, "audit_failed"))
    }

    /// Counts it and writes down how it ended.
    pub(super) fn close(&self, closing: Closing<'_>) {
        let Self { shared, policy, id, route } = self;
        let Closing { decision, would, input, checks } = closing;
        shared.count(Counter::Requests, &[decision.as_str(), route]);
        if let Some(would) = would {
            shared.count(Counter::Would, &[would.as_str()]);
        }
        let grounds = input.into_iter().chain(checks).find_map(|judged| judged.finding.grounds());
        let (hazard, style) = hazard_and_style(grounds);
        shared.write_audit(&Done {
            event: "done",
            id,
            at: &shared.now(),
            app: policy.app.as_deref(),
            route,
            model: &policy.context.constitution.id,
            stream: false,
            mode: shared.settings.mode.as_str(),
            constitution: &policy.name,
            sha256: &policy.sha256,
            unscanned: &[],
            input: input.map_or_else(CheckLine::not_scanned, Judged::line),
            output: OutputLine {
                verdict: checks.is_empty().then_some("not-scanned"),
                checks: checks.iter().map(Judged::line).collect(),
                ..OutputLine::default()
            },
            decision: decision.as_str(),
            would: would.map(Decision::as_str),
            hazard,
            style,
            why: None,
            request: None,
            answer: None,
        });
    }
}
