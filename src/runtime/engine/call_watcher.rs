//! Somebody who watches calls while they are answered: the screen of a chat, the client of a server.

use crate::pure::call::Call;
use crate::runtime::model::Delta;
use std::fmt::Debug;

/// Hears of calls that go to a model.
///
/// What a watcher hears decides nothing: a method is given an answer only when it is whole and in the journal, and the
/// journal holds the same bytes whether or not somebody watched. A watcher must not block.
pub trait CallWatcher: Debug + Send + Sync {
    /// Whether the pieces of this call's answer are wanted. Only such an answer is streamed.
    fn wants_pieces(&self, call: &Call) -> bool;

    /// The journal does not hold the answer: a model is about to be asked.
    fn asks(&self, call: &Call);

    /// A piece of an answer came. After [`Delta::Restart`] the pieces so far are void.
    fn hears(&self, call: &Call, delta: Delta);
}
