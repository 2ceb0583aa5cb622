//! The methods: straight-line async Rust over [`Ask`](crate::pure::ask::Ask).
//!
//! A method does no IO, reads no clock and draws no randomness of its own: it is a pure function from a prompt and
//! answers to a [`Transcript`](crate::pure::transcript::Transcript). That is what makes a run resumable, editable and deterministic.

pub mod ablation_metrics;
mod attack;
mod attack_drivers;
mod author;
mod chain;
mod confirm_revision;
mod context;
mod criticise;
mod critique_revision;
mod guard;
mod label;
mod make_transcript;
mod minimise;
pub mod multiple_choice;
mod option_reading;
mod prompt_session;
mod propositions;
mod safety_classifier;
mod seed_cells;
mod style;
mod test_cases;
#[cfg(test)]
pub(crate) mod tests;
pub mod verdict;
mod yes_or_no;

pub use attack::{
    Attacked, Attempt, Goal, Sent, TargetSide, Tried, judge_response, send_to_target, translate_goal,
};
pub use attack_drivers::{attack, put_goal};
pub use author::{FilledCell, SeedCell, WrittenPrompt, fill_cell, write_twin};
pub use context::MethodContext;
pub use criticise::read_letter;
pub use critique_revision::critique_revision;
pub use guard::{GuardQuestion, GuardReading, GuardTurn, ask_guard, judge_turn, read_guard, revise_answer};
pub use label::{GIVEN, label_chain, label_given, label_responses, label_samples, pairs};
pub use make_transcript::make_transcript;
pub use minimise::{Minimal, minimise};
pub use option_reading::{odds_of_answer, option_odds, read_option};
pub use propositions::read_propositions;
pub use safety_classifier::{Safety, ask_classifier};
pub use seed_cells::SeedPlan;
pub use style::{is_in_another_language, style};
pub use test_cases::{JudgedCase, LEAST_OF_A_KIND, criticise_case, examination_cases, is_examined};
