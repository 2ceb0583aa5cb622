//! Forms for particular takers: OpenAI-style fine-tuning files, and the registry that LLaMA-Factory reads.

use super::ExportError;
use super::files::{Lines, Written};
use super::stats::Stats;
use crate::runtime::dataset::rows::{Config, Row, Value};
use crate::runtime::dataset::splits::SPLITS;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

/// Fewest lines of a training file that the takers accept.
const FEWEST_TRAIN_LINES: u64 = 10;

/// Most lines that a file of batch requests may have …
const MOST_BATCH_LINES: u64 = 50_000;
/// … and most bytes.
const MOST_BATCH_BYTES: u64 = 200_000_000;

/// What one config gives to `openai/`: `{sft,preference}_{train,validation}.jsonl`, and `batch_prompts.jsonl` where a
/// model is named for it. The test split is never among them: what is uploaded is lost for measuring. A line has the
/// form's own keys only, because some takers reject a line that fits two forms.
pub(super) struct OpenAi<'a> {
    root: &'a Path,
    batch_model: Option<&'a str>,
    open: BTreeMap<&'static str, Lines>,
    full: Vec<Written>,
}

impl<'a> OpenAi<'a> {
    /// No file yet.
    pub(super) fn new(root: &'a Path, batch_model: Option<&'a str>) -> Self {
        Self { root, batch_model, open: BTreeMap::new(), full: Vec::new() }
    }

    /// Adds a row where a form takes it.
    pub(super) fn write(&mut self, row: &Row, split: &'static str) -> Result<(), ExportError> {
        if split == "test" {
            return Ok(());
        }
        match row.config {
            Config::Sft => self.line(row.config, split, &json!({ "messages": chat(row, "messages") })),
            Config::Preference => self.line(
                row.config,
                split,
                &json!({
                    "input": { "messages": chat(row, "prompt") },
                    "preferred_output": chat(row, "chosen"),
                    "non_preferred_output": chat(row, "rejected"),
                }),
            ),
            Config::Prompts => self.request(row),
            Config::PreferenceImplicit
            | Config::PreferenceFlat
            | Config::Reward
            | Config::Kto
            | Config::KtoFlat
            | Config::Critique
            | Config::Classifier
            | Config::Transcripts => Ok(()),
        }
    }

    fn line(&mut self, config: Config, split: &'static str, line: &Json) -> Result<(), ExportError> {
        self.lines(split, || format!("openai/{}_{split}.jsonl", config.as_str()))?.write(line)
    }

    /// A request for a response to the row's prompt. A file that is full is followed by another.
    fn request(&mut self, row: &Row) -> Result<(), ExportError> {
        let Some(model) = self.batch_model else { return Ok(()) };
        let line = json!({
            "custom_id": if let Value::Text(id) = row.get("id") { id.as_str() } else { "" },
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": { "model": model, "messages": chat(row, "prompt") },
        });
        let size = line.to_string().len() as u64 + 1;
        let is_full =
            |lines: &Lines| lines.rows >= MOST_BATCH_LINES || lines.bytes() + size > MOST_BATCH_BYTES;
        if self.open.get("batch").is_some_and(is_full)
            && let Some(lines) = self.open.remove("batch")
        {
            self.full.push(lines.finish()?);
        }
        let number = self.full.len();
        let name = || match number {
            0 => "openai/batch_prompts.jsonl".to_owned(),
            further => format!("openai/batch_prompts-{further:05}.jsonl"),
        };
        self.lines("batch", name)?.write(&line)
    }

    fn lines(&mut self, key: &'static str, path: impl FnOnce() -> String) -> Result<&mut Lines, ExportError> {
        Ok(match self.open.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Lines::create(self.root, path())?),
        })
    }

    /// Ends the files; a training file that no taker would accept is not kept.
    pub(super) fn finish(self) -> Result<Vec<Written>, ExportError> {
        let mut written = self.full;
        for (key, lines) in self.open {
            let too_short = key == "train" && lines.rows < FEWEST_TRAIN_LINES;
            let file = lines.finish()?;
            if too_short {
                let path = self.root.join(&file.path);
                std::fs::remove_file(&path).map_err(|e| ExportError::io("remove", &path, e))?;
            } else {
                written.push(file);
            }
        }
        Ok(written)
    }
}

fn chat(row: &Row, column: &str) -> Json {
    if let Value::Messages(chat) = row.get(column) { json!(chat) } else { Json::Null }
}

/// `dataset_info.json`: entries that resolve through the card, so that splits are honoured. Each says by which rule prompts are one
/// family, which is never in two splits.
pub(super) fn llama_factory(stats: &BTreeMap<(Config, usize), Stats>, family_rule: &str) -> String {
    let mut entries = Map::new();
    for (split, name) in SPLITS.iter().enumerate() {
        for config in [Config::Sft, Config::Critique, Config::Preference, Config::Kto] {
            if !stats.contains_key(&(config, split)) {
                continue;
            }
            let columns = match config {
                // One message each: a list would train with an empty prompt there.
                Config::Preference => {
                    json!({ "messages": "prompt", "chosen": "chosen_message", "rejected": "rejected_message" })
                }
                Config::Kto => json!({ "messages": "messages", "kto_tag": "label" }),
                Config::Sft
                | Config::Critique
                | Config::PreferenceImplicit
                | Config::PreferenceFlat
                | Config::Reward
                | Config::KtoFlat
                | Config::Classifier
                | Config::Prompts
                | Config::Transcripts => json!({ "messages": "messages" }),
            };
            let mut entry = json!({ "script_url": ".", "subset": config.as_str(), "split": name, "formatting": "sharegpt", "family_rule": family_rule });
            if let Some(entry) = entry.as_object_mut() {
                if config == Config::Preference {
                    entry.insert("ranking".into(), json!(true));
                }
                entry.insert("columns".into(), columns);
                entry.insert(
                    "tags".into(),
                    json!({ "role_tag": "role", "content_tag": "content", "user_tag": "user",
                            "assistant_tag": "assistant", "system_tag": "system" }),
                );
            }
            let suffix = if split == 0 { String::new() } else { format!("_{name}") };
            entries.insert(format!("amend_{}{suffix}", config.as_str()), entry);
        }
    }
    format!("{:#}\n", Json::Object(entries))
}
