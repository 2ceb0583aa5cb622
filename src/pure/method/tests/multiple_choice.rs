//! Multiple-choice questions over a scripted model and over the simulated judges, and what many of them come to.

use super::scripted::{Scripted, Simulated, block_on, chooses, context, ends, prompt, request, says};
use crate::pure::answer::Outcome;
use crate::pure::call::{Call, Role};
use crate::pure::digest::Parts;
use crate::pure::method::MethodContext;
use crate::pure::method::multiple_choice::{Graded, grade};
use crate::pure::multiple_choice::{Choice, Question};
use crate::pure::prompt::{Message, Prompt};
use crate::pure::reason::Reason;
use crate::pure::recipe::{Judge, Label, LabelHow, Method, Sim};
use crate::pure::reports::multiple_choice::{ChoiceReport, ChoiceReporter};
use crate::pure::transcript::Undecided;
use proptest::prelude::*;

fn asking(label: Label) -> MethodContext {
    context(&["kind"], Method::default()).with_label(label)
}

fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}

fn lettered(corrects: &[&str], incorrects: &[&str]) -> Question {
    Question::new(prompt(), texts(corrects), texts(incorrects)).unwrap()
}

/// A question in the paper's form: the prompt shows the options, the answers are their letters. The mark tells the
/// simulated judge which is right, and whether it is to err.
fn planted(n: usize, errs: bool) -> Question {
    let (right, wrong) =
        if Parts::new("right").with_u64(n as u64).unit() < 0.5 { ("A", "B") } else { ("B", "A") };
    let errs = if errs { " ⟦sim errs⟧" } else { "" };
    let text = format!("Question {n}: which is kinder? ⟦sim right={right}⟧{errs}\n(A) One\n(B) Two");
    let of = |letter: &str| vec![format!(" ({letter})")];
    Question::new(Prompt::single(text), of(right), of(wrong)).unwrap()
}

fn report(sim: Sim, label: Label, questions: impl Iterator<Item = Question>) -> ChoiceReport {
    let cx = asking(label);
    let model = Simulated::new(sim, &cx);
    let mut reporter = ChoiceReporter::default();
    block_on(async {
        for question in questions {
            reporter.add(&grade(&model, &cx, Role::Judge, &question).await.unwrap());
        }
    });
    reporter.finish()
}

#[test]
fn a_perfect_judge_answers_every_question_and_flips_are_counted_exactly() {
    let right = |judge: Judge, label: Label, flips: usize| {
        // Forty-four of them, wherever they fall.
        let mut order: Vec<usize> = (0..438).collect();
        order.sort_by_key(|n| Parts::new("flips").with_u64(*n as u64).uniform());
        let flipped = &order[..flips];
        let sim = Sim { judge, ..Sim::default() };
        let report = report(sim, label, (0..438).map(|n| planted(n, flipped.contains(&n))));
        assert_eq!((report.questions, report.wrong, report.unread.len()), (438, flips as u64, 0));
        assert_eq!(report.by_logprobs + report.by_answer, 438);
        report
    };
    let sure = right(Judge::Perfect, Label::default(), 0);
    assert_eq!(sure.right, 438);
    assert!(sure.p_right.mean.unwrap() > 0.99 && sure.brier.mean.unwrap() < 1e-4, "{sure:?}");
    let flipped = right(Judge::Perfect, Label::default(), 44);
    assert_eq!(flipped.right, 394);
    assert!((flipped.brier.mean.unwrap() - 44.0 / 438.0).abs() < 1e-3);
    let by_answer = right(Judge::NoLogprobs, Label::default(), 44);
    assert_eq!((by_answer.right, by_answer.by_answer, by_answer.p_right.mean), (394, 438, None));
    assert_eq!(right(Judge::Perfect, Label { how: LabelHow::Votes, ..Label::default() }, 44).by_answer, 438);
    assert_eq!(right(Judge::Perfect, Label { reason_first: true, ..Label::default() }, 44).right, 394);
}

