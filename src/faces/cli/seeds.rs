//! `amend seeds`: prompts for every cell, written by a model and checked by a judge.

use super::Failure;
use super::journaled_work::{JournaledWork, WorkMemo, kept_in};
use super::settings::RecipeArgs;
use super::stdout::stdout;
use super::whole_file::WholeFile;
use crate::pure::method::{FilledCell, SeedCell, SeedPlan, WrittenPrompt, fill_cell};
use crate::pure::reason::Reason;
use crate::pure::reports::statistics::Rate;
use crate::pure::request_class::RequestClass;
use crate::pure::text::{normalise, printable};
use crate::runtime::engine::at_hand;
use crate::runtime::project::{Project, models};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Empty cells that are named one by one.
const NAMED: usize = 10;

/// Write prompts for every hazard, language and class
///
/// The author (`models.author`) writes a prompt, and the judge, who does not know what was asked for, says what it is. Only a
/// prompt of the right class, hazard and language is kept. A cell is tried three times as often as it is to have prompts; what
/// is still missing is named, and the exit code is 1. Answers are kept: the same command goes on where it was.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("prompts", |arg| arg.hide(true)),
    mut_arg("column", |arg| arg.hide(true)),
    mut_arg("limit", |arg| arg.hide(true)),
    mut_arg("sample", |arg| arg.hide(true)),
    mut_arg("schedule", |arg| arg.hide(true)),
    mut_arg("rounds", |arg| arg.hide(true)),
    mut_arg("screen", |arg| arg.hide(true)),
    mut_arg("unqualified", |arg| arg.hide(true)),
    after_help = "Examples:\n  amend seeds recipe.toml --languages en,de-AT --per-cell 2 --out prompts.jsonl\n  \
                  amend seeds recipe.toml --hazards self,crim.fraud --classes harmful,benign\n  \
                  amend seeds support.toml --scope --languages en    # an application's own questions"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub(super) struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Languages; a tag with a region (de-AT) says whose law and customs hold
    #[arg(long, value_name = "TAGS", value_delimiter = ',', default_value = "en", help_heading = "Cells")]
    languages: Vec<String>,
    /// Classes: harmful, borderline, benign
    #[arg(
        long,
        value_name = "CLASSES",
        value_delimiter = ',',
        default_value = "harmful,borderline,benign",
        help_heading = "Cells"
    )]
    classes: Vec<String>,
    /// Prompts of each cell
    #[arg(long, value_name = "N", default_value_t = 2, help_heading = "Cells")]
    per_cell: u32,
    /// Hazards or domains; all when absent
    #[arg(long, value_name = "IDS", value_delimiter = ',', help_heading = "Cells")]
    hazards: Vec<String>,
    /// Who asks; the prompts of a cell take turns
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "typical",
        help_heading = "Cells"
    )]
    personas: Vec<String>,
    /// How prompts are localised: adapt, translate or native
    #[arg(long, value_name = "HOW", default_value = "adapt", value_parser = ["adapt", "translate", "native"], help_heading = "Cells")]
    localise: String,
    /// A cell for each topic of a hazard
    #[arg(long, help_heading = "Cells")]
    topics: bool,
    /// The kinds of question that the constitution's application meets, in place of hazards
    #[arg(long, conflicts_with_all = ["hazards", "topics", "classes"], help_heading = "Cells")]
    scope: bool,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "seeds.jsonl")]
    out: String,
    /// Replace the file that is there
    #[arg(long)]
    force: bool,
    /// Where answers are kept [default: runs/ID-seeds]
    #[arg(long, value_name = "DIR")]
    run: Option<String>,
    /// What was written and what is missing, as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let project = args.recipe.open_project()?;
    let cells = cells(args, &project)?;
    let file = WholeFile::begin(&args.out, args.force)?;
    let models = models::resolve(&project.recipe)?;
    let cx = project.context(&models)?;
    let dir = kept_in(args.run.as_ref(), &project, "seeds");
    let work = JournaledWork::open(&dir, &project, models, args.json)?;
    let count = cells.len() as u64;
    let wanted = args.per_cell;
    let fill = async |ask: &WorkMemo<'_>, cell: SeedCell| {
        let filled = fill_cell(ask, &cx, &cell, wanted).await?;
        Ok((cell, filled))
    };
    let mut written = Written::default();
    work.each("cells", count, at_hand(cells), &fill, |(cell, filled)| written.add(&cell, filled, wanted))?;
    work.tell();
    file.write(&written.lines)?;
    written.tell(&args.out, args.json);
    Ok(ExitCode::from(u8::from(!written.missing.is_empty())))
}

