//! The top floor: where people and programs meet amend. Words, arguments and exit codes; no rule is decided here.

pub mod cli;
pub mod server;
