//! `[budget]`: what a run may spend before it stops in order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run may spend, in all passes together. When something is used up nothing new is asked, what is in flight is finished and
/// kept, and running again with more goes on. Absent means no limit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Calls. `limits.max_calls` is its older name.
    pub calls: Option<u64>,
    /// Tokens of requests and answers together. Of an endpoint that counts none, a token is four bytes.
    pub tokens: Option<u64>,
    /// Money, in the currency of `price` under `[models]`, which every model then needs.
    pub money: Option<f64>,
    /// Seconds that one pass may take, of this command and not of those before it.
    pub time_s: Option<f64>,
}

impl Budget {
    /// Whether it depends on how many tokens earlier passes took.
    pub fn counts_tokens(&self) -> bool {
        self.tokens.is_some() || self.money.is_some()
    }

    /// The part of each of so many shards. Time is not divided: they work side by side.
    #[must_use]
    pub fn divided(&self, share: impl Fn(u64) -> u64, shards: u32) -> Self {
        Self {
            calls: self.calls.map(&share),
            tokens: self.tokens.map(&share),
            money: self.money.map(|whole| whole / f64::from(shards.max(1))),
            time_s: self.time_s,
        }
    }
}
