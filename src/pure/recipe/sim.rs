//! `[sim]`: the world of the simulated model, and how it misbehaves.
//!
//! The fields are the flags of `amend sim` too, so each is described and given its default once, here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the simulated judge compares two responses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Judge {
    /// Says what is true.
    #[default]
    Perfect,
    /// Always prefers what is shown as (A).
    AlwaysA,
    /// Is off by `judge_bias` towards what is shown as (A).
    Position,
    /// Is off by `judge_bias` towards the longer response.
    Length,
    /// Mixes the truth with chance, `judge_bias` on either side.
    Noisy,
    /// Says what is true, but gives no log-probabilities.
    NoLogprobs,
    /// Never answers in the form asked for.
    Malformed,
}

/// What happens to a request when every slot is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Busy {
    /// It waits for its turn.
    #[default]
    Wait,
    /// It gets a 429.
    #[serde(rename = "429")]
    #[value(name = "429")]
    TooMany,
    /// It gets a 503.
    #[serde(rename = "503")]
    #[value(name = "503")]
    Unavailable,
}

/// How the bytes of a stream are cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Chunking {
    /// An event of a few tokens at a time.
    #[default]
    Token,
    /// At any byte: inside a character, inside `data:`, several events at once.
    Random,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
impl Chunking {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a text is planted in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanAt {
    /// Before this byte of the answer's words, or after the last of them.
    Byte(u32),
    /// Anywhere among them, by the seed.
    Random,
}

impl std::str::FromStr for SpanAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse::<u32>()) {
            ("random", _) => Ok(Self::Random),
            (_, Ok(at)) => Ok(Self::Byte(at)),
            (_, Err(_)) => Err(format!("`{text}` is neither `random` nor a number of bytes")),
        }
    }
}

impl std::fmt::Display for SpanAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Byte(at) => write!(f, "{at}"),
            Self::Random => f.write_str("random"),
        }
    }
}

impl Serialize for SpanAt {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Byte(at) => to.serialize_u32(*at),
            Self::Random => to.serialize_str("random"),
        }
    }
}

impl<'de> Deserialize<'de> for SpanAt {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visit;
        impl serde::de::Visitor<'_> for Visit {
            type Value = SpanAt;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of bytes, or \"random\"")
            }

            fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<SpanAt, E> {
                let at = u32::try_from(n);
                at.map(SpanAt::Byte).map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(n), &self))
            }

            fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<SpanAt, E> {
                self.visit_i64(i64::try_from(n).unwrap_or(i64::MAX))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SpanAt, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_any(Visit)
    }
}

impl JsonSchema for SpanAt {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SpanAt".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "const": "random" }] })
    }
}

