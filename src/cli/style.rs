//! How text reaches a terminal: safe, and readable without colour.
//!
//! Prompts and model output are hostile. Nothing of theirs is printed unless it went through [`printable`].

use std::fmt::Write as _;
use std::io::IsTerminal as _;

/// Text that cannot control a terminal: escape sequences, control characters and marks that turn the direction of
/// writing are shown as what they are (`\u{1b}`), line breaks and tabs are kept.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if rest.peek() == Some(&'\n') => {}
            c if c.is_control() || turns_direction(c) || is_tag(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
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

/// A line in pieces of at most `width` columns, cut between words where that can be. Colour codes take no room.
pub fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let (mut piece, mut used) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        let columns = columns(word.trim_end());
        if used > 0 && used + columns > width {
            pieces.push(std::mem::take(&mut piece).trim_end().to_owned());
            used = 0;
        }
        for c in word.chars() {
            let w = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
            if used + w > width && columns > width {
                pieces.push(std::mem::take(&mut piece));
                used = 0;
            }
            piece.push(c);
            used += w;
        }
        // Escape codes were counted as their letters; count the word again without them.
        if columns <= width {
            used = self::columns(&piece);
        }
    }
    pieces.push(piece.trim_end().to_owned());
    pieces
}

/// Columns that a text takes on a terminal, colour codes left out.
pub fn columns(text: &str) -> usize {
    let mut in_code = false;
    text.chars()
        .map(|c| match (c, in_code) {
            ('\u{1b}', _) => {
                in_code = true;
                0
            }
            ('m', true) => {
                in_code = false;
                0
            }
            (_, true) => 0,
            (c, false) => unicode_width::UnicodeWidthChar::width(c).unwrap_or(0),
        })
        .sum()
}

/// Whether and how to decorate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether colour and weight may be used.
    pub colour: bool,
    /// Columns of the terminal; 80 where there is none.
    pub width: usize,
}

impl Style {
    /// What stdout can show. `NO_COLOR` and `TERM=dumb` turn colour off, `CLICOLOR_FORCE` turns it on.
    pub fn of_stdout() -> Self {
        Self::decide(std::io::stdout().is_terminal())
    }

    /// What stderr can show.
    pub fn of_stderr() -> Self {
        Self::decide(std::io::stderr().is_terminal())
    }

    /// No decoration, 80 columns: pipes, files and tests.
    pub fn plain() -> Self {
        Self { colour: false, width: 80 }
    }

    fn decide(terminal: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = set("CLICOLOR_FORCE") || (terminal && !dumb && !set("NO_COLOR"));
        let columns = std::env::var_os("COLUMNS").and_then(|c| c.to_str()?.parse().ok());
        let measured = terminal.then(console_width).flatten();
        Self { colour, width: columns.or(measured).unwrap_or(80).clamp(40, 200) }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A heading or the thing that matters.
    pub fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What may be passed over.
    pub fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Good.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Bad.
    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Worth a look.
    pub fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }
}

fn console_width() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(std::io::stderr())?;
    (columns > 0).then_some(usize::from(columns))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn wrapping_loses_nothing_and_keeps_the_width() {
        let check = |line: &str, width: usize| {
            let pieces = wrap(line, width);
            let squeeze = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeeze(&pieces.concat()), squeeze(line));
            assert!(pieces.iter().all(|piece| columns(piece) <= width), "{pieces:?}");
        };
        check("the quick brown fox jumps over the lazy dog", 10);
        check("antidisestablishmentarianism and more", 8);
        check("日本語の文章はここで折り返される", 9);
        check("a \u{1b}[31m[-red words here-]\u{1b}[0m b c d e f", 14);
        check("", 5);
    }

    #[test]
    fn a_line_is_cut_by_columns() {
        assert_eq!(one_line("one  two\nthree", 80), "one two three");
        assert_eq!(one_line("abcdef", 4), "abc…");
        assert_eq!(one_line("日本語", 4), "日…");
    }
}
