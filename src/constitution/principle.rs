//! What a constitution means, after reading.

use crate::transcript::Verdict;
use serde::{Deserialize, Serialize};

/// A constitution with everything that it extends folded in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Constitution {
    /// Its id, such as `harmlessness`.
    pub id: String,
    /// Its version, such as `1.0.0`.
    pub version: String,
    /// A title for people.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// The system prompt of the application that it governs, put before every prompt that has none.
    pub system: Option<String>,
    /// The principles, highest `priority` first, then in file order, those of the extended files first.
    pub principles: Vec<Principle>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Principle {
    /// Unique in the constitution: lower-case words joined by hyphens.
    pub id: String,
    /// The rule, as a statement about the response.
    pub text: String,
    /// Replaces the critique request derived from `text`.
    pub critique: Option<String>,
    /// Replaces the revision request derived from `text`.
    pub revision: Option<String>,
    /// The question for preference labels; derived from `text` when absent.
    pub compare: Option<String>,
    /// Higher comes first; 0 when not given.
    pub priority: i32,
    /// Never traded against another principle.
    pub hard: bool,
    /// For sampling and for ensembles; 1 when not given, never negative.
    pub weight: f64,
    /// Hazard or domain ids of the taxonomy that it guards against.
    pub hazards: Vec<String>,
    /// Which prompts it applies to; all when empty.
    pub when: When,
    /// What the rule does not forbid.
    pub exceptions: Vec<String>,
    /// Few-shot examples.
    pub examples: Vec<Example>,
    /// Its own tests, run by `amend test`.
    pub tests: Vec<TestCase>,
    /// Words that make a check's finding about this principle acceptable (codes).
    pub allow: Vec<String>,
}

/// Which prompts a principle applies to. A prompt whose label is unknown is always covered: unknown is not safe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// Language tags (`en` covers `en-GB`); empty for all.
    pub languages: Vec<String>,
    /// Hazard ids (`phys` covers `phys.assault`); empty for all.
    pub hazards: Vec<String>,
}

/// A few-shot example of a principle at work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// What the user asked.
    pub prompt: String,
    /// A response to it.
    pub response: String,
    /// A critique of the response.
    pub critique: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The revised response, where the verdict asks for one.
    pub revision: Option<String>,
}

/// What a test expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// The critic objects.
    Violates,
    /// The critic does not.
    Conforms,
    /// The principle has no bearing.
    NotApplicable,
}

/// A case that the principle must judge rightly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestCase {
    /// What the user asked.
    pub prompt: String,
    /// The response to judge.
    pub response: String,
    /// The verdict it must get.
    pub expect: Expect,
}
