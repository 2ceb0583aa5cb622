//! Letters that look or stand otherwise, and back.
//!
//! What is changed beyond repair (scrambled, noised) is changed only in words that are letters and nothing else: a number, an
//! address or a name in code stays what it is, or the goal would be another one.

use crate::pure::digest::Parts;

/// Letters and the digits that look like them.
const LEET: [(char, char); 6] = [('a', '4'), ('e', '3'), ('i', '1'), ('o', '0'), ('s', '5'), ('t', '7')];

/// Latin letters, and Cyrillic ones that look the same.
const LOOKALIKES: [(char, char); 16] = [
    ('a', 'а'),
    ('c', 'с'),
    ('e', 'е'),
    ('i', 'і'),
    ('j', 'ј'),
    ('o', 'о'),
    ('p', 'р'),
    ('s', 'ѕ'),
    ('x', 'х'),
    ('y', 'у'),
    ('A', 'А'),
    ('B', 'В'),
    ('E', 'Е'),
    ('H', 'Н'),
    ('O', 'О'),
    ('T', 'Т'),
];

const ZERO_WIDTH: char = '\u{200b}';

/// How often a letter is made capital, and a word scrambled.
const CHANGED: f64 = 0.6;
/// How often a letter is replaced.
const REPLACED: f64 = 0.06;

fn swapped(pairs: &[(char, char)], c: char) -> char {
    pairs.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to)
}

fn swapped_back(pairs: &[(char, char)], c: char) -> char {
    pairs.iter().find(|(_, to)| *to == c).map_or(c, |(from, _)| *from)
}

/// Runs of letters and digits changed one by one; all else stands.
fn each_run(text: &str, change: impl Fn(usize, &str) -> String) -> String {
    let (mut out, mut run, mut count) = (String::with_capacity(text.len()), String::new(), 0);
    for c in text.chars() {
        if c.is_alphanumeric() {
            run.push(c);
            continue;
        }
        if !run.is_empty() {
            out.push_str(&change(count, &std::mem::take(&mut run)));
            count += 1;
        }
        out.push(c);
    }
    if !run.is_empty() {
        out.push_str(&change(count, &run));
    }
    out
}

/// Words, as white space parts them, changed one by one.
fn each_word(text: &str, change: impl Fn(usize, &str) -> String) -> String {
    let parts = text.split_inclusive(char::is_whitespace);
    let changed = parts.enumerate().map(|(n, part)| {
        let word = part.trim_end();
        let gap: String = part.chars().skip(word.chars().count()).collect();
        change(n, word) + &gap
    });
    changed.collect()
}

/// A word of letters keeps at least one, so that it can be told from a number.
pub(super) fn leet(text: &str) -> String {
    each_run(text, |_, run| {
        if run.chars().any(char::is_numeric) {
            return run.to_owned();
        }
        let mut changed: Vec<char> = run.chars().map(|c| swapped(&LEET, c)).collect();
        if changed.iter().all(char::is_ascii_digit)
            && let (Some(first), Some(kept)) = (changed.first_mut(), run.chars().next())
        {
            *first = kept;
        }
        changed.into_iter().collect()
    })
}

pub(super) fn from_leet(text: &str) -> String {
    each_run(text, |_, run| {
        let is_number = run.chars().all(char::is_numeric);
        if is_number { run.to_owned() } else { run.chars().map(|c| swapped_back(&LEET, c)).collect() }
    })
}

pub(super) fn homoglyphs(text: &str) -> String {
    text.chars().map(|c| swapped(&LOOKALIKES, c)).collect()
}

pub(super) fn from_homoglyphs(text: &str) -> String {
    text.chars().map(|c| swapped_back(&LOOKALIKES, c)).collect()
}

pub(super) fn zero_width(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 4);
    let mut before = None;
    for c in text.chars() {
        if c.is_alphabetic() && before.is_some_and(char::is_alphabetic) {
            out.push(ZERO_WIDTH);
        }
        out.push(c);
        before = Some(c);
    }
    out
}

