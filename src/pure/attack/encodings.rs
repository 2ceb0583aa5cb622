//! Codes: a text in other signs, by rule, and back.

use super::alphabets::{Codebook, Radix};
use std::fmt::Write as _;

pub(super) const BASE64: Radix =
    Radix { digits: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", bits: 6, group: 4 };

pub(super) const BASE32: Radix = Radix { digits: "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", bits: 5, group: 8 };

pub(super) const HEX: Radix = Radix { digits: "0123456789abcdef", bits: 4, group: 2 };

#[rustfmt::skip]
pub(super) const MORSE: Codebook = Codebook { codes: &[
    ('a', ".-"), ('b', "-..."), ('c', "-.-."), ('d', "-.."), ('e', "."), ('f', "..-."), ('g', "--."), ('h', "...."),
    ('i', ".."), ('j', ".---"), ('k', "-.-"), ('l', ".-.."), ('m', "--"), ('n', "-."), ('o', "---"), ('p', ".--."),
    ('q', "--.-"), ('r', ".-."), ('s', "..."), ('t', "-"), ('u', "..-"), ('v', "...-"), ('w', ".--"), ('x', "-..-"),
    ('y', "-.--"), ('z', "--.."), ('0', "-----"), ('1', ".----"), ('2', "..---"), ('3', "...--"), ('4', "....-"),
    ('5', "....."), ('6', "-...."), ('7', "--..."), ('8', "---.."), ('9', "----."), ('.', ".-.-.-"), (',', "--..--"),
    ('?', "..--.."), ('\'', ".----."), ('!', "-.-.--"), ('/', "-..-."), ('(', "-.--."), (')', "-.--.-"), ('&', ".-..."),
    (':', "---..."), (';', "-.-.-."), ('=', "-...-"), ('+', ".-.-."), ('-', "-....-"), ('_', "..--.-"), ('"', ".-..-."),
    ('$', "...-..-"), ('@', ".--.-."),
] };

#[rustfmt::skip]
pub(super) const NATO: Codebook = Codebook { codes: &[
    ('a', "alfa"), ('b', "bravo"), ('c', "charlie"), ('d', "delta"), ('e', "echo"), ('f', "foxtrot"), ('g', "golf"),
    ('h', "hotel"), ('i', "india"), ('j', "juliett"), ('k', "kilo"), ('l', "lima"), ('m', "mike"), ('n', "november"),
    ('o', "oscar"), ('p', "papa"), ('q', "quebec"), ('r', "romeo"), ('s', "sierra"), ('t', "tango"), ('u', "uniform"),
    ('v', "victor"), ('w', "whiskey"), ('x', "xray"), ('y', "yankee"), ('z', "zulu"), ('/', "slash"),
] };

/// The Braille cells of `a` to `z`.
const CELLS: &str = "⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵";

/// Eight digits for each byte, with spaces between.
pub(super) fn binary(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:08b}")).collect::<Vec<_>>().join(" ")
}

pub(super) fn from_binary(text: &str) -> Option<String> {
    let byte = |digits: &str| {
        let is_byte = digits.len() == 8 && digits.chars().all(|c| matches!(c, '0' | '1'));
        is_byte.then(|| u8::from_str_radix(digits, 2).ok()).flatten()
    };
    let bytes = text.split_whitespace().map(byte).collect::<Option<Vec<u8>>>()?;
    String::from_utf8(bytes).ok()
}

/// One after another, each as it is written.
fn written<T>(items: impl Iterator<Item = T>, write: impl Fn(&mut String, T) -> std::fmt::Result) -> String {
    items.fold(String::new(), |mut out, item| {
        // A text takes whatever is written.
        let _ = write(&mut out, item);
        out
    })
}

pub(super) fn percent(text: &str) -> String {
    written(text.bytes(), |out, byte| write!(out, "%{byte:02X}"))
}

pub(super) fn from_percent(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits: String = part.chars().take(2).collect();
        let is_byte = digits.len() == 2 && digits.chars().all(|c| c.is_ascii_hexdigit());
        bytes.push(u8::from_str_radix(&digits, 16).ok().filter(|_| is_byte)?);
        bytes.extend(part.chars().skip(2).collect::<String>().bytes());
    }
    String::from_utf8(bytes).ok()
}

pub(super) fn html(text: &str) -> String {
    written(text.chars(), |out, c| write!(out, "&#{};", u32::from(c)))
}

pub(super) fn from_html(text: &str) -> Option<String> {
    let mut parts = text.split("&#");
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (number, rest) = part.split_once(';')?;
        out.push(char::from_u32(number.parse().ok()?)?);
        out.push_str(rest);
    }
    Some(out)
}

pub(super) fn unicode(text: &str) -> String {
    written(text.encode_utf16(), |out, unit| write!(out, "\\u{unit:04x}"))
}

pub(super) fn from_unicode(text: &str) -> Option<String> {
    let mut parts = text.split("\\u");
    let mut units: Vec<u16> = parts.next()?.encode_utf16().collect();
    for part in parts {
        let digits: String = part.chars().take(4).collect();
        let is_unit = digits.len() == 4 && digits.chars().all(|c| c.is_ascii_hexdigit());
        units.push(u16::from_str_radix(&digits, 16).ok().filter(|_| is_unit)?);
        units.extend(part.chars().skip(4).collect::<String>().encode_utf16());
    }
    String::from_utf16(&units).ok()
}

/// Latin letters moved along the alphabet.
pub(super) fn shifted(text: &str, by: u8) -> String {
    let moved = |c: char, first: u8| char::from(first + (u8::try_from(c).unwrap_or(first) - first + by) % 26);
    text.chars()
        .map(|c| match c {
            'a'..='z' => moved(c, b'a'),
            'A'..='Z' => moved(c, b'A'),
            c => c,
        })
        .collect()
}

pub(super) fn atbash(text: &str) -> String {
    let turned = |c: char, ends: u8| char::from(ends - u8::try_from(c).unwrap_or(0));
    text.chars()
        .map(|c| match c {
            'a'..='z' => turned(c, b'a' + b'z'),
            'A'..='Z' => turned(c, b'A' + b'Z'),
            c => c,
        })
        .collect()
}

pub(super) fn braille(text: &str) -> String {
    let cell = |c: char| ('a'..='z').zip(CELLS.chars()).find(|(of, _)| *of == c).map_or(c, |(_, cell)| cell);
    text.to_lowercase().chars().map(cell).collect()
}

pub(super) fn from_braille(text: &str) -> String {
    let letter =
        |c: char| ('a'..='z').zip(CELLS.chars()).find(|(_, cell)| *cell == c).map_or(c, |(of, _)| of);
    text.chars().map(letter).collect()
}

/// Where Unicode's tag characters begin: one for each of ASCII.
const TAGS: u32 = 0xe_0000;

pub(super) fn tags(text: &str) -> String {
    let tag =
        |c: char| if matches!(c, ' '..='~') { char::from_u32(TAGS + u32::from(c)).unwrap_or(c) } else { c };
    text.chars().map(tag).collect()
}

pub(super) fn from_tags(text: &str) -> String {
    let shown = |c: char| match u32::from(c).checked_sub(TAGS) {
        Some(of @ 0x20..=0x7e) => char::from_u32(of).unwrap_or(c),
        Some(_) | None => c,
    };
    text.chars().map(shown).collect()
}
