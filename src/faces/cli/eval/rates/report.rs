//! Refusal rates for people and for programs: both sets in one table, drafts above final responses.

use super::{Answered, Rates};
use crate::faces::cli::eval::reasons;
use crate::faces::cli::style::Style;
use crate::pure::reports::refusal_rates::{Reply, SetReport, StageReport};
use crate::pure::reports::statistics::Rate;
use crate::pure::text::{one_line, printable};
use serde_json::{Value, json};

/// One prompt: its place, its set, and what its draft and its final response are.
pub(super) fn row(Answered { asked, replies, .. }: &Answered, as_json: bool) -> String {
    let (draft, last) = (replies.draft.as_str(), replies.last.as_ref().map(Reply::as_str));
    if as_json {
        let (at, set) = (&asked.at, asked.side.as_str());
        return json!({ "at": at, "set": set, "category": asked.category, "draft": draft, "final": last })
            .to_string();
    }
    format!("{}\t{}\t{draft}\t{}", printable(&asked.at), asked.side.as_str(), last.unwrap_or("-"))
}

pub(super) fn to_json(rates: &Rates) -> Value {
    let Rates { safe, harmful, simulated, bad } = rates;
    json!({ "safe": safe, "unsafe": harmful, "simulated": simulated, "rejects": bad.told })
}

/// A table of 80 columns, and what it does not hold. Shares are in percent, with their 95 % intervals.
pub(super) fn to_text(rates: &Rates, by: Option<&str>, style: Style) -> String {
    let sets = [("safe", &rates.safe), ("unsafe", &rates.harmful)];
    let head = format!("{:<8}{:<6}{:>6}{:>20}{:>20}{:>20}", "set", "", "n", "full %", "partial %", "none %");
    let mut lines = vec![style.strong(&head)];
    for (name, set) in sets {
        lines.push(stage_row(name, "draft", &set.draft));
        lines.extend(set.last.as_ref().map(|last| stage_row("", "final", last)));
    }
    lines.push("\nrefused, fully or in part:".into());
    lines.extend(sets.iter().map(|(name, set)| sentence(name, set)));
    lines.extend(sets.iter().filter_map(|(name, set)| revision_sentence(name, set)));
    for (name, set) in sets {
        let stage = set.in_the_end();
        if stage.without() > 0 {
            lines.push(format!(
                "{name}: {} without an answer ({})",
                stage.without(),
                reasons(&stage.unanswered)
            ));
        }
        if stage.by_provider > 0 {
            lines.push(format!("{name}: {} of the refusals are the provider's", stage.by_provider));
        }
        if !set.unrevised.is_empty() {
            let count: u64 = set.unrevised.values().sum();
            lines.push(format!("{name}: {count} revisions could not be had ({})", reasons(&set.unrevised)));
        }
    }
    for (name, set) in sets.iter().filter(|(_, set)| !set.categories.is_empty()) {
        lines.extend(categories(name, set, by.unwrap_or_default(), style));
    }
    if rates.simulated {
        lines.push(format!(
            "\n{}",
            style.warn("The model is simulated: its rates are planted, not measured.")
        ));
    }
    lines.join("\n")
}

fn stage_row(set: &str, stage: &str, of: &StageReport) -> String {
    let StageReport { answered, full, partial, none, .. } = of;
    format!("{set:<8}{stage:<6}{answered:>6}{:>20}{:>20}{:>20}", cell(full), cell(partial), cell(none))
}

/// `10.8 (7.5–15.3)`; a dash of nothing.
fn cell(rate: &Rate) -> String {
    let percent = |share: f64| share * 100.0;
    rate.share.map_or("-".into(), |share| {
        format!("{:.1} ({:.1}–{:.1})", percent(share), percent(rate.low), percent(rate.high))
    })
}

/// What refuses fully or in part, before and after.
fn sentence(name: &str, set: &SetReport) -> String {
    let share = |stage: &StageReport| {
        let Rate { count, of, share, .. } = stage.refuse;
        let share = share.map_or("-".into(), |share| format!("{:.1} %", share * 100.0));
        format!("{share} ({count} of {of})")
    };
    let last =
        set.last.as_ref().map_or(String::new(), |last| format!(" as drafted, {} in the end", share(last)));
    format!("{name}: {}{last}", share(&set.draft))
}

/// What revising did to refusals, prompt by prompt.
fn revision_sentence(name: &str, set: &SetReport) -> Option<String> {
    set.last.as_ref()?;
    let SetReport { became_refusals, became_answers, .. } = set;
    Some(format!(
        "{name}: revising made {became_refusals} answers refusals, and {became_answers} refusals answers"
    ))
}

fn categories(name: &str, set: &SetReport, by: &str, style: Style) -> Vec<String> {
    let title = one_line(&format!("{name} by {by}"), 32);
    let names = set.categories.keys().map(String::as_str).chain([title.as_str()]);
    let width = (names.map(|name| name.chars().count()).max().unwrap_or(0) + 1).clamp(12, 33);
    let last = set.last.is_some();
    let second = if last { "final: refuse %" } else { "" };
    let head = format!("{title:<width$}{:>6}{:>20}{second:>20}", "n", "draft: refuse %");
    let mut lines = vec![String::new(), style.strong(head.trim_end())];
    for (category, set) in &set.categories {
        let last = set.last.as_ref().map_or(String::new(), |last| cell(&last.refuse));
        let category = one_line(category, width);
        let row = format!("{category:<width$}{:>6}{:>20}{last:>20}", set.prompts, cell(&set.draft.refuse));
        lines.push(row.trim_end().to_owned());
    }
    lines
}
