//! Runs a method over many prompts: scheduling, shutdown, events.

mod event;
mod event_bus;
pub mod memo;
mod run;
mod shutdown;
#[cfg(test)]
mod tests;

pub use event::{CallCounts, Event, Summary, VerdictCounts};
pub use event_bus::EventBus;
pub use run::{Finished, RowRule, Run, run};
pub use shutdown::{Phase, Shutdown, Stopper, shutdown};
