//! How a run is asked to stop, in two steps: ask nothing new; stop now.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How far stopping has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Going on.
    Running,
    /// No new prompts and no new calls; calls in flight are finished, so that nothing paid for is lost.
    Draining,
    /// Calls in flight are given up; what is answered is in the journal.
    Now,
}

/// Hears of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown {
    phases: watch::Receiver<Phase>,
    draining: CancellationToken,
}

/// Says it.
#[derive(Debug)]
pub struct Stopper {
    phases: watch::Sender<Phase>,
    draining: CancellationToken,
}

/// A way to stop a run, and what hears of it.
pub fn shutdown() -> (Stopper, Shutdown) {
    let (sender, receiver) = watch::channel(Phase::Running);
    let draining = CancellationToken::new();
    let stopper = Stopper { phases: sender, draining: draining.clone() };
    (stopper, Shutdown { phases: receiver, draining })
}

impl Stopper {
    /// Goes one step further.
    pub fn step(&self) {
        self.draining.cancel();
        self.phases.send_modify(|phase| {
            *phase = match phase {
                Phase::Running => Phase::Draining,
                Phase::Draining | Phase::Now => Phase::Now,
            }
        });
    }
}

impl Shutdown {
    /// How far it has come.
    pub fn phase(&self) -> Phase {
        *self.phases.borrow()
    }

    /// Is cancelled when nothing new is to be asked, for what waits for its turn.
    pub fn draining(&self) -> CancellationToken {
        self.draining.clone()
    }

    /// Waits until it has come so far; for ever if it never does.
    pub async fn reaches(&self, phase: Phase) {
        let mut receiver = self.phases.clone();
        if receiver.wait_for(|now| *now >= phase).await.is_err() {
            // The sender is gone: nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
}
