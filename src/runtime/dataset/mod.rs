//! Prompts in; rows, splits, exports, card out.

pub mod export;
pub mod multiple_choice;
mod phrases;
pub mod prompts;
pub mod rows;
pub mod splits;
pub mod table;
