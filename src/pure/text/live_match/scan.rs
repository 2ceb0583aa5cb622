//! One text on its way through a matcher.

use super::compile::LiveMatcher;
use regex_automata::dfa::Automaton as _;
use regex_automata::util::primitives::StateID;

/// A place where a span may have begun.
#[derive(Debug, Clone)]
struct Begun {
    /// Where, in the caller's count.
    at: usize,
    state: StateID,
    /// Whether a word's character stands before it.
    is_inside_word: bool,
    /// An expression of whole words that ends here, if the next character is no word's.
    ends: Option<usize>,
}

/// A text so far.
#[derive(Debug, Clone, Default)]
pub struct LiveScan {
    begun: Vec<Begun>,
    is_after_word: bool,
    found: Option<usize>,
}

impl LiveScan {
    /// Takes the next piece of the text, which stands at a place that the caller counts. Gives the number of the expression that
    /// the text holds, once it does.
    pub fn take(&mut self, matcher: &LiveMatcher, text: &str, at: usize) -> Option<usize> {
        for character in text.chars() {
            if self.found.is_some() {
                break;
            }
            self.step(matcher, character, at);
        }
        self.found
    }

    /// The text is at its end: what is left of it is whole words.
    pub fn finish(&mut self) -> Option<usize> {
        self.found = self.found.or_else(|| self.begun.iter().find_map(|begun| begun.ends));
        self.found
    }

    /// The first place where a span has begun, or may have.
    pub fn open_since(&self) -> Option<usize> {
        self.begun.first().map(|begun| begun.at)
    }

    fn step(&mut self, matcher: &LiveMatcher, character: char, at: usize) {
        let is_word = is_word(character);
        if !is_word {
            self.finish();
            if self.found.is_some() {
                return;
            }
        }
        let state = matcher.start;
        self.begun.push(Begun { at, state, is_inside_word: self.is_after_word, ends: None });
        let mut encoded = [0; 4];
        let bytes = character.encode_utf8(&mut encoded).as_bytes();
        let mut found = None;
        self.begun.retain_mut(|begun| {
            for byte in bytes {
                begun.state = matcher.dfa.next_state(begun.state, *byte);
                if matcher.dfa.is_dead_state(begun.state) {
                    return false;
                }
            }
            found = found.or(begun.ended(matcher));
            true
        });
        self.found = found;
        self.is_after_word = is_word;
    }
}

impl Begun {
    /// The expression that ends here. One of whole words ends here only if the next character lets it.
    fn ended(&mut self, matcher: &LiveMatcher) -> Option<usize> {
        self.ends = None;
        let state = matcher.dfa.next_eoi_state(self.state);
        if !matcher.dfa.is_match_state(state) {
            return None;
        }
        for n in 0..matcher.dfa.match_len(state) {
            let expression = matcher.dfa.match_pattern(state, n).as_usize();
            if !matcher.whole_words.get(expression).copied().unwrap_or_default() {
                return Some(expression);
            }
            if !self.is_inside_word {
                self.ends.get_or_insert(expression);
            }
        }
        None
    }
}

/// Whether a character is part of a word.
fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}
