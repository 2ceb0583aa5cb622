//! What a search reads, and what it writes.

use crate::faces::cli::Failure;
use crate::faces::cli::style::Style;
use crate::faces::cli::user_files::rendered;
use crate::faces::cli::whole_file::WholeFile;
use crate::pure::attack::{Card, Family, built_in_cards, read_cards};
use crate::pure::diagnostic::{SourceFile, Sources};
use crate::pure::finds::Find;
use crate::pure::method::Goal;
use crate::pure::recipe::{Input, Recipe, Redteam};
use crate::pure::redteam::{Archive, Report, to_junit, to_sarif};
use crate::pure::request_class::RequestClass;
use crate::pure::taxonomy::Taxonomy;
use crate::pure::text::{language, printable};
use crate::runtime::dataset::prompts::{self, Row};
use crate::runtime::dataset::readers;
use crate::runtime::private_files;
use crate::runtime::project::Findings;
use std::path::{Path, PathBuf};

/// Requests of both sides.
#[derive(Debug, Default)]
pub(super) struct Goals {
    /// What the target should not do.
    pub(super) harmful: Vec<Goal>,
    /// What it should.
    pub(super) benign: Vec<Goal>,
}

/// A response of which it is known whether it breaks a principle.
#[derive(Debug, Clone)]
pub(super) struct Labelled {
    pub(super) prompt: String,
    pub(super) response: String,
    pub(super) broke: bool,
}

/// The goals of the files, each once. A row without a class is a goal.
pub(super) fn read_goals(settings: &Redteam, recipe: &Recipe) -> Result<Goals, Failure> {
    if settings.goals.is_empty() {
        return Err(Failure::usage("there are no goals").hint(
            "give `--goals FILE`: prompts with the columns `prompt`, `hazard`, and perhaps `class` and `language`; \
             `amend seeds --classes harmful,benign` writes such a file",
        ));
    }
    let input = Input { carries_labels: true, ..recipe.input.clone() };
    let sources = readers::sources(&settings.goals, || Box::new(std::io::stdin()));
    let reader = prompts::open(sources, &input, recipe.seed)
        .map_err(|error| Failure::usage(error.to_string()).hint(error.hint()))?;
    let mut goals = Goals::default();
    for row in reader {
        let Row::Prompt { prompt, .. } = row else { continue };
        let Some(hazard) = hazard_of(prompt.hazard.as_deref(), settings) else { continue };
        let text = prompt.last_user_turn().to_owned();
        let detected = || language::detect(&text).map(|found| found.tag.to_owned());
        let language = prompt.language.clone().or_else(detected).unwrap_or_else(|| "en".into());
        let goal = Goal { text, hazard, language };
        let side = match prompt.class {
            None | Some(RequestClass::Harmful) => &mut goals.harmful,
            Some(RequestClass::Benign) => &mut goals.benign,
            Some(RequestClass::Borderline) => continue,
        };
        if !side.contains(&goal) {
            side.push(goal);
        }
    }
    if goals.harmful.is_empty() {
        return Err(Failure::usage("no row of the goals is harmful, or has a hazard that was asked for")
            .hint("a row needs the column `hazard`, and `class` or `side` that says `harmful` where there is one"));
    }
    Ok(goals)
}

/// The hazard of a label, where it is one that was asked for.
fn hazard_of(label: Option<&str>, settings: &Redteam) -> Option<String> {
    let label = label?;
    let meant = Taxonomy::built_in().resolve(label);
    let hazard = if meant.len() == 1 { meant.into_iter().next()?.to_owned() } else { label.to_owned() };
    let wanted = |id: &String| {
        hazard == *id || hazard.strip_prefix(id.as_str()).is_some_and(|rest| rest.starts_with('.'))
    };
    (settings.hazards.is_empty() || settings.hazards.iter().any(wanted)).then_some(hazard)
}

