//! JSON as servers, scripts and models really write it, read without loss of what it plainly says.
//!
//! [`parse`] takes what a strict reader takes, and beyond that: a byte order mark, blank padding, `NaN` and `±Infinity`
//! (they become `null`), half of a surrogate pair (it becomes U+FFFD), raw control characters in strings, unknown escapes,
//! and a comma before a closing bracket. A file that amend itself defines is never read with this.

use serde_json::Value;

/// A value, and whether it had to be read loosely.
#[derive(Debug, Clone, PartialEq)]
pub struct LooseJson {
    /// The value.
    pub value: Value,
    /// Whether a strict reader would have refused the text.
    pub is_mended: bool,
}

/// Reads JSON, strictly where that works and loosely where it does not.
///
/// # Errors
///
/// The error of the strict reader about the mended text: it is no JSON in any reading.
///
/// ```
/// use amend::pure::text::loose_json;
///
/// // `NaN` is not JSON, but servers write it.
/// let read = loose_json::parse(r#"{"logprob": NaN}"#)?;
/// assert!(read.value["logprob"].is_null());
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn parse(text: &str) -> Result<LooseJson, serde_json::Error> {
    match serde_json::from_str(text) {
        Ok(value) => Ok(LooseJson { value, is_mended: false }),
        Err(_) => Ok(LooseJson { value: serde_json::from_str(&mended(text))?, is_mended: true }),
    }
}

/// The text with everything mended that [`parse`] takes.
pub fn mended(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}');
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 8);
    let mut at = 0;
    let mut in_string = false;
    while let Some(&c) = chars.get(at) {
        let taken = match (in_string, c) {
            (true, '\\') => mend_escape(&chars, at, &mut out),
            (true, c) if c.is_control() => push_escaped(c, &mut out),
            (true, c) => {
                in_string = c != '"';
                push(c, &mut out)
            }
            (false, ',') if closes_next(&chars, at + 1) => 1,
            (false, 'N' | 'I' | '-') => mend_number(&chars, at, &mut out),
            (false, c) => {
                in_string = c == '"';
                push(c, &mut out)
            }
        };
        at += taken;
    }
    out
}

fn push(c: char, out: &mut String) -> usize {
    out.push(c);
    1
}

fn push_escaped(c: char, out: &mut String) -> usize {
    use std::fmt::Write as _;
    let _ = write!(out, "\\u{:04x}", u32::from(c));
    1
}

/// Mends the escape at `at`, and says how many characters it takes.
fn mend_escape(chars: &[char], at: usize, out: &mut String) -> usize {
    match chars.get(at + 1) {
        Some('u') => mend_unicode_escape(chars, at, out),
        Some(c @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => {
            out.push('\\');
            out.push(*c);
            2
        }
        // An escape that JSON does not know is a backslash that somebody forgot to escape.
        Some(_) | None => {
            out.push_str("\\\\");
            1
        }
    }
}

/// Keeps a whole surrogate pair and any other character; half of a pair becomes U+FFFD.
fn mend_unicode_escape(chars: &[char], at: usize, out: &mut String) -> usize {
    let Some(unit) = unicode_escape(chars, at) else {
        out.push_str("\\\\");
        return 1;
    };
    let (pair, taken) = match unit {
        0xd800..=0xdbff => match unicode_escape(chars, at + 6) {
            Some(low @ 0xdc00..=0xdfff) => (vec![unit, low], 12),
            Some(_) | None => (vec![0xfffd], 6),
        },
        0xdc00..=0xdfff => (vec![0xfffd], 6),
        unit => (vec![unit], 6),
    };
    for unit in pair {
        use std::fmt::Write as _;
        let _ = write!(out, "\\u{unit:04x}");
    }
    taken
}

/// The number of `\uXXXX` at `at`.
fn unicode_escape(chars: &[char], at: usize) -> Option<u32> {
    let digits = chars.get(at..at + 6)?.strip_prefix(&['\\', 'u'])?;
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + digit.to_digit(16)?))
}

/// Whether the next character that is not blank closes a list or an object.
fn closes_next(chars: &[char], from: usize) -> bool {
    let rest = chars.get(from..).unwrap_or_default();
    rest.iter().find(|c| !c.is_whitespace()).is_some_and(|c| matches!(c, ']' | '}'))
}

/// Puts `null` for a number that JSON has no word for.
fn mend_number(chars: &[char], at: usize, out: &mut String) -> usize {
    for word in ["NaN", "-NaN", "Infinity", "-Infinity"] {
        let length = word.len();
        if chars.get(at..at + length).is_some_and(|found| word.chars().eq(found.iter().copied())) {
            out.push_str("null");
            return length;
        }
    }
    push(chars.get(at).copied().unwrap_or_default(), out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_servers_and_scripts_write_is_read() {
        let check = |text: &str, expected: Value| {
            let read = parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!((read.value, read.is_mended), (expected, true), "{text:?}");
        };
        check("\u{feff}{\"a\": 1}", json!({ "a": 1 }));
        check(
            "{\"a\": NaN, \"b\": -Infinity, \"c\": [Infinity, -NaN]}",
            json!({ "a": null, "b": null, "c": [null, null] }),
        );
        check("{\"a\": \"cut \\ud83d here\"}", json!({ "a": "cut \u{fffd} here" }));
        check("{\"a\": \"\\ude00\\ud83d\\u0041\"}", json!({ "a": "\u{fffd}\u{fffd}A" }));
        check("{\"a\": \"two\nlines\tand a tab\"}", json!({ "a": "two\nlines\tand a tab" }));
        check("{\"a\": [1, 2, ], }", json!({ "a": [1, 2] }));
        check("{\"a\": \"it\\'s \\d\"}", json!({ "a": "it\\'s \\d" }));
        check("{\"a\": 1}\0\0", json!({ "a": 1 }));
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for text in ["", "NaN of it", "{", "{\"a\"}", "hello", "{\"a\": \"open"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        /// What a strict reader takes is never changed, and a mended text says the same.
        #[test]
        fn mending_sound_json_changes_nothing(texts in prop::collection::vec("\\PC{0,12}|NaN|-Infinity|\\\\u", 0..4), n in any::<i32>()) {
            let value = json!({ "texts": texts, "n": n, "deep": [{ "t": texts.first() }] });
            let text = value.to_string();
            prop_assert_eq!(parse(&text).unwrap(), LooseJson { value: value.clone(), is_mended: false });
            prop_assert_eq!(serde_json::from_str::<Value>(&mended(&text)).unwrap(), value);
        }
    }
}
