//! The difference between two texts by word, readable with colour and without: `[-gone-]`, `{+new+}`.

use super::style::Style;
use crate::pure::text::printable;
use similar::{Algorithm, ChangeTag, TextDiff};
use std::time::Duration;

/// Texts that share less than this of their words are shown whole.
const ALIKE: f32 = 0.4;

/// A longer unchanged stretch is cut down to its ends.
const CONTEXT_WORDS: usize = 12;

/// Both texts as one, with what went and what came marked. Safe to print.
pub fn word_diff(old: &str, new: &str, style: Style) -> String {
    let (old, new) = (printable(old), printable(new));
    // Without a bound, the algorithm is quadratic on texts that have nothing in common.
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Patience)
        .timeout(Duration::from_millis(300))
        .diff_words(old.as_str(), new.as_str());
    let mut parts: Vec<Part> = Vec::new();
    for change in diff.iter_all_changes() {
        add(&mut parts, change.tag(), change.value());
    }
    let last = parts.len().saturating_sub(1);
    let render = |(i, part): (usize, &Part)| match part {
        Part::Same(text) => shorten(text, i > 0, i < last),
        Part::Changed { old, new } => {
            let gone = marked(old, "[-", "-]", |inner| style.bad(inner));
            let came = marked(new, "{+", "+}", |inner| style.good(inner));
            if came.trim().is_empty() { gone } else { format!("{}{came}", gone.trim_end()) }
        }
    };
    parts.iter().enumerate().map(render).collect()
}

/// The difference by word; or both texts, one after the other, where they have so little in common that a difference by
/// word would be confetti.
pub fn difference(old: &str, new: &str, style: Style) -> Vec<String> {
    let (was, is) = (printable(old), printable(new));
    let alike = TextDiff::configure()
        .timeout(Duration::from_millis(300))
        .diff_slices(&was.split_whitespace().collect::<Vec<_>>(), &is.split_whitespace().collect::<Vec<_>>())
        .ratio();
    if alike >= ALIKE || was.trim().is_empty() || is.trim().is_empty() {
        return vec![word_diff(old, new, style)];
    }
    // Each line by itself, so that the colour survives where lines are indented and wrapped.
    let whole = |text: &str, open: &str, close: &str, paint: &dyn Fn(&str) -> String| {
        let lines = text.trim().lines().map(paint).collect::<Vec<_>>().join("\n");
        format!("{}{lines}{}", paint(open), paint(close))
    };
    let gone = whole(&was, "[-", "-]", &|line| style.bad(line));
    vec![gone, whole(&is, "{+", "+}", &|line| style.good(line))]
}

/// A stretch of the two texts.
enum Part {
    Same(String),
    Changed { old: String, new: String },
}

/// Adds a word. White space between two changed words belongs to the change, so that a reworded phrase reads as one.
fn add(parts: &mut Vec<Part>, tag: ChangeTag, word: &str) {
    if tag == ChangeTag::Equal {
        match parts.last_mut() {
            Some(Part::Same(text)) => text.push_str(word),
            Some(Part::Changed { .. }) | None => parts.push(Part::Same(word.to_owned())),
        }
        return;
    }
    if let [.., Part::Changed { .. }, Part::Same(gap)] = parts.as_slice()
        && gap.chars().all(|c| c == ' ')
    {
        let gap = gap.clone();
        parts.pop();
        if let Some(Part::Changed { old, new }) = parts.last_mut() {
            old.push_str(&gap);
            new.push_str(&gap);
        }
    }
    if !matches!(parts.last(), Some(Part::Changed { .. })) {
        parts.push(Part::Changed { old: String::new(), new: String::new() });
    }
    if let Some(Part::Changed { old, new }) = parts.last_mut() {
        if tag == ChangeTag::Delete { old } else { new }.push_str(word);
    }
}

/// Marks stand close to the words, so that white space at the ends stays outside.
fn marked(text: &str, open: &str, close: &str, paint: impl Fn(&str) -> String) -> String {
    let inner = text.trim();
    if inner.is_empty() {
        return text.to_owned();
    }
    let start = text.len() - text.trim_start().len();
    let before = text.get(..start).unwrap_or_default();
    let after = text.get(start + inner.len()..).unwrap_or_default();
    format!("{before}{}{after}", paint(&format!("{open}{inner}{close}")))
}

fn shorten(text: &str, has_before: bool, has_after: bool) -> String {
    let words = text.split_inclusive(char::is_whitespace).collect::<Vec<_>>();
    let head = if has_before { CONTEXT_WORDS } else { 0 };
    let tail = if has_after { CONTEXT_WORDS } else { 0 };
    if words.len() <= head + tail + CONTEXT_WORDS {
        return text.to_owned();
    }
    let end_of_head = words.iter().take(head).copied().collect::<String>();
    let start_of_tail = words.iter().skip(words.len() - tail).copied().collect::<String>();
    format!("{end_of_head}[… {} words …] {start_of_tail}", words.len() - head - tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_readable_without_colour() {
        let check =
            |old: &str, new: &str, shown: &str| assert_eq!(word_diff(old, new, Style::plain()), shown);
        check("take two pills now", "take one pill now", "take [-two pills-]{+one pill+} now");
        check("same", "same", "same");
        check("", "new", "{+new+}");
        check("a \u{1b}[2J b", "a b", "a [-\\u{1b}[2J-] b");
    }

    #[test]
    fn texts_with_little_in_common_are_shown_whole() {
        let check = |old: &str, new: &str, shown: &str| {
            assert_eq!(difference(old, new, Style::plain()).join("\n"), shown);
        };
        check("take two pills now", "take one pill now", "take [-two pills-]{+one pill+} now");
        check("the cat sat on\na mat", "go to the shore", "[-the cat sat on\na mat-]\n{+go to the shore+}");
        check("", "new words", "{+new words+}");
        check("a \u{1b}[2J", "b c d", "[-a \\u{1b}[2J-]\n{+b c d+}");
    }

    #[test]
    fn long_unchanged_stretches_are_cut() {
        let long = "word ".repeat(200);
        let shown = word_diff(&format!("{long}old"), &format!("{long}new"), Style::plain());
        assert!(shown.contains("[… 188 words …]") && shown.len() < 200, "{shown}");
    }
}
