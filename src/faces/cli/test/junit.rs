//! The cases as JUnit XML, the form that CI servers read: one `testcase` per case, its `classname` the principle.

use super::{Judged, passes};
use crate::pure::text::{one_line, printable};
use crate::pure::transcript::Verdict;
use std::fmt::Write as _;

/// One suite, named by the constitution. No times: they would make two reports of the same answers differ.
pub(super) fn to_xml(constitution: &str, judged: &[Judged<'_>]) -> String {
    let failures = judged.iter().filter(|case| !passes(case)).count();
    let counts = format!("tests=\"{}\" failures=\"{failures}\" errors=\"0\"", judged.len());
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"{}\" {counts}>\n",
        escaped(constitution)
    );
    for (n, judged) in judged.iter().enumerate() {
        let (principle, case, critique) = judged;
        // Servers tell cases apart by their names, and two cases may begin alike.
        let name = format!("{} {}: {}", n + 1, case.expect.as_str(), one_line(&case.prompt, 80));
        let _ =
            write!(out, "    <testcase classname=\"{}\" name=\"{}\"", escaped(&principle.id), escaped(&name));
        if passes(judged) {
            out.push_str("/>\n");
            continue;
        }
        let kind = if critique.verdict == Verdict::Undecided { "undecided" } else { "wrong-verdict" };
        let message = format!("expects {}, judged {}", case.expect.as_str(), critique.verdict.as_str());
        let _ = write!(
            out,
            ">\n      <failure type=\"{kind}\" message=\"{}\">{}</failure>\n    </testcase>\n",
            escaped(&message),
            escaped(&format!(
                "prompt:\n{}\n\nresponse:\n{}\n\ncritique:\n{}",
                case.prompt, case.response, critique.text
            ))
        );
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

/// Text for content and attributes. XML has no room for control characters, not even escaped: they are written as what
/// they are (`\u{1b}`), as on a terminal.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
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
            let out = escaped(&text);
            // https://www.w3.org/TR/xml/#charsets
            let is_char = |c: char| matches!(c, '\t' | '\n' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
            prop_assert!(out.chars().all(is_char) && !out.contains(['<', '>', '"']));
            let known = ["amp;", "lt;", "gt;", "quot;"];
            prop_assert!(out.split('&').skip(1).all(|rest| known.iter().any(|known| rest.starts_with(known))));
        }
    }

    #[test]
    fn control_characters_and_marks_are_written_out() {
        assert_eq!(escaped("a\u{1b}[2J <b> & \"c\"\u{0}"), "a\\u{1b}[2J &lt;b&gt; &amp; &quot;c&quot;\\u{0}");
    }
}
