//! The recipe: the TOML file that says what to run.
//!
//! Every field has a flag and every flag a field; a flag wins. One struct per section, each with its defaults beside
//! it, so that this file is also the reference.

mod export;
mod label;
mod read;
mod sim;

pub use export::{Export, Pairs, SoftLabels};
pub use label::{Label, LabelHow, LabelPairs, LabelSource};
pub use read::{CONFIGS, Reading, check_complete, read, schema};
pub use sim::{Busy, Judge, Sim};

use crate::runtime::model::{Role, Sampling};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// The constitution file.
    pub constitution: String,
    /// Prompt files or directories; `-` for standard input.
    pub prompts: Vec<String>,
    /// The run directory.
    pub out: Option<String>,
    /// Decides every draw: principles, seeds sent to models, samples.
    pub seed: u64,
    /// A directory of templates that override the built-in ones.
    pub templates: Option<String>,
    /// How prompts are read.
    pub input: Input,
    /// How responses are made.
    pub method: Method,
    /// Which responses are compared, and how.
    pub label: Label,
    /// Which models answer.
    pub models: Models,
    /// How hard endpoints are pressed.
    pub limits: Limits,
    /// What may become a row.
    pub gates: Gates,
    /// What is written.
    pub export: Export,
    /// The world of the simulated model, when a role's model is `sim`.
    pub sim: Sim,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            constitution: "constitutions/harmlessness.toml".into(),
            prompts: Vec::new(),
            out: None,
            seed: 0,
            templates: None,
            input: Input::default(),
            method: Method::default(),
            label: Label::default(),
            models: Models::default(),
            limits: Limits::default(),
            gates: Gates::default(),
            export: Export::default(),
            sim: Sim::default(),
        }
    }
}

/// `[input]`: how prompts are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    /// The column that holds the prompt; found by name when absent (`messages`, `prompt`, `chosen`, …).
    pub column: Option<String>,
    /// What the files hold; found by name and content when absent.
    pub format: Option<Format>,
    /// The column that holds the hazard label; `hazard` when absent, and no label where there is no such column.
    pub hazard: Option<String>,
    /// The column that holds the language tag; `language`, else `lang`, when absent.
    pub language: Option<String>,
    /// With `[label] source = "given"`: the columns that hold the responses to compare, or the one column that holds a
    /// list of them. When empty, found by name (`response_a` and `response_b`, `chosen` and `rejected`, `responses`, …).
    pub responses: Vec<String>,
    /// Leave the last reply of a list of messages away, so that a dataset of finished conversations gives prompts.
    /// Without it such a row is a reject. (The last reply of a `Human:`/`Assistant:` transcript is always left away.)
    pub drop_reply: bool,
    /// The longest row that is read, in bytes; a longer one is a reject.
    pub max_bytes: u64,
    /// Read at most this many rows.
    pub limit: Option<u64>,
    /// Take this many prompts at random, the same for the same seed, whatever the order of the file.
    pub sample: Option<u64>,
}

impl Default for Input {
    fn default() -> Self {
        Self {
            column: None,
            format: None,
            hazard: None,
            language: None,
            responses: Vec::new(),
            drop_reply: false,
            max_bytes: 1024 * 1024,
            limit: None,
            sample: None,
        }
    }
}

/// What a file of rows holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A JSON object on every line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
    /// Tab-separated values with a header.
    Tsv,
    /// Apache Parquet.
    Parquet,
    /// One prompt per line.
    Text,
}

/// Which principles meet which response, and when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// All principles criticise the same response side by side; one revision answers every violation.
    #[default]
    Panel,
    /// One principle after another, in priority order, with a re-check at the end of a round.
    Each,
    /// The paper's method: a principle drawn at random for each critique-revision pair.
    Sampled,
}

impl Schedule {
    /// The schedule's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Panel => "panel",
            Self::Each => "each",
            Self::Sampled => "sampled",
        }
    }
}

/// Which response of a chain is the final one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Choose {
    /// The last that was kept.
    #[default]
    Last,
    /// The one that violates least: hard principles first, then by weight; the later of equals. Every principle is asked
    /// about every response for that, where it was not yet.
    Best,
}

