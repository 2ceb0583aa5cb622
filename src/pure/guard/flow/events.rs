//! What a flow is told, what it says is to be done, and how it may end.

use crate::pure::guard::finding::{Finding, Grounds};
use bytes::Bytes;

/// Bytes of an answer that leave together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The bytes as the upstream sent them.
    pub bytes: Bytes,
    /// Characters of the answer up to its end, of all choices. Not tokens: two pieces would share a number, and what a check
    /// has reached would let the second one go with the first.
    pub upto: usize,
    /// How many pieces of the answer, from its first on, hold nothing of a span that a rule forbids or may yet forbid.
    pub clear: usize,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The request is judged; `steerable` where the recipe says that what it violates is answered under a hint.
    Screened {
        /// What the judge found.
        finding: Finding,
        /// Whether it may be answered under a hint.
        steerable: bool,
    },
    /// A piece of the answer came.
    Piece(Piece),
    /// A rule found a forbidden span in the answer.
    Forbidden(Grounds),
    /// The answer is whole.
    Ended,
    /// The upstream broke off, or gave something that nobody can read.
    Failed,
    /// The check that was asked for last came back.
    Checked(Finding),
    /// The revision came back, judged; `None` where there is none that holds.
    Revised(Option<Bytes>),
    /// The client is gone.
    Gone,
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Give the upstream's request up.
    Cancel,
    /// Ask the upstream anew, with a hint.
    Steer,
    /// Send these bytes to the client.
    Release(Bytes),
    /// Judge all of the answer that came so far.
    Check,
    /// Revise the answer.
    Revise(Grounds),
    /// Send a styled text in place of everything.
    Style(Grounds),
    /// Send a closing sentence, and an end with `finish_reason: "content_filter"`.
    Close(Grounds),
    /// Tell the client that the upstream failed.
    Fail,
    /// The client has all of it, and what is left to do is its own business.
    Finish,
    /// It is over.
    End(Decision),
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Decision {
    /// The client has the upstream's answer.
    Answered,
    /// The request was declined, and the upstream's answer never used.
    AnsweredByStyle,
    /// The client has a revision of the answer.
    Revised,
    /// The client has a styled text in place of the answer.
    Replaced,
    /// The client has the beginning of the answer and a closing sentence.
    Stopped,
    /// Nobody could say whether it may be answered, so it is not.
    CouldNotJudge,
    /// The upstream gave no answer, or broke off.
    UpstreamFailed,
    /// The client went away first.
    Cancelled,
}

impl Decision {
    /// Its name in headers, the audit and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
