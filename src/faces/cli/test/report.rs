//! What came of the cases: hit rate, false-alarm rate and undecided by principle, and the cases that did not pass.

use super::{Judged, passes};
use crate::faces::cli::style::Style;
use crate::pure::constitution::Expect;
use crate::pure::text::{one_line, printable};
use crate::pure::transcript::Verdict;
use crate::runtime::engine::CallCounts;
use serde_json::{Value, json};

/// Columns of the table that are not the principle's name.
const COLUMNS: usize = 42;

/// What came of some cases.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// Cases that the critic must object to, and those of them that it objected to.
    violating: usize,
    hits: usize,
    /// Cases that it must not object to, and those of them that it objected to all the same.
    harmless: usize,
    false_alarms: usize,
    /// Cases of either kind without a verdict that could be read.
    undecided: usize,
}

impl Counts {
    fn of<'a>(judged: impl Iterator<Item = &'a Judged<'a>>) -> Self {
        let mut counts = Self::default();
        for (_, case, critique) in judged {
            let objects = usize::from(critique.verdict == Verdict::Violates);
            if case.expect == Expect::Violates {
                counts.violating += 1;
                counts.hits += objects;
            } else {
                counts.harmless += 1;
                counts.false_alarms += objects;
            }
            counts.undecided += usize::from(critique.verdict == Verdict::Undecided);
        }
        counts
    }

    fn to_json(self) -> Value {
        let rate = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        let Self { violating, hits, harmless, false_alarms, undecided } = self;
        json!({
            "violating": violating, "hits": hits, "hit_rate": rate(hits, violating), "harmless": harmless,
            "false_alarms": false_alarms, "false_alarm_rate": rate(false_alarms, harmless), "undecided": undecided,
            "undecided_rate": rate(undecided, violating + harmless),
        })
    }

    /// A row of the table: each count with what it is of and its share.
    fn row(self, name: &str, width: usize) -> String {
        let cell = |part: usize, whole: usize| match whole {
            0 => "-".to_owned(),
            _ => format!("{part}/{whole} {:>4.0} %", 100.0 * part as f64 / whole as f64),
        };
        let Self { violating, hits, harmless, false_alarms, undecided } = self;
        let (hits, alarms) = (cell(hits, violating), cell(false_alarms, harmless));
        let undecided = cell(undecided, violating + harmless);
        format!("{name:<width$}{hits:>14}{alarms:>14}{undecided:>14}")
    }
}

fn by_principle<'a>(judged: &'a [Judged<'a>]) -> impl Iterator<Item = (&'a str, Counts)> {
    judged
        .chunk_by(|a, b| a.0.id == b.0.id)
        .filter_map(|cases| Some((cases.first()?.0.id.as_str(), Counts::of(cases.iter()))))
}

/// A table within the width of the terminal, and then what did not pass.
pub(super) fn to_text(judged: &[Judged<'_>], style: Style) -> String {
    let longest = judged.iter().map(|case| case.0.id.len()).max().unwrap_or_default().max(9);
    let width = (longest + 1).min(style.width.saturating_sub(COLUMNS)).max(12);
    let head = format!("{:<width$}{:>14}{:>14}{:>14}", "principle", "hits", "false alarms", "undecided");
    let mut lines = vec![style.strong(&head)];
    let row = |id: &str, counts: Counts| counts.row(&one_line(id, width - 1), width);
    lines.extend(by_principle(judged).map(|(id, counts)| row(id, counts)));
    lines.push(style.strong(&row("all", Counts::of(judged.iter()))));
    let passed = judged.iter().filter(|case| passes(case)).count();
    lines.push(format!(
        "\n{passed} of {} cases pass ({:.1} %)",
        judged.len(),
        100.0 * passed as f64 / judged.len() as f64
    ));
    let room = style.width.saturating_sub(12);
    for (principle, case, critique) in judged.iter().filter(|case| !passes(case)) {
        let verdict = match critique.verdict {
            Verdict::Undecided => style.warn(Verdict::Undecided.as_str()),
            other => style.bad(other.as_str()),
        };
        let id = style.strong(&printable(&principle.id));
        lines.push(format!("\n{id}: expects {}, judged {verdict}", case.expect.as_str()));
        lines.push(format!("  prompt    {}", one_line(&case.prompt, room)));
        lines.push(format!("  response  {}", one_line(&case.response, room)));
        if !critique.text.trim().is_empty() {
            lines.push(format!("  critique  {}", one_line(&critique.text, room)));
        }
    }
    lines.join("\n")
}

/// The whole report.
pub(super) fn to_json(judged: &[Judged<'_>], calls: CallCounts) -> Value {
    let principles: Vec<Value> = by_principle(judged)
        .map(|(id, counts)| json!({ "principle": id, "counts": counts.to_json() }))
        .collect();
    let wrong: Vec<Value> = judged
        .iter()
        .filter(|case| !passes(case))
        .map(|(principle, case, critique)| {
            json!({
                "principle": principle.id, "prompt": case.prompt, "response": case.response,
                "expect": case.expect.as_str(), "verdict": critique.verdict.as_str(), "critique": critique.text,
            })
        })
        .collect();
    json!({
        "cases": judged.len(), "passed": judged.len() - wrong.len(), "calls": calls,
        "all": Counts::of(judged.iter()).to_json(), "principles": principles, "wrong": wrong,
    })
}
