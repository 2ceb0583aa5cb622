//! What a response says in its own voice, as sentences in a plain form.
//!
//! A response may quote a refusal, translate one, write one on request or print one from a program. Words inside code,
//! quotation artefacts, block quotes, tables, letters and lines of a play are not the assistant's own, and are left out,
//! unless nothing else is there. Nothing is judged here.

use super::phrase_table::{Cue, SIGNALS};
use crate::pure::gates::artefacts::{self, Mark};
use crate::pure::text::{is_spaceless, normalise};

/// A sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sentence {
    /// Lower case, no punctuation, one space between words and one at either end; contractions written out.
    pub(super) plain: String,
    /// Its words; in scripts without spaces, two characters count as one.
    pub(super) words: usize,
    /// Whether it is an item of a list.
    pub(super) item: bool,
    /// Whether it ends in a question mark.
    pub(super) asks: bool,
}

/// The sentences that the response says in its own voice.
pub(super) fn sentences(text: &str) -> Vec<Sentence> {
    let text = match artefacts::think_tags(text) {
        Mark::Repairable(rest) => rest,
        Mark::None | Mark::Broken => text,
    };
    let whole = unwrapped(text.trim());
    let prose = outside_fences(whole);
    let lines: Vec<&str> = prose.iter().flat_map(|part| part.lines()).collect();
    let own = own_lines(&lines);
    let mut out = Vec::new();
    let mut presented = false;
    for line in own {
        let (item, body) = list_item(line);
        // "Here are three polite refusals:" and then a list: the items are somebody else's words.
        if presented && item {
            continue;
        }
        presented &= body.is_empty();
        let unquoted = without_quotes(body);
        split(&unquoted, item, &mut out);
        if body.ends_with([':', '：']) {
            presented = out.last().is_some_and(|s: &Sentence| SIGNALS.has(Cue::Presents, &s.plain));
        }
    }
    out
}

/// A text that stands in quotation artefacts, a fence or a block quote as a whole is what the response says.
fn unwrapped(text: &str) -> &str {
    let inner =
        [('"', '"'), ('“', '”'), ('«', '»'), ('„', '“'), ('「', '」')].iter().find_map(|(open, close)| {
            let inner = text.strip_prefix(*open)?.strip_suffix(*close)?;
            (!inner.contains([*open, *close])).then_some(inner)
        });
    let fenced = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```")).and_then(|rest| {
        let (info, inner) = rest.split_once('\n')?;
        let is_text = ["", "text", "txt", "markdown", "md", "plaintext"].contains(&info.trim());
        (is_text && !inner.contains("```")).then_some(inner)
    });
    inner.or(fenced).unwrap_or(text).trim()
}

/// What stands outside of fences. A fence that begins the text and never ends holds what the response says.
fn outside_fences(text: &str) -> Vec<&str> {
    let parts: Vec<&str> = text.split("```").collect();
    if let ["", unclosed] = parts.as_slice() {
        let says = unclosed.split_once('\n').map_or(*unclosed, |(_, says)| says);
        return vec![says];
    }
    parts.into_iter().step_by(2).collect()
}

/// The lines that are not a quotation, a table, a letter or part of a play.
fn own_lines<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let filled = || lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    let all_quoted = filled().all(|line| line.starts_with('>'));
    let is_play = filled().filter(|line| is_cue(line)).count() >= 2;
    let letters = letters(lines);
    let mut own = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let line = line.trim();
        let quoted = line.starts_with('>') && !all_quoted;
        if !(quoted || letters[at] || line.starts_with('|') || is_play && is_cue(line)) {
            own.push(line.trim_start_matches('>'));
        }
    }
    own
}

/// "KNIGHT: …", as plays and transcripts have it.
fn is_cue(line: &str) -> bool {
    line.trim_matches('*').split_once(':').is_some_and(|(name, said)| {
        !said.trim().is_empty()
            && (2..=24).contains(&name.len())
            && name.chars().all(|c| c.is_uppercase() || matches!(c, ' ' | '.' | '\'' | '-'))
    })
}

