//! The card: YAML that `datasets` loads by, and prose made from the statistics. Written after the rows, because wrong
//! counts make the dataset refuse to load.

use super::near_duplicates::family_rule;
use super::stats::Stats;
use super::{DatasetMeta, Report};
use crate::pure::recipe::{Export, Recipe, SoftLabels};
use crate::runtime::dataset::rows::{Column, Config, Kind, MoreColumns};
use crate::runtime::dataset::splits::SPLITS;
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Everything that describes a dataset.
pub(super) struct About<'a> {
    pub(super) meta: &'a DatasetMeta,
    pub(super) settings: &'a Export,
    pub(super) constitution_sha256: &'a str,
    pub(super) more_columns: MoreColumns,
    pub(super) report: &'a Report,
    pub(super) stats: &'a BTreeMap<(Config, usize), Stats>,
}

impl About<'_> {
    /// `stats.json`.
    pub(super) fn stats_json(&self) -> String {
        let mut configs = Map::new();
        for config in self.configs() {
            let splits: Map<String, Json> =
                self.splits_of(config).map(|(name, stats)| (name.to_owned(), stats.to_json())).collect();
            configs.insert(config.as_str().to_owned(), Json::Object(splits));
        }
        let mut drops: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        for ((config, reason), count) in &self.report.drops {
            drops.entry(config.as_str()).or_default().insert(reason.as_str(), *count);
        }
        let whole = json!({
            "transcripts": self.report.transcripts,
            "transcripts_without_a_draft": self.report.transcripts - self.report.usable,
            "families": self.report.families,
            "family_rule": family_rule(self.settings.family_similarity),
            "dropped": drops,
            "judge": self.meta.judge,
            "configs": configs,
        });
        format!("{whole:#}\n")
    }

    /// What the manifest says besides the files.
    pub(super) fn manifest_json(&self) -> Map<String, Json> {
        let rows: BTreeMap<String, u64> =
            self.report.rows.iter().map(|((c, split), n)| (format!("{}/{split}", c.as_str()), *n)).collect();
        let about = json!({
            "format": 1,
            "amend_version": env!("CARGO_PKG_VERSION"),
            "seed": self.meta.recipe.seed,
            "simulated": self.is_simulated(),
            "rows": rows,
            "constitution": {
                "id": self.meta.constitution.id,
                "version": self.meta.constitution.version,
                "sha256": self.constitution_sha256,
                "text": self.meta.constitution_text,
            },
            "recipe": deciding_part(&self.meta.recipe),
            "export": self.settings,
        });
        let mut about = about.as_object().cloned().unwrap_or_default();
        if let Some(older) = &self.meta.older {
            about.insert("splits_of_manifest_sha256".into(), json!(older.manifest_sha256));
        }
        // A dataset on the hub may change under the same name.
        if !self.meta.hub_files.is_empty() {
            about.insert("prompts_from_hub".into(), json!(self.meta.hub_files));
        }
        // Only where it is so: a dataset of a finished run has the bytes that it always had.
        if self.meta.is_partial {
            about.insert(super::manifest::PARTIAL.into(), json!(true));
        }
        about
    }

    fn configs(&self) -> impl Iterator<Item = Config> {
        Config::ALL.iter().copied().filter(|c| self.stats.keys().any(|(met, _)| met == c))
    }

    fn splits_of(&self, config: Config) -> impl Iterator<Item = (&'static str, &Stats)> {
        SPLITS.iter().enumerate().filter_map(move |(at, name)| Some((*name, self.stats.get(&(config, at))?)))
    }

    fn title(&self) -> &str {
        let constitution = &self.meta.constitution;
        if constitution.title.trim().is_empty() { &constitution.id } else { &constitution.title }
    }

    fn is_simulated(&self) -> bool {
        self.meta.simulated || self.stats.values().any(|s| s.counts().1 > 0)
    }

    /// `README.md`.
    pub(super) fn readme(&self) -> String {
        let mut out = String::from("---\n");
        self.yaml(&mut out);
        out.push_str("---\n\n");
        self.prose(&mut out);
        self.table(&mut out);
        self.soft_labels(&mut out);
        self.judge(&mut out);
        self.trainers(&mut out);
        passport(&mut out, self.more_columns);
        out
    }

    fn yaml(&self, out: &mut String) {
        if let Some(license) = &self.settings.license {
            let _ = writeln!(out, "license: {}", quoted(license));
        }
        let languages: BTreeSet<&str> =
            self.stats.values().flat_map(Stats::languages).filter(|l| *l != "und").collect();
        if !languages.is_empty() {
            out.push_str("language:\n");
            for language in &languages {
                let _ = writeln!(out, "- {}", quoted(language));
            }
        }
        let _ = writeln!(out, "pretty_name: {}", quoted(self.title()));
        let largest = self.configs().map(|c| self.splits_of(c).map(|(_, s)| s.counts().0).sum::<u64>()).max();
        let _ = writeln!(out, "size_categories:\n- {}", size_category(largest.unwrap_or(0)));
        out.push_str(
            "task_categories:\n- text-generation\ntags:\n- constitutional-ai\n- rlaif\n- synthetic\n",
        );
        if self.is_simulated() {
            out.push_str("- simulated\n");
        }
        let default = self.configs().find(|c| *c == Config::Preference).or_else(|| self.configs().next());
        out.push_str(if default.is_some() { "configs:\n" } else { "configs: []\n" });
        for config in self.configs() {
            let _ = writeln!(out, "- config_name: {}\n  data_files:", config.as_str());
            for (split, _) in self.splits_of(config) {
                let _ = writeln!(out, "  - split: {split}\n    path: {}/{split}-*.parquet", config.as_str());
            }
            if Some(config) == default {
                out.push_str("  default: true\n");
            }
        }
        out.push_str(if default.is_some() { "dataset_info:\n" } else { "" });
        for config in self.configs() {
            let _ = writeln!(out, "- config_name: {}\n  features:", config.as_str());
            for column in config.columns_written(self.more_columns) {
                feature(out, *column);
            }
            out.push_str("  splits:\n");
            for (split, stats) in self.splits_of(config) {
                let rows = stats.counts().0;
                let _ = writeln!(
                    out,
                    "  - name: {split}\n    num_bytes: {}\n    num_examples: {rows}",
                    stats.bytes
                );
            }
        }
    }

    fn prose(&self, out: &mut String) {
        let constitution = &self.meta.constitution;
        let _ = writeln!(out, "# {}\n", one_line(self.title()));
        if self.is_simulated() {
            out.push_str(
                "**Simulated data.** A simulated model wrote the texts of this dataset, to rehearse a recipe. Nothing \
                 can be learnt from them; the column `simulated` is true in every such row.\n\n",
            );
        }
        if !self.meta.gaps.is_empty() {
            out.push_str("**Part of a run.** Shards of the run are missing or not finished, and their prompts with them:\n\n");
            for gap in &self.meta.gaps {
                let _ = writeln!(out, "- {}", one_line(gap));
            }
            out.push('\n');
        }
        let _ = writeln!(
            out,
            "Made by amend {} with Constitutional AI: a model drafts an answer to each prompt, criticises it against every \
             principle of a constitution, and revises it. The constitution is `{}` version {} ({} principles); its text is \
             in `manifest.json`, SHA-256 `{}`.\n",
            env!("CARGO_PKG_VERSION"),
            one_line(&constitution.id),
            one_line(&constitution.version),
            constitution.principles.len(),
            self.constitution_sha256
        );
        let _ = writeln!(
            out,
            "{} transcripts were read, {} of them with a usable draft, in {} prompt families. A family is never in two \
             splits. These are one: {}. `amend verify` compares every file with `manifest.json`.\n",
            self.report.transcripts,
            self.report.usable,
            self.report.families,
            family_rule(self.settings.family_similarity)
        );
    }

    fn table(&self, out: &mut String) {
        out.push_str("## Rows\n\n| config | train | validation | test |\n| --- | ---: | ---: | ---: |\n");
        for config in self.configs() {
            let count = |at: usize| self.stats.get(&(config, at)).map_or(0, |s| s.counts().0);
            let _ = writeln!(out, "| `{}` | {} | {} | {} |", config.as_str(), count(0), count(1), count(2));
        }
        if !self.report.drops.is_empty() {
            out.push_str("\nLeft out, by reason:\n\n| config | reason | rows |\n| --- | --- | ---: |\n");
            for ((config, reason), count) in &self.report.drops {
                let _ = writeln!(out, "| `{}` | {reason} | {count} |", config.as_str());
            }
        }
        out.push_str(
            "\nMore is in `stats.json`: lengths, languages, hazards, principles, refusal rates, and phrases that chosen replies \
             have far more often than rejected ones.\n\n",
        );
    }

    fn soft_labels(&self, out: &mut String) {
        let Some(doubt) = self.stats.get(&(Config::Preference, 0)).and_then(Stats::mean_doubt) else {
            return;
        };
        let _ = writeln!(
            out,
            "## Labels\n\n\
             `p_chosen` is the probability that `chosen` is better; `score_chosen` and `score_rejected` are its \
             normalised log-probabilities. `label_source` says where it comes from: `logprobs`, `votes` or `cot` from a \
             judge, both orders averaged; `verdicts` from the critiques alone, where each principle that objects to one \
             response is a vote for the other and p = (votes for chosen + 1) / (votes + 2). The last is a count of \
             objections, not a calibrated judgement.\n\n\
             Written with soft labels: `{}`. Mean of 1 - p_chosen in train: {doubt:.4}. That is the value for a global \
             label smoothing (OpenRLHF and LLaMA-Factory DPO; in TRL `label_smoothing` does nothing with the default \
             loss, and `robust` is another loss). `margin` in `reward` is no soft label: it asks for a larger gap.\n",
            self.settings.soft_labels
        );
        if self.settings.soft_labels != SoftLabels::Hard {
            out.push_str("Some pairs are swapped on purpose: there `p_chosen` is below 0.5.\n\n");
        }
    }

    /// What the critic and the judge are worth, so that nobody trains on their labels unawares.
    fn judge(&self, out: &mut String) {
        let Some(figures) = self.meta.judge.as_object() else { return };
        out.push_str(
            "## The judge\n\nOver every transcript of the run, also those that gave no row. Intervals are at 95 %; biases are \
             in probability, 0 for none.\n\n| figure | value | interval | of |\n| --- | ---: | ---: | ---: |\n",
        );
        for (name, figure) in figures {
            let number = |key: &str| figure.get(key).and_then(Json::as_f64);
            let interval = match (number("low").zip(number("high")), number("plus_minus")) {
                (Some((low, high)), _) => format!("{low} to {high}"),
                (None, Some(half)) => format!("± {half}"),
                (None, None) => String::new(),
            };
            if let (Some(value), Some(of)) = (number("share").or(number("mean")), figure.get("of")) {
                let _ = writeln!(out, "| {} | {value} | {interval} | {of} |", name.replace('_', " "));
            }
        }
        for (name, what) in [
            ("dead_principles", "Principles that no prompt touched"),
            ("other_models", "Other models than those asked"),
            ("cut_prompts", "Prompts that an endpoint cut"),
        ] {
            let listed = figures.get(name).and_then(Json::as_array).into_iter().flatten();
            let listed: Vec<&str> = listed.filter_map(Json::as_str).collect();
            if !listed.is_empty() {
                let _ = writeln!(out, "\n{what}: {}.", one_line(&listed.join(", ")));
            }
        }
        out.push('\n');
    }

    fn trainers(&self, out: &mut String) {
        out.push_str("## Settings for trainers\n\n`DIR` is this folder.\n\n```\n");
        let has: BTreeSet<Config> = self.configs().collect();
        let lines = [
            (Config::Sft, "TRL SFT         load_dataset(\"DIR\", \"sft\")"),
            (Config::Preference, "TRL DPO, Reward load_dataset(\"DIR\", \"preference\")"),
            (
                Config::Reward,
                "TRL Reward      load_dataset(\"DIR\", \"reward\")        with a margin, which changes the loss",
            ),
            (
                Config::Kto,
                "TRL KTO         load_dataset(\"DIR\", \"kto\")           in this order: rows are shuffled already",
            ),
            (Config::Prompts, "TRL GRPO, verl  load_dataset(\"DIR\", \"prompts\")"),
            (
                Config::Sft,
                "LLaMA-Factory   dataset_dir: DIR   dataset: amend_sft   eval_dataset: amend_sft_validation",
            ),
            (
                Config::Preference,
                "LLaMA-Factory   dataset_dir: DIR   dataset: amend_preference   eval_dataset: amend_preference_validation",
            ),
            (Config::Kto, "LLaMA-Factory   dataset_dir: DIR   dataset: amend_kto"),
            (
                Config::Sft,
                "OpenRLHF SFT    --data.dataset DIR/sft --data.input_key messages --data.multiturn",
            ),
            (
                Config::Preference,
                "OpenRLHF DPO    --data.dataset DIR/preference --data.prompt_key prompt --data.chosen_key chosen --data.rejected_key rejected --data.apply_chat_template",
            ),
            (Config::PreferenceFlat, "NeMo-RL DPO     data_path DIR, subset preference_flat, split train"),
            (Config::Sft, "OpenAI form     DIR/openai/sft_train.jsonl"),
            (Config::Preference, "OpenAI form     DIR/openai/preference_train.jsonl"),
        ];
        for (_, line) in lines.iter().filter(|(config, _)| has.contains(config)) {
            let _ = writeln!(out, "{line}");
        }
        out.push_str("```\n\n");
        if has.contains(&Config::Sft) {
            out.push_str("```yaml\n# axolotl SFT\ndatasets:\n- path: DIR\n  name: sft\n  split: train\n  type: chat_template\n  field_messages: messages\n```\n\n");
        }
        if has.contains(&Config::Preference) {
            out.push_str("```yaml\n# axolotl DPO\nrl: dpo\nchat_template: tokenizer_default\ndatasets:\n- path: DIR\n  name: preference\n  split: train\n  type: chat_template.default\n  field_messages: prompt\n```\n\n");
        }
    }
}

