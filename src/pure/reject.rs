//! A row that failed: a row of the input that cannot be read, or a prompt whose chain gave nothing usable.

use crate::pure::prompt::PromptId;
use crate::pure::reason::Reason;
use serde::{Deserialize, Serialize};

/// What failed, where and why. It lands in the reject table, and the run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// The prompt, where the row got that far.
    pub prompt_id: Option<PromptId>,
    /// `file:line` of the input row, where that is what failed.
    pub at: Option<String>,
    /// Why.
    pub reason: Reason,
    /// What happened, for a person; never the prompt's text.
    pub detail: String,
}
