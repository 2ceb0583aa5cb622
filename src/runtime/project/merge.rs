//! The shards of a run become one run: an ordinary run directory, whose dataset is that of one process.

use super::{FrozenRun, ProjectError, RunDir};
use crate::pure::shard::Shard;
use crate::runtime::journal::{FILE, Reader, merge_journals};
use crate::runtime::private_files;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was merged.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The run.
    pub dir: RunDir,
    /// Shards that were taken in.
    pub shards: u32,
    /// What is missing of the whole, in words; empty where nothing is.
    pub missing: Vec<String>,
}

/// Merges the shards in `root` into the run `out`. With `partial` what is missing or unfinished is only told.
///
/// # Errors
///
/// Shards that are missing, unfinished, or of another plan or number; a place that is somebody else's.
pub fn merge(root: &Path, out: &Path, partial: bool) -> Result<Merged, ProjectError> {
    let shards = shards_in(root)?;
    let count = one_count(root, &shards)?;
    let mut missing: Vec<String> = (0..count)
        .map(|index| Shard { index, count })
        .filter(|shard| !shards.contains_key(shard))
        .map(|shard| format!("shard {shard} is not there"))
        .collect();
    let mut plan: Option<(Shard, String)> = None;
    let mut taken = Vec::new();
    for (shard, path) in &shards {
        if !path.join(FILE).is_file() {
            missing.push(format!("shard {shard} was not begun"));
            continue;
        }
        let reader = Reader::open(path)?;
        let (first, known) = plan.get_or_insert_with(|| (*shard, reader.plan().to_owned()));
        if known != reader.plan() {
            return Err(ProjectError::input(format!("shard {shard} is of another plan than shard {first}"))
                .hint("recipe, constitution, templates and seed of all shards must be the same: run the other one again"));
        }
        if !reader.is_complete()? {
            missing.push(format!("shard {shard} is not finished"));
        }
        taken.push(path.clone());
    }
    if !missing.is_empty() && !partial {
        return Err(ProjectError::input(format!("the run is not whole: {}", missing.join("; ")))
            .hint("run the missing shards; the same command goes on where it was")
            .hint("`--partial` merges what is there"));
    }
    let Some(first) = taken.first() else {
        return Err(ProjectError::input(format!("`{}` has no shard with answers", root.display())));
    };
    is_ours(out)?;
    private_files::create_dir_all(out).map_err(|error| ProjectError::Disk {
        message: format!("cannot make `{}`: {error}", out.display()),
        hint: "check the disk and the permissions, or give another `--out`".into(),
    })?;
    merge_journals(out, &taken, missing.is_empty())?;
    let dir = RunDir::new(out);
    freeze(first, &dir)?;
    Ok(Merged { dir, shards: u32::try_from(taken.len()).unwrap_or(u32::MAX), missing })
}

/// The shards whose folders are in a directory.
fn shards_in(root: &Path) -> Result<BTreeMap<Shard, PathBuf>, ProjectError> {
    let entries = std::fs::read_dir(root).map_err(|error| {
        ProjectError::input(format!("cannot read `{}`: {error}", root.display()))
            .hint("name the folder that `amend run --shard … --out` was given")
    })?;
    let shard = |path: PathBuf| Some((Shard::of_folder(path.file_name()?.to_str()?)?, path));
    let found: BTreeMap<Shard, PathBuf> = entries.flatten().filter_map(|entry| shard(entry.path())).collect();
    if found.is_empty() {
        return Err(ProjectError::input(format!("there are no shards in `{}`", root.display()))
            .hint("name the folder that `amend run --shard … --out` was given; its shards are folders such as `shard-0003-of-0064`"));
    }
    Ok(found)
}

/// How many shards there are to be. Folders of two numbers are two runs.
fn one_count(root: &Path, shards: &BTreeMap<Shard, PathBuf>) -> Result<u32, ProjectError> {
    let mut counts: Vec<u32> = shards.keys().map(|shard| shard.count).collect();
    counts.sort_unstable();
    counts.dedup();
    match counts.as_slice() {
        [count] => Ok(*count),
        several => {
            let named = several.iter().map(u32::to_string).collect::<Vec<_>>().join(" and of ");
            Err(ProjectError::input(format!("`{}` has shards of {named}", root.display()))
                .hint("move those of the other run away"))
        }
    }
}

/// A journal that is no merged one is somebody's run.
fn is_ours(out: &Path) -> Result<(), ProjectError> {
    if !out.join(FILE).exists() || Reader::open(out)?.meta("merged")?.is_some() {
        return Ok(());
    }
    Err(ProjectError::input(format!("`{}` holds a run that was not merged", out.display()))
        .hint("name a new folder with `--out`"))
}

/// Gives the merged run what its shards froze: recipe, constitution, templates, the critic's examination.
fn freeze(shard: &Path, dir: &RunDir) -> Result<(), ProjectError> {
    let FrozenRun { mut recipe, constitution_text, .. } = FrozenRun::open(shard)?;
    recipe.scale = crate::pure::recipe::Scale::default();
    recipe.out = None;
    let text = recipe
        .to_toml()
        .map_err(|error| ProjectError::Bug(format!("the recipe cannot be written: {error}")))?;
    dir.put(Path::new(super::RECIPE), &text)?;
    dir.put(Path::new(super::CONSTITUTION), &constitution_text)?;
    for name in ["examination.json"] {
        if let Ok(text) = std::fs::read_to_string(shard.join(name)) {
            dir.put(Path::new(name), &text)?;
        }
    }
    copy_templates(shard, dir)
}

fn copy_templates(shard: &Path, dir: &RunDir) -> Result<(), ProjectError> {
    let from = RunDir::new(shard).templates();
    let to = PathBuf::from(dir.templates());
    let copy = || {
        private_files::create_dir_all(&to)?;
        for entry in std::fs::read_dir(&from)? {
            let path = entry?.path();
            if let Some(name) = path.file_name() {
                std::fs::copy(&path, to.join(name))?;
            }
        }
        Ok(())
    };
    copy().map_err(|error: std::io::Error| ProjectError::Disk {
        message: format!("cannot copy `{from}`: {error}"),
        hint: "check the disk and the permissions, or give another `--out`".into(),
    })
}
