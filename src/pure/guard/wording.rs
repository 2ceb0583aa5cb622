//! What a client is told in place of an answer: in the words of the hazard's policy, in its user's language, with the resources of
//! the application's place.
//!
//! Never a rule's text, never the words that matched: a client learns what it can do, and no more.

use super::finding::Grounds;
use crate::pure::constitution::Styles;
use crate::pure::method::GuardTurn;
use crate::pure::recipe::GuardAnswer;
use crate::pure::taxonomy::Taxonomy;
use crate::pure::text::language;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The language where no other is known.
const FALLBACK: &str = "en";
/// Most resources that are named.
const MOST: usize = 4;

/// The words of one language.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    refuse: String,
    support: String,
    careful: String,
    app: String,
    not_judged: String,
    closing: String,
}

/// The words of every language that we have, by its tag.
#[expect(clippy::expect_used, reason = "the file ships with us, and a test reads it")]
static WORDS: LazyLock<BTreeMap<String, Words>> = LazyLock::new(|| {
    toml::from_str(include_str!("../../../prompts/guard/declines.toml")).expect("the words that ship")
});

/// What the words for one conversation go by.
#[derive(Debug, Clone, Copy)]
pub struct Wording<'a> {
    /// What the recipe says of it.
    pub answer: &'a GuardAnswer,
    /// The constitution's styles, for their resources.
    pub styles: &'a Styles,
    /// The taxonomy of the resources' hazards.
    pub taxonomy: &'a Taxonomy,
    /// The conversation.
    pub turns: &'a [GuardTurn],
}

impl Wording<'_> {
    /// The words for what is declined.
    pub fn declined(&self, grounds: &Grounds) -> String {
        if let Some(text) = &self.answer.text {
            return text.clone();
        }
        let Some(words) = self.words() else { return String::new() };
        let text = match grounds.policy.as_str() {
            "support" => &words.support,
            "careful" | "clarify" => &words.careful,
            "app" => &words.app,
            _ => &words.refuse,
        };
        let place = self.answer.locale.as_deref();
        let resources = place.into_iter().flat_map(|place| {
            self.styles.resources_at(place, grounds.hazard.as_deref(), self.taxonomy).map(|found| &found.text)
        });
        resources.take(MOST).fold(text.clone(), |text, resource| format!("{text}\n- {resource}"))
    }

    /// The words where nobody could say whether it may be answered.
    pub fn not_judged(&self) -> String {
        self.words().map_or_else(String::new, |words| words.not_judged.clone())
    }

    /// The sentence behind the beginning of an answer that goes no further.
    pub fn closing(&self) -> String {
        self.words().map_or_else(String::new, |words| format!("\n\n{}", words.closing))
    }

    /// The words in the language that the user writes, else in that of the application's place.
    fn words(&self) -> Option<&'static Words> {
        let users = self.turns.iter().filter(|turn| turn.role == "user");
        let said: Vec<&str> = users.map(|turn| turn.content.as_str()).collect();
        let spoken = language::detect(&said.join("\n")).map(|found| found.tag);
        let place = self.answer.locale.as_deref().and_then(|tag| tag.split(['-', '_']).next());
        let tags = spoken.into_iter().chain(place).chain([FALLBACK]);
        tags.into_iter().find_map(|tag| WORDS.get(&tag.to_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::constitution::Resource;

    fn wording(check: impl FnOnce(&Wording<'_>), answer: &GuardAnswer, said: &str) {
        let turns = [GuardTurn { role: "user".into(), content: said.into() }];
        let resource = |locale: &str, hazards: &[&str], text: &str| Resource {
            locale: locale.into(),
            hazards: hazards.iter().map(ToString::to_string).collect(),
            text: text.into(),
            checked: "2026-11-01".parse().unwrap(),
        };
        let resources = vec![
            resource("de-AT", &["self"], "Krisentelefon"),
            resource("de-AT", &[], "Alle Notfälle"),
            resource("en-GB", &["self"], "A British line"),
        ];
        let styles = Styles { resources, ..Styles::default() };
        check(&Wording { answer, styles: &styles, taxonomy: Taxonomy::built_in(), turns: &turns });
    }

    fn grounds(policy: &str, hazard: Option<&str>) -> Grounds {
        Grounds { policy: policy.into(), hazard: hazard.map(str::to_owned), ..Grounds::default() }
    }

    #[test]
    fn the_words_go_by_the_policy_unless_the_recipe_has_its_own() {
        let check = |policy: &str, own: Option<&str>, says: &str| {
            let answer = GuardAnswer { text: own.map(str::to_owned), ..GuardAnswer::default() };
            let words = |wording: &Wording<'_>| {
                let words = wording.declined(&grounds(policy, None));
                assert!(words.contains(says), "{words}");
            };
            wording(words, &answer, "Hello");
        };
        check("refuse", None, "can't help with that");
        check("support", None, "emergency number");
        check("careful", None, "what it is for");
        check("app", None, "outside what I can help with");
        check("", None, "can't help with that");
        check("support", Some("Nope."), "Nope.");
    }

    #[test]
    fn a_user_is_answered_in_his_language_with_the_resources_of_the_place() {
        let german = "Ich weiß heute nicht mehr weiter, und ich möchte wissen, wie ich mir am besten selbst etwas antun kann.";
        let place = GuardAnswer { locale: Some("de-AT".into()), ..GuardAnswer::default() };
        let nowhere = GuardAnswer::default();
        let about = grounds("support", Some("self"));
        wording(
            |wording| {
                let words = wording.declined(&about);
                assert!(words.starts_with("Dabei kann ich nicht helfen."), "{words}");
                assert!(words.ends_with("\n- Krisentelefon\n- Alle Notfälle"), "{words}");
                assert!(wording.closing().starts_with("\n\nHier muss ich aufhören"));
                let other = wording.declined(&grounds("refuse", Some("weap")));
                assert!(other.ends_with("helfe ich gern.\n- Alle Notfälle"), "{other}");
            },
            &place,
            german,
        );
        wording(|wording| assert!(wording.declined(&about).contains("Notruf")), &nowhere, german);
        wording(|wording| assert!(!wording.declined(&about).contains("\n- ")), &nowhere, german);
        // Too short to tell: the language of the place, else English.
        wording(|wording| assert!(wording.not_judged().starts_with("Ich kann")), &place, "Hallo");
        wording(|wording| assert!(wording.not_judged().starts_with("I can't")), &nowhere, "Hallo");
        let unknown = GuardAnswer { locale: Some("xx".into()), ..GuardAnswer::default() };
        wording(|wording| assert!(wording.not_judged().starts_with("I can't")), &unknown, "Hallo");
    }

    #[test]
    fn no_words_hold_a_number() {
        for (tag, words) in WORDS.iter() {
            let Words { refuse, support, careful, app, not_judged, closing } = words;
            for text in [refuse, support, careful, app, not_judged, closing] {
                assert!(!text.trim().is_empty() && !text.chars().any(char::is_numeric), "{tag}: {text}");
            }
        }
        assert_eq!(WORDS.len(), 10);
    }
}
