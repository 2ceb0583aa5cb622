//! How a run is asked to stop, in two steps: admit nothing new; stop now.

use tokio::sync::watch;

/// How far stopping has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Going on.
    Running,
    /// No new prompts; the chains begun are finished.
    Draining,
    /// Calls in flight are given up; what is answered is in the journal.
    Now,
}

/// Hears of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<Phase>);

/// Says it.
#[derive(Debug)]
pub struct Stopper(watch::Sender<Phase>);

/// A way to stop a run, and what hears of it.
pub fn shutdown() -> (Stopper, Shutdown) {
    let (sender, receiver) = watch::channel(Phase::Running);
    (Stopper(sender), Shutdown(receiver))
}

impl Stopper {
    /// Goes one step further.
    pub fn step(&self) {
        self.0.send_modify(|phase| {
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
        *self.0.borrow()
    }

    /// Waits until it has come so far; for ever if it never does.
    pub async fn reaches(&self, phase: Phase) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|now| *now >= phase).await.is_err() {
            // The sender is gone: nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
}
