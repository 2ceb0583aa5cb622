//! Reads anybody's dataset and says what is wrong with it; on demand writes it again without the rows that are.
//!
//! One pass over the rows: what is in a row is found by [`crate::pure::audit`], side by side on all cores, and what is between
//! rows (duplicates, contradictions, leaks) from some sixty bytes that are kept of each. A kept row is never changed. Nothing is
//! sent anywhere: who wants a judge to look at a sample takes its pairs from [`sample_pairs`].

mod between_rows;
mod holdout;
mod kept_rows;
mod layout;
mod pass;
mod sample;
mod target;
mod workers;

pub use kept_rows::{AuditedDataset, write_kept};
pub use layout::{ColumnNames, LayoutError};
pub use pass::{AuditError, AuditSettings, Audited, AuditedFile, RowPlace, audit};
pub use sample::sample_pairs;
