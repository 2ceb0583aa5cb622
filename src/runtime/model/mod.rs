//! Model calls: what is asked ([`Call`]), what comes back ([`Answer`]), and the layers between.
//!
//! ```text
//! method ─ask─▶ memo (journal) ─▶ limits (concurrency, RPM/TPM) ─▶ retry ─▶ transport (endpoint | sim)
//! ```
//!
//! Each layer is a small type that wraps the next. Only `endpoint` names async-openai.

mod answer;
mod call;
mod client;
mod endpoint;
mod limits;
pub mod memo;
pub mod probe;
mod recorded;
mod retry;
pub mod sim;
mod transport;
mod transports;
pub mod wire;

pub use crate::pure::recipe::ResolvedModel;
pub use answer::{Answer, Malformed, Outcome, TokenLogprob, TopLogprob, Usage};
pub use call::{Call, CallKey, ResponseFormat, Role, Sampling};
pub use client::{Client, OnRetry, Retrying};
pub use endpoint::{Http, KeyLookup, shown_url};
pub use limits::Permit;
pub use recorded::{Failure, Recorded};
pub use transport::{Delta, Fault, OnDelta, Reply, Request, Transport};
pub use transports::Transports;
