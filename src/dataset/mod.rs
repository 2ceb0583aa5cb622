//! Prompts in; gates, rows, splits, exports, card out.

pub mod gates;
pub mod prompts;
mod reject;
pub mod table;

pub use reject::Reject;
