//! Prompts in; gates, rows, splits, exports, card out.

pub mod gates;
mod reject;

pub use reject::Reject;
