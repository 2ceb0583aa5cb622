//! Prompts in; rows, splits, exports, card out.

pub(in crate::runtime) mod boilerplate;
pub mod choice_columns;
pub mod export;
pub mod multiple_choice;
pub mod prompts;
pub mod publish;
pub mod readers;
pub mod rows;
pub mod splits;
