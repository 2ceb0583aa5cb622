//! Text that came from a model or a file, made safe to show: nothing in it controls a terminal.
//!
//! Prompts and model output are hostile. Nothing of theirs is shown unless it went through [`printable`].

use std::fmt::Write as _;

/// Text that cannot control a terminal: escape sequences, control characters and marks that turn the direction of
/// writing are shown as what they are (`\u{1b}`), line breaks and tabs are kept.
pub fn printable(text: &str) -> String {
    let mut safe = Printable::default();
    let mut out = safe.push(text);
    out.push_str(safe.end());
    out
}

/// [`printable`] for a text that comes in pieces, wherever it is cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Printable {
    /// A carriage return came last: with a line feed after it, it is a line break, alone it is not.
    carriage: bool,
}

impl Printable {
    /// What may be shown of the next piece.
    pub fn push(&mut self, piece: &str) -> String {
        let mut out = String::with_capacity(piece.len());
        for c in piece.chars() {
            if std::mem::take(&mut self.carriage) && c != '\n' {
                out.push_str(CARRIAGE);
            }
            match c {
                '\n' | '\t' => out.push(c),
                '\r' => self.carriage = true,
                c if controls(c) => {
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
                }
                c => out.push(c),
            }
        }
        out
    }

    /// What was held back.
    pub fn end(&mut self) -> &'static str {
        if std::mem::take(&mut self.carriage) { CARRIAGE } else { "" }
    }
}

const CARRIAGE: &str = "\\u{d}";

/// JSON that is safe on a terminal and the same to every parser: what could control one is escaped.
pub fn printable_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && controls(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a terminal or a reader's eye may obey the character rather than show it.
pub fn controls(c: char) -> bool {
    c.is_control() || turns_direction(c) || is_tag(c)
}

/// Bidirectional overrides, embeddings and isolates, which make a line read otherwise than it is (Trojan Source).
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Invisible tag characters, and line separators that some terminals obey.
fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0000}'..='\u{e007f}' | '\u{2028}' | '\u{2029}')
}

/// One line of at most `width` columns, safe to print, with `…` where it was cut.
pub fn one_line(text: &str, width: usize) -> String {
    use unicode_width::UnicodeWidthChar as _;
    let flat = printable(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut used = 0;
    let mut out = String::new();
    for c in flat.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > width && out.len() < flat.len() {
            out.push('…');
            return out;
        }
        used += w;
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_text_cannot_control_a_terminal() {
        let check = |given: &str, shown: &str| assert_eq!(printable(given), shown);
        check("\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m");
        check("a\rb", "a\\u{d}b");
        check("a\r\nb\tc", "a\nb\tc");
        check("\u{9b}2J\u{7f}\u{0}", "\\u{9b}2J\\u{7f}\\u{0}");
        check("if \u{202e}evil\u{2066}", "if \\u{202e}evil\\u{2066}");
        check("日本語 שלום", "日本語 שלום");
    }

    proptest! {
        /// Wherever a stream is cut, it shows what the whole would.
        #[test]
        fn a_text_in_pieces_is_shown_as_the_whole(pieces in prop::collection::vec("[\r\n\ta\u{1b}\u{9b}\u{202e}日]{0,4}", 0..8)) {
            let mut safe = Printable::default();
            let shown: String = pieces.iter().map(|piece| safe.push(piece)).collect();
            let shown = shown + safe.end();
            prop_assert_eq!(&shown, &printable(&pieces.concat()));
            prop_assert!(!shown.chars().any(|c| controls(c) && !matches!(c, '\n' | '\t')));
        }

        #[test]
        fn json_stays_what_it_was(text in "[a\"\\\\\u{9b}\u{202e}\u{e0041}\u{7f}日\n]{0,12}") {
            let json = serde_json::to_string(&text).unwrap();
            let shown = printable_json(&json);
            prop_assert!(!shown.chars().any(controls));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }

    #[test]
    fn a_line_is_cut_by_columns() {
        assert_eq!(one_line("one  two\nthree", 80), "one two three");
        assert_eq!(one_line("abcdef", 4), "abc…");
        assert_eq!(one_line("日本語", 4), "日…");
    }
}
