//! The dataset out: rows of every config as Parquet and JSON lines, with a card, statistics and a manifest.
//!
//! Two passes over the transcripts, so that memory does not grow with their texts: the first finds prompt families,
//! the second makes rows and streams them to the writers. All is written into a folder beside the target and renamed
//! into place at the end: a crash leaves the dataset that was there. The same transcripts, in the same order, with the
//! same settings give the same bytes.
//!
//! The caller hands in the transcripts and never this module's business: it reads no journal and no clock.

mod card;
mod files;
mod forms;
mod manifest;
mod near;
mod parquet;
mod phrases;
mod place;
mod stats;

pub use manifest::{Finding, Verified, verify};

use crate::constitution::Constitution;
use crate::dataset::rows::{Config, Context, Drop, Passport, Row, Value, rows_of};
use crate::dataset::splits::{Families, Gather, SPLITS, key_of, said};
use crate::digest::sha256_hex;
use crate::recipe::{Export, Gates, Recipe};
use crate::transcript::{Ended, Transcript};
use files::{SplitFiles, Written, write_text};
use stats::Stats;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

/// Why a dataset could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The disk.
    #[error("cannot {doing} `{path}`: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The Parquet writer.
    #[error("cannot write parquet: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// The transcripts.
    #[error("cannot read transcripts: {0}")]
    Source(String),
    /// A config that does not exist.
    #[error("there is no config `{0}`; there are {names}", names = Config::ALL.map(Config::as_str).join(", "))]
    UnknownConfig(String),
    /// A setting out of range.
    #[error("{0}")]
    Setting(String),
    /// The target is something else than a dataset.
    #[error("`{0}` exists and is not a dataset of amend, so it is not replaced")]
    Occupied(PathBuf),
    /// The transcripts changed between the passes.
    #[error("the run changed while it was exported")]
    Changed,
}

impl ExportError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }
}

/// What made the transcripts.
#[derive(Debug, Clone)]
pub struct DatasetMeta {
    /// The constitution.
    pub constitution: Constitution,
    /// Its text, as it was frozen in the run.
    pub constitution_text: String,
    /// The recipe. Of it the manifest keeps what decides the rows; no path, address or limit, so that the same run
    /// gives the same bytes wherever it ran.
    pub recipe: Recipe,
    /// Whether the whole run used the simulated model.
    pub simulated: bool,
    /// What is known of the critic's and the judge's work, by the name of each figure; null where nothing was judged.
    pub judge: serde_json::Value,
}

/// The transcripts, gone through more than once, each time in the same order.
pub type Transcripts<'a> = Box<dyn Iterator<Item = Result<Transcript, String>> + 'a>;

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows by config and split.
    pub rows: BTreeMap<(Config, &'static str), u64>,
    /// Rows that could have been, by config and reason.
    pub drops: BTreeMap<(Config, String), u64>,
    /// Transcripts read.
    pub transcripts: u64,
    /// Transcripts with a usable draft: the prompts that have rows in `transcripts` and `prompts`.
    pub usable: u64,
    /// Prompt families.
    pub families: u64,
    /// Files, the manifest included.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Report {
    /// Rows per config, all splits together, in the order of the card.
    pub fn totals(&self) -> Vec<(String, u64)> {
        let total =
            |config: Config| self.rows.iter().filter(|((c, _), _)| *c == config).map(|(_, n)| n).sum::<u64>();
        let configs = Config::ALL.into_iter().filter(|c| self.rows.keys().any(|(met, _)| met == c));
        configs.map(|config| (config.as_str().to_owned(), total(config))).collect()
    }
}

impl Report {
    /// Rows that could have been and are not there: config, reason, how many; the most of a config first.
    pub fn left_out(&self) -> Vec<(String, String, u64)> {
        let mut drops: Vec<_> =
            self.drops.iter().map(|((config, reason), n)| (*config, reason, *n)).collect();
        drops.sort_by_key(|(config, reason, n)| (*config, std::cmp::Reverse(*n), *reason));
        let named =
            |(config, reason, n): (Config, &String, u64)| (config.as_str().to_owned(), reason.clone(), n);
        drops.into_iter().map(named).collect()
    }
}

