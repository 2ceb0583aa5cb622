//! The judge report in words: sections for a terminal and for `report.md`, figures for a dataset's card.
//!
//! What is counted, and why, is in [`super::judge_report`]. Nothing is counted here.

use super::examination::Examination;
use super::judge_report::{Comparing, JudgeReport, PrincipleReport, Revising};
use super::statistics::{Mean, Rate};
use super::style_report::StyleReport;
use crate::pure::grade::Grade;
use crate::pure::text::short_count;
use crate::pure::text::{one_line, printable};
use crate::pure::transcript::{CallFailure, Substitute};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A share is worth a line at the end of a run from here on, even at the lower end of its interval.
const OFTEN: f64 = 0.05;
/// A bias is worth a line when it is surely larger than this.
const BIASED: f64 = 0.05;
/// Two principles that undo each other are worth a line from so many times on.
const UNDOING: u64 = 3;
/// Pairs of principles listed at most.
const LISTED: usize = 10;

/// The whole report in Markdown, for `report.md`.
pub fn markdown(report: &JudgeReport) -> String {
    let mut text = String::from("# The judge's own report\n");
    for (title, lines) in sections(report) {
        let _ = write!(text, "\n## {title}\n\n```\n{}\n```\n", lines.join("\n"));
    }
    text
}

/// The figures that describe the labels of a dataset; `null` where nothing was judged.
pub fn figures(report: &JudgeReport) -> Value {
    let round = |x: f64| (x * 1e4).round() / 1e4;
    let rate = |rate: &Rate| {
        let (low, high) = (round(rate.low), round(rate.high));
        rate.share.map(|share| json!({ "share": round(share), "of": rate.of, "low": low, "high": high }))
    };
    let mean = |mean: &Mean| {
        let plus_minus = mean.plus_minus.map(round);
        mean.mean.map(|value| json!({ "mean": round(value), "plus_minus": plus_minus, "of": mean.of }))
    };
    let compared = &report.comparisons;
    let trial = report.examination.as_ref().map(Examination::trial);
    let all = [
        ("critic_finds_violations", trial.and_then(|trial| rate(&trial.hit_rate()))),
        ("critic_false_alarms", trial.and_then(|trial| rate(&trial.false_alarm_rate()))),
        ("verdicts_undecided", rate(&report.undecided)),
        ("coverage", rate(&report.coverage)),
        ("needless_revisions", rate(&report.revisions.needless)),
        ("comparisons_undecided", rate(&compared.undecided)),
        ("flips_when_swapped", rate(&compared.flips)),
        ("position_bias", mean(&compared.position_bias)),
        ("longer_wins", rate(&compared.longer_wins)),
        ("length_bias", mean(&compared.length_bias)),
        ("self_preference", mean(&compared.self_preference)),
        ("agreement_with_given_labels", rate(&report.agreement)),
        ("other_models", (!report.substitutes.is_empty()).then(|| json!(substitutes(report)))),
        ("cut_prompts", (!report.cut_prompts.is_empty()).then(|| json!(cut_prompts(report)))),
        ("dead_principles", (!report.dead.is_empty()).then(|| json!(report.dead))),
    ];
    let known: serde_json::Map<String, Value> =
        all.into_iter().filter_map(|(name, figure)| Some((name.to_owned(), figure?))).collect();
    if known.is_empty() { Value::Null } else { Value::Object(known) }
}

