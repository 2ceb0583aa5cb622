//! What a session leaves in files: transcripts as training rows, exchanges as tests of a principle, and what a person
//! thinks of a response.
//!
//! Rows are those of the dataset's configs, made by the same rules; nothing of their form is decided here.

use super::command::{Save, Test};
use super::session::{Exchange, Session};
use crate::faces::cli::Failure;
use crate::faces::cli::failure::Kind;
use crate::faces::cli::user_files::with_warnings;
use crate::pure::diagnostic::SourceFile;
use crate::pure::reason::Reason;
use crate::pure::recipe::{Export, Recipe};
use crate::pure::text::language;
use crate::pure::text::printable;
use crate::pure::transcript::Transcript;
use crate::runtime::dataset::rows::Boilerplate;
use crate::runtime::dataset::rows::{Config, Row};
use crate::runtime::dataset::rows::{Context, Drop, MoreColumns, Passport, rows_of};
use crate::runtime::dataset::splits::SPLITS;
use crate::runtime::project::InputFiles;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

impl Session {
    pub(super) fn accept(&mut self) -> Result<(), Failure> {
        self.finished()?;
        if let Some(exchange) = &mut self.last {
            exchange.accepted = true;
        }
        self.keep_rating()?;
        self.screen.say("accepted; the conversation goes on with it, /save FILE keeps it");
        Ok(())
    }

    pub(super) fn rate(&mut self, stars: u8, note: String) -> Result<(), Failure> {
        self.finished()?;
        if let Some(exchange) = &mut self.last {
            exchange.rating = Some((stars, note));
        }
        self.keep_rating()?;
        self.screen.say("rated; /save FILE keeps it");
        Ok(())
    }

    fn finished(&self) -> Result<(&Exchange, &Transcript), Failure> {
        let exchange = self.last.as_ref();
        exchange
            .and_then(|exchange| Some((exchange, exchange.transcript.as_ref()?)))
            .ok_or_else(|| Failure::new(Kind::Usage, "there is no answer yet"))
    }

    /// Appends rows to a file; those that are in it already are not written again.
    pub(super) fn save(&self, save: &Save) -> Result<(), Failure> {
        self.finished()?;
        let earlier = self.earlier.iter().filter(|_| save.all);
        let mut rows = Vec::new();
        let mut dropped = Vec::new();
        for exchange in earlier.chain(&self.last) {
            let (made, reasons) = rows_from(exchange, &self.project.recipe, save.config);
            rows.extend(made);
            dropped.extend(reasons);
        }
        let file = Path::new(&save.file);
        let (known, lines) = (ids_in(file, save.config)?, rows.len());
        rows.retain(|row| row["id"].as_str().is_none_or(|id| !known.contains(id)));
        append(file, &rows)?;
        let name = printable(&save.file);
        let (config, saved, already) = (save.config.as_str(), rows.len(), lines - rows.len());
        let already = if already > 0 { format!(", {already} were there already") } else { String::new() };
        let plural = if saved == 1 { "row" } else { "rows" };
        if saved + lines > 0 {
            self.screen.say(&format!("{saved} {config} {plural} appended to `{name}`{already}"));
        }
        for Drop { reason, .. } in &dropped {
            let what_to_do = match reason {
                Reason::Unresolved => {
                    "a principle still objects to the final response; /accept it to save it all the same"
                }
                other => other.hint(),
            };
            self.screen.say(&format!("a row was not saved, {reason}: {what_to_do}"));
        }
        if saved + lines == 0 && dropped.is_empty() {
            self.screen
                .say(&format!("this gives no {config} row: nothing changed, or nothing was objected to"));
        }
        Ok(())
    }

