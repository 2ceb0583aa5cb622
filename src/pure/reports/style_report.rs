//! What styled answers came to: their grades before and after revision, and what they lacked.

use super::statistics::Rate;
use crate::pure::grade::{Finding, Grade};
use crate::pure::transcript::Transcript;
use serde::Serialize;
use std::collections::BTreeMap;

/// The answers of one style.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StyleReport {
    /// The style's id.
    pub style: String,
    /// Answers.
    pub answers: u64,
    /// First drafts, by grade.
    pub drafts: BTreeMap<Grade, u64>,
    /// The answers that were kept in the end, by grade.
    pub finals: BTreeMap<Grade, u64>,
    /// The share of the kept answers that are ideal.
    pub ideal: Rate,
    /// Of the first drafts, how often each proposition was true, by its id.
    pub true_of_drafts: BTreeMap<String, u64>,
    /// Propositions about which nobody could say anything, by id, over all responses.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub undecided: BTreeMap<String, u64>,
    /// Propositions that rules decided, and those that a model was asked about, over all responses.
    pub by_rule: Rate,
}

/// Adds styled transcripts up, one at a time.
#[derive(Debug, Clone, Default)]
pub(super) struct StyleSums {
    styles: BTreeMap<String, StyleReport>,
}

impl StyleSums {
    pub(super) fn add(&mut self, transcript: &Transcript) {
        let Some(styled) = &transcript.styled else { return };
        let report = self.styles.entry(styled.style.clone()).or_default();
        let (Some(draft), Some(last)) = (styled.of(0), styled.of(transcript.last)) else { return };
        report.answers += 1;
        *report.drafts.entry(draft.grade).or_default() += 1;
        *report.finals.entry(last.grade).or_default() += 1;
        let holds = |finding: &&Finding| finding.holds == Some(true);
        for finding in draft.findings.iter().filter(holds) {
            *report.true_of_drafts.entry(finding.id.clone()).or_default() += 1;
        }
        for finding in styled.graded.iter().flat_map(|graded| &graded.findings) {
            report.by_rule.of += 1;
            report.by_rule.count += u64::from(finding.by_rule);
            if finding.holds.is_none() {
                *report.undecided.entry(finding.id.clone()).or_default() += 1;
            }
        }
    }

    pub(super) fn finish(self) -> Vec<StyleReport> {
        let finish = |(style, report): (String, StyleReport)| {
            let ideal = report.finals.get(&Grade::Ideal).copied().unwrap_or(0);
            StyleReport {
                style,
                ideal: Rate::new(ideal, report.answers),
                by_rule: Rate::new(report.by_rule.count, report.by_rule.of),
                ..report
            }
        };
        self.styles.into_iter().map(finish).filter(|report| report.answers > 0).collect()
    }
}

impl StyleReport {
    /// The grades as words: `ideal 90, acceptable 3`, the best first.
    pub fn grades(counts: &BTreeMap<Grade, u64>) -> String {
        let each = counts.iter().rev().map(|(grade, count)| format!("{} {count}", grade.as_str()));
        each.collect::<Vec<_>>().join(", ")
    }
}
