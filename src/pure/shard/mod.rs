//! Shards: which of N processes a prompt belongs to, where a shard lives, and what its share of a limit is.
//!
//! A prompt belongs to the shard that its id's hash names, so that every copy of it meets in one shard. A row that holds no
//! prompt belongs to the shard of its number. Nothing else decides: every process finds the same by itself.

mod scheduler;

pub use scheduler::{JOB_VARIABLES, VARIABLES, find};

use crate::pure::digest::Parts;
use crate::pure::prompt::PromptId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most shards of a run: their numbers have four digits in names.
pub const MOST: u32 = 9999;

/// One shard of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// Shard `index`, counted from 0, of `count`.
    pub fn new(index: u32, count: u32) -> Result<Self, String> {
        if count == 0 || count > MOST {
            return Err(format!("a run has 1 to {MOST} shards, not {count}"));
        }
        if index >= count {
            return Err(format!(
                "there is no shard {index} of {count}: shards are counted from 0, so the last one is {}",
                count - 1
            ));
        }
        Ok(Self { index, count })
    }

    /// Its number, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many shards there are.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Every shard of so many.
    pub fn all(count: u32) -> impl Iterator<Item = Self> {
        (0..count).map(move |index| Self { index, count })
    }

    /// The shard that a prompt belongs to, of so many.
    pub fn of_prompt(id: &PromptId, count: u32) -> u32 {
        let at = Parts::new("shard").with(&id.0).uniform() % u64::from(count.max(1));
        u32::try_from(at).unwrap_or(0)
    }

    /// Whether a prompt is this shard's.
    pub fn holds(self, id: &PromptId) -> bool {
        Self::of_prompt(id, self.count) == self.index
    }

    /// Whether a row that holds no prompt is this shard's, by its number in the whole input.
    pub fn holds_row(self, number: u64) -> bool {
        number % u64::from(self.count) == u64::from(self.index)
    }

    /// The name of its directory.
    pub fn dir_name(self) -> String {
        format!("shard-{:04}-of-{:04}", self.index, self.count)
    }

    /// The shard whose directory has this name.
    pub fn of_dir_name(name: &str) -> Option<Self> {
        let (index, count) = name.strip_prefix("shard-")?.split_once("-of-")?;
        let shard = Self::new(index.parse().ok()?, count.parse().ok()?).ok()?;
        (shard.dir_name() == name).then_some(shard)
    }

    /// The share of `whole` that this shard has when so many divide it. The remainder goes to the first ones, so that any so
    /// many shards in a row add up.
    pub fn share(self, whole: u64, among: u32) -> u64 {
        let among = u64::from(among.max(1));
        whole / among + u64::from(u64::from(self.index) % among < whole % among)
    }
}

/// Numbers in rising order in few words, as `sbatch --array` takes them: `0,2,4-39`.
pub fn ranges(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            Some(_) | None => ranges.push((number, number)),
        }
    }
    let written = |(first, last): (u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.into_iter().map(written).collect::<Vec<_>>().join(",")
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let written = text.split_once('/').and_then(|(index, count)| {
            let number = |text: &str| text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().ok());
            Some((number(index)??, number(count)??))
        });
        let (index, count) =
            written.ok_or_else(|| format!("`{text}` is no shard: write it as `3/64`, counted from 0"))?;
        Self::new(index, count)
    }
}

/// Which shard a process works on: one that is named, or the one that the scheduler gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardChoice {
    /// What the scheduler's variables say.
    Auto,
    /// This one.
    One(Shard),
}

impl std::fmt::Display for ShardChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::One(shard) => shard.fmt(f),
        }
    }
}

impl std::str::FromStr for ShardChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => text.parse().map(Self::One),
        }
    }
}

impl Serialize for ShardChoice {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ShardChoice {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ShardChoice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ShardChoice".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^(auto|[0-9]+/[0-9]+)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::prompt::Prompt;
    use proptest::prelude::*;

    fn shard(text: &str) -> Shard {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_no_shard_is_told() {
        for (text, says) in [
            ("64/64", "the last one is 63"),
            ("0/0", "1 to 9999 shards"),
            ("0/10000", "1 to 9999 shards"),
            ("3", "write it as `3/64`"),
            ("/3", "write it as `3/64`"),
            ("+1/3", "write it as `3/64`"),
            ("1/3/4", "write it as `3/64`"),
            ("", "write it as `3/64`"),
            ("99999999999/3", "write it as `3/64`"),
        ] {
            let told = text.parse::<Shard>().unwrap_err();
            assert!(told.contains(says), "{text}: {told}");
        }
        assert_eq!("auto".parse(), Ok(ShardChoice::Auto));
        assert_eq!("3/64".parse(), Ok(ShardChoice::One(shard("3/64"))));
    }

    #[test]
    fn a_directory_names_its_shard_and_nothing_else_does() {
        assert_eq!(shard("3/64").dir_name(), "shard-0003-of-0064");
        assert_eq!(Shard::of_dir_name("shard-0003-of-0064"), Some(shard("3/64")));
        for name in ["shard-3-of-64", "shard-0064-of-0064", "shard-0003-of-0064.restoring", "dataset"] {
            assert_eq!(Shard::of_dir_name(name), None, "{name}");
        }
    }

    #[test]
    fn numbers_in_a_row_are_one_range() {
        assert_eq!(ranges(&[0, 2, 4, 5, 6, 39]), "0,2,4-6,39");
        assert_eq!(ranges(&[]), "");
    }

    #[test]
    fn shards_are_about_equal() {
        let mut counts = [0_u32; 7];
        for n in 0..7000 {
            counts[Shard::of_prompt(&Prompt::single(format!("{n}")).id, 7) as usize] += 1;
        }
        assert!(counts.iter().all(|n| (850..1150).contains(n)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn every_prompt_and_every_bad_row_has_one_shard(text in ".*", count in 1_u32..200) {
            let id = Prompt::single(text.clone()).id;
            prop_assert_eq!(Shard::all(count).filter(|shard| shard.holds(&id)).count(), 1);
            let number = text.len() as u64;
            prop_assert_eq!(Shard::all(count).filter(|shard| shard.holds_row(number)).count(), 1);
        }

        #[test]
        fn shares_add_up_over_any_so_many_shards_in_a_row(
            whole in 0_u64..1_000_000, among in 1_u32..80, from in 0_u32..80,
        ) {
            let sum: u64 = (from..from + among)
                .map(|index| Shard::new(index, 200).unwrap().share(whole, among))
                .sum();
            prop_assert_eq!(sum, whole);
        }
    }
}
