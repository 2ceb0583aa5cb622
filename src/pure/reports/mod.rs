//! Figures over finished transcripts, and figures before a run: what a constitution, a critic or a change is worth.
//!
//! Arithmetic only. A report takes what [`crate::pure::method`] made, one transcript at a time, and gives numbers with
//! their intervals. It asks no model and writes no file.

pub mod ablation;
#[cfg(test)]
mod ablation_tests;
pub mod comparison;
pub mod cost_estimate;
pub mod coverage;
pub mod examination;
pub mod judge_report;
pub mod judge_report_text;
pub mod multiple_choice;
pub mod page;
pub mod refusal_rates;
pub mod refusals_seen;
pub mod run_page;
pub mod statistics;
pub mod style_report;
