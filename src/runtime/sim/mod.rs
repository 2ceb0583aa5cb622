//! The simulated model: a provider that ships, in process ([`SimTransport`]) and over HTTP ([`Server`]).
//!
//! It plays a world with planted truth ([`World`]): which principles a draft violates, what the critic misses, what a
//! revision mends or breaks, which of two responses is better. Everything follows from the seed and the request, so
//! that answers are the same in any order, at any concurrency, in any process; a response carries its state in a
//! [`Mark`] at its end. It can be slow, limited, wrong and broken: see [`crate::pure::recipe::Sim`] for every knob.
//!
//! ```text
//! request body, attempt ─plan─▶ answer | error | reset | stall      (pure: plan, answer, judge, world, words)
//! transport, server ─▶ service (slots, rate limit, prefix cache, counts) ─▶ plan
//! ```
//!
//! Only `usage.prompt_tokens_details.cached_tokens` depends on what was asked before, as it does on real servers.
//! With `world`, `labels` or `learned` requests are harmful or harmless too (`requests.rs`), and an answer in a style is
//! graded (`styled.rs`).
//!
//! It never writes harmful text: violations are marks, prose is filler. To the shipped seed prompts it answers with words
//! written for them, so that a first run can be read (`demo.rs`).

mod answer;
mod artefacts;
mod asker;
mod attacker;
mod author;
mod cache;
mod conversation;
mod demo;
mod draw;
mod guard;
mod hostile;
mod judge;
mod known_cases;
mod lists;
mod mark;
mod moderation;
mod request_mark;
mod requests;
#[cfg(test)]
mod roles_tests;
mod score;
mod server;
#[cfg(test)]
mod server_tests;
mod service;
mod simulate;
mod stream;
mod structure;
mod styled;
#[cfg(test)]
mod tests;
mod transport;
mod wire;
mod words;
mod world;

pub use mark::Mark;
pub use request_mark::is_marked;
pub use requests::{Requests, WorldError};
pub use score::{Score, Tally, Truth, truth};
pub use server::Server;
pub use service::Stats;
pub use transport::SimTransport;
pub use world::{Seen, World};
