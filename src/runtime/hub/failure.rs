//! What goes wrong with the hub, whose trouble it is, and what to do about it.

use std::time::Duration;

/// Whose trouble a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubTrouble {
    /// What the user wrote: a name, a variable, a flag.
    Words,
    /// The hub refuses, or cannot be reached.
    Hub,
    /// The disk of this machine.
    Disk,
}

/// A dataset that the hub does not give or take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot be {doing}: {cause}")]
pub struct HubError {
    /// The dataset, as the user named it.
    pub name: String,
    /// What was being done: `read` or `pushed`.
    pub doing: &'static str,
    /// What happened.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
    /// Whose trouble it is.
    pub trouble: HubTrouble,
}

/// What went wrong, before the dataset's name is put to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) cause: String,
    pub(super) remedy: String,
    pub(super) trouble: HubTrouble,
    /// Whether the same may go well a moment later.
    pub(super) may_pass: bool,
    /// How long the hub asks to wait until then.
    pub(super) asked: Option<Duration>,
}

impl Failure {
    /// The user's slip.
    pub(super) fn new(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (cause, remedy) = (cause.into(), remedy.into());
        Self { cause, remedy, trouble: HubTrouble::Words, may_pass: false, asked: None }
    }

    /// The hub's refusal, or an answer that nobody can use.
    pub(super) fn of_hub(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { trouble: HubTrouble::Hub, ..Self::new(cause, remedy) }
    }

    /// The disk's trouble.
    pub(super) fn of_disk(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { trouble: HubTrouble::Disk, ..Self::new(cause, remedy) }
    }

    /// The same, as something that may go well a moment later.
    pub(super) fn that_may_pass(self) -> Self {
        Self { may_pass: true, ..self }
    }

    pub(super) fn of(self, name: &str, doing: &'static str) -> HubError {
        let Self { cause, remedy, trouble, .. } = self;
        HubError { name: name.to_owned(), doing, cause, remedy, trouble }
    }
}