/// `[method]`: how responses are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the user's file")]
pub struct Method {
    /// Which principles meet which response.
    pub schedule: Schedule,
    /// Most rounds of critique and revision.
    pub rounds: u32,
    /// First ask for a verdict on every principle at once, and criticise only those violated or undecided.
    pub screen: bool,
    /// Share of prompts, drawn by prompt id, on which every principle is criticised although it was screened, so that
    /// the report can say what screening misses.
    pub screen_measured: f64,
    /// With `sampled`: revise whatever the critique says, as the paper does.
    pub revise_always: bool,
    /// Ask for critiques. `false`: revise straight from the principles (the paper's Figure 7). Then nothing decides
    /// whether to revise, so it is done always, in every round: for all principles at once with `panel`, for one
    /// after another with `each`, for the one drawn with `sampled`; and nothing is checked, so nothing is rolled back.
    pub critique: bool,
    /// How often a revision that fails a gate, or makes things worse, is asked for again.
    pub retries: u32,
    /// Which response is the final one: the last that was kept, or the best by its verdicts.
    pub choose: Choose,
    /// Show the principles' few-shot examples in critique and revision requests.
    pub examples: bool,
}

impl Default for Method {
    fn default() -> Self {
        Self {
            schedule: Schedule::Panel,
            rounds: 2,
            screen: false,
            screen_measured: 0.0,
            revise_always: false,
            critique: true,
            retries: 1,
            choose: Choose::Last,
            examples: true,
        }
    }
}

/// `[models]`: which model answers for each role.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// What every role uses unless its own section says otherwise.
    pub default: Model,
    /// Overrides for drafts.
    pub generator: Option<Model>,
    /// Overrides for critiques.
    pub critic: Option<Model>,
    /// Overrides for revisions.
    pub reviser: Option<Model>,
    /// Overrides for comparisons.
    pub judge: Option<Model>,
}

/// `[models.<role>]`: one model and its endpoint. What is absent comes from `[models.default]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// The model's name, as its endpoint knows it; `sim` for the built-in simulated model.
    pub model: Option<String>,
    /// Base URL of an OpenAI-compatible endpoint, such as `http://localhost:8000/v1`.
    pub base_url: Option<String>,
    /// The environment variable that holds the key; `OPENAI_API_KEY` when absent. An unset one sends no key.
    pub api_key_env: Option<String>,
    /// Softmax temperature; a negative number leaves it to the endpoint.
    pub temperature: Option<f64>,
    /// Nucleus mass.
    pub top_p: Option<f64>,
    /// Most tokens of an answer.
    pub max_tokens: Option<u32>,
    /// Ask for verdicts by JSON schema (`true`) or by a closing line (`false`, the default).
    pub structured: Option<bool>,
    /// Send a seed with each request (default `true`); some endpoints refuse the field.
    pub send_seed: Option<bool>,
    /// The field that carries `max_tokens` in a request; newer OpenAI models take `max_completion_tokens` only.
    pub max_tokens_field: Option<MaxTokensField>,
    /// A PEM file of certificate authorities to trust instead of the system's.
    pub ca_bundle: Option<String>,
    /// More fields for the request body, as the endpoint names them.
    pub extra: Option<BTreeMap<String, serde_json::Value>>,
    /// Who answers when this model refuses, filters or truncates. What is absent comes from this section.
    pub fallback: Option<Box<Model>>,
    /// Share of prompts, drawn by prompt id, that may use the fallback (default 1).
    pub fallback_share: Option<f64>,
    /// What tokens cost, for `amend plan`. It decides nothing about answers.
    pub price: Option<Price>,
}

/// What a million tokens cost, in whatever currency the user counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// A million tokens of requests.
    pub prompt: f64,
    /// A million tokens of requests that came from a prefix cache; as `prompt` when absent.
    pub cached: Option<f64>,
    /// A million tokens of answers.
    pub completion: f64,
}

