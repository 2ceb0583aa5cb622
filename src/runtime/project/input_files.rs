//! Reads the files that a command works from, constitution, recipe and templates, and reports what is wrong in them.
//!
//! Everything that a finding may point at is kept in [`InputFiles`], so that it can be shown with its source line.

use super::error::{Findings, ProjectError};
use crate::pure::constitution::{self, Constitution, built_in, built_in_names};
use crate::pure::diagnostic::{Diagnostic, Severity, SourceFile, Sources, nearest, sort};
use crate::pure::recipe::{self, Recipe};
use crate::pure::template::{SMALL_NAME, Templates};
use crate::runtime::hub;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

/// A file of settings larger than this is some other file.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The files read so far.
#[derive(Debug, Default)]
pub struct InputFiles {
    /// Their texts.
    pub sources: Sources,
    /// Warnings about them that nobody has shown yet.
    pub warnings: Vec<Diagnostic>,
}

impl InputFiles {
    /// Reads a constitution: a file, or a built-in one by name. Warnings wait in [`Self::warnings`].
    pub fn constitution(&mut self, name: &str) -> Result<Constitution, ProjectError> {
        let main = self.constitution_file(name)?;
        self.constitution_text(&main)
    }

    /// Reads a constitution whose text is at hand.
    pub fn constitution_text(&mut self, main: &SourceFile) -> Result<Constitution, ProjectError> {
        self.sources.add(main.clone());
        let mut load = |path: &str| self.load_extended(&main.name, path);
        match constitution::read(main, &mut load) {
            Ok((constitution, warnings)) => {
                self.warnings.extend(warnings);
                Ok(constitution)
            }
            Err(findings) => Err(self.failure(&main.name, findings)),
        }
    }

    /// The file of a constitution: on disk, or else built in.
    pub fn constitution_file(&mut self, name: &str) -> Result<SourceFile, ProjectError> {
        if let (false, Some(file)) = (Path::new(name).exists(), built_in(name)) {
            self.sources.add(file.clone());
            return Ok(file);
        }
        self.load(name).map_err(|why| {
            let error = ProjectError::input(format!("cannot read the constitution `{name}`: {why}"));
            match nearest(name, built_in_names()) {
                Some(near) => error.hint(format!("did you mean the built-in `{near}`?")),
                None => error.hint(format!(
                    "give a file, or one of the built-in constitutions: {}",
                    built_in_names().collect::<Vec<_>>().join(", ")
                )),
            }
        })
    }

    /// Reads a recipe. Paths in it are relative to its directory; here they become usable from where we are.
    pub fn recipe(&mut self, path: &Path) -> Result<Recipe, ProjectError> {
        let name = path.to_string_lossy();
        let file = self.load(&name).map_err(|why| {
            ProjectError::input(format!("cannot read the recipe `{name}`: {why}"))
                .hint("`amend init DIR` writes a recipe to start from")
        })?;
        let reading = recipe::read(&file);
        if reading.findings.iter().any(Diagnostic::is_error) {
            return Err(self.failure(&file.name, reading.findings));
        }
        self.warnings.extend(reading.findings);
        Ok(from_its_directory(reading.recipe, path))
    }

