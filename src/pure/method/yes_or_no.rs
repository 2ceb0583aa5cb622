//! Reads the answer to a question that asks for one word, `yes` or `no`.

/// Reads `yes` or `no` at the beginning of an answer; `None` where neither stands there.
pub(super) fn read_yes_or_no(answer: &str) -> Option<bool> {
    let word = answer.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty())?;
    if word.eq_ignore_ascii_case("yes") {
        return Some(true);
    }
    word.eq_ignore_ascii_case("no").then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_decides() {
        for (answer, expected) in [
            ("yes", Some(true)),
            ("**Yes.** Nothing else is said.", Some(true)),
            ("No, it speaks of a review.", Some(false)),
            ("\n\"NO\"", Some(false)),
            ("Nothing is said about a revision.", None),
            ("It is clean, yes.", None),
            ("", None),
        ] {
            assert_eq!(read_yes_or_no(answer), expected, "{answer:?}");
        }
    }
}
