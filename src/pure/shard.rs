//! Shards: which part of a run's prompts one process works on, where N of them share the work.
//!
//! A prompt belongs to the shard that the hash of its id says, so that exact duplicates meet in one; a row that cannot be read
//! belongs to the shard that the hash of its place says. The number of shards and their order change no byte of what is merged.

use crate::pure::digest::Parts;

/// One shard of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard {
    /// Its number, from 0.
    pub index: u32,
    /// How many there are, 1 or more.
    pub count: u32,
}

impl Shard {
    /// Whether this shard has the prompt of this id, or the row at this place.
    pub fn holds(self, key: &str) -> bool {
        Parts::new("shard").with(key).uniform() % u64::from(self.count.max(1)) == u64::from(self.index)
    }

    /// The name of its folder: `shard-0003-of-0064`.
    pub fn folder(self) -> String {
        format!("shard-{:04}-of-{:04}", self.index, self.count)
    }

    /// The shard of a folder of this name.
    pub fn of_folder(name: &str) -> Option<Self> {
        let (index, count) = name.strip_prefix("shard-")?.split_once("-of-")?;
        let shard = Self { index: index.parse().ok()?, count: count.parse().ok()? };
        (shard.folder() == name && shard.index < shard.count).then_some(shard)
    }

    /// Its part of a limit that all shards share: the remainder goes to the first ones, so that the parts add up.
    ///
    /// ```
    /// use amend::pure::shard::Shard;
    ///
    /// let parts = (0..7).map(|index| Shard { index, count: 7 }.part_of(1000));
    /// assert_eq!(parts.sum::<u64>(), 1000);
    /// ```
    pub fn part_of(self, limit: u64) -> u64 {
        let count = u64::from(self.count.max(1));
        limit / count + u64::from(u64::from(self.index) < limit % count)
    }

    /// The shard that the environment of a scheduler says: a Slurm array, a Kubernetes Indexed Job.
    ///
    /// # Errors
    ///
    /// What was looked for, where it is not there or makes no shard.
    pub fn of_environment(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let number = |name: &str| -> Result<Option<u32>, String> {
            let Some(text) = variable(name).filter(|text| !text.trim().is_empty()) else { return Ok(None) };
            text.trim()
                .parse()
                .map(Some)
                .map_err(|_| format!("`{name}` is `{}`, which is no number", text.trim()))
        };
        let told = number("AMEND_SHARDS")?;
        if let Some(task) = number("SLURM_ARRAY_TASK_ID")? {
            return Self::of_slurm(task, told, &number);
        }
        if let Some(index) = number("JOB_COMPLETION_INDEX")? {
            let count = told.ok_or(
                "a Kubernetes Indexed Job does not say how many shards there are: set `AMEND_SHARDS`",
            )?;
            return Self { index, count }.checked();
        }
        Err("neither `SLURM_ARRAY_TASK_ID` nor `JOB_COMPLETION_INDEX` is set".into())
    }

    fn of_slurm(
        task: u32,
        told: Option<u32>,
        number: &dyn Fn(&str) -> Result<Option<u32>, String>,
    ) -> Result<Self, String> {
        if let Some(count) = told {
            // An array that is started again for some tasks has another minimum: the task's number is the shard's.
            return Self { index: task, count }.checked();
        }
        let count = number("SLURM_ARRAY_TASK_COUNT")?
            .ok_or("`SLURM_ARRAY_TASK_COUNT` is not set: set `AMEND_SHARDS`")?;
        let least = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
        let most = number("SLURM_ARRAY_TASK_MAX")?;
        let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
        let fits =
            most.is_none_or(|most| most.checked_sub(least).is_some_and(|width| width / step + 1 == count));
        if least != 0 && told.is_none() || !fits {
            return Err("the array does not begin at 0, or has gaps, so that its tasks are not its shards: set `AMEND_SHARDS`".into());
        }
        let index = task.checked_sub(least).map(|from_least| from_least / step);
        let index = index.ok_or("`SLURM_ARRAY_TASK_ID` is below `SLURM_ARRAY_TASK_MIN`")?;
        Self { index, count }.checked()
    }

    fn checked(self) -> Result<Self, String> {
        if self.index < self.count {
            return Ok(self);
        }
        Err(format!("there is no shard {} of {}: they are counted from 0", self.index, self.count))
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('/')
            .and_then(|(index, count)| Some((index.trim().parse().ok()?, count.trim().parse().ok()?)));
        let (index, count) =
            parts.ok_or_else(|| format!("`{text}` is no shard such as `3/64`, and not `auto`"))?;
        Self { index, count }.checked()
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_prompt_is_in_exactly_one_shard_and_limits_add_up() {
        for count in [1, 3, 64] {
            let shards: Vec<Shard> = (0..count).map(|index| Shard { index, count }).collect();
            for n in 0..500 {
                let key = format!("prompt {n}");
                assert_eq!(shards.iter().filter(|shard| shard.holds(&key)).count(), 1);
            }
            for limit in [0, 1, 63, 64, 1000] {
                assert_eq!(shards.iter().map(|shard| shard.part_of(limit)).sum::<u64>(), limit);
            }
            for shard in shards {
                assert_eq!(Shard::of_folder(&shard.folder()), Some(shard));
                assert_eq!(shard.to_string().parse(), Ok(shard));
            }
        }
        for wrong in ["", "3", "3/", "3/3", "a/b", "-1/3", "0/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        assert_eq!(Shard::of_folder("shard-3-of-64"), None);
    }

    #[test]
    fn a_scheduler_says_the_shard_or_it_is_told_what_was_looked_for() {
        let check = |set: &[(&str, &str)], expected: Result<(u32, u32), &str>| {
            let set: BTreeMap<&str, &str> = set.iter().copied().collect();
            let found = Shard::of_environment(&|name: &str| set.get(name).map(ToString::to_string));
            match (found, expected) {
                (Ok(shard), Ok(expected)) => assert_eq!((shard.index, shard.count), expected, "{set:?}"),
                (Err(told), Err(part)) => assert!(told.contains(part), "{told}: {part}"),
                (found, expected) => panic!("{set:?}: {found:?} is not {expected:?}"),
            }
        };
        let (id, count, min, max) =
            ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX");
        check(&[], Err("neither"));
        check(&[(id, "")], Err("neither"));
        check(&[(id, "three")], Err("no number"));
        check(&[(id, "3")], Err("SLURM_ARRAY_TASK_COUNT"));
        check(&[(id, "3"), (count, "8"), (min, "0"), (max, "7")], Ok((3, 8)));
        check(&[(id, "6"), (count, "4"), (min, "0"), (max, "6"), ("SLURM_ARRAY_TASK_STEP", "2")], Ok((3, 4)));
        // An array that was started again for the tasks 3 and 7 only.
        check(&[(id, "7"), (count, "2"), (min, "3"), (max, "7")], Err("AMEND_SHARDS"));
        check(&[(id, "7"), (count, "2"), (min, "3"), (max, "7"), ("AMEND_SHARDS", "8")], Ok((7, 8)));
        check(&[(id, "0"), (count, "2"), (min, "0"), (max, "7")], Err("gaps"));
        check(&[(id, "8"), ("AMEND_SHARDS", "8")], Err("no shard 8 of 8"));
        check(&[("JOB_COMPLETION_INDEX", "5")], Err("AMEND_SHARDS"));
        check(&[("JOB_COMPLETION_INDEX", "5"), ("AMEND_SHARDS", "6")], Ok((5, 6)));
        check(&[("JOB_COMPLETION_INDEX", "5"), ("AMEND_SHARDS", "")], Err("AMEND_SHARDS"));
    }
}
