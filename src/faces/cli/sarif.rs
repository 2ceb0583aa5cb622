//! Findings as SARIF 2.1.0, the form that code hosts show beside a change.

use crate::pure::diagnostic::{CODES, Diagnostic, Sources};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// One SARIF log with one run.
pub(super) fn to_sarif(findings: &[Diagnostic], sources: &Sources) -> Value {
    let used = |code: &str| findings.iter().any(|finding| finding.code == code);
    let rules: Vec<Value> = CODES
        .iter()
        .filter(|code| used(code.code))
        .map(|code| json!({ "id": code.code, "fullDescription": { "text": code.text } }))
        .collect();
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, sources)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "amend",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(finding: &Diagnostic, sources: &Sources) -> Value {
    let mut text = finding.message.clone();
    for help in &finding.help {
        text.push('\n');
        text.push_str(help);
    }
    let mut place = json!({ "artifactLocation": { "uri": uri(&finding.file) } });
    let source = sources.get(&finding.file);
    if let (Some(source), Some(span)) = (source, &finding.span) {
        let (start, end) = (source.position(span.start), source.position(span.end));
        place["region"] = json!({
            "startLine": start.line,
            "startColumn": start.column,
            "endLine": end.line,
            "endColumn": end.column,
        });
    }
    json!({
        "ruleId": finding.code,
        "level": finding.severity.as_str(),
        "message": { "text": text },
        "locations": [{ "physicalLocation": place }],
    })
}

/// A relative path as a URI reference: what is not plain in a path is escaped.
fn uri(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    let path = path.replace('\\', "/");
    path.strip_prefix("./").unwrap_or(&path).bytes().fold(String::new(), |mut out, b| {
        if plain(b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
        out
    })
}
