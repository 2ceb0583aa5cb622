//! `[scale]`: the part of a run that one process works on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[scale]`: the part of a run that one process works on, where several share it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scale {
    /// `3/64`, counted from 0, or `auto`: what the scheduler's environment says.
    pub shard: Option<String>,
    /// What `limits.rpm`, `tpm` and `max_calls` are divided by; the number of shards when absent.
    pub workers: Option<u32>,
}
