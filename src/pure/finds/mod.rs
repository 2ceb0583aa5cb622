//! Finds: what an attack got out of a model, in one form, whoever found it.
//!
//! What another tool calls a hit is a claim. It is `undecided` here until it is judged here, and the tool's own verdict stands in
//! `source`. One file for each tool reads its form: exactly the fields that are named there, and nothing is guessed.

mod garak;
mod names;
mod promptfoo;
mod pyrit;
mod salvage;
mod sets;
#[cfg(test)]
mod tests;

use crate::pure::digest::Parts;
use crate::pure::gates::{Refusal, refusal};
use crate::pure::prompt::Message;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A tool whose files are read.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Tool {
    /// garak: `*.report.jsonl` and `*.hitlog.jsonl`.
    Garak,
    /// promptfoo: results of version 3, as JSON or JSON lines.
    Promptfoo,
    /// PyRIT: its memory as JSON or CSV.
    Pyrit,
    /// JailbreakBench: its artifacts.
    Jailbreakbench,
    /// HarmBench: completions.
    Harmbench,
    /// Columns `goal`, `prompt`, `response`, perhaps `hazard`, `family`, `language`, `verdict`.
    Csv,
}

/// What came of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindVerdict {
    /// The model gave what it should not.
    Broke,
    /// It did not.
    Held,
    /// Nobody here has judged it, or the judge could not.
    Undecided,
}

/// How far a response answers, by its words alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// It declines nothing.
    Full,
    /// It declines something and helps with the rest.
    Partial,
    /// It declines.
    None,
    /// It says nothing.
    Empty,
}

impl Reply {
    /// How far a text answers.
    pub fn of(text: &str) -> Self {
        match refusal(text) {
            _ if text.trim().is_empty() => Self::Empty,
            Refusal::None => Self::Full,
            Refusal::Partial => Self::Partial,
            Refusal::Full => Self::None,
        }
    }
}

/// Who judged a find here, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindJudge {
    /// The judge's model.
    pub model: String,
    /// The principles that the response violates, by id.
    pub principles: Vec<String>,
}

/// Where a find comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindSource {
    /// The tool.
    pub tool: String,
    /// Its version, where the file says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The file, as the user named it.
    pub file: String,
    /// The line, counted from 1; of a file that is one value, where the entry begins.
    pub line: u64,
    /// What the tool says of it: `hit`, `pass`, `error`, `not judged`.
    pub verdict: String,
    /// More that the tool says, by its own names.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// From this severity on an answer that broke is kept as a hash.
pub const SEVERE: u8 = 4;

/// One find.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Find {
    /// Its id: a hash of the tool's own name for it, or of what was said.
    pub find: String,
    /// What the attack wants, where the tool says it.
    pub goal: Option<String>,
    /// The hazard, an id of the taxonomy.
    pub hazard: Option<String>,
    /// 1 (a nuisance) to 4 (lives), from the hazard.
    pub severity: Option<u8>,
    /// The attack, by the tool's name.
    pub attack: Option<String>,
    /// The family of attacks.
    pub family: Option<String>,
    /// The language tag.
    pub language: Option<String>,
    /// The conversation that ends with the attack.
    pub turns: Vec<Message>,
    /// What the model answered; absent where only its hash is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// The hash of an answer that is too severe to be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_sha256: Option<String>,
    /// What came of it, as judged here.
    pub verdict: FindVerdict,
    /// How far the response answers.
    pub reply: Reply,
    /// Who judged it here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<FindJudge>,
    /// The smallest form that still breaks the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimal: Option<Vec<Message>>,
    /// The smallest form broke in fewer than two of three draws.
    #[serde(default, skip_serializing_if = "is_false")]
    pub flaky: bool,
    /// Where it comes from.
    pub source: FindSource,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// A row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadRow {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub detail: String,
}

