//! Asks the critic whether a revision is a clean answer to the user: `gates.confirm_revision`.
//!
//! The gates are rules and know wordings. This is one question about each revision that passed them; whether it keeps the
//! principles is no part of it ([`criticise`](super::criticise) asks that).

use super::prompt_session::{Asking, is_final};
use super::yes_or_no::read_yes_or_no;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::Purpose;
use crate::pure::reason::Reason;

/// Why a revision is not taken although it passed the other gates.
#[derive(Debug)]
pub(super) struct NotTaken {
    pub(super) reason: Reason,
    /// Whether the critic could not be asked: it could not be asked about another revision either.
    pub(super) is_final: bool,
}

impl<A: Ask> Asking<'_, A> {
    /// Whether a revision may be taken; asks only where the recipe says so. Unknown is not safe: without a `yes` that can be
    /// read it may not.
    pub(super) async fn confirm_revision(&self, text: &str) -> Result<Result<(), NotTaken>, Stop> {
        if !self.cx.gates.confirm_revision {
            return Ok(Ok(()));
        }
        let request = self.cx.templates.confirm_revision()?;
        let messages = self.cx.about(self.prompt, text, request);
        let answered = self.answer_of_any_draw(&Purpose::RevisionCheck, &messages, 0, None).await?;
        Ok(match answered.answer.complete().and_then(read_yes_or_no) {
            Some(true) => Ok(()),
            Some(false) => Err(NotTaken { reason: Reason::NotClean, is_final: false }),
            None => Err(NotTaken { reason: Reason::Unconfirmed, is_final: is_final(&answered.answer) }),
        })
    }
}
