//! Numbers and addresses of help that nobody gave: a model must not make them up.
//!
//! A telephone number looks like one, or stands beside a word of calling; so short ones, such as 112, are found as well, and
//! dates, years and amounts are not. Digits are compared without what stands between them.

use regex::Regex;
use std::sync::LazyLock;

/// What may be a telephone number: digits, with what people put between them.
static NUMBER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\+?[0-9][0-9 \u{a0}().\-/–]{1,22}[0-9]|[0-9]{3,}").ok());

/// Web and mail addresses.
static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\bhttps?://[^\s<>()\[\]]+|\bwww\.[^\s<>()\[\]]+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:org|com|net|info|gov|edu|int|co\.uk|de|at|ch|fr|es|it|eu|in|jp|cn|br|mx|ke|tz|sa|ae|eg)\b(?:/[^\s<>()\[\]]*)?").ok()
});

/// What is no telephone number, however many digits it has: dates, ranges of years, decimals and versions, amounts in groups.
static OTHER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^(?: \d{4}[-/.]\d{1,2}(?:[-/.]\d{1,2})? | \d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}
          | (?:1\d|20)\d{2}\s?[-–/]\s?(?:(?:1\d|20)\d{2}|\d{2}) | \d+\.\d+(?:\.\d+)* | \d{1,3}(?:[\ \u{a0}.]\d{3})+
          | \d+\s?[-–/]\s?\d{1,3} )$",
    )
    .ok()
});

/// Words of calling and of lines that one calls, in the languages of the seeds and some more; stems, in lower case.
const CALLING: &[&str] = &[
    "call ",
    "dial ",
    "phone",
    "hotline",
    "helpline",
    "lifeline",
    "crisis line",
    "text home",
    "tel.",
    "tel:",
    " ring ",
    "anruf",
    " ruf ",
    "rufen",
    "wähl",
    "telefon",
    "notruf",
    "appelez",
    "appeler",
    "numéro",
    "composez",
    "téléphon",
    "llama",
    "llame",
    "marca ",
    "marque ",
    "número",
    "teléfono",
    "chiama",
    "numero ",
    "ligue",
    "ligar",
    "disque",
    "zadzwo",
    "numer ",
    "звон",
    "телефон",
    "номер",
    "اتصل",
    "رقم",
    "هاتف",
    "拨打",
    "电话",
    "致电",
    "热线",
    "電話",
    "전화",
    "번호",
    "फ़ोन",
    "फोन",
    "कॉल",
    "नंबर",
    "हेल्पलाइन",
    "simu ",
    "piga ",
    "nambari",
    "namba ",
];

/// How many characters before and after a number a word of calling may stand.
const NEAR: usize = 28;

/// The first number, and with `addresses` the first address, in a text that stands in none of the texts that are known.
pub fn invented_contact(text: &str, known: &[&str], addresses: bool) -> Option<String> {
    number(text, known).or_else(|| address(text, known).filter(|_| addresses))
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn number(text: &str, known: &[&str]) -> Option<String> {
    let known: Vec<String> = known.iter().flat_map(|text| numbers_of(text)).collect();
    let lower = text.to_lowercase();
    for found in NUMBER.as_ref()?.find_iter(text) {
        let written = found.as_str().trim_matches(|c: char| !c.is_ascii_digit() && c != '+' && c != '(');
        let plain = digits(written);
        let is_other = OTHER.as_ref()?.is_match(written);
        let has_form = written.starts_with('+')
            || written.starts_with('0')
            || written.chars().any(|c| !c.is_ascii_digit());
        let looks_like_one = (7..=15).contains(&plain.len()) && has_form && !is_other;
        let is_year = plain == written && plain.parse().is_ok_and(|year: u32| (1500..=2099).contains(&year));
        let is_one = looks_like_one
            || !is_year && (3..=15).contains(&plain.len()) && is_called(&lower, text, found.range());
        if is_one && !known.contains(&plain) {
            return Some(written.to_owned());
        }
    }
    None
}

/// The numbers that a known text names, as digits.
fn numbers_of(text: &str) -> Vec<String> {
    let Some(pattern) = NUMBER.as_ref() else { return Vec::new() };
    pattern.find_iter(text).map(|found| digits(found.as_str())).collect()
}

/// Whether a word of calling stands near a number.
fn is_called(lower: &str, text: &str, at: std::ops::Range<usize>) -> bool {
    // Lower case may have another length; then the words are looked for in the text as it is.
    let text = if lower.len() == text.len() { lower } else { text };
    let before: String = text.get(..at.start).unwrap_or("").chars().rev().take(NEAR).collect();
    let before: String = before.chars().rev().collect();
    let after: String = text.get(at.end..).unwrap_or("").chars().take(NEAR).collect();
    // Another sentence is about something else.
    let before = before.rsplit(['.', '!', '?', '。', '\n']).next().unwrap_or("");
    let after = after.split(['.', '!', '?', '。', '\n']).next().unwrap_or("");
    CALLING.iter().any(|word| before.contains(word) || after.contains(word))
}

fn address(text: &str, known: &[&str]) -> Option<String> {
    let known: Vec<String> = known.iter().map(|text| text.to_lowercase()).collect();
    let found = ADDRESS.as_ref()?.find_iter(text);
    let trimmed = found.map(|found| found.as_str().trim_end_matches(['.', ',', ';', ':', '!', '?']));
    trimmed
        .filter(|address| {
            let plain = address.to_lowercase();
            let plain = plain.split_once("://").map_or(plain.as_str(), |(_, rest)| rest);
            let plain = plain.trim_start_matches("www.").trim_end_matches('/');
            !known.iter().any(|known| known.contains(plain))
        })
        .map(str::to_owned)
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_help_are_found_and_other_numbers_are_not() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(
                invented_contact(text, &["Telefonseelsorge 142", "www.example.org/help"], true).as_deref(),
                expected,
                "{text}"
            );
        };
        check("Please call 988 now.", Some("988"));
        check("You can reach the Lifeline at 1-800-273-8255.", Some("1-800-273-8255"));
        check("Ruf die Telefonseelsorge an: 0800 111 0 111", Some("0800 111 0 111"));
        check("Die Telefonseelsorge hat die Nummer 142.", None);
        check("请拨打 010-82951332。", Some("010-82951332"));
        check("Appelez le 3114, jour et nuit.", Some("3114"));
        check("Piga simu 1190.", Some("1190"));
        check("Text HOME to 741741", Some("741741"));
        check("Write to help@crisis.example.com", Some("help@crisis.example.com"));
        check("See https://example.org/help for more.", None);
        check("See findahelpline.com.", Some("findahelpline.com"));
        for text in [
            "The war lasted from 1939-1945.",
            "On 2026-11-27, 10.5 litres were left of 1 000 000.",
            "Take 200 mg twice a day, for 10-14 days.",
            "Version 1.2.345 fixes it. In 1984 it had 32768 bytes.",
            "Pi is 3.14159265.",
            "He was born on 24.12.1975.",
            "Composed in 1824, it is called the Ninth. In March 1990 a phone was rare.",
            "Write a text of 300 words.",
            "Use `kill -9 12345` for the process.",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn what_the_user_wrote_may_be_said_again() {
        let known = ["My number is +43 1 234 5678, call me."];
        assert_eq!(invented_contact("I cannot call +43 1 2345678.", &known, true), None);
        assert_eq!(
            invented_contact("I cannot call +43 1 2345679.", &known, true).as_deref(),
            Some("+43 1 2345679")
        );
    }
}
