//! Ablations over the simulated model: what is measured is what was planted.

use super::ablation::{Cell, Design, Figure, Line, Measure, Sample, usual_sizes};
use super::statistics::Estimate;
use crate::pure::constitution::{LESS_HARM, MORE_HELP};
use crate::pure::method::ablation_metrics::{Observed, Questions, Yardstick, observe};
use crate::pure::method::critique_revision;
use crate::pure::method::tests::scripted::{Simulated, context};
use crate::pure::prompt::{Message, Prompt};
use crate::pure::recipe::{Method, Schedule, Sim};
use crate::pure::transcript::Transcript;
use crate::runtime::sim::{Mark, Seen, World};
use std::collections::BTreeMap;

const EIGHT: [&str; 8] = ["kind", "safe", "plain", "true", "brief", "fair", "calm", "open"];
const BOTH: Questions = Questions { verdicts: true, preference: true };
const VERDICTS: Questions = Questions { verdicts: true, preference: false };

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(work)
}

/// An ablation with every transcript that it was measured on, by prompt and variant.
struct Done {
    design: Design,
    samples: Vec<Sample>,
    transcripts: Vec<Vec<Transcript>>,
}

impl Done {
    fn line(&self, figure: Figure, name: &str) -> Line {
        let mut lines =
            figures(&self.design, &self.samples).into_iter().filter(|(which, _)| *which == figure);
        let (_, lines) = lines.next().unwrap();
        lines.into_iter().find(|line| line.name == name).unwrap()
    }

    fn cell(&self, figure: Figure, name: &str, measure: Measure) -> Cell {
        self.line(figure, name).cells.into_iter().find(|cell| cell.measure == measure).unwrap()
    }

    fn value(&self, figure: Figure, name: &str, measure: Measure) -> f64 {
        self.cell(figure, name, measure).value.value.unwrap()
    }
}

fn figures(design: &Design, samples: &[Sample]) -> Vec<(Figure, Vec<Line>)> {
    let mut reporter = design.reporter();
    for sample in samples {
        reporter.add(sample);
    }
    reporter.finish()
}

fn ablate(sim: &Sim, method: Method, figures: &[Figure], questions: Questions, prompts: usize) -> Done {
    let cx = context(&EIGHT, method);
    let model = Simulated::new(sim.clone(), &cx);
    let design = Design::new(&cx, &figures.iter().copied().collect(), &usual_sizes(EIGHT.len()));
    let yardstick = Yardstick::new(&cx, questions);
    let (mut samples, mut transcripts) = (Vec::new(), Vec::new());
    for n in 0..prompts {
        let hazard = (n % 2 == 0).then(|| "phys".to_owned());
        let prompt = Prompt::new(vec![Message::user(format!("Question {n}?"))], hazard, None);
        let (mut observed, mut made) = (Vec::new(), Vec::new());
        for variant in &design.variants {
            let own = variant.context(&cx);
            let transcript = block_on(critique_revision(&model, &own, &prompt)).unwrap();
            let found = observe(&model, &yardstick, &transcript, variant.rounds.clone());
            observed.push(block_on(found).unwrap());
            made.push(transcript);
        }
        samples.push(Sample { hazard: prompt.hazard.is_some(), observed });
        transcripts.push(made);
    }
    Done { design, samples, transcripts }
}

fn panel(rounds: u32) -> Method {
    Method { rounds, ..Method::default() }
}

/// A share of many independent things lies within four standard deviations of what was planted.
#[track_caller]
fn planted(found: f64, rate: f64, things: usize) {
    let sd = (rate * (1.0 - rate) / things as f64).sqrt();
    assert!((found - rate).abs() < 4.0 * sd + 1e-12, "{found} is not {rate} ± {sd}");
}

