//! Ctrl-C, and the signal that asks a process to end.

use crate::runtime::engine::Stopper;
use std::convert::Infallible;

/// The first signal asks to stop, the second to stop now.
pub(super) async fn watch(stopper: &Stopper) -> Infallible {
    loop {
        interrupted().await;
        stopper.step();
    }
}

/// Waits for Ctrl-C, or for the signal that asks a process to end. Where signals cannot be heard it waits for ever.
pub(super) async fn interrupted() {
    let control_c = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = control_c => {}
        () = terminated() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            terminate.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
