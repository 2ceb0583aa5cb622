//! Ctrl-C, and the signals that ask a process to end.

use crate::runtime::engine::Stopper;
use std::convert::Infallible;
use std::time::Duration;

/// How long calls in flight may take after the first signal, unless a flag says otherwise.
pub(super) const GRACE: Duration = Duration::from_secs(25);

/// The first signal asks to stop: calls in flight are finished, for so long as `grace`. A second one asks to stop now.
pub(super) async fn watch(stopper: &Stopper, grace: Duration) -> Infallible {
    interrupted().await;
    stopper.step();
    tokio::select! {
        () = interrupted() => {}
        () = tokio::time::sleep(grace) => {}
    }
    stopper.step();
    std::future::pending().await
}

/// Waits for Ctrl-C, or for a signal that asks a process to end. Where signals cannot be heard it waits for ever.
pub(super) async fn interrupted() {
    tokio::select! {
        () = asked_to_end() => {}
        () = unix::hung_up() => {}
    }
}

/// Waits for Ctrl-C, or for SIGTERM; a hangup means something else to a server.
pub(super) async fn asked_to_end() {
    let control_c = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = control_c => {}
        () = unix::terminated() => {}
    }
}

pub(super) use unix::Hangups;

#[cfg(unix)]
mod unix {
    use tokio::signal::unix::{SignalKind, signal};

    pub(super) async fn terminated() {
        heard(SignalKind::terminate()).await;
    }

    /// The terminal is gone. Under `nohup` that is nothing to stop for.
    pub(super) async fn hung_up() {
        if is_hangup_ignored() {
            return std::future::pending().await;
        }
        heard(SignalKind::hangup()).await;
    }

    /// Every SIGHUP, one after another: to a server it says that its files have changed.
    #[derive(Debug)]
    pub(in super::super) struct Hangups(Option<tokio::signal::unix::Signal>);

    impl Hangups {
        pub(in super::super) fn new() -> Self {
            Self(signal(SignalKind::hangup()).ok())
        }

        pub(in super::super) async fn next(&mut self) {
            let heard = match &mut self.0 {
                Some(signal) => signal.recv().await,
                None => None,
            };
            if heard.is_none() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn heard(kind: SignalKind) {
        match signal(kind) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    }

    /// Whether whoever started the process had it ignore the signal. Where that cannot be told, it is taken to be so: to
    /// listen would end what `nohup` is to protect.
    fn is_hangup_ignored() -> bool {
        static IGNORED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *IGNORED.get_or_init(|| {
            let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
            // The first bit is SIGHUP's.
            mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & 1 == 1)
        })
    }
}

#[cfg(not(unix))]
mod unix {
    pub(super) async fn terminated() {
        std::future::pending().await
    }

    pub(super) async fn hung_up() {
        std::future::pending().await
    }

    #[derive(Debug)]
    pub(in super::super) struct Hangups;

    impl Hangups {
        pub(in super::super) fn new() -> Self {
            Self
        }

        pub(in super::super) async fn next(&mut self) {
            std::future::pending().await
        }
    }
}
