//! A model call, what it is for, and its key.

use crate::pure::digest::{Parts, hex};
use crate::pure::prompt::{Message, PromptId};
use serde::{Deserialize, Serialize};

/// Who answers a call. Each role has its own model and endpoint; all default to one.
///
/// A role is one variant here: recipes, flags, completions and tables take the list and the names from this enum.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// Drafts the response.
    Generator,
    /// Criticises a response against a principle and gives a verdict.
    Critic,
    /// Revises a response to answer critiques.
    Reviser,
    /// Compares two responses, and says what a prompt is.
    Judge,
    /// Writes prompts and their benign twins.
    Author,
    /// Writes attacks.
    Attacker,
    /// Is attacked.
    Target,
}

impl Role {
    /// Every role, in the order of the method.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The roles that `amend run` may ask; the others belong to commands of their own.
    pub const OF_RUNS: &'static [Self] = &[Self::Generator, Self::Critic, Self::Reviser, Self::Judge];

    /// Every role's name, in the same order.
    pub const NAMES: &'static [&'static str] = <Self as strum::VariantNames>::VARIANTS;

    /// The role's name in recipes, events and the journal.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What the role writes, in the plural.
    pub fn work(self) -> &'static str {
        match self {
            Self::Generator => "drafts",
            Self::Critic => "critiques",
            Self::Reviser => "revisions",
            Self::Judge => "comparisons",
            Self::Author => "prompts",
            Self::Attacker => "attacks",
            Self::Target => "answers to attacks",
        }
    }

    /// The softmax temperature that the role has unless the recipe says otherwise. Verdicts and comparisons are
    /// measurements: chance has no part in them.
    pub fn default_temperature(self) -> f64 {
        match self {
            Self::Generator | Self::Reviser | Self::Author | Self::Attacker | Self::Target => 1.0,
            Self::Critic | Self::Judge => 0.0,
        }
    }
}

/// One value for each role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByRole<T>(Vec<T>);

impl<T: Default> Default for ByRole<T> {
    fn default() -> Self {
        Self::from_fn(|_| T::default())
    }
}

impl<T> ByRole<T> {
    /// The values that a function gives.
    pub fn from_fn(value_of: impl FnMut(Role) -> T) -> Self {
        Self(Role::ALL.iter().copied().map(value_of).collect())
    }

    /// The values that a function gives, or its first error.
    pub fn try_from_fn<E>(value_of: impl FnMut(Role) -> Result<T, E>) -> Result<Self, E> {
        Role::ALL.iter().copied().map(value_of).collect::<Result<_, _>>().map(Self)
    }

    /// Each role and its value, in the order of [`Role::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Role, &T)> {
        Role::ALL.iter().copied().zip(&self.0)
    }
}

impl<T> std::ops::Index<Role> for ByRole<T> {
    type Output = T;

    fn index(&self, role: Role) -> &T {
        &self.0[role as usize]
    }
}

impl<T> std::ops::IndexMut<Role> for ByRole<T> {
    fn index_mut(&mut self, role: Role) -> &mut T {
        &mut self.0[role as usize]
    }
}

/// Sampling settings, as they decide the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Softmax temperature; `None` leaves it to the endpoint (some models take no other value).
    pub temperature: Option<f64>,
    /// Nucleus mass; `None` leaves it to the endpoint.
    pub top_p: Option<f64>,
    /// Most tokens the answer may have.
    pub max_tokens: u32,
    /// How many alternatives to return per token with their log-probabilities; `None` asks for none.
    pub top_logprobs: Option<u8>,
    /// More fields for the request body, as the endpoint names them (`repetition_penalty`, `reasoning_effort`, …).
    #[serde(default)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: Some(1.0),
            top_p: None,
            max_tokens: 1024,
            top_logprobs: None,
            extra: serde_json::Map::new(),
        }
    }
}

/// A JSON schema that the answer must follow, where the endpoint can enforce one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResponseFormat {
    /// The schema's name, as endpoints want one.
    pub name: String,
    /// The JSON schema.
    pub schema: serde_json::Value,
}