#[test]
fn harm_by_round_is_what_the_critic_sees_of_what_is_planted() {
    let sim = Sim { violations: 0.4, detection: 0.9, false_alarms: 0.05, fix: 0.5, ..Sim::default() };
    let world = World::new(&sim);
    let done = ablate(&sim, panel(3), &[Figure::Rounds], VERDICTS, 50);
    for (sample, transcripts) in done.samples.iter().zip(&done.transcripts) {
        for (round, observed) in &sample.observed[0] {
            let transcript = &transcripts[0];
            let stands = transcript.responses.iter().rposition(|response| response.round <= *round);
            let mark = Mark::find(&transcript.responses[stands.unwrap()].text).unwrap();
            let count = |of: &dyn Fn(&str) -> bool| EIGHT.iter().filter(|key| of(key)).count();
            let true_ones = count(&|key| world.violated(key, &mark));
            let missed = count(&|key| world.violated(key, &mark) && world.missed(&mark.prompt, key));
            let imagined =
                count(&|key| !world.violated(key, &mark) && world.seen(key, &mark) == Seen::Violates);
            assert_eq!(observed.violated as usize, true_ones - missed + imagined);
            assert_eq!((observed.decided, observed.undecided), (8, 0));
        }
    }
    // Every round mends half of what is seen.
    let seen = 0.4 * 0.9 + 0.6 * 0.05;
    for (name, left) in [("draft", 1.0), ("round 1", 0.5), ("round 2", 0.25), ("round 3", 0.125)] {
        planted(done.value(Figure::Rounds, name, Measure::Violated), seen * left, 50 * 8);
    }
    let cell = done.cell(Figure::Rounds, "round 1", Measure::Violated);
    let (value, difference) = (cell.value, cell.difference.unwrap());
    let draft = done.value(Figure::Rounds, "draft", Measure::Violated);
    assert!((value.value.unwrap() - draft - difference.value.unwrap()).abs() < 1e-12);
}

#[test]
fn direct_revisions_are_worse_by_what_they_pass_over() {
    let check = |method: Method| {
        let sim = Sim { violations: 0.4, direct_misses: 0.3, false_alarms: 0.0, ..Sim::default() };
        let world = World::new(&sim);
        let done = ablate(&sim, method, &[Figure::Critique], VERDICTS, 40);
        let mut passed_over = 0;
        for (sample, transcripts) in done.samples.iter().zip(&done.transcripts) {
            let mark = Mark::find(&transcripts[1].final_response().unwrap().text).unwrap();
            let left = EIGHT.iter().filter(|key| world.seen(key, &mark) == Seen::Violates);
            let left: Vec<&&str> = left.collect();
            assert!(left.iter().all(|key| world.passed_over(&mark.prompt, key)), "{left:?}");
            assert_eq!(sample.observed[1][&1].violated as usize, left.len());
            passed_over += left.len();
        }
        let found = done.cell(Figure::Critique, "direct 1", Measure::Violated);
        assert!((found.value.value.unwrap() - passed_over as f64 / 320.0).abs() < 1e-12);
        planted(found.value.value.unwrap(), 0.4 * 0.95 * 0.3, 320);
        assert!(done.value(Figure::Critique, "critiqued 1", Measure::Violated).abs() < 1e-12);
        // The pairs know more than the two means: the interval holds what was planted, and not nothing.
        let Estimate { low, high, .. } = found.difference.unwrap();
        assert!(low.unwrap() > 0.0 && low.unwrap() < 0.114 && 0.114 < high.unwrap(), "{found:?}");
    };
    check(panel(1));
    check(Method { schedule: Schedule::Each, ..panel(1) });
}

#[test]
fn reviewers_that_miss_nothing_and_revisers_that_need_none_are_worth_the_same() {
    let sim = Sim { direct_misses: 0.0, false_alarms: 0.0, ..Sim::default() };
    let done = ablate(&sim, panel(1), &[Figure::Critique], VERDICTS, 15);
    let difference = done.cell(Figure::Critique, "direct 1", Measure::Violated).difference.unwrap();
    assert_eq!((difference.of, difference.value), (15, Some(0.0)));
}

#[test]
fn more_principles_find_more_of_what_is_planted() {
    let sim = Sim { violations: 0.4, false_alarms: 0.0, ..Sim::default() };
    let done = ablate(&sim, panel(1), &[Figure::Principles], VERDICTS, 40);
    let sizes: Vec<usize> = done.design.variants.iter().map(|variant| variant.principles.len()).collect();
    assert_eq!(sizes, [8, 1, 2, 4]);
    // Of the seen violations those of the principles that are there are mended, and no others.
    for sample in &done.samples {
        let left = |variant: usize| sample.observed[variant][&1].violated;
        assert!(left(1) >= left(2) && left(2) >= left(3) && left(3) >= left(0));
    }
    for (name, left) in [("draft", 8.0), ("1 of 8", 7.0), ("2 of 8", 6.0), ("4 of 8", 4.0), ("8 of 8", 0.0)] {
        planted(done.value(Figure::Principles, name, Measure::Violated), 0.4 * 0.95 * left / 8.0, 320);
    }
    assert_eq!(done.line(Figure::Principles, "8 of 8").against, None);
    let worse = done.cell(Figure::Principles, "4 of 8", Measure::Violated).difference.unwrap();
    planted(worse.value.unwrap(), 0.4 * 0.95 / 2.0, 320);
}

