//! What a call leaves behind: the raw response, before anything is read from it (law 2).
//!
//! This is what the journal stores. [`Recorded::answer`] reads it, now or years later with a better parser.

use super::wire;
use crate::pure::answer::{Answer, Malformed, Outcome, Usage};
use serde::{Deserialize, Serialize};

/// How a call ended, as raw as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// HTTP status of the last response; 0 when there was none.
    pub status: u16,
    /// Body of a response that holds an answer; `None` when the call failed.
    pub body: Option<String>,
    /// Why there is no answer.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// Attempts made, the first included.
    pub attempts: u32,
    /// Milliseconds that the last attempt took.
    pub latency_ms: u64,
}

/// Why a call has no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong, without a secret or a prompt in it.
    pub message: String,
    /// Whether the provider's filter is the reason.
    #[serde(default)]
    pub filtered: bool,
    /// Whether asking again some other day may well succeed (a timeout, a 503). Such a record is no reason not to
    /// ask again when the run is resumed.
    #[serde(default)]
    pub transient: bool,
    /// Whether this prompt is the reason (it is too long, say), and not the endpoint or the settings.
    #[serde(default)]
    pub is_about_prompt: bool,
}

impl Failure {
    /// A failure that another day may well mend.
    pub fn transient(message: String) -> Self {
        Self { message, transient: true, ..Self::default() }
    }
}

impl Recorded {
    /// Whether the same call asked again could end otherwise: resuming a run should ask it again.
    pub fn is_transient(&self) -> bool {
        self.failure.as_ref().is_some_and(|f| f.transient)
    }

    /// Reads the answer.
    pub fn answer(&self, from_journal: bool) -> Answer {
        let answer = match (&self.body, &self.failure) {
            (Some(body), _) => wire::read(body),
            (None, Some(failure)) if failure.filtered => Answer::without_text(Outcome::Filtered),
            (None, Some(failure)) => Answer::without_text(Outcome::Failed(failure.message.clone())),
            (None, None) => Answer::without_text(Outcome::Malformed(Malformed::Body)),
        };
        Answer { attempts: self.attempts, from_journal, ..answer }
    }
}

impl Answer {
    /// An answer that is nothing but its outcome.
    pub fn without_text(outcome: Outcome) -> Self {
        Self {
            outcome,
            text: String::new(),
            reasoning: None,
            logprobs: None,
            usage: Usage::default(),
            finish_reason: None,
            model: None,
            attempts: 1,
            from_journal: false,
        }
    }
}
