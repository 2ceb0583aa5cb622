//! Prompts in; gates, rows, splits, exports, card out.

pub mod export;
pub mod gates;
mod phrases;
pub mod prompts;
pub mod questions;
pub mod rows;
pub mod splits;
pub mod table;