    /// Adds the draft or the final response to the constitution as a test. No answer depends on it.
    pub(super) fn add_test(&mut self, test: &Test) -> Result<(), Failure> {
        let (exchange, transcript) = self.finished()?;
        let prompt = exchange.prompt.last_user_turn().to_owned();
        let response = if test.of_final { transcript.final_response() } else { transcript.draft() };
        let response = response.map(|response| response.text.clone()).unwrap_or_default();
        let path = self.constitution_file()?;
        add_test(&path, &test.principle, &prompt, &response, &test.verdict)?;
        self.project.constitution = with_warnings(|files| files.constitution(&path.display().to_string()))?;
        let which = if test.of_final { "final response" } else { "draft" };
        let (id, path) = (printable(&test.principle), printable(&path.display().to_string()));
        self.screen.say(&format!("the {which} is now a test of `{id}` in `{path}`; `amend test` runs it"));
        Ok(())
    }
}

/// The rows of an exchange in one config, with what the person thinks of it beside the passport. What a person accepted
/// is a row although a principle may still object to it.
fn rows_from(exchange: &Exchange, recipe: &Recipe, config: Config) -> (Vec<Value>, Vec<Drop>) {
    let Some(transcript) = &exchange.transcript else { return (Vec::new(), Vec::new()) };
    let export = Export {
        keep_unresolved: recipe.export.keep_unresolved || exchange.accepted,
        ..recipe.export.clone()
    };
    let sha256 = exchange.made_with.sha256();
    let context = Context {
        constitution: &exchange.made_with,
        constitution_sha256: &sha256,
        seed: recipe.seed,
        simulated: false,
        more_columns: MoreColumns::None,
        export: &export,
        gates: &recipe.gates,
        boilerplate: &Boilerplate::default(),
    };
    let language = language::detect(exchange.prompt.last_user_turn()).map_or("und", |found| found.tag);
    // A chat knows no other prompts: each is a family of its own, and what is saved by hand is for training.
    let passport = Passport { family: &exchange.prompt.id.0, split: SPLITS[0], language, index: 0 };
    let (rows, dropped) = rows_of(transcript, &context, &passport, &[config]);
    let noted = |row: Row| {
        let mut row = serde_json::json!(row);
        row["accepted"] = json!(exchange.accepted);
        row["rating"] = json!(exchange.rating.as_ref().map(|(stars, _)| stars));
        row["note"] = json!(exchange.rating.as_ref().map(|(_, note)| note));
        row
    };
    (rows.into_iter().map(noted).collect(), dropped)
}

/// The ids of the rows in a file. A file that holds other rows is not appended to.
fn ids_in(file: &Path, config: Config) -> Result<BTreeSet<String>, Failure> {
    let name = file.display();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(Failure::disk(format!("cannot read `{name}`: {error}"))),
    };
    let row = |line: &str| {
        let json: Value = serde_json::from_str(line).ok()?;
        Row::from_json(config, &json)?;
        json["id"].as_str().map(str::to_owned)
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(n, line)| {
            row(line).ok_or_else(|| {
                let config = config.as_str();
                Failure::usage(format!("line {} of `{name}` is no {config} row", n + 1))
                    .hint("name another file: one file holds rows of one config")
            })
        })
        .collect()
}

/// Appends lines to a file, which is made if it is not there.
fn append(file: &Path, rows: &[Value]) -> Result<(), Failure> {
    let lines: String = rows.iter().flat_map(|row| [row.to_string(), "\n".to_owned()]).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let write = || {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
        file.write_all(lines.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| Failure::disk(format!("cannot write `{}`: {error}", file.display())))
}

/// The line of a principle's header in its file, from 1.
pub(super) fn line_of(text: &str, principle: &str) -> Option<usize> {
    let (place, _) = place_of(text, principle)?;
    let root = crate::pure::toml_file::peek(&SourceFile::new("", text));
    let start = root.key("principle").nth(place).span().start;
    Some(text.get(..start)?.matches('\n').count() + 1)
}

/// The principle's place among the file's own, and how many there are.
fn place_of(text: &str, principle: &str) -> Option<(usize, usize)> {
    let table: toml::Table = toml::from_str(text).ok()?;
    let principles = table.get("principle")?.as_array()?;
    let is_meant = |p: &toml::Value| p.get("id").and_then(toml::Value::as_str) == Some(principle);
    Some((principles.iter().position(is_meant)?, principles.len()))
}

/// Adds a `[[principle.test]]` to a principle of the file, after checking that the file still reads as it should.
pub(super) fn add_test(
    path: &Path,
    principle: &str,
    prompt: &str,
    response: &str,
    expect: &str,
) -> Result<(), Failure> {
    let name = path.display().to_string();
    let old = InputFiles::default()
        .load(&name)
        .map_err(|why| Failure::usage(format!("cannot read `{name}`: {why}")))?;
    let new = with_test(&old.text, principle, prompt, response, expect).ok_or_else(|| {
        Failure::usage(format!("`{name}` has no principle `{principle}` of its own"))
            .hint("a principle that comes from an extended constitution is tested in the file that has it")
    })?;
    with_warnings(|files| files.constitution_text(&SourceFile::new(&name, new.clone())))?;
    let beside = path.with_extension("toml.new");
    std::fs::write(&beside, new)
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|error| Failure::disk(format!("cannot write `{name}`: {error}")))
}