/// The sections of the recipe that decide what is in the rows. Addresses, keys' names, limits and paths do not.
fn deciding_part(recipe: &Recipe) -> Json {
    let mut whole = json!({
        "seed": recipe.seed,
        "input": recipe.input,
        "method": recipe.method,
        "models": recipe.models,
        "gates": recipe.gates,
        "sim": recipe.sim,
    });
    let models = whole.get_mut("models").and_then(Json::as_object_mut);
    for model in models.into_iter().flat_map(|models| models.values_mut()).filter_map(Json::as_object_mut) {
        // Shifted out, so that the others stand as they do without it.
        model.shift_remove("base_urls");
        for key in ["base_url", "api_key_env", "extra"] {
            model.remove(key);
        }
    }
    whole
}

/// A feature in the spelling that old and new versions of `datasets` read alike.
fn feature(out: &mut String, (name, kind): Column) {
    let message = |out: &mut String, word: &str| {
        let _ = writeln!(
            out,
            "    {word}:\n    - name: role\n      dtype: string\n    - name: content\n      dtype: string"
        );
    };
    let _ = writeln!(out, "  - name: {name}");
    match kind {
        Kind::Messages => message(out, "list"),
        Kind::Message => message(out, "struct"),
        Kind::Texts => out.push_str("    list: string\n"),
        Kind::Label => {
            out.push_str("    dtype:\n      class_label:\n        names:\n          '0': safe\n          '1': unsafe\n");
        }
        Kind::Struct(fields) => {
            out.push_str("    struct:\n");
            for (name, kind) in fields {
                let _ = writeln!(out, "    - name: {name}\n      dtype: {}", dtype(*kind));
            }
        }
        Kind::Text | Kind::Bool | Kind::Int32 | Kind::Int64 | Kind::Float => {
            let _ = writeln!(out, "    dtype: {}", dtype(kind));
        }
    }
}

