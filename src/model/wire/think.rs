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
}