/// Which lines belong to a letter: from a subject or salutation to the line after the closing one.
fn letters(lines: &[&str]) -> Vec<bool> {
    // A letter begins and ends with short lines; of a long one its beginning tells whether it is a subject.
    let plain: Vec<String> = lines.iter().map(|line| plain(beginning(line))).collect();
    let mut within = vec![false; lines.len()];
    // From the end, so that the next closing line is known without a search.
    let mut closing = None;
    let mut closings = vec![None; lines.len()];
    for at in (0..lines.len()).rev() {
        closings[at] = closing;
        if closes_letter(&plain[at]) {
            closing = Some(at);
        }
    }
    let mut at = 0;
    while at < lines.len() {
        let subject = plain[at].starts_with(" subject ") && lines[at].contains(':');
        let end = match closings[at] {
            Some(closing) if subject || salutes(&plain[at], lines[at]) => (closing + 1).min(lines.len() - 1),
            None if subject => lines.len() - 1,
            Some(_) | None => {
                at += 1;
                continue;
            }
        };
        within[at..=end].fill(true);
        at = end + 1;
    }
    within
}

/// The beginning of a line, longer than any salutation.
fn beginning(line: &str) -> &str {
    const LONGER_THAN_ANY: usize = 200;
    line.char_indices().nth(LONGER_THAN_ANY).and_then(|(end, _)| line.get(..end)).unwrap_or(line)
}

fn salutes(plain: &str, line: &str) -> bool {
    let openings = [
        " dear ",
        " hi ",
        " hello ",
        " hey ",
        " to whom it may ",
        " sehr geehrte",
        " cher",
        " chère ",
        " estimad",
        " querid",
        " car",
    ];
    plain.len() < 60
        && line.trim_end().ends_with([',', ':', '，'])
        && openings.iter().any(|opening| plain.starts_with(opening))
}

fn closes_letter(plain: &str) -> bool {
    let closings = [
        "regards",
        "kind regards",
        "best regards",
        "warm regards",
        "best",
        "all the best",
        "sincerely",
        "yours sincerely",
        "sincerely yours",
        "yours faithfully",
        "yours truly",
        "respectfully",
        "cheers",
        "love",
        "warmly",
        "many thanks",
        "thank you",
        "thanks",
        "with love",
        "best wishes",
        "cordialement",
        "mit freundlichen grüßen",
        "saludos",
        "atentamente",
        "atenciosamente",
        "cordiali saluti",
    ];
    closings.contains(&plain.trim())
}

/// A list item's text without its mark.
fn list_item(line: &str) -> (bool, &str) {
    let line = line.trim_start_matches('#').trim();
    for mark in ["- ", "* ", "• ", "+ "] {
        if let Some(rest) = line.strip_prefix(mark) {
            return (true, rest);
        }
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=3).contains(&digits)
        && let Some(rest) = line.get(digits..).and_then(|rest| rest.strip_prefix(['.', ')']))
        && rest.starts_with(' ')
    {
        return (true, rest.trim());
    }
    (false, line)
}

/// The line without what stands in quotation marks; a mark that is never closed stays.
fn without_quotes(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, open, after)) = next_quote(rest) {
        let close = match open {
            '“' => '”',
            '«' => '»',
            '„' => '“',
            '「' => '」',
            other => other,
        };
        let Some((quoted, left)) = after.split_once(close) else { break };
        out.push_str(before);
        // A word in quotation marks belongs to the sentence.
        out.push_str(if quoted.split_whitespace().nth(2).is_none() { quoted } else { " " });
        rest = left;
    }
    out.push_str(rest);
    out
}

fn next_quote(text: &str) -> Option<(&str, char, &str)> {
    let at = text.find(['"', '“', '«', '„', '「'])?;
    let (before, after) = text.split_at(at);
    let open = after.chars().next()?;
    Some((before, open, after.get(open.len_utf8()..).unwrap_or("")))
}

/// Splits a line where a sentence ends.
fn split(line: &str, item: bool, out: &mut Vec<Sentence>) {
    let mut from = 0;
    let mut chars = line.char_indices().peekable();
    let mut push = |text: &str| {
        let plain = plain(text);
        if plain.len() > 1 {
            out.push(Sentence {
                words: count_words(&plain),
                plain,
                item,
                asks: text.trim_end().ends_with(['?', '？']),
            });
        }
    };
    while let Some((at, c)) = chars.next() {
        let wide = matches!(c, '。' | '！' | '？' | '।' | '؟');
        let ends =
            matches!(c, '.' | '!' | '?' | ';') && chars.peek().is_none_or(|(_, next)| next.is_whitespace());
        if wide || ends {
            let end = at + c.len_utf8();
            push(line.get(from..end).unwrap_or(""));
            from = end;
        }
    }
    push(line.get(from..).unwrap_or(""));
}

