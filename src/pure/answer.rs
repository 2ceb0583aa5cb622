//! The typed outcome of a call (law 2: only `complete` text can become data).

use crate::pure::reason::Reason;
use serde::{Deserialize, Serialize};

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The model finished its answer.
    Complete,
    /// The answer hit the token ceiling.
    Truncated,
    /// A provider's filter removed or replaced the answer.
    Filtered,
    /// The model or provider declined by a typed refusal field (a refusal in prose is `Complete`).
    Refused,
    /// The answer is empty or white space.
    Empty,
    /// The response could not be read as an answer.
    Malformed(Malformed),
    /// No response after every attempt; the text says why, without a secret or a prompt in it.
    Failed(String),
}

/// Why a response could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Malformed {
    /// The body is not JSON of a chat completion.
    Body,
    /// There is no choice in it.
    NoChoice,
    /// A reasoning block was opened and not closed, so no text can be trusted to be the answer.
    OpenReasoning,
    /// The answer begins with a special token that amend does not know, so no text can be trusted to be the answer.
    UnknownMark,
    /// The endpoint did not say that the answer is whole, and did not count its tokens.
    NoFinish,
    /// A stream ended without `finish_reason` or `[DONE]`.
    CutStream,
    /// The endpoint gave a `finish_reason` that says the answer is not whole (`abort`, `error`).
    Aborted,
}

impl Malformed {
    /// What is wrong, as the end of a sentence.
    pub fn as_words(&self) -> &'static str {
        match self {
            Self::Body => {
                "the response is not JSON of a chat completion; does `base_url` name the API, and not a web page?"
            }
            Self::NoChoice => "the response holds no answer",
            Self::OpenReasoning => "a block of reasoning was opened and never closed",
            Self::UnknownMark => "the answer begins with a special token that amend does not know",
            Self::NoFinish => {
                "the endpoint gave no `finish_reason` and no token counts, so nothing says that the answer is whole"
            }
            Self::CutStream => "the response was cut",
            Self::Aborted => "the endpoint broke the answer off",
        }
    }
}

impl Outcome {
    /// The outcome's name in events, rejects and reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Truncated => "truncated",
            Self::Filtered => "filtered",
            Self::Refused => "refused",
            Self::Empty => "empty",
            Self::Malformed(_) => "malformed",
            Self::Failed(_) => "failed",
        }
    }

    /// Why such an answer has no text that may be used; `None` for a complete one.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Complete => None,
            Self::Truncated => Some(Reason::Truncated),
            Self::Filtered => Some(Reason::Filtered),
            Self::Refused => Some(Reason::Refused),
            Self::Empty => Some(Reason::Empty),
            Self::Malformed(_) => Some(Reason::Malformed),
            Self::Failed(_) => Some(Reason::Failed),
        }
    }
}

/// Tokens of one call, as the endpoint counted them; 0 where it did not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the request.
    pub prompt: u64,
    /// Those of them that came from the endpoint's prefix cache.
    pub cached: u64,
    /// Tokens of the answer, reasoning included.
    pub completion: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.prompt += other.prompt;
        self.cached += other.cached;
        self.completion += other.completion;
    }
}

/// An alternative for one token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopLogprob {
    /// The token's text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f64,
}

/// One token of the answer with its log-probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The token's text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f64,
    /// The likeliest alternatives at this place.
    #[serde(default)]
    pub top: Vec<TopLogprob>,
}

/// What came back from a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// How the call ended.
    pub outcome: Outcome,
    /// The answer's text without reasoning; partial when truncated, empty when there is none.
    pub text: String,
    /// Reasoning that the endpoint gave apart, or that stood in think tags. Never part of a row.
    pub reasoning: Option<String>,
    /// Log-probabilities, where asked for and given.
    pub logprobs: Option<Vec<TokenLogprob>>,
    /// Token counts.
    pub usage: Usage,
    /// The endpoint's own `finish_reason`.
    pub finish_reason: Option<String>,
    /// The model that answered, as the endpoint names it.
    pub model: Option<String>,
    /// Attempts it took; 1 when the first succeeded.
    pub attempts: u32,
    /// Whether the answer was in the journal already.
    pub from_journal: bool,
}

/// Whether two names are those of different models: neither holds the other. Case, marks and the folder do not count.
///
/// ```
/// use amend::pure::answer::is_other_model;
///
/// assert!(!is_other_model("gpt-4o", "gpt-4o-2024-08-06"));
/// assert!(is_other_model("big-70b", "tiny-1b-q4"));
/// ```
pub fn is_other_model(asked: &str, answered: &str) -> bool {
    let bare = |name: &str| {
        let last = name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(name);
        last.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    let (asked, answered) = (bare(asked), bare(answered));
    !answered.is_empty() && !asked.contains(&answered) && !answered.contains(&asked)
}

impl Answer {
    /// The model that answered in another's place, by the name that the endpoint gives. Names of one model differ: a path,
    /// a date, a file's ending or a quantisation may come with it.
    pub fn substitute_for(&self, asked: &str) -> Option<&str> {
        self.model.as_deref().filter(|answered| is_other_model(asked, answered))
    }

    /// What went wrong with an answer that cannot be used, and what to do about it; `None` for a complete one.
    pub fn trouble(&self) -> Option<String> {
        let words = match &self.outcome {
            Outcome::Complete => return None,
            Outcome::Failed(message) if message.contains("no answer in time") => {
                format!("{message}; raise `limits.timeout_s`, or `timeout_s` of its model")
            }
            Outcome::Failed(message) => message.clone(),
            Outcome::Truncated if self.fills_the_window() => {
                "the answer was cut because the model's context window is full".into()
            }
            Outcome::Truncated if self.text.trim().is_empty() && self.reasoning.is_some() => {
                "`max_tokens` was used up by reasoning before the answer began; raise `max_tokens`".into()
            }
            Outcome::Truncated => "the answer was cut at `max_tokens`".into(),
            Outcome::Filtered => "the provider's filter stepped in".into(),
            Outcome::Refused => "the provider declined in its refusal field".into(),
            Outcome::Empty if self.reasoning.is_some() => "there is reasoning, and no answer after it".into(),
            Outcome::Empty => "the answer is empty".into(),
            Outcome::Malformed(why) => why.as_words().into(),
        };
        Some(words)
    }

    /// Whether the model's context window is full, so that a higher token ceiling would not give a longer answer.
    pub fn fills_the_window(&self) -> bool {
        let reason = self.finish_reason.as_deref().unwrap_or_default().to_ascii_lowercase();
        self.outcome == Outcome::Truncated && reason.contains("context")
    }

    /// The text, if it may become data.
    pub fn complete(&self) -> Option<&str> {
        self.usable().ok()
    }

    /// The text, if it may become data; else why not.
    pub fn usable(&self) -> Result<&str, Reason> {
        match self.outcome.reason() {
            None => Ok(&self.text),
            Some(reason) => Err(reason),
        }
    }
}
