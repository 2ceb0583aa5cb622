//! The run directory: the journal, the frozen recipe, constitution and templates, and the dataset.
//!
//! What is frozen says what made the run, so that the directory can be archived, moved and exported from by itself.

use super::Project;
use super::ProjectError;
use super::shards::not_merged;
use crate::pure::constitution;
use crate::pure::recipe::Recipe;
use crate::runtime::private_files;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The frozen recipe.
pub const RECIPE: &str = "recipe.toml";
/// The frozen constitution, with everything it extends folded in.
pub const CONSTITUTION: &str = "constitution.toml";
/// The frozen templates.
const TEMPLATES: &str = "templates";

/// A run directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    /// Its path, as the user named it.
    pub path: PathBuf,
}

impl RunDir {
    /// The directory at this path, whether or not it is there yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The directory of the run, or of the shard of it, that a recipe means; [`Recipe::out`] must be named.
    pub fn of(recipe: &Recipe) -> Self {
        let out = PathBuf::from(recipe.out.as_deref().unwrap_or_default());
        Self::new(recipe.scale.shard().map_or_else(|| out.clone(), |shard| out.join(shard.dir_name())))
    }

    /// A directory that holds a run already.
    pub fn existing(path: impl Into<PathBuf>) -> Result<Self, ProjectError> {
        let dir = Self::new(path);
        if dir.path.join(RECIPE).is_file() {
            return Ok(dir);
        }
        if let Some(error) = not_merged(&dir.path) {
            return Err(error);
        }
        let what = if dir.path.exists() { "is not a run directory" } else { "does not exist" };
        Err(ProjectError::input(format!("`{}` {what}", dir.path.display()))
            .hint("name the directory that `amend run --out` wrote"))
    }

    /// Where the dataset goes.
    pub fn dataset(&self) -> PathBuf {
        self.path.join("dataset")
    }

    /// Where the frozen templates are.
    pub fn templates(&self) -> String {
        self.path.join(TEMPLATES).to_string_lossy().into_owned()
    }

    /// Makes the directory, if it is not there. One that holds other things than a run is refused, and nothing in it is
    /// touched.
    pub fn create(&self) -> Result<(), ProjectError> {
        let is_run = self.path.join(crate::runtime::journal::FILE).exists();
        if let Some(error) = not_merged(&self.path).filter(|_| !is_run) {
            return Err(error);
        }
        if !is_run && holds_files(&self.path) {
            return Err(ProjectError::input(format!(
                "`{}` holds files already, and they are not a run's",
                self.path.display()
            ))
            .hint("name a new folder with `--out`: a run never writes among files that it did not make"));
        }
        private_files::create_dir_all(&self.path).map_err(|error| self.cannot_write(&self.path, &error))?;
        has_room(&self.path, free_bytes(&self.path))
    }

    /// The names of the files that describe the run.
    pub fn describing_files(&self, project: &Project) -> Vec<String> {
        let templates = project.templates.sources();
        let templates = templates.map(|(name, _)| format!("{TEMPLATES}/{name}.hbs"));
        let named = [RECIPE, CONSTITUTION, super::examine::EXAMINATION].map(str::to_owned);
        named.into_iter().chain(templates).collect()
    }

    /// Writes the recipe, constitution and templates as they are now.
    pub fn freeze(&self, project: &Project) -> Result<(), ProjectError> {
        let recipe = project.recipe.to_toml().map_err(|error| unwritable("recipe", &error))?;
        let constitution =
            constitution::write(&project.constitution).map_err(|error| unwritable("constitution", &error))?;
        self.put(Path::new(RECIPE), &recipe)?;
        self.put(Path::new(CONSTITUTION), &constitution)?;
        let templates = project.templates.sources().map(|(name, text)| (format!("{name}.hbs"), text));
        self.put_templates(templates)
    }

    /// Writes templates by the names of their files.
    pub(super) fn put_templates<'a>(
        &self,
        templates: impl Iterator<Item = (impl AsRef<Path>, &'a str)>,
    ) -> Result<(), ProjectError> {
        let folder = self.path.join(TEMPLATES);
        private_files::create_dir_all(&folder).map_err(|error| self.cannot_write(&folder, &error))?;
        for (name, text) in templates {
            self.put(&Path::new(TEMPLATES).join(name), text)?;
        }
        Ok(())
    }

    /// Writes a file beside its place, then moves it there: a crash leaves the old one or the new one.
    pub fn put(&self, name: &Path, text: &str) -> Result<(), ProjectError> {
        let path = self.path.join(name);
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            return Ok(());
        }
        let beside = path.with_extension("new");
        let write = || {
            let mut file = private_files::create(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&beside, &path)
        };
        write().map_err(|error| self.cannot_write(&path, &error))
    }

    fn cannot_write(&self, path: &Path, error: &std::io::Error) -> ProjectError {
        ProjectError::Disk {
            message: format!("cannot write `{}`: {error}", path.display()),
            hint: format!(
                "check the disk and the permissions of `{}`, or give another `--out`",
                self.path.display()
            ),
        }
    }
}

/// Whether there is anything in a directory besides hidden files.
fn holds_files(path: &Path) -> bool {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    // A process that begins the same run at this moment has its lock there already.
    let is_foreign = |name: &str| !name.starts_with('.') && name != crate::runtime::journal::LOCK_FILE;
    entries.map(|entry| entry.file_name()).any(|name| is_foreign(&name.to_string_lossy()))
}

/// Bytes that must be free for a run to start: the journal's first pages, its log, and some thousand answers.
const LEAST_FREE: u64 = 64 << 20;

/// Bytes that may still be written where a directory is; `None` where the system does not say.
fn free_bytes(path: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(path).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

/// Whether a run can start with so many bytes free.
fn has_room(path: &Path, free: Option<u64>) -> Result<(), ProjectError> {
    match free {
        Some(free @ ..LEAST_FREE) => Err(ProjectError::Disk {
            message: format!("only {} MiB are free where `{}` is", free >> 20, path.display()),
            hint: format!(
                "free some space, or name another place with `--out`: a run needs {} MiB to start",
                LEAST_FREE >> 20
            ),
        }),
        Some(_) | None => Ok(()),
    }
}

fn unwritable(what: &str, error: &dyn std::fmt::Display) -> ProjectError {
    ProjectError::Bug(format!("the {what} cannot be written as TOML: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_does_not_start_on_a_disk_that_is_nearly_full() {
        let path = Path::new("runs/a");
        let error = has_room(path, Some(3 << 20)).unwrap_err();
        assert!(error.to_string().contains("only 3 MiB are free where `runs/a` is"), "{error}");
        assert!(has_room(path, Some(LEAST_FREE)).is_ok() && has_room(path, None).is_ok());
        assert!(free_bytes(&std::env::temp_dir()).is_some_and(|free| free > 0));
    }
}
