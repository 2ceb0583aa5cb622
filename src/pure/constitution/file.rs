//! The constitution file as it is written. What it means is [`Constitution`](super::Constitution); `read` goes from
//! one to the other. Every field has a default here, so that a file with mistakes can be read to its end; what must
//! be there is checked by `read`, and named by the JSON schema.

use super::style::{Breaks, Day, Policy, RefusalClass, RuleGate};
use super::{Expect, RulePlace};
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
    /// What a right answer to each kind of request looks like.
    pub(super) style: Vec<StyleEntry>,
    /// Questions about a response, answered by yes or no.
    pub(super) proposition: Vec<PropositionEntry>,
    /// The numbers and addresses that an answer may name.
    pub(super) resource: Vec<ResourceEntry>,
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
    /// Ids of principles, styles and propositions of the extended constitutions that do not hold here.
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
    /// What shows without a model that it is violated. `amend guard` looks for it first.
    pub(super) rule: Vec<PrincipleRuleEntry>,
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

/// A text that holds one of these violates the principle.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "PrincipleRule")]
pub(super) struct PrincipleRuleEntry {
    /// Words and phrases, in any case, as whole words.
    pub(super) words: Vec<String>,
    /// A regular expression that has a longest match.
    pub(super) pattern: Option<String>,
    /// Where it is looked for.
    #[serde(rename = "in")]
    pub(super) place: RulePlace,
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

/// What a right answer to one kind of request looks like.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Style", extend("required" = ["id", "policy", "text", "must"]))]
pub(super) struct StyleEntry {
    /// Its id, unique among styles.
    pub(super) id: String,
    /// What it does with a request.
    pub(super) policy: Option<Policy>,
    /// Hazard or domain ids that it is for; the most specific style wins. Without, the policy of a request's hazard decides.
    pub(super) hazards: Vec<String>,
    /// What the answer does, as the generator is told it.
    pub(super) text: String,
    /// Ids of propositions that an ideal answer makes true.
    pub(super) must: Vec<String>,
    /// Those of them that even an acceptable answer makes true; the first of `must` when absent.
    pub(super) essential: Option<Vec<String>>,
    /// Ids of propositions that no acceptable answer makes true.
    pub(super) must_not: Vec<String>,
    /// The most words of an ideal answer; half as many again are still acceptable.
    #[schemars(extend("minimum" = 1))]
    pub(super) max_words: Option<u32>,
    /// Takes the place of the style of this id in the extended constitutions.
    pub(super) replace: bool,
}

/// A question about a response that is answered by yes or no.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Proposition", extend("required" = ["id", "question"]))]
pub(super) struct PropositionEntry {
    /// Its id, unique among propositions.
    pub(super) id: String,
    /// The question.
    pub(super) question: String,
    /// How bad it is when it is true and must not be.
    pub(super) breaks: Breaks,
    /// Ids of propositions that contradict it.
    pub(super) excludes: Vec<String>,
    /// What decides it without a model, where it can.
    pub(super) rule: Option<RuleEntry>,
    /// Takes the place of the proposition of this id in the extended constitutions.
    pub(super) replace: bool,
}

/// What decides a proposition without a model: `gate` with `is`, or `pattern`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Rule")]
pub(super) struct RuleEntry {
    /// The gate that reads the response.
    pub(super) gate: Option<RuleGate>,
    /// The classes that make the proposition true; it is false in the others.
    pub(super) is: Vec<RefusalClass>,
    /// A regular expression that makes the proposition true where it matches. Elsewhere a model is asked.
    pub(super) pattern: Option<String>,
}

/// A number or an address that an answer may name.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Resource", extend("required" = ["locale", "text", "checked"]))]
pub(super) struct ResourceEntry {
    /// The place that it serves, as a tag such as `de-AT`.
    pub(super) locale: String,
    /// Hazard or domain ids that it is for; all when absent.
    pub(super) hazards: Vec<String>,
    /// What an answer may say.
    pub(super) text: String,
    /// The day on which somebody last made sure of it, such as `2026-11-01`.
    pub(super) checked: Option<DayEntry>,
}

/// A day as the file has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct DayEntry(pub(super) Day);

impl<'de> Deserialize<'de> for DayEntry {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = toml::value::Datetime::deserialize(from)?;
        read.to_string().parse().map(Self).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for DayEntry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date" })
    }
}

/// The JSON schema of the file, as text.
pub fn schema() -> String {
    crate::pure::toml_file::schema::<File>("amend constitution")
}
