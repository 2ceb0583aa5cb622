//! `amend check`: everything that is wrong, or probably not meant, in constitutions, recipes and templates.

use super::Failure;
use super::style::Style;
use super::word_wrap::wrap;
use crate::faces::cli::stdout::stdout;
use crate::pure::attack::read_cards;
use crate::pure::constitution::{self, Day};
use crate::pure::diagnostic::{
    CODES, Diagnostic, Fix, SourceFile, apply_fixes, explain, nearest, nearest_code, render, sort,
};
use crate::pure::guard::utc::utc;
use crate::pure::recipe::{self, RequestWorld};
use crate::pure::taxonomy::Taxonomy;
use crate::pure::template::{SMALL_NAME, Templates};
use crate::pure::toml_file;
use crate::runtime::project::{InputFiles, count_by_severity, files_in};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Arguments of `amend check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  amend check amend.toml                  a recipe, with the constitution and templates that it names
  amend check constitutions/ templates/   every file in a directory
  amend check --fix my.toml               correct mistyped keys and ids
  amend check --explain near-duplicate    what a code means
  amend check --sarif . > check.sarif     for code hosts

Exit codes: 0 nothing wrong (warnings allowed), 1 findings, 2 a file cannot be read.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Args {
    /// Constitutions, recipes, taxonomies, attacks, worlds of `[sim]`, templates, or directories of them
    #[arg(value_name = "FILE", required_unless_present = "explain")]
    files: Vec<String>,
    /// Print the findings as one JSON object
    #[arg(long, conflicts_with = "sarif")]
    json: bool,
    /// Print the findings as SARIF 2.1.0, for code hosts
    #[arg(long)]
    sarif: bool,
    /// Correct what can be corrected without doubt, then check again
    #[arg(long)]
    fix: bool,
    /// The day for which resources are to be fresh: those checked more than a year before it are told [default: today]
    #[arg(long, value_name = "DAY")]
    today: Option<Day>,
    /// Exit with 1 when there are warnings
    #[arg(long)]
    deny_warnings: bool,
    /// Tell what a code means and what to do; without a code, list them all
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = "")]
    explain: Option<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if let Some(code) = &args.explain {
        print(&explanation(code, Style::of_stdout())?);
        return Ok(ExitCode::SUCCESS);
    }
    let today = args.today.or_else(this_day);
    let mut checked = check_all(&args.files, today)?;
    if args.fix {
        // A repair can uncover another; so often is more than enough for what a person mistypes.
        for _ in 0..10 {
            if repair(&checked)? == 0 {
                break;
            }
            checked = check_all(&args.files, today)?;
        }
    }
    let Checked { inputs, findings, seen, .. } = &checked;
    if args.json {
        print(&format!("{}\n", to_json(&checked)));
    } else if args.sarif {
        print(&format!("{}\n", super::sarif::to_sarif(findings, &inputs.sources)));
    } else {
        print(&render(findings, &inputs.sources, Style::of_stdout().of_findings()));
        let files = seen.len();
        let outcome =
            if findings.is_empty() { "nothing to report".to_owned() } else { count_by_severity(findings) };
        let plural = if files == 1 { "" } else { "s" };
        note(&format!("{files} file{plural} checked: {outcome}\n"));
        if let Some(finding) = findings.first() {
            note(&format!("`amend check --explain {}` tells more about a code\n", finding.code));
        }
    }
    let failed = findings.iter().any(|finding| finding.is_error() || args.deny_warnings);
    Ok(ExitCode::from(u8::from(failed)))
}

/// What one pass over the files found.
#[derive(Debug, Default)]
struct Checked {
    /// The day for which resources are to be fresh.
    today: Option<Day>,
    inputs: InputFiles,
    findings: Vec<Diagnostic>,
    /// Files that were checked, by the name that findings have.
    seen: BTreeSet<String>,
}

/// The day of the clock.
#[expect(clippy::disallowed_methods, reason = "only the command line reads the clock")]
pub(super) fn this_day() -> Option<Day> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    utc(since).split('T').next()?.parse().ok()
}

fn check_all(files: &[String], today: Option<Day>) -> Result<Checked, Failure> {
    let mut checked = Checked { today, ..Checked::default() };
    for file in files {
        if Path::new(file).is_dir() {
            checked.directory(file)?;
        } else {
            checked.file(file)?;
        }
    }
    sort(&mut checked.findings, &checked.inputs.sources);
    Ok(checked)
}

impl Checked {
    fn directory(&mut self, directory: &str) -> Result<(), Failure> {
        let files = |extension| {
            files_in(Path::new(directory), extension)
                .map_err(|why| Failure::usage(format!("cannot read `{directory}`: {why}")))
        };
        let (settings, templates) = (files("toml")?, files("hbs")?);
        if settings.is_empty() && templates.is_empty() {
            return Err(Failure::usage(format!("there is nothing to check in `{directory}`"))
                .hint("constitutions and recipes end in `.toml`, templates in `.hbs`"));
        }
        for file in &settings {
            self.file(file)?;
        }
        self.templates(&templates)
    }

    fn file(&mut self, name: &str) -> Result<(), Failure> {
        if Path::new(name).extension().is_some_and(|extension| extension == "hbs") {
            return self.templates(&[name.to_owned()]);
        }
        let file = match self.inputs.load(name) {
            Ok(file) => file,
            Err(why) => match constitution::built_in(name) {
                Some(file) if !Path::new(name).exists() => {
                    self.inputs.sources.add(file.clone());
                    file
                }
                _ => return Err(Failure::usage(format!("cannot read `{name}`: {why}"))),
            },
        };
        if !self.seen.insert(file.name.clone()) {
            return Ok(());
        }
        match kind_of(&file) {
            Some(Kind::Constitution) => self.constitution(&file),
            Some(Kind::Recipe) => self.recipe(&file)?,
            Some(Kind::Taxonomy) => self.findings.extend(Taxonomy::read(&file).1),
            Some(Kind::Attacks) => self.findings.extend(read_cards(&file).1),
            Some(Kind::World) => self.findings.extend(RequestWorld::read(&file).1),
            None => {
                let message = "this is no constitution, no recipe, no taxonomy, no file of attacks and no simulated world";
                let finding = Diagnostic::error("unknown-file", &file.name, None, message);
                self.findings
                    .push(finding.help("a constitution has a `[constitution]` table and `[[principle]]`s"));
            }
        }
        Ok(())
    }

    fn constitution(&mut self, file: &SourceFile) {
        let inputs = &mut self.inputs;
        self.findings.extend(constitution::check(file, &mut |path| inputs.load_extended(&file.name, path)));
        if let Some(today) = self.today {
            let mut load = |path: &str| inputs.load_extended(&file.name, path);
            self.findings.extend(constitution::stale_resources(file, &mut load, today));
        }
    }

    /// A recipe, and then the files that it names.
    fn recipe(&mut self, file: &SourceFile) -> Result<(), Failure> {
        let reading = recipe::read(file);
        self.findings.extend(recipe::check_complete(file, &reading));
        let folder = Path::new(&file.name).parent().unwrap_or(Path::new(""));
        let beside = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let missing = |key: &str, name: &str| {
            let message = format!("there is no `{name}` beside this recipe");
            Diagnostic::error("missing-file", &file.name, reading.root.key(key).span(), message)
        };
        let named = &reading.recipe.constitution;
        let constitution = beside(named);
        if Path::new(&constitution).is_file() {
            self.file(&constitution)?;
        } else if constitution::built_in(named).is_none() && !named.trim().is_empty() {
            let near = nearest(named, constitution::built_in_names());
            let finding = missing("constitution", named);
            self.findings.push(match near {
                Some(near) => finding.help(format!("did you mean the built-in `{near}`?")),
                None => finding.help("paths in a recipe are relative to the recipe"),
            });
        }
        if let Some(templates) = reading.recipe.templates.as_ref().filter(|name| *name != SMALL_NAME) {
            match files_in(Path::new(&beside(templates)), "hbs") {
                Ok(files) => self.templates(&files)?,
                Err(_) => self.findings.push(missing("templates", templates)),
            }
        }
        for (n, prompts) in reading.recipe.prompts.iter().enumerate() {
            if prompts != "-" && !Path::new(&beside(prompts)).exists() {
                let mut finding = missing("prompts", prompts);
                finding.span = Some(reading.root.key("prompts").nth(n).span());
                self.findings.push(finding);
            }
        }
        self.findings.extend(reading.findings);
        Ok(())
    }

    fn templates(&mut self, paths: &[String]) -> Result<(), Failure> {
        let mut texts = BTreeMap::new();
        for path in paths {
            let file = self
                .inputs
                .load(path)
                .map_err(|why| Failure::usage(format!("cannot read `{path}`: {why}")))?;
            if self.seen.insert(file.name.clone()) {
                texts.insert(file.name, file.text);
            }
        }
        self.findings.extend(Templates::load(&texts).err().unwrap_or_default());
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Constitution,
    Recipe,
    Taxonomy,
    Attacks,
    World,
}

/// What kind of file it is, by its content: tables that only one kind has, or keys that are slips of such.
fn kind_of(file: &SourceFile) -> Option<Kind> {
    let root = toml_file::peek(file);
    let tables = [
        (Kind::Constitution, ["constitution", "principle"]),
        (Kind::Taxonomy, ["taxonomy", "hazard"]),
        (Kind::Recipe, ["method", "models"]),
    ];
    if root.has_table("attack") {
        return Some(Kind::Attacks);
    }
    if ["weak", "over"].iter().any(|name| root.has_table(name)) {
        return Some(Kind::World);
    }
    let certain = tables.iter().find(|(_, names)| names.iter().any(|name| root.has_table(name)));
    let recipe_keys = [
        "constitution",
        "prompts",
        "out",
        "seed",
        "templates",
        "input",
        "method",
        "models",
        "limits",
        "gates",
        "export",
        "sim",
    ];
    let likely = || {
        root.keys().find_map(|key| {
            let table =
                |names: &[&'static str]| root.has_table(key) && nearest(key, names.iter().copied()).is_some();
            if table(&["constitution", "principle"]) {
                Some(Kind::Constitution)
            } else if table(&["attack"]) {
                Some(Kind::Attacks)
            } else if table(&["taxonomy", "hazard", "domain"]) {
                Some(Kind::Taxonomy)
            } else {
                nearest(key, recipe_keys).map(|_| Kind::Recipe)
            }
        })
    };
    certain.map(|(kind, _)| *kind).or_else(likely)
}

/// Makes every repair on disk; gives back how many were made.
fn repair(checked: &Checked) -> Result<usize, Failure> {
    let mut total = 0;
    for name in &checked.inputs.sources.names() {
        let fixes: Vec<&Fix> = checked
            .findings
            .iter()
            .filter(|finding| finding.file == *name)
            .filter_map(|f| f.fix.as_ref())
            .collect();
        let (Some(file), false, true) =
            (checked.inputs.sources.get(name), fixes.is_empty(), Path::new(name).is_file())
        else {
            continue;
        };
        let (text, made) = apply_fixes(&file.text, fixes);
        overwrite(Path::new(name), &text).map_err(|error| {
            Failure::disk(format!("cannot write `{name}`: {error}")).hint("nothing was changed in it")
        })?;
        note(&format!("{made} corrected in `{name}`\n"));
        total += made;
    }
    Ok(total)
}

/// Writes beside the file and then puts that in its place, so that there is no moment without the one or the other.
fn overwrite(path: &Path, text: &str) -> std::io::Result<()> {
    let path = path.canonicalize()?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".amend-fix");
    let beside = path.with_file_name(name);
    std::fs::write(&beside, text)?;
    std::fs::set_permissions(&beside, std::fs::metadata(&path)?.permissions())?;
    std::fs::rename(&beside, &path)
}

fn to_json(checked: &Checked) -> serde_json::Value {
    let errors = checked.findings.iter().filter(|finding| finding.is_error()).count();
    let sources = &checked.inputs.sources;
    serde_json::json!({
        "files": checked.seen,
        "errors": errors,
        "warnings": checked.findings.len() - errors,
        "findings": checked.findings.iter().map(|finding| finding.to_json(sources)).collect::<Vec<_>>(),
    })
}

fn explanation(code: &str, style: Style) -> Result<String, Failure> {
    if code.is_empty() {
        let lines = CODES.iter().map(|known| {
            let first = known.text.split_inclusive(". ").next().unwrap_or("").trim_end();
            format!(
                "{}\n{}\n",
                style.strong(known.code),
                wrap(first, style.width.saturating_sub(4)).join("\n")
            )
        });
        return Ok(lines.collect::<Vec<_>>().join("\n"));
    }
    let known = explain(code).ok_or_else(|| {
        let failure = Failure::usage(format!("there is no code `{code}`"));
        match nearest_code(code) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("`amend check --explain` lists them all"),
        }
    })?;
    Ok(format!("{}\n\n{}\n", style.strong(known.code), wrap(known.text, style.width).join("\n")))
}

fn print(text: &str) {
    let _ = stdout().write_all(text.as_bytes());
}

fn note(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_content() {
        let check = |text: &str| kind_of(&SourceFile::new("x", text));
        assert_eq!(check("[constitution]\nid = \"a\"\n"), Some(Kind::Constitution));
        assert_eq!(check("[[principle]]\nid = \"a\"\n"), Some(Kind::Constitution));
        assert_eq!(check("[[principles]]\nid = \"a\"\n"), Some(Kind::Constitution));
        assert_eq!(check("constitution = \"a.toml\"\n"), Some(Kind::Recipe));
        assert_eq!(check("[modles.default]\nmodel = \"sim\"\n"), Some(Kind::Recipe));
        assert_eq!(check("[taxonomy]\nid = \"a\"\n"), Some(Kind::Taxonomy));
        assert_eq!(check("[package]\nname = \"a\"\n"), None);
        assert_eq!(check(""), None);
    }

    #[test]
    fn every_code_is_told_about_and_an_unknown_one_is_not() {
        assert!(CODES.iter().all(|code| explanation(code.code, Style::plain()).is_ok()));
        assert!(explanation("", Style::plain()).unwrap().contains("near-duplicate"));
        assert_eq!(
            explanation("near-dupe", Style::plain()).unwrap_err().hints,
            ["did you mean `near-duplicate`?"]
        );
    }
}
