//! The rejects of a run for people: how often each reason was met, and what to do next.
//!
//! Words only; who asks for them writes them. The sentences themselves stand in [`crate::pure::reason`].

use super::style::Style;
use super::word_wrap::flowed;
use crate::pure::reason::Reason;
use crate::runtime::journal::{JournalError, Reader};
use std::collections::BTreeMap;

/// How often each reason was met.
pub(super) fn counted(reader: &Reader) -> Result<BTreeMap<Reason, u64>, JournalError> {
    let mut reasons = BTreeMap::new();
    for reject in reader.rejects() {
        *reasons.entry(reject?.reason).or_default() += 1;
    }
    Ok(reasons)
}

/// What to do next about a reason, indented as deep as is said.
pub(super) fn next_step(reason: &Reason, indent: usize, style: Style) -> String {
    style.faint(flowed(reason.hint(), style.width.saturating_sub(1), indent).trim_end())
}
