//! How the difference of two runs is shown: counts first, then prompts. Nothing of a prompt or a model reaches the
//! terminal raw.

use super::constitutions::in_short;
use crate::faces::cli::show_transcript::{body, paragraph};
use crate::faces::cli::style::Style;
use crate::faces::cli::word_diff::difference as by_word;
use crate::pure::constitution::diff::Change;
use crate::pure::reports::comparison::{
    Difference, Ends, OfPrinciple, Parted, Side, Step, Totals, VerdictChange,
};
use crate::pure::text::{one_line, printable};
use crate::pure::transcript::{Transcript, Verdict};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Lines of a difference that are shown of each of several prompts.
const MOST_LINES: usize = 12;

/// Principles that the table has room for; the rest are in `--json`.
const MOST_PRINCIPLES: usize = 20;

/// The two runs, and what they were made with as far as it differs.
pub(super) struct Sides {
    pub(super) old: String,
    pub(super) new: String,
    pub(super) principles: usize,
    pub(super) changes: Vec<Change>,
    /// Keys of the recipe, and templates.
    pub(super) settings: Vec<String>,
}

/// What differs between the two runs before any answer.
pub(super) fn heads(sides: &Sides, style: Style) -> String {
    let mut out = String::new();
    let title = format!("{} → {}", printable(&sides.old), printable(&sides.new));
    let _ = writeln!(out, "{}", style.strong(&title));
    let Sides { changes, settings, principles, .. } = sides;
    let told = changes.iter().map(|change| printable(&in_short(change))).collect::<Vec<_>>().join("; ");
    let constitution = if changes.is_empty() {
        "constitution: the same".to_owned()
    } else {
        format!("constitution: {} of {principles} principles changed: {told}", changes.len())
    };
    paragraph(&mut out, &constitution, 2, style);
    if !settings.is_empty() {
        let keys = settings.iter().map(|key| printable(key)).collect::<Vec<_>>().join(", ");
        paragraph(&mut out, &format!("also not the same: {keys}"), 2, style);
    }
    out
}

/// What the two runs come to.
pub(super) fn summary(sides: &Sides, totals: &Totals, style: Style) -> String {
    let mut out = heads(sides, style);
    let Totals { both, same, other_verdicts, other_text, only_old, only_new, .. } = totals;
    let _ = writeln!(
        out,
        "  {both} prompts in both, {only_old} only in the first, {only_new} only in the second\n\n  {same:>7}  end the \
         same\n  {other_verdicts:>7}  end in the same text, with other verdicts\n  {other_text:>7}  end in another text"
    );
    for (step, n) in &totals.parted {
        let _ = writeln!(out, "           {n:>7}  {}", because(*step));
    }
    sides_table(&mut out, totals, style);
    principles_table(&mut out, sides, totals, style);
    out
}

