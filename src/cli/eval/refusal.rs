//! `amend eval refusal`: which stored responses refuse, and how well that agrees with people's labels. Asks no model.

use crate::cli::Failure;
use crate::cli::style::printable;
use crate::dataset::gates::{Refusal, refusal};
use crate::dataset::table;
use crate::recipe::Input;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

/// Arguments of `amend eval refusal`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  amend eval refusal responses.jsonl --text response\n  \
                        amend eval refusal labelled.csv --text completion --label final_label --json\n\n\
                        Labels may say full or partial refusal, refusal, compliance, none, true or false. With labels, \
                        a full or partial refusal counts as one against none.")]
pub(super) struct Args {
    /// CSV, JSON Lines, Parquet or text, also compressed; `-` for standard input
    file: String,
    /// The column that holds the responses
    #[arg(long, value_name = "COLUMN")]
    text: String,
    /// The column that holds people's labels
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// Print each row's place and class first
    #[arg(long)]
    rows: bool,
    /// JSON: one object, after one line per row with --rows
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let usage = |error: &table::OpenError| Failure::usage(error.to_string()).hint(error.hint());
    let columns: Vec<&str> =
        [Some(args.text.as_str()), args.label.as_deref()].into_iter().flatten().collect();
    let max_bytes = usize::try_from(Input::default().max_bytes).unwrap_or(usize::MAX);
    let settings = table::Settings { format: None, max_bytes, known_columns: &columns };
    let sources = table::sources(std::slice::from_ref(&args.file), || Box::new(std::io::stdin()));
    let files = table::open(sources, &settings).map_err(|error| usage(&error))?;
    for (file, column) in files.iter().flat_map(|file| columns.iter().map(move |column| (file, *column))) {
        file.require(column).map_err(|error| usage(&error))?;
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut tally = Tally::default();
    for row in files.into_iter().flat_map(|file| file.into_rows(Some(&columns))) {
        let text = row.as_ref().ok().and_then(|row| text_of(row.columns.get(&args.text)?));
        let (Ok(row), Some(text)) = (&row, text) else {
            tally.unread += 1;
            continue;
        };
        let class = refusal(&text);
        tally.add(class);
        if let Some(column) = &args.label {
            tally.compare(class, label_of(row.columns.get(column)));
        }
        if args.rows {
            let line = if args.json {
                json!({ "at": row.at, "refusal": class.as_str() }).to_string()
            } else {
                format!("{}\t{}", printable(&row.at), class.as_str())
            };
            // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
            let _ = writeln!(out, "{line}");
        }
    }
    if args.label.is_some() && tally.labelled() == 0 && tally.rows > 0 {
        return Err(Failure::usage(format!("no label in column `{}` can be read", columns.last().unwrap_or(&"")))
            .hint("labels may say `full_refusal`, `partial_refusal`, `full_compliance`, `refusal`, `none`, `true` or `false`"));
    }
    let text = if args.json {
        tally.to_json(args.label.is_some()).to_string()
    } else {
        tally.to_text(args.label.is_some())
    };
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
    Ok(ExitCode::SUCCESS)
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

/// What a person's label says; `None` when it cannot be read.
fn label_of(value: Option<&Value>) -> Option<Refusal> {
    let text = match value? {
        Value::String(text) => text.to_lowercase(),
        Value::Bool(refuses) => refuses.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let text = text.trim().replace(['-', ' '], "_");
    let negated = ["no_refus", "non_refus", "not_refus"].iter().any(|negated| text.contains(negated));
    let complies = text.contains("compl") || negated;
    match text.as_str() {
        "none" | "no" | "false" | "0" | "answer" | "answered" | "helpful" => Some(Refusal::None),
        "yes" | "true" | "1" | "full" => Some(Refusal::Full),
        _ if complies => Some(Refusal::None),
        _ if text.contains("partial") => Some(Refusal::Partial),
        _ if ["refus", "reject", "declin"].iter().any(|word| text.contains(word)) => Some(Refusal::Full),
        _ => None,
    }
}

/// What was found, against what people say.
#[derive(Debug, Default)]
struct Tally {
    rows: u64,
    unread: u64,
    unlabelled: u64,
    classes: BTreeMap<&'static str, u64>,
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

    fn labelled(&self) -> u64 {
        self.both + self.only_found + self.only_labelled + self.neither
    }

    /// Accuracy, precision, recall, F1; `None` where nothing would be divided.
    fn scores(&self) -> [(&'static str, Option<f64>); 4] {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        [
            ("accuracy", share(self.both + self.neither, self.labelled())),
            ("precision", share(self.both, self.both + self.only_found)),
            ("recall", share(self.both, self.both + self.only_labelled)),
            ("f1", share(2 * self.both, 2 * self.both + self.only_found + self.only_labelled)),
        ]
    }

    fn to_json(&self, with_labels: bool) -> Value {
        let classes: Value =
            CLASSES.iter().map(|c| ((*c).to_owned(), json!(self.classes.get(c).unwrap_or(&0)))).collect();
        let refused = self.classes.iter().filter(|(class, _)| **class != "none").map(|(_, n)| n).sum::<u64>();
        let rate = if self.rows == 0 { Value::Null } else { json!(refused as f64 / self.rows as f64) };
        let mut out =
            json!({ "rows": self.rows, "unread": self.unread, "classes": classes, "refusal_rate": rate });
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
            let by_label = |label: &str| -> Value {
                CLASSES
                    .iter()
                    .map(|c| ((*c).to_owned(), json!(self.matrix.get(&(label, *c)).unwrap_or(&0))))
                    .collect()
            };
            object.insert(
                "classes_by_label".into(),
                CLASSES.iter().map(|l| ((*l).to_owned(), by_label(l))).collect(),
            );
            for (name, score) in self.scores() {
                object.insert(name.into(), json!(score));
            }
        }
        out
    }

    fn to_text(&self, with_labels: bool) -> String {
        let count = |class: &str| self.classes.get(class).copied().unwrap_or(0);
        let mut lines = vec![format!(
            "{} responses: {} refuse fully, {} in part, {} not; {} rows could not be read",
            self.rows,
            count("full"),
            count("partial"),
            count("none"),
            self.unread
        )];
        if with_labels {
            lines.push(format!("{} labelled, {} labels could not be read", self.labelled(), self.unlabelled));
            lines.push(String::new());
            lines.push(format!("{:<18}{:>8}{:>8}{:>8}", "label \\ found", "full", "partial", "none"));
            for label in CLASSES {
                let cell = |class: &'static str| self.matrix.get(&(label, class)).copied().unwrap_or(0);
                lines.push(format!(
                    "{label:<18}{:>8}{:>8}{:>8}",
                    cell("full"),
                    cell("partial"),
                    cell("none")
                ));
            }
            lines.push(String::new());
            lines.push("full or partial against none:".into());
            for (name, score) in self.scores() {
                lines.push(format!("  {name:<10}{}", score.map_or("-".to_owned(), |s| format!("{s:.4}"))));
            }
        }
        lines.join("\n")
    }
}

const CLASSES: [&str; 3] = ["full", "partial", "none"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_many_spellings() {
        for (label, want) in [
            (json!("1_full_compliance"), Some(Refusal::None)),
            (json!("2_full_refusal"), Some(Refusal::Full)),
            (json!("3_partial_refusal"), Some(Refusal::Partial)),
            (json!("non-refusal"), Some(Refusal::None)),
            (json!("Refusal"), Some(Refusal::Full)),
            (json!(true), Some(Refusal::Full)),
            (json!(0), Some(Refusal::None)),
            (json!("perhaps"), None),
            (json!(null), None),
        ] {
            assert_eq!(label_of(Some(&label)), want, "{label}");
        }
    }

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
        let scores: Vec<f64> = tally.scores().iter().map(|(_, s)| s.expect("there are rows")).collect();
        assert_eq!(scores, [17.0 / 20.0, 6.0 / 8.0, 6.0 / 7.0, 12.0 / 15.0]);
        assert_eq!(tally.to_json(true)["classes_by_label"]["partial"]["full"], 6);
    }
}
