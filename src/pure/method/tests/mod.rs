//! The laws of the methods, over scripted and simulated models.
//!
//! [`scripted`] answers calls by a function; the simulated model plays a world with planted truth.

mod attack;
mod confirm_revision;
mod critique_revision;
mod label;
mod multiple_choice;
pub(crate) mod scripted;
mod style;
mod verdict_choice;
