//! What a constitution means, after reading.

use super::language;
use super::principle_rule::PrincipleRule;
use super::style::Styles;
use crate::pure::digest::Parts;
use crate::pure::prompt::Prompt;
use crate::pure::taxonomy::Taxonomy;
use crate::pure::transcript::Verdict;
use schemars::JsonSchema;
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
    /// What right answers look like. It is no part of [`Constitution::sha256`]: only the method `style` asks for it.
    #[serde(default, skip_serializing_if = "Styles::is_empty")]
    pub styles: Styles,
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
    /// What shows without a model that it is violated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<PrincipleRule>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// The critic objects.
    Violates,
    /// The critic does not.
    Conforms,
    /// The principle has no bearing.
    NotApplicable,
}

impl Expect {
    /// The verdict's name in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Violates => "violates",
            Self::Conforms => "conforms",
            Self::NotApplicable => "not-applicable",
        }
    }
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

impl From<Expect> for Verdict {
    fn from(expect: Expect) -> Self {
        match expect {
            Expect::Violates => Self::Violates,
            Expect::Conforms => Self::Conforms,
            Expect::NotApplicable => Self::NotApplicable,
        }
    }
}

impl Constitution {
    /// SHA-256 of what the constitution means: it changes when something that can reach a request or a row changes,
    /// and stays when comments, layout, version, tests or allow lists do.
    pub fn sha256(&self) -> String {
        let parts = Parts::new("constitution").with(&self.id).with(&self.title).with(&self.description);
        let parts = with_option(parts, self.system.as_deref()).with_u64(self.principles.len() as u64);
        self.principles.iter().fold(parts, |parts, principle| parts.with(principle.sha256())).hex()
    }
}

impl Principle {
    /// SHA-256 of what the principle means; see [`Constitution::sha256`].
    pub fn sha256(&self) -> String {
        let mut parts = Parts::new("principle").with(&self.id).with(&self.text);
        for text in [&self.critique, &self.revision, &self.compare] {
            parts = with_option(parts, text.as_deref());
        }
        parts = parts
            .with(self.priority.to_le_bytes())
            .with([u8::from(self.hard)])
            .with((self.weight + 0.0).to_le_bytes());
        // Order and repetition mean nothing in sets of ids; in exceptions and examples, order reaches the request.
        for set in [&self.hazards, &self.when.hazards, &self.when.languages] {
            let set: std::collections::BTreeSet<_> = set.iter().collect();
            parts = with_list(parts, set.into_iter().map(String::as_str));
        }
        parts = with_list(parts, self.exceptions.iter().map(String::as_str));
        parts = parts.with_u64(self.examples.len() as u64);
        for example in &self.examples {
            parts = parts
                .with(&example.prompt)
                .with(&example.response)
                .with(&example.critique)
                .with(example.verdict.as_str());
            parts = with_option(parts, example.revision.as_deref());
        }
        // Without rules the hash is what it was before there were any.
        for rule in &self.rules {
            parts = with_list(parts.with("rule"), rule.words.iter().map(String::as_str));
            parts = with_option(parts, rule.pattern.as_deref()).with(rule.place.as_str());
        }
        parts.hex()
    }

    /// Whether the principle's `when` covers the prompt. A language or hazard that is unknown, or of which the prompt
    /// says nothing, is covered: unknown is not safe.
    pub fn applies_to(&self, prompt: &Prompt, taxonomy: &Taxonomy) -> bool {
        let language = prompt.language.as_deref().is_none_or(|tag| {
            self.when.languages.is_empty()
                || self.when.languages.iter().any(|wide| language::covers(wide, tag).unwrap_or(true))
        });
        let hazard = prompt.hazard.as_deref().is_none_or(|label| {
            self.when.hazards.is_empty()
                || self.when.hazards.iter().any(|id| taxonomy.covers(id, label).unwrap_or(true))
        });
        language && hazard
    }
}

