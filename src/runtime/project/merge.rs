//! Makes one run of the shards of a run.
//!
//! What a shard is, its directory says by itself; what is missing or different is found before anything is written. The merged
//! directory is a run like any other, with the folders of its shards in it: their journals keep the answers.

use super::own_rows::{self, InputRead};
use super::run_journal::{failed, mirror_of};
use super::shards::shards_in;
use super::{CONSTITUTION, ProjectError, RECIPE, RunDir};
use crate::pure::recipe::{Recipe, Scale};
use crate::pure::shard::{Shard, ranges};
use crate::runtime::journal::{self, FILE, Journal, JournalError, MergedFrom, Merging, Options, Reader};
use crate::runtime::mirror::restore_into;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What to merge, and into what.
#[derive(Debug, Clone)]
pub struct MergeSettings {
    /// The directory with the folders of the shards.
    pub shards: PathBuf,
    /// The merged run's directory; the same one, mostly.
    pub run: PathBuf,
    /// The mirror, from which shards come that have no folder.
    pub mirror: Option<PathBuf>,
    /// Merge what there is, and say what is missing.
    pub partial: bool,
}

/// A merged run.
#[derive(Debug, Clone)]
pub struct MergedRun {
    /// Its directory.
    pub dir: RunDir,
    /// What it was merged from.
    pub from: MergedFrom,
    /// Shards that came from the mirror.
    pub restored: u32,
}

/// Merges the shards of a run.
///
/// # Errors
///
/// Shards that are missing, not finished, of another plan or of another number of them, unless `partial`; a disk that fails.
pub async fn merge_shards(settings: &MergeSettings) -> Result<MergedRun, ProjectError> {
    let run = RunDir::new(&settings.run);
    let in_place = settings.run == settings.shards;
    refuse_other_runs(&run)?;
    let (count, mut gaps) = number_of_shards(settings)?;
    // What an earlier merge that found something missing has restored there is no foreign file.
    if !in_place && shards_in(&run.path).is_empty() {
        run.create()?;
    }
    let (found, restored) = find(settings, count).await?;
    let checked = check(&found, count)?;
    gaps.extend(checked.problems);
    let reference = checked.reference.filter(|_| gaps.is_empty() || settings.partial);
    let Some(reference) = reference else {
        return Err(incomplete(settings, count, &gaps, &checked.again));
    };
    let mut readers = Vec::new();
    for shard in &checked.usable {
        let Some(from) = found.get(&shard.index()) else { continue };
        let place = settings.run.join(shard.dir_name());
        if *from != place {
            journal::copy_of(from, &place)?;
        }
        readers.push(Reader::open(&place)?);
    }
    let missing = |shard: &Shard| !checked.usable.contains(shard);
    let from = MergedFrom {
        shards: count,
        missing: Shard::all(count).filter(missing).map(Shard::index).collect(),
        answers: checked.answers,
        gaps,
    };
    describe(&reference, &run)?;
    journal::merge(&run.path, &Merging { shards: &readers, plan: &checked.plan, from: &from })?;
    Ok(MergedRun { dir: run, from, restored })
}

/// A directory that holds a run of its own is not merged into.
fn refuse_other_runs(run: &RunDir) -> Result<(), ProjectError> {
    if !run.path.join(FILE).exists() || Reader::open(&run.path)?.merged_from()?.is_some() {
        return Ok(());
    }
    Err(ProjectError::input(format!("`{}` holds a run that was not merged", run.path.display()))
        .hint("name another folder for the merged run with `--out`"))
}

/// How many shards the run has. Where there are shards of several numbers, those that are most count, and the others are a problem.
fn number_of_shards(settings: &MergeSettings) -> Result<(u32, Vec<String>), ProjectError> {
    let mut counts = shards_in(&settings.shards);
    for (count, shards) in settings.mirror.as_deref().map(shards_in).unwrap_or_default() {
        counts.entry(count).or_default().extend(shards);
    }
    let Some((&count, _)) = counts.iter().max_by_key(|(count, shards)| (shards.len(), **count)) else {
        return Err(ProjectError::input(format!("`{}` holds no shards", settings.shards.display())).hint(
            "name the directory that `amend run --shard … --out` wrote, or the mirror with `--mirror`",
        ));
    };
    let others = counts.iter().filter(|(other, _)| **other != count);
    let problem = |(other, shards): (&u32, &std::collections::BTreeSet<u32>)| {
        let named: Vec<String> = shards.iter().take(5).map(ToString::to_string).collect();
        format!("there are shards of {other} too ({} of {other}), not of {count}", named.join(", "))
    };
    Ok((count, others.map(problem).collect()))
}

