//! `[models]`: which model answers for each role, where it is, and how it is asked.

use super::HeaderSource;
use crate::pure::call::{ByRole, Call, Role, Sampling};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// `[models]`: which model answers for each role.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Models {
    /// `[models.default]`: what every role uses unless its own section says otherwise.
    pub default: Model,
    /// `[models.<role>]`: what a role has of its own.
    #[serde(flatten)]
    pub own: BTreeMap<Role, Model>,
}

/// The section for every role.
const DEFAULT: &str = "default";

/// The sections of `[models]`.
static SECTIONS: LazyLock<Vec<&'static str>> = LazyLock::new(|| [&[DEFAULT], Role::NAMES].concat());

/// The key of a section: a role, or none for `default`.
struct SectionKey(Option<Role>);

impl<'de> Deserialize<'de> for SectionKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(SectionKeyVisitor)
    }
}

struct SectionKeyVisitor;

impl Visitor<'_> for SectionKeyVisitor {
    type Value = SectionKey;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a role")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<SectionKey, E> {
        if name == DEFAULT {
            return Ok(SectionKey(None));
        }
        let role = name.parse().map_err(|_| E::unknown_field(name, &SECTIONS))?;
        Ok(SectionKey(Some(role)))
    }
}

impl<'de> Deserialize<'de> for Models {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ModelsVisitor)
    }
}

struct ModelsVisitor;

impl<'de> Visitor<'de> for ModelsVisitor {
    type Value = Models;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a table with a section for each role")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut sections: A) -> Result<Models, A::Error> {
        let mut models = Models::default();
        let mut default = None;
        while let Some(SectionKey(role)) = sections.next_key()? {
            let model = sections.next_value()?;
            let before = match role {
                None => default.replace(model),
                Some(role) => models.own.insert(role, model),
            };
            if before.is_some() {
                return Err(A::Error::duplicate_field(role.map_or(DEFAULT, Role::as_str)));
            }
        }
        models.default = default.unwrap_or_default();
        Ok(models)
    }
}

impl JsonSchema for Models {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Models".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut section = |description: String| {
            let mut schema = generator.subschema_for::<Model>();
            schema.insert("description".into(), description.into());
            schema
        };
        let every = section("What every role uses unless its own section says otherwise.".into());
        let mut properties = serde_json::Map::from_iter([(DEFAULT.to_owned(), every.to_value())]);
        for role in Role::ALL {
            let own = section(format!("Overrides for {}.", role.work()));
            properties.insert(role.as_str().into(), own.to_value());
        }
        schemars::json_schema!({
            "type": "object",
            "additionalProperties": false,
            "properties": properties,
            "description": "`[models]`: which model answers for each role.",
        })
    }
}

/// `[models.<role>]`: one model and its endpoint. What is absent comes from `[models.default]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// The model's name, as its endpoint knows it; `sim` for the built-in simulated model.
    pub model: Option<String>,
    /// Base URL of an OpenAI-compatible endpoint, such as `http://localhost:8000/v1`.
    pub base_url: Option<String>,
    /// Base URLs of several endpoints that serve this model, in place of `base_url`. A prompt keeps its endpoint, for the
    /// prefix cache; one that is away is left out until it is back. Limits hold for each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_urls: Option<Vec<String>>,
    /// The environment variable that holds the key; an unset one sends no key. When absent it is `OPENAI_API_KEY`, but no
    /// key is sent over plain `http` to another machine unless this names it.
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
    /// Where a system turn goes: into a turn of its own (`keep`, the default) or before the first user turn (`fold`), for chat
    /// templates without a system role. An endpoint that refuses a system turn is asked with `fold` from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemTurn>,
    /// The endpoint's tier of service, by the endpoint's name for it: `flex`, `priority`. It is sent with each request and decides
    /// nothing about answers. What `flex` has no room for (429, 498) waits and is asked again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// Seconds one attempt at this model may take, in the place of `limits.timeout_s`. When absent it is 900 under
    /// `service_tier = "flex"`, or `limits.timeout_s` if that is more. `limits.elapsed_s` is longer then, in the same ratio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<f64>,
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
    /// What tokens cost, for `amend plan` and `budget.money`: in the tier that `service_tier` names, as nothing is taken off for
    /// it. It decides nothing about answers.
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

