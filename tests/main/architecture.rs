//! Holds what ARCHITECTURE.md says of the floors: arrows point down only, the lowest floor is pure, every file has a head.
//!
//! It reads the sources as text. Tests, and links in comments, are no arrows.

use std::path::{Path, PathBuf};

/// The rooms from the ground up. A room may import the rooms above it in this list, and nothing below it.
const ROOMS: [&str; 31] = [
    "pure::digest",
    "pure::diagnostic",
    "pure::text",
    "pure::prompt",
    "pure::toml_file",
    "pure::taxonomy",
    "pure::call",
    "pure::stored_name",
    "pure::reason",
    "pure::answer",
    "pure::reject",
    "pure::multiple_choice",
    "pure::recipe",
    "pure::transcript",
    "pure::constitution",
    "pure::template",
    "pure::gates",
    "pure::judged",
    "pure::pairing",
    "pure::ask",
    "pure::method",
    "pure::reports",
    "runtime::private_files",
    "runtime::journal",
    "runtime::dataset",
    "runtime::model",
    "runtime::sim",
    "runtime::engine",
    "runtime::project",
    "faces::cli",
    "faces::server",
];

/// What the lowest floor must not touch, and why.
const IMPURE: [(&str, &str); 10] = [
    ("tokio", "the pure floor runs without tasks"),
    ("std::fs", "the pure floor reads no files"),
    ("std::net", "the pure floor has no network"),
    ("std::process", "the pure floor starts nothing"),
    ("std::env", "the pure floor reads no environment"),
    ("SystemTime::now", "the pure floor has no clock"),
    ("Instant::now", "the pure floor has no clock"),
    ("tracing::", "the pure floor logs nothing"),
    ("println!", "the pure floor prints nothing"),
    ("eprintln!", "the pure floor prints nothing"),
];

/// A line of code, with its number.
type Line<'a> = (usize, &'a str);

/// The lines that are code: no comments, nothing behind `#[cfg(test)]` at the end of a file, nothing for documentation only.
fn code_lines(source: &str) -> Vec<Line<'_>> {
    let end = source.find("#[cfg(test)]\nmod tests {").unwrap_or(source.len());
    let mut is_for_docs = false;
    let lines = source.get(..end).unwrap_or(source).lines().enumerate().map(|(n, line)| (n + 1, line));
    lines
        .filter(|(_, line)| {
            let skipped = std::mem::take(&mut is_for_docs);
            is_for_docs = line.trim() == "#[cfg(doc)]";
            !skipped && !line.trim_start().starts_with("//")
        })
        .collect()
}

/// The room of a file below `src`, such as `pure::method`.
fn room_of(file: &str) -> Option<String> {
    let mut parts = file.strip_suffix(".rs")?.split('/');
    let (floor, room) = (parts.next()?, parts.next()?);
    (room != "mod").then(|| format!("{floor}::{room}"))
}

/// The rooms that a line names, as `crate::floor::room` or `crate::floor::{room, room}`.
fn rooms_in(line: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for path in line.split("crate::").skip(1) {
        let Some((floor, rest)) = path.split_once("::") else { continue };
        if !["pure", "runtime", "faces"].contains(&floor) {
            continue;
        }
        let names = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or("").split(',').map(str::trim).collect(),
            None => vec![rest],
        };
        let rooms = names.into_iter().map(|name| name.split(|c| !is_word(c)).next().unwrap_or(""));
        found.extend(rooms.filter(|room| !room.is_empty()).map(|room| format!("{floor}::{room}")));
    }
    found
}

/// What is wrong in one file, a line each.
fn faults(file: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !source.starts_with("//!") {
        found.push(format!(
            "src/{file}:1: the file does not open with `//!`: what it is for, and what it must not do"
        ));
    }
    let rank = |room: &str| ROOMS.iter().position(|known| *known == room);
    let own = room_of(file);
    for (n, line) in code_lines(source) {
        for room in rooms_in(line) {
            let Some(own) = own.as_deref().filter(|own| *own != room) else { continue };
            match (rank(own), rank(&room)) {
                (Some(here), Some(there)) if there < here => {}
                (Some(_), Some(_)) => found.push(format!(
                    "src/{file}:{n}: `{own}` imports `{room}`, which is above it: arrows point down only"
                )),
                (None, _) => {
                    found
                        .push(format!("src/{file}:{n}: the room `{own}` has no place in the table of rooms"));
                }
                (_, None) => found
                    .push(format!("src/{file}:{n}: the room `{room}` has no place in the table of rooms")),
            }
        }
        let impure = IMPURE.iter().filter(|(word, _)| file.starts_with("pure/") && line.contains(word));
        found.extend(impure.map(|(word, why)| format!("src/{file}:{n}: `{word}`: {why}")));
        if line.contains("async_openai") && file != "runtime/model/endpoint.rs" {
            found.push(format!("src/{file}:{n}: only `runtime/model/endpoint.rs` names async-openai"));
        }
    }
    found
}

fn is_test(file: &str) -> bool {
    file.contains("/tests/") || file.ends_with("tests.rs")
}

/// Every Rust file below a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of the repository").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn arrows_point_down_the_lowest_floor_is_pure_and_every_file_has_a_head() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&src);
    assert!(files.len() > 150, "only {} files were found", files.len());
    let mut found = Vec::new();
    for path in files {
        let file = path.strip_prefix(&src).expect("below src").to_string_lossy().replace('\\', "/");
        if !is_test(&file) {
            found.extend(faults(&file, &std::fs::read_to_string(&path).expect("a source file")));
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn a_forbidden_import_is_told_with_file_line_and_rule() {
    let check = |file: &str, source: &str, expected: &[&str]| {
        let found = faults(file, source);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    };
    check("pure/call.rs", "//! Calls.\nuse crate::pure::digest::hex;\n", &[]);
    check(
        "pure/call.rs",
        "//! Calls.\nuse crate::pure::recipe::SIM;\n",
        &["src/pure/call.rs:2: `pure::call` imports `pure::recipe`"],
    );
    check("pure/call.rs", "//! Calls.\n\nuse crate::runtime::model::Client;\n", &["src/pure/call.rs:3:"]);
    check(
        "runtime/engine/run.rs",
        "//! Runs.\nuse crate::faces::cli::style::Style;\n",
        &["arrows point down only"],
    );
    check("pure/text/words.rs", "//! Words.\nlet text = std::fs::read(path);\n", &["reads no files"]);
    check("pure/ask.rs", "use std::fmt;\n", &["does not open with `//!`"]);
    check(
        "faces/cli/run.rs",
        "//! Runs.\nuse async_openai::Client;\n",
        &["only `runtime/model/endpoint.rs`"],
    );
    // Links in comments and tests are no arrows.
    check("pure/call.rs", "//! See [`crate::faces::cli`].\n/// As [`crate::pure::method`].\n", &[]);
    check(
        "pure/call.rs",
        "//! Calls.\n#[cfg(test)]\nmod tests {\n    use crate::runtime::sim::Mark;\n}\n",
        &[],
    );
}
