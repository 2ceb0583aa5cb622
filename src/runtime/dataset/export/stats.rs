//! Statistics of a dataset, gathered row by row in memory that does not grow with the rows.

use crate::runtime::dataset::boilerplate::Phrases;
use crate::runtime::dataset::rows::{Config, Row, Value};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, HashSet};

/// Statistics of one split of one config.
#[derive(Debug, Default)]
pub(super) struct Stats {
    rows: u64,
    families: HashSet<u64>,
    turns: BTreeMap<u64, u64>,
    /// Estimated tokens in buckets of 5 % width; exact enough for a percentile, whatever the number of rows.
    tokens: BTreeMap<i32, u64>,
    languages: BTreeMap<String, u64>,
    categories: BTreeMap<String, u64>,
    principles: BTreeMap<String, u64>,
    rounds: BTreeMap<i64, u64>,
    models: BTreeMap<String, u64>,
    p_chosen: [u64; 10],
    p_sum: f64,
    pairs: u64,
    longer_chosen: u64,
    length_difference: f64,
    refusals: [u64; 2],
    replies: [u64; 2],
    simulated: u64,
    phrases: Phrases,
    /// Bytes of values in the columns.
    pub(super) bytes: u64,
}

impl Stats {
    /// Counts one row.
    pub(super) fn add(&mut self, row: &Row) {
        self.rows += 1;
        let text_of = |name: &str| match row.get(name) {
            Value::Text(text) => Some(text.as_str()),
            Value::Messages(chat) => chat.last_text(),
            Value::Null
            | Value::Texts(_)
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Struct(_) => None,
        };
        if let Some(family) = text_of("prompt_family").and_then(|f| u64::from_str_radix(f, 16).ok()) {
            self.families.insert(family);
        }
        let mut count = |map: &str, name: &str| {
            let into = match map {
                "languages" => &mut self.languages,
                "categories" => &mut self.categories,
                "principles" => &mut self.principles,
                _ => &mut self.models,
            };
            *into.entry(name.to_owned()).or_default() += 1;
        };
        count("languages", text_of("language").unwrap_or("und"));
        count("categories", text_of("harm_category").unwrap_or("none"));
        count("models", text_of("model").unwrap_or(""));
        if let Value::Texts(ids) = row.get("principle_ids") {
            for id in ids {
                count("principles", id);
            }
        }
        if let Value::Int(round) = row.get("round") {
            *self.rounds.entry(*round).or_default() += 1;
        }
        self.simulated += u64::from(row.get("simulated") == &Value::Bool(true));
        self.measure(row);
        if let (Some(chosen), Some(rejected)) = (text_of("chosen"), text_of("rejected")) {
            self.pair(chosen, rejected, row.get("p_chosen"));
            if row.config == Config::Preference {
                self.phrases.add(chosen, rejected);
            }
        }
        self.refused(row.refuses);
    }

    fn refused(&mut self, refuses: [Option<bool>; 2]) {
        for (at, refuses) in refuses.into_iter().enumerate() {
            self.replies[at] += u64::from(refuses.is_some());
            self.refusals[at] += u64::from(refuses == Some(true));
        }
    }

    /// Turns of the prompt, and tokens of the longest conversation in the row.
    fn measure(&mut self, row: &Row) {
        let mut length = 0;
        for name in ["messages", "prompt", "completion", "chosen", "rejected"] {
            match row.get(name) {
                Value::Messages(chat) => {
                    if name == "prompt" || name == "messages" {
                        let turns =
                            chat.iter().filter(|m| m.role == crate::pure::prompt::Speaker::User).count();
                        *self.turns.entry(turns as u64).or_default() += u64::from(name == "prompt");
                    }
                    if name != "messages" {
                        length += chat.iter().map(|m| m.content.len()).sum::<usize>();
                    }
                }
                Value::Text(text) => length += text.len(),
                Value::Null
                | Value::Texts(_)
                | Value::Bool(_)
                | Value::Int(_)
                | Value::Float(_)
                | Value::Struct(_) => {}
            }
        }
        let tokens = (length as f64 / 4.0).max(1.0);
        #[expect(clippy::cast_possible_truncation, reason = "a logarithm of a length")]
        let bucket = (tokens.ln() / 1.05_f64.ln()).floor() as i32;
        *self.tokens.entry(bucket).or_default() += 1;
    }

    fn pair(&mut self, chosen: &str, rejected: &str, p: &Value) {
        let (a, b) = (chosen.chars().count() as f64, rejected.chars().count() as f64);
        self.pairs += 1;
        self.longer_chosen += u64::from(a > b);
        self.length_difference += a - b;
        if let Value::Float(p) = p {
            self.p_sum += p;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a probability times ten"
            )]
            let bucket = ((p * 10.0) as usize).min(9);
            self.p_chosen[bucket] += 1;
        }
    }

    fn percentile(&self, share: f64) -> u64 {
        let mut left = (share * self.rows as f64).ceil();
        for (bucket, count) in &self.tokens {
            left -= *count as f64;
            if left <= 0.0 {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length")]
                return 1.05_f64.powi(*bucket).round() as u64;
            }
        }
        0
    }

    /// Mean of `1 - p_chosen`: what a global label smoothing would be set to.
    pub(super) fn mean_doubt(&self) -> Option<f64> {
        let judged: u64 = self.p_chosen.iter().sum();
        (judged > 0).then(|| 1.0 - self.p_sum / judged as f64)
    }

    /// Rows, and how many of them are simulated.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.rows, self.simulated)
    }

    /// Languages met.
    pub(super) fn languages(&self) -> impl Iterator<Item = &str> {
        self.languages.keys().map(String::as_str)
    }

    /// The statistics as JSON.
    pub(super) fn to_json(&self) -> Json {
        let share = |part: u64, whole: u64| {
            if whole == 0 { Json::Null } else { json!(round(part as f64 / whole as f64)) }
        };
        let mut out = json!({
            "rows": self.rows,
            "families": self.families.len(),
            "simulated_rows": self.simulated,
            "tokens": {
                "tokenizer": "estimate: UTF-8 bytes / 4, within 5 %",
                "p50": self.percentile(0.5), "p95": self.percentile(0.95), "max": self.percentile(1.0),
            },
            "turns": self.turns,
            "languages": self.languages,
            "categories": self.categories,
            "principles": self.principles,
            "rounds": self.rounds,
            "models": self.models,
        });
        let Some(object) = out.as_object_mut() else { return out };
        if self.pairs > 0 {
            let mean = round(self.length_difference / self.pairs as f64);
            object.insert("chosen_minus_rejected_characters".into(), json!(mean));
            object.insert("chosen_longer".into(), share(self.longer_chosen, self.pairs));
            object.insert("refusal_rate_chosen".into(), share(self.refusals[0], self.replies[0]));
            object.insert("refusal_rate_rejected".into(), share(self.refusals[1], self.replies[1]));
        } else if self.replies[0] > 0 {
            object.insert("refusal_rate".into(), share(self.refusals[0], self.replies[0]));
        }
        if let Some(doubt) = self.mean_doubt() {
            if self.phrases.is_counted() {
                object.insert("boilerplate".into(), self.phrases.to_json());
            }
            object.insert("p_chosen_histogram".into(), json!(self.p_chosen));
            object.insert("mean_one_minus_p_chosen".into(), json!(round(doubt)));
        }
        out
    }
}

fn round(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}
