//! What is told of bytes that come from the hub or go there, so that a long transfer does not look stuck.

use std::sync::OnceLock;
use std::time::Duration;

/// Where bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the hub.
    Down,
    /// To the hub.
    Up,
}

/// Something that happens on the way from or to the hub.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Transfer<'a> {
    /// A file begins, perhaps once more.
    Began {
        /// Where it goes.
        direction: Direction,
        /// Its name inside the dataset.
        file: &'a str,
        /// Its size in bytes, where known.
        bytes: Option<u64>,
    },
    /// So many more bytes of that file are through.
    Moved(u64),
    /// That file is through.
    Ended {
        /// Where it went.
        direction: Direction,
        /// Its name inside the dataset.
        file: &'a str,
        /// Its size in bytes.
        bytes: u64,
    },
    /// The same is asked again after a wait.
    Waiting {
        /// What happened, in a few words.
        cause: &'a str,
        /// How long is waited.
        wait: Duration,
    },
}

/// Who is told. Prompt files are opened in many places, none of which knows a screen: so the observer is one of the process.
static OBSERVER: OnceLock<fn(&Transfer<'_>)> = OnceLock::new();

/// Names the function that is told of every transfer of this process. The first one stays. It may be called from any thread.
pub fn observe(observer: fn(&Transfer<'_>)) {
    let _ = OBSERVER.set(observer);
}

pub(super) fn tell(transfer: Transfer<'_>) {
    if let Some(observer) = OBSERVER.get() {
        observer(&transfer);
    }
}
