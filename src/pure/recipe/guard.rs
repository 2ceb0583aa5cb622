//! `[guard]`: the constitution in front of a live model. What `amend guard` reads of a recipe, and no run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[guard]`: the constitution in front of a live model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Guard {
    /// Whether the guard acts, or only writes down what it would have done.
    pub mode: GuardMode,
    /// The model that is guarded; when absent, the endpoint of the generator.
    pub upstream: Upstream,
    /// What passes unchecked, by name only.
    pub unguarded: Unguarded,
    /// What a client gets in place of an answer.
    pub answer: GuardAnswer,
    /// Requests that the model answers under a hint, held in full, where the guard would decline.
    pub steer: Steer,
    /// Content that a judge of text cannot read.
    pub unscannable: Unscannable,
    /// Who judges.
    pub judge: GuardJudge,
    /// The audit.
    pub audit: Audit,
    /// Applications with a token of their own, each under a constitution of its own.
    pub app: Vec<GuardApp>,
    /// How requests are judged.
    pub input: GuardInput,
    /// How answers are judged.
    pub output: GuardOutput,
}

/// An application behind the guard: who brings its token is judged by its constitution.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "token_env"]))]
pub struct GuardApp {
    /// Its name, for the audit.
    pub name: String,
    /// The environment variable that holds its token.
    pub token_env: String,
    /// Its constitution: a file, or the name of a built-in one; the recipe's when absent.
    pub constitution: Option<String>,
}

/// Whether the guard acts.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum GuardMode {
    /// What violates a principle does not reach the client.
    #[default]
    Enforce,
    /// The client gets the upstream's bytes and waits for nothing; the audit says what would have happened.
    Shadow,
}

impl GuardMode {
    /// The mode's name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The model that is guarded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Upstream {
    /// Its base URL, such as `http://localhost:8000/v1`; when absent, that of the generator.
    pub base_url: Option<String>,
    /// Give the client's `Authorization` on, in place of the generator's key.
    pub pass_key: bool,
}

/// What the judge is, and so how it is asked and read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GuardJudgeForm {
    /// Any model: it is shown the constitution, and names the principles that are violated.
    #[default]
    Constitution,
    /// Llama Guard 3 or 4. Its categories are those of its training; the constitution says what is at stake.
    #[serde(rename = "llama-guard")]
    LlamaGuard,
    /// Qwen3Guard-Gen, as Llama Guard; what it calls controversial is undecided.
    Qwen3Guard,
}

/// Who judges: the model of the recipe's critic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GuardJudge {
    /// What it is.
    pub form: GuardJudgeForm,
}

/// What passes unchecked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Unguarded {
    /// Paths below the guard's address, such as `/v1/embeddings`, that go to the upstream as they are.
    pub paths: Vec<String>,
}

/// How a client is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnswerAs {
    /// Status 200, and an assistant's message.
    #[default]
    Message,
    /// Status 400 with the code `content_filter`.
    Error,
}

/// What a client gets in place of an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GuardAnswer {
    /// As a message or as an error.
    #[serde(rename = "as")]
    pub form: AnswerAs,
    /// Your own words for what is declined; when absent, words by the policy of the hazard, in the user's language.
    pub text: Option<String>,
    /// The place that the application serves, as a tag such as `de-AT`. What is declined names the constitution's resources for it,
    /// and its language is taken where a user's cannot be told.
    pub locale: Option<String>,
}

/// Requests that are answered under a hint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Steer {
    /// Hazards or domains of the taxonomy. A request is steered when all that it violates guards against these.
    pub hazards: Vec<String>,
}

/// What becomes of images, audio, files and unknown content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnscannableParts {
    /// The request is refused with status 400.
    #[default]
    Refuse,
    /// It goes on, and only its text is judged.
    Pass,
}

/// Content that a judge of text cannot read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Unscannable {
    /// Content parts that are no text.
    pub parts: UnscannableParts,
}

/// What the audit keeps of texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditText {
    /// Nothing.
    None,
    /// Their SHA-256.
    #[default]
    Hash,
    /// The texts; of severity 4 the hash alone.
    Full,
}