#[test]
fn the_judge_sees_both_sides_as_they_are_planted() {
    let sim = Sim { violations: 0.4, blunts: 0.5, ..Sim::default() };
    let world = World::new(&sim);
    let method = Method { schedule: Schedule::Sampled, revise_always: true, ..panel(2) };
    let done = ablate(&sim, method, &[Figure::Rounds], BOTH, 40);
    for (measure, key) in [(Measure::LessHarm, LESS_HARM), (Measure::MoreHelp, MORE_HELP)] {
        let truth = done.transcripts.iter().map(|by| {
            let mark = |n: usize| Mark::find(&by[0].responses[n].text).unwrap();
            let last = by[0].responses.len() - 1;
            if last == 0 { 0.5 } else { world.better(key, &mark(last), &mark(0)) }
        });
        let truth = truth.sum::<f64>() / 40.0;
        let found = done.value(Figure::Rounds, "round 2", measure);
        assert!((found - truth).abs() < 0.002, "{measure:?}: {found} is not {truth}");
    }
    assert!(done.value(Figure::Rounds, "round 2", Measure::LessHarm) > 0.55);
    assert!(done.value(Figure::Rounds, "round 2", Measure::MoreHelp) < 0.45);
    assert!((done.value(Figure::Rounds, "draft", Measure::MoreHelp) - 0.5).abs() < 1e-12);
}

#[test]
fn unknown_is_neither_good_nor_bad() {
    let cx = context(&EIGHT, panel(1));
    let design = Design::new(&cx, &[Figure::Rounds].into(), &[]);
    let observed = |violated: u32, decided: u32, undecided: u32, less_harm: Option<f64>| {
        BTreeMap::from([(0, Observed { violated, decided, undecided, less_harm, ..Observed::default() })])
    };
    let sample = |hazard, observed| Sample { hazard, observed: vec![observed] };
    let samples = [
        sample(true, observed(1, 2, 6, Some(0.8))),
        sample(true, observed(0, 4, 4, None)),
        sample(false, observed(0, 8, 0, Some(0.4))),
        sample(false, observed(0, 0, 8, None)),
        sample(false, BTreeMap::new()),
    ];
    let (_, lines) = figures(&design, &samples).remove(0);
    let cell = |measure| lines[0].cells.iter().find(|cell| cell.measure == measure).unwrap().value;
    let check = |measure, of: u64, value: f64| {
        let found = cell(measure);
        assert_eq!(found.of, of, "{measure:?}");
        assert!((found.value.unwrap() - value).abs() < 1e-12, "{measure:?}: {found:?}");
    };
    check(Measure::Violated, 3, 0.5 / 3.0);
    // Of the second nothing is violated and something is not known: it does not count as good.
    check(Measure::Violating, 2, 0.5);
    check(Measure::LessHarm, 2, 0.6);
    check(Measure::RefusesHazard, 2, 0.0);
    check(Measure::RefusesOther, 2, 0.0);
    check(Measure::Undecided, 4, (0.75 + 0.5 + 1.0) / 4.0);
}

#[test]
fn subsets_are_nested_follow_the_seed_and_share_the_drafts_calls() {
    let mut cx = context(&EIGHT, panel(2));
    let figures = [Figure::Rounds, Figure::Critique, Figure::Principles].into();
    let design = |cx: &crate::pure::method::MethodContext| Design::new(cx, &figures, &usual_sizes(8));
    let first = design(&cx);
    let names: Vec<&str> = first.variants.iter().map(|variant| variant.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "all 8 principles, critiqued",
            "all 8 principles, direct",
            "1 of 8 principles, critiqued",
            "2 of 8 principles, critiqued",
            "4 of 8 principles, critiqued",
        ]
    );
    let subset = |n: usize| &first.variants[n].principles;
    assert!(subset(3).starts_with(subset(2)) && subset(4).starts_with(subset(3)));
    assert_eq!(first, design(&cx));
    cx.seed += 1;
    assert_ne!(first, design(&cx));
    let prompt = Prompt::single("Hello?");
    let opening = cx.opening(&prompt);
    for variant in &first.variants {
        let own = variant.context(&cx);
        assert_eq!(
            (own.opening(&prompt), own.constitution.principles.len()),
            (opening.clone(), variant.principles.len())
        );
    }
    assert_eq!(usual_sizes(25), [1, 2, 4, 8, 16, 25]);
    assert_eq!(usual_sizes(1), [1]);
    assert_eq!(usual_sizes(4), [1, 2, 4]);
}
