//! Runs work over many items: a method over the prompts of a run ([`run()`]), anything that asks over anything else
//! ([`each()`]). Both share the memo, the budget, the two steps of stopping, and the events.
//!
//! Nothing here reads a recipe or knows a directory: see [`crate::runtime::project`].

mod call_meter;
mod call_watcher;
mod each;
mod event;
mod event_bus;
mod input;
pub mod memo;
mod replay;
mod run;
mod shutdown;
mod spending;
#[cfg(test)]
mod tests;

pub use call_meter::{CallMeter, MeteredCalls};
pub use call_watcher::CallWatcher;
pub use each::{WorkSetup, each};
pub use event::{CallBounds, CallCounts, Event, MirrorNews, ModelInUse, SentKey, Summary, VerdictCounts};
pub use event_bus::EventBus;
pub use input::{ReadAhead, at_hand};
pub use replay::{Replay, Replayed};
pub use run::{Finished, RowRule, Run, run};
pub use shutdown::{Phase, Shutdown, Stopper, shutdown};
pub use spending::Spending;