/// What a user should know of a run's judgements without asking; nothing where they are sound.
pub fn telling(report: &JudgeReport) -> Vec<String> {
    let mut lines = gaps(report);
    lines.extend(substitutes(report));
    lines.extend(cut_prompts(report));
    if report.examination.as_ref().is_some_and(|examination| !examination.passes()) {
        lines.push("the critic failed its examination: its verdicts are as good as guesses".into());
    }
    let Comparing { undecided, flips, position_bias, length_bias, self_preference, .. } = &report.comparisons;
    if !report.styles.is_empty() {
        let sum = |of: fn(&StyleReport) -> u64| report.styles.iter().map(of).sum::<u64>();
        let ideal = |counts: &BTreeMap<Grade, u64>| counts.get(&Grade::Ideal).copied().unwrap_or(0);
        let (drafts, finals) = report.styles.iter().fold((0, 0), |(drafts, finals), style| {
            (drafts + ideal(&style.drafts), finals + ideal(&style.finals))
        });
        let all = sum(|style| style.answers);
        lines.push(format!(
            "ideal in their style: {drafts} of {all} drafts, {finals} of {all} answers in the end"
        ));
    }
    if report.agreement.of > 0 {
        lines.push(format!("labels agree with the input's own on {}", share(&report.agreement)));
    }
    if flips.low > OFTEN {
        lines.push(format!("the judge's choice flips with the order: {}", share(flips)));
    }
    for (bias, what) in [
        (position_bias, "what it is shown first"),
        (length_bias, "the longer response"),
        (self_preference, "what its own model wrote"),
    ] {
        if let Some(off) = bias.mean.filter(|off| off.abs() - bias.plus_minus.unwrap_or(1.0) > BIASED) {
            let verb = if off > 0.0 { "favours" } else { "disfavours" };
            lines.push(format!("the judge {verb} {what}: {}", offset(bias)));
        }
    }
    if undecided.low > OFTEN {
        lines.push(format!("comparisons without a label: {}", share(undecided)));
    }
    if report.undecided.low > OFTEN {
        lines.push(format!("critiques without a verdict: {}", share(&report.undecided)));
    }
    if report.revisions.needless.low > OFTEN {
        lines.push(format!("changed although nothing objected: {}", share(&report.revisions.needless)));
    }
    lines.extend(dead(report, 78));
    let mutual = report.undoes.iter().filter(|undoing| undoing.mutual && undoing.times >= UNDOING);
    for undoing in mutual.filter(|undoing| undoing.revised < undoing.broken).take(3) {
        let (a, b) = (printable(&undoing.revised), printable(&undoing.broken));
        lines.push(one_line(&format!("{a} and {b} undo each other"), 78));
    }
    lines
}

/// Principles that did nothing: never asked about, or asked and of no bearing.
fn dead(report: &JudgeReport, width: usize) -> Vec<String> {
    // A run that judges nothing has no principles to miss.
    let judged = report.undecided.of + report.comparisons.undecided.of > 0;
    let of = |asked: bool| {
        let is_dead = |p: &&PrincipleReport| report.dead.contains(&p.id) && (p.prompts > 0) == asked;
        report.principles.iter().filter(is_dead).map(|p| p.id.as_str()).collect::<Vec<_>>()
    };
    let line = |what: &str, ids: Vec<&str>| {
        let all = report.principles.len();
        let text = format!("{what}: {} of {all} principles: {}", ids.len(), ids.join(", "));
        (!ids.is_empty() && judged).then(|| one_line(&text, width))
    };
    [line("never asked", of(false)), line("never of any bearing", of(true))].into_iter().flatten().collect()
}

/// The report's sections that have something to say: a title and its lines.
pub fn sections(report: &JudgeReport) -> Vec<(&'static str, Vec<String>)> {
    let sections = [
        ("part of a run", gaps(report)),
        ("examination of the critic", examination(report)),
        ("comparisons", comparisons(report)),
        ("critiques", critiques(report)),
        ("styles", styles(report)),
        ("revisions", revisions(&report.revisions)),
        ("coverage", coverage(report)),
        ("principles", principles(report)),
        ("principles that undo each other", undoes(report)),
        ("screening", screening(report)),
        ("by round", rounds(report)),
        ("calls that gave nothing usable", failures(report)),
        ("other models than those asked", substitutes(report)),
        ("prompts that the endpoint cut", cut_prompts(report)),
    ];
    sections.into_iter().filter(|(_, lines)| !lines.is_empty()).collect()
}

/// What a merged run lacks.
fn gaps(report: &JudgeReport) -> Vec<String> {
    report.gaps.iter().map(|gap| printable(gap)).collect()
}

fn examination(report: &JudgeReport) -> Vec<String> {
    report.examination.as_ref().map_or_else(Vec::new, Examination::lines)
}

