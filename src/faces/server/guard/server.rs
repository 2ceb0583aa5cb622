//! A guard that listens, serves, and drains when it is told to stop.

use super::routes::router;
use super::shared::{GuardSetup, Policy, Shared};
use crate::pure::guard::metrics::Counter;
use crate::pure::method::{GuardQuestion, GuardTurn};
use crate::runtime::http_server::{Bounds, serve};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::timeout;

/// How long a check of the judge may take before the guard serves.
const TRIAL_MS: u64 = 60_000;

/// How long checks may take whose clients have their answers.
const CHECKS: Duration = Duration::from_secs(10);
/// How long what is given up may take to be written down.
const LAST: Duration = Duration::from_secs(2);

/// A guard, ready to serve.
#[derive(Debug)]
pub struct GuardServer {
    shared: Arc<Shared>,
}

/// A way to a guard that serves.
#[derive(Debug, Clone)]
pub struct GuardHandle {
    shared: Arc<Shared>,
}

impl GuardServer {
    /// A guard of these parts.
    pub fn new(setup: GuardSetup) -> Self {
        Self { shared: Arc::new(Shared::new(setup)) }
    }

    /// A way to it while it serves.
    pub fn handle(&self) -> GuardHandle {
        GuardHandle { shared: Arc::clone(&self.shared) }
    }

    /// Listens on the address; port 0 picks a free one.
    pub async fn listen(address: &str) -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    /// Asks the judge one harmless question, and says what is wrong with its answer.
    pub async fn try_judge(&self) -> Result<(), String> {
        let turns = [GuardTurn { role: "user".into(), content: "Hello!".into() }];
        let Some(policy) = self.shared.first_policy() else { return Err("nobody may ask".into()) };
        let asked = super::judge::screened(&self.shared, &policy, &turns, GuardQuestion::Request, TRIAL_MS);
        match asked.await.finding.grounds().and_then(|grounds| grounds.why.clone()) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    /// Serves until `stop` is ready. What is in flight then has the grace of these bounds to end.
    pub async fn run(self, listener: TcpListener, bounds: Bounds, stop: impl Future<Output = ()>) {
        let Self { shared } = self;
        let router = router(Arc::clone(&shared));
        let draining = async {
            stop.await;
            shared.is_draining.store(true, Ordering::Relaxed);
        };
        serve(listener, router, bounds, draining).await;
        // Checks beside answers that have left, as in shadow, outlive their connections.
        shared.tasks.close();
        if timeout(CHECKS, shared.tasks.wait()).await.is_err() {
            shared.stop.cancel();
            let _ = timeout(LAST, shared.tasks.wait()).await;
        }
    }
}

impl GuardHandle {
    /// Judges by other constitutions from now on, in the order of the clients. What is in flight keeps the one that it began with.
    pub fn replace_policies(&self, policies: Vec<Policy>) {
        self.shared.replace_policies(policies);
    }

    /// A constitution could not be read again, so the old one stays.
    pub fn reload_failed(&self) {
        self.shared.count(Counter::ReloadFailed, &[]);
    }
}