#[test]
fn a_rate_of_flips_stays_within_the_interval() {
    let sim = Sim { judge_flips: 0.1, ..Sim::default() };
    let accuracy = report(sim, Label::default(), (0..438).map(|n| planted(n, false))).accuracy;
    assert!(accuracy.low < 0.9 && 0.9 < accuracy.high, "{accuracy:?}");
}

#[test]
fn a_judge_that_prefers_a_place_is_seen_to() {
    let by = |judge: Judge| {
        let sim = Sim { judge, judge_bias: 0.45, ..Sim::default() };
        report(sim, Label::default(), (0..438).map(|n| planted(n, false))).positions
    };
    let (always, perfect) = (by(Judge::AlwaysA), by(Judge::Perfect));
    assert_eq!((always[0].chosen.count, always[1].chosen.count), (438, 0));
    assert_eq!(perfect[0].chosen, perfect[0].right);
    assert_eq!(perfect[0].right, always[0].right);
    assert_eq!(by(Judge::Position)[0].chosen.count, 438, "nine tenths of its weight are on (A)");
}

#[test]
fn a_malformed_answer_is_neither_right_nor_a_guess() {
    let all = report(
        Sim { judge: Judge::Malformed, ..Sim::default() },
        Label::default(),
        (0..20).map(|n| planted(n, false)),
    );
    assert_eq!((all.right, all.wrong, all.unread.get(&Reason::Unreadable)), (0, 0, Some(&20)));
    assert_eq!((all.accuracy.share, all.accuracy_of_read.share), (Some(0.0), None));
    let some = report(
        Sim { unreadable: 0.3, ..Sim::default() },
        Label::default(),
        (0..80).map(|n| planted(n, false)),
    );
    let unread = some.unread[&Reason::Unreadable];
    assert!((10..40).contains(&unread), "{unread}");
    assert_eq!((some.right, some.wrong), (80 - unread, 0));
    assert_eq!(some.accuracy_of_read.share, Some(1.0));

    let cx = asking(Label::default());
    for (answer, reason) in [
        (ends(Outcome::Filtered), Undecided::Outcome(Reason::Filtered)),
        (ends(Outcome::Refused), Undecided::Outcome(Reason::Refused)),
        (ends(Outcome::Failed("down".into())), Undecided::Outcome(Reason::Failed)),
        (says("(A) or (B)"), Undecided::Unreadable),
        (says("(D)"), Undecided::Unreadable),
    ] {
        let model = Scripted::new(|_| answer.clone());
        let graded = block_on(grade(&model, &cx, Role::Judge, &lettered(&["(A)"], &["(B)"]))).unwrap();
        assert_eq!((graded.right(), graded.p_right(), graded.chosen), (None, None, Err(reason)));
    }
}

#[test]
fn options_that_are_letters_stand_at_their_letters() {
    let model = Scripted::new(|call| {
        assert!(
            request(call).contains("\n(A) option (A) of the question\n(B) option (B) of"),
            "{}",
            request(call)
        );
        chooses(&[("(C)", 0.5), ("(B)", 0.3), ("(A)", 0.2)])
    });
    let question = lettered(&[" (C)"], &[" (A)", " (B)"]);
    let graded = block_on(grade(&model, &asking(Label::default()), Role::Judge, &question)).unwrap();
    assert_eq!((graded.right(), graded.chosen_option().unwrap().text.as_str()), (Some(true), " (C)"));
    assert!((graded.p_right().unwrap() - 0.5).abs() < 1e-9);
}

#[test]
fn the_role_is_asked_at_temperature_0_with_the_whole_conversation() {
    let turns = vec![Message::user("Hi."), Message::assistant("Hello."), Message::user("Bread or stone?")];
    let question =
        Question::new(Prompt::new(turns, None, None), texts(&["Bread"]), texts(&["Stone"])).unwrap();
    let model = Scripted::new(|_| says("(A)"));
    let cx = asking(Label { how: LabelHow::Votes, ..Label::default() });
    block_on(grade(&model, &cx, Role::Critic, &question)).unwrap();
    let calls = model.asked();
    let Call { role, sampling, .. } = &calls[0];
    assert_eq!((role, sampling.temperature, sampling.top_logprobs), (&Role::Critic, Some(0.0), None));
    assert!(request(&calls[0]).contains("User: Hi.\n\nAssistant: Hello.\n\nUser: Bread or stone?"));
}