/// The grades of each style's answers, as drafts and in the end, and what drafts lacked or had too much.
fn styles(report: &JudgeReport) -> Vec<String> {
    let mut lines = Vec::new();
    for style in &report.styles {
        lines.push(format!("{}: {} answers", printable(&style.style), short_count(style.answers)));
        lines.push(field("drafts", &StyleReport::grades(&style.drafts)));
        lines.push(field("in the end", &StyleReport::grades(&style.finals)));
        let truths = style.true_of_drafts.iter().map(|(id, n)| format!("{} {n}", printable(id)));
        lines.push(field("true of drafts", &truths.collect::<Vec<_>>().join(", ")));
        if !style.undecided.is_empty() {
            let open = style.undecided.iter().map(|(id, n)| format!("{} {n}", printable(id)));
            lines.push(field("nobody could say", &open.collect::<Vec<_>>().join(", ")));
        }
    }
    lines
}

/// Each cause with its count and what to do next.
fn failures(report: &JudgeReport) -> Vec<String> {
    let line = |failure: &CallFailure| {
        let CallFailure { role, reason, message, calls } = failure;
        let told = one_line(&printable(message), 200);
        let next = reason.hint();
        format!(
            "{:>8}  {}, {}: {told}; {next}",
            short_count(*calls),
            role.as_str(),
            printable(reason.as_str())
        )
    };
    let mut lines: Vec<String> = report.failures.iter().take(LISTED).map(line).collect();
    if let more @ 1.. = report.failures.len().saturating_sub(LISTED) {
        lines.push(format!("and {more} other causes, in `report.json`"));
    }
    lines
}

fn substitutes(report: &JudgeReport) -> Vec<String> {
    report.substitutes.iter().map(substitute).collect()
}

fn cut_prompts(report: &JudgeReport) -> Vec<String> {
    report
        .cut_prompts
        .iter()
        .map(|cut| format!("{}; calls: {}", cut.told(), short_count(cut.calls)))
        .collect()
}

fn substitute(other: &Substitute) -> String {
    let Substitute { role, asked, answered } = other;
    printable(&format!("{}: `{asked}` was asked, `{answered}` answered", role.as_str()))
}

fn comparisons(report: &JudgeReport) -> Vec<String> {
    let compared = &report.comparisons;
    if compared.undecided.of == 0 {
        return Vec::new();
    }
    let how: Vec<String> =
        compared.how.iter().map(|(how, n)| format!("{} by {how}", short_count(*n))).collect();
    let mut lines = vec![field("read", &how.join(", ")), field("undecided", &share(&compared.undecided))];
    let mut put = |name: &str, of: u64, value: String| {
        if of > 0 {
            lines.push(field(name, &value));
        }
    };
    put("flips when swapped", compared.flips.of, share(&compared.flips));
    put("position bias", compared.position_bias.of, offset(&compared.position_bias));
    put("the longer one wins", compared.longer_wins.of, share(&compared.longer_wins));
    put("length bias", compared.length_bias.of, offset(&compared.length_bias));
    put("self-preference", compared.self_preference.of, offset(&compared.self_preference));
    put("agrees with the input", report.agreement.of, share(&report.agreement));
    lines
}

fn critiques(report: &JudgeReport) -> Vec<String> {
    let rate = &report.undecided;
    (rate.of > 0).then(|| field("without a verdict", &share(rate))).into_iter().collect()
}

fn coverage(report: &JudgeReport) -> Vec<String> {
    let mut lines = Vec::new();
    if report.coverage.of > 0 {
        lines.push(field("prompt × principle", &format!("{} had something to say", share(&report.coverage))));
    }
    lines.extend(dead(report, 76));
    lines
}

fn revisions(revising: &Revising) -> Vec<String> {
    let Revising { tried, kept, rolled_back, unchanged, rejected, needless } = revising;
    if *tried == 0 {
        return Vec::new();
    }
    let mut lines =
        vec![format!("{tried} tried: {kept} kept, {rolled_back} rolled back, {unchanged} unchanged")];
    lines.extend(
        rejected.iter().map(|(reason, n)| format!("{n} rejected: {}", one_line(reason.as_str(), 60))),
    );
    if needless.of > 0 {
        lines.push(field("needless", &share(needless)));
    }
    lines
}

