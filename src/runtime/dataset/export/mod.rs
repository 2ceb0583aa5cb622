//! The dataset out: rows of every config as Parquet and JSON lines, with a card, statistics and a manifest.
//!
//! Two passes over the transcripts, so that memory does not grow with their texts: the first finds prompt families,
//! the second makes rows and streams them to the writers. All is written into a folder beside the target and renamed
//! into place at the end: a crash leaves the dataset that was there. The same transcripts, in the same order, with the
//! same settings give the same bytes.
//!
//! The caller hands in the transcripts and never this module's business: it reads no journal and no clock.

mod card;
mod config_writer;
pub(in crate::runtime) mod files;
mod forms;
pub(in crate::runtime) mod manifest;
pub(in crate::runtime) mod near_duplicates;
mod one_word_apart;
mod parquet;
mod pipeline;
mod previous_splits;
mod selection;
pub(in crate::runtime) mod staging;
mod stats;

pub use manifest::{Finding, Verified, verify};
pub use previous_splits::{Older, older};

use super::boilerplate::Boilerplate;
use super::boilerplate::Phrases;
use super::rows::Config;
use super::rows::{Context, MoreColumns, pairs_of};
use super::splits::{Families, Gather, said};
use crate::pure::constitution::Constitution;
use crate::pure::digest::sha256_hex;
use crate::pure::mixing::{Mixed, TwoSides};
use crate::pure::reason::Reason;
use crate::pure::recipe::{Export, Gates, MOST_HELD_OUT, Recipe, SoftLabels};
use crate::pure::transcript::{Ended, Transcript};
use crate::runtime::hub::HubFile;
use files::write_text;
use std::collections::BTreeMap;
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
    #[error("there is no config `{0}`; there are {names}", names = Config::names().join(", "))]
    UnknownConfig(String),
    /// A setting out of range.
    #[error("{0}")]
    Setting(String),
    /// The target is something else than a dataset.
    #[error("`{0}` exists and is not a dataset of amend, so it is not replaced")]
    Occupied(PathBuf),
    /// A dataset of a finished run would be replaced by one of a run that is not.
    #[error("`{0}` is of a finished run, and this run is not finished, so it is not replaced")]
    Finished(PathBuf),
    /// Another process writes the same dataset.
    #[error("`{0}` is being written by another export")]
    Busy(PathBuf),
    /// The dataset refuses what it should answer, or lacks twins; what breaks the gate.
    #[error("the dataset breaks its gate: {}", .0.join("; "))]
    Gate(Vec<String>),
    /// The mix cannot be met; what is missing.
    #[error("the mix cannot be met: {}", .0.join("; "))]
    Mix(Vec<String>),
    /// The transcripts changed between the passes.
    #[error("the run changed while it was exported")]
    Changed,
}

impl ExportError {
    pub(in crate::runtime) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
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
    /// The files of the hub that the prompts came from.
    pub hub_files: Vec<HubFile>,
    /// A dataset whose prompts keep their splits.
    pub older: Option<Older>,
    /// Whether prompts of the run are still to be worked on.
    pub is_partial: bool,
    /// Shards that the run lacks, a sentence each.
    pub gaps: Vec<String>,
}

/// The transcripts, gone through more than once, each time in the same order.
pub type Transcripts<'a> = Box<dyn Iterator<Item = Result<Transcript, String>> + 'a>;

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows by config and split.
    pub rows: BTreeMap<(Config, &'static str), u64>,
    /// Rows that could have been, by config and reason.
    pub drops: BTreeMap<(Config, Reason), u64>,
    /// Transcripts read.
    pub transcripts: u64,
    /// Transcripts with a usable draft: the prompts that have rows in `transcripts` and `prompts`.
    pub usable: u64,
    /// Refusals on benign prompts, and twins, of the `sft` rows.
    pub two_sides: TwoSides,
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
        let configs = Config::ALL.iter().copied().filter(|c| self.rows.keys().any(|(met, _)| met == c));
        configs.map(|config| (config.as_str().to_owned(), total(config))).collect()
    }
}

impl Report {
    /// Rows that could have been and are not there: config, reason, how many; the most of a config first.
    pub fn left_out(&self) -> Vec<(String, Reason, u64)> {
        let mut drops: Vec<_> =
            self.drops.iter().map(|((config, reason), n)| (*config, reason, *n)).collect();
        drops.sort_by_key(|(config, reason, n)| (*config, std::cmp::Reverse(*n), *reason));
        let named =
            |(config, reason, n): (Config, &Reason, u64)| (config.as_str().to_owned(), reason.clone(), n);
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
    let staging = staging::Staging::begin(out, meta.is_partial)?;
    let Gathered { families, more_columns } = gather(transcripts, meta, settings, staging.path())?;
    let sha256 = sha256_hex(meta.constitution_text.as_bytes());
    let mut job = Job {
        root: staging.path(),
        configs: &configs,
        meta,
        settings,
        gates,
        constitution_sha256: &sha256,
        more_columns,
        mixed: &Mixed::default(),
        boilerplate: &Boilerplate::default(),
    };
    let mixed = selection::select(transcripts, &job)?;
    job.mixed = &mixed;
    let boilerplate = boilerplate(transcripts, &job)?;
    job.boilerplate = &boilerplate;
    let written = pipeline::write(&mut *transcripts().map_err(ExportError::Source)?, &job, &families)?;
    let broken = written.report.two_sides.breaks(&settings.gate);
    if !broken.is_empty() {
        return Err(ExportError::Gate(broken));
    }
    let report = describe(written, &job, &families)?;
    staging.commit()?;
    Ok(report)
}

/// What a dataset is made by.
#[derive(Debug, Clone, Copy)]
struct Job<'a> {
    root: &'a Path,
    configs: &'a [Config],
    meta: &'a DatasetMeta,
    settings: &'a Export,
    gates: &'a Gates,
    constitution_sha256: &'a str,
    more_columns: MoreColumns,
    /// Which prompts have rows, where that depends on all of them together.
    mixed: &'a Mixed,
    boilerplate: &'a Boilerplate,
}

