//! Holds what ARCHITECTURE.md says of the floors: arrows point down only, no files go in circles, the lowest floor is pure,
//! every file has a head.
//!
//! It reads the sources as text. Tests, and links in comments, are no arrows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms from the ground up. A room may import the rooms above it in this list, and nothing below it.
const ROOMS: [&str; 45] = [
    "pure::digest",
    "pure::diagnostic",
    "pure::text",
    "pure::request_class",
    "pure::prompt",
    "pure::toml_file",
    "pure::taxonomy",
    "pure::attack",
    "pure::call",
    "pure::stored_name",
    "pure::reason",
    "pure::grade",
    "pure::answer",
    "pure::reject",
    "pure::multiple_choice",
    "pure::shard",
    "pure::recipe",
    "pure::transcript",
    "pure::constitution",
    "pure::template",
    "pure::gates",
    "pure::finds",
    "pure::judged",
    "pure::pairing",
    "pure::ask",
    "pure::method",
    "pure::reports",
    "pure::redteam",
    "pure::mixing",
    "pure::audit",
    "pure::guard",
    "runtime::private_files",
    "runtime::tls",
    "runtime::hub",
    "runtime::http_server",
    "runtime::journal",
    "runtime::mirror",
    "runtime::dataset",
    "runtime::audit",
    "runtime::model",
    "runtime::sim",
    "runtime::engine",
    "runtime::project",
    "faces::server",
    "faces::cli",
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

/// The files that a file imports, by the paths of its `use` lines. A name that a folder's `mod.rs` gives on is looked up there,
/// so that the arrow goes to the file that has it.
struct Imports {
    /// Module path (`pure::method::chain`) to file.
    files: BTreeMap<String, String>,
    /// What each `mod.rs` gives on: module path, then name to the child module that has it.
    given_on: BTreeMap<String, BTreeMap<String, String>>,
}

impl Imports {
    fn of(sources: &BTreeMap<String, String>) -> Self {
        let mut files = BTreeMap::new();
        let mut given_on = BTreeMap::new();
        for (file, source) in sources {
            let module = module_of(file);
            given_on.insert(module.clone(), names_given_on(source));
            files.insert(module, file.clone());
        }
        Self { files, given_on }
    }

    /// The file that has what a path names, seen from a module.
    fn file_of(&self, from: &str, path: &str) -> Option<&str> {
        let mut at: Vec<&str> =
            if path.starts_with("crate::") { Vec::new() } else { from.split("::").collect() };
        let mut names = path.split("::").filter(|name| *name != "crate" && *name != "self").peekable();
        while names.next_if_eq(&"super").is_some() {
            at.pop();
        }
        let mut module = at.join("::");
        for name in names {
            let child = if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") };
            if self.files.contains_key(&child) {
                module = child;
            } else if let Some(holder) = self.given_on.get(&module).and_then(|names| names.get(name)) {
                module = format!("{module}::{holder}");
            } else {
                break;
            }
        }
        self.files.get(&module).map(String::as_str)
    }
}

/// `pure/method/chain.rs` is `pure::method::chain`; `mod.rs` is its folder's.
fn module_of(file: &str) -> String {
    file.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::")
}

/// The paths of the `use` lines of a file's code, groups taken apart.
fn used_paths(source: &str) -> Vec<String> {
    let lines: Vec<&str> = code_lines(source).into_iter().map(|(_, line)| line).collect();
    let code = lines.join("\n");
    let mut paths = Vec::new();
    for statement in code.split(';') {
        let statement = statement.trim_start();
        let words = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "];
        let Some(path) = words.iter().find_map(|word| statement.strip_prefix(*word)) else { continue };
        spread("", path.trim(), &mut paths);
    }
    paths
}

/// `a::{b, c::{d}}` is `a::b` and `a::c::d`.
fn spread(before: &str, path: &str, out: &mut Vec<String>) {
    let Some((head, group)) = path.split_once('{') else {
        let path = path.split(" as ").next().unwrap_or(path).trim();
        return out.push(format!("{before}{path}"));
    };
    let inner = group.trim_end().trim_end_matches('}');
    let (mut depth, mut part) = (0, String::new());
    for c in inner.chars().chain([',']) {
        match c {
            ',' if depth == 0 => {
                let whole = std::mem::take(&mut part);
                if !whole.trim().is_empty() {
                    spread(&format!("{before}{}", head.trim()), whole.trim(), out);
                }
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        part.push(c);
    }
    if !part.trim().is_empty() {
        spread(&format!("{before}{}", head.trim()), part.trim().trim_end_matches(','), out);
    }
}

/// What a `mod.rs` gives on by `pub use child::Name`.
fn names_given_on(source: &str) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for path in used_paths(source) {
        let parts: Vec<&str> = path.split("::").collect();
        if let [child, .., name] = parts.as_slice()
            && !["crate", "super", "self", "std"].contains(child)
        {
            names.insert((*name).to_owned(), parts[..parts.len() - 1].join("::"));
        }
    }
    names
}

/// A circle of files, if there is one: each imports the next.
fn circle(arrows: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut left = arrows.clone();
    // Take away what imports nothing that is left, until nothing goes any more: the rest goes in circles.
    loop {
        let free: Vec<String> = left
            .iter()
            .filter(|(_, to)| to.iter().all(|to| !left.contains_key(to)))
            .map(|(file, _)| file.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        for file in free {
            left.remove(&file);
        }
    }
    let mut way = vec![left.keys().next()?.clone()];
    loop {
        let next = left[way.last()?].iter().find(|to| left.contains_key(*to))?.clone();
        if let Some(at) = way.iter().position(|file| *file == next) {
            return Some(way.split_off(at));
        }
        way.push(next);
    }
}

/// Which file imports which, facades looked through.
fn arrows(sources: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let imports = Imports::of(sources);
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, source) in sources.iter().filter(|(file, _)| !file.ends_with("mod.rs")) {
        let module = module_of(file);
        let to = used_paths(source).into_iter().filter_map(|path| {
            // A path that begins with neither is of another crate.
            let is_ours = ["crate::", "super::", "self::"].iter().any(|ours| path.starts_with(ours));
            imports
                .file_of(&module, path.strip_prefix("self::").unwrap_or(&path))
                .filter(|_| is_ours)
                .map(str::to_owned)
        });
        arrows.insert(file.clone(), to.filter(|to| to != file && !to.ends_with("mod.rs")).collect());
    }
    arrows
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources: BTreeMap<String, String> = rust_files(&src)
        .into_iter()
        .map(|path| {
            let file = path.strip_prefix(&src).expect("below src").to_string_lossy().replace('\\', "/");
            (file, std::fs::read_to_string(&path).expect("a source file"))
        })
        .filter(|(file, _)| !is_test(file))
        .collect();
    let arrows = arrows(&sources);
    assert!(arrows.values().map(BTreeSet::len).sum::<usize>() > 500, "hardly an import was understood");
    assert_eq!(circle(&arrows), None, "each of these files imports the next, and the last one the first");
}

#[test]
fn a_circle_is_found_through_a_facade_and_a_line_is_none() {
    let found = |files: &[(&str, &str)]| {
        let sources = files.iter().map(|(file, source)| ((*file).to_owned(), (*source).to_owned())).collect();
        circle(&arrows(&sources))
    };
    let facade = ("pure/a/mod.rs", "//! A.\nmod one;\nmod two;\npub use one::{First, other};\n");
    let one = ("pure/a/one.rs", "//! One.\nuse super::two::Second;\n");
    let two = ("pure/a/two.rs", "//! Two.\nuse super::First;\n");
    assert_eq!(found(&[facade, one, two]).map(|files| files.len()), Some(2));
    let alone = ("pure/a/two.rs", "//! Two.\nuse std::fmt::{self, Write as _};\n");
    assert_eq!(found(&[facade, one, alone]), None);
    let grouped = ("pure/a/two.rs", "//! Two.\nuse crate::pure::a::{\n    one::{First},\n};\n");
    let floor = ("pure/mod.rs", "//! Pure.\npub mod a;\n");
    assert_eq!(found(&[floor, facade, one, grouped]).map(|files| files.len()), Some(2));
}
