//! What is wrong with the rows of a dataset, whoever made it: codes for single rows, and figures of the whole set.
//!
//! Pure: it reads no file and asks no model. `runtime::audit` reads the rows and says what they are rows of.

mod code;
mod item;
mod judged_sample;
mod judged_sample_text;
mod report;
mod report_text;
mod secrets;
mod shape;
mod shortcut;
mod tallies;

pub use code::{Code, CodeSet, Cuts, Name};
pub use item::{Cut, Found, Item, Reply, findings, findings_detail};
pub use judged_sample::{SampleReport, SampleTally, SampledPair, draw_rows};
pub use report::{AuditReport, CodeReport};
pub use secrets::{Secret, secrets_in};
pub use shape::Shape;
pub use shortcut::{Shortcut, ShortcutSample};
pub use tallies::{PLACES, Tallies};
