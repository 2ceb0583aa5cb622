//! The way of one call ([`Call`]) to a model and back ([`Answer`]): limits, retries, the wire format, the endpoint.
//!
//! ```text
//! memo (engine) ─▶ limits (concurrency, RPM/TPM) ─▶ retry ─▶ transport (endpoint | sim)
//! ```
//!
//! Each layer is a small type that wraps the next. Only `endpoint` names async-openai.

mod body_budget;
pub mod capability_probe;
mod client;
mod endpoint;
mod limits;
mod line;
mod presence;
mod raw_response;
mod retry;
mod transport;
pub mod wire;

#[cfg(doc)]
use crate::pure::{answer::Answer, call::Call};
pub use client::{Client, ClientNews, ConcurrencyChange, OnNews, Outage, Retrying};
pub use endpoint::{Http, KeyLookup, PlainEndpoint, shown_url};
pub use limits::{LimitReason, Permit};
pub use raw_response::{Failure, Recorded};
pub use transport::{Delta, Fault, OnDelta, Reply, Request, Transport};