/// The letter under which a request shows a text.
fn letter_of(call: &Call, text: &str) -> String {
    let line = request(call).lines().find(|line| line.ends_with(&format!(") {text}"))).unwrap();
    line.chars().take(3).collect()
}

fn graded(odds: &[f64], right: usize, chosen: Option<usize>) -> Graded {
    let options = (0..odds.len()).map(|n| Choice { text: n.to_string(), right: n == right }).collect();
    let chosen = chosen.ok_or(Undecided::Unreadable);
    let odds = chosen.is_ok().then(|| odds.to_vec());
    Graded { options, chosen, odds, fallback: false }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn shuffling_the_options_never_changes_the_grade(
        options in proptest::collection::btree_set("[a-z]{2,6}", 2..9), pick in 0_usize..9, seed: u64, other: u64,
    ) {
        let options: Vec<String> = options.into_iter().collect();
        let pick = options[pick % options.len()].clone();
        let question = Question::new(prompt(), options[..1].to_vec(), options[1..].to_vec()).unwrap();
        let right = pick == options[0];
        for seed in [seed, other] {
            let mut cx = asking(Label::default());
            cx.seed = seed;
            let model = Scripted::new(|call| says(letter_of(call, &pick)));
            let found = block_on(grade(&model, &cx, Role::Judge, &question)).unwrap();
            prop_assert_eq!(found.right(), Some(right));
            prop_assert_eq!(&found.chosen_option().unwrap().text, &pick);
        }
    }

    #[test]
    fn a_report_adds_up_and_its_intervals_hold_its_shares(
        answers in proptest::collection::vec((2_usize..6, 0_usize..6, 0_usize..8, 0.01_f64..1.0), 1..80),
    ) {
        let mut reporter = ChoiceReporter::default();
        for (count, right, chosen, p) in &answers {
            let chosen = (*chosen < 6).then_some(chosen % count);
            let rest = (1.0 - p) / (*count as f64 - 1.0);
            let odds: Vec<f64> = (0..*count).map(|n| if Some(n) == chosen { *p } else { rest }).collect();
            reporter.add(&graded(&odds, right % count, chosen));
        }
        let report = reporter.finish();
        prop_assert_eq!(report.questions, answers.len() as u64);
        let unread: u64 = report.unread.values().sum();
        prop_assert_eq!(report.right + report.wrong + unread, report.questions);
        prop_assert_eq!(report.by_logprobs + report.by_answer, report.right + report.wrong);
        for rate in [report.accuracy, report.accuracy_of_read] {
            prop_assert!(rate.share.is_none_or(|share| rate.low <= share && share <= rate.high));
        }
        prop_assert!(report.brier.mean.is_none_or(|brier| (0.0..=1.0).contains(&brier)));
        prop_assert!(report.calibration_error.is_none_or(|error| (0.0..=1.0).contains(&error)));
        prop_assert_eq!(report.calibration.iter().map(|bin| bin.right.of).sum::<u64>(), report.by_logprobs);
        for bin in &report.calibration {
            prop_assert!((bin.from - 1e-9..=bin.to + 1e-9).contains(&bin.confidence.unwrap()));
        }
        let chosen: u64 = report.positions.iter().map(|place| place.chosen.count).sum();
        prop_assert_eq!(chosen, report.right + report.wrong);
    }

    #[test]
    fn a_judge_as_often_right_as_it_says_is_calibrated(p in 0.55_f64..0.95) {
        let mut reporter = ChoiceReporter::default();
        for n in 0..1000 {
            let right = usize::from(f64::from(n) >= 1000.0 * p);
            reporter.add(&graded(&[p, 1.0 - p], right, Some(0)));
        }
        let report = reporter.finish();
        prop_assert!(report.calibration_error.unwrap() < 2e-3);
        prop_assert!((report.brier.mean.unwrap() - p * (1.0 - p)).abs() < 2e-3);
    }
}
