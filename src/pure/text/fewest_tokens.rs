//! The fewest tokens that a text can have, whatever the tokeniser: a bound, and no estimate.
//!
//! Tokenisers cut a text at its spaces first, so a word is a token at least. In scripts without spaces a token spans a few
//! characters. Measured with `o200k_base`, the sparsest tokeniser at hand, ordinary prose has 1.1 (English, Vietnamese) to 3
//! times as many tokens as this says, in fifteen languages; `the` written over and over has as many.

use super::is_spaceless;

/// Characters of Chinese and Japanese in one token, at most on average: 1.2 to 1.6 were measured.
const CHARACTERS_OF_HAN: u64 = 3;

/// The same for Thai, Lao, Burmese and Khmer: 1.5 to 2.4 were measured.
const CHARACTERS_OF_OTHERS: u64 = 6;

/// The fewest tokens of a text. Marks, white space and symbols count nothing.
///
/// ```
/// use amend::pure::text::fewest_tokens;
///
/// assert_eq!(fewest_tokens("Don't panic, please!"), 3);
/// ```
pub fn fewest_tokens(text: &str) -> u64 {
    let (mut words, mut han, mut others, mut in_word) = (0, 0, 0, false);
    for c in text.chars() {
        if is_spaceless(c) {
            let is_other = matches!(c, '\u{0e00}'..='\u{17ff}');
            others += u64::from(is_other);
            han += u64::from(!is_other);
            in_word = false;
        } else if c.is_whitespace() {
            in_word = false;
        } else if c.is_alphanumeric() && !in_word {
            words += 1;
            in_word = true;
        }
    }
    words + han / CHARACTERS_OF_HAN + others / CHARACTERS_OF_OTHERS
}
