//! `[models]`: which model answers for each role, where it is, and how it is asked.

use super::HeaderSource;
use crate::pure::call::{Call, Role, Sampling};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// More HTTP headers: a text, or `{ env = "NAME" }` for what belongs in the environment. They decide nothing about a
    /// call's key.
    pub headers: Option<BTreeMap<String, HeaderSource>>,
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
    /// More HTTP headers.
    pub headers: BTreeMap<String, HeaderSource>,
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
            headers: self.headers.or_else(|| base.headers.clone()),
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
            headers: self.headers.unwrap_or_default(),
            fallback: fallback.map(Box::new),
            fallback_share: self.fallback_share.unwrap_or(1.0),
        })
    }
}

/// The model of every role, with nothing left open.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleModels {
    /// Who drafts.
    pub generator: ResolvedModel,
    /// Who criticises.
    pub critic: ResolvedModel,
    /// Who revises.
    pub reviser: ResolvedModel,
    /// Who compares.
    pub judge: ResolvedModel,
}

impl RoleModels {
    /// The models that a recipe names; `Err` is the first role for which it names none.
    pub fn resolve(models: &Models) -> Result<Self, Role> {
        let of = |role| models.resolve(role).ok_or(role);
        Ok(Self {
            generator: of(Role::Generator)?,
            critic: of(Role::Critic)?,
            reviser: of(Role::Reviser)?,
            judge: of(Role::Judge)?,
        })
    }

    /// One model for every role.
    pub fn all(model: &ResolvedModel) -> Self {
        let model = || model.clone();
        Self { generator: model(), critic: model(), reviser: model(), judge: model() }
    }

    /// The role's model.
    pub fn of(&self, role: Role) -> &ResolvedModel {
        match role {
            Role::Generator => &self.generator,
            Role::Critic => &self.critic,
            Role::Reviser => &self.reviser,
            Role::Judge => &self.judge,
        }
    }

    /// The model that answers a call: the role's own, or its fallback.
    pub fn answering(&self, call: &Call) -> &ResolvedModel {
        let own = self.of(call.role);
        own.fallback.as_deref().filter(|_| call.fallback).unwrap_or(own)
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