/// What a call is for. The method that makes the call says it; who shows, counts or logs calls reads it here and never
/// out of the rendered messages, which a user's templates may word in any way.
///
/// It is not part of the key: what a call is for does not change its answer.
#[derive(Debug, Clone, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Purpose {
    /// A draft of the response.
    Draft {
        /// Which of several drafts it is; 0 for the first, and for the only one.
        sample: u32,
    },
    /// A verdict on each of several principles in one answer, without a critique.
    Screening {
        /// Their ids, in the order of the request.
        principles: Vec<String>,
        /// Why the response is judged.
        occasion: Occasion,
    },
    /// A critique of a response against one principle, with its verdict.
    Critique {
        /// The principle's id.
        principle: String,
        /// Why the response is judged.
        occasion: Occasion,
    },
    /// The verdict alone, as one of two letters.
    VerdictChoice {
        /// The principle's id.
        principle: String,
        /// Whether the option that the response violates the principle is shown second.
        swapped: bool,
        /// Why the response is judged.
        occasion: Occasion,
    },
    /// The verdict alone: the critique before it holds none that can be read.
    VerdictFollowUp {
        /// The principle's id.
        principle: String,
        /// Why the response is judged.
        occasion: Occasion,
    },
    /// Which propositions are true of a response.
    Propositions {
        /// The style's id.
        style: String,
        /// The ids of the propositions that are asked about.
        propositions: Vec<String>,
    },
    /// A revision of a response.
    Revision {
        /// The round it belongs to, from 1.
        round: u32,
        /// The ids of the principles that it is asked for.
        principles: Vec<String>,
    },
    /// Whether a revision that passed the gates is a clean answer to the user.
    RevisionCheck,
    /// Which of two responses is better under one principle.
    Comparison {
        /// The principle's id.
        principle: String,
        /// Whether the second of the two is shown first.
        swapped: bool,
    },
    /// The answer to a multiple-choice question.
    Choice {
        /// Who is examined.
        role: Role,
    },
    /// A prompt, or the benign twin of one.
    Authoring,
    /// What a prompt is: its class and its hazard.
    PromptCheck,
    /// An attack, or a goal in another language.
    Attack,
    /// What the target says to an attack.
    AttackAnswer,
    /// Whether an attack still has its goal.
    GoalCheck,
    /// What an endpoint can do.
    Probe,
}

/// Why a response is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A round of the chain, from 1: a revision may answer the critique.
    Round(u32),
    /// The re-check of what a round made: whether the revision holds, and what nobody asked about it yet.
    Recheck(u32),
    /// A measurement of a finished response: no chain goes on from it.
    Measurement,
    /// A test case of the constitution.
    TestCase,
}

impl Purpose {
    /// What the call is for in one word, for the log.
    pub fn as_str(&self) -> &'static str {
        self.into()
    }

    /// Who answers such a call.
    pub fn role(&self) -> Role {
        match self {
            Self::Draft { .. } | Self::Probe => Role::Generator,
            Self::Screening { .. }
            | Self::Critique { .. }
            | Self::VerdictChoice { .. }
            | Self::VerdictFollowUp { .. }
            | Self::Propositions { .. }
            | Self::RevisionCheck => Role::Critic,
            Self::Revision { .. } => Role::Reviser,
            Self::Comparison { .. } | Self::PromptCheck | Self::GoalCheck => Role::Judge,
            Self::Attack => Role::Attacker,
            Self::AttackAnswer => Role::Target,
            Self::Authoring => Role::Author,
            Self::Choice { role } => *role,
        }
    }

    /// The ids of the principles that the call is about, in the order of its request.
    pub fn principles(&self) -> &[String] {
        match self {
            Self::Screening { principles, .. } | Self::Revision { principles, .. } => principles,
            Self::Critique { principle, .. }
            | Self::VerdictChoice { principle, .. }
            | Self::VerdictFollowUp { principle, .. }
            | Self::Comparison { principle, .. } => std::slice::from_ref(principle),
            Self::Draft { .. }
            | Self::Choice { .. }
            | Self::Propositions { .. }
            | Self::RevisionCheck
            | Self::Authoring
            | Self::PromptCheck
            | Self::Attack
            | Self::AttackAnswer
            | Self::GoalCheck
            | Self::Probe => &[],
        }
    }
}

/// One request to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The prompt that this call works on.
    pub prompt_id: PromptId,
    /// Who is asked.
    pub role: Role,
    /// What the call is for; not part of the key.
    pub purpose: Purpose,
    /// The model's name, as its endpoint knows it.
    pub model: String,
    /// Sampling settings.
    pub sampling: Sampling,
    /// The rendered conversation.
    pub messages: Vec<Message>,
    /// Which of several answers to the same conversation this is; 0 for the first.
    pub draw: u32,
    /// The seed sent with the request, derived from the run's seed, the prompt id and `draw`.
    pub seed: u64,
    /// Structure asked of the answer.
    pub format: Option<ResponseFormat>,
    /// Whether the role's fallback is asked, because the role's own model gave nothing usable.
    pub fallback: bool,
}

/// A call's identity in the journal: a hash of what decides its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(pub [u8; 32]);

impl std::fmt::Display for CallKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl Call {
    /// Hash of prompt id, role, model, sampling settings with `extra`, rendered messages, draw, seed, format,
    /// and whether it is the fallback's. Not what the call is for, not the URL, not the API key, not the time.
    pub fn key(&self) -> CallKey {
        let number = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
        let mut parts = Parts::new("call")
            .with(&self.prompt_id.0)
            .with(self.role.as_str())
            .with(&self.model)
            .with(number(self.sampling.temperature))
            .with(number(self.sampling.top_p))
            .with_u64(self.sampling.max_tokens.into())
            .with_u64(self.sampling.top_logprobs.map_or(0, |n| u64::from(n) + 1))
            .with_u64(self.draw.into())
            .with_u64(self.seed)
            .with(serde_json::Value::Object(self.sampling.extra.clone()).to_string())
            .with(self.format.as_ref().map_or(String::new(), |f| f.schema.to_string()))
            .with([u8::from(self.fallback)]);
        for message in &self.messages {
            parts = parts.with(message.role.as_str()).with(&message.content);
        }
        CallKey(parts.bytes())
    }
}
