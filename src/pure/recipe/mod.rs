//! The recipe: the TOML file that says what to run.
//!
//! Every field has a flag and every flag a field; a flag wins. One struct per section, each with its defaults beside
//! it, so that this file is also the reference.

mod budget;
mod export;
mod guard;
mod header;
mod label;
mod limits;
mod models;
mod patience;
mod read;
mod redteam;
mod request_world;
mod scale;
mod sim;
mod tuning;

pub use budget::Budget;
pub use export::{Config, Even, Export, ExportGate, MOST_HELD_OUT, MinGrade, Mix, Pairs, SoftLabels};
pub use guard::{
    AnswerAs, Audit, AuditText, Guard, GuardAnswer, GuardApp, GuardInput, GuardJudge, GuardJudgeForm,
    GuardMode, GuardOutput, Hold, OnViolation, Steer, Tier, UndecidedInput, UndecidedOutput, Unguarded,
    Unscannable, UnscannableParts, Upstream,
};
pub use header::HeaderSource;
pub use label::{Label, LabelHow, LabelPairs, LabelSource};
pub use limits::{Concurrency, Limits};
pub use models::{
    DEFAULT_KEY, MaxTokensField, Model, Models, OPENAI, Price, ResolvedModel, RoleModels, SIM, SystemTurn,
    is_simulated,
};
pub use patience::Patience;
pub use read::{Reading, check_complete, read, schema};
pub use redteam::Redteam;
pub use request_world::{Cell, CellOf, ReaderRates, ReaderRoles, RequestWorld};
pub use scale::Scale;
pub use sim::{Busy, Chunking, Judge, Sim, SpanAt};
pub use tuning::{PerMinute, Tuning};

use crate::pure::reason::Reason;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// The constitution file.
    pub constitution: String,
    /// Prompt files or directories; `hf://datasets/OWNER/NAME` for a dataset of the hub; `-` for standard input.
    pub prompts: Vec<String>,
    /// The run directory.
    pub out: Option<String>,
    /// Decides every draw: principles, seeds sent to models, samples.
    pub seed: u64,
    /// A directory of templates that override the built-in ones; or `small`, the built-in short ones for small models.
    pub templates: Option<String>,
    /// Whether what models answer must be encrypted in the journal: a run is refused where the environment variable
    /// `AMEND_JOURNAL_KEY` holds no key. With a key a new journal is encrypted, whatever this says.
    #[serde(skip_serializing_if = "is_default")]
    pub encrypted: bool,
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
    /// What a run may spend.
    #[serde(skip_serializing_if = "is_default")]
    pub budget: Budget,
    /// What may become a row.
    pub gates: Gates,
    /// What is written.
    pub export: Export,
    /// The world of the simulated model, when a role's model is `sim`.
    pub sim: Sim,
    /// The constitution in front of a live model, for `amend guard`.
    // It decides nothing about a run, so a recipe without it is written, and hashed, as it always was.
    #[serde(skip_serializing_if = "is_default")]
    pub guard: Guard,
    /// The search for attacks that break a model, for `amend redteam`.
    #[serde(skip_serializing_if = "is_default")]
    pub redteam: Redteam,
    /// One run spread over many processes.
    #[serde(skip_serializing_if = "is_default")]
    pub scale: Scale,
}

impl Recipe {
    /// The budget, its older name for calls included.
    pub fn whole_budget(&self) -> Budget {
        Budget { calls: self.budget.calls.or(self.limits.max_calls), ..self.budget.clone() }
    }

    /// The recipe as the text of a file. Base URLs are in it without user, password and query, as those may hold a key; only
    /// `api-version` stays, which Azure's endpoints need.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        let mut recipe = self.clone();
        recipe.models.remove_credentials();
        recipe.guard.upstream.base_url =
            recipe.guard.upstream.base_url.map(|url| models::without_credentials(&url));
        toml::to_string_pretty(&recipe)
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            constitution: "constitutions/harmlessness.toml".into(),
            prompts: Vec::new(),
            out: None,
            seed: 0,
            templates: None,
            encrypted: false,
            input: Input::default(),
            method: Method::default(),
            label: Label::default(),
            models: Models::default(),
            limits: Limits::default(),
            budget: Budget::default(),
            gates: Gates::default(),
            export: Export::default(),
            sim: Sim::default(),
            guard: Guard::default(),
            redteam: Redteam::default(),
            scale: Scale::default(),
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
    /// Columns of your own that every row of the dataset carries, as JSON in its column `kept`; `id` and `source` when
    /// absent, where a file has them. They decide nothing.
    pub keep: Option<Vec<String>>,
    /// Leave out the last reply of a list of messages, so that a dataset of finished conversations gives prompts. This is the
    /// default, and a run tells how many replies it left out; `false` makes such a row a reject. The last reply of a
    /// `Human:`/`Assistant:` transcript is always left out.
    pub drop_reply: bool,
    /// The longest row that is read, in bytes; a longer one is a reject.
    pub max_bytes: u64,
    /// Read at most this many rows.
    pub limit: Option<u64>,
    /// Take this many prompts at random, the same for the same seed, whatever the order of the file.
    pub sample: Option<u64>,
    /// Whether the labels of seed prompts (`topic`, `persona`, `contrast_of`, `twin` …) are carried along, and `side` and
    /// `class` decide which style applies. The method `style` sets it; no file does.
    #[serde(skip)]
    pub carries_labels: bool,
}

