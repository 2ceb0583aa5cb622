//! YAML: plain lists and maps of principles, the policies of NeMo Guardrails, the rubrics and policies of promptfoo.

use super::{Draft, ImportError};
use serde_json::{Map, Value};

pub(super) const NEMO: &str = "the policy of NeMo Guardrails";
pub(super) const PROMPTFOO: &str = "promptfoo's rubrics and policies";

/// Reads a document. A parser's message names line and column.
pub(super) fn parse(source: &str) -> Result<Value, ImportError> {
    serde_saphyr::from_str(source).map_err(|error| {
        // The parser shows the passage too; its first line says what and where.
        let message = error.to_string();
        ImportError::BadYaml(
            message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        )
    })
}

/// Whether a text that nobody calls YAML is YAML by its shape: a line that opens a map or a list below a key.
pub(super) fn looks_so(source: &str) -> bool {
    let opens = |line: &str| {
        let key = line.trim_start_matches("- ").trim_end();
        let Some(name) = key.strip_suffix(':') else { return false };
        !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || "_-".contains(c))
            && !name.starts_with('-')
    };
    let lines: Vec<&str> = source.lines().filter(|line| !line.trim().is_empty()).collect();
    let goes_on = |line: &str| line.starts_with([' ', '-']);
    lines.windows(2).any(|pair| opens(pair[0]) && goes_on(pair[1]))
        && matches!(serde_saphyr::from_str::<Value>(source), Ok(Value::Object(_)))
}

/// NeMo Guardrails: the bullets of the policy in its prompt about what the bot says. `None` for another file.
pub(super) fn nemo(file: &Map<String, Value>) -> Option<(Vec<Draft>, Vec<String>)> {
    let prompts = file.get("prompts")?.as_array()?;
    let task = |prompt: &Value| prompt.get("task").and_then(Value::as_str).map(str::to_owned);
    if !prompts.iter().any(|prompt| task(prompt).is_some()) {
        return None;
    }
    let (mut drafts, mut notes) = (Vec::new(), Vec::new());
    for prompt in prompts {
        let Some(task) = task(prompt) else { continue };
        let content = prompt.get("content").and_then(Value::as_str).unwrap_or_default();
        let bullets = bullets(content);
        if task.starts_with("self_check_output") {
            drafts.extend(
                bullets.iter().map(|bullet| Draft { text: (*bullet).to_owned(), ..Draft::default() }),
            );
        } else if !bullets.is_empty() {
            notes.push(format!(
                "the policy of `{task}` ({}) is left out: it is about what the user says, and a principle is about the response",
                bullets.len()
            ));
        }
    }
    Some((drafts, notes))
}

/// The bullets of a prompt. In a folded text (`content: >`) they stand in one line, after a colon.
fn bullets(content: &str) -> Vec<&str> {
    content.lines().flat_map(bullets_in).collect()
}

fn bullets_in(line: &str) -> Vec<&str> {
    let line = line.trim();
    let folded = line.split_once(": - ").map(|(_, items)| items);
    let items = line.strip_prefix("- ").or(folded);
    items.into_iter().flat_map(|items| items.split(" - ")).map(str::trim).collect()
}

/// promptfoo: rubrics that a model grades by, and the policies of its red team. `None` for another file.
pub(super) fn promptfoo(file: &Map<String, Value>) -> Option<(Vec<Draft>, Vec<String>)> {
    if !["tests", "defaultTest", "redteam", "providers", "targets"].iter().any(|key| file.contains_key(*key))
    {
        return None;
    }
    let mut found = Found::default();
    let tests = file.get("tests").and_then(Value::as_array).into_iter().flatten();
    for test in tests.chain(file.get("defaultTest")) {
        found.asserts(test);
    }
    let plugins = file.get("redteam").and_then(|redteam| redteam.get("plugins"));
    for plugin in plugins.and_then(Value::as_array).into_iter().flatten() {
        match plugin.get("config").and_then(|config| config.get("policy")).and_then(Value::as_str) {
            Some(policy) => found.add(policy),
            None => found.others += 1,
        }
    }
    let notes = match found.others {
        0 => Vec::new(),
        others => vec![format!(
            "{others} assertions and plugins without a rubric are left out: only `llm-rubric`, `model-graded-closedqa`, \
             `g-eval` and `policy` say a rule in words"
        )],
    };
    Some((found.drafts, notes))
}

#[derive(Default)]
struct Found {
    drafts: Vec<Draft>,
    others: usize,
}

impl Found {
    fn asserts(&mut self, test: &Value) {
        for assert in test.get("assert").and_then(Value::as_array).into_iter().flatten() {
            let kind = assert.get("type").and_then(Value::as_str).unwrap_or_default();
            let value = assert.get("value");
            match (kind, value) {
                ("llm-rubric" | "model-graded-closedqa" | "g-eval", Some(Value::String(rubric))) => {
                    self.add(rubric);
                }
                ("llm-rubric" | "g-eval", Some(Value::Array(rubrics))) => {
                    rubrics.iter().filter_map(Value::as_str).for_each(|rubric| self.add(rubric));
                }
                _ => self.others += 1,
            }
        }
    }

    /// The same rubric stands in many tests.
    fn add(&mut self, text: &str) {
        let text = text.trim();
        if !text.is_empty() && !self.drafts.iter().any(|draft| draft.text == text) {
            self.drafts.push(Draft { text: text.to_owned(), ..Draft::default() });
        }
    }
}
