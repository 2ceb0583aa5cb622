//! The search for what gets past a model: which attack on which goal is tried next, and when to stop.
//!
//! An archive has a cell for each hazard, family of attacks and language. Attempts are planned in rounds of fixed size whose
//! results are applied in order, and every draw is a hash of the seed and the attempt's number. So the search is the same at any
//! concurrency, after any stop, and in every process. It asks nobody: `method::attack` does.

mod archive;
mod ci_reports;
mod hardening;
mod proof;
mod report;
#[cfg(test)]
mod tests;

pub use archive::{Archive, Cell, CellState, Ended, Found, Settings, Step};
pub use ci_reports::{to_junit, to_sarif};
pub use hardening::{Item, Side, held_out, item_id};
pub use proof::{Pair, Proof};
pub use report::{Beside, Broken, Family as FamilyReport, Qualification, Report};