/// How the request names its token ceiling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// `max_tokens`, which every compatible server knows.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`, which counts reasoning too.
    MaxCompletionTokens,
}

/// One role's model with nothing left open.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedModel {
    /// The model's name.
    pub model: String,
    /// Base URL; `None` for the simulated model in process.
    pub base_url: Option<String>,
    /// The environment variable that holds the key.
    pub api_key_env: String,
    /// Sampling settings.
    pub sampling: Sampling,
    /// Whether verdicts are asked for by JSON schema.
    pub structured: bool,
    /// Whether a seed is sent.
    pub send_seed: bool,
    /// How the request names its token ceiling.
    pub max_tokens_field: MaxTokensField,
    /// A PEM file of certificate authorities to trust instead of the system's.
    pub ca_bundle: Option<String>,
    /// Who answers when this model refuses, filters or truncates.
    pub fallback: Option<Box<ResolvedModel>>,
    /// Share of prompts that may use the fallback.
    pub fallback_share: f64,
}

/// Where a model without a `base_url` is looked for.
pub const OPENAI: &str = "https://api.openai.com/v1";

impl ResolvedModel {
    /// Whether the built-in simulated model answers, in process.
    pub fn is_sim(&self) -> bool {
        self.base_url.is_none()
    }

    /// What of it decides answers: not where it is, nor as whom it is asked.
    pub fn identity(&self) -> String {
        let Self { model, sampling, structured, send_seed, fallback, fallback_share, .. } = self;
        let fallback = fallback.as_ref().map(|fallback| fallback.identity());
        format!("{model:?} {sampling:?} {structured} {send_seed} {fallback:?} {fallback_share}")
    }
}

/// The model name that means the built-in simulated model, in process.
pub const SIM: &str = "sim";

/// Whether a model's name says that it is the simulated one, in process (`sim`) or served (`sim/any-name`).
pub fn is_simulated(model: &str) -> bool {
    model.strip_prefix(SIM).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
}

impl Models {
    fn of(&self, role: Role) -> Option<&Model> {
        match role {
            Role::Generator => self.generator.as_ref(),
            Role::Critic => self.critic.as_ref(),
            Role::Reviser => self.reviser.as_ref(),
            Role::Judge => self.judge.as_ref(),
        }
    }

    /// What the role's tokens cost, where the recipe says so.
    pub fn price(&self, role: Role) -> Option<&Price> {
        self.of(role).and_then(|own| own.price.as_ref()).or(self.default.price.as_ref())
    }

    /// The role's model, with the defaults filled in. `None` when no model is named anywhere.
    pub fn resolve(&self, role: Role) -> Option<ResolvedModel> {
        // Verdicts and comparisons are measurements: they are asked for without chance unless the recipe says so.
        let temperature = match role {
            Role::Generator | Role::Reviser => 1.0,
            Role::Critic | Role::Judge => 0.0,
        };
        let own = self.of(role).cloned().unwrap_or_default();
        own.or(&self.default).close(temperature)
    }
}

impl Model {
    /// Fills what is absent from `base`.
    fn or(self, base: &Self) -> Self {
        Self {
            model: self.model.or_else(|| base.model.clone()),
            base_url: self.base_url.or_else(|| base.base_url.clone()),
            api_key_env: self.api_key_env.or_else(|| base.api_key_env.clone()),
            temperature: self.temperature.or(base.temperature),
            top_p: self.top_p.or(base.top_p),
            max_tokens: self.max_tokens.or(base.max_tokens),
            structured: self.structured.or(base.structured),
            send_seed: self.send_seed.or(base.send_seed),
            max_tokens_field: self.max_tokens_field.or(base.max_tokens_field),
            ca_bundle: self.ca_bundle.or_else(|| base.ca_bundle.clone()),
            extra: self.extra.or_else(|| base.extra.clone()),
            fallback: self.fallback.or_else(|| base.fallback.clone()),
            fallback_share: self.fallback_share.or(base.fallback_share),
            price: self.price.or_else(|| base.price.clone()),
        }
    }

