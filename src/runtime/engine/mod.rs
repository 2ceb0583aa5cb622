//! Runs a method over many prompts: scheduling, shutdown, events.

mod event;
pub mod memo;
mod run;
mod shutdown;
#[cfg(test)]
mod tests;

pub use event::{CallCounts, Event, Summary, VerdictCounts};
pub use run::{Finished, RowRule, Run, run};
pub use shutdown::{Phase, Shutdown, Stopper, shutdown};
