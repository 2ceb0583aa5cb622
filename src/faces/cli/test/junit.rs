//! The cases as JUnit XML, the form that CI servers read: one `testcase` per case, its `classname` the principle.

use super::{Judged, passes};
use crate::pure::text::{markup, one_line};
use crate::pure::transcript::Verdict;
use std::fmt::Write as _;

/// One suite, named by the constitution. No times: they would make two reports of the same answers differ.
pub(super) fn to_xml(constitution: &str, judged: &[Judged<'_>]) -> String {
    let failures = judged.iter().filter(|case| !passes(case)).count();
    let counts = format!("tests=\"{}\" failures=\"{failures}\" errors=\"0\"", judged.len());
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"{}\" {counts}>\n",
        markup(constitution)
    );
    for (n, judged) in judged.iter().enumerate() {
        let (principle, case, critique) = judged;
        // Servers tell cases apart by their names, and two cases may begin alike.
        let name = format!("{} {}: {}", n + 1, case.expect.as_str(), one_line(&case.prompt, 80));
        let _ =
            write!(out, "    <testcase classname=\"{}\" name=\"{}\"", markup(&principle.id), markup(&name));
        if passes(judged) {
            out.push_str("/>\n");
            continue;
        }
        let kind = if critique.verdict == Verdict::Undecided { "undecided" } else { "wrong-verdict" };
        let message = format!("expects {}, judged {}", case.expect.as_str(), critique.verdict.as_str());
        let _ = write!(
            out,
            ">\n      <failure type=\"{kind}\" message=\"{}\">{}</failure>\n    </testcase>\n",
            markup(&message),
            markup(&format!(
                "prompt:\n{}\n\nresponse:\n{}\n\ncritique:\n{}",
                case.prompt, case.response, critique.text
            ))
        );
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}
