//! Rows: what one transcript becomes in each config. Pure; the writers and the splits know nothing of transcripts.

mod build;
mod of_critiques;
mod of_pairs;
mod schema;

pub use super::phrases::Boilerplate;
pub use build::{Context, Drop, Passport, pairs_of, rows_of, why_no_row};
pub use schema::{Chat, Column, Config, Kind, Row, Value};