fn cells(args: &Args, project: &Project) -> Result<Vec<SeedCell>, Failure> {
    let class = |name: &String| {
        RequestClass::read(name).ok_or_else(|| {
            Failure::usage(format!("`{}` is no class", printable(name)))
                .hint("the classes are harmful, borderline and benign")
        })
    };
    let plan = SeedPlan {
        hazards: args.hazards.clone(),
        languages: args.languages.clone(),
        classes: args.classes.iter().map(class).collect::<Result<_, _>>()?,
        personas: args.personas.clone(),
        localise: args.localise.clone(),
        topics: args.topics,
    };
    if !args.scope {
        return plan.cells(project.taxonomy).map_err(Failure::usage);
    }
    if project.constitution.system.is_none() {
        return Err(Failure::usage("the constitution does not say what its application is for")
            .hint("write `system = \"…\"` under `[constitution]`, as `support-desk` does"));
    }
    Ok(plan.scope_cells())
}

/// What was written, and what became of the rest.
#[derive(Debug, Default)]
struct Written {
    lines: Vec<String>,
    seen: BTreeSet<String>,
    /// Kept and tried, by class and language.
    kept: BTreeMap<(RequestClass, String), (u64, u64)>,
    rejected: BTreeMap<Reason, u64>,
    missing: Vec<String>,
}

impl Written {
    fn add(&mut self, cell: &SeedCell, filled: FilledCell, wanted: u32) {
        let tried = filled.kept.len() as u64 + filled.rejected.values().sum::<u64>();
        let mut kept = 0;
        for prompt in &filled.kept {
            // The same prompt may have been written for another cell.
            if self.seen.insert(normalise(&prompt.text)) {
                kept += 1;
                self.lines.push(line(cell, prompt));
            } else {
                *self.rejected.entry(Reason::NearDuplicate).or_default() += 1;
            }
        }
        for (reason, count) in filled.rejected {
            *self.rejected.entry(reason).or_default() += count;
        }
        let counts = self.kept.entry((cell.class, cell.language.clone())).or_default();
        counts.0 += kept;
        counts.1 += tried;
        if kept < u64::from(wanted) {
            self.missing.push(format!("{} ({kept} of {wanted})", name_of(cell)));
        }
    }

    fn tell(&self, out: &str, is_json: bool) {
        if is_json {
            let kept: Vec<_> = self
                .kept
                .iter()
                .map(|((class, language), (kept, tried))| {
                    json!({ "class": class.as_str(), "language": language, "kept": kept, "tried": tried })
                })
                .collect();
            let summary = json!({
                "out": out, "prompts": self.lines.len(), "kept": kept, "rejected": self.rejected, "missing": self.missing,
            });
            let _ = writeln!(stdout(), "{summary}");
            return;
        }
        let mut err = std::io::stderr().lock();
        let _ = writeln!(err, "{}: {} prompts", printable(out), self.lines.len());
        for ((class, language), (kept, tried)) in &self.kept {
            let rate = Rate::new(*kept, *tried);
            let share = rate.share.map_or_else(|| "-".into(), |share| format!("{:.0} %", share * 100.0));
            let (class, language) = (class.as_str(), printable(language));
            let _ = writeln!(err, "  {class:<10}  {language:<8}  kept {kept} of {tried} tries ({share})");
        }
        for (reason, count) in &self.rejected {
            let _ = writeln!(err, "  {count:>6} rejected: {reason}");
        }
        if !self.missing.is_empty() {
            let _ = writeln!(err, "too few prompts in {} cells:", self.missing.len());
            for cell in self.missing.iter().take(NAMED) {
                let _ = writeln!(err, "  {}", printable(cell));
            }
            if let more @ 1.. = self.missing.len().saturating_sub(NAMED) {
                let _ = writeln!(err, "  and {more} more (--json names all)");
            }
        }
        let next = Path::new(out).display().to_string();
        let _ = writeln!(
            err,
            "next: amend coverage {0}; amend run --prompts {0} --set 'method.target=\"style\"'",
            printable(&next)
        );
    }
}

fn name_of(cell: &SeedCell) -> String {
    let what = cell.scope.as_deref().unwrap_or(&cell.hazard);
    let topic = cell.topic.as_ref().map_or_else(String::new, |topic| format!(": {topic}"));
    format!("{what}{topic} {} {}", cell.language, cell.class.as_str())
}

/// A prompt as a row of the file.
fn line(cell: &SeedCell, prompt: &WrittenPrompt) -> String {
    let hazard = (!cell.hazard.is_empty()).then_some(&cell.hazard);
    let mut row = json!({
        "prompt": prompt.text,
        "hazard": hazard,
        "topic": cell.topic,
        "class": cell.class.as_str(),
        "language": cell.language,
        "locale": cell.locale,
        "localise": cell.localise,
        "persona": cell.persona(prompt.number),
        "technique": null,
        "contrast_of": null,
        "made_by": prompt.made_by,
        "seed": prompt.number,
    });
    if let (Some(scope), Some(row)) = (&cell.scope, row.as_object_mut()) {
        row.insert("scope".into(), json!(scope));
    }
    row.to_string()
}
