//! Expressions → one automaton.

use regex_automata::dfa::{StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::{Anchored, MatchKind, dfa::Automaton as _};
use regex_syntax::hir::Hir;

/// Most bytes of one match.
const LONGEST: usize = 4_096;
/// Most bytes of the automaton, finished and while it is made.
const MOST_BYTES: usize = 8 << 20;
const TOO_LARGE: &str = "the expressions together are too large; name fewer, or shorter ones";
/// Most white space between two words of a phrase, in characters.
const GAP: &str = r"\s{1,4}";

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span<'a> {
    /// A word or a phrase: whole words, in any case, with any white space between them.
    Words(&'a str),
    /// A regular expression that has a longest match.
    Pattern(&'a str),
}

/// Expressions that are looked for together.
#[derive(Debug)]
pub struct LiveMatcher {
    pub(super) dfa: dense::DFA<Vec<u32>>,
    pub(super) start: StateID,
    /// For each expression: whether its match must be whole words.
    pub(super) whole_words: Vec<bool>,
}

impl LiveMatcher {
    /// A matcher of these; an error says which of them cannot be looked for, and why.
    pub fn new(spans: &[Span<'_>]) -> Result<Self, String> {
        let mut expressions = Vec::with_capacity(spans.len());
        for span in spans {
            expressions.push(expression(*span)?);
        }
        let nfa = thompson::Compiler::new()
            .configure(thompson::Config::new().nfa_size_limit(Some(MOST_BYTES)))
            .build_many_from_hir(&expressions)
            .map_err(|_| TOO_LARGE)?;
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .match_kind(MatchKind::All)
            .dfa_size_limit(Some(MOST_BYTES))
            .determinize_size_limit(Some(MOST_BYTES));
        let dfa = dense::Builder::new().configure(config).build_from_nfa(&nfa).map_err(|_| TOO_LARGE)?;
        let start = dfa.universal_start_state(Anchored::Yes).ok_or("an expression looks around itself")?;
        let whole_words = spans.iter().map(|span| matches!(span, Span::Words(_))).collect();
        Ok(Self { dfa, start, whole_words })
    }
}

/// Most bytes that a match of the expression can have; an error says why there is no such number, or none that will do.
pub fn longest_match(pattern: &str) -> Result<usize, String> {
    let hir = parse(pattern)?;
    let properties = hir.properties();
    if !properties.look_set().is_empty() {
        return Err("it looks around itself with `^`, `$` or `\\b`; a stream has no such places".into());
    }
    if properties.minimum_len() == Some(0) {
        return Err("it matches an empty text, so it would forbid every text".into());
    }
    match properties.maximum_len() {
        Some(longest) if longest <= LONGEST => Ok(longest),
        Some(longest) => Err(format!("its longest match has {longest} bytes; {LONGEST} are the most")),
        None => {
            Err("it has no longest match; write `{1,40}` in place of `+`, and `{0,40}` in place of `*`"
                .into())
        }
    }
}

fn parse(pattern: &str) -> Result<Hir, String> {
    regex_syntax::parse(pattern).map_err(|error| {
        let told = error.to_string();
        told.lines().last().unwrap_or("it cannot be read").trim_start_matches("error: ").to_owned()
    })
}

fn expression(span: Span<'_>) -> Result<Hir, String> {
    match span {
        Span::Words(phrase) => {
            let words: Vec<String> = phrase.split_whitespace().map(regex_syntax::escape).collect();
            if words.is_empty() {
                return Err("a phrase is empty".into());
            }
            parse(&format!("(?i:{})", words.join(GAP)))
        }
        Span::Pattern(pattern) => {
            longest_match(pattern)?;
            parse(pattern)
        }
    }
}
