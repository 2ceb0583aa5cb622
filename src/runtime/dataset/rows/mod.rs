//! Rows: what one transcript becomes in each config. Pure; the writers and the splits know nothing of transcripts.

mod critique_rows;
mod keep_or_reject;
mod preference_rows;
mod row_builder;
mod schema;
mod styled_columns;

pub use super::boilerplate::Boilerplate;
pub use crate::pure::recipe::Config;
pub use keep_or_reject::keep_or_reject;
pub use row_builder::{Context, Drop, Passport, pairs_of, rows_of, why_no_row};
pub use schema::{Chat, Column, Kind, MoreColumns, Row, Value};
