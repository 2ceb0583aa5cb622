//! What a session leaves in files: a transcript as a training row, an exchange as a test of a principle.

use crate::cli::Failure;
use crate::cli::inputs::Inputs;
use crate::constitution::Constitution;
use crate::diagnostic::SourceFile;
use crate::digest::Parts;
use crate::transcript::Transcript;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;

/// One row: messages for supervised training, the pair for preferences where something changed, and the chain itself.
/// `None` when the transcript has no response.
pub(super) fn row(
    transcript: &Transcript,
    constitution: &Constitution,
    accepted: bool,
    rating: Option<&(u8, String)>,
) -> Option<Value> {
    let (draft, last) = (transcript.draft()?, transcript.final_response()?);
    let reply = |text: &str| json!([{ "role": "assistant", "content": text }]);
    let prompt = json!(transcript.prompt.messages);
    let mut messages = transcript.prompt.messages.clone();
    messages.push(crate::prompt::Message::assistant(&last.text));
    let id = Parts::new("chat").with(&transcript.prompt.id.0).with(&last.text).short();
    let mut row = json!({
        "id": id,
        "prompt_id": transcript.prompt.id,
        "messages": messages,
        "prompt": prompt,
        "completion": reply(&last.text),
        "accepted": accepted,
        "model": last.model,
        "constitution_sha256": constitution.sha256(),
        "transcript": transcript,
    });
    if draft.text != last.text {
        row["chosen"] = reply(&last.text);
        row["rejected"] = reply(&draft.text);
    }
    if let Some((stars, note)) = rating {
        row["rating"] = json!(stars);
        row["note"] = json!(note);
    }
    Some(row)
}

/// Appends one line to a file, which is made if it is not there.
pub(super) fn append(file: &Path, row: &Value) -> Result<(), Failure> {
    let write = || {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
        file.write_all(format!("{row}\n").as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| Failure::disk(format!("cannot write `{}`: {error}", file.display())))
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
    let old = Inputs::default()
        .load(&name)
        .map_err(|why| Failure::usage(format!("cannot read `{name}`: {why}")))?;
    let new = with_test(&old.text, principle, prompt, response, expect).ok_or_else(|| {
        Failure::usage(format!("`{name}` has no principle `{principle}` of its own"))
            .hint("a principle that comes from an extended constitution is tested in the file that has it")
    })?;
    Inputs::default().constitution_text(&SourceFile::new(&name, new.clone()))?;
    let beside = path.with_extension("toml.new");
    std::fs::write(&beside, new)
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|error| Failure::disk(format!("cannot write `{name}`: {error}")))
}

/// The file's text with a test more, everything else byte for byte. `None` when the file has no such principle.
fn with_test(text: &str, principle: &str, prompt: &str, response: &str, expect: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(text).ok()?;
    let principles = table.get("principle")?.as_array()?;
    let place =
        principles.iter().position(|p| p.get("id").and_then(toml::Value::as_str) == Some(principle))?;
    let case = toml::Table::from_iter([
        ("prompt".to_owned(), toml::Value::from(prompt)),
        ("response".to_owned(), toml::Value::from(response)),
        ("expect".to_owned(), toml::Value::from(expect)),
    ]);
    let case = format!("[[principle.test]]\n{}", toml::to_string_pretty(&case).ok()?);
    // A nested table belongs to the principle before it, so the test goes to the end of its principle's part of the
    // file: before the next principle's header and the comments that stand right above it.
    let root = crate::toml_file::peek(&SourceFile::new("", text));
    let end = match principles.get(place + 1) {
        Some(_) => before_header(text, root.key("principle").nth(place + 1).span().start),
        None => text.len(),
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
    use crate::constitution::read;

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
    }
}
