//! One form for texts that a reader takes for the same.

use unicode_normalization::UnicodeNormalization as _;

/// The text in NFKC and lower case, with single spaces for white space and without invisible characters. For
/// comparing, never for showing.
pub fn normalise(text: &str) -> String {
    let folded: String = if text.is_ascii() {
        // Nothing to fold but case: the same result, many times sooner.
        text.to_ascii_lowercase()
    } else {
        text.nfkc().flat_map(char::to_lowercase).filter(|c| !is_invisible(*c)).nfkc().collect()
    };
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Soft hyphens, zero-width spaces and joins, byte order marks: they change no word.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_looks_the_same_becomes_the_same() {
        for (a, b) in [
            ("  Two\u{a0}\n words ", "two words"),
            ("ﬁne ＡＢＣ", "fine abc"),
            ("Cafe\u{301}", "café"),
            ("ÄÖ Straße", "äö straße"),
            ("in\u{ad}visible\u{200b}", "invisible"),
            (" \t\n", ""),
        ] {
            assert_eq!(normalise(a), b, "{a:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn twice_is_once(text in "\\PC{0,40}") {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