impl<'a> Job<'a> {
    /// What the rows share.
    fn context(&self) -> Context<'a> {
        Context {
            constitution: &self.meta.constitution,
            constitution_sha256: self.constitution_sha256,
            seed: self.meta.recipe.seed,
            simulated: self.meta.simulated,
            more_columns: self.more_columns,
            export: self.settings,
            gates: self.gates,
            boilerplate: self.boilerplate,
        }
    }
}

/// Writes what describes the rows; the manifest last.
fn describe(written: pipeline::Rows, job: &Job<'_>, families: &Families) -> Result<Report, ExportError> {
    let pipeline::Rows { mut report, stats, mut files } = written;
    report.families = families.len() as u64;
    let about = card::About {
        meta: job.meta,
        settings: job.settings,
        constitution_sha256: job.constitution_sha256,
        more_columns: job.more_columns,
        report: &report,
        stats: &stats,
    };
    let rule = near_duplicates::family_rule(job.settings.family_similarity);
    files.push(write_text(job.root, "dataset_info.json", &forms::llama_factory(&stats, &rule))?);
    files.push(write_text(job.root, "stats.json", &about.stats_json())?);
    files.push(write_text(job.root, "README.md", &about.readme())?);
    let text = manifest::manifest(about.manifest_json(), &files);
    files.push(write_text(job.root, manifest::MANIFEST, &text)?);
    report.files = files.len() as u64;
    report.bytes = files.iter().map(|file| file.bytes).sum();
    Ok(report)
}

fn configs_of(settings: &Export) -> Result<Vec<Config>, ExportError> {
    if !(0.0..=MOST_HELD_OUT).contains(&settings.holdout) {
        return Err(ExportError::Setting(format!(
            "`holdout` is {}, and must be from 0 to {MOST_HELD_OUT}",
            settings.holdout
        )));
    }
    let named = |name: &String| name.parse().map_err(|_| ExportError::UnknownConfig(name.clone()));
    let mut configs: Vec<Config> = settings.configs.iter().map(named).collect::<Result<_, _>>()?;
    configs.sort();
    configs.dedup();
    if settings.batch_model.is_some() && !configs.contains(&Config::Prompts) {
        let problem = "`batch_model` asks for requests made of the config `prompts`, which is not written";
        return Err(ExportError::Setting(problem.into()));
    }
    Ok(configs)
}

/// The phrases that would spread through chosen replies, where the recipe caps them: a pass of its own over the first pairs.
fn boilerplate<'a>(
    transcripts: &mut dyn FnMut() -> Result<Transcripts<'a>, String>,
    job: &Job<'_>,
) -> Result<Boilerplate, ExportError> {
    let most = job.settings.max_phrase_share;
    if most <= 0.0 {
        return Ok(Boilerplate::default());
    }
    let hard = Export { soft_labels: SoftLabels::Hard, ..job.settings.clone() };
    let context = Context { export: &hard, ..job.context() };
    let mut phrases = Phrases::default();
    for transcript in transcripts().map_err(ExportError::Source)? {
        if phrases.is_full() {
            break;
        }
        for (chosen, rejected) in pairs_of(&transcript.map_err(ExportError::Source)?, &context) {
            phrases.add(&chosen, &rejected);
        }
    }
    Ok(phrases.boilerplate(most))
}

/// Which columns the rows of a transcript need besides those of every dataset.
fn columns_of(transcript: &Transcript) -> MoreColumns {
    match (&transcript.styled, transcript.prompt.kept.is_empty()) {
        (Some(_), _) => MoreColumns::Styled,
        (None, false) => MoreColumns::Kept,
        (None, true) => MoreColumns::None,
    }
}

/// What the first pass finds.
struct Gathered {
    families: Families,
    /// Which columns the rows have besides those of every dataset.
    more_columns: MoreColumns,
}

/// The first pass.
fn gather<'a>(
    transcripts: &mut dyn FnMut() -> Result<Transcripts<'a>, String>,
    meta: &DatasetMeta,
    settings: &Export,
    staging: &Path,
) -> Result<Gathered, ExportError> {
    let mut more_columns = MoreColumns::None;
    let pins = meta.older.as_ref().map(|older| older.pins.clone());
    let mut gather = Gather::new(pins.unwrap_or_default());
    let mut near = near_duplicates::Near::create(staging)?;
    for transcript in transcripts().map_err(ExportError::Source)? {
        let transcript = transcript.map_err(ExportError::Source)?;
        more_columns = more_columns.max(columns_of(&transcript));
        let rich = transcript.responses.len() > 1 && !matches!(transcript.ended, Ended::NoDraft(_));
        if let Some(number) = gather.add(&transcript.prompt, rich) {
            near.add_prompt(number, &near_duplicates::PromptKeys::of(&said(&transcript.prompt)))?;
        }
    }
    near.unite(settings.family_similarity, &mut gather)?;
    let taught: Vec<&str> =
        meta.constitution.principles.iter().flat_map(|p| &p.examples).map(|e| e.prompt.as_str()).collect();
    Ok(Gathered { families: gather.finish(settings.holdout, &taught), more_columns })
}

#[cfg(test)]
mod tests;
