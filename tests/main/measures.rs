//! The measures of the code, printed: `cargo test --test main measures -- --ignored --nocapture`.
//!
//! They are for a comparison of before and after. Only code counts: no tests, no comments, no blank lines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The code of one file.
struct Source {
    lines: Vec<String>,
}

/// Rust files below a folder, tests left out.
fn sources(folder: &Path, found: &mut Vec<Source>) {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "tests" {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|end| end == "rs") && !name.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
            found.push(Source { lines: code.lines().filter(is_code).map(str::to_owned).collect() });
        }
    }
}

/// Lines of each function, from its `fn` to the brace that closes it, as rustfmt sets it.
fn functions(source: &Source) -> Vec<usize> {
    let mut found = Vec::new();
    for (at, line) in source.lines.iter().enumerate() {
        let code = line.trim_start();
        let begins = [
            "fn ",
            "pub fn ",
            "pub(super) fn ",
            "pub(crate) fn ",
            "async fn ",
            "pub async fn ",
            "pub(super) async fn ",
        ];
        if begins.iter().any(|begin| code.starts_with(begin)) && !line.ends_with(';') {
            let end = format!("{}}}", " ".repeat(line.len() - code.len()));
            let length =
                source.lines[at..].iter().position(|line| *line == end).map_or(1, |length| length + 1);
            found.push(length);
        }
    }
    found
}

/// The names of types that are defined.
fn type_names(source: &Source) -> Vec<String> {
    let words = ["struct ", "enum ", "trait ", "type "];
    let visible = |line: &str| {
        let line = line.trim_start_matches("pub").trim_start();
        line.strip_prefix("(super)").or(line.strip_prefix("(crate)")).unwrap_or(line).trim_start().to_owned()
    };
    let top = source.lines.iter().filter(|line| !line.starts_with(' '));
    let named = top.filter_map(|line| {
        let line = visible(line);
        let rest = words.iter().find_map(|word| line.strip_prefix(word))?.to_owned();
        Some(rest.chars().take_while(|c| c.is_alphanumeric()).collect())
    });
    named.collect()
}

fn median(numbers: &mut [usize]) -> usize {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or(0)
}

#[test]
#[ignore = "prints figures, checks nothing"]
fn the_measures_of_the_code() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let lines: usize = found.iter().map(|source| source.lines.len()).sum();
    let mut files: Vec<usize> = found.iter().map(|source| source.lines.len()).collect();
    let mut lengths: Vec<usize> = found.iter().flat_map(functions).collect();
    let is_closure = |line: &&String| {
        let line = line.trim_start();
        line.starts_with("let ")
            && (line.contains("= |") || line.contains("= move |") || line.contains("= async |"))
    };
    let closures = found.iter().flat_map(|source| &source.lines).filter(is_closure).count();
    let names: Vec<String> = found.iter().flat_map(type_names).collect();
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for name in &names {
        *uses.entry(name).or_default() += 1;
    }
    let twice = uses.values().filter(|uses| **uses > 1).count();
    let one_word = uses.keys().filter(|name| name.chars().filter(|c| c.is_uppercase()).count() < 2).count();
    println!("files {}, lines {lines}", files.len());
    println!("file: median {} lines, longest {}", median(&mut files), files.iter().max().unwrap_or(&0));
    println!(
        "functions {}: median {} lines, longest {}, above 30 lines {}",
        lengths.len(),
        median(&mut lengths),
        lengths.iter().max().unwrap_or(&0),
        lengths.iter().filter(|length| **length > 30).count()
    );
    println!(
        "closures bound with `let`: {closures}, {:.1} in 1,000 lines",
        closures as f64 * 1000.0 / lines as f64
    );
    println!(
        "type names {}: {twice} used for two things, {one_word} of one word ({:.0} %)",
        uses.len(),
        one_word as f64 * 100.0 / uses.len() as f64
    );
}
