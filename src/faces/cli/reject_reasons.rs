//! The rejects of a run for people: what to do next about a reason.
//!
//! Words only; who asks for them writes them. The sentences themselves stand in [`crate::pure::reason`].

use super::style::Style;
use super::word_wrap::flowed;
use crate::pure::reason::Reason;

/// What to do next about a reason, indented as deep as is said.
pub(super) fn next_step(reason: &Reason, indent: usize, style: Style) -> String {
    style.faint(flowed(reason.hint(), style.width.saturating_sub(1), indent).trim_end())
}
