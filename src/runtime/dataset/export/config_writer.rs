//! One config of a dataset: leaves out repeats and boilerplate, shuffles where a trainer needs it, and writes.

use super::files::{SplitFiles, Written};
use super::forms::OpenAi;
use super::staging::Spill;
use super::stats::Stats;
use super::{ExportError, Job};
use crate::pure::digest::Parts;
use crate::pure::reason::Reason;
use crate::pure::recipe::{Export, SoftLabels};
use crate::runtime::dataset::rows::{Config, Row, Value};
use crate::runtime::dataset::splits::{SPLITS, key_of};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::mpsc::Receiver;

/// Rows of one transcript in one config, all of one split.
pub(super) type Batch = (usize, Vec<Row>);

/// A config in the making.
pub(super) struct Table<'a> {
    config: Config,
    root: &'a Path,
    settings: &'a Export,
    files: BTreeMap<usize, SplitFiles>,
    stats: BTreeMap<usize, Stats>,
    openai: OpenAi<'a>,
    shuffled: Option<Spill>,
    written: HashSet<u64>,
    replies: HashMap<u64, u32>,
    drops: BTreeMap<Reason, u64>,
}

/// A config that is written.
pub(super) struct Filled {
    /// Its files.
    pub(super) files: Vec<Written>,
    /// Statistics of its splits.
    pub(super) stats: BTreeMap<usize, Stats>,
    /// Rows left out here, by reason.
    pub(super) drops: BTreeMap<Reason, u64>,
}

impl<'a> Table<'a> {
    /// An empty one.
    pub(super) fn new(config: Config, job: &Job<'a>) -> Self {
        Self {
            config,
            root: job.root,
            settings: job.settings,
            files: BTreeMap::new(),
            stats: BTreeMap::new(),
            openai: OpenAi::new(job.root, job.settings.batch_model.as_deref()),
            shuffled: None,
            written: HashSet::new(),
            replies: HashMap::new(),
            drops: BTreeMap::new(),
        }
    }

    /// Writes all rows that come.
    pub(super) fn fill(mut self, batches: &Receiver<Batch>) -> Result<Filled, ExportError> {
        for (split, rows) in batches {
            for row in rows {
                self.take(&row, split)?;
            }
        }
        if let Some(spill) = self.shuffled.take() {
            spill.read_sorted(self.config, |row, split| self.write(&row, split))?;
        }
        let mut files = self.openai.finish()?;
        for (split, written) in self.files {
            if let Some(stats) = self.stats.get_mut(&split) {
                stats.bytes = written.value_bytes;
            }
            files.extend(written.finish()?);
        }
        Ok(Filled { files, stats: self.stats, drops: self.drops })
    }

    fn take(&mut self, row: &Row, split: usize) -> Result<(), ExportError> {
        if let Some(reason) = self.why_left_out(row) {
            *self.drops.entry(reason).or_default() += 1;
            return Ok(());
        }
        self.stats.entry(split).or_default().add(row);
        // TRL's KTO takes a neighbour's reply as the unrelated one, so a prompt's rows must not be neighbours.
        if matches!(self.config, Config::Kto | Config::KtoFlat) {
            let spill = match &mut self.shuffled {
                Some(spill) => spill,
                none => none.insert(Spill::create(self.root, self.config)?),
            };
            return spill.push(row, split);
        }
        self.write(row, split)
    }

    fn why_left_out(&mut self, row: &Row) -> Option<Reason> {
        let trains = !matches!(self.config, Config::Prompts | Config::Transcripts | Config::Critique);
        if trains && self.is_repeat(row) {
            return Some(Reason::Repeat);
        }
        (self.config == Config::Sft && self.is_boilerplate(row)).then_some(Reason::Boilerplate)
    }

    /// Whether the same texts were written in this config before. Copies that soft labels ask for are no repeats.
    fn is_repeat(&mut self, row: &Row) -> bool {
        let columns = ["prompt", "chosen", "rejected", "completion", "messages", "response", "label"];
        let mut parts = Parts::new("repeat");
        for name in columns {
            parts = match row.get(name) {
                Value::Messages(chat) => chat.iter().fold(parts.with("messages"), |parts, message| {
                    parts.with(message.role.as_str()).with(&message.content)
                }),
                Value::Text(text) => parts.with("text").with(text),
                other @ (Value::Null
                | Value::Texts(_)
                | Value::Bool(_)
                | Value::Int(_)
                | Value::Float(_)
                | Value::Struct(_)) => parts.with(format!("{other:?}")),
            };
        }
        if matches!(self.settings.soft_labels, SoftLabels::Expand(_)) {
            parts = parts.with(format!("{:?}", row.get("id")));
        }
        !self.written.insert(parts.uniform())
    }

    fn is_boilerplate(&mut self, row: &Row) -> bool {
        let Value::Messages(reply) = row.get("completion") else { return false };
        let count = self.replies.entry(key_of(reply.last_text().unwrap_or(""))).or_default();
        *count += 1;
        self.settings.max_same_reply > 0 && *count > self.settings.max_same_reply
    }

    fn write(&mut self, row: &Row, split: usize) -> Result<(), ExportError> {
        let name = SPLITS.get(split).copied().unwrap_or("train");
        self.openai.write(row, name)?;
        let (root, bytes) = (self.root, self.settings.shard_bytes);
        let files =
            self.files.entry(split).or_insert_with(|| SplitFiles::new(root, self.config, name, bytes));
        files.write(row)
    }
}