/// Writes the dataset. `transcripts` is called once per pass and must give the same transcripts in the same order.
pub fn export<'a>(
    transcripts: &mut dyn FnMut() -> Result<Transcripts<'a>, String>,
    meta: &DatasetMeta,
    settings: &Export,
    gates: &Gates,
    out: &Path,
) -> Result<Report, ExportError> {
    let configs = configs_of(settings)?;
    let staging = place::Staging::begin(out)?;
    let families = gather(transcripts, meta, settings, staging.path())?;
    let mut writing = Writing::new(staging.path(), &configs, meta, settings, gates);
    writing.drain(&mut *transcripts().map_err(ExportError::Source)?, &families)?;
    let report = writing.finish(&families)?;
    staging.commit()?;
    Ok(report)
}

fn configs_of(settings: &Export) -> Result<Vec<Config>, ExportError> {
    if !(0.0..=0.4).contains(&settings.holdout) {
        return Err(ExportError::Setting(format!(
            "`holdout` is {}, and must be from 0 to 0.4",
            settings.holdout
        )));
    }
    let named = |name: &String| Config::named(name).ok_or_else(|| ExportError::UnknownConfig(name.clone()));
    let mut configs: Vec<Config> = settings.configs.iter().map(named).collect::<Result<_, _>>()?;
    configs.sort();
    configs.dedup();
    Ok(configs)
}

/// The first pass.
fn gather<'a>(
    transcripts: &mut dyn FnMut() -> Result<Transcripts<'a>, String>,
    meta: &DatasetMeta,
    settings: &Export,
    staging: &Path,
) -> Result<Families, ExportError> {
    let mut gather = Gather::default();
    let mut near = near::Near::create(staging)?;
    for transcript in transcripts().map_err(ExportError::Source)? {
        let transcript = transcript.map_err(ExportError::Source)?;
        let rich = transcript.responses.len() > 1 && !matches!(transcript.ended, Ended::NoDraft(_));
        if let Some(number) = gather.add(&transcript.prompt, rich) {
            near.add(number, &said(&transcript.prompt))?;
        }
    }
    near.unite(settings.family_similarity, &mut gather)?;
    let taught: Vec<&str> =
        meta.constitution.principles.iter().flat_map(|p| &p.examples).map(|e| e.prompt.as_str()).collect();
    Ok(gather.finish(settings.holdout, &taught))
}

/// The second pass: rows on their way to their files.
struct Writing<'a> {
    root: &'a Path,
    configs: &'a [Config],
    meta: &'a DatasetMeta,
    settings: &'a Export,
    gates: &'a Gates,
    constitution_sha256: String,
    splits: BTreeMap<(Config, usize), SplitFiles>,
    stats: BTreeMap<(Config, usize), Stats>,
    openai: forms::OpenAi,
    shuffled: BTreeMap<Config, place::Spill>,
    written: HashSet<u64>,
    replies: HashMap<u64, u32>,
    index: [i64; 3],
    report: Report,
}

impl<'a> Writing<'a> {
    fn new(
        root: &'a Path,
        configs: &'a [Config],
        meta: &'a DatasetMeta,
        settings: &'a Export,
        gates: &'a Gates,
    ) -> Self {
        Self {
            root,
            configs,
            meta,
            settings,
            gates,
            constitution_sha256: sha256_hex(meta.constitution_text.as_bytes()),
            splits: BTreeMap::new(),
            stats: BTreeMap::new(),
            openai: forms::OpenAi::new(root),
            shuffled: BTreeMap::new(),
            written: HashSet::new(),
            replies: HashMap::new(),
            index: [0; 3],
            report: Report::default(),
        }
    }

    fn drain(
        &mut self,
        transcripts: &mut dyn Iterator<Item = Result<Transcript, String>>,
        families: &Families,
    ) -> Result<(), ExportError> {
        for (at, transcript) in transcripts.enumerate() {
            let transcript = transcript.map_err(ExportError::Source)?;
            let place = families.place(at).ok_or(ExportError::Changed)?;
            self.report.transcripts += 1;
            if matches!(transcript.ended, Ended::NoDraft(_)) || transcript.responses.is_empty() {
                continue;
            }
            self.report.usable += 1;
            let context = Context {
                constitution: &self.meta.constitution,
                constitution_sha256: &self.constitution_sha256,
                seed: self.meta.recipe.seed,
                simulated: self.meta.simulated,
                export: self.settings,
                gates: self.gates,
            };
            let split = SPLITS.get(place.split).copied().unwrap_or("train");
            let index = self.index.get(place.split).copied().unwrap_or(0);
            let language = transcript.prompt.language.as_deref().unwrap_or("und");
            let passport = Passport { family: &place.family, split, language, index };
            let (rows, drops) = rows_of(&transcript, &context, &passport, self.configs);
            if let Some(index) = self.index.get_mut(place.split) {
                *index += 1;
            }
            for Drop { config, reason } in drops {
                self.count_drop(config, reason);
            }
            for row in rows {
                self.take(row, place.split)?;
            }
        }
        for (config, spill) in std::mem::take(&mut self.shuffled) {
            spill.read_sorted(config, |row, split| self.write(row, split))?;
        }
        Ok(())
    }

