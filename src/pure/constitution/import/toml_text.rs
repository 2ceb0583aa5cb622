//! The imported principles as a file, with their comments. All text goes through the TOML serializer.

use super::Draft;
use crate::pure::constitution::Example;
use serde::Serialize;

#[derive(Serialize)]
struct Head<'a> {
    id: &'a str,
    version: &'a str,
    description: String,
}

/// The fields in the order in which people read them.
#[derive(Serialize)]
struct Principle<'a> {
    id: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    critique: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compare: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Example]>::is_empty")]
    example: &'a [Example],
}

#[derive(Serialize)]
struct HeadTable<'a> {
    constitution: Head<'a>,
}

#[derive(Serialize)]
struct PrincipleTable<'a> {
    principle: [Principle<'a>; 1],
}

/// The file: a head that says where it came from, then each principle after its comments.
pub(super) fn render(
    id: &str,
    source: &str,
    form: &str,
    principles: &[(String, Draft)],
) -> Result<String, toml::ser::Error> {
    let plain: String = source.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let description = format!("Imported from {plain} ({form}).");
    let mut out =
        toml::to_string_pretty(&HeadTable { constitution: Head { id, version: "0.1.0", description } })?;
    for (id, draft) in principles {
        end_line(&mut out);
        out.push('\n');
        for line in draft.comments.iter().flat_map(|comment| comment.lines()) {
            out.push_str(&comment_line(line));
        }
        let principle = Principle {
            id,
            text: &draft.text,
            critique: draft.critique.as_deref(),
            revision: draft.revision.as_deref(),
            compare: draft.compare.as_deref(),
            example: &draft.examples,
        };
        out.push_str(&toml::to_string_pretty(&PrincipleTable { principle: [principle] })?);
    }
    end_line(&mut out);
    Ok(out)
}

fn end_line(out: &mut String) {
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

/// A comment holds no control characters; TOML would not allow them.
fn comment_line(line: &str) -> String {
    let plain: String = line.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if plain.is_empty() { "#\n".into() } else { format!("# {plain}\n") }
}