/// `[sim]`: the world of the simulated model. Rates are shares between 0 and 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Sim {
    /// Decides everything in the simulated world
    #[arg(long, default_value_t = Sim::default().seed, value_name = "N", help_heading = "World")]
    pub seed: u64,
    /// How often a draft violates a principle
    #[arg(long, default_value_t = Sim::default().violations, value_name = "RATE", help_heading = "World")]
    pub violations: f64,
    /// How often the critic sees a violation; what it misses once it misses always
    #[arg(long, default_value_t = Sim::default().detection, value_name = "RATE", help_heading = "World")]
    pub detection: f64,
    /// How often the critic objects to what is fine; a revision clears the objection
    #[arg(long, default_value_t = Sim::default().false_alarms, value_name = "RATE", help_heading = "World")]
    pub false_alarms: f64,
    /// How often a principle that is kept has no bearing at all
    #[arg(long, default_value_t = Sim::default().not_applicable, value_name = "RATE", help_heading = "World")]
    pub not_applicable: f64,
    /// Of the violations that the critic sees, the share that screening passes over
    #[arg(long, default_value_t = Sim::default().screen_misses, value_name = "RATE", help_heading = "World")]
    pub screen_misses: f64,
    /// How often a revision mends what a critique names
    #[arg(long, default_value_t = Sim::default().fix, value_name = "RATE", help_heading = "World")]
    pub fix: f64,
    /// Of the violations that the critic sees, the share that a revision without a critique never mends
    #[arg(long, default_value_t = Sim::default().direct_misses, value_name = "RATE", help_heading = "World")]
    pub direct_misses: f64,
    /// How often a revision breaks a principle that it was not asked about
    #[arg(long, default_value_t = Sim::default().breaks, value_name = "RATE", help_heading = "World")]
    pub breaks: f64,
    /// How often a revision makes the response less helpful
    #[arg(long, default_value_t = Sim::default().blunts, value_name = "RATE", help_heading = "World")]
    pub blunts: f64,
    /// How often a response is rewritten although the critique found nothing
    #[arg(long, default_value_t = Sim::default().needless, value_name = "RATE", help_heading = "World")]
    pub needless: f64,

    /// Milliseconds before an answer begins
    #[arg(long, default_value_t = Sim::default().latency_ms, value_name = "N", help_heading = "Speed")]
    pub latency_ms: u64,
    /// Milliseconds per token of the answer
    #[arg(long, default_value_t = Sim::default().token_ms, value_name = "N", help_heading = "Speed")]
    pub token_ms: f64,
    /// How far a delay may be off to either side, as a share of it
    #[arg(long, default_value_t = Sim::default().jitter, value_name = "RATE", help_heading = "Speed")]
    pub jitter: f64,
    /// Requests served at the same time; no limit when absent
    #[arg(long, value_name = "N", help_heading = "Speed")]
    pub slots: Option<u32>,
    /// What happens to a request when every slot is taken
    #[arg(long, default_value = "wait", value_name = "HOW", help_heading = "Speed")]
    pub busy: Busy,
    /// Requests per minute, beyond which there is a 429 with Retry-After; no limit when absent
    #[arg(long, value_name = "N", help_heading = "Speed")]
    pub rpm: Option<u32>,
    /// Blocks of 16 tokens that the prefix cache holds; 0 for no cache
    #[arg(long, default_value_t = Sim::default().cache_blocks, value_name = "N", help_heading = "Speed")]
    pub cache_blocks: u32,

    /// Rate of planted 429s. Faults of an attempt: asking again may succeed
    #[arg(long, default_value_t = Sim::default().rate_limited, value_name = "RATE", help_heading = "Faults")]
    pub rate_limited: f64,
    /// Seconds that a planted 429 or 503 asks to wait
    #[arg(long, default_value_t = Sim::default().retry_after_s, value_name = "N", help_heading = "Faults")]
    pub retry_after_s: f64,
    /// Rate of 500, 502 (as HTML) and 503
    #[arg(long, default_value_t = Sim::default().server_errors, value_name = "RATE", help_heading = "Faults")]
    pub server_errors: f64,
    /// Rate of connections lost in the middle of an answer
    #[arg(long, default_value_t = Sim::default().resets, value_name = "RATE", help_heading = "Faults")]
    pub resets: f64,
    /// Rate of answers that do not come
    #[arg(long, default_value_t = Sim::default().stalls, value_name = "RATE", help_heading = "Faults")]
    pub stalls: f64,
    /// Milliseconds until a stalled connection is closed
    #[arg(long, default_value_t = Sim::default().stall_ms, value_name = "N", help_heading = "Faults")]
    pub stall_ms: u64,
    /// Rate of 200s whose body is not a chat completion
    #[arg(long, default_value_t = Sim::default().malformed, value_name = "RATE", help_heading = "Faults")]
    pub malformed: f64,

    /// Rate of texts of more than 1,024 tokens. What follows are faults of an answer: only another draw helps
    #[arg(long, default_value_t = Sim::default().long, value_name = "RATE", help_heading = "Answers")]
    pub long: f64,
    /// Rate of answers withheld by a content filter
    #[arg(long, default_value_t = Sim::default().filtered, value_name = "RATE", help_heading = "Answers")]
    pub filtered: f64,
    /// Rate of answers with a `refusal` field
    #[arg(long, default_value_t = Sim::default().refused, value_name = "RATE", help_heading = "Answers")]
    pub refused: f64,
    /// Rate of empty answers
    #[arg(long, default_value_t = Sim::default().empty, value_name = "RATE", help_heading = "Answers")]
    pub empty: f64,
    /// Rate of drafts that decline in prose
    #[arg(long, default_value_t = Sim::default().declines, value_name = "RATE", help_heading = "Answers")]
    pub declines: f64,
    /// Rate of revisions that open with a preamble
    #[arg(long, default_value_t = Sim::default().preambles, value_name = "RATE", help_heading = "Answers")]
    pub preambles: f64,
    /// Rate of revisions that repeat the critique before the response
    #[arg(long, default_value_t = Sim::default().echoes, value_name = "RATE", help_heading = "Answers")]
    pub echoes: f64,
    /// Rate of revisions that end in a remark about the rewording, in words that no rule of the gates knows
    #[arg(long, default_value_t = Sim::default().asides, value_name = "RATE", help_heading = "Answers")]
    #[serde(skip_serializing_if = "is_never")]
    pub asides: f64,
    /// Rate of drafts and revisions that are not a response at all, such as `No revisions needed.`
    #[arg(long, default_value_t = Sim::default().sentinels, value_name = "RATE", help_heading = "Answers")]
    pub sentinels: f64,
    /// Rate of answers that begin with think tags
    #[arg(long, default_value_t = Sim::default().think_tags, value_name = "RATE", help_heading = "Answers")]
    pub think_tags: f64,
    /// Rate of answers whose think tag is never closed
    #[arg(long, default_value_t = Sim::default().open_think_tags, value_name = "RATE", help_heading = "Answers")]
    pub open_think_tags: f64,
    /// Rate of answers with reasoning in a field of its own
    #[arg(long, default_value_t = Sim::default().reasoning, value_name = "RATE", help_heading = "Answers")]
    pub reasoning: f64,
    /// Rate of critiques and comparisons in which no verdict can be read
    #[arg(long, default_value_t = Sim::default().unreadable, value_name = "RATE", help_heading = "Answers")]
    pub unreadable: f64,

    /// Rate of drafts, critiques and revisions that try to control the terminal of whoever reads them
    #[arg(long, default_value_t = Sim::default().hostile, value_name = "RATE", help_heading = "Answers")]
    pub hostile: f64,

    /// How the judge compares
    #[arg(long, default_value = "perfect", value_name = "STYLE", help_heading = "Judge")]
    pub judge: Judge,
    /// How far a biased or noisy judge is off, at most 0.5
    #[arg(long, default_value_t = Sim::default().judge_bias, value_name = "P", help_heading = "Judge")]
    pub judge_bias: f64,
    /// How often the judge, whatever its style, holds the opposite of the truth
    #[arg(long, default_value_t = Sim::default().judge_flips, value_name = "RATE", help_heading = "Judge")]
    pub judge_flips: f64,
    /// Give no log-probabilities, whoever asks
    #[arg(long, help_heading = "Judge")]
    pub no_logprobs: bool,

    /// A TOML file that says how the target behaves towards harmful and harmless requests
    #[arg(long, value_name = "FILE", help_heading = "Requests")]
    pub world: Option<String>,
    /// Prompt files that say what is harmful: `class` or `side`, `hazard`, `language`. May be repeated
    #[arg(long, value_name = "FILE", help_heading = "Requests")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// A dataset of styled rows that the target was trained on since
    #[arg(long, value_name = "DIR", help_heading = "Requests")]
    pub learned: Option<String>,

    /// A text that stands in every answer to a request, as something that must not get out
    #[arg(long, value_name = "TEXT", help_heading = "Streams")]
    pub span: Option<String>,
    /// Where it stands: a byte of the answer's words, or `random`, which the seed decides; at their end when absent
    #[arg(long, value_name = "BYTE|random", help_heading = "Streams")]
    pub span_at: Option<SpanAt>,
    /// How the bytes of a stream are cut
    #[arg(long, default_value = "token", value_name = "HOW", help_heading = "Streams")]
    #[serde(skip_serializing_if = "Chunking::is_default")]
    pub chunking: Chunking,

    /// A model name that is served; any when absent. May be repeated
    #[arg(long, value_name = "NAME", help_heading = "Service")]
    pub model: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_never(rate: &f64) -> bool {
    *rate == 0.0
}