impl Default for Input {
    fn default() -> Self {
        Self {
            column: None,
            format: None,
            hazard: None,
            language: None,
            responses: Vec::new(),
            keep: None,
            drop_reply: true,
            max_bytes: 1024 * 1024,
            limit: None,
            sample: None,
            carries_labels: false,
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
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
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
    /// Every schedule.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The schedule's name.
    pub fn as_str(self) -> &'static str {
        self.into()
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

/// What a response is worked towards.
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
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Target {
    /// The principles: critique and revision.
    #[default]
    Principles,
    /// The style for the prompt's class and hazard: an answer is graded by its propositions, and revised until it is ideal.
    Style,
}

/// How the critic is asked for its verdict.
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
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum VerdictForm {
    /// `json` where the critic's model has `structured = true`, else `line`; a critic that cannot be read so, or cannot tell
    /// right from wrong so, when it is examined (see `examine`) is asked by `choice`.
    #[default]
    Auto,
    /// A critique first, then a closing line with the verdict.
    Line,
    /// A JSON object with the critique and the verdict.
    Json,
    /// One of two letters, asked in both orders, read from log-probabilities where the endpoint gives them; a critique only of
    /// what breaks the principle. A model that holds to no longer form can answer so: its first token decides.
    Choice,
}

impl VerdictForm {
    /// The form's name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Test cases on which a critic is examined unless the recipe says otherwise: enough to tell a good critic from chance.
const EXAMINED: u32 = 24;

/// Whether a field has the value that it has in a recipe which does not name it.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_usually_examined(cases: &u32) -> bool {
    *cases == EXAMINED
}

/// `[method]`: how responses are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the user's file")]
pub struct Method {
    /// What a response is worked towards: the principles, or, with `style`, the style for the prompt's class and hazard.
    // What is as usual is not written: fingerprints of version 0.1.0 do not have it.
    #[serde(skip_serializing_if = "is_default")]
    pub target: Target,
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
    /// How the critic is asked for its verdict.
    // What is as usual is not written: fingerprints of version 0.1.0 do not have it. The same holds for the next two.
    #[serde(skip_serializing_if = "is_default")]
    pub verdict: VerdictForm,
    /// Before a run, judge so many of the constitution's own test cases, and stop when the critic cannot tell those that
    /// violate from those that do not. 0: do not examine the critic. The answers are kept, so an examination is paid once.
    #[serde(skip_serializing_if = "is_usually_examined")]
    pub examine: u32,
    /// Run also with a critic that failed its examination.
    #[serde(skip_serializing_if = "is_default")]
    pub unqualified: bool,
}

impl Default for Method {
    fn default() -> Self {
        Self {
            target: Target::Principles,
            schedule: Schedule::Panel,
            rounds: 2,
            screen: false,
            screen_measured: 0.0,
            revise_always: false,
            critique: true,
            retries: 1,
            choose: Choose::Last,
            examples: true,
            verdict: VerdictForm::Auto,
            examine: EXAMINED,
            unqualified: false,
        }
    }
}

impl Gates {
    /// Whether the gate that objects with this reason runs.
    pub fn runs(&self, gate: &Reason) -> bool {
        !self.off.iter().any(|off| off == gate.as_str())
    }
}

/// `[gates]`: what may become a row. Gates run on stored transcripts without a call, but for the two that ask.
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
    /// How many of the principles that apply may be undecided about a response that becomes a positive example. A hard
    /// principle must always be decided.
    pub max_undecided: u32,
    /// Keep a pair of a revision chain only where a judge agrees with the critics about which is better: asked to compare
    /// the two, in both orders, under principles that objected to one of them (as many as `[label] principles` says). It
    /// asks; its answers are in the transcripts. Off by default: it costs two calls a pair and principle, and
    /// the verdicts of a good critic give the same direction. Turn it on where false alarms matter more than calls.
    pub confirm: bool,
    /// Ask the critic one question, yes or no, about each revision that passed the other gates: whether it is a clean answer
    /// to the user, with nothing said about the revision, the critique or the principles. `no` rejects the revision
    /// (`not-clean`). An answer that cannot be read, or none, rejects it too (`unconfirmed`), for unknown is not safe.
    /// Another draw is asked for as far as `method.retries` allows, unless the critic cannot be reached; then the response
    /// before it stands. Off by default: it costs one call a revision. Turn it on where a weak reviser talks about its own
    /// work in words that no gate knows.
    // What is as usual is not written: fingerprints of older runs do not have it.
    #[serde(skip_serializing_if = "is_default")]
    pub confirm_revision: bool,
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
            max_undecided: 0,
            confirm: false,
            confirm_revision: false,
        }
    }
}
