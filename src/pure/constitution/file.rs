//! The constitution file as it is written. What it means is [`Constitution`](super::Constitution); `read` goes from
//! one to the other. Every field has a default here, so that a file with mistakes can be read to its end; what must
//! be there is checked by `read`, and named by the JSON schema.

use super::Expect;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A constitution: the principles that responses are criticised against, and how they apply.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["constitution"]))]
pub(super) struct File {
    /// What the constitution is.
    pub(super) constitution: Head,
    /// The principles.
    pub(super) principle: Vec<PrincipleEntry>,
}

/// What the constitution is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["id"]))]
pub(super) struct Head {
    /// Its id: lower-case words joined by hyphens, such as `harmlessness`.
    pub(super) id: String,
    /// Its version, such as `1.0.0`.
    pub(super) version: Option<String>,
    /// A title for people.
    pub(super) title: Option<String>,
    /// What it is for.
    pub(super) description: Option<String>,
    /// Constitutions whose principles come first: files, relative to this one, or names of built-in constitutions.
    pub(super) extends: Vec<String>,
    /// Ids of principles of the extended constitutions that do not hold here.
    pub(super) drop: Vec<String>,
    /// The system prompt of the application that it governs, put before every prompt that has none.
    pub(super) system: Option<String>,
    /// What stands for `{{name}}` in the texts of this file and of those that it extends.
    pub(super) variables: BTreeMap<String, String>,
    /// Codes of warnings that are accepted in this file.
    pub(super) allow: Vec<String>,
}

/// One rule.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Principle", extend("required" = ["id", "text"]))]
pub(super) struct PrincipleEntry {
    /// Its id, unique in the constitution: lower-case words joined by hyphens.
    pub(super) id: String,
    /// The rule, as a statement about the response.
    pub(super) text: String,
    /// Replaces the critique request derived from `text`.
    pub(super) critique: Option<String>,
    /// Replaces the revision request derived from `text`.
    pub(super) revision: Option<String>,
    /// The question for preference labels; derived from `text` when absent.
    pub(super) compare: Option<String>,
    /// Higher comes first.
    pub(super) priority: i32,
    /// Never traded against another principle.
    pub(super) hard: bool,
    /// How often it is drawn, and how much it counts, against 1 for the others.
    #[schemars(extend("minimum" = 0))]
    pub(super) weight: Option<f64>,
    /// Hazard or domain ids of the taxonomy that it guards against.
    pub(super) hazards: Vec<String>,
    /// Which prompts it applies to; all when absent.
    pub(super) when: WhenEntry,
    /// What the rule does not forbid.
    pub(super) exceptions: Vec<String>,
    /// Takes the place of the principle of this id in the extended constitutions.
    pub(super) replace: bool,
    /// Few-shot examples.
    pub(super) example: Vec<ExampleEntry>,
    /// Its own tests, run by `amend test`.
    pub(super) test: Vec<TestEntry>,
    /// Codes of warnings that are accepted about this principle.
    pub(super) allow: Vec<String>,
}

/// Which prompts a principle applies to. A prompt whose label is unknown is always covered.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "When")]
pub(super) struct WhenEntry {
    /// Language tags; `en` covers `en-GB`.
    pub(super) languages: Vec<String>,
    /// Hazard or domain ids; `phys` covers `phys.assault`.
    pub(super) hazards: Vec<String>,
}

/// A few-shot example of a principle at work.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Example", extend("required" = ["prompt", "response", "critique", "verdict"]))]
pub(super) struct ExampleEntry {
    /// What the user asked.
    pub(super) prompt: String,
    /// A response to it.
    pub(super) response: String,
    /// A critique of the response.
    pub(super) critique: String,
    /// The verdict.
    pub(super) verdict: Option<Expect>,
    /// The revised response, where the verdict is `violates`.
    pub(super) revision: Option<String>,
}

/// A case that the principle must judge rightly.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Test", extend("required" = ["prompt", "response", "expect"]))]
pub(super) struct TestEntry {
    /// What the user asked.
    pub(super) prompt: String,
    /// The response to judge.
    pub(super) response: String,
    /// The verdict it must get.
    pub(super) expect: Option<Expect>,
}

/// The JSON schema of the file, as text.
pub fn schema() -> String {
    crate::pure::toml_file::schema::<File>("amend constitution")
}
