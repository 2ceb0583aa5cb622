//! What a client tells while it asks.

use crate::pure::call::Role;
use crate::runtime::model::limits::LimitReason;
use std::sync::Arc;
use std::time::Duration;

/// An attempt failed and will be made again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retrying {
    /// Who was asked.
    pub role: Role,
    /// What went wrong, such as `429` or `timeout`.
    pub cause: String,
    /// Time until the next attempt.
    pub wait: Duration,
    /// The optional field that the endpoint refuses, and that is left out from now on.
    pub refused: Option<&'static str>,
}

/// The number of calls that may be in flight at an endpoint changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConcurrencyChange {
    /// The endpoint, as it may be shown.
    pub endpoint: String,
    /// Calls in flight from now on.
    pub calls: u32,
    /// Calls in flight until now.
    pub before: u32,
    /// Why.
    pub reason: LimitReason,
}

/// An endpoint went away, or is back.
#[derive(Debug, Clone, PartialEq)]
pub enum Outage {
    /// Calls wait until it answers a probe.
    Begins {
        /// The model, at its endpoint as it may be shown.
        place: String,
        /// What the endpoint said, or what went wrong on the way to it.
        message: String,
        /// How long it is waited for.
        patience: Duration,
        /// Other endpoints that serve it meanwhile.
        others: usize,
    },
    /// It answers again.
    Ends {
        /// The model, at its endpoint as it may be shown.
        place: String,
        /// How long it was away.
        lasted: Duration,
    },
}

/// What a client tells while it asks.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientNews {
    /// An attempt will be made again.
    Retry(Retrying),
    /// More or fewer calls may be in flight at once.
    Concurrency(ConcurrencyChange),
    /// An endpoint went away, or is back.
    Outage(Outage),
}

/// Hears what a client tells. It must not block.
pub type OnNews = Arc<dyn Fn(ClientNews) + Send + Sync>;
