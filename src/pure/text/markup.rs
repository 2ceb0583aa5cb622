//! Text as the content of XML and HTML.

use super::printable;

/// A text for content and attributes of XML and HTML. They have no room for control characters, not even escaped: these are
/// written as what they are (`\u{1b}`), as on a terminal.
pub fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_escaped_is_text_that_xml_takes(text in any::<String>()) {
            let out = markup(&text);
            // https://www.w3.org/TR/xml/#charsets
            let is_char = |c: char| matches!(c, '\t' | '\n' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
            prop_assert!(out.chars().all(is_char) && !out.contains(['<', '>', '"']));
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            prop_assert!(out.split('&').skip(1).all(|rest| known.iter().any(|known| rest.starts_with(known))));
        }
    }

    #[test]
    fn control_characters_and_marks_are_written_out() {
        assert_eq!(markup("a\u{1b}[2J <b> & \"c\"\u{0}"), "a\\u{1b}[2J &lt;b&gt; &amp; &quot;c&quot;\\u{0}");
    }
}