/// The plain form of a sentence. Cheap, and the same for every way of typing the same words.
pub(super) fn plain(text: &str) -> String {
    // Blanks are gone either way, so ASCII needs no more than lower case.
    let folded = if text.is_ascii() { text.to_ascii_lowercase() } else { normalise(text) };
    let mut out = String::with_capacity(folded.len() + 8);
    out.push(' ');
    for word in folded.split(|c: char| c.is_whitespace() || is_punctuation(c)) {
        let word = word.trim_matches(is_apostrophe);
        if !word.is_empty() {
            push_word(word, &mut out);
        }
    }
    out
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | '`' | '´')
}

fn is_punctuation(c: char) -> bool {
    !c.is_alphanumeric() && !is_apostrophe(c) && !is_mark(c)
}

/// Combining marks of Indic, Thai and Semitic scripts.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036f}' | '\u{0591}'..='\u{05c7}' | '\u{0900}'..='\u{0dff}' | '\u{0e00}'..='\u{0eff}')
}

/// Writes contractions out: "can't", "cant" and "cannot" become `can not`.
fn push_word(word: &str, out: &mut String) {
    let whole = match word {
        "cannot" | "cant" => Some("can not"),
        "wont" => Some("will not"),
        "dont" => Some("do not"),
        "didnt" => Some("did not"),
        "doesnt" => Some("does not"),
        "isnt" => Some("is not"),
        "im" => Some("i am"),
        "shouldnt" => Some("should not"),
        "wouldnt" => Some("would not"),
        "couldnt" => Some("could not"),
        _ => None,
    };
    if let Some(whole) = whole {
        out.push_str(whole);
        out.push(' ');
        return;
    }
    let Some((stem, ending)) = word.rsplit_once(is_apostrophe) else {
        out.push_str(word);
        out.push(' ');
        return;
    };
    let (stem, ending) = match (stem, ending) {
        ("can", "t") => ("can", "not"),
        ("won", "t") => ("will", "not"),
        ("shan", "t") => ("shall", "not"),
        (stem, "t") => (stem.strip_suffix('n').unwrap_or(stem), "not"),
        (stem, "m") => (stem, "am"),
        (stem, "re") => (stem, "are"),
        (stem, "ve") => (stem, "have"),
        (stem, "ll") => (stem, "will"),
        (stem, "d") => (stem, "would"),
        ("let", "s") => ("let", "us"),
        ("it" | "that" | "there" | "here" | "what" | "this" | "who" | "he" | "she", "s") => (stem, "is"),
        (stem, ending) => (stem, ending),
    };
    for part in stem.split(is_apostrophe).chain([ending]).filter(|part| !part.is_empty()) {
        out.push_str(part);
        out.push(' ');
    }
}

fn count_words(plain: &str) -> usize {
    let spaceless = plain.chars().filter(|c| is_spaceless(*c)).count();
    if spaceless == 0 { plain.split_ascii_whitespace().count() } else { spaceless.div_ceil(2) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn contractions_and_marks_do_not_matter() {
        for text in [
            "I can't do that!",
            "i cant do that",
            "**I can’t do that.**",
            "I cannot do — that",
            "I CAN'T, do that",
        ] {
            assert_eq!(plain(text), " i can not do that ", "{text}");
        }
        assert_eq!(plain("Je n'ai pas l’accès"), " je n ai pas l accès ");
        assert_eq!(plain("It's what they've said"), " it is what they have said ");
    }

    #[test]
    fn only_its_own_voice() {
        let said = |text: &str| {
            sentences(text).iter().map(|s| s.plain.trim().to_owned()).collect::<Vec<_>>().join("|")
        };
        for (text, want) in [
            ("\"No way.\"", "no way"),
            ("The word is \"no, never ever\" here.", "the word is here"),
            ("Use:\n```\nprint(1)\n```\nDone.", "use|done"),
            ("> No.\n> Never.", "no|never"),
            ("As he said:\n> No.\nThat is all.", "as he said|that is all"),
            ("Dear Ann,\n\nI can't come.\n\nBest,\nBo\n\nThat is the letter.", "that is the letter"),
            ("Three polite refusals:\n1. No.\n2. I won't.", "three polite refusals"),
            ("<think>hm</think>Yes.", "yes"),
        ] {
            assert_eq!(said(text), want, "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_text_can_be_read(text in "\\PC{0,80}|[\\n\"“”«»`>|:. a-c]{0,80}") {
            for sentence in sentences(&text) {
                prop_assert!(sentence.plain.starts_with(' ') && sentence.plain.ends_with(' '));
            }
        }
    }
}
