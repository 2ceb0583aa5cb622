//! One call on its way: where it can be asked, where it is, and what it has spent.

use super::known_endpoint::Station;
use crate::pure::ask::Stop;
use crate::pure::call::{Call, CallKey};
use crate::pure::text::printable;
use crate::runtime::model::endpoint::shown_url;
use crate::runtime::model::presence::GivenUp;
use crate::runtime::model::retry::SYSTEM_TURN;
use crate::runtime::model::transport::Request;
use crate::runtime::model::wire::fold_system;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// One call on its way.
pub(super) struct Asking<'a> {
    pub(super) call: &'a Call,
    pub(super) key: CallKey,
    pub(super) request: Request,
    /// Where it can be asked, the place that its prompt prefers first; never empty.
    pub(super) stations: Vec<Station>,
    /// The station that it is at.
    pub(super) at: usize,
    /// How many stations it has left behind, as attempts failed there.
    pub(super) left: usize,
    /// Attempts made.
    pub(super) attempts: u32,
    /// Those of them that count against the limit.
    pub(super) counted: u32,
    /// Time in attempts and in waits between them. Time in the queue is not the call's fault.
    pub(super) spent: Duration,
}

impl Asking<'_> {
    /// The station where the call is.
    pub(super) fn station(&self) -> &Station {
        &self.stations[self.at]
    }

    /// The stations in the order in which they are tried now: those where attempts failed come last.
    pub(super) fn order(&self) -> impl Iterator<Item = usize> {
        let (count, left) = (self.stations.len(), self.left);
        (0..count).map(move |n| (n + left) % count)
    }

    /// Goes to the first station at which the model is, or where it is time to look whether it is back; to the first of all
    /// where it is at none.
    pub(super) fn settle(&mut self) {
        let first = self.order().next().unwrap_or(0);
        let is_open = |at: &usize| {
            let presence = &self.stations[*at].presence;
            !presence.is_away() || presence.is_probe_due()
        };
        let open = self.order().find(is_open);
        self.at = open.unwrap_or(first);
        self.request.model.base_url.clone_from(&self.stations[self.at].url);
    }

    /// Other stations at which the model is.
    pub(super) fn others_there(&self) -> usize {
        let is_there = |(at, station): &(usize, &Station)| *at != self.at && !station.presence.is_away();
        self.stations.iter().enumerate().filter(is_there).count()
    }

    pub(super) fn is_another_there(&self) -> bool {
        self.others_there() > 0
    }

    /// Whether the next attempt is better made at another station.
    pub(super) fn prefers_another(&self) -> bool {
        let first = self.order().next().unwrap_or(0);
        self.is_another_there() && (self.station().presence.is_away() || first != self.at)
    }

    /// Whether there are several stations and none of them ever replied.
    pub(super) fn has_strangers_only(&self) -> bool {
        let replied = |station: &Station| station.endpoint.has_replied.load(Ordering::Relaxed);
        self.stations.len() > 1 && !self.stations.iter().any(replied)
    }

    /// Leaves a field out of the request. The call's key stays: it is what was asked for.
    pub(super) fn go_on_without(&mut self, field: &str) {
        if let Some(body) = self.request.body.as_object_mut() {
            if field == SYSTEM_TURN {
                return fold_system(body);
            }
            body.shift_remove(field);
            if field == "logprobs" {
                body.shift_remove("top_logprobs");
            }
        }
    }

    /// Counts a call that failed. Too many in a row stop the run, so that what is left can be asked another day.
    pub(super) fn count_failure(&self, message: &str, is_refusal: bool) -> Result<(), Stop> {
        let Some(failures) = self.station().line.fails(is_refusal) else { return Ok(()) };
        let why = format!(
            "the {} got no answer from {} in {failures} calls in a row, the last with: {message}; run again to go on",
            self.call.role.as_str(),
            self.shown_url(),
        );
        self.station().line.break_off(&why);
        tracing::warn!(role = self.call.role.as_str(), failures, "a role gets no answer, so the run stops");
        Err(Stop::Provider(why))
    }

    /// The end of the run, as the model is away for too long.
    pub(super) fn gives_up(&self, GivenUp { lasted, message }: &GivenUp) -> Stop {
        Stop::Provider(format!(
            "{} has been away for {:.0} s, and `limits.outage_s` allows no more; the last call ended with: {message}; run \
             again when it is back",
            self.place(),
            lasted.as_secs_f64(),
        ))
    }

    /// The model and its endpoint, as they may be shown.
    pub(super) fn place(&self) -> String {
        format!("`{}` at {}", printable(&self.request.model.model), self.shown_url())
    }

    pub(super) fn shown_url(&self) -> String {
        let url = self.request.model.base_url.as_deref();
        url.map_or_else(|| "the simulated model".into(), |url| format!("`{}`", shown_url(url)))
    }
}