fn with_option(parts: Parts, text: Option<&str>) -> Parts {
    match text {
        Some(text) => parts.with_u64(1).with(text),
        None => parts.with_u64(0),
    }
}

fn with_list<'a>(parts: Parts, items: impl ExactSizeIterator<Item = &'a str>) -> Parts {
    let parts = parts.with_u64(items.len() as u64);
    items.fold(parts, Parts::with)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::prompt::Message;

    fn principle(languages: &[&str], hazards: &[&str]) -> Principle {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Principle {
            id: "one".into(),
            text: "The response is kind.".into(),
            critique: None,
            revision: None,
            compare: None,
            priority: 0,
            hard: false,
            weight: 1.0,
            hazards: vec![],
            when: When { languages: owned(languages), hazards: owned(hazards) },
            exceptions: vec![],
            examples: vec![],
            tests: vec![],
            rules: vec![],
            allow: vec![],
        }
    }

    #[test]
    fn a_principle_applies_unless_the_prompt_is_known_to_lie_outside() {
        let check = |languages: &[&str], hazards: &[&str], language: Option<&str>, hazard: Option<&str>| {
            let prompt =
                Prompt::new(vec![Message::user("x")], hazard.map(String::from), language.map(String::from));
            principle(languages, hazards).applies_to(&prompt, Taxonomy::built_in())
        };
        assert!(check(&[], &[], Some("de"), Some("vcr")));
        assert!(check(&["en"], &[], Some("en-GB"), None));
        assert!(check(&["en"], &[], Some("en_US"), None));
        assert!(!check(&["en-GB"], &[], Some("en"), None));
        assert!(!check(&["en"], &[], Some("enm"), None));
        assert!(check(&["en"], &[], None, None));
        assert!(check(&["en"], &[], Some("und"), None));
        assert!(check(&["en"], &[], Some("English"), None));
        assert!(check(&[], &["phys"], None, Some("phys.assault")));
        assert!(check(&[], &["phys"], None, Some("vcr")));
        assert!(check(&[], &["phys"], None, Some("no such label")));
        assert!(!check(&[], &["cybr"], None, Some("vcr")));
        assert!(!check(&["en"], &["phys"], Some("fr"), Some("vcr")));
    }

    #[test]
    fn the_hash_changes_with_the_meaning_and_only_with_it() {
        let constitution = Constitution {
            id: "c".into(),
            version: "1".into(),
            title: "C".into(),
            description: String::new(),
            system: None,
            principles: vec![principle(&["en", "de"], &[])],
            styles: Styles::default(),
        };
        let hash = |change: &dyn Fn(&mut Constitution)| {
            let mut changed = constitution.clone();
            change(&mut changed);
            changed.sha256()
        };
        let same = constitution.sha256();
        assert_eq!(same, hash(&|c| c.version = "2".into()));
        assert_eq!(same, hash(&|c| c.principles[0].when.languages.reverse()));
        assert_eq!(same, hash(&|c| c.principles[0].allow = vec!["no-test".into()]));
        assert_eq!(same, hash(&|c| c.principles[0].weight = 1.0));
        assert_ne!(same, hash(&|c| c.title = "Other".into()), "templates show it");
        assert_ne!(same, hash(&|c| c.system = Some(String::new())));
        assert_ne!(same, hash(&|c| c.principles[0].text.push('!')));
        assert_ne!(same, hash(&|c| c.principles[0].critique = Some(String::new())));
        assert_ne!(same, hash(&|c| c.principles[0].revision = Some(String::new())));
        assert_ne!(same, hash(&|c| c.principles[0].hard = true));
        assert_ne!(same, hash(&|c| c.principles[0].priority = 1));
        assert_ne!(same, hash(&|c| c.principles[0].weight = 0.5));
        assert_ne!(same, hash(&|c| c.principles[0].exceptions.push("Fiction.".into())));
        assert_ne!(same, hash(&|c| c.principles.push(c.principles[0].clone())));
    }
}
