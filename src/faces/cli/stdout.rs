//! Standard output, which may be closed or full.
//!
//! A reader that has seen enough closes its end (`amend show RUN | head`): that is no failure. Anything else that keeps a
//! result from being written is one, and is told at the end, when the command has done its work.

use super::failure::Failure;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// Why something could not be written.
static FAILED: Mutex<Option<String>> = Mutex::new(None);

/// Standard output for results. Writing never fails; what goes wrong is kept for [`failure`].
pub(super) fn stdout() -> Stdout {
    Stdout
}

#[derive(Debug)]
pub(super) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(io::stdout().write(bytes).unwrap_or_else(|error| note(&error, bytes.len())))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush().unwrap_or_else(|error| note(&error, ()));
        Ok(())
    }
}

fn note<R>(error: &io::Error, instead: R) -> R {
    if error.kind() != io::ErrorKind::BrokenPipe {
        FAILED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.to_string());
    }
    instead
}

/// What could not be written since the beginning, as the failure of the command.
pub(super) fn failure() -> Option<Failure> {
    let _ = Stdout.flush();
    let why = FAILED.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    Some(
        Failure::disk(format!("standard output cannot be written: {why}"))
            .hint("free some space, and run the command again: what a run has answered is in its journal"),
    )
}