fn principles(report: &JudgeReport) -> Vec<String> {
    let any = |of: fn(&PrincipleReport) -> u64| report.principles.iter().any(|p| of(p) > 0);
    let criticised = any(|p| p.violates + p.conforms + p.not_applicable + p.undecided);
    let (compared, labelled) = (any(|p| p.comparisons), any(|p| p.agreement.of));
    if !criticised && !compared {
        return Vec::new();
    }
    let row = |name: &str, verdicts: [String; 3], comparisons: String, agreement: String| {
        let mut line = format!("{:<30}", one_line(name, 30));
        if criticised {
            line.extend(verdicts.iter().map(|cell| format!("{cell:>10}")));
        }
        if compared {
            let _ = write!(line, "{comparisons:>10}");
        }
        if labelled {
            let _ = write!(line, "{agreement:>8}");
        }
        line
    };
    let mut lines = vec![row(
        "",
        ["in drafts", "left", "undecided"].map(str::to_owned),
        "compared".into(),
        "agree".into(),
    )];
    lines.extend(report.principles.iter().map(|p| {
        let verdicts = [p.drafts_violating, p.left, p.undecided].map(short_count);
        row(&p.id, verdicts, short_count(p.comparisons), p.agreement.share.map_or_else(String::new, percent))
    }));
    lines
}

fn undoes(report: &JudgeReport) -> Vec<String> {
    let line = |undoing: &crate::pure::reports::judge_report::Undoing| {
        let (revised, broken) = (printable(&undoing.revised), printable(&undoing.broken));
        let mutual = if undoing.mutual { ", and the other way round" } else { "" };
        format!("{:>5} × revised for {revised}, broke {broken}{mutual}", undoing.times)
    };
    report.undoes.iter().take(LISTED).map(line).collect()
}

fn screening(report: &JudgeReport) -> Vec<String> {
    let (missed, needless) = (&report.screening.missed, &report.screening.needless);
    let mut lines = Vec::new();
    if missed.of > 0 {
        lines.push(field("violations missed", &share(missed)));
    }
    if needless.of > 0 {
        lines.push(field("criticised in vain", &share(needless)));
    }
    lines
}

fn rounds(report: &JudgeReport) -> Vec<String> {
    if report.by_round.iter().all(|round| round.violating.of == 0) {
        return Vec::new();
    }
    let number = |mean: &Mean, digits: usize| mean.mean.map_or_else(String::new, |m| format!("{m:.digits$}"));
    let head = format!(
        "{:<10}{:>10}{:>12}{:>14}{:>12}{:>10}",
        "", "responses", "violating", "violations", "length", "changed"
    );
    let rows = report.by_round.iter().enumerate().map(|(n, round)| {
        let name = if n == 0 { "draft".to_owned() } else { format!("round {n}") };
        format!(
            "{name:<10}{:>10}{:>12}{:>14}{:>12}{:>10}",
            short_count(round.length.of),
            round.violating.share.map_or_else(String::new, percent),
            number(&round.violations, 2),
            number(&round.length, 0),
            round.changed.mean.map_or_else(String::new, percent)
        )
    });
    [head].into_iter().chain(rows).collect()
}

fn field(name: &str, value: &str) -> String {
    format!("{name:<24}{value}")
}

/// Two digits where there are any.
fn percent(share: f64) -> String {
    let digits = usize::from((0.0005..0.0995).contains(&share));
    format!("{:.digits$} %", share * 100.0)
}

/// `12 % of 500 (9–15 %)`.
fn share(rate: &Rate) -> String {
    let Some(value) = rate.share else { return "of none".into() };
    let bare = |end: f64| percent(end).trim_end_matches(" %").to_owned();
    format!("{} of {} ({}–{})", percent(value), short_count(rate.of), bare(rate.low), percent(rate.high))
}

/// `+0.30 ± 0.01`.
fn offset(mean: &Mean) -> String {
    let plus_minus = mean.plus_minus.map_or_else(String::new, |half| format!(" ± {half:.2}"));
    // Adding nothing turns a minus nought into a plain one.
    let signed = |mean: f64| format!("{:+.2}{plus_minus}", (mean * 100.0).round() / 100.0 + 0.0);
    mean.mean.map_or_else(|| "of none".into(), signed)
}