/// The file's text with a test more, everything else byte for byte. `None` when the file has no such principle.
fn with_test(text: &str, principle: &str, prompt: &str, response: &str, expect: &str) -> Option<String> {
    let (place, of) = place_of(text, principle)?;
    let case = toml::Table::from_iter([
        ("prompt".to_owned(), toml::Value::from(prompt)),
        ("response".to_owned(), toml::Value::from(response)),
        ("expect".to_owned(), toml::Value::from(expect)),
    ]);
    let case = format!("[[principle.test]]\n{}", toml::to_string_pretty(&case).ok()?);
    // A nested table belongs to the principle before it, so the test goes to the end of its principle's part of the
    // file: before the next principle's header and the comments that stand right above it.
    let root = crate::pure::toml_file::peek(&SourceFile::new("", text));
    let end = if place + 1 < of {
        before_header(text, root.key("principle").nth(place + 1).span().start)
    } else {
        text.len()
    };
    let (before, after) = (text.get(..end)?, text.get(end..)?);
    let gap = if after.is_empty() { "" } else { "\n" };
    Some(format!("{}\n\n{case}{gap}{after}", before.trim_end()))
}

/// The start of the line of comments and blank lines that lead to the header at `start`.
fn before_header(text: &str, start: usize) -> usize {
    let line_start = |at: usize| text.get(..at).and_then(|head| head.rfind('\n')).map_or(0, |n| n + 1);
    let mut at = line_start(start);
    while at > 0 {
        let previous = line_start(at - 1);
        if !text.get(previous..at).is_some_and(|line| line.trim_start().starts_with('#')) {
            break;
        }
        at = previous;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::constitution::read;

    const FILE: &str = "[constitution]\nid = \"c\"\n\n[[principle]]\nid = \"first\"\ntext = \"\"\"One.\n[[principle]]\n\"\"\"\n\n\
                        # About the second.\n[[principle]]\nid = \"second\"\ntext = \"Two.\"\n";

    #[test]
    fn a_test_goes_to_its_principle_and_nothing_else_moves() {
        let check = |id: &str, place: usize| {
            let new = with_test(FILE, id, "Say \"hi\"\n\u{1b}[2J", "'''no\"\"\"", "violates").unwrap();
            let file = SourceFile::new("c.toml", new.clone());
            let (read, _) = read(&file, &mut |_| Err(String::new())).unwrap();
            let tests = &read.principles[place].tests;
            assert_eq!(tests.len(), 1, "{new}");
            assert_eq!(
                (tests[0].prompt.as_str(), tests[0].response.as_str()),
                ("Say \"hi\"\n\u{1b}[2J", "'''no\"\"\"")
            );
            assert!(read.principles[1 - place].tests.is_empty());
            assert!(new.contains("# About the second.\n[[principle]]\nid = \"second\""), "{new}");
        };
        check("first", 0);
        check("second", 1);
        assert_eq!(with_test(FILE, "third", "p", "r", "conforms"), None);
        assert_eq!((line_of(FILE, "first"), line_of(FILE, "second")), (Some(4), Some(11)));
    }
}