    /// Closes what is still open with defaults. `None` when no model is named.
    fn close(self, default_temperature: f64) -> Option<ResolvedModel> {
        let fallback = self.fallback.as_ref().and_then(|fallback| {
            let base = Self { fallback: None, ..self.clone() };
            Self { fallback: None, ..(**fallback).clone() }.or(&base).close(default_temperature)
        });
        let model = self.model?;
        let base_url = self.base_url.or_else(|| (model != SIM).then(|| OPENAI.to_owned()));
        let temperature = self.temperature.unwrap_or(default_temperature);
        Some(ResolvedModel {
            model,
            base_url: base_url.map(|url| url.trim_end_matches('/').to_owned()),
            api_key_env: self.api_key_env.unwrap_or_else(|| "OPENAI_API_KEY".into()),
            sampling: Sampling {
                temperature: (temperature >= 0.0).then_some(temperature),
                top_p: self.top_p,
                max_tokens: self.max_tokens.unwrap_or(1024),
                top_logprobs: None,
                extra: self.extra.unwrap_or_default().into_iter().collect(),
            },
            structured: self.structured.unwrap_or(false),
            send_seed: self.send_seed.unwrap_or(true),
            max_tokens_field: self.max_tokens_field.unwrap_or_default(),
            ca_bundle: self.ca_bundle,
            fallback: fallback.map(Box::new),
            fallback_share: self.fallback_share.unwrap_or(1.0),
        })
    }
}

/// How many calls may be in flight: a number, or `"auto"` to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Concurrency {
    /// Grow while the endpoint keeps up, shrink when it pushes back.
    #[default]
    Auto,
    /// Exactly this many at most.
    Fixed(u32),
}

impl Concurrency {
    /// How many prompts are worked on side by side: enough to keep so many calls in flight, and few enough that memory
    /// stays flat.
    pub fn width(self) -> usize {
        match self {
            Self::Fixed(n) => usize::try_from(n).unwrap_or(usize::MAX).min(4096),
            Self::Auto => 256,
        }
    }
}

impl std::str::FromStr for Concurrency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse::<u32>()) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(n)) if n > 0 => Ok(Self::Fixed(n)),
            (_, _) => Err(format!("`{text}` is neither `auto` nor a number above 0")),
        }
    }
}

impl Serialize for Concurrency {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => to.serialize_str("auto"),
            Self::Fixed(n) => to.serialize_u32(*n),
        }
    }
}

impl<'de> Deserialize<'de> for Concurrency {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visit;
        impl serde::de::Visitor<'_> for Visit {
            type Value = Concurrency;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number above 0, or \"auto\"")
            }

            fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<Concurrency, E> {
                match u32::try_from(n) {
                    Ok(n) if n > 0 => Ok(Concurrency::Fixed(n)),
                    Ok(_) | Err(_) => Err(E::invalid_value(serde::de::Unexpected::Signed(n), &self)),
                }
            }

            fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Concurrency, E> {
                self.visit_i64(i64::try_from(n).unwrap_or(i64::MAX))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Concurrency, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_any(Visit)
    }
}

impl JsonSchema for Concurrency {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Concurrency".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "auto" }] })
    }
}

/// `[limits]`: how hard endpoints are pressed, per endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Calls in flight.
    pub concurrency: Concurrency,
    /// Requests per minute; no limit when absent.
    pub rpm: Option<u32>,
    /// Tokens per minute, prompt and completion together; no limit when absent.
    pub tpm: Option<u32>,
    /// Seconds one attempt may take.
    pub timeout_s: f64,
    /// Attempts per call, the first included. Being told to slow down (429) is not counted.
    pub attempts: u32,
    /// Seconds that all attempts of one call and the waits between them may take together.
    pub elapsed_s: f64,
    /// Calls a run may ask in all; it stops there, and running again with a larger number goes on.
    pub max_calls: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: Concurrency::Auto,
            rpm: None,
            tpm: None,
            timeout_s: 120.0,
            attempts: 6,
            elapsed_s: 900.0,
            max_calls: None,
        }
    }
}