    fn count_drop(&mut self, config: Config, reason: &str) {
        *self.report.drops.entry((config, reason.to_owned())).or_default() += 1;
    }

    /// Leaves out repeats and boilerplate, and sends the row on.
    fn take(&mut self, row: Row, split: usize) -> Result<(), ExportError> {
        let config = row.config;
        let trains = !matches!(config, Config::Prompts | Config::Transcripts | Config::Critique);
        if trains && self.is_repeat(&row) {
            self.count_drop(config, "repeat");
            return Ok(());
        }
        if config == Config::Sft && self.is_boilerplate(&row) {
            self.count_drop(config, "boilerplate");
            return Ok(());
        }
        if matches!(config, Config::Kto | Config::KtoFlat) {
            let spill = match self.shuffled.entry(config) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(place::Spill::create(self.root, config)?)
                }
            };
            return spill.push(&row, split);
        }
        self.write(row, split)
    }

    /// Whether the same texts were written in this config before. Copies that soft labels ask for are no repeats.
    fn is_repeat(&mut self, row: &Row) -> bool {
        let columns = ["prompt", "chosen", "rejected", "completion", "messages", "response", "label"];
        let mut parts = crate::digest::Parts::new("repeat").with(row.config.as_str());
        for name in columns {
            parts = match row.get(name) {
                Value::Messages(messages) => {
                    messages.iter().fold(parts.with("messages"), |parts, message| {
                        parts.with(message.role.as_str()).with(&message.content)
                    })
                }
                Value::Text(text) => parts.with("text").with(text),
                other @ (Value::Null
                | Value::Texts(_)
                | Value::Bool(_)
                | Value::Int(_)
                | Value::Float(_)
                | Value::Struct(_)) => parts.with(format!("{other:?}")),
            };
        }
        if matches!(self.settings.soft_labels, crate::recipe::SoftLabels::Expand(_)) {
            parts = parts.with(format!("{:?}", row.get("id")));
        }
        !self.written.insert(parts.uniform())
    }

    fn is_boilerplate(&mut self, row: &Row) -> bool {
        let Value::Messages(reply) = row.get("completion") else { return false };
        let key = key_of(reply.last().map_or("", |m| &m.content));
        let count = self.replies.entry(key).or_default();
        *count += 1;
        self.settings.max_same_reply > 0 && *count > self.settings.max_same_reply
    }

    fn write(&mut self, row: Row, split: usize) -> Result<(), ExportError> {
        let config = row.config;
        let name = SPLITS.get(split).copied().unwrap_or("train");
        self.stats.entry((config, split)).or_default().add(&row);
        *self.report.rows.entry((config, name)).or_default() += 1;
        self.openai.write(&row, name)?;
        let root = self.root;
        let bytes = self.settings.shard_bytes;
        self.splits
            .entry((config, split))
            .or_insert_with(|| SplitFiles::new(root, config, name, bytes))
            .write(row)
    }

    /// Ends every file, then writes what describes them; the manifest last.
    fn finish(mut self, families: &Families) -> Result<Report, ExportError> {
        let mut written: Vec<Written> = Vec::new();
        for (key, files) in std::mem::take(&mut self.splits) {
            if let Some(stats) = self.stats.get_mut(&key) {
                stats.bytes = files.value_bytes;
            }
            written.extend(files.finish()?);
        }
        written.extend(self.openai.finish()?);
        self.report.families = families.len() as u64;
        let about = card::About {
            meta: self.meta,
            settings: self.settings,
            constitution_sha256: &self.constitution_sha256,
            report: &self.report,
            stats: &self.stats,
        };
        written.push(write_text(self.root, "dataset_info.json", &forms::llama_factory(&self.stats))?);
        written.push(write_text(self.root, "stats.json", &about.stats_json())?);
        written.push(write_text(self.root, "README.md", &about.readme())?);
        let text = manifest::manifest(about.manifest_json(), &written);
        written.push(write_text(self.root, manifest::MANIFEST, &text)?);
        self.report.files = written.len() as u64;
        self.report.bytes = written.iter().map(|file| file.bytes).sum();
        Ok(self.report)
    }
}

#[cfg(test)]
mod tests;
