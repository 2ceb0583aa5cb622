//! What all requests of a guard share: the policy in force, the way to the model, the counts.

use super::audit_log::AuditLog;
use crate::pure::digest::Parts;
use crate::pure::guard::audit;
use crate::pure::guard::metrics::{Counter, Metrics};
use crate::pure::guard::rules::GuardRules;
use crate::pure::guard::utc::utc;
use crate::pure::guard::wording::Wording;
use crate::pure::method::{GuardTurn, MethodContext};
use crate::pure::recipe::{Guard, GuardAnswer, GuardMode};
use crate::runtime::model::PlainEndpoint;
use crate::runtime::project::Transports;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The time since 1970. Only the command line reads the clock, so it passes this in.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// What a guard is made of.
pub struct GuardSetup {
    /// The settings of `[guard]`.
    pub settings: Guard,
    /// Who may ask, and the constitution that each is judged by.
    pub clients: Vec<GuardClient>,
    /// The way to the judge.
    pub transports: Transports,
    /// The way to the model that is guarded.
    pub upstream: PlainEndpoint,
    /// How long the upstream may be silent.
    pub patience: Duration,
    /// The audit, if one is written.
    pub audit: Option<AuditLog>,
    /// The time.
    pub clock: Clock,
}

impl fmt::Debug for GuardSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardSetup").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Somebody who may ask.
#[derive(Debug)]
pub struct GuardClient {
    /// The token that is brought; without one anybody may ask who can reach the guard.
    pub token: Option<SecretString>,
    /// What is judged by.
    pub policy: Policy,
}

/// A constitution in force.
#[derive(Debug)]
pub struct Policy {
    /// The application whose it is, where it has a name.
    pub app: Option<String>,
    /// What the judge is asked with.
    pub context: MethodContext,
    /// Its id and version, for people.
    pub name: String,
    /// The hash of what it means.
    pub sha256: String,
    /// What is found without a model.
    pub rules: GuardRules,
}

impl Policy {
    /// The policy of a context; an error says which of its rules cannot be used.
    pub fn new(context: MethodContext) -> Result<Self, String> {
        let constitution = &context.constitution;
        let rules = GuardRules::new(constitution)?;
        let name = format!("{} {}", constitution.id, constitution.version);
        let sha256 = constitution.sha256();
        Ok(Self { app: None, context, name, sha256, rules })
    }

    /// What the words in place of an answer go by.
    pub(super) fn wording<'a>(&'a self, answer: &'a GuardAnswer, turns: &'a [GuardTurn]) -> Wording<'a> {
        let MethodContext { constitution, taxonomy, .. } = &self.context;
        Wording { answer, styles: &constitution.styles, taxonomy, turns }
    }
}

/// What all requests share.
pub(super) struct Shared {
    pub(super) settings: Guard,
    clients: Vec<Client>,
    pub(super) transports: Transports,
    pub(super) upstream: PlainEndpoint,
    pub(super) patience: Duration,
    audit: Option<AuditLog>,
    clock: Clock,
    metrics: Mutex<Metrics>,
    /// Requests in flight; they outlive the handlers that took them in.
    pub(super) tasks: TaskTracker,
    /// Cancelled when what is in flight is given up.
    pub(super) stop: CancellationToken,
    pub(super) is_draining: AtomicBool,
    held: AtomicU64,
    started: Duration,
    taken: AtomicU64,
}

/// Somebody who may ask. Hashes of tokens are compared, so that the time it takes tells nothing of a token.
struct Client {
    token: Option<[u8; 32]>,
    policy: RwLock<Arc<Policy>>,
}

impl Client {
    fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn hashed(token: &str) -> [u8; 32] {
    Parts::new("guard token").with(token).bytes()
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(setup: GuardSetup) -> Self {
        let GuardSetup { settings, clients, transports, upstream, patience, audit, clock } = setup;
        let client = |GuardClient { token, policy }| {
            let token = token.map(|token| hashed(token.expose_secret()));
            Client { token, policy: RwLock::new(Arc::new(policy)) }
        };
        let started = clock();
        Self {
            settings,
            clients: clients.into_iter().map(client).collect(),
            transports,
            upstream,
            patience,
            audit,
            clock,
            metrics: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            is_draining: AtomicBool::new(false),
            held: AtomicU64::new(0),
            started,
            taken: AtomicU64::new(0),
        }
    }

    /// The policy in force for whoever brings this token, if he may ask. A request keeps the one that it began with.
    pub(super) fn policy_for(&self, token: Option<&str>) -> Option<Arc<Policy>> {
        let brought = token.map(hashed);
        let client = self.clients.iter().find(|client| client.token.is_none() || client.token == brought)?;
        Some(client.policy())
    }

    /// The policy of the first client.
    pub(super) fn first_policy(&self) -> Option<Arc<Policy>> {
        self.clients.first().map(Client::policy)
    }

    /// Puts other policies in force, in the order of the clients.
    pub(super) fn replace_policies(&self, policies: Vec<Policy>) {
        for (client, policy) in self.clients.iter().zip(policies) {
            *client.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
        }
    }

    pub(super) fn is_shadow(&self) -> bool {
        self.settings.mode == GuardMode::Shadow
    }

    /// An id that no other request has.
    pub(super) fn next_id(&self) -> String {
        let n = self.taken.fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(self.started.as_nanos()).unwrap_or(u64::MAX);
        format!("g{}", Parts::new("guard request").with_u64(nanos).with_u64(n).short())
    }

    pub(super) fn seconds(&self) -> u64 {
        (self.clock)().as_secs()
    }

    pub(super) fn now(&self) -> String {
        utc((self.clock)())
    }

    pub(super) fn count(&self, counter: Counter, labels: &[&str]) {
        self.measure(|metrics| metrics.count(counter, labels));
    }

    pub(super) fn measure(&self, change: impl FnOnce(&mut Metrics)) {
        change(&mut self.metrics.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// So many bytes more, or less, are held back.
    pub(super) fn holds(&self, before: usize, now: usize) {
        if now >= before {
            self.held.fetch_add((now - before) as u64, Ordering::Relaxed);
        } else {
            self.held.fetch_sub((before - now) as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn rendered_metrics(&self) -> String {
        let metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        let in_flight = self.tasks.len() as u64;
        let policy = self.first_policy();
        let name = policy.as_ref().map_or("none", |policy| &policy.name);
        metrics.render(name, in_flight, self.held.load(Ordering::Relaxed))
    }

    /// Writes a line of the audit; whether it stands there.
    pub(super) fn write_audit(&self, record: &impl Serialize) -> bool {
        let Some(audit) = &self.audit else { return true };
        match audit.write(&audit::line(record), &self.now()) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the audit cannot be written");
                self.count(Counter::AuditFailed, &[]);
                false
            }
        }
    }
}
