//! Seeded chance of the simulated world: every draw is a hash of its name and of what it is about.

use crate::pure::digest::Parts;

/// A source of seeded chance; two draws with different names are independent.
#[derive(Debug, Clone)]
pub(super) struct Draw(Parts);

impl Draw {
    pub(super) fn new(name: &str) -> Self {
        Self(Parts::new("sim").with(name))
    }

    #[must_use]
    pub(super) fn with(&self, part: impl AsRef<[u8]>) -> Self {
        Self(self.0.clone().with(part))
    }

    #[must_use]
    pub(super) fn with_u64(&self, part: u64) -> Self {
        Self(self.0.clone().with_u64(part))
    }

    pub(super) fn unit(&self, name: &str) -> f64 {
        self.0.clone().with(name).unit()
    }

    pub(super) fn happens(&self, name: &str, rate: f64) -> bool {
        self.unit(name) < rate
    }

    /// A number below `count`; 0 when there is nothing to choose from.
    pub(super) fn below(&self, name: &str, count: usize) -> usize {
        let count = u64::try_from(count.max(1)).unwrap_or(1);
        usize::try_from(self.0.clone().with(name).uniform() % count).unwrap_or(0)
    }

    /// Four hexadecimal characters.
    pub(super) fn short(&self) -> String {
        self.0.clone().short().chars().take(4).collect()
    }
}