fn dtype(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::Int32 => "int32",
        Kind::Int64 | Kind::Label => "int64",
        Kind::Float => "float64",
        Kind::Text | Kind::Texts | Kind::Messages | Kind::Message | Kind::Struct(_) => "string",
    }
}

fn size_category(rows: u64) -> &'static str {
    match rows {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        1_000_000..10_000_000 => "1M<n<10M",
        10_000_000.. => "n>10M",
    }
}

/// A YAML scalar. JSON strings are valid YAML, whatever is in them.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// Names in prose stay on their line and open no markup.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '`' | '<' | '>' | '[' | ']' | '|') { ' ' } else { c })
        .collect()
}

fn passport(out: &mut String, more_columns: MoreColumns) {
    out.push_str(
        "## Passport\n\nEvery row says where it comes from: `prompt_id` and `prompt_family` (content hashes), \
         `principle_ids` and `round` that made it, `model` that wrote it, `judge_model` that judged it, `simulated`, \
         `seed`, `constitution_sha256`, `harm_category` and `language` as the prompt's file gave them (`und` when it \
         did not). Measured times are not kept: with them, exporting twice would not give the same bytes.\n",
    );
    if more_columns >= MoreColumns::Kept {
        out.push_str("\n`kept` holds columns of the prompt's file, as a JSON object.\n");
    }
    if more_columns == MoreColumns::Styled {
        out.push_str(
            "\nEvery answer was written in a style and graded: `style` is its id; `grade` is one of `ideal`, `acceptable`, \
             `unacceptable`, `illogical`, `disallowed` and `undecided`; `propositions` is a JSON object that says of each \
             proposition whether it is true of the answer (null: nobody could say), which the grade follows from. Of the \
             prompt, `class` says whether it asks for harm (`harmful`, `borderline`, `benign`), `locale` whose law and \
             helplines hold, `topic` what it is about within its hazard, `persona` who asks, and `contrast_of` which prompt \
             it is the benign twin of.\n",
        );
    }
}
