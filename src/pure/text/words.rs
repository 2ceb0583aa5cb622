//! The words of a text, and runs of them. Linear in the length of the text.

use std::collections::BTreeMap;
/// The words of a text in lower case: runs of letters and digits; in scripts written without spaces, each character.
///
/// ```
/// use amend::pure::text::words;
///
/// assert_eq!(words("Don't panic!"), ["don't", "panic"]);
/// ```
pub fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let spaceless = is_spaceless(c);
        if (!c.is_alphanumeric() && !is_joiner(c) || spaceless) && !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        if spaceless {
            out.push(c.to_string());
        } else if c.is_alphanumeric() || (is_joiner(c) && !word.is_empty()) {
            word.extend(c.to_lowercase());
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

/// Combining marks of Indic and Semitic scripts, and the apostrophe inside a word, do not end it.
fn is_joiner(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{0300}'..='\u{036f}' | '\u{0591}'..='\u{05c7}' | '\u{064b}'..='\u{065f}' | '\u{0900}'..='\u{0dff}')
}

/// Characters of scripts that put no spaces between words.
pub fn is_spaceless(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// Every run of `n` words; the whole text as one run where it has fewer, and none where it has no words.
pub fn ngrams(words: &[String], n: usize) -> impl Iterator<Item = &[String]> {
    words.windows(n.clamp(1, words.len().max(1)))
}

/// Of the words of two texts together, the share that only one of them has.
pub fn share_changed(before: &str, after: &str) -> f64 {
    let (before, after) = (words(before), words(after));
    let total = before.len() + after.len();
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for word in &before {
        *left.entry(word).or_default() += 1;
    }
    let mut shared = 0;
    for word in &after {
        if let Some(count) = left.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            shared += 2;
        }
    }
    if total == 0 { 0.0 } else { (total - shared) as f64 / total as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_many_scripts() {
        assert_eq!(words("Don't stop, PID 42!"), ["don't", "stop", "pid", "42"]);
        assert_eq!(words("我不能 help"), ["我", "不", "能", "help"]);
        assert_eq!(words("मुझे खेद है"), ["मुझे", "खेद", "है"]);
    }

    #[test]
    fn runs_of_words() {
        let text = words("a b c d");
        assert_eq!(ngrams(&text, 3).count(), 2);
        assert_eq!(ngrams(&text, 9).collect::<Vec<_>>(), [text.as_slice()]);
        assert_eq!(ngrams(&[], 3).count(), 0);
    }
}
