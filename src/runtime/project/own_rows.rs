//! The rows of the input that a process works on: all of them, or those of its shard.
//!
//! Every process of a run reads the whole input and keeps its own rows. What it read is noted as a count and a hash, so that a
//! merge can tell whether all shards read the same.

use crate::pure::digest::Parts;
use crate::pure::shard::Shard;
use crate::runtime::dataset::prompts::Row;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};

/// The fact of a journal that says what its run read.
pub(super) const FACT: &str = "input_read";

/// What a process read: all rows, those of others too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InputRead {
    /// How many rows.
    pub(super) rows: u64,
    /// A hash of their ids, and of what is wrong with those that hold no prompt.
    pub(super) hash: String,
}

/// The rows of a shard, out of all rows.
#[derive(Debug)]
pub(super) struct OwnRows<I> {
    rows: I,
    shard: Option<Shard>,
    number: u64,
    ids: Parts,
    read: Arc<OnceLock<InputRead>>,
}

impl<I> OwnRows<I> {
    pub(super) fn new(rows: I, shard: Option<Shard>) -> Self {
        Self { rows, shard, number: 0, ids: Parts::new("input"), read: Arc::default() }
    }

    /// What was read, once it was read to its end; nothing where the run has no shards.
    pub(super) fn read(&self) -> Arc<OnceLock<InputRead>> {
        Arc::clone(&self.read)
    }

    fn is_own(&mut self, row: &Row, shard: Shard) -> bool {
        let ids = std::mem::take(&mut self.ids);
        let number = self.number;
        self.number += 1;
        let (ids, is_own) = match row {
            Row::Prompt { prompt, .. } => (ids.with(&prompt.id.0), shard.holds(&prompt.id)),
            // Its place names a file, which may have another path on another machine.
            Row::Reject(reject) => (ids.with(reject.reason.as_str()), shard.holds_row(number)),
        };
        self.ids = ids;
        is_own
    }
}

impl<I: Iterator<Item = Row>> Iterator for OwnRows<I> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let Some(shard) = self.shard else { return self.rows.next() };
        loop {
            let Some(row) = self.rows.next() else {
                let hash = std::mem::take(&mut self.ids).hex();
                let _ = self.read.set(InputRead { rows: self.number, hash });
                return None;
            };
            if self.is_own(&row, shard) {
                return Some(row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::prompt::Prompt;
    use crate::pure::reason::Reason;
    use crate::pure::reject::Reject;

    fn rows() -> Vec<Row> {
        let row = |n: u64| match n % 5 {
            4 => Row::Reject(Reject {
                prompt_id: None,
                at: Some(format!("p:{n}")),
                reason: Reason::Empty,
                detail: String::new(),
            }),
            // Every prompt comes twice.
            _ => Row::Prompt { prompt: Prompt::single(format!("{}", n / 2)), at: format!("p:{n}") },
        };
        (0..200).map(row).collect()
    }

    #[test]
    fn shards_part_the_rows_in_their_order_and_read_the_same() {
        for count in [1, 3, 64] {
            let mut met = Vec::new();
            let mut read = Vec::new();
            for shard in Shard::all(count) {
                let mut own = OwnRows::new(rows().into_iter(), Some(shard));
                let told = own.read();
                let places = |row: &Row| rows().iter().position(|other| other == row).unwrap();
                let of_shard: Vec<usize> = own.by_ref().map(|row| places(&row)).collect();
                assert!(of_shard.is_sorted());
                met.extend(of_shard);
                read.push(told.get().unwrap().clone());
            }
            met.sort_unstable();
            assert_eq!(met, (0..200).collect::<Vec<_>>(), "{count} shards");
            assert!(read.iter().all(|read| *read == read.clone() && read.rows == 200));
            assert!(read.windows(2).all(|two| two[0] == two[1]));
        }
    }

    #[test]
    fn without_shards_every_row_comes() {
        let own = OwnRows::new(rows().into_iter(), None);
        let told = own.read();
        assert_eq!(own.count(), 200);
        assert_eq!(told.get(), None);
    }
}