/// Where a system turn goes in a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SystemTurn {
    /// Into a turn of its own.
    #[default]
    Keep,
    /// Before the first user turn, with a blank line between.
    Fold,
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
    /// Base URL. `None` is right for the simulated model in process only.
    pub base_url: Option<String>,
    /// The base URLs of all endpoints that serve the model, where there are several; `base_url` is one of them.
    pub replicas: Vec<String>,
    /// The environment variable that holds the key; empty where no key is to be sent.
    pub api_key_env: String,
    /// Sampling settings.
    pub sampling: Sampling,
    /// Whether verdicts are asked for by JSON schema.
    pub structured: bool,
    /// Whether a seed is sent.
    pub send_seed: bool,
    /// How the request names its token ceiling.
    pub max_tokens_field: MaxTokensField,
    /// Where a system turn goes.
    pub system: SystemTurn,
    /// The endpoint's tier of service.
    pub service_tier: Option<String>,
    /// Seconds one attempt may take, where the recipe says so for this model.
    pub timeout_s: Option<f64>,
    /// A PEM file of certificate authorities to trust instead of the system's.
    pub ca_bundle: Option<String>,
    /// More HTTP headers.
    pub headers: BTreeMap<String, HeaderSource>,
    /// Who answers when this model refuses, filters or truncates.
    pub fallback: Option<Box<ResolvedModel>>,
    /// Share of prompts that may use the fallback.
    pub fallback_share: f64,
}

/// The endpoint of OpenAI itself.
pub const OPENAI: &str = "https://api.openai.com/v1";

impl ResolvedModel {
    /// Whether the built-in simulated model answers, in process.
    pub fn is_sim(&self) -> bool {
        self.base_url.is_none() && self.model == SIM
    }

    /// Every place where it is served.
    pub fn base_urls(&self) -> Vec<&str> {
        if self.replicas.len() > 1 {
            return self.replicas.iter().map(String::as_str).collect();
        }
        self.base_url.as_deref().into_iter().collect()
    }

    /// What of it decides answers: not where it is, nor as whom it is asked.
    pub fn identity(&self) -> String {
        let Self { model, sampling, structured, send_seed, fallback, fallback_share, .. } = self;
        let fallback = fallback.as_ref().map(|fallback| fallback.identity());
        format!("{model:?} {sampling:?} {structured} {send_seed} {fallback:?} {fallback_share}")
    }
}

/// The environment variable that holds the key unless the recipe names another.
pub const DEFAULT_KEY: &str = "OPENAI_API_KEY";

/// Whether a URL is plain `http`, readable on the way, to another machine than this one.
fn is_plain_to_another_machine(base_url: &str) -> bool {
    let Some(rest) = base_url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let name = host.strip_prefix('[').map_or_else(
        || host.split(':').next().unwrap_or(host),
        |bracketed| bracketed.split(']').next().unwrap_or(bracketed),
    );
    let is_here = name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<core::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    !is_here
}

/// A base URL without what may hold a key: user, password, fragment, and every part of the query but `api-version`.
pub(super) fn without_credentials(url: &str) -> String {
    let url = url.split('#').next().unwrap_or(url);
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let place = match place.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or(authority))
        }
        None => place.to_owned(),
    };
    match query.split('&').find(|part| part.starts_with("api-version=")) {
        Some(version) => format!("{place}?{version}"),
        None => place,
    }
}

/// The model name that means the built-in simulated model, in process.
pub const SIM: &str = "sim";

/// Whether a model's name says that it is the simulated one, in process (`sim`) or served (`sim/any-name`).
pub fn is_simulated(model: &str) -> bool {
    model.strip_prefix(SIM).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
}

impl Models {
    /// Every section that the recipe has, with its name.
    pub fn sections(&self) -> impl Iterator<Item = (&'static str, &Model)> {
        let own = self.own.iter().map(|(role, model)| (role.as_str(), model));
        std::iter::once((DEFAULT, &self.default)).chain(own)
    }

    /// Takes what may hold a key out of every base URL.
    pub(super) fn remove_credentials(&mut self) {
        let mut models: Vec<&mut Model> = self.own.values_mut().chain([&mut self.default]).collect();
        while let Some(model) = models.pop() {
            model.base_url = model.base_url.take().map(|url| without_credentials(&url));
            for url in model.base_urls.iter_mut().flatten() {
                *url = without_credentials(url);
            }
            models.extend(model.fallback.as_deref_mut());
        }
    }

    /// What the role's tokens cost, where the recipe says so.
    pub fn price(&self, role: Role) -> Option<&Price> {
        self.own.get(&role).and_then(|own| own.price.as_ref()).or(self.default.price.as_ref())
    }

    /// The role's model, with the defaults filled in. `None` when no model is named anywhere.
    pub fn resolve(&self, role: Role) -> Option<ResolvedModel> {
        let own = self.own.get(&role).cloned().unwrap_or_default();
        own.or(&self.default).close(role.default_temperature())
    }
}

