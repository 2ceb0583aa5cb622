//! Forms for particular takers: OpenAI-style fine-tuning files, and the registry that LLaMA-Factory reads.

use super::ExportError;
use super::files::{Lines, Written};
use super::stats::Stats;
use crate::dataset::rows::{Config, Row, Value};
use crate::dataset::splits::SPLITS;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Fewest lines of a training file that the takers accept.
const FEWEST_TRAIN_LINES: u64 = 10;

/// `openai/{sft,preference}_{train,validation}.jsonl`. The test split is never among them: what is uploaded is lost
/// for measuring. A line has the form's own keys only, because some takers reject a line that fits two forms.
pub(super) struct OpenAi {
    root: PathBuf,
    open: BTreeMap<String, Lines>,
}

impl OpenAi {
    /// No file yet.
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), open: BTreeMap::new() }
    }

    /// Adds a row where a form takes it.
    pub(super) fn write(&mut self, row: &Row, split: &str) -> Result<(), ExportError> {
        let of = |name: &str| {
            if let Value::Messages(messages) = row.get(name) { json!(messages) } else { Json::Null }
        };
        let line = match row.config {
            Config::Sft => json!({ "messages": of("messages") }),
            Config::Preference => json!({
                "input": { "messages": of("prompt") },
                "preferred_output": of("chosen"),
                "non_preferred_output": of("rejected"),
            }),
            Config::PreferenceImplicit
            | Config::PreferenceFlat
            | Config::Reward
            | Config::Kto
            | Config::KtoFlat
            | Config::Critique
            | Config::Classifier
            | Config::Prompts
            | Config::Transcripts => return Ok(()),
        };
        if split == "test" {
            return Ok(());
        }
        let path = format!("openai/{}_{split}.jsonl", row.config.as_str());
        let lines = match self.open.entry(path) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let path = entry.key().clone();
                entry.insert(Lines::create(&self.root, path)?)
            }
        };
        lines.write(&line)
    }

    /// Ends the files; a training file that no taker would accept is not kept.
    pub(super) fn finish(self) -> Result<Vec<Written>, ExportError> {
        let mut written = Vec::new();
        for (path, lines) in self.open {
            let too_short = path.ends_with("_train.jsonl") && lines.rows < FEWEST_TRAIN_LINES;
            let file = lines.finish()?;
            if too_short {
                let path = self.root.join(&path);
                std::fs::remove_file(&path).map_err(|e| ExportError::io("remove", &path, e))?;
            } else {
                written.push(file);
            }
        }
        // The folder goes when nothing is in it; when something is, this fails and nothing is lost.
        let _ = std::fs::remove_dir(self.root.join("openai"));
        Ok(written)
    }
}

/// `dataset_info.json`: entries that resolve through the card, so that splits are honoured.
pub(super) fn llama_factory(stats: &BTreeMap<(Config, usize), Stats>) -> String {
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
            let mut entry = json!({ "script_url": ".", "subset": config.as_str(), "split": name, "formatting": "sharegpt" });
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
