//! The transforms that need no model: their names, their families, and the two directions.

use super::family::Family;
use super::{encodings, formats, obfuscations};
use crate::pure::digest::Parts;
use serde::{Deserialize, Serialize};

/// A change of a text by rule.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Transform {
    /// Base 64 of the text's bytes.
    Base64,
    /// Base 32 of the text's bytes.
    Base32,
    /// Two hexadecimal digits for each byte.
    Hex,
    /// Eight binary digits for each byte.
    Binary,
    /// `%57` for each byte, as in a web address.
    Percent,
    /// `&#87;` for each character, as in a web page.
    Html,
    /// `\u0057` for each character, as in JSON.
    Unicode,
    /// Letters moved by 13.
    Rot13,
    /// The alphabet turned around.
    Atbash,
    /// Letters moved by 3.
    Caesar,
    /// Dots and dashes.
    Morse,
    /// The words that spell letters on the radio.
    Nato,
    /// Braille cells.
    Braille,
    /// Unicode's invisible tag characters.
    Tags,
    /// Digits in place of letters: `t3xt`.
    Leet,
    /// Cyrillic letters that look like Latin ones.
    Homoglyphs,
    /// Invisible characters between letters.
    ZeroWidth,
    /// A space after every character.
    Spacing,
    /// The text from its end.
    Reversal,
    /// The words from the last to the first.
    WordReversal,
    /// Letters made capital by chance, six of ten.
    RandomCapitals,
    /// The wide forms of characters.
    Fullwidth,
    /// The bold letters of mathematics.
    MathLetters,
    /// The inner letters of words in another order, in six of ten words.
    Scramble,
    /// A letter in sixteen replaced by one beside it.
    Noise,
    /// The text as a value in a JSON object.
    Json,
    /// The text as a comment in code.
    CodeComment,
    /// The text in three variables that are to be put together.
    SplitPayload,
    /// The text as a question about the past.
    PastTense,
}

impl Transform {
    /// Every transform.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The transforms' names, in the same order.
    pub const NAMES: &'static [&'static str] = <Self as strum::VariantNames>::VARIANTS;

    /// The transform's name in files.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The family of attacks that it makes.
    pub fn family(self) -> Family {
        match self {
            Self::Base64
            | Self::Base32
            | Self::Hex
            | Self::Binary
            | Self::Percent
            | Self::Html
            | Self::Unicode
            | Self::Rot13
            | Self::Atbash
            | Self::Caesar
            | Self::Morse
            | Self::Nato
            | Self::Braille
            | Self::Tags => Family::Encoding,
            Self::Leet
            | Self::Homoglyphs
            | Self::ZeroWidth
            | Self::Spacing
            | Self::Reversal
            | Self::WordReversal
            | Self::RandomCapitals
            | Self::Fullwidth
            | Self::MathLetters
            | Self::Scramble
            | Self::Noise => Family::Obfuscation,
            Self::Json | Self::CodeComment => Family::Format,
            Self::SplitPayload => Family::Decomposition,
            Self::PastTense => Family::Framing,
        }
    }

    /// Whether it draws: another chance gives another text.
    pub fn draws(self) -> bool {
        matches!(self, Self::RandomCapitals | Self::Scramble | Self::Noise)
    }

    /// The text, changed. `chance` decides the draws.
    pub fn apply(self, text: &str, chance: &Parts) -> String {
        match self {
            Self::Base64 => encodings::BASE64.encode(text),
            Self::Base32 => encodings::BASE32.encode(text),
            Self::Hex => encodings::HEX.encode(text),
            Self::Binary => encodings::binary(text),
            Self::Percent => encodings::percent(text),
            Self::Html => encodings::html(text),
            Self::Unicode => encodings::unicode(text),
            Self::Rot13 => encodings::shifted(text, 13),
            Self::Atbash => encodings::atbash(text),
            Self::Caesar => encodings::shifted(text, 3),
            Self::Morse => encodings::MORSE.encode(text),
            Self::Nato => encodings::NATO.encode(text),
            Self::Braille => encodings::braille(text),
            Self::Tags => encodings::tags(text),
            Self::Leet => obfuscations::leet(text),
            Self::Homoglyphs => obfuscations::homoglyphs(text),
            Self::ZeroWidth => obfuscations::zero_width(text),
            Self::Spacing => obfuscations::spacing(text),
            Self::Reversal => obfuscations::reversal(text),
            Self::WordReversal => obfuscations::word_reversal(text),
            Self::RandomCapitals => obfuscations::random_capitals(text, chance),
            Self::Fullwidth => obfuscations::fullwidth(text),
            Self::MathLetters => obfuscations::math_letters(text),
            Self::Scramble => obfuscations::scramble(text, chance),
            Self::Noise => obfuscations::noise(text, chance),
            Self::Json => formats::json(text),
            Self::CodeComment => formats::code_comment(text),
            Self::SplitPayload => formats::split_payload(text),
            Self::PastTense => formats::past_tense(text),
        }
    }

    /// The text before the change. `None` where the text has not the form, or where nothing can undo it; what a change loses
    /// (capitals, mostly) stays lost.
    pub fn undo(self, text: &str) -> Option<String> {
        let undone = match self {
            Self::Base64 => encodings::BASE64.decode(text),
            Self::Base32 => encodings::BASE32.decode(text),
            Self::Hex => encodings::HEX.decode(text),
            Self::Binary => encodings::from_binary(text),
            Self::Percent => encodings::from_percent(text),
            Self::Html => encodings::from_html(text),
            Self::Unicode => encodings::from_unicode(text),
            Self::Rot13 => Some(encodings::shifted(text, 13)),
            Self::Atbash => Some(encodings::atbash(text)),
            Self::Caesar => Some(encodings::shifted(text, 23)),
            Self::Morse => encodings::MORSE.decode(text),
            Self::Nato => encodings::NATO.decode(text),
            Self::Braille => Some(encodings::from_braille(text)),
            Self::Tags => Some(encodings::from_tags(text)),
            Self::Leet => Some(obfuscations::from_leet(text)),
            Self::Homoglyphs => Some(obfuscations::from_homoglyphs(text)),
            Self::ZeroWidth => Some(obfuscations::from_zero_width(text)),
            Self::Spacing => obfuscations::from_spacing(text),
            Self::Reversal => Some(obfuscations::reversal(text)),
            Self::WordReversal => Some(obfuscations::word_reversal(text)),
            Self::RandomCapitals => Some(text.to_lowercase()),
            Self::Fullwidth => Some(obfuscations::from_fullwidth(text)),
            Self::MathLetters => Some(obfuscations::from_math_letters(text)),
            Self::Scramble | Self::Noise => None,
            Self::Json => formats::from_json(text),
            Self::CodeComment => formats::from_code_comment(text),
            Self::SplitPayload => formats::from_split_payload(text),
            Self::PastTense => formats::from_past_tense(text),
        };
        undone.filter(|undone| undone != text)
    }
}
