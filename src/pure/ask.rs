//! The one small trait between a method and everything below it: a call goes in, an answer comes out.
//!
//! What stands behind it (memo, limits, retries, endpoint) is the business of [`crate::runtime`]. A test puts a
//! script there.

use crate::pure::answer::Answer;
use crate::pure::call::Call;
use crate::pure::template::TemplateError;

/// Something that answers calls: the whole stack below a method.
///
/// An answer that went wrong (truncated, filtered, failed …) is an `Ok` with its typed outcome, and the method
/// decides what it means. An `Err` ends the whole run.
pub trait Ask: Sync {
    /// Answers one call.
    fn ask(&self, call: Call) -> impl Future<Output = Result<Answer, Stop>> + Send;
}

impl<A: Ask> Ask for &A {
    fn ask(&self, call: Call) -> impl Future<Output = Result<Answer, Stop>> + Send {
        (**self).ask(call)
    }
}

/// Why no further call can be answered. Whatever was answered before is in the journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The user asked to stop; the prompt stays unfinished.
    #[error("interrupted")]
    Interrupted,
    /// The journal cannot store answers; going on would lose what is paid for.
    #[error("{0}")]
    Journal(String),
    /// The provider will not answer any call of this run: key, quota, unknown model.
    #[error("{0}")]
    Provider(String),
    /// Too many verdicts are undecided: what the critic answers cannot be used.
    #[error("{0}")]
    Undecided(String),
    /// The critic cannot be told from one that guesses.
    #[error("{0}")]
    Unqualified(String),
    /// A template cannot be rendered.
    #[error("{0}")]
    Template(String),
    /// The budget of the recipe is used up.
    #[error("{0}")]
    Budget(String),
    /// Something that cannot happen has happened.
    #[error("{0}")]
    Bug(String),
}

impl From<TemplateError> for Stop {
    fn from(error: TemplateError) -> Self {
        Self::Template(error.to_string())
    }
}