pub(super) fn from_zero_width(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(*c, ZERO_WIDTH | '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{feff}'))
        .collect()
}

pub(super) fn spacing(text: &str) -> String {
    text.chars().map(String::from).collect::<Vec<_>>().join(" ")
}

pub(super) fn from_spacing(text: &str) -> Option<String> {
    let gaps_are_spaces = text.chars().skip(1).step_by(2).all(|c| c == ' ');
    let is_long = text.chars().nth(4).is_some();
    (gaps_are_spaces && is_long).then(|| text.chars().step_by(2).collect())
}

pub(super) fn reversal(text: &str) -> String {
    text.chars().rev().collect()
}

pub(super) fn word_reversal(text: &str) -> String {
    text.split(' ').rev().collect::<Vec<_>>().join(" ")
}

pub(super) fn random_capitals(text: &str, chance: &Parts) -> String {
    let changed = text.chars().enumerate().map(|(n, c)| {
        let is_changed = c.is_ascii_lowercase() && chance.clone().with_u64(n as u64).unit() < CHANGED;
        if is_changed { c.to_ascii_uppercase() } else { c }
    });
    changed.collect()
}

pub(super) fn fullwidth(text: &str) -> String {
    let wide = |c: char| match c {
        ' ' => '\u{3000}',
        '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c),
        c => c,
    };
    text.chars().map(wide).collect()
}

pub(super) fn from_fullwidth(text: &str) -> String {
    let narrow = |c: char| match c {
        '\u{3000}' => ' ',
        '！'..='～' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c => c,
    };
    text.chars().map(narrow).collect()
}

/// Where mathematics' bold capital and small letters begin.
const BOLD: [(char, u32); 2] = [('A', 0x1_d400), ('a', 0x1_d41a)];

pub(super) fn math_letters(text: &str) -> String {
    let bold = |c: char| {
        let of = BOLD.iter().rev().find(|(first, _)| c >= *first && c.is_ascii_alphabetic());
        of.and_then(|(first, bold)| char::from_u32(bold + u32::from(c) - u32::from(*first))).unwrap_or(c)
    };
    text.chars().map(bold).collect()
}

pub(super) fn from_math_letters(text: &str) -> String {
    let plain = |c: char| {
        let letter = |(first, bold): &(char, u32)| {
            let at = u32::from(c).checked_sub(*bold).filter(|at| *at < 26)?;
            char::from_u32(u32::from(*first) + at)
        };
        BOLD.iter().find_map(letter).unwrap_or(c)
    };
    text.chars().map(plain).collect()
}

pub(super) fn scramble(text: &str, chance: &Parts) -> String {
    each_word(text, |n, word| {
        let chance = chance.clone().with_u64(n as u64);
        let mut letters: Vec<char> = word.chars().collect();
        let is_word = letters.len() > 3 && letters.iter().all(|c| c.is_alphabetic());
        if !is_word || chance.clone().unit() >= CHANGED {
            return word.to_owned();
        }
        let last = letters.len() - 1;
        if let Some(inner) = letters.get_mut(1..last) {
            for at in (1..inner.len()).rev() {
                let with = chance.clone().with_u64(at as u64).uniform() % (at as u64 + 1);
                inner.swap(at, usize::try_from(with).unwrap_or(at));
            }
        }
        letters.into_iter().collect()
    })
}

pub(super) fn noise(text: &str, chance: &Parts) -> String {
    each_word(text, |n, word| {
        if !word.chars().all(|c| c.is_ascii_alphabetic()) {
            return word.to_owned();
        }
        let chance = chance.clone().with_u64(n as u64);
        let changed = word.chars().enumerate().map(|(at, c)| {
            let is_changed = chance.clone().with_u64(at as u64).unit() < REPLACED;
            let next = match c {
                'z' | 'Z' => char::from(u8::try_from(c).unwrap_or(b'z') - 1),
                c => char::from(u8::try_from(c).unwrap_or(b'a') + 1),
            };
            if is_changed { next } else { c }
        });
        changed.collect()
    })
}
