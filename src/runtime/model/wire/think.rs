//! Reasoning that a server left in the text, between think tags.

/// Tags that models put around their reasoning.
const TAGS: [(&str, &str); 4] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<thought>", "</thought>"),
];

/// A text with its reasoning split off.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split<'a> {
    /// What stood in the tags, block after block.
    pub(super) reasoning: Vec<&'a str>,
    /// The text after them.
    pub(super) text: &'a str,
    /// A block was opened and never closed: whatever follows is reasoning, and there is no text.
    pub(super) open: bool,
}

/// Splits off the blocks that a text begins with.
///
/// A closing tag without an opening one counts too, when it ends a line: some chat templates put the opening tag into
/// the prompt. Tags further down are part of the text, where gates look for them.
pub(super) fn split(content: &str) -> Split<'_> {
    let mut split = Split { reasoning: Vec::new(), text: content, open: false };
    while let Some((rest, close)) = opened(split.text) {
        let Some((reasoning, text)) = rest.split_once(close) else {
            split.reasoning.push(rest.trim());
            return Split { text: "", open: true, ..split };
        };
        split.reasoning.push(reasoning.trim());
        split.text = text.trim_start();
    }
    if split.reasoning.is_empty()
        && let Some((reasoning, text)) = TAGS.iter().find_map(|(_, close)| closed_only(content, close))
    {
        split.reasoning.push(reasoning.trim());
        split.text = text.trim_start();
    }
    split
}

fn opened(text: &str) -> Option<(&str, &'static str)> {
    TAGS.iter().find_map(|(open, close)| Some((text.trim_start().strip_prefix(open)?, *close)))
}

fn closed_only<'a>(text: &'a str, close: &str) -> Option<(&'a str, &'a str)> {
    let (before, after) = text.split_once(close)?;
    let ends_line = after.is_empty() || after.starts_with(['\n', '\r']);
    ends_line.then_some((before, after))
}

/// `split` for a text that streams in, for whoever watches. A closing tag without an opening one is not known in time.
#[derive(Debug, Default)]
pub struct Unmixed {
    /// What is not told apart yet.
    held: String,
    inside: Option<&'static str>,
    is_text: bool,
}

impl Unmixed {
    /// The reasoning and the text that are certain after the next piece.
    pub fn push(&mut self, piece: &str) -> (String, String) {
        if self.is_text {
            return (String::new(), piece.to_owned());
        }
        self.held.push_str(piece);
        let mut reasoning = String::new();
        loop {
            let held = self.held.trim_start();
            if let Some(close) = self.inside {
                let Some((inner, rest)) = held.split_once(close) else {
                    return (reasoning + &self.all_but(close.len() - 1), String::new());
                };
                reasoning.push_str(inner);
                self.held = rest.to_owned();
                self.inside = None;
            } else if let Some((rest, close)) = opened(held) {
                self.held = rest.to_owned();
                self.inside = Some(close);
            } else if TAGS.iter().any(|(open, _)| open.starts_with(held)) {
                return (reasoning, String::new());
            } else {
                self.is_text = true;
                // White space before the text is the text's, unless reasoning stood before it.
                let text = std::mem::take(&mut self.held);
                return (reasoning, text);
            }
        }
    }

    /// What was held back at the end.
    pub fn end(&mut self) -> String {
        if self.inside.is_some() { String::new() } else { std::mem::take(&mut self.held) }
    }

    /// Takes what is held but for the last bytes, in which a closing tag may have begun.
    fn all_but(&mut self, bytes: usize) -> String {
        let most = self.held.len().saturating_sub(bytes);
        let cut = (0..=most).rev().find(|at| self.held.is_char_boundary(*at)).unwrap_or(0);
        self.held.drain(..cut).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str, reasoning: &[&str], text: &str, open: bool) {
        assert_eq!(split(content), Split { reasoning: reasoning.to_vec(), text, open }, "{content:?}");
    }

    #[test]
    fn reasoning_is_split_off() {
        check("plain", &[], "plain", false);
        check("  plain ", &[], "  plain ", false);
        check("<think>a</think>\n\nb", &["a"], "b", false);
        check("\n<think>\n</think>\n\nb", &[""], "b", false);
        check("<thinking>a</thinking><think>b</think>c", &["a", "b"], "c", false);
        check("<think>never closed", &["never closed"], "", true);
        check("<think>a</thinking>b", &["a</thinking>b"], "", true);
        check("from the template\n</think>\nb", &["from the template"], "b", false);
        check("The tag </think> ends it.", &[], "The tag </think> ends it.", false);
        check("Say <think> first.", &[], "Say <think> first.", false);
    }

    #[test]
    fn reasoning_and_text_are_told_apart_while_they_stream() {
        let check = |content: &str, reasoning: &str, text: &str| {
            for size in 1..=content.len() {
                let mut unmixed = Unmixed::default();
                let (mut thought, mut said) = (String::new(), String::new());
                let pieces = content.as_bytes().chunks(size).map(|piece| std::str::from_utf8(piece).unwrap());
                for (a, b) in pieces.map(|piece| unmixed.push(piece)) {
                    thought += &a;
                    said += &b;
                }
                said += &unmixed.end();
                assert_eq!((thought.trim(), said.trim()), (reasoning, text), "in pieces of {size}");
            }
        };
        check("plain < text", "", "plain < text");
        check("<think>a</think>\n\nb <think>c", "a", "b <think>c");
        check("\n<thinking>a</thinking><think>b</think>c", "ab", "c");
        check("<thin", "", "<thin");
        check("<thoughts> are free", "", "<thoughts> are free");
    }
}