/// A number of each side, by its name.
type Counted = (&'static str, fn(&Side) -> u64);

fn sides_table(out: &mut String, totals: &Totals, style: Style) {
    let head = format!("{:<36}{:>18}{:>18}", "of the prompts in both", "first", "second");
    let _ = writeln!(out, "\n  {}", style.strong(&head));
    let share = |n: u64, of: &Side| {
        if of.responses == 0 {
            n.to_string()
        } else {
            format!("{n} ({:.1} %)", 100.0 * n as f64 / of.responses as f64)
        }
    };
    let rows: [Counted; 5] = [
        ("revised", |side| side.revised),
        ("refuse in full", |side| side.full_refusals),
        ("refuse in part", |side| side.partial_refusals),
        ("end with a violation", |side| side.unresolved),
        ("verdicts undecided at the end", |side| side.undecided),
    ];
    for (name, of) in rows {
        let (old, new) = (of(&totals.old), of(&totals.new));
        // Several verdicts may be undecided of one response: that is no share of the responses.
        let cells = if name.starts_with("verdicts") {
            [old.to_string(), new.to_string()]
        } else {
            [share(old, &totals.old), share(new, &totals.new)]
        };
        let _ = writeln!(out, "  {name:<36}{:>18}{:>18}", cells[0], cells[1]);
    }
}

fn principles_table(out: &mut String, sides: &Sides, totals: &Totals, style: Style) {
    let is_edited = |id: &str| sides.changes.iter().any(|change| change.id() == id);
    let moved = |id: &str, of: &OfPrinciple| {
        let [drafts, left] = [of.drafts, of.left].map(|[old, new]| old != new);
        of.texts + of.verdicts > 0 || drafts || left || is_edited(id)
    };
    let mut rows: Vec<(&String, &OfPrinciple)> =
        totals.principles.iter().filter(|(id, of)| moved(id, of)).collect();
    if rows.is_empty() {
        return;
    }
    rows.sort_by_key(|(id, of)| (std::cmp::Reverse((of.texts, of.verdicts)), *id));
    let head = format!(
        "{:<34}{:>8}{:>10}{:>15}{:>11}",
        "principle (* changed)", "texts", "verdicts", "objects", "left"
    );
    let _ = writeln!(out, "\n  {}", style.strong(head.trim_end()));
    for (id, of) in rows.iter().take(MOST_PRINCIPLES) {
        let mark = if is_edited(id) { "*" } else { "" };
        let name = format!("{}{mark}", one_line(&printable(id), 33));
        let arrow = |[old, new]: [u64; 2]| format!("{old} → {new}");
        let _ = writeln!(
            out,
            "  {name:<34}{:>8}{:>10}{:>15}{:>11}",
            of.texts,
            of.verdicts,
            arrow(of.drafts),
            arrow(of.left)
        );
    }
    if rows.len() > MOST_PRINCIPLES {
        let _ = writeln!(out, "  … and {} more, all of them in --json", rows.len() - MOST_PRINCIPLES);
    }
    let legend = "texts, verdicts: prompts that end differently because of it; objects: drafts that it objects to; left: \
                  final responses that it objects to";
    let mut told = String::new();
    paragraph(&mut told, legend, 2, style);
    out.push_str(&style.faint(&told));
}

/// Why prompts end in another text.
fn because(step: Step) -> &'static str {
    match step {
        Step::Draft => "another draft",
        Step::Verdict => "another verdict about the same response",
        Step::Asked => "another principle was asked or answered",
        Step::Critique => "the same verdict, in other words",
        Step::Revision => "another revision, for the same critiques",
        Step::Recheck => "another verdict about the same revision",
        Step::Gate => "a gate",
        Step::Tries => "more or fewer tries",
        Step::Choice => "another of the same responses was taken",
    }
}

/// A prompt of the comparison.
#[derive(Clone, Copy)]
pub(super) enum Shown<'a> {
    /// Both runs have it.
    Pair(&'a Transcript, &'a Transcript, &'a Difference),
    /// Only the `first` or the `second` has it.
    Only(&'static str, &'a Transcript),
}

impl Shown<'_> {
    /// The prompt in a line, what differs, and the texts by word.
    pub(super) fn in_short(self, style: Style) -> String {
        self.told(style, false)
    }

    /// The whole prompt, and the critiques that matter on both sides.
    pub(super) fn in_full(self, style: Style) -> String {
        self.told(style, true)
    }

    fn told(self, style: Style, full: bool) -> String {
        let mut out = String::from("\n");
        let (one, ends) = match self {
            Self::Pair(old, _, difference) => (old, headline(difference)),
            Self::Only(which, only) => (only, format!("only in the {which}")),
        };
        let line = format!("{}  {}", style.strong(&one.prompt.id.0), printable(&ends));
        paragraph(&mut out, &line, 0, style);
        if full {
            for message in &one.prompt.messages {
                let _ = writeln!(out, "  {}", style.faint(message.role.as_str()));
                body(&mut out, &printable(&message.content), style);
            }
        } else {
            let asked = one_line(one.prompt.last_user_turn(), style.width.saturating_sub(2));
            let _ = writeln!(out, "  {}", style.faint(&asked));
        }
        if let Self::Pair(old, new, difference) = self {
            reasons(&mut out, old, new, difference, full, style);
            if difference.ends == Ends::OtherText {
                let text = |of: &Transcript| of.final_response().map_or(String::new(), |r| r.text.clone());
                if full {
                    let _ = writeln!(out, "  {}", style.faint("final response"));
                }
                let blocks = by_word(&text(old), &text(new), style);
                let most = if full { usize::MAX } else { MOST_LINES / blocks.len().max(1) };
                for block in blocks {
                    add_lines(&mut out, &block, most, &one.prompt.id.0, style);
                }
            }
        }
        out
    }

    /// One line of `--json`.
    pub(super) fn to_json(self) -> Value {
        let text = |of: &Transcript| of.final_response().map(|response| response.text.clone());
        match self {
            Self::Pair(old, new, difference) => json!({
                "event": "prompt", "prompt_id": old.prompt.id, "prompt": old.prompt.last_user_turn(),
                "ends": difference.ends, "causes": difference.causes(), "parted": difference.parted,
                "verdicts": difference.verdicts, "old": text(old), "new": text(new),
            }),
            Self::Only(which, only) => json!({
                "event": "prompt", "prompt_id": only.prompt.id, "prompt": only.prompt.last_user_turn(),
                "ends": format!("only-{}", if which == "first" { "old" } else { "new" }),
            }),
        }
    }
}