/// Where each shard's journal is. Those that are not finished here are brought up to what the mirror has, and those that only the
/// mirror has are restored into the merged run.
async fn find(settings: &MergeSettings, count: u32) -> Result<(BTreeMap<u32, PathBuf>, u32), ProjectError> {
    let (mut found, mut restored) = (BTreeMap::new(), 0);
    for shard in Shard::all(count) {
        let mirrored = settings.mirror.as_deref().map(|folder| mirror_of(folder, Some(shard)));
        let mirrored = mirrored.filter(|mirrored| mirrored.is_dir());
        let local = settings.shards.join(shard.dir_name());
        let is_local = local.join(FILE).exists();
        let place = if is_local { local } else { settings.run.join(shard.dir_name()) };
        let wanted = !is_local || !Reader::open(&place)?.is_complete()?;
        if let Some(mirrored) = mirrored.filter(|_| wanted) {
            match Journal::open(&place, Options::default()) {
                Ok(journal) => {
                    restore_into(&mirrored, &journal, &place).await.map_err(failed)?;
                    restored += 1;
                }
                // Its process is at work here, so nothing elsewhere is newer.
                Err(JournalError::Held { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if place.join(FILE).exists() {
            found.insert(shard.index(), place);
        }
    }
    Ok((found, restored))
}

/// What a look at all shards finds.
struct Checked {
    /// Shards that can be merged with each other.
    usable: Vec<Shard>,
    /// The directory of one of them.
    reference: Option<PathBuf>,
    plan: String,
    answers: u64,
    problems: Vec<String>,
    /// Shards that are to be run again.
    again: Vec<u32>,
}

/// One shard as it is.
struct Look {
    shard: Shard,
    plan: String,
    answers: u64,
    is_finished: bool,
    read: Option<InputRead>,
    described: Described,
}

fn check(found: &BTreeMap<u32, PathBuf>, count: u32) -> Result<Checked, ProjectError> {
    let (mut problems, mut missing, mut unfinished) = (Vec::new(), Vec::new(), Vec::new());
    let mut looks = Vec::new();
    for shard in Shard::all(count) {
        match found.get(&shard.index()) {
            Some(dir) => looks.push(look(shard, dir)?),
            None => missing.push(shard.index()),
        }
    }
    let like = |one: &Look, other: &Look| {
        one.plan == other.plan && one.described.differences(&other.described).is_empty()
    };
    // The plan of most shards is that of the run; of equals that of the first.
    let reference = looks
        .iter()
        .enumerate()
        .max_by_key(|(n, one)| (looks.iter().filter(|other| like(one, other)).count(), std::cmp::Reverse(*n)))
        .map(|(_, look)| look);
    let input = looks.iter().filter(|look| look.is_finished).find_map(|look| look.read.as_ref());
    let (mut usable, mut answers) = (Vec::new(), 0);
    for look in &looks {
        let Some(reference) = reference else { continue };
        if !like(look, reference) {
            let what = look.described.differences(&reference.described);
            let what = if what.is_empty() {
                "the form in which its critic is asked".into()
            } else {
                what.join(", ")
            };
            problems.push(format!(
                "shard {} is of another plan than shard {}: {what}",
                look.shard, reference.shard
            ));
            continue;
        }
        match (&look.read, input) {
            (Some(read), Some(input)) if look.is_finished && read != input => problems.push(format!(
                "shard {} read other prompts than the first one: {} rows, not {}",
                look.shard, read.rows, input.rows
            )),
            (Some(_), _) if look.is_finished => {}
            (Some(_) | None, _) => unfinished.push(look.shard.index()),
        }
        usable.push(look.shard);
        answers += look.answers;
    }
    for (what, numbers) in [("missing", &missing), ("not finished", &unfinished)] {
        problems.extend(match &numbers[..] {
            [] => None,
            [only] => Some(format!("shard {only}/{count} is {what}")),
            several => Some(format!("shards {} of {count} are {what}", ranges(several))),
        });
    }
    let mut again = [missing, unfinished].concat();
    again.sort_unstable();
    Ok(Checked {
        usable,
        reference: reference.and_then(|look| found.get(&look.shard.index()).cloned()),
        plan: reference.map(|look| look.plan.clone()).unwrap_or_default(),
        answers,
        problems,
        again,
    })
}

fn look(shard: Shard, dir: &Path) -> Result<Look, ProjectError> {
    let reader = Reader::open(dir)?;
    let read = reader.meta(own_rows::FACT)?.and_then(|text| serde_json::from_str(&text).ok());
    Ok(Look {
        shard,
        plan: reader.plan().to_owned(),
        answers: reader.counts()?.answers,
        is_finished: reader.is_complete()?,
        read,
        described: Described::of(dir)?,
    })
}

/// What describes a run beside its journal.
struct Described {
    recipe: Recipe,
    constitution: String,
    templates: BTreeMap<String, String>,
}

impl Described {
    fn of(dir: &Path) -> Result<Self, ProjectError> {
        let recipe = toml::from_str(&text_of(&dir.join(RECIPE))?)
            .map_err(|error| ProjectError::input(format!("`{}`: {error}", dir.join(RECIPE).display())))?;
        let mut templates = BTreeMap::new();
        for path in super::files_in(Path::new(&RunDir::new(dir).templates()), "hbs").unwrap_or_default() {
            let name = Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned());
            templates.insert(name.unwrap_or_default(), text_of(Path::new(&path))?);
        }
        Ok(Self { recipe, constitution: text_of(&dir.join(CONSTITUTION))?, templates })
    }

    /// What of it decides the dataset and is not the same.
    fn differences(&self, other: &Self) -> Vec<&'static str> {
        let (one, two) = (&self.recipe, &other.recipe);
        let models = |recipe: &Recipe| {
            let mut models = toml::Table::try_from(&recipe.models).unwrap_or_default();
            for (_, model) in &mut models {
                if let Some(model) = model.as_table_mut() {
                    // Each machine may have an endpoint of its own.
                    model.remove("base_url");
                    model.remove("base_urls");
                    model.remove("api_key_env");
                }
            }
            models
        };
        [
            ("its constitution", self.constitution == other.constitution),
            ("its templates", self.templates == other.templates),
            ("`seed`", one.seed == two.seed),
            ("[input]", one.input == two.input),
            ("[method]", one.method == two.method),
            ("[label]", one.label == two.label),
            ("[models]", models(one) == models(two)),
            ("[gates]", one.gates == two.gates),
            ("[export]", one.export == two.export),
            ("[sim]", one.sim == two.sim),
        ]
        .into_iter()
        .filter(|(_, same)| !same)
        .map(|(what, _)| what)
        .collect()
    }
}

fn text_of(path: &Path) -> Result<String, ProjectError> {
    std::fs::read_to_string(path).map_err(|error| ProjectError::Disk {
        message: format!("cannot read `{}`: {error}", path.display()),
        hint: "run the shard again with the same command, which writes the file again".into(),
    })
}

/// Writes what describes the merged run: that of a shard, without the shard.
fn describe(from: &Path, run: &RunDir) -> Result<(), ProjectError> {
    let Described { recipe, constitution, templates } = Described::of(from)?;
    let recipe = Recipe { scale: Scale::default(), out: Some(run.path.display().to_string()), ..recipe };
    let recipe = recipe
        .to_toml()
        .map_err(|error| ProjectError::Bug(format!("the recipe cannot be written as TOML: {error}")))?;
    run.put(Path::new(RECIPE), &recipe)?;
    run.put(Path::new(CONSTITUTION), &constitution)?;
    run.put_templates(templates.iter().map(|(name, text)| (name.as_str(), text.as_str())))?;
    for name in [super::examine::EXAMINATION, super::hub_files::HUB_FILES] {
        if let Ok(text) = std::fs::read_to_string(from.join(name)) {
            run.put(Path::new(name), &text)?;
        }
    }
    Ok(())
}

/// Problems shown at most.
const SHOWN: usize = 20;

fn incomplete(settings: &MergeSettings, count: u32, gaps: &[String], again: &[u32]) -> ProjectError {
    let mut message = format!("`{}` is not a whole run of {count} shards:", settings.shards.display());
    for gap in gaps.iter().take(SHOWN) {
        message.push_str("\n  ");
        message.push_str(gap);
    }
    if gaps.len() > SHOWN {
        let _ = write!(message, "\n  and {} more", gaps.len() - SHOWN);
    }
    let error = ProjectError::input(message);
    let error = if again.is_empty() {
        error
    } else {
        error.hint(format!(
            "run them with the same command and `--shard i/{count}`, or `sbatch --array={} FILE`, then merge again",
            ranges(again)
        ))
    };
    error.hint("`--partial` merges what there is, and says so in the report and in the dataset's card")
}
