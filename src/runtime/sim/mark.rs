//! The machine mark that a simulated response carries: its whole state, so that the model needs no memory.
//!
//! ```text
//! ⟦sim p=3f2a9c0d11e87b54 d=77aa.1b2c fixed=honest:1,not-preachy:1⟧
//! ```
//!
//! `p` is the conversation that it answers, `d` the draws that made it (the draft's, then each revision's), `fixed` the
//! principles that were mended, each with the revision that did it. No harmful text is needed to play a violation.

use super::draw::Draw;
use crate::pure::digest::Parts;
use std::fmt;

const OPEN: &str = "⟦sim ";
const CLOSE: char = '⟧';

/// The state of one response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Hash of the conversation that the response answers.
    pub prompt: String,
    /// What made it: the draft's draw, then one for each revision.
    pub draws: Vec<String>,
    /// Principles mended, with the number of the revision that did it.
    pub fixed: Vec<(String, usize)>,
}

impl Mark {
    /// The mark of a fresh draft.
    pub(super) fn draft(prompt: &str, draw: &Draw) -> Self {
        Self { prompt: prompt.to_owned(), draws: vec![draw.short()], fixed: Vec::new() }
    }

    /// The state of a text that the sim did not write: a world of its own, decided by the text.
    pub(super) fn of_foreign(prompt: &str, text: &str) -> Self {
        let text = Parts::new("sim foreign").with(prompt).with(text.trim()).short();
        Self { prompt: text.clone(), draws: vec![text.chars().take(4).collect()], fixed: Vec::new() }
    }

    /// The state of a response: its own mark, or what a foreign text stands for.
    pub(super) fn of(prompt: &str, response: &str) -> Self {
        Self::find(response).unwrap_or_else(|| Self::of_foreign(prompt, response))
    }

    /// The last mark in a text.
    pub fn find(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(OPEN)?;
        let (inside, _) = rest.split_once(CLOSE)?;
        let mut mark = Self { prompt: String::new(), draws: Vec::new(), fixed: Vec::new() };
        for field in inside.split_whitespace() {
            match field.split_once('=')? {
                ("p", value) => value.clone_into(&mut mark.prompt),
                ("d", value) => mark.draws = value.split('.').map(str::to_owned).collect(),
                ("fixed", value) => {
                    for item in value.split(',') {
                        let (key, revision) = item.rsplit_once(':')?;
                        mark.fixed.push((key.to_owned(), revision.parse().ok()?));
                    }
                }
                (_, _) => return None,
            }
        }
        (!mark.prompt.is_empty() && !mark.draws.is_empty()).then_some(mark)
    }

    /// The text before its last mark, without the white space between.
    pub fn strip(text: &str) -> &str {
        text.rsplit_once(OPEN).map_or(text, |(before, _)| before).trim_end()
    }

    /// The state after one more revision.
    pub(super) fn revised(&self, draw: &Draw, mended: &[String]) -> Self {
        let mut next = self.clone();
        let revision = next.draws.len();
        next.draws.push(draw.short());
        next.fixed.retain(|(key, _)| !mended.contains(key));
        next.fixed.extend(mended.iter().map(|key| (clean(key), revision)));
        next.fixed.sort();
        next
    }

    /// The revision that last mended the principle; 0 when none did.
    pub(super) fn mended_at(&self, key: &str) -> Option<usize> {
        let key = clean(key);
        self.fixed.iter().find(|(k, _)| *k == key).map(|(_, revision)| *revision)
    }
}

/// A principle's id as it may stand in a mark. Ids are lower-case words already; others lose what would break it.
fn clean(key: &str) -> String {
    key.chars().map(|c| if c.is_whitespace() || ",:=⟦⟧".contains(c) { '_' } else { c }).collect()
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{OPEN}p={} d={}", self.prompt, self.draws.join("."))?;
        for (n, (key, revision)) in self.fixed.iter().enumerate() {
            write!(f, "{}{key}:{revision}", if n == 0 { " fixed=" } else { "," })?;
        }
        write!(f, "{CLOSE}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_mark_is_not_read_as_one() {
        for text in
            ["", "hello", "⟦sim p=", "⟦sim p=a d=b", "⟦sim x=1⟧", "⟦sim p=a d=b fixed=q⟧", "⟦sim d=1⟧"]
        {
            assert_eq!(Mark::find(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_mark_survives_its_text(before in ".{0,40}", after in ".{0,40}", keys in proptest::collection::vec("[a-z]{1,8}(-[a-z]{1,5})?", 0..4)) {
            let draw = Draw::new("t");
            let mut mark = Mark::draft("3f2a", &draw);
            for key in &keys {
                mark = mark.revised(&draw, std::slice::from_ref(key));
            }
            prop_assert_eq!(Mark::find(&format!("{before} {mark}{after}")), Some(mark.clone()));
            for key in &keys {
                prop_assert!(mark.mended_at(key).is_some());
            }
        }
    }
}