    /// Checks settings that come from elsewhere than a recipe's file, each as a line of a recipe. What only makes sense
    /// beside other settings is not looked at.
    ///
    /// # Errors
    ///
    /// Every mistake of every line.
    pub fn settings(&mut self, lines: &[SourceFile]) -> Result<(), ProjectError> {
        let mut wrong = Vec::new();
        let mut names = Vec::new();
        for line in lines {
            let findings: Vec<_> =
                recipe::read(line).findings.into_iter().filter(Diagnostic::is_error).collect();
            if !findings.is_empty() {
                self.sources.add(line.clone());
                names.push(line.name.as_str());
                wrong.extend(findings);
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(self.failure(&names.join("`, `"), wrong)) }
    }

    /// Reads a directory of templates over the built-in ones; the built-in ones alone without it.
    pub fn templates(&mut self, directory: Option<&str>) -> Result<Templates, ProjectError> {
        let Some(directory) = directory else { return Ok(Templates::built_in()) };
        if directory == SMALL_NAME {
            return Ok(Templates::small());
        }
        let overrides = self.template_files(directory).map_err(|why| {
            ProjectError::input(format!("cannot read the templates in `{directory}`: {why}")).hint(
                "give a directory with files such as `critique.hbs`, or `small` for the built-in short ones",
            )
        })?;
        if overrides.is_empty() {
            return Err(ProjectError::input(format!("there is no template (`*.hbs`) in `{directory}`"))
                .hint("a template that is not there is taken from the built-in ones; name a directory that has some"));
        }
        Templates::load(&overrides).map_err(|findings| self.failure(directory, findings))
    }

    /// The texts of the template files in a directory, by path.
    pub fn template_files(&mut self, directory: &str) -> Result<BTreeMap<String, String>, String> {
        let mut texts = BTreeMap::new();
        for path in files_in(Path::new(directory), "hbs")? {
            let file = self.load(&path)?;
            texts.insert(file.name, file.text);
        }
        Ok(texts)
    }

    /// Reads a file that the constitution `main` extends: one below its folder, or below the folder that amend runs in. A
    /// constitution that came from elsewhere must not read whatever it likes.
    pub fn load_extended(&mut self, main: &str, path: &str) -> Result<SourceFile, String> {
        let folder = |path: &Path| {
            std::fs::canonicalize(if path.as_os_str().is_empty() { Path::new(".") } else { path })
        };
        let allowed = [Path::new(main).parent().unwrap_or(Path::new("")), Path::new(".")];
        let full = std::fs::canonicalize(path).map_err(|error| in_words(&error))?;
        if allowed.iter().filter_map(|root| folder(root).ok()).any(|root| full.starts_with(root)) {
            return self.load(path);
        }
        Err("it is outside the constitution's folder; copy it there, or run amend in a folder above both"
            .into())
    }

    /// Reads a text file, and keeps it so that findings can show it.
    pub fn load(&mut self, path: &str) -> Result<SourceFile, String> {
        if Path::new(path).is_dir() {
            return Err("it is a directory".into());
        }
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(|error| in_words(&error))?;
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| in_words(&error))?;
        if bytes.len() as u64 > LARGEST {
            return Err("it is larger than 16 MiB".into());
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(valid).filter(|b| **b == b'\n').count() + 1;
            format!("it is not UTF-8 text (byte {valid}, line {line})")
        })?;
        let file = SourceFile::new(path, text);
        self.sources.add(file.clone());
        Ok(file)
    }

    fn failure(&self, file: &str, mut diagnostics: Vec<Diagnostic>) -> ProjectError {
        sort(&mut diagnostics, &self.sources);
        ProjectError::Input {
            message: format!("`{file}` cannot be used: {}", count_by_severity(&diagnostics)),
            hints: Vec::new(),
            findings: Some(Box::new(Findings { diagnostics, sources: self.sources.clone() })),
        }
    }

    /// Takes the warnings met so far, with the texts that they point into.
    pub fn take_warnings(&mut self) -> Findings {
        let mut diagnostics = std::mem::take(&mut self.warnings);
        sort(&mut diagnostics, &self.sources);
        Findings { diagnostics, sources: self.sources.clone() }
    }
}

/// "2 errors, 1 warning".
pub fn count_by_severity(findings: &[Diagnostic]) -> String {
    let of = |severity: Severity| {
        let n = findings.iter().filter(|finding| finding.severity == severity).count();
        (n > 0).then(|| format!("{n} {}{}", severity.as_str(), if n == 1 { "" } else { "s" }))
    };
    [of(Severity::Error), of(Severity::Warning)].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The files of a directory that have this extension, in order.
pub fn files_in(directory: &Path, extension: &str) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(directory).map_err(|error| in_words(&error))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| in_words(&error))?.path();
        if path.is_file() && path.extension().is_some_and(|found| found == extension) {
            found.push(path.to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(found)
}

/// Paths of a recipe are relative to its file. A constitution that is not there is left as it is when a built-in one
/// is meant, and so are standard input and datasets of the hub.
fn from_its_directory(mut recipe: Recipe, path: &Path) -> Recipe {
    let folder = path.parent().unwrap_or(Path::new(""));
    let beside = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let apps = recipe.guard.app.iter_mut().filter_map(|app| app.constitution.as_mut());
    for constitution in apps.chain([&mut recipe.constitution]) {
        let is_file = Path::new(&beside(constitution)).exists();
        if is_file || built_in(constitution).is_none() {
            *constitution = beside(constitution);
        }
    }
    for prompts in recipe.prompts.iter_mut().filter(|name| *name != "-" && !hub::is_hub_name(name)) {
        *prompts = beside(prompts);
    }
    recipe.out = recipe.out.map(|out| beside(&out));
    recipe.templates = recipe
        .templates
        .map(|templates| if templates == SMALL_NAME { templates } else { beside(&templates) });
    let sim = &mut recipe.sim;
    for path in sim.world.iter_mut().chain(&mut sim.labels).chain(&mut sim.learned) {
        *path = beside(path);
    }
    let redteam = &mut recipe.redteam;
    let files = redteam.goals.iter_mut().chain(&mut redteam.attacks).chain(&mut redteam.target_system);
    for path in files.chain(&mut redteam.qualify) {
        *path = beside(path);
    }
    recipe.scale.mirror = recipe.scale.mirror.map(|mirror| beside(&mirror));
    recipe.guard.audit.path = recipe.guard.audit.path.map(|path| beside(&path));
    recipe
}

fn in_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}
