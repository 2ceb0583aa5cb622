//! What a guard decides between a client and a model: when text may leave, what stands in its place, what is written down.
//!
//! No IO and no clock: `faces::server` carries the bytes, and [`flow`] says which may go. How the judge is asked stands in
//! [`crate::pure::method`].

pub mod answer_text;
pub mod audit;
pub mod chat_request;
pub mod finding;
pub mod flow;
pub mod metrics;
pub mod reader;
pub mod rules;
pub mod schedule;
pub mod sse;
pub mod styled;
pub mod utc;
pub mod wording;

#[cfg(test)]
mod leak_tests;
