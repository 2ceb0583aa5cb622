//! How text flows into lines: broken between words, wide characters counted as two, all at once or as it streams in.
//!
//! Takes text that is safe already ([`crate::pure::text::printable`]); the only escape codes in it are our own colours, which
//! take no room.

use std::fmt::Write as _;
use unicode_width::UnicodeWidthChar as _;

/// Columns of a tab stop.
const TAB: usize = 4;

/// A line in pieces of at most `width` columns, cut between words where that can be. Colour codes take no room.
pub fn wrap(line: &str, width: usize) -> Vec<String> {
    flowed(line, width, 0).split('\n').map(str::to_owned).collect()
}

/// A text of several lines with every line indented and at most `width` columns wide, the indent included.
pub fn flowed(text: &str, width: usize, indent: usize) -> String {
    let mut flow = Flow::new(width, indent, Words::Whole);
    flow.push(text) + &flow.end()
}

/// Columns that a text takes on a terminal, colour codes left out.
pub fn columns(text: &str) -> usize {
    let mut in_code = false;
    text.chars().map(|c| width_of(c, &mut in_code)).sum()
}

/// Columns of a character; none within a colour code.
fn width_of(c: char, in_code: &mut bool) -> usize {
    if *in_code || c == '\u{1b}' {
        *in_code = c != 'm';
        return 0;
    }
    c.width().unwrap_or(0)
}

/// When a word is shown that is still coming in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// Once it is whole. Nothing shown is ever moved.
    Whole,
    /// Letter by letter, and moved to the next line if it grows over the edge. Wants a terminal whose cursor moves.
    Live,
}

/// Lines in the making.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Columns of text on a line, without the indent.
    room: usize,
    indent: usize,
    words: Words,
    /// Columns used on this line, and whether anything stands on it: a mark without width does.
    column: usize,
    blank: bool,
    /// Spaces that stand before the next word, unless it goes to the next line.
    gap: usize,
    /// The word that is coming in.
    word: String,
    word_columns: usize,
    /// Bytes of it that are shown already, and the column where it begins.
    shown: usize,
    began: usize,
    /// Whether nothing but an indent of the text's own stands before it on its line.
    leads: bool,
    in_code: bool,
}

impl Flow {
    /// A flow that begins at the start of a line of `width` columns, and indents every line.
    pub fn new(width: usize, indent: usize, words: Words) -> Self {
        Self {
            room: width.saturating_sub(indent).max(2),
            indent,
            words,
            column: 0,
            blank: true,
            gap: 0,
            word: String::new(),
            word_columns: 0,
            shown: 0,
            began: 0,
            leads: false,
            in_code: false,
        }
    }

