//! The audit of a guard: JSON lines, one when a request is received and one when it is over.
//!
//! The first is written before anything is sent upstream, so a request without a second line was not finished. Keys are never
//! in it; texts as the recipe says, and of the gravest severity the hash alone. Operators see here what clients never see:
//! which principles were violated.

use super::finding::{Finding, GRAVEST, Grounds};
use crate::pure::digest::sha256_hex;
use crate::pure::recipe::{AuditText, Tier};
use serde::Serialize;

/// What a line says of a request.
#[derive(Debug, Clone, Serialize)]
pub struct Received<'a> {
    /// Always `received`.
    pub event: &'static str,
    /// The id that the client sees.
    pub id: &'a str,
    /// When, in UTC.
    pub at: &'a str,
    /// The application whose token was brought, where it has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<&'a str>,
    /// Which route.
    pub route: &'a str,
    /// The model that was asked for.
    pub model: &'a str,
    /// Whether a stream was asked for.
    pub stream: bool,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct CheckLine {
    /// Tokens of the answer that it reached; absent for a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upto: Option<usize>,
    /// What it came to, or `not-scanned`.
    pub verdict: &'static str,
    /// Which kind of judge said so.
    pub tier: &'static str,
    /// How long it took.
    pub ms: u64,
    /// The principles that it is about.
    pub principles: Vec<String>,
    /// The gravest severity of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<u8>,
    /// Why there is no verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The rule that found it: its principle, and its number there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

impl CheckLine {
    /// The line of a check that took so long.
    pub fn new(finding: &Finding, tier: Tier, upto: Option<usize>, ms: u64) -> Self {
        let grounds = finding.grounds();
        Self {
            upto,
            verdict: finding.as_str(),
            tier: tier.as_str(),
            ms,
            principles: grounds.map_or_else(Vec::new, |grounds| grounds.principles.clone()),
            severity: grounds.map(|grounds| grounds.severity),
            why: grounds.and_then(|grounds| grounds.why.clone()),
            rule: grounds.and_then(|grounds| grounds.rule.clone()),
        }
    }

    /// Nothing was checked.
    pub fn not_scanned() -> Self {
        Self {
            upto: None,
            verdict: "not-scanned",
            tier: "none",
            ms: 0,
            principles: Vec::new(),
            severity: None,
            why: None,
            rule: None,
        }
    }
}

/// What was checked of an answer.
#[derive(Debug, Clone, Default, Serialize)]
pub struct OutputLine {
    /// The checks, in their order.
    pub checks: Vec<CheckLine>,
    /// `not-scanned` where there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<&'static str>,
    /// Tokens of the upstream's answer that reached the client.
    pub released_before: usize,
    /// From the first byte of the upstream's answer to the first that left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_ms: Option<u64>,
}

/// A text, as far as it is kept.
#[derive(Debug, Clone, Default, Serialize)]
pub struct KeptText {
    /// Its hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The text itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A text as the audit keeps it.
pub fn kept(text: &str, how: AuditText, severity: u8) -> Option<KeptText> {
    let hash = || Some(sha256_hex(text.as_bytes()));
    match how {
        AuditText::None => None,
        AuditText::Full if severity < GRAVEST => {
            Some(KeptText { sha256: hash(), text: Some(text.to_owned()) })
        }
        AuditText::Hash | AuditText::Full => Some(KeptText { sha256: hash(), text: None }),
    }
}

/// What a line says of a request that is over.
#[derive(Debug, Clone, Serialize)]
pub struct Done<'a> {
    /// Always `done`.
    pub event: &'static str,
    /// The id that the client sees.
    pub id: &'a str,
    /// When, in UTC.
    pub at: &'a str,
    /// The application whose token was brought, where it has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<&'a str>,
    /// Which route.
    pub route: &'a str,
    /// The model that was asked for.
    pub model: &'a str,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// `enforce` or `shadow`.
    pub mode: &'a str,
    /// The constitution's id and version.
    pub constitution: &'a str,
    /// The hash of what it means.
    pub sha256: &'a str,
    /// Kinds of content of the request that nobody could read, and that passed.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub unscanned: &'a [String],
    /// The request's check.
    pub input: CheckLine,
    /// The answer's checks.
    pub output: OutputLine,
    /// How it ended.
    pub decision: &'a str,
    /// In shadow: how it would have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would: Option<&'a str>,
    /// The gravest hazard or domain of what was violated.
    pub hazard: Option<String>,
    /// The policy that the words in place of an answer go by.
    pub style: Option<String>,
    /// Why it failed, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<KeptText>,
    /// The upstream's answer, as far as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<KeptText>,
}

/// A line of the audit, with its end.
pub fn line(record: &impl Serialize) -> String {
    // Our own records are strings, numbers and lists of them: they cannot fail to be written.
    let mut line = serde_json::to_string(record).unwrap_or_default();
    line.push('\n');
    line
}

/// The hazard and the style of a decision, for its line.
pub fn hazard_and_style(grounds: Option<&Grounds>) -> (Option<String>, Option<String>) {
    let style = grounds.map(|grounds| grounds.policy.clone()).filter(|policy| !policy.is_empty());
    (grounds.and_then(|grounds| grounds.hazard.clone()), style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_as_the_recipe_says_and_the_gravest_never() {
        let check = |how: AuditText, severity: u8, has: (bool, bool)| {
            let kept = kept("canary", how, severity).unwrap_or_default();
            assert_eq!((kept.sha256.is_some(), kept.text.is_some()), has, "{how:?} {severity}");
        };
        check(AuditText::None, 0, (false, false));
        check(AuditText::Hash, 0, (true, false));
        check(AuditText::Full, 3, (true, true));
        check(AuditText::Full, 4, (true, false));
    }

    #[test]
    fn a_line_is_one_object_and_says_what_was_not_scanned() {
        let line = line(&CheckLine::not_scanned());
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
        assert!(line.contains("not-scanned") && !line.contains("success"), "{line}");
    }
}
