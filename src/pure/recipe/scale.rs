//! `[scale]`: one run spread over many processes.

use super::{Budget, Limits, is_default};
use crate::pure::shard::{Shard, ShardChoice};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[scale]`: one run spread over many processes, and what becomes of it when one is lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scale {
    /// The shard of the run that this process works on: `"3/64"`, counted from 0; or `"auto"`, which asks the variables of
    /// Slurm and Kubernetes. The whole run when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub shard: Option<ShardChoice>,
    /// How many processes work at the same time: `limits.rpm` and `limits.tpm` are divided among them. The number of shards
    /// when absent. The budget is divided among the shards.
    #[serde(skip_serializing_if = "is_default")]
    pub workers: Option<u32>,
    /// A folder on shared storage where a copy of the answers goes, so that another machine can go on with the run.
    #[serde(skip_serializing_if = "is_default")]
    pub mirror: Option<String>,
    /// Seconds between two parts of the copy: at most so many seconds of answers are asked again when a machine is lost.
    pub mirror_every_s: f64,
    /// Seconds that calls in flight may take after a signal to stop.
    pub grace_s: f64,
}

impl Default for Scale {
    fn default() -> Self {
        Self { shard: None, workers: None, mirror: None, mirror_every_s: 10.0, grace_s: 25.0 }
    }
}

impl Scale {
    /// The shard, once it is known which.
    pub fn shard(&self) -> Option<Shard> {
        match self.shard {
            Some(ShardChoice::One(shard)) => Some(shard),
            Some(ShardChoice::Auto) | None => None,
        }
    }

    /// This process's part of limits that all processes share. A limit that is too small to be divided is named.
    pub fn part_of(&self, limits: &Limits) -> Result<Limits, String> {
        let Some(shard) = self.shard() else { return Ok(limits.clone()) };
        let workers = self.workers.unwrap_or(shard.count());
        let part = |name: &str, whole: Option<u32>| match whole {
            Some(whole) if whole < workers => {
                Err(format!("`limits.{name}` is {whole}, too little to be divided among {workers} workers"))
            }
            whole => {
                Ok(whole.map(|whole| u32::try_from(shard.share(whole.into(), workers)).unwrap_or(u32::MAX)))
            }
        };
        Ok(Limits { rpm: part("rpm", limits.rpm)?, tpm: part("tpm", limits.tpm)?, ..limits.clone() })
    }
}

impl Scale {
    /// This process's part of a budget that all shards share.
    #[must_use]
    pub fn part_of_budget(&self, budget: &Budget) -> Budget {
        match self.shard() {
            None => budget.clone(),
            Some(shard) => budget.divided(|whole| shard.share(whole, shard.count()), shard.count()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_divided_without_a_remainder() {
        let limits = Limits { rpm: Some(1000), tpm: Some(7), ..Limits::default() };
        let parts: Vec<Limits> = Shard::all(7)
            .map(|shard| {
                Scale { shard: Some(ShardChoice::One(shard)), ..Scale::default() }.part_of(&limits).unwrap()
            })
            .collect();
        assert_eq!(
            parts.iter().map(|part| part.rpm.unwrap()).collect::<Vec<_>>(),
            [143, 143, 143, 143, 143, 143, 142]
        );
        assert!(parts.iter().all(|part| part.tpm == Some(1)));
        let budget = Budget { calls: Some(100), tokens: Some(50), money: Some(7.0), time_s: Some(60.0) };
        let part = |shard| {
            Scale { shard: Some(ShardChoice::One(shard)), ..Scale::default() }.part_of_budget(&budget)
        };
        let of_shards: Vec<Budget> = Shard::all(7).map(part).collect();
        assert_eq!(of_shards.iter().map(|part| part.calls.unwrap()).sum::<u64>(), 100);
        assert_eq!(of_shards.iter().map(|part| part.tokens.unwrap()).sum::<u64>(), 50);
        assert!(of_shards.iter().all(|part| (part.money, part.time_s) == (Some(1.0), Some(60.0))));
        assert_eq!(Scale::default().part_of_budget(&budget), budget);
    }

    #[test]
    fn a_limit_too_small_for_the_workers_is_named() {
        let limits = Limits { rpm: Some(3), ..Limits::default() };
        let scale = Scale { shard: "0/4".parse().ok(), ..Scale::default() };
        assert!(scale.part_of(&limits).unwrap_err().contains("`limits.rpm` is 3"));
        let scale = Scale { workers: Some(3), ..scale };
        assert_eq!(scale.part_of(&limits).unwrap().rpm, Some(1));
        assert_eq!(Scale::default().part_of(&limits), Ok(limits));
    }
}
