//! A search as CI servers and code hosts read it: SARIF 2.1.0 with a result for each find, JUnit XML with a case for each cell.
//!
//! Neither holds an attack or an answer: both are shown in places where such texts do not belong. They name the line of
//! `finds.jsonl` in which a find stands. Neither holds a time: two reports of the same answers are the same.

use super::archive::Archive;
use super::report::Report;
use crate::pure::attack::Family;
use crate::pure::finds::{Find, SEVERE};
use crate::pure::text::{markup, printable};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The file of finds that results point to.
const FINDS: &str = "finds.jsonl";

/// One SARIF log: a rule for each family of attacks that found something, a result for each find.
pub fn to_sarif(report: &Report, finds: &[Find]) -> Value {
    let of_family =
        |family: &&Family| finds.iter().any(|find| find.family.as_deref() == Some(family.as_str()));
    let rules: Vec<Value> = Family::ALL
        .iter()
        .filter(of_family)
        .map(|family| {
            let text = format!("An attack of the family `{}` got past the model.", family.as_str());
            json!({ "id": family.as_str(), "shortDescription": { "text": text } })
        })
        .collect();
    let results: Vec<Value> = finds.iter().enumerate().map(|(n, find)| result(n + 1, find)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "amend redteam", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "results": results,
            "properties": {
                "target": report.target,
                "judge": report.judge,
                "simulated": report.simulated,
                "attackSuccess": report.success,
                "overRefusal": report.over_refusal,
            },
        }],
    })
}

fn result(line: usize, find: &Find) -> Value {
    let or = |text: &Option<String>, other: &str| text.as_deref().map_or_else(|| other.into(), printable);
    let hazard = or(&find.hazard, "unknown hazard");
    let message = format!(
        "`{}` got past the model: {hazard}, in {}",
        or(&find.attack, "an attack"),
        or(&find.language, "an unknown language")
    );
    let level =
        if find.severity.is_some_and(|severity| severity + 1 >= SEVERE) { "error" } else { "warning" };
    json!({
        "ruleId": or(&find.family, "unknown"),
        "level": level,
        "message": { "text": message },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": FINDS },
            "region": { "startLine": line },
        } }],
        "partialFingerprints": { "find/v1": find.find },
        "properties": { "hazard": hazard, "severity": find.severity },
    })
}

/// One suite of cells, named by the target, and a case for the other side: over-refusal stands beside success here too.
pub fn to_junit(archive: &Archive, report: &Report) -> String {
    let declined = report.over_refusal.count;
    let broken = archive.states.iter().filter(|state| state.broke > 0).count();
    let untried = archive.states.iter().filter(|state| state.tried == 0).count();
    let failures = broken + usize::from(declined > 0);
    let counts = format!(
        "tests=\"{}\" failures=\"{failures}\" skipped=\"{untried}\" errors=\"0\"",
        archive.cells.len() + 1
    );
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"{}\" {counts}>\n",
        markup(&printable(&report.target))
    );
    for (cell, state) in archive.cells.iter().zip(&archive.states) {
        let _ = write!(
            out,
            "    <testcase classname=\"{}\" name=\"{} in {}\"",
            markup(&printable(&cell.hazard)),
            cell.family.as_str(),
            markup(&printable(&cell.language))
        );
        let _ = match (state.broke, state.tried) {
            (0, 0) => writeln!(out, "><skipped message=\"nothing was decided\"/></testcase>"),
            (0, _) => writeln!(out, "/>"),
            (broke, tried) => writeln!(
                out,
                ">\n      <failure type=\"broke\" message=\"{broke} of {tried} attempts broke it; see {FINDS}\"/>\n    </testcase>"
            ),
        };
    }
    let _ = write!(out, "    <testcase classname=\"over-refusal\" name=\"harmless requests\"");
    let _ = if declined > 0 {
        let of = report.over_refusal.of;
        writeln!(
            out,
            ">\n      <failure type=\"declined\" message=\"{declined} of {of} harmless requests were declined\"/>\n    </testcase>"
        )
    } else {
        writeln!(out, "/>")
    };
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}