/// A text of at most so many lines; a last line says how many are left out, unless it is only one.
fn add_lines(out: &mut String, text: &str, most: usize, id: &str, style: Style) {
    let mut shown = String::new();
    body(&mut shown, text, style);
    let all = shown.lines().count();
    let most = if all == most.saturating_add(1) { all } else { most };
    for line in shown.lines().take(most) {
        let _ = writeln!(out, "{line}");
    }
    if all > most {
        let id = id.get(..8).unwrap_or(id);
        let _ = writeln!(out, "    {}", style.faint(&format!("… {} more lines: --prompt {id}", all - most)));
    }
}

fn headline(difference: &Difference) -> String {
    let causes = difference.causes().join(", ");
    match (&difference.ends, &difference.parted) {
        (Ends::OtherText, Some(Parted { step, .. })) if causes.is_empty() => because(*step).to_owned(),
        (Ends::OtherText, Some(Parted { step, .. })) => format!("{causes}: {}", because(*step)),
        (Ends::OtherText, None) => "another text".to_owned(),
        (Ends::OtherVerdicts, _) => format!("{causes}: another verdict, the same text"),
        (Ends::Same, _) => "ends the same".to_owned(),
    }
}

/// The verdicts that differ; of those that made the difference, what the critic said on either side.
fn reasons(
    out: &mut String,
    old: &Transcript,
    new: &Transcript,
    difference: &Difference,
    full: bool,
    style: Style,
) {
    let causes = difference.causes();
    let wanted = |change: &&VerdictChange| full || causes.contains(&change.principle.as_str());
    for change in difference.verdicts.iter().filter(wanted) {
        let [here, there] = change.responses;
        let of = if here == 0 { "the draft".to_owned() } else { format!("response {here}") };
        let name = |verdict: Option<Verdict>| verdict.map_or("not asked", Verdict::as_str);
        let line =
            format!("{}, of {of}: {} → {}", printable(&change.principle), name(change.old), name(change.new));
        paragraph(out, &line, 2, style);
        said(out, "first", critique_of(old, here, &change.principle), full, style);
        said(out, "second", critique_of(new, there, &change.principle), full, style);
    }
    if let Some(Parted { step: Step::Critique, response, principles }) = &difference.parted {
        for principle in principles {
            if principles.len() > 1 {
                let _ = writeln!(out, "  {}", printable(principle));
            }
            said(out, "first", critique_of(old, *response, principle), full, style);
            said(out, "second", critique_of(new, *response, principle), full, style);
        }
    }
}

/// What the critic said of a response by this principle, in the critique whose verdict counts.
fn critique_of<'a>(of: &'a Transcript, response: usize, principle: &str) -> &'a str {
    let standing = of.standing_critiques(response).into_iter();
    standing.rev().find(|critique| critique.principle == principle).map_or("", |critique| &critique.text)
}

fn said(out: &mut String, which: &str, critique: &str, full: bool, style: Style) {
    if critique.trim().is_empty() {
        return;
    }
    if full {
        let _ = writeln!(out, "  {}", style.faint(which));
        body(out, &printable(critique), style);
    } else {
        let text = one_line(critique, style.width.saturating_sub(which.len() + 6));
        let _ = writeln!(out, "    {} {text}", style.faint(&format!("{which}:")));
    }
}
