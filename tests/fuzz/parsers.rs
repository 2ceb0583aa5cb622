//! Everything that reads what amend did not write, as functions of bytes: for cargo-fuzz, and for a short run in the tests.
//!
//! Each must end whatever comes, and what it gives must fit together.

use amend::pure::constitution::{self, import};
use amend::pure::diagnostic::{Diagnostic, SourceFile, Sources, Style, render};
use amend::pure::gates::read_refusal;
use amend::pure::method::verdict::{read_critique, read_screen, read_verdict};
use amend::pure::recipe::{self, Input};
use amend::pure::taxonomy::Taxonomy;
use amend::pure::template::Templates;
use amend::pure::text::{loose_json, printable};
use amend::runtime::dataset::prompts;
use amend::runtime::dataset::readers::Source;
use amend::runtime::model::wire::{self, Assembly};
use std::collections::BTreeMap;

/// A parser's name, which is that of its fuzz target and of its corpus, and the parser.
pub(crate) type Parser = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const PARSERS: [Parser; 10] = [
    ("constitution", constitution),
    ("recipe", recipe),
    ("taxonomy", taxonomy),
    ("template", template),
    ("import", import),
    ("prompts", prompts),
    ("response", response),
    ("stream", stream),
    ("verdict", verdict),
    ("refusal", refusal),
];

/// Gives bytes to the parser of this name.
pub(crate) fn run(name: &str, bytes: &[u8]) {
    let parser = PARSERS.iter().find(|(known, _)| *known == name);
    parser.expect("a parser of this name").1(bytes);
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Findings can be shown, at any width and as JSON, and no control character of a file comes through.
fn shown(file: SourceFile, findings: &[Diagnostic]) {
    let mut sources = Sources::default();
    sources.add(file);
    for width in [20, 80] {
        render(findings, &sources, Style { color: false, width });
    }
    for finding in findings {
        finding.to_json(&sources);
    }
}

fn constitution(bytes: &[u8]) {
    let file = SourceFile::new("c.toml", text(bytes));
    let findings = constitution::check(&file, &mut |_| Err("absent".into()));
    shown(file, &findings);
}

fn recipe(bytes: &[u8]) {
    let file = SourceFile::new("r.toml", text(bytes));
    let reading = recipe::read(&file);
    if !reading.findings.iter().any(Diagnostic::is_error) {
        let written = reading.recipe.to_toml().expect("a recipe can be written");
        let again = recipe::read(&SourceFile::new("r.toml", written));
        assert!(!again.findings.iter().any(Diagnostic::is_error), "{:?}", again.findings);
    }
    shown(file, &reading.findings);
}

fn taxonomy(bytes: &[u8]) {
    let file = SourceFile::new("t.toml", text(bytes));
    let (_, findings) = Taxonomy::read(&file);
    shown(file, &findings);
}

fn template(bytes: &[u8]) {
    let overrides = BTreeMap::from([("critique.hbs".to_owned(), text(bytes))]);
    if let Err(findings) = Templates::load(&overrides) {
        assert!(!findings.is_empty());
        shown(SourceFile::new("critique.hbs", text(bytes)), &findings);
    }
}

/// What is imported is a constitution.
fn import(bytes: &[u8]) {
    for name in ["a.json", "a.csv", "a.md", "a.txt", "a.yaml"] {
        let Ok(imported) = import::import(name, &text(bytes), None) else { continue };
        let file = SourceFile::new("a.toml", imported.toml);
        let read = constitution::read(&file, &mut |_| Err("absent".into()));
        assert!(read.is_ok(), "{name}: {:?}", read.err());
    }
}

/// Every row is a prompt or a reject with its place.
fn prompts(bytes: &[u8]) {
    let source =
        Source::Stream { name: "input".into(), read: Box::new(std::io::Cursor::new(bytes.to_vec())) };
    let Ok(rows) = prompts::open(vec![source], &Input::default(), 7) else { return };
    for row in rows {
        match row {
            prompts::Row::Prompt { prompt, at } => assert!(!at.is_empty() && !prompt.messages.is_empty()),
            prompts::Row::Reject(reject) => assert!(reject.at.is_some(), "{reject:?}"),
        }
    }
}

fn response(bytes: &[u8]) {
    let body = text(bytes);
    let answer = wire::read(&body);
    assert!(answer.complete().is_none_or(|text| !text.trim().is_empty()), "a complete answer is empty");
    wire::error_in(&body);
    if serde_json::from_str::<serde_json::Value>(&body).is_ok() {
        loose_json::parse(&body).expect("strict JSON is loose JSON");
    }
    assert!(!printable(&body).contains('\u{1b}'));
}

/// Each line is a chunk. A stream that says that it is whole can be read as a body.
fn stream(bytes: &[u8]) {
    let mut assembly = Assembly::default();
    for line in text(bytes).lines() {
        let Ok(chunk) = serde_json::from_str(line.trim_start_matches("data: ")) else { continue };
        assembly.push(&chunk);
    }
    wire::read(&assembly.into_body());
}

fn verdict(bytes: &[u8]) {
    let answer = text(bytes);
    let (critique, response) = answer.split_once("\n---\n").unwrap_or((&answer, ""));
    read_critique(critique, response);
    read_verdict(critique);
    assert_eq!(read_screen(critique, &["a", "b"]).len(), 2);
}

fn refusal(bytes: &[u8]) {
    read_refusal(&text(bytes));
}