/// `[gates]`: what may become a row. Gates run on stored transcripts without a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Gates {
    /// Codes of gates that do not run, such as `truncation-signs`. None by default: a gate that is wrong about your
    /// data shows in the counts by reason, and is then turned off here by name.
    pub off: Vec<String>,
    /// Length, in words, of the runs that critique echo and example leaks are found by. 8: natural phrases that two
    /// texts share by chance are mostly shorter.
    pub overlap_ngram: usize,
    /// Fewest shared words that count as an echo or a leak. 16: a stock sentence ("I can't help with that, but I can
    /// point you to …") stays below it.
    pub overlap_min_words: usize,
    /// Largest share of a revision that may be taken from the critiques it answers. What also stands in the prompt
    /// or in the text revised does not count. 0.3: a revision may take up a sentence of advice, not a paragraph.
    pub max_critique_overlap: f64,
    /// Largest share of a response that may be taken from the few-shot examples. 0.3, as above.
    pub max_example_overlap: f64,
    /// Largest share of 8-word runs that repeat earlier ones. 0.5: a song's refrain stays below, a loop is near 1.
    pub max_repeated_share: f64,
    /// Smallest share of words by which chosen and rejected must differ. 0.01: small, because minimal revisions
    /// teach well; a pair that differs by one word in hundreds is noise.
    pub min_edit_share: f64,
    /// Largest ratio of lengths within a pair; 0 for no limit, the default: a short decline beside a long harmful
    /// draft is what the method is for. The length bias of the whole set is in its statistics.
    pub max_length_ratio: f64,
    /// Keep a pair of a revision chain only where a judge agrees with the critics about which is better: asked to compare
    /// the two, in both orders, under principles that objected to one of them (as many as `[label] principles` says). The
    /// one gate that asks; its answers are in the transcripts. Off by default: it costs two calls a pair and principle, and
    /// the verdicts of a good critic give the same direction. Turn it on where false alarms matter more than calls.
    pub confirm: bool,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            off: Vec::new(),
            overlap_ngram: 8,
            overlap_min_words: 16,
            max_critique_overlap: 0.3,
            max_example_overlap: 0.3,
            max_repeated_share: 0.5,
            min_edit_share: 0.01,
            max_length_ratio: 0.0,
            confirm: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(models: &str, role: Role) -> Option<ResolvedModel> {
        toml::from_str::<Models>(models).unwrap().resolve(role)
    }

    #[test]
    fn roles_and_fallbacks_take_what_they_do_not_say_from_above() {
        let models = r#"
            [default]
            model = "m"
            base_url = "http://host/v1/"
            max_tokens = 300
            [generator]
            temperature = -1
            fallback = { model = "f", base_url = "http://other/v1", fallback_share = 0.5 }
            fallback_share = 0.1
            [judge]
            model = "j"
        "#;
        let generator = resolve(models, Role::Generator).unwrap();
        assert_eq!(generator.base_url.as_deref(), Some("http://host/v1"));
        assert_eq!((generator.sampling.temperature, generator.sampling.max_tokens), (None, 300));
        assert!((generator.fallback_share - 0.1).abs() < 1e-9);
        let fallback = generator.fallback.unwrap();
        assert_eq!((fallback.model.as_str(), fallback.base_url.as_deref()), ("f", Some("http://other/v1")));
        assert_eq!((fallback.sampling.max_tokens, fallback.fallback), (300, None));

        let judge = resolve(models, Role::Judge).unwrap();
        assert_eq!((judge.model.as_str(), judge.sampling.temperature), ("j", Some(0.0)));
        assert_eq!(judge.fallback, None);
    }

    #[test]
    fn a_model_without_an_address_is_openais_unless_it_is_the_sim() {
        let of = |model: &str| resolve(&format!("[default]\nmodel = \"{model}\""), Role::Critic).unwrap();
        assert!(of("sim").is_sim());
        assert_eq!(of("gpt").base_url.as_deref(), Some(OPENAI));
        assert_eq!(resolve("", Role::Critic), None);
    }
}