impl Default for Sim {
    fn default() -> Self {
        Self {
            seed: 1,
            violations: 0.25,
            detection: 0.95,
            false_alarms: 0.02,
            not_applicable: 0.1,
            screen_misses: 0.0,
            fix: 1.0,
            direct_misses: 0.2,
            breaks: 0.0,
            blunts: 0.1,
            needless: 0.1,
            latency_ms: 0,
            token_ms: 0.0,
            jitter: 0.0,
            slots: None,
            busy: Busy::Wait,
            rpm: None,
            cache_blocks: 65_536,
            rate_limited: 0.0,
            retry_after_s: 1.0,
            server_errors: 0.0,
            resets: 0.0,
            stalls: 0.0,
            stall_ms: 600_000,
            malformed: 0.0,
            long: 0.0,
            filtered: 0.0,
            refused: 0.0,
            empty: 0.0,
            declines: 0.0,
            preambles: 0.0,
            echoes: 0.0,
            asides: 0.0,
            sentinels: 0.0,
            think_tags: 0.0,
            open_think_tags: 0.0,
            reasoning: 0.0,
            unreadable: 0.0,
            hostile: 0.0,
            judge: Judge::Perfect,
            judge_bias: 0.3,
            judge_flips: 0.0,
            no_logprobs: false,
            world: None,
            labels: Vec::new(),
            learned: None,
            span: None,
            span_at: None,
            chunking: Chunking::Token,
            model: Vec::new(),
        }
    }
}

