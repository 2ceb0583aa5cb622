//! The flags that spread a run over many processes, and what they mean for a recipe.

use super::Failure;
use crate::pure::recipe::Recipe;
use crate::pure::shard::{JOB_VARIABLES, Shard, ShardChoice, find};
use crate::runtime::project::Beginning;
use crate::runtime::project::models::environment_variable;

/// One run over many processes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Scale")]
pub(super) struct ScaleArgs {
    /// Work on one shard of the run, such as 3/64, counted from 0; auto asks Slurm's and Kubernetes' variables
    #[arg(long, value_name = "I/N|auto")]
    shard: Option<ShardChoice>,
    /// How many processes work at the same time and share --rpm and --tpm [default: the number of shards]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    workers: Option<u32>,
    /// Keep a copy of the answers in this folder on shared storage; without a run directory, go on from it
    #[arg(long, value_name = "DIR")]
    mirror: Option<String>,
    /// How often the copy is brought up to date [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    mirror_every: Option<f64>,
    /// After Ctrl-C, SIGTERM or SIGHUP, wait so long for calls in flight [default: 25s]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    grace: Option<f64>,
    /// Where another process writes the run, wait until it has ended
    #[arg(long)]
    wait: bool,
    /// Stop as after SIGTERM when the process that started this one ends (Linux)
    #[arg(long)]
    die_with_parent: bool,
}

/// `25`, `25s`, `500ms` or `2m`, in seconds.
fn seconds(text: &str) -> Result<f64, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)];
    let read = units.iter().find_map(|(unit, seconds)| {
        let number: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        Some(number * seconds)
    });
    let most = 86_400.0;
    read.filter(|seconds| (0.0..=most).contains(seconds))
        .ok_or_else(|| "write it as `25s`, `500ms` or `2m`, up to a day".into())
}

impl ScaleArgs {
    /// Lays the flags over the recipe, and finds the shard where the scheduler is to say it.
    pub(super) fn apply(&self, recipe: &mut Recipe) -> Result<(), Failure> {
        let scale = &mut recipe.scale;
        scale.shard = self.shard.or(scale.shard);
        scale.workers = self.workers.or(scale.workers);
        if let Some(mirror) = &self.mirror {
            scale.mirror = Some(mirror.clone());
        }
        if self.mirror_every.is_some_and(|every| every < 0.1) {
            return Err(Failure::usage("`--mirror-every` is too short: 100ms is the shortest"));
        }
        scale.mirror_every_s = self.mirror_every.unwrap_or(scale.mirror_every_s);
        scale.grace_s = self.grace.unwrap_or(scale.grace_s);
        resolve_auto(recipe)
    }

    /// How the run begins.
    pub(super) fn beginning(&self) -> Result<Beginning, Failure> {
        if self.die_with_parent {
            die_with_parent()?;
        }
        let job =
            JOB_VARIABLES.iter().find_map(|name| Some(format!("{name}={}", environment_variable(name)?)));
        Ok(Beginning { wait: self.wait, job })
    }
}

/// Puts the shard that the scheduler's variables say in the place of `auto`.
pub(super) fn resolve_auto(recipe: &mut Recipe) -> Result<(), Failure> {
    if recipe.scale.shard == Some(ShardChoice::Auto) {
        recipe.scale.shard = Some(ShardChoice::One(by_variables()?));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "schedulers say in the environment which task a process is")]
fn by_variables() -> Result<Shard, Failure> {
    // Not `environment_variable`, for which an empty one is as good as none.
    find(&|name| std::env::var(name).ok()).map_err(Failure::usage)
}

/// Asks the system for SIGTERM when the parent ends.
#[cfg(target_os = "linux")]
fn die_with_parent() -> Result<(), Failure> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    let parent = getppid();
    set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|error| Failure::disk(format!("`--die-with-parent`: {error}")))?;
    // It may have ended just before.
    if getppid() == parent {
        return Ok(());
    }
    Err(Failure::new(super::failure::Kind::Interrupted, "the process that started this one has ended"))
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent() -> Result<(), Failure> {
    Err(Failure::usage("`--die-with-parent` needs Linux"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, read) in
            [("25", 25.0), ("25s", 25.0), ("500ms", 0.5), ("2m", 120.0), ("0", 0.0), ("1.5 s", 1.5)]
        {
            assert_eq!(seconds(text), Ok(read), "{text}");
        }
        for text in ["", "s", "-1", "2 d", "1e9", "nan", "inf"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
