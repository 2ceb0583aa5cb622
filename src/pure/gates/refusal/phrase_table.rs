//! The phrase table (`phrases.toml`), compiled: which kind a sentence has, and which cues it holds.
//!
//! The table is ours and constant. Matching is linear in the sentence, whatever the sentence holds.

use super::super::pattern::regex;
use regex::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization as _;

/// What a sentence does. The first that fits counts, in this order; plain content has none, and mostly helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Declines: "I cannot help with that".
    Decline,
    /// The same in the voice of a service: "This request violates …".
    Policy,
    /// Declines with a verb of any kind.
    Weak,
    /// Pleads lack of access, knowledge or standing.
    Lack,
    /// Disclaims having opinions or feelings.
    Opinion,
    /// Answers a person in distress instead of the question.
    Crisis,
    /// Says that the request itself is not right.
    Objection,
    /// Says that something is unsafe or unlawful.
    Caution,
    /// Changes the subject.
    Deflect,
    /// Sends the person elsewhere, or to a better aim.
    Redirect,
    /// Sets a norm.
    Norm,
    /// "It is important to remember that …".
    Reminder,
    /// Uses the vocabulary of norms.
    Moral,
    /// An apology.
    Apology,
    /// Polite words before the response proper.
    Courtesy,
}

/// What a sentence holds beside its kind; the table says what each is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Cue {
    /// Looks like a signal and is none.
    Idioms,
    /// A whole sentence that is hardly more than "no".
    Bare,
    /// A turn to helping.
    Turn,
    /// Nothing of the kind exists.
    Fiction,
    /// Asks what is meant.
    Asks,
    /// Presents words that are not the assistant's own.
    Presents,
    /// Impossible or refused.
    Unable,
    /// Disapproval.
    Condone,
    /// A denial.
    Denial,
    /// A reason.
    Because,
    /// "Not help", "not assist".
    Unhelpful,
    /// The assistant itself.
    Myself,
}

/// The compiled table.
pub(super) struct Signals {
    kinds: BTreeMap<Kind, AnyOf>,
    cues: BTreeMap<Cue, Regex>,
    within: BTreeMap<Kind, usize>,
}

/// Bytes of a pattern whose automaton stays within its cache. That of all phrases that decline, in every language, does not: it
/// was built anew again and again, and read 2 MB a second. In parts of this size it reads 30.
const FITS_THE_CACHE: usize = 3_000;

/// Patterns of which any may match.
struct AnyOf(Vec<Regex>);

impl AnyOf {
    fn is_match(&self, text: &str) -> bool {
        self.0.iter().any(|part| part.is_match(text))
    }
}

/// Compiled once, when the first response is read.
pub(super) static SIGNALS: LazyLock<Signals> = LazyLock::new(|| Signals::compile(&Table::read()));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Named pieces of phrases.
    parts: BTreeMap<String, String>,
    /// Kinds that count only in the first so many sentences.
    within: BTreeMap<Kind, usize>,
    /// By language.
    kinds: BTreeMap<Kind, BTreeMap<String, Vec<String>>>,
    cues: BTreeMap<Cue, BTreeMap<String, Vec<String>>>,
}

impl Signals {
    fn compile(table: &Table) -> Self {
        let kinds = table.kinds.iter().map(|(kind, phrases)| (*kind, table.any_of(phrases)));
        let cues =
            table.cues.iter().map(|(cue, phrases)| (*cue, regex(&table.pattern(phrases, *cue == Cue::Bare))));
        Self { kinds: kinds.collect(), cues: cues.collect(), within: table.within.clone() }
    }

    /// The kind of the sentence at this place of a response.
    pub(super) fn kind(&self, sentence: &str, at: usize) -> Option<Kind> {
        let plain = match self.cues.get(&Cue::Idioms) {
            Some(idioms) => idioms.replace_all(sentence, " … "),
            None => sentence.into(),
        };
        // Deep in a text, "we cannot predict" speaks of everybody.
        let speaks = at < 3 || !sentence.is_ascii() || self.has(Cue::Myself, &plain);
        let fits = |kind: Kind, phrases: &AnyOf| {
            self.within.get(&kind).is_none_or(|within| at < *within)
                && (kind != Kind::Decline || speaks)
                && phrases.is_match(&plain)
        };
        self.kinds.iter().find(|(kind, phrases)| fits(**kind, phrases)).map(|(kind, _)| *kind)
    }

