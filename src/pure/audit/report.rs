//! What an audit came to: counts by code with their intervals, and figures of the whole set. Its words are in
//! `report_text.rs`.

use super::judged_sample::SampleReport;
use super::shortcut::Shortcut;
use crate::pure::reports::statistics::{Mean, Rate};
use serde::Serialize;

/// What an audit came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditReport {
    /// What the rows were read as.
    pub shape: &'static str,
    /// Rows, those that cannot be read too.
    pub rows: u64,
    /// Every code that such rows can have.
    pub codes: Vec<CodeReport>,
    /// How far the longer reply is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length_bias: Option<LengthBias>,
    /// How far surface features tell the labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortcut: Option<Shortcut>,
    /// Phrases that chosen replies have far more often than rejected ones, with the pairs of each side that have them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phrases: Vec<(String, u64, u64)>,
    /// How often replies refuse.
    pub refusals: Vec<RefusalReport>,
    /// Rows and refusals by hazard and language, where the file names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<CellReport>,
    /// Pairs of a hazard and a language, both of which the file has, without a row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub empty_cells: Vec<String>,
    /// What a judge made of a random sample of pairs, where one was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleReport>,
}

/// One code.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CodeReport {
    /// Its name.
    pub code: String,
    /// Rows that have it.
    #[serde(flatten)]
    pub rate: Rate,
    /// The first of them.
    pub places: Vec<String>,
}

/// How far the longer reply is chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LengthBias {
    /// Of pairs whose lengths differ: those whose chosen reply is longer, in bytes.
    pub chosen_longer: Rate,
    /// The difference of the mean lengths, in standard deviations.
    pub cohens_d: f64,
    /// Length of chosen replies, in bytes.
    pub chosen_bytes: Mean,
    /// Length of rejected replies, in bytes.
    pub rejected_bytes: Mean,
}

/// How often replies refuse.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RefusalReport {
    /// Which replies: `chosen`, `rejected` or `reply`.
    pub of: &'static str,
    /// Those that decline.
    pub full: Rate,
    /// Those that decline a part and help with another.
    pub partial: Rate,
}

/// The rows of one hazard in one language.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellReport {
    /// The hazard.
    pub hazard: String,
    /// The language.
    pub language: String,
    /// Rows.
    pub rows: u64,
    /// Those whose reply, or chosen reply, refuses.
    pub refused: Rate,
}

impl AuditReport {
    /// The share of rows that have a code; `None` for a code that such rows cannot have.
    pub fn share_of(&self, code: &str) -> Option<f64> {
        let report = self.codes.iter().find(|report| report.code == code)?;
        Some(report.rate.share.unwrap_or(0.0))
    }
}