/// The audit: one JSON object on every line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// The file that lines are appended to; none is written when absent.
    pub path: Option<String>,
    /// What is kept of requests and answers.
    pub text: AuditText,
    /// MiB after which a new file is begun. The old one is kept beside it, under the time of its last line.
    pub rotate_mib: u64,
}

impl Default for Audit {
    fn default() -> Self {
        Self { path: None, text: AuditText::Hash, rotate_mib: 256 }
    }
}

/// What becomes of a request that could not be judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UndecidedInput {
    /// It goes on as if it conformed; from severity 3 on as with `full-hold`.
    Pass,
    /// It goes on, and nothing of the answer leaves before all of it is judged.
    #[default]
    FullHold,
    /// It is declined.
    Closed,
}

/// What judges, the cheapest first. The first that finds a violation decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Tier {
    /// The rules of the constitution's principles, without a model.
    Rules,
    /// The judge, which sees all principles at once.
    Screen,
}

impl Tier {
    /// The tier's name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// `[guard.input]`: how requests are judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GuardInput {
    /// What judges a request.
    pub tiers: Vec<Tier>,
    /// Milliseconds that the judge has for a request; what is later is undecided.
    pub budget_ms: u64,
    /// What becomes of a request that could not be judged.
    pub undecided: UndecidedInput,
    /// The longest request body, in KiB; a longer one gets status 413.
    pub max_body_kib: u64,
}

impl Default for GuardInput {
    fn default() -> Self {
        let tiers = vec![Tier::Rules, Tier::Screen];
        Self { tiers, budget_ms: 2_000, undecided: UndecidedInput::FullHold, max_body_kib: 4_096 }
    }
}

/// How long the text of a streamed answer is held back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Hold {
    /// By what the judge said of the request: `geometric` where it conforms, `full` where that is not known.
    #[default]
    Auto,
    /// Nothing leaves before the whole answer is judged.
    Full,
    /// Text leaves as far as a check has reached: after `first_tokens`, then after steps that grow.
    Geometric,
    /// Text leaves at once; the same checks run beside it, and stop the rest of what violates.
    None,
}

/// What becomes of an answer that could not be judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UndecidedOutput {
    /// It goes on where less than severity 3 is at stake, and no further otherwise.
    #[default]
    ClosedFromSeverity3,
    /// It goes no further.
    Closed,
}

/// What becomes of an answer that violates a principle, where nothing of it has left yet.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum OnViolation {
    /// It is criticised and revised, and the revision is judged once; a styled text where that does not help. Where the
    /// answer is not whole yet, as with `replace`.
    #[default]
    Revise,
    /// A styled text stands in its place.
    Replace,
    /// It ends with a closing sentence and `finish_reason: "content_filter"`.
    Stop,
}

/// `[guard.output]`: how answers are judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GuardOutput {
    /// What judges an answer.
    pub tiers: Vec<Tier>,
    /// How long the text of a streamed answer is held back.
    pub hold: Hold,
    /// Tokens before the first check of a stream; a token is counted as four characters.
    pub first_tokens: u32,
    /// How many times longer each step to the next check is than the one before.
    pub grow: f64,
    /// Most tokens of a step.
    pub most_tokens: u32,
    /// Most KiB that are held back of one answer. A longer one is stopped, never clipped.
    pub max_held_kib: u64,
    /// Milliseconds that the judge has for a check; what is later is undecided.
    pub budget_ms: u64,
    /// What becomes of an answer that could not be judged.
    pub undecided: UndecidedOutput,
    /// What becomes of an answer that violates a principle.
    pub on_violation: OnViolation,
}

impl Default for GuardOutput {
    fn default() -> Self {
        Self {
            tiers: vec![Tier::Rules, Tier::Screen],
            hold: Hold::Auto,
            first_tokens: 24,
            grow: 2.0,
            most_tokens: 200,
            max_held_kib: 256,
            budget_ms: 10_000,
            undecided: UndecidedOutput::ClosedFromSeverity3,
            on_violation: OnViolation::Revise,
        }
    }
}
