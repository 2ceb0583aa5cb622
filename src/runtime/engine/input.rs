//! Items on their way to the engine: at hand, or read on a thread of their own, a few ahead.
//!
//! Nothing here knows what an item is. Items are pulled one by one, so memory holds those that are worked on and
//! [`READ_AHEAD`] more, however many there are.

use crate::pure::ask::Stop;
use futures::Stream;
use futures::stream::{self, StreamExt as _};
use tokio::sync::mpsc;

/// Items that wait between the reader and the engine.
const READ_AHEAD: usize = 256;

/// Items that are in memory already, or that are made without a wait.
pub fn at_hand<I>(items: impl IntoIterator<Item = I>) -> impl Stream<Item = Result<I, Stop>> {
    stream::iter(items).map(Ok)
}

/// What comes from the reader's thread. Its silence is not the end: only `End` is.
enum Read<I> {
    Item(I),
    End,
}

/// Items that a thread reads.
pub struct ReadAhead<I> {
    receiver: mpsc::Receiver<Read<I>>,
}

impl<I> std::fmt::Debug for ReadAhead<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadAhead").finish_non_exhaustive()
    }
}

/// Items that were taken together.
pub(super) enum Batch<I> {
    /// More may come.
    Items(Vec<I>),
    /// These are the last ones, or there were none left.
    Last(Vec<I>),
    /// The reader ended without saying so.
    BrokeOff,
}

impl<I: Send + 'static> ReadAhead<I> {
    /// Starts the thread. It is one of its own rather than one of the runtime's: a runtime waits for those at its end,
    /// and a read of standard input may never return. The thread ends with the items, or with the next one after
    /// nobody wants it any more.
    pub fn start(items: impl Iterator<Item = I> + Send + 'static) -> Result<Self, Stop> {
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        let read_all = move || {
            for read in items.map(Read::Item).chain([Read::End]) {
                if sender.blocking_send(read).is_err() {
                    return;
                }
            }
        };
        let started = std::thread::Builder::new().name("prompts".into()).spawn(read_all);
        started.map_err(|error| Stop::Bug(format!("cannot start a thread: {error}")))?;
        Ok(Self { receiver })
    }

    /// Items that are read already, at most [`READ_AHEAD`]: which of them are taken together is the same every time.
    #[cfg(test)]
    pub(super) fn that_has_read(items: impl IntoIterator<Item = I>) -> Self {
        let (sender, receiver) = mpsc::channel(READ_AHEAD + 1);
        for read in items.into_iter().map(Read::Item).chain([Read::End]) {
            assert!(sender.try_send(read).is_ok(), "too many items");
        }
        Self { receiver }
    }

    /// The items that are there, `most` at most; where there are none, the next one.
    pub(super) async fn next_batch(&mut self, most: usize) -> Batch<I> {
        let mut items = Vec::new();
        match self.receiver.recv().await {
            None => return Batch::BrokeOff,
            Some(Read::End) => return Batch::Last(items),
            Some(Read::Item(item)) => items.push(item),
        }
        // No wait from here on: what was taken out of the queue is never dropped.
        while items.len() < most {
            match self.receiver.try_recv() {
                Ok(Read::Item(item)) => items.push(item),
                Ok(Read::End) => return Batch::Last(items),
                Err(_) => break,
            }
        }
        Batch::Items(items)
    }

    /// The items one by one. A reader that broke off is an error: what it read is not all that there is.
    pub fn into_stream(self) -> impl Stream<Item = Result<I, Stop>> {
        stream::unfold(Some(self.receiver), |receiver| async {
            let mut receiver = receiver?;
            match receiver.recv().await {
                Some(Read::Item(item)) => Some((Ok(item), Some(receiver))),
                Some(Read::End) => None,
                None => Some((Err(broke_off()), None)),
            }
        })
    }
}

/// Why a run stops when its reader broke off.
pub(super) fn broke_off() -> Stop {
    Stop::Bug("reading the prompts broke off; this is a bug of amend".into())
}