impl Model {
    /// Fills what is absent from `base`.
    fn or(self, base: &Self) -> Self {
        let (names_one, names_replicas) = (self.base_url.is_some(), self.base_urls.is_some());
        Self {
            model: self.model.or_else(|| base.model.clone()),
            // One of the two says where a model is, so neither is filled in where the other is given.
            base_url: self.base_url.or_else(|| base.base_url.clone().filter(|_| !names_replicas)),
            base_urls: self.base_urls.or_else(|| base.base_urls.clone().filter(|_| !names_one)),
            api_key_env: self.api_key_env.or_else(|| base.api_key_env.clone()),
            temperature: self.temperature.or(base.temperature),
            top_p: self.top_p.or(base.top_p),
            max_tokens: self.max_tokens.or(base.max_tokens),
            structured: self.structured.or(base.structured),
            send_seed: self.send_seed.or(base.send_seed),
            max_tokens_field: self.max_tokens_field.or(base.max_tokens_field),
            system: self.system.or(base.system),
            service_tier: self.service_tier.or_else(|| base.service_tier.clone()),
            timeout_s: self.timeout_s.or(base.timeout_s),
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
        let temperature = self.temperature.unwrap_or(default_temperature);
        let shortened = |url: String| url.trim_end_matches('/').to_owned();
        let replicas: Vec<String> = self.base_urls.into_iter().flatten().map(shortened).collect();
        let base_url = self.base_url.map(shortened).or_else(|| replicas.first().cloned());
        let mut urls = base_url.iter().chain(&replicas).map(String::as_str);
        let is_exposed = urls.any(is_plain_to_another_machine);
        let default_key = if is_exposed { "" } else { DEFAULT_KEY };
        Some(ResolvedModel {
            model,
            base_url,
            replicas,
            api_key_env: self.api_key_env.unwrap_or_else(|| default_key.into()),
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
            system: self.system.unwrap_or_default(),
            service_tier: self.service_tier,
            timeout_s: self.timeout_s,
            ca_bundle: self.ca_bundle,
            headers: self.headers.unwrap_or_default(),
            fallback: fallback.map(Box::new),
            fallback_share: self.fallback_share.unwrap_or(1.0),
        })
    }
}

/// The model of every role, with nothing left open.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleModels(ByRole<ResolvedModel>);

impl RoleModels {
    /// The models that a recipe names; `Err` is the first role for which it names none.
    pub fn resolve(models: &Models) -> Result<Self, Role> {
        ByRole::try_from_fn(|role| models.resolve(role).ok_or(role)).map(Self)
    }

    /// One model for every role.
    pub fn all(model: &ResolvedModel) -> Self {
        Self(ByRole::from_fn(|_| model.clone()))
    }

    /// The role's model.
    pub fn of(&self, role: Role) -> &ResolvedModel {
        &self.0[role]
    }

    /// The role's model, to change it.
    pub fn of_mut(&mut self, role: Role) -> &mut ResolvedModel {
        &mut self.0[role]
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
    fn a_file_holds_no_credentials() {
        for (url, kept) in [
            ("http://user:secret@host:1/v1?key=secret#secret", "http://host:1/v1"),
            ("https://me@host?api-version=2024-10-21&sig=secret", "https://host?api-version=2024-10-21"),
            ("https://host/v1/", "https://host/v1/"),
            ("https://host/a@b", "https://host/a@b"),
        ] {
            assert_eq!(without_credentials(url), kept);
        }
        let secret = "https://u:secret@host/v1?key=secret";
        let model = |fallback: &str| format!("base_url = \"{secret}\"\nmodel = \"m\"\n{fallback}");
        let fallback = format!("fallback = {{ model = \"f\", base_url = \"{secret}\" }}\n");
        let text = format!("[models.default]\n{}[models.critic]\n{}", model(&fallback), model(&fallback));
        let recipe: super::super::Recipe = toml::from_str(&text).unwrap();
        let file = recipe.to_toml().unwrap();
        assert!(!file.contains("secret") && file.matches("https://host/v1").count() == 4, "{file}");
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
    fn the_default_key_goes_over_plain_http_to_this_machine_only() {
        let variable = |base_url: &str, more: &str| {
            let models = format!("[default]\nmodel = \"m\"\nbase_url = \"{base_url}\"\n{more}");
            resolve(&models, Role::Critic).unwrap().api_key_env
        };
        for here in
            ["http://localhost:8000/v1", "http://127.0.0.1/v1", "http://[::1]:80/v1", "https://host/v1"]
        {
            assert_eq!(variable(here, ""), DEFAULT_KEY, "{here}");
        }
        for there in [
            "http://10.0.0.7:8000/v1",
            "http://vllm:8000/v1",
            "http://localhost.example/v1",
            "http://localhost@host/v1",
        ] {
            assert_eq!(variable(there, ""), "", "{there}");
            assert_eq!(variable(there, "api_key_env = \"OPENAI_API_KEY\""), DEFAULT_KEY, "{there}");
        }
    }

    #[test]
    fn a_model_without_an_address_has_none() {
        let of = |model: &str| resolve(&format!("[default]\nmodel = \"{model}\""), Role::Critic).unwrap();
        assert!(of("sim").is_sim());
        assert_eq!((of("gpt").base_url.as_deref(), of("gpt").is_sim()), (None, false));
        assert_eq!(resolve("", Role::Critic), None);
    }
}