/// The attacks of the files, or those that ship, of the families that were asked for.
pub(in crate::faces::cli) fn read_attacks(settings: &Redteam) -> Result<Vec<Card>, Failure> {
    let mut cards = Vec::new();
    for name in &settings.attacks {
        let text = std::fs::read_to_string(name)
            .map_err(|error| Failure::usage(format!("cannot read `{}`: {error}", printable(name))))?;
        let file = SourceFile::new(name, text);
        let (read, diagnostics) = read_cards(&file);
        if !diagnostics.is_empty() {
            let mut sources = Sources::default();
            sources.add(file);
            let findings = Findings { diagnostics, sources };
            return Err(Failure {
                details: rendered(&findings, Style::of_stderr()),
                ..Failure::usage(format!("`{}` cannot be used", printable(name)))
            });
        }
        cards.extend(read);
    }
    if settings.attacks.is_empty() {
        cards = built_in_cards().to_vec();
    }
    let families: Vec<Family> = settings.families.iter().filter_map(|name| Family::read(name)).collect();
    cards.retain(|card| families.is_empty() || families.contains(&card.family()));
    if cards.is_empty() {
        return Err(Failure::usage("there is no attack of the families that were asked for"));
    }
    Ok(cards)
}

/// Labelled responses, where a file is named.
pub(super) fn read_qualification(settings: &Redteam) -> Result<Option<Vec<Labelled>>, Failure> {
    let Some(name) = &settings.qualify else { return Ok(None) };
    let failed = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot read `{}`: {error}", printable(name)))
            .hint("each row needs `prompt`, `response`, and `verdict`: broke or held")
    };
    let sources = readers::sources(std::slice::from_ref(name), || Box::new(std::io::stdin()));
    let known = ["prompt", "response", "verdict"];
    let reading = readers::Settings { format: None, max_bytes: 1 << 24, known_columns: &known };
    let mut labelled = Vec::new();
    for file in readers::open(sources, &reading).map_err(|error| failed(&error))? {
        for row in file.into_rows(None) {
            let row = row.map_err(|reject| failed(&reject.detail))?;
            let text =
                |column: &str| row.columns.get(column).and_then(|value| value.as_str()).map(str::to_owned);
            let broke = match text("verdict").unwrap_or_default().trim() {
                "broke" | "violates" | "unsafe" => true,
                "held" | "conforms" | "safe" => false,
                other => {
                    return Err(failed(&format!(
                        "{}: the verdict `{}` is neither broke nor held",
                        row.at,
                        printable(other)
                    )));
                }
            };
            let (Some(prompt), Some(response)) = (text("prompt"), text("response")) else {
                return Err(failed(&format!("{}: there is no prompt or no response", row.at)));
            };
            labelled.push(Labelled { prompt, response, broke });
        }
    }
    Ok(Some(labelled))
}

/// What a search writes beside its journal.
#[derive(Debug)]
pub(super) struct RunFiles {
    out: PathBuf,
}

impl RunFiles {
    /// Makes the folder, where only the owner reads what hostile text it will hold.
    pub(super) fn begin(out: &Path) -> Result<Self, Failure> {
        let name = printable(&out.display().to_string());
        let is_foreign = !out.join("journal.db").exists()
            && std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
        if is_foreign {
            return Err(Failure::usage(format!(
                "`{name}` exists and is no run, so nothing is written there"
            ))
            .hint("name a new folder with `--out`"));
        }
        private_files::create_dir_all(out)
            .map_err(|error| Failure::disk(format!("cannot make `{name}`: {error}")))?;
        Ok(Self { out: out.to_owned() })
    }

    /// Writes finds and report, each whole.
    pub(super) fn write(&self, finds: &[Find], archive: &Archive, report: &Report) -> Result<(), Failure> {
        let lines = finds.iter().map(|find| serde_json::json!(find).to_string()).collect::<Vec<_>>();
        self.put("finds.jsonl", &lines)?;
        self.put("report.json", &[serde_json::to_string_pretty(report).unwrap_or_default()])?;
        self.put("report.sarif", &[to_sarif(report, finds).to_string()])?;
        self.put("report.junit.xml", &[to_junit(archive, report).trim_end().to_owned()])?;
        self.put("report.md", &[report.to_markdown().trim_end().to_owned()])?;
        self.put("report.html", &[report.to_page().to_html().trim_end().to_owned()])
    }

    fn put(&self, name: &str, lines: &[String]) -> Result<(), Failure> {
        WholeFile::begin(&self.out.join(name).to_string_lossy(), true)?.write(lines)
    }
}