    /// What is to be written for the next piece of the text.
    pub fn push(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 8);
        for c in text.chars() {
            self.take(c, &mut out);
        }
        if self.words == Words::Live {
            self.show(&mut out);
        }
        out
    }

    /// What is still to be written at the end of the text. The cursor stays behind it.
    pub fn end(&mut self) -> String {
        let mut out = String::new();
        self.settle(&mut out);
        out
    }

    fn take(&mut self, c: char, out: &mut String) {
        match c {
            '\n' => {
                self.settle(out);
                out.push('\n');
                (self.column, self.gap, self.blank) = (0, 0, true);
            }
            ' ' => {
                self.settle(out);
                self.gap += 1;
            }
            '\t' => {
                self.settle(out);
                self.gap += TAB - (self.column + self.gap) % TAB;
            }
            c => {
                let width = width_of(c, &mut self.in_code);
                // A line may be broken on both sides of a wide character, as no space stands between them.
                if width > 1 || self.word_columns + width > self.room {
                    self.settle(out);
                }
                self.word.push(c);
                self.word_columns += width;
                if width > 1 {
                    self.settle(out);
                }
            }
        }
    }

    /// The word is whole.
    fn settle(&mut self, out: &mut String) {
        self.show(out);
        self.word.clear();
        (self.word_columns, self.shown) = (0, 0);
    }

    /// Takes what stands from this column on off the line.
    fn back_to(&self, column: usize, out: &mut String) {
        if self.column > column {
            let _ = write!(out, "\u{1b}[{}D\u{1b}[K", self.column - column);
        }
    }

    /// Shows what is there of the word.
    fn show(&mut self, out: &mut String) {
        if self.word.len() == self.shown {
            return;
        }
        let begun = self.shown > 0;
        let before = if begun { self.began } else { self.column + self.gap };
        let fits = before + self.word_columns <= self.room;
        let squeezed = !fits && begun && self.leads;
        if squeezed {
            // The next line has no more room than this one; the indent gives way, as it would for the whole word.
            self.back_to(0, out);
            (self.gap, self.column, self.shown) = (self.began, 0, 0);
        } else if !fits && before > 0 && (begun || !self.blank) {
            if begun {
                self.back_to(self.began, out);
            }
            out.push('\n');
            (self.column, self.gap, self.blank, self.shown) = (0, 0, true, 0);
        }
        if self.shown == 0 {
            // An indent of the text's own is kept, as far as it leaves room.
            let gap = std::mem::take(&mut self.gap).min(self.room.saturating_sub(self.word_columns));
            self.leads = self.blank || squeezed;
            let indent = if std::mem::take(&mut self.blank) { self.indent } else { 0 };
            out.extend(std::iter::repeat_n(' ', indent + gap));
            self.began = self.column + gap;
        }
        out.push_str(self.word.get(self.shown..).unwrap_or_default());
        self.column = self.began + self.word_columns;
        self.shown = self.word.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a terminal shows of a text with the codes that [`Flow`] writes: lines, each as its characters.
    fn on_screen(written: &str) -> Vec<String> {
        let mut lines = vec![Vec::new()];
        let mut at = 0;
        let mut rest = written.chars();
        while let Some(c) = rest.next() {
            let line: &mut Vec<char> = lines.last_mut().unwrap();
            match c {
                '\n' => {
                    lines.push(Vec::new());
                    at = 0;
                }
                '\u{1b}' => {
                    let code: String = rest.by_ref().take_while_inclusive(|c| !c.is_alphabetic());
                    match code.strip_suffix('D') {
                        Some(back) => at -= back.trim_start_matches('[').parse::<usize>().unwrap(),
                        None => line.truncate(at),
                    }
                }
                c => {
                    assert_eq!(at, line.len(), "written over");
                    line.push(c);
                    at += 1;
                }
            }
        }
        lines.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_owned()).collect()
    }

    /// Up to and with the first that does not hold.
    trait Inclusive: Iterator<Item = char> {
        fn take_while_inclusive(&mut self, holds: impl Fn(&char) -> bool) -> String {
            let mut out = String::new();
            for c in self {
                out.push(c);
                if !holds(&c) {
                    break;
                }
            }
            out
        }
    }
    impl<I: Iterator<Item = char>> Inclusive for I {}

    #[test]
    fn lines_are_broken_between_words() {
        let check = |text: &str, width: usize, lines: &[&str]| assert_eq!(wrap(text, width), lines);
        check(
            "the quick brown fox jumps over the lazy dog",
            10,
            &["the quick", "brown fox", "jumps over", "the lazy", "dog"],
        );
        check("antidisestablishment and more", 8, &["antidise", "stablish", "ment and", "more"]);
        check("日本語の文章", 5, &["日本", "語の", "文章"]);
        check("日本 text", 9, &["日本 text"]);
        check("  - a list", 8, &["  - a", "list"]);
        check("a\tb", 8, &["a   b"]);
        check(
            "a \u{1b}[31m[-red words here-]\u{1b}[0m b",
            14,
            &["a \u{1b}[31m[-red words", "here-]\u{1b}[0m b"],
        );
        check("", 5, &[""]);
        assert_eq!(flowed("one\n\ntwo three", 7, 2), "  one\n\n  two\n  three");
    }

    #[test]
    fn a_word_that_grows_over_the_edge_moves_to_the_next_line() {
        let mut flow = Flow::new(10, 1, Words::Live);
        let written: Vec<String> = ["12345 ab", "cd", "efg h"].iter().map(|piece| flow.push(piece)).collect();
        assert_eq!(written, [" 12345 ab", "\u{1b}[2D\u{1b}[K\n abcd", "efg h"]);
        assert_eq!(flow.push("ijk"), "\u{1b}[1D\u{1b}[K\n hijk");
        let mut flow = Flow::new(7, 1, Words::Live);
        let written: Vec<String> = ["\ta", "aa", "a b"].iter().map(|piece| flow.push(piece)).collect();
        assert_eq!(written, ["     a", "\u{1b}[5D\u{1b}[K   aaa", "\u{1b}[6D\u{1b}[K  aaaa\n b"]);
    }

    proptest! {
        /// However a text is cut into pieces, live or not, the screen ends up the same, within its width, and complete.
        #[test]
        fn a_stream_ends_as_the_whole_would(
            pieces in prop::collection::vec("[ab日\u{301} \n\t]{0,7}", 0..12),
            width in 6_usize..14,
            indent in 0_usize..3,
        ) {
            let text = pieces.concat();
            let streamed = |words: Words| {
                let mut flow = Flow::new(width, indent, words);
                let written: String = pieces.iter().map(|piece| flow.push(piece)).collect();
                on_screen(&(written + &flow.end()))
            };
            let whole = flowed(&text, width, indent);
            let lines: Vec<String> = whole.split('\n').map(|line| line.trim_end().to_owned()).collect();
            prop_assert!(lines.iter().all(|line| columns(line) <= width), "{lines:?}");
            let said = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(said(&whole), said(&text));
            prop_assert_eq!(&streamed(Words::Whole), &lines);
            // The small screen above counts characters; wide ones and marks are none of its business.
            if !text.contains(['日', '\u{301}']) {
                prop_assert_eq!(&streamed(Words::Live), &lines);
            }
        }
    }
}
