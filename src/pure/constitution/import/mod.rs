//! Other people's principles → a constitution file.
//!
//! What is understood, and how it is told apart:
//!
//! | form | shape |
//! | --- | --- |
//! | the paper's critiques | an object: name → `{"prompt": [critique request], "edit_request": revision request}` |
//! | the paper's comparisons | a list of texts, or an object of them by name, each a question about two responses |
//! | the Hugging Face recipe | `{"constitutions": [{"critic", "revision"}], "system_chat": [few-shot conversations]}` |
//! | LangChain | a list, or an object by name, of `{"name", "critique_request", "revision_request"}` |
//! | a list of principles | texts, or objects with `text` (`principle`, `rule` …) and perhaps `id`, `critique`, `revision`, alone or below `principles`, `rules` … |
//! | NeMo Guardrails | `prompts`: the bullets of the task `self_check_output` |
//! | promptfoo | rubrics under `tests` and `defaultTest`, policies of `redteam.plugins` |
//! | a table | CSV with a column named `principle`, `rule`, `text` … |
//! | plain text | a principle per line, or a list in Markdown; `#` begins a comment |
//!
//! Data may be JSON, also with comments, or YAML. Prose is refused with its line: half sentences are no principles.
//!
//! Nothing is reworded. Where a source has a request and no rule, the request stands as the rule, and the notes say
//! so. What cannot be carried over is named in the notes, never dropped in silence. The same source always gives the
//! same file. Pure.

mod comments;
mod forms;
mod text;
mod toml_text;
mod yaml;

#[cfg(test)]
mod tests;

use super::{Example, read};
use crate::pure::diagnostic::SourceFile;
use std::collections::BTreeSet;

/// A constitution made from another form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The constitution file.
    pub toml: String,
    /// The form that the source had, for people.
    pub form: &'static str,
    /// How many principles it has.
    pub principles: usize,
    /// How many few-shot examples.
    pub examples: usize,
    /// What could not be carried over, and what the user should look at.
    pub notes: Vec<String>,
}

/// A source that cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It looks like JSON, and is not.
    #[error("it begins like JSON and is not: {0}")]
    BadJson(String),
    /// It looks like YAML, and is not.
    #[error("it is not YAML: {0}")]
    BadYaml(String),
    /// It is a table that cannot be read.
    #[error("it cannot be read as a table: {0}")]
    BadTable(String),
    /// It is prose, and not principles.
    #[error("{0}")]
    Prose(String),
    /// It is data of another shape.
    #[error("{0}")]
    UnknownForm(String),
    /// There is nothing in it.
    #[error("it holds no principle")]
    Empty,
    /// There is nothing in it that a principle can be made of.
    #[error("{0} hold no principle: {1}")]
    NothingUsable(&'static str, String),
    /// The constitution made from it would not be accepted.
    #[error("the constitution made from it would not be accepted: {0}")]
    NotAccepted(String),
}

/// Makes a constitution file of `source`, which the user calls `file`. `id` names the constitution; without it the
/// file's name does.
pub fn import(file: &str, source: &str, id: Option<&str>) -> Result<Imported, ImportError> {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase()).unwrap_or_default();
    let (form, mut drafts, mut notes) = forms::read(source, &ending)?;
    drafts.retain(|draft| !draft.text.trim().is_empty());
    if drafts.is_empty() {
        let why = notes.join("; ");
        return Err(if why.is_empty() { ImportError::Empty } else { ImportError::NothingUsable(form, why) });
    }
    let stem = name.split('.').find(|part| !part.is_empty()).unwrap_or_default();
    let id = id.map_or_else(|| slug(stem), str::to_owned);
    let id = if id.is_empty() { "imported".to_owned() } else { id };
    let mut used = BTreeSet::new();
    let principles: Vec<_> = drafts.into_iter().enumerate().map(|(n, d)| d.named(n, &mut used)).collect();
    let examples = principles.iter().map(|(_, draft)| draft.examples.len()).sum();
    if examples > 0 {
        notes.push(
            "the verdicts of the examples are inferred: `conforms` where the revision is the response, else `violates`"
                .into(),
        );
    }
    let toml = toml_text::render(&id, name, form, &principles)
        .map_err(|e| ImportError::NotAccepted(e.to_string()))?;
    accepted(&toml)?;
    Ok(Imported { toml, form, principles: principles.len(), examples, notes })
}

/// Holds the file against the reader that will read it.
fn accepted(toml: &str) -> Result<(), ImportError> {
    let file = SourceFile::new("constitution.toml", toml);
    match read(&file, &mut |_| Err("nothing is extended".into())) {
        Ok(_) => Ok(()),
        Err(findings) => {
            let errors: Vec<_> =
                findings.iter().filter(|f| f.is_error()).map(|f| f.message.as_str()).collect();
            Err(ImportError::NotAccepted(errors.join("; ")))
        }
    }
}

/// A principle on its way in.
#[derive(Debug, Clone, Default, PartialEq)]
struct Draft {
    /// What the source calls it.
    name: Option<String>,
    /// Comments that stand before it.
    comments: Vec<String>,
    text: String,
    critique: Option<String>,
    revision: Option<String>,
    compare: Option<String>,
    examples: Vec<Example>,
}

impl Draft {
    /// Gives the draft an id that is not in `used` yet. A name that the id does not show is kept as a comment.
    fn named(mut self, n: usize, used: &mut BTreeSet<String>) -> (String, Self) {
        let base =
            self.name.as_deref().map(slug).filter(|s| !s.is_empty()).unwrap_or_else(|| gist(&self.text));
        let base = if base.is_empty() { format!("principle-{}", n + 1) } else { base };
        // Of `n` ids given so far, one of `n + 1` is free.
        let id = (1..=n + 1)
            .map(|k| if k == 1 { base.clone() } else { format!("{base}-{k}") })
            .find(|id| !used.contains(id))
            .unwrap_or(base);
        used.insert(id.clone());
        let name = self.name.clone().filter(|name| *name != id);
        self.comments.extend(name);
        (id, self)
    }
}

/// A name as an id: lower-case words joined by hyphens, short enough that a number still fits behind it. `fooBar`
/// and `foo_bar` are `foo-bar`.
fn slug(name: &str) -> String {
    let mut spaced = String::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            spaced.push(' ');
        }
        spaced.push(c.to_ascii_lowercase());
        before = c;
    }
    joined(spaced.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()))
}

/// The first telling words of a text as an id.
fn gist(text: &str) -> String {
    const DULL: &[&str] = &[
        "a",
        "an",
        "and",
        "any",
        "are",
        "as",
        "assistant",
        "be",
        "been",
        "choose",
        "for",
        "has",
        "have",
        "how",
        "human",
        "if",
        "in",
        "is",
        "it",
        "its",
        "last",
        "of",
        "on",
        "or",
        "please",
        "remove",
        "response",
        "responses",
        "revise",
        "rewrite",
        "s",
        "should",
        "so",
        "than",
        "that",
        "the",
        "their",
        "these",
        "this",
        "to",
        "way",
        "was",
        "ways",
        "what",
        "which",
        "with",
    ];
    let text = text.to_lowercase();
    let words =
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty() && !DULL.contains(w));
    joined(words.take(5))
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    const LONGEST: usize = 56;
    let mut id = String::new();
    for word in words {
        let word: String = word.chars().take(LONGEST).collect();
        if id.len() + word.len() + 1 > LONGEST {
            break;
        }
        if !id.is_empty() {
            id.push('-');
        }
        id.push_str(&word);
    }
    id
}