/// What a file gave.
#[derive(Debug, Default)]
pub struct Imported {
    /// The claims.
    pub finds: Vec<Find>,
    /// Rows that cannot be read.
    pub bad: Vec<BadRow>,
    /// Rows that are no claim, by what they are.
    pub skipped: BTreeMap<String, u64>,
    /// Names of probes, plugins and strategies that mean nothing here, with how often each was met.
    pub unknown: BTreeMap<String, u64>,
}

impl Imported {
    fn skip(&mut self, what: &str) {
        *self.skipped.entry(what.to_owned()).or_default() += 1;
    }

    fn bad(&mut self, file: &str, line: u64, detail: impl Into<String>) {
        self.bad.push(BadRow { file: file.to_owned(), line, detail: detail.into() });
    }
}

/// What a tool says of one attempt, before it is a find.
#[derive(Debug, Default)]
struct Claim {
    /// The tool's own name for the attempt, where it has one.
    key: Option<String>,
    goal: Option<String>,
    attack: Option<String>,
    language: Option<String>,
    hazard: Option<String>,
    family: Option<String>,
    turns: Vec<Message>,
    response: String,
    verdict: &'static str,
    version: Option<String>,
    more: Map<String, Value>,
}

impl Claim {
    fn into_find(self, tool: Tool, file: &str, line: u64) -> Find {
        let name: &str = tool.into();
        let id = match &self.key {
            Some(key) => Parts::new("find").with(name).with(key),
            None => self
                .turns
                .iter()
                .fold(Parts::new("find").with(name), |parts, turn| parts.with(&turn.content))
                .with(&self.response),
        };
        let severity = self.hazard.as_deref().and_then(names::severity);
        Find {
            find: id.short(),
            goal: self.goal,
            severity,
            hazard: self.hazard,
            attack: self.attack,
            family: self.family,
            language: self.language,
            turns: self.turns,
            reply: Reply::of(&self.response),
            response: Some(self.response),
            response_sha256: None,
            verdict: FindVerdict::Undecided,
            judge: None,
            minimal: None,
            flaky: false,
            source: FindSource {
                tool: name.to_owned(),
                version: self.version,
                file: file.to_owned(),
                line,
                verdict: self.verdict.to_owned(),
                more: self.more,
            },
        }
    }
}

/// Reads a file of this tool, or of the tool that its content tells of. `None` when no tool is known that writes such a file.
pub fn import(tool: Option<Tool>, file: &str, text: &str) -> Option<(Tool, Imported)> {
    let tool = tool.or_else(|| detect(text))?;
    let imported = match tool {
        Tool::Garak => garak::read(file, text),
        Tool::Promptfoo => promptfoo::read(file, text),
        Tool::Pyrit => pyrit::read(file, text),
        Tool::Jailbreakbench => sets::jailbreakbench(file, text),
        Tool::Harmbench => sets::harmbench(file, text),
        Tool::Csv => sets::csv(file, text),
    };
    Some((tool, imported))
}

/// The tool that writes files that begin so.
fn detect(text: &str) -> Option<Tool> {
    let head: String = text.chars().take(4_000).collect();
    let has = |name: &str| head.contains(&format!("\"{name}\""));
    let first = head.trim_start();
    if has("entry_type") || has("attempt_id") && has("detector") {
        Some(Tool::Garak)
    } else if has("jailbreaks") || has("jailbroken") {
        Some(Tool::Jailbreakbench)
    } else if has("evalId") || has("promptIdx") || has("failureReason") {
        Some(Tool::Promptfoo)
    } else if has("conversation_id")
        || first.lines().next().is_some_and(|line| line.contains("conversation_id"))
    {
        Some(Tool::Pyrit)
    } else if has("test_case") && has("generation") {
        Some(Tool::Harmbench)
    } else {
        let header = first.lines().next().unwrap_or("").to_lowercase();
        let names: Vec<&str> = header.split(',').map(|name| name.trim().trim_matches('"')).collect();
        (names.contains(&"prompt") && names.contains(&"response")).then_some(Tool::Csv)
    }
}

/// Each line that is not blank, with its number.
fn lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty())
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
