//! A run directory read back: its frozen recipe and constitution, its transcripts, its report and its dataset.
//!
//! Nothing here asks a model. What a run is, its directory says by itself, wherever it was moved to.

use super::{InputFiles, ProjectError, RunDir};
use crate::pure::call::Role;
use crate::pure::constitution::Constitution;
use crate::pure::reason::Reason;
use crate::pure::recipe::{Recipe, is_simulated};
use crate::pure::reports::examination::Examination;
use crate::pure::reports::judge_report::{JudgeReport, JudgeReporter};
use crate::pure::reports::judge_report_text;
use crate::pure::reports::run_page::run_page;
use crate::runtime::dataset::export::{DatasetMeta, Older, Report, Transcripts, export};
use crate::runtime::hub::HubFile;
use crate::runtime::journal::{JournalError, Reader};
use std::collections::BTreeMap;
use std::path::Path;

/// What a run directory holds besides its journal.
#[derive(Debug, Clone)]
pub struct FrozenRun {
    /// The directory.
    pub dir: RunDir,
    /// The recipe that made the run.
    pub recipe: Recipe,
    /// Its constitution, with everything that it extends.
    pub constitution: Constitution,
    /// The constitution's file, word for word.
    pub constitution_text: String,
    /// What the examination of its critic came to, if there was one.
    pub examination: Option<Examination>,
    /// The files of the hub that its prompts came from.
    pub hub_files: Vec<HubFile>,
}

impl FrozenRun {
    /// Reads the frozen inputs of a run.
    pub fn open(path: &Path) -> Result<Self, ProjectError> {
        let dir = RunDir::existing(path)?;
        let mut files = InputFiles::default();
        let recipe = files.recipe(&path.join(super::RECIPE))?;
        let constitution = path.join(super::CONSTITUTION).display().to_string();
        let constitution_text =
            std::fs::read_to_string(&constitution).map_err(|error| ProjectError::Disk {
                message: format!("cannot read `{constitution}`: {error}"),
                hint: "restore the file, or run the recipe again with the same `--out`".into(),
            })?;
        let constitution = files.constitution(&constitution)?;
        let examination = super::examine::kept(&dir);
        let hub_files = super::hub_files::kept(&dir);
        Ok(Self { dir, recipe, constitution, constitution_text, examination, hub_files })
    }

    /// Counts what the run's judgements are worth, and writes `report.json`, `report.md` and `report.html` beside its journal.
    pub fn write_report(&self, reader: &Reader) -> Result<JudgeReport, ProjectError> {
        let report = self.report(reader)?;
        let json = serde_json::to_string_pretty(&report)
            .map_err(|error| ProjectError::Bug(format!("the report cannot be written: {error}")))?;
        self.dir.put(Path::new("report.json"), &(json + "\n"))?;
        self.dir.put(Path::new("report.md"), &judge_report_text::markdown(&report))?;
        let name = self.dir.path.display().to_string();
        self.dir.put(
            Path::new("report.html"),
            &run_page(&name, &report, &rejects_by_reason(reader)?).to_html(),
        )?;
        Ok(report)
    }

    /// Counts what the run's judgements are worth.
    pub fn report(&self, reader: &Reader) -> Result<JudgeReport, ProjectError> {
        let report = judge_report(reader, &self.constitution)?;
        Ok(JudgeReport { examination: self.examination.clone(), gaps: gaps(reader)?, ..report })
    }

    /// Writes the dataset of the run to `out`. A prompt that `older` has in a split keeps its split.
    pub fn export(
        self,
        reader: &Reader,
        report: &JudgeReport,
        out: &Path,
        older: Option<Older>,
    ) -> Result<Report, ProjectError> {
        let Self { recipe, constitution, constitution_text, hub_files, .. } = self;
        let (settings, gates) = (recipe.export.clone(), recipe.gates.clone());
        let simulated = has_simulated_role(&recipe);
        let judge = judge_report_text::figures(report);
        let is_partial = !reader.is_complete()?;
        let gaps = gaps(reader)?;
        let meta = DatasetMeta {
            constitution,
            constitution_text,
            recipe,
            simulated,
            judge,
            hub_files,
            older,
            is_partial,
            gaps,
        };
        let mut transcripts = || -> Result<Transcripts<'_>, String> {
            let transcripts = reader.transcripts();
            Ok(Box::new(transcripts.map(|transcript| transcript.map_err(|error| error.to_string()))))
        };
        Ok(export(&mut transcripts, &meta, &settings, &gates, out)?)
    }
}

/// What a merged run lacks, as long as it is not finished.
fn gaps(reader: &Reader) -> Result<Vec<String>, JournalError> {
    let merged = reader.merged_from()?.filter(|merged| !merged.gaps.is_empty());
    let Some(merged) = merged else { return Ok(Vec::new()) };
    Ok(if reader.is_complete()? { Vec::new() } else { merged.gaps })
}

/// Counts what the judgements of a run are worth, reading one transcript at a time.
pub fn judge_report(reader: &Reader, constitution: &Constitution) -> Result<JudgeReport, ProjectError> {
    let mut reporter = JudgeReporter::new(constitution);
    for transcript in reader.transcripts() {
        reporter.add(&transcript?);
    }
    Ok(reporter.finish())
}

/// How often each reason for a reject was met.
pub fn rejects_by_reason(reader: &Reader) -> Result<BTreeMap<Reason, u64>, JournalError> {
    let mut reasons = BTreeMap::new();
    for reject in reader.rejects() {
        *reasons.entry(reject?.reason).or_default() += 1;
    }
    Ok(reasons)
}

/// Whether any role is played by the simulated model, in process or served.
fn has_simulated_role(recipe: &Recipe) -> bool {
    let plays = |role: &Role| recipe.models.resolve(*role).is_some_and(|model| is_simulated(&model.model));
    Role::OF_RUNS.iter().any(plays)
}
