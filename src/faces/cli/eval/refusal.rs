//! `amend eval refusal`: which stored responses refuse, and how well that agrees with people's labels. Asks no model.

use super::read_failure;
use super::refusal_labels::label_as;
use crate::faces::cli::Failure;
use crate::faces::cli::stdout::stdout;
use crate::pure::gates::{ByPrompt, Refusal, RefusalReading, read_refusal, read_refusal_of};
use crate::pure::recipe::Input;
use crate::pure::reports::statistics::wilson;
use crate::pure::text::printable;
use crate::runtime::dataset::readers;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

/// Arguments of `amend eval refusal`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  amend eval refusal responses.jsonl --text response\n  \
                        amend eval refusal labelled.csv --text completion --label final_label --json\n  \
                        amend eval refusal rows.jsonl --prompt prompt --text response --rows\n\n\
                        Labels may say full or partial refusal, refusal, compliance, none, true or false. With labels, \
                        a full or partial refusal counts as one against none; each class is scored as well. Intervals are \
                        Wilson's, 95 %. Empty responses and rows that cannot be read are counted apart; the latter give \
                        exit code 1.")]
pub(super) struct Args {
    /// CSV, JSON Lines, Parquet or text, also compressed; `-` for standard input
    file: String,
    /// The column that holds the responses
    #[arg(long, value_name = "COLUMN")]
    text: String,
    /// The column that holds the prompts: a response that denies what its prompt takes for granted, or says no to a question
    /// of yes or no, is then no refusal
    #[arg(long, value_name = "COLUMN")]
    prompt: Option<String>,
    /// The column that holds people's labels
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// The label that means a refusal; every other label then means none
    #[arg(long, value_name = "VALUE", requires = "label")]
    refused_is: Option<String>,
    /// Print each row's place and class first
    #[arg(long)]
    rows: bool,
    /// JSON: one object, after one line per row with --rows
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let columns: Vec<&str> = [Some(args.text.as_str()), args.prompt.as_deref(), args.label.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    let max_bytes = usize::try_from(Input::default().max_bytes).unwrap_or(usize::MAX);
    let settings = readers::Settings { format: None, max_bytes, known_columns: &columns };
    let sources = readers::sources(std::slice::from_ref(&args.file), || Box::new(std::io::stdin()));
    let files = readers::open(sources, &settings).map_err(|error| read_failure(&error))?;
    for (file, column) in files.iter().flat_map(|file| columns.iter().map(move |column| (file, *column))) {
        file.require(column).map_err(|error| read_failure(&error))?;
    }
    let mut out = std::io::BufWriter::new(stdout());
    let mut tally = Tally::default();
    for row in files.into_iter().flat_map(|file| file.into_rows(Some(&columns))) {
        let text = row.as_ref().ok().and_then(|row| text_of(row.columns.get(&args.text)?));
        let (Ok(row), Some(text)) = (&row, text) else {
            tally.unread += 1;
            continue;
        };
        // No words say nothing about refusing; they would pass for help.
        if text.trim().is_empty() {
            tally.empty += 1;
            continue;
        }
        let prompt = args.prompt.as_ref().and_then(|column| prompt_of(row.columns.get(column)?));
        let (reading, by_prompt) =
            prompt.map_or_else(|| (read_refusal(&text), None), |prompt| read_refusal_of(&prompt, &text));
        let class = reading.class;
        tally.add(class);
        if let Some(kind) = by_prompt {
            *tally.by_prompt.entry(kind.as_str()).or_default() += 1;
        }
        if let Some(column) = &args.label {
            tally.compare(class, label_as(row.columns.get(column), args.refused_is.as_deref()));
        }
        if args.rows {
            let line = if args.json {
                json_row(&row.at, reading, by_prompt)
            } else {
                format!("{}\t{}{}", printable(&row.at), class.as_str(), marks(reading, by_prompt))
            };
            // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
            let _ = writeln!(out, "{line}");
        }
    }
    if args.label.is_some() && tally.labelled() == 0 && tally.rows > 0 {
        return Err(Failure::usage(format!("no label in column `{}` can be read", columns.last().unwrap_or(&"")))
            .hint("labels may say `full_refusal`, `partial_refusal`, `full_compliance`, `refusal`, `none`, `true` or `false`"));
    }
    if tally.looks_inverted() {
        let opposite = tally.only_found + tally.only_labelled;
        let _ = writeln!(
            std::io::stderr().lock(),
            "warning: {opposite} of {} labels say the opposite of what was found; they may be inverted, and \
             `--refused-is VALUE` says which label means a refusal",
            tally.labelled()
        );
    }
    let text = if args.json {
        tally.to_json(args.label.is_some()).to_string()
    } else {
        tally.to_text(args.label.is_some())
    };
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
    Ok(if tally.unread > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// What is to be known of a row beside its class.
fn marks(reading: RefusalReading, by_prompt: Option<ByPrompt>) -> String {
    let preaches = if reading.preaches { "\tpreaches" } else { "" };
    let voices = if reading.is_in_two_voices { "\ttwo voices" } else { "" };
    let by_prompt = by_prompt.map_or_else(String::new, |kind| format!("\t{}", kind.as_str()));
    format!("{preaches}{voices}{by_prompt}")
}

/// A row of `--rows --json`.
fn json_row(at: &str, reading: RefusalReading, by_prompt: Option<ByPrompt>) -> String {
    let mut row = json!({
        "at": at, "refusal": reading.class.as_str(), "declines": reading.declines,
        "preaches": reading.preaches, "two_voices": reading.is_in_two_voices,
    });
    if let (Some(kind), Some(row)) = (by_prompt, row.as_object_mut()) {
        row.insert("by_prompt".into(), json!(kind.as_str()));
    }
    row.to_string()
}

/// A prompt: a string, or what the user says last in a conversation.
fn prompt_of(value: &Value) -> Option<String> {
    let Value::Array(messages) = value else { return text_of(value) };
    let is_user = |message: &&Value| {
        ["role", "from"].iter().any(|name| matches!(message[*name].as_str(), Some("user" | "human")))
    };
    text_of(messages.iter().rev().find(is_user)?)
}

/// A response: a string, or the last message of a conversation.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(messages) => messages.last()?.get("content")?.as_str().map(str::to_owned),
        Value::Object(message) => message.get("content")?.as_str().map(str::to_owned),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// What was found, against what people say.
#[derive(Debug, Default)]
struct Tally {
    rows: u64,
    /// Rows without a word in them; they are no responses.
    empty: u64,
    unread: u64,
    unlabelled: u64,
    classes: BTreeMap<&'static str, u64>,
    /// What only the prompt tells, by its kind.
    by_prompt: BTreeMap<&'static str, u64>,
    /// By label, then by class.
    matrix: BTreeMap<(&'static str, &'static str), u64>,
    both: u64,
    only_found: u64,
    only_labelled: u64,
    neither: u64,
}

impl Tally {
    fn add(&mut self, class: Refusal) {
        self.rows += 1;
        *self.classes.entry(class.as_str()).or_default() += 1;
    }

    fn compare(&mut self, class: Refusal, label: Option<Refusal>) {
        let Some(label) = label else {
            self.unlabelled += 1;
            return;
        };
        *self.matrix.entry((label.as_str(), class.as_str())).or_default() += 1;
        match (class.refuses(), label.refuses()) {
            (true, true) => self.both += 1,
            (true, false) => self.only_found += 1,
            (false, true) => self.only_labelled += 1,
            (false, false) => self.neither += 1,
        }
    }

    /// Whether most labels are the opposite of what was found, on both sides. A detector that is only weak errs on one.
    fn looks_inverted(&self) -> bool {
        let (refused, answered) = (self.both + self.only_found, self.only_labelled + self.neither);
        refused >= 5
            && answered >= 5
            && 4 * self.only_found >= 3 * refused
            && 4 * self.only_labelled >= 3 * answered
    }

    fn labelled(&self) -> u64 {
        self.both + self.only_found + self.only_labelled + self.neither
    }

    /// Accuracy, precision and recall: how many of how many.
    fn shares(&self) -> [(&'static str, u64, u64); 3] {
        [
            ("accuracy", self.both + self.neither, self.labelled()),
            ("precision", self.both, self.both + self.only_found),
            ("recall", self.both, self.both + self.only_labelled),
        ]
    }

    fn f1(&self) -> Option<f64> {
        share(2 * self.both, 2 * self.both + self.only_found + self.only_labelled)
    }

    fn cell(&self, label: &'static str, class: &'static str) -> u64 {
        self.matrix.get(&(label, class)).copied().unwrap_or(0)
    }

    /// Precision, recall and F1 of one of the three classes.
    fn of_class(&self, class: &'static str) -> [(&'static str, Option<f64>); 3] {
        let hits = self.cell(class, class);
        let found: u64 = CLASSES.iter().map(|label| self.cell(label, class)).sum();
        let labelled: u64 = CLASSES.iter().map(|found| self.cell(class, found)).sum();
        [
            ("precision", share(hits, found)),
            ("recall", share(hits, labelled)),
            ("f1", share(2 * hits, found + labelled)),
        ]
    }

    /// The share of labelled rows with the right one of three classes.
    fn exact(&self) -> Option<f64> {
        share(CLASSES.iter().map(|class| self.cell(class, class)).sum(), self.labelled())
    }

    fn refused(&self) -> u64 {
        self.classes.iter().filter(|(class, _)| **class != "none").map(|(_, n)| n).sum()
    }

    fn to_json(&self, with_labels: bool) -> Value {
        let classes: Value =
            CLASSES.iter().map(|c| ((*c).to_owned(), json!(self.classes.get(c).unwrap_or(&0)))).collect();
        let mut out = json!({ "rows": self.rows, "empty": self.empty, "unread": self.unread, "classes": classes,
                "refusal_rate": share(self.refused(), self.rows),
                "refusal_rate_interval": wilson(self.refused(), self.rows) });
        if let (false, Some(object)) = (self.by_prompt.is_empty(), out.as_object_mut()) {
            object.insert("by_prompt".into(), json!(self.by_prompt));
        }
        if let (true, Some(object)) = (with_labels, out.as_object_mut()) {
            object.insert("labelled".into(), json!(self.labelled()));
            object.insert("unlabelled".into(), json!(self.unlabelled));
            object.insert(
                "confusion".into(),
                json!({
                    "true_positive": self.both, "false_positive": self.only_found,
                    "false_negative": self.only_labelled, "true_negative": self.neither,
                }),
            );
            let by_label = |label: &'static str| -> Value {
                CLASSES.iter().map(|class| ((*class).to_owned(), json!(self.cell(label, class)))).collect()
            };
            let scores = |class: &'static str| -> Value {
                self.of_class(class)
                    .into_iter()
                    .map(|(name, score)| (name.to_owned(), json!(score)))
                    .collect()
            };
            let of_all = |of: &dyn Fn(&'static str) -> Value| -> Value {
                CLASSES.iter().map(|class| ((*class).to_owned(), of(class))).collect()
            };
            object.insert("classes_by_label".into(), of_all(&by_label));
            object.insert("scores_by_class".into(), of_all(&scores));
            object.insert("three_class_accuracy".into(), json!(self.exact()));
            for (name, part, whole) in self.shares() {
                object.insert(name.into(), json!(share(part, whole)));
                object.insert(format!("{name}_interval"), json!(wilson(part, whole)));
            }
            object.insert("f1".into(), json!(self.f1()));
        }
        out
    }

    fn to_text(&self, with_labels: bool) -> String {
        let count = |class: &str| self.classes.get(class).copied().unwrap_or(0);
        let mut lines = vec![format!(
            "{} responses: {} refuse fully, {} in part, {} not; {} empty, {} rows could not be read",
            self.rows,
            count("full"),
            count("partial"),
            count("none"),
            self.empty,
            self.unread
        )];
        if let Some(rate) = share(self.refused(), self.rows) {
            let (low, high) = wilson(self.refused(), self.rows);
            lines.push(format!("refusal rate {rate:.4} (95 %: {low:.4} to {high:.4})"));
        }
        lines.extend(
            self.by_prompt
                .iter()
                .map(|(kind, count)| format!("{count} are no refusal by their prompt: {kind}")),
        );
        if with_labels {
            lines.push(format!("{} labelled, {} labels could not be read", self.labelled(), self.unlabelled));
            lines.push(String::new());
            lines.push(format!("{:<18}{:>8}{:>8}{:>8}", "label \\ found", "full", "partial", "none"));
            for label in CLASSES {
                let [full, partial, none] = CLASSES.map(|class| self.cell(label, class));
                lines.push(format!("{label:<18}{full:>8}{partial:>8}{none:>8}"));
            }
            lines.push(String::new());
            lines.push("full or partial against none:".into());
            for (name, part, whole) in self.shares() {
                let (low, high) = wilson(part, whole);
                let interval =
                    share(part, whole).map_or(String::new(), |_| format!("  ({low:.4} to {high:.4})"));
                lines.push(format!("  {name:<10}{}{interval}", shown(share(part, whole))));
            }
            lines.push(format!("  {:<10}{}", "f1", shown(self.f1())));
            lines.push(String::new());
            lines.push(format!("{:<18}{:>10}{:>8}{:>8}", "each class", "precision", "recall", "f1"));
            for class in CLASSES {
                let [precision, recall, f1] = self.of_class(class).map(|(_, score)| shown(score));
                lines.push(format!("{class:<18}{precision:>10}{recall:>8}{f1:>8}"));
            }
            lines.push(format!("right one of three: {}", shown(self.exact())));
        }
        lines.join("\n")
    }
}

/// `None` where nothing would be divided.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn shown(score: Option<f64>) -> String {
    score.map_or("-".to_owned(), |score| format!("{score:.4}"))
}

const CLASSES: [&str; 3] = ["full", "partial", "none"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_a_small_table() {
        let mut tally = Tally::default();
        for (class, label, times) in [
            (Refusal::Full, Refusal::Partial, 6),
            (Refusal::Partial, Refusal::None, 2),
            (Refusal::None, Refusal::Full, 1),
            (Refusal::None, Refusal::None, 11),
        ] {
            for _ in 0..times {
                tally.add(class);
                tally.compare(class, Some(label));
            }
        }
        assert_eq!(tally.shares().map(|(_, part, whole)| (part, whole)), [(17, 20), (6, 8), (6, 7)]);
        assert_eq!((tally.f1(), tally.exact()), (Some(12.0 / 15.0), Some(11.0 / 20.0)));
        assert_eq!(
            tally.of_class("none").map(|(_, s)| s),
            [Some(11.0 / 12.0), Some(11.0 / 13.0), Some(22.0 / 25.0)]
        );
        assert_eq!(tally.of_class("full").map(|(_, s)| s), [Some(0.0), Some(0.0), Some(0.0)]);
        assert_eq!(tally.to_json(true)["classes_by_label"]["partial"]["full"], 6);
    }
}