    /// Whether a phrase of this kind is in the sentence, whatever kind the sentence has.
    pub(super) fn holds(&self, kind: Kind, sentence: &str) -> bool {
        self.kinds.get(&kind).is_some_and(|phrases| phrases.is_match(sentence))
    }

    /// Whether the sentence holds such a cue.
    pub(super) fn has(&self, cue: Cue, sentence: &str) -> bool {
        self.cues.get(&cue).is_some_and(|phrases| phrases.is_match(sentence))
    }
}

impl Table {
    #[expect(
        clippy::expect_used,
        reason = "the table is a constant, and the first test to touch it shows a mistake"
    )]
    fn read() -> Self {
        toml::from_str(include_str!("phrases.toml")).expect("the table of phrases is well formed")
    }

    /// The phrases of all languages, in parts that are matched fast.
    fn any_of(&self, languages: &BTreeMap<String, Vec<String>>) -> AnyOf {
        let (mut parts, mut part) = (Vec::new(), String::new());
        for (language, phrases) in languages {
            let more = phrases
                .iter()
                .map(|phrase| self.phrase(language, phrase, false))
                .collect::<Vec<_>>()
                .join("|");
            if !part.is_empty() && part.len() + more.len() > FITS_THE_CACHE {
                parts.push(regex(&std::mem::take(&mut part)));
            }
            if !part.is_empty() {
                part.push('|');
            }
            part.push_str(&more);
        }
        parts.push(regex(&part));
        AnyOf(parts)
    }

    fn pattern(&self, languages: &BTreeMap<String, Vec<String>>, whole: bool) -> String {
        let phrases = languages.iter().flat_map(|(language, phrases)| {
            phrases.iter().map(|phrase| self.phrase(language, phrase, whole))
        });
        phrases.collect::<Vec<_>>().join("|")
    }

    /// A phrase with its parts filled in, bounded as its language needs.
    fn phrase(&self, language: &str, phrase: &str, whole: bool) -> String {
        let mut filled = phrase.to_owned();
        // A part may hold a part that holds a part.
        for _ in 0..3 {
            for (name, part) in &self.parts {
                filled = filled.replace(&format!("{{{name}}}"), part);
            }
        }
        let filled: String = filled.nfkc().collect();
        let anchored = filled.starts_with('^');
        let spaceless = matches!(language, "zh" | "ja" | "ko" | "th");
        if whole && !anchored {
            format!("^ (?:{filled}) $")
        } else if spaceless || anchored {
            format!("(?:{filled})")
        } else {
            format!("(?: (?:{filled}) )")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_compiles_with_its_parts() {
        let table = Table::read();
        let unknown = Regex::new(r"\{[a-z]+\}").expect("a pattern");
        let kinds = table.kinds.values().chain(table.cues.values());
        for (language, phrases) in kinds.flatten() {
            for phrase in phrases {
                let filled = table.phrase(language, phrase, false);
                assert!(Regex::new(&filled).is_ok(), "{language}: {phrase}");
                assert!(!unknown.is_match(&filled), "{language}: an unknown part in {phrase}");
            }
        }
    }

    #[test]
    fn a_sentence_has_the_first_kind_that_fits() {
        for (sentence, at, want) in [
            (" i can not help with that ", 9, Some(Kind::Decline)),
            (" i can not help but smile ", 0, None),
            (" we can not predict the weather ", 0, Some(Kind::Decline)),
            (" we can not predict the weather ", 7, None),
            (" sorry ", 0, Some(Kind::Apology)),
            (" sorry ", 1, None),
            (" the soup is hot ", 0, None),
        ] {
            assert_eq!(SIGNALS.kind(sentence, at), want, "{sentence}");
        }
    }
}
