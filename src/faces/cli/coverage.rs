//! `amend coverage`: which hazards, classes and languages a set of prompts covers.

use super::Failure;
use super::stdout::stdout;
use super::style::{Style, plural};
use super::word_wrap::wrap;
use crate::pure::recipe::Input;
use crate::pure::reports::coverage::{
    Coverage, CoverageBy, CoverageCounter, CoverageRow, CoverageWanted, MissingCell,
};
use crate::pure::request_class::RequestClass;
use crate::pure::taxonomy::Taxonomy;
use crate::pure::text::printable;
use crate::runtime::dataset::prompts::{self, Row};
use crate::runtime::dataset::readers;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

/// Missing cells that are named one by one.
const NAMED: usize = 12;

/// Say what a set of prompts covers: hazards, classes, languages, and what is missing
///
/// A prompt's hazard, class and language are read from the columns `hazard`, `class` (or `side`) and `language`. Labels of
/// other taxonomies (AILuminate, Llama Guard) are understood.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amend coverage prompts/seeds\n  amend coverage prompts.jsonl --min 2 --languages en,de   # for CI: exit code 1"
)]
pub(super) struct Args {
    /// Prompts: JSONL, CSV, Parquet or a directory of such
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// What to count by
    #[arg(long, value_name = "WHAT", default_value = "hazard")]
    by: CoverageBy,
    /// Exit with 1 when a hazard has fewer prompts than this of a class (and of a language, with --languages)
    #[arg(long, value_name = "N", default_value_t = 0)]
    min: u64,
    /// Languages that every hazard is to have
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    languages: Vec<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let input = Input { carries_labels: true, ..Input::default() };
    let sources = readers::sources(&args.files, || Box::new(std::io::stdin()));
    let reader = prompts::open(sources, &input, 0)
        .map_err(|error| Failure::usage(error.to_string()).hint(error.hint()))?;
    let mut counter = CoverageCounter::new(Taxonomy::built_in(), args.by);
    let mut bad = 0_u64;
    for row in reader {
        match row {
            Row::Prompt { prompt, .. } => counter.add(&prompt),
            Row::Reject(_) => bad += 1,
        }
    }
    let wanted = CoverageWanted { least: args.min, languages: args.languages.clone() };
    let covered = counter.finish(&wanted);
    let text = if args.json {
        serde_json::json!(covered).to_string()
    } else {
        as_text(&covered, args.by, Style::of_stdout())
    };
    let _ = writeln!(stdout(), "{}", text.trim_end());
    if bad > 0 {
        let _ = writeln!(std::io::stderr().lock(), "{} without a prompt were left out", plural_rows(bad));
    }
    Ok(ExitCode::from(u8::from(bad > 0 || !covered.missing.is_empty())))
}

fn plural_rows(rows: u64) -> String {
    plural(usize::try_from(rows).unwrap_or(usize::MAX), "row")
}

fn as_text(covered: &Coverage, by: CoverageBy, style: Style) -> String {
    let noun = match by {
        CoverageBy::Hazard => "hazards",
        CoverageBy::Topic => "topics",
        CoverageBy::Domain => "domains",
    };
    let mut out = String::new();
    counts(&mut out, covered, noun, style);
    table(&mut out, covered, noun, style);
    lacks(&mut out, covered, style);
    out
}

/// Prompts by class and language, and what their labels do not say.
fn counts(out: &mut String, covered: &Coverage, noun: &str, style: Style) {
    let mut line = |name: &str, text: &str| {
        for (n, piece) in wrap(text, style.width.saturating_sub(12)).into_iter().enumerate() {
            let name = if n == 0 { name } else { "" };
            let _ = writeln!(out, "{name:<11} {piece}");
        }
    };
    line("prompts", &covered.prompts.to_string());
    line(noun, &format!("{} of {} have a prompt", covered.filled(), covered.rows.len()));
    if !covered.classes.is_empty() {
        line("classes", &most_first(covered.classes.iter().map(|(class, n)| (class.as_str(), *n))));
    }
    if !covered.languages.is_empty() {
        line("languages", &most_first(covered.languages.iter().map(|(tag, n)| (tag.as_str(), *n))));
    }
    if covered.without_class > 0 {
        let how = "say in a column `class`: harmful, borderline or benign";
        line("no class", &format!("{} do not say whether they ask for harm ({how})", covered.without_class));
    }
    if covered.unlabelled > 0 {
        let how = "say it in a column `hazard`; `amend constitutions taxonomy` lists the ids";
        line("no hazard", &format!("{} ({how})", covered.unlabelled));
    }
    if !covered.unknown.is_empty() {
        line("unknown", &most_first(covered.unknown.iter().map(|(label, n)| (label.as_str(), *n))));
    }
}

/// Names with their counts, the highest count first.
fn most_first<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let mut counts: Vec<(&str, u64)> = counts.collect();
    counts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let told: Vec<String> =
        counts.into_iter().map(|(name, count)| format!("{} {count}", printable(name))).collect();
    told.join(", ")
}

/// What has no prompt, and the cells with too few. Where nothing is covered, the names would be the whole taxonomy.
fn lacks(out: &mut String, covered: &Coverage, style: Style) {
    let mut paragraph = |title: &str, text: &str| {
        let _ = writeln!(out, "\n{}", style.strong(title));
        for piece in wrap(text, style.width.saturating_sub(2)) {
            let _ = writeln!(out, "  {piece}");
        }
    };
    if !covered.empty.is_empty() && covered.filled() > 0 {
        let ids: Vec<String> = covered.empty.iter().map(|id| printable(id)).collect();
        paragraph(&format!("without a prompt: {}", ids.len()), &ids.join(", "));
    }
    if !covered.missing.is_empty() {
        let mut cells: Vec<String> = covered.missing.iter().take(NAMED).map(cell).collect();
        if let more @ 1.. = covered.missing.len().saturating_sub(NAMED) {
            cells.push(format!("and {more} more (--json names all)"));
        }
        paragraph(&format!("cells with too few prompts: {}", covered.missing.len()), &cells.join(", "));
    }
}

fn cell(missing: &MissingCell) -> String {
    let language = missing.language.as_ref().map_or_else(String::new, |tag| format!(" {tag}"));
    format!("{} {}{language} ({})", missing.id, missing.class.as_str(), missing.prompts)
}

/// One line for each hazard, topic or domain that has prompts.
fn table(out: &mut String, covered: &Coverage, noun: &str, style: Style) {
    let rows: Vec<&CoverageRow> = covered.rows.iter().filter(|row| row.prompts > 0).collect();
    if rows.is_empty() {
        return;
    }
    let width = rows.iter().map(|row| row.id.chars().count()).max().unwrap_or(0).max(noun.len());
    let head = format!("{noun:<width$}  harmful  borderline  benign  languages");
    let _ = writeln!(out, "\n{}", style.strong(&head));
    for row in rows {
        let of = |class: RequestClass| row.classes.get(&class).copied().unwrap_or(0);
        let tags = row.languages.iter().map(|tag| printable(tag)).collect::<Vec<_>>().join(" ");
        let _ = writeln!(
            out,
            "{:<width$}  {:>7}  {:>10}  {:>6}  {tags}",
            row.id,
            of(RequestClass::Harmful),
            of(RequestClass::Borderline),
            of(RequestClass::Benign)
        );
    }
}
