//! Runs a method over many prompts: scheduling, shutdown, events.

mod event;

pub use event::{CallCounts, Event, Summary};
