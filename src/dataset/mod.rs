//! Prompts in; gates, rows, splits, exports, card out.

mod reject;

pub use reject::Reject;
