//! Threads that look at rows side by side, for as long as an audit goes on: the automata of the refusal phrases are built once
//! for each thread, not once for each batch.

use super::between_rows::{RowHashes, spoken};
use super::holdout::Holdout;
use super::layout::Layout;
use crate::pure::audit::{Code, Cuts, Found, Item, Name, Shape, findings};
use crate::pure::text::minhash::Signature;
use crate::runtime::dataset::export::near_duplicates::PromptKeys;
use crate::runtime::dataset::readers::Row;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

/// A row, or the reason and the detail of why it cannot be read.
pub(super) type ReadRow = Result<Row, (String, String)>;

/// What rows are looked at with.
pub(super) struct Looker<'a> {
    pub(super) shape: Shape,
    pub(super) cuts: &'a Cuts,
    pub(super) holdout: &'a Holdout,
    pub(super) layouts: &'a [Layout],
    /// Whether families of prompts are looked for.
    pub(super) needs_said: bool,
}

/// A row with what was found in it.
pub(super) enum Looked {
    Row {
        item: Box<Item>,
        found: Found,
        hashes: RowHashes,
        spoken: Option<Box<Signature>>,
        said: Option<Box<PromptKeys>>,
    },
    Bad(String),
}

/// The threads, each with its own two channels.
pub(super) struct Workers(Vec<Worker>);

struct Worker {
    jobs: SyncSender<(usize, Vec<ReadRow>)>,
    results: Receiver<Vec<Looked>>,
}

impl Workers {
    /// As many threads as there are cores.
    pub(super) fn start<'scope>(scope: &'scope Scope<'scope, '_>, looker: &'scope Looker<'scope>) -> Self {
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let start = |_| {
            let (jobs, todo) = sync_channel::<(usize, Vec<ReadRow>)>(1);
            let (done, results) = sync_channel(1);
            scope.spawn(move || {
                for (layout, rows) in todo {
                    let looked = rows.into_iter().map(|row| looker.look_at(layout, row)).collect();
                    if done.send(looked).is_err() {
                        return;
                    }
                }
            });
            Worker { jobs, results }
        };
        Self((0..threads).map(start).collect())
    }

    /// Hands rows out; gives how many went to each thread.
    pub(super) fn begin(&self, layout: usize, rows: Vec<ReadRow>) -> Vec<usize> {
        let share = rows.len().div_ceil(self.0.len()).max(1);
        let mut rest = rows;
        let mut counts = Vec::new();
        for worker in &self.0 {
            let after = rest.split_off(share.min(rest.len()));
            let own = std::mem::replace(&mut rest, after);
            counts.push(own.len());
            // A thread that is gone has panicked; its results will not come either.
            let _ = worker.jobs.send((layout, own));
        }
        counts
    }

    /// What was found, in the order of the rows.
    pub(super) fn end(&self, counts: &[usize]) -> Vec<Looked> {
        let gone = |count: usize| {
            (0..count).map(|_| Looked::Bad("a bug of amend: the row could not be looked at".into())).collect()
        };
        let results = self.0.iter().zip(counts);
        results.flat_map(|(worker, count)| worker.results.recv().unwrap_or_else(|_| gone(*count))).collect()
    }
}

impl Looker<'_> {
    fn look_at(&self, layout: usize, row: ReadRow) -> Looked {
        let row = match row {
            Ok(row) => row,
            Err((reason, detail)) => return Looked::Bad(format!("{reason}: {detail}")),
        };
        let item = match self.layouts.get(layout).map(|layout| layout.item(&row.columns)) {
            Some(Ok(item)) => item,
            Some(Err(why)) => return Looked::Bad(why),
            None => return Looked::Bad("its file has no layout".into()),
        };
        let mut found = findings(&item, self.shape, self.cuts);
        let texts = item.replies.iter().map(|reply| reply.text.as_str()).chain([item.said.as_str()]);
        if texts.into_iter().any(|text| self.holdout.meets(text)) {
            found.codes.insert(Name::Code(Code::HoldoutLeak));
        }
        let said = self.needs_said.then(|| Box::new(PromptKeys::of(&item.said)));
        Looked::Row {
            hashes: RowHashes::of(&item),
            spoken: Signature::of(&spoken(&item)).map(Box::new),
            said,
            found,
            item: Box::new(item),
        }
    }
}
