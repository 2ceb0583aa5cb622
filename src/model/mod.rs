//! Model calls: what is asked ([`Call`]), what comes back ([`Answer`]), and the layers between.
//!
//! ```text
//! method ─ask─▶ memo (journal) ─▶ limits (concurrency, RPM/TPM) ─▶ retry ─▶ transport (endpoint | sim)
//! ```
//!
//! Each layer is a small type that wraps the next. Only `endpoint` names async-openai.

mod answer;
mod call;
mod transport;

pub use answer::{Answer, Malformed, Outcome, TokenLogprob, TopLogprob, Usage};
pub use call::{Call, CallKey, ResponseFormat, Role, Sampling};
pub use transport::{Delta, Fault, OnDelta, Reply, Request, Transport};
