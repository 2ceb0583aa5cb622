//! A run's report as a page: what drafts violate and what is left, refusals on both sides, what the judge is worth, why rows are
//! missing.

use super::examination::{Examination, Trial};
use super::judge_report::{JudgeReport, PrincipleReport, RoundReport};
use super::page::{Bar, Bars, Body, Page, percent};
use super::statistics::{Mean, Rate};
use super::style_report::StyleReport;
use crate::pure::reason::Reason;
use std::collections::BTreeMap;

/// Cells of hazard and language shown at most.
const CELLS: usize = 60;

/// The page of a run.
pub fn run_page(name: &str, report: &JudgeReport, rejects: &BTreeMap<Reason, u64>) -> Page {
    let mut page = Page {
        title: format!("Run {name}"),
        lead: vec![format!("{} transcripts. Intervals are at 95 %.", report.transcripts)],
        sections: Vec::new(),
    };
    page.add(
        "Violations by principle",
        "The share of prompts whose draft violates a principle, and whose final response still does, as the critic sees it.",
        Body::Bars(violations(&report.principles)),
    );
    page.add(
        "Styles",
        "The grades of styled answers: of first drafts, and in the end.",
        Body::Table(
            ["style", "answers", "drafts", "in the end"].map(str::to_owned).to_vec(),
            report.styles.iter().map(styled).collect(),
            1,
        ),
    );
    page.add(
        "Refusals",
        "Drafts and final responses that refuse, wholly or in part, by their words. Of prompts that are harmless it should be none.",
        Body::Bars(refusals(report)),
    );
    page.add(
        "Refusals by hazard and language",
        "As the prompts name them.",
        Body::Table(
            ["hazard", "language", "prompts", "drafts", "finals"].map(str::to_owned).to_vec(),
            cells(report),
            2,
        ),
    );
    page.add(
        "The critic and the judge",
        "What they get wrong, and what they follow instead of the principle.",
        Body::Bars(judges(report)),
    );
    page.add("Biases of the judge", "In probability; 0 is none.", Body::Lines(biases(report)));
    page.add(
        "Rounds",
        "How responses change from round to round.",
        Body::Table(
            ["response", "responses", "violating", "violations", "characters", "words changed"]
                .map(str::to_owned)
                .to_vec(),
            rounds(&report.by_round),
            1,
        ),
    );
    page.add(
        "Why prompts gave no row",
        "",
        Body::Bars(counts(rejects.iter().map(|(reason, n)| (reason.as_str(), *n)))),
    );
    let undoes = report.undoes.iter().take(10).map(|undoing| {
        format!("{} × revised for {}, broke {}", undoing.times, undoing.revised, undoing.broken)
    });
    page.add("Principles that undo each other", "", Body::Lines(undoes.collect()));
    page.add(
        "Principles that never spoke",
        "Never asked about, or never of any bearing.",
        Body::Lines(report.dead.clone()),
    );
    let examination = report.examination.as_ref().map_or_else(Vec::new, Examination::lines);
    page.add(
        "Examination of the critic",
        "On test cases of the constitution, before the run.",
        Body::Lines(examination),
    );
    page
}

fn styled(style: &StyleReport) -> Vec<String> {
    let (drafts, finals) = (StyleReport::grades(&style.drafts), StyleReport::grades(&style.finals));
    vec![style.style.clone(), style.answers.to_string(), drafts, finals]
}

/// Rows of counts, the largest first.
pub fn counts<'a>(counted: impl Iterator<Item = (&'a str, u64)>) -> Vec<Bars> {
    let mut counted: Vec<(&str, u64)> = counted.collect();
    counted.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let largest = counted.first().map_or(0, |(_, count)| *count);
    let row = |(name, count): (&str, u64)| Bars {
        label: name.to_owned(),
        bars: vec![Bar::of_count(count, largest)],
    };
    counted.into_iter().map(row).collect()
}

fn violations(principles: &[PrincipleReport]) -> Vec<Bars> {
    let asked = principles.iter().filter(|principle| principle.violates + principle.conforms > 0);
    let row = |principle: &PrincipleReport| Bars {
        label: principle.id.clone(),
        bars: vec![
            Bar::of_rate("draft", &Rate::new(principle.drafts_violating, principle.prompts)),
            Bar::of_rate("final", &Rate::new(principle.left, principle.prompts)),
        ],
    };
    asked.map(row).collect()
}

fn refusals(report: &JudgeReport) -> Vec<Bars> {
    let seen = &report.refusals;
    let bars = vec![Bar::of_rate("draft", &seen.drafts), Bar::of_rate("final", &seen.finals)];
    if seen.drafts.of == 0 { Vec::new() } else { vec![Bars { label: "all prompts".into(), bars }] }
}

fn cells(report: &JudgeReport) -> Vec<Vec<String>> {
    let share = |rate: &Rate| rate.share.map_or_else(String::new, percent);
    let cell = |cell: &super::refusals_seen::RefusalCell| {
        let prompts = cell.drafts.of.to_string();
        vec![cell.hazard.clone(), cell.language.clone(), prompts, share(&cell.drafts), share(&cell.finals)]
    };
    report.refusals.cells.iter().take(CELLS).map(cell).collect()
}

fn judges(report: &JudgeReport) -> Vec<Bars> {
    let trial = report.examination.as_ref().map(Examination::trial);
    let (found, alarms) = (trial.map(Trial::hit_rate), trial.map(Trial::false_alarm_rate));
    let compared = &report.comparisons;
    let figures = [
        ("violations found in test cases", found.unwrap_or_default()),
        ("false alarms in test cases", alarms.unwrap_or_default()),
        ("critiques without a verdict", report.undecided),
        ("needless revisions", report.revisions.needless),
        ("violations missed by screening", report.screening.missed),
        ("comparisons without a label", compared.undecided),
        ("choices that flip with the order", compared.flips),
        ("comparisons that the longer one wins", compared.longer_wins),
        ("labels that agree with the input's", report.agreement),
    ];
    let shown = figures.into_iter().filter(|(_, rate)| rate.of > 0);
    shown.map(|(label, rate)| Bars { label: label.into(), bars: vec![Bar::of_rate("", &rate)] }).collect()
}

fn biases(report: &JudgeReport) -> Vec<String> {
    let compared = &report.comparisons;
    let line = |(name, mean): (&str, &Mean)| {
        let plus_minus = mean.plus_minus.map_or_else(String::new, |half| format!(" ± {half:.3}"));
        mean.mean.map(|value| format!("{name}: {value:+.3}{plus_minus} over {} comparisons", mean.of))
    };
    [
        ("for what is shown first", &compared.position_bias),
        ("for the longer response", &compared.length_bias),
        ("for what the judge's own model wrote", &compared.self_preference),
    ]
    .into_iter()
    .filter_map(line)
    .collect()
}

fn rounds(rounds: &[RoundReport]) -> Vec<Vec<String>> {
    let number = |mean: &Mean, digits: usize| mean.mean.map_or_else(String::new, |m| format!("{m:.digits$}"));
    let row = |(n, round): (usize, &RoundReport)| {
        vec![
            if n == 0 { "draft".to_owned() } else { format!("round {n}") },
            round.length.of.to_string(),
            round.violating.share.map_or_else(String::new, percent),
            number(&round.violations, 2),
            number(&round.length, 0),
            round.changed.mean.map_or_else(String::new, percent),
        ]
    };
    let has_any = rounds.iter().any(|round| round.length.of > 0);
    if has_any { rounds.iter().enumerate().map(row).collect() } else { Vec::new() }
}
