//! What a client knows of an endpoint, and an endpoint as one call meets it.

use crate::pure::call::Call;
use crate::runtime::model::limits::Limiter;
use crate::runtime::model::line::{Line, LineKey};
use crate::runtime::model::presence::Presence;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

/// What is known of one endpoint.
pub(super) struct Endpoint {
    pub(super) limiter: Limiter,
    /// Whether each model is there, by its name.
    pub(super) presences: Mutex<BTreeMap<String, Arc<Presence>>>,
    /// Whether anything ever came from it, with whatever status.
    pub(super) has_replied: AtomicBool,
    pub(super) lines: Mutex<BTreeMap<LineKey, Arc<Line>>>,
    /// Optional fields of a request that a model refused, by the model's name.
    pub(super) refused: Mutex<BTreeSet<(String, &'static str)>>,
}

/// An endpoint as a call meets it.
#[derive(Clone)]
pub(super) struct Station {
    pub(super) url: Option<String>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) line: Arc<Line>,
    pub(super) presence: Arc<Presence>,
}

impl Endpoint {
    /// Notes that a model refuses a field; whether that is news.
    pub(super) fn refuses(&self, model: &str, field: &'static str) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.insert((model.to_owned(), field))
    }

    /// The fields that a model refused.
    pub(super) fn refused_by(&self, model: &str) -> Vec<&'static str> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.iter().filter(|(name, _)| name == model).map(|(_, field)| *field).collect()
    }

    /// What is known of whether a model is there.
    pub(super) fn presence(&self, model: &str) -> Arc<Presence> {
        let mut presences = self.presences.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(presence) = presences.get(model) {
            return Arc::clone(presence);
        }
        Arc::clone(presences.entry(model.to_owned()).or_default())
    }

    /// The line that a call belongs to.
    pub(super) fn line(&self, call: &Call) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lines.entry(LineKey::of(call)).or_default())
    }
}