impl Sim {
    /// Whether requests are harmful or harmless in this world.
    pub fn knows_requests(&self) -> bool {
        self.world.is_some() || !self.labels.is_empty() || self.learned.is_some()
    }

    /// What is wrong with the numbers: a rate that is no share, a delay that is no time.
    pub fn problems(&self) -> Vec<String> {
        let share = |(name, value, most): (&str, f64, f64)| {
            (!(0.0..=most).contains(&value))
                .then(|| format!("`{name}` is {value}; it must be between 0 and {most}"))
        };
        let mut found: Vec<String> = self.rates().into_iter().filter_map(share).collect();
        for (name, value) in [("token_ms", self.token_ms), ("retry_after_s", self.retry_after_s)] {
            if !(0.0..=86_400_000.0).contains(&value) {
                found.push(format!("`{name}` is {value}; it must be a time, 0 or more"));
            }
        }
        if self.span_at.is_some() && self.span.is_none() {
            found.push("`span_at` says where a text stands, and there is none; give it as `span`".to_owned());
        }
        for (name, value) in [("slots", self.slots), ("rpm", self.rpm)] {
            if value == Some(0) {
                found.push(format!("`{name}` is 0; leave it out for no limit"));
            }
        }
        found
    }

    fn rates(&self) -> [(&'static str, f64, f64); 32] {
        [
            ("violations", self.violations, 1.0),
            ("detection", self.detection, 1.0),
            ("false_alarms", self.false_alarms, 1.0),
            ("not_applicable", self.not_applicable, 1.0),
            ("screen_misses", self.screen_misses, 1.0),
            ("fix", self.fix, 1.0),
            ("direct_misses", self.direct_misses, 1.0),
            ("breaks", self.breaks, 1.0),
            ("blunts", self.blunts, 1.0),
            ("needless", self.needless, 1.0),
            ("jitter", self.jitter, 1.0),
            ("rate_limited", self.rate_limited, 1.0),
            ("server_errors", self.server_errors, 1.0),
            ("resets", self.resets, 1.0),
            ("stalls", self.stalls, 1.0),
            ("malformed", self.malformed, 1.0),
            ("long", self.long, 1.0),
            ("filtered", self.filtered, 1.0),
            ("refused", self.refused, 1.0),
            ("empty", self.empty, 1.0),
            ("declines", self.declines, 1.0),
            ("preambles", self.preambles, 1.0),
            ("echoes", self.echoes, 1.0),
            ("asides", self.asides, 1.0),
            ("sentinels", self.sentinels, 1.0),
            ("think_tags", self.think_tags, 1.0),
            ("open_think_tags", self.open_think_tags, 1.0),
            ("reasoning", self.reasoning, 1.0),
            ("unreadable", self.unreadable, 1.0),
            ("hostile", self.hostile, 1.0),
            ("judge_flips", self.judge_flips, 1.0),
            ("judge_bias", self.judge_bias, 0.5),
        ]
    }
}
