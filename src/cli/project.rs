//! A recipe with everything that it names, read and checked: what every command that asks a model starts from.

use super::Failure;
use super::settings::RecipeArgs;
use super::style::Style;
use crate::constitution::{self, Constitution};
use crate::diagnostic::{self, Diagnostic, SourceFile, Sources};
use crate::recipe::Recipe;
use crate::taxonomy::Taxonomy;
use crate::template::Templates;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A recipe and what it names.
#[derive(Debug)]
pub struct Project {
    /// What to run.
    pub recipe: Recipe,
    /// The constitution, extended and checked.
    pub constitution: Constitution,
    /// The templates, overrides laid over the built-in ones.
    pub templates: Templates,
    /// The harm taxonomy that hazard ids are of.
    pub taxonomy: &'static Taxonomy,
}

impl Project {
    /// Reads the recipe, the flags and what they name. Every problem of a file is printed at once.
    pub fn load(args: &RecipeArgs) -> Result<Self, Failure> {
        let recipe = args.resolve()?;
        let constitution = read_constitution(&recipe.constitution)?;
        let templates = match &recipe.templates {
            Some(dir) => read_templates(Path::new(dir))?,
            None => Templates::built_in(),
        };
        Ok(Self { recipe, constitution, templates, taxonomy: Taxonomy::built_in() })
    }
}

/// Reads a constitution: a file, or a built-in one by name.
pub fn read_constitution(name: &str) -> Result<Constitution, Failure> {
    let main = load_source(Path::new(name)).or_else(|error| {
        constitution::built_in(name).ok_or_else(|| {
            let names = constitution::built_in_names().collect::<Vec<_>>().join(", ");
            Failure::usage(format!("cannot read the constitution `{name}`: {error}"))
                .hint(format!("give a file, or one of the built-in ones: {names}"))
        })
    })?;
    read_constitution_text(&main)
}

/// Reads a constitution whose text is at hand. Its findings are printed.
pub fn read_constitution_text(main: &SourceFile) -> Result<Constitution, Failure> {
    let mut sources = Sources::default();
    sources.add(main.clone());
    let mut load = |path: &str| {
        let file = match constitution::built_in(path) {
            Some(file) if !Path::new(path).exists() => file,
            Some(_) | None => load_source(Path::new(path)).map_err(|error| error.to_string())?,
        };
        sources.add(file.clone());
        Ok(file)
    };
    match constitution::read(main, &mut load) {
        Ok((constitution, warnings)) => {
            show(&warnings, &sources);
            Ok(constitution)
        }
        Err(findings) => {
            show(&findings, &sources);
            Err(Failure::usage(problems(&findings, &main.name)))
        }
    }
}

fn read_templates(dir: &Path) -> Result<Templates, Failure> {
    let (overrides, sources) = template_files(dir)?;
    Templates::load(&overrides).map_err(|findings| {
        show(&findings, &sources);
        Failure::usage(problems(&findings, &dir.display().to_string()))
    })
}

/// The template files of a directory, by name.
pub fn template_files(dir: &Path) -> Result<(BTreeMap<String, String>, Sources), Failure> {
    let cannot = |path: &Path, error: &std::io::Error| {
        Failure::usage(format!("cannot read templates in `{}`: {error}", path.display()))
    };
    let entries = std::fs::read_dir(dir).map_err(|error| cannot(dir, &error))?;
    let mut overrides = BTreeMap::new();
    let mut sources = Sources::default();
    for entry in entries {
        let path: PathBuf = entry.map_err(|error| cannot(dir, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "hbs") {
            let file = load_source(&path).map_err(|error| cannot(&path, &error))?;
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            overrides.insert(name.clone(), file.text.clone());
            sources.add(SourceFile::new(name, file.text));
        }
    }
    if overrides.is_empty() {
        return Err(Failure::usage(format!("there is no template (`*.hbs`) in `{}`", dir.display())).hint(
            "a template that is not there is taken from the built-in ones; an empty directory is a mistake",
        ));
    }
    Ok((overrides, sources))
}

fn load_source(path: &Path) -> Result<SourceFile, std::io::Error> {
    Ok(SourceFile::new(path.display().to_string(), std::fs::read_to_string(path)?))
}

/// Prints findings to stderr.
#[expect(clippy::print_stderr, reason = "findings are for the person who called; they are not data")]
pub fn show(findings: &[Diagnostic], sources: &Sources) {
    if !findings.is_empty() {
        let style = Style::of_stderr();
        let style = diagnostic::Style { color: style.colour, width: style.width };
        eprintln!("{}", diagnostic::render(findings, sources, style));
    }
}

fn problems(findings: &[Diagnostic], file: &str) -> String {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    format!("{errors} {} in `{file}`", if errors == 1 { "problem" } else { "problems" })
}
