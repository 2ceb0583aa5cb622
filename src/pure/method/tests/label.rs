//! Preference labels over a scripted judge, and over the planted judges of the simulated model.

use super::scripted::{Scripted, Simulated, block_on, chooses, context, ends, prompt, request, says};
use crate::pure::answer::{Answer, Outcome, TokenLogprob, TopLogprob};
use crate::pure::call::{Call, Purpose, Role};
use crate::pure::digest::Parts;
use crate::pure::method::{MethodContext, label_responses, label_samples, option_odds, read_option};
use crate::pure::prompt::Prompt;
use crate::pure::recipe::{Judge, Label, LabelHow, LabelPairs, Method, Sim};
use crate::pure::reports::judge_report::{JudgeReport, JudgeReporter, estimate_position_bias};
use crate::pure::transcript::{Ended, How, Response, Transcript};
use crate::runtime::sim::{Mark, World};

fn response(text: impl Into<String>, model: &str) -> Response {
    Response {
        text: text.into(),
        round: 0,
        model: model.into(),
        fallback: false,
        tokens: 0,
        repairs: Vec::new(),
    }
}

fn labelling(label: Label) -> MethodContext {
    context(&["kind"], Method::default()).with_label(label)
}

/// Which response stands as (A).
fn shown_first(call: &Call) -> &str {
    let (_, rest) = request(call).split_once("Response (A):\n").unwrap();
    rest.lines().next().unwrap()
}

#[test]
fn an_option_is_read_where_it_is_plainly_named() {
    let check =
        |answer: &str, expected: Option<char>| assert_eq!(read_option(answer, 2), expected, "{answer:?}");
    for answer in
        ["(A)", " (A)", "A", "**(A)**", "A.", "Answer: (A)", "It is shorter.\n\nAnswer: **A**", "Hm.\n(A)\n"]
    {
        check(answer, Some('A'));
    }
    check("Answer: (B)", Some('B'));
    for answer in
        ["", "(C)", "(A) or (B)", "(A) and (B)", "A better one is B", "Because:\nA", "Both: (A)", "Answer:"]
    {
        check(answer, None);
    }
}

#[test]
fn odds_are_read_from_any_spelling_of_the_option_and_never_surer_than_seen() {
    let token = |token: &str, p: f64, top: &[(&str, f64)]| TokenLogprob {
        token: token.into(),
        logprob: p.ln(),
        top: top.iter().map(|(token, p)| TopLogprob { token: (*token).into(), logprob: p.ln() }).collect(),
    };
    let check = |tokens: &[TokenLogprob], expected: Option<f64>| {
        let found = option_odds(tokens, 'A', 2).map(|odds| odds[0]);
        assert!(
            found.zip(expected).map_or(found == expected, |(a, b)| (a - b).abs() < 1e-9),
            "{found:?} {expected:?}"
        );
    };
    check(&[token("(A)", 0.6, &[("(A)", 0.6), ("(B)", 0.2), ("The", 0.1)])], Some(0.75));
    check(
        &[token("(", 1.0, &[("(", 1.0)]), token("A", 0.3, &[("B", 0.4), ("A", 0.3), (" A", 0.1)])],
        Some(0.5),
    );
    // The other option is not listed: it has at most what the last one listed has, and what is left over.
    check(&[token(" A", 0.9, &[(" A", 0.9), ("The", 0.05)])], Some(0.9 / 0.95));
    check(&[token("A", 0.98, &[("A", 0.98), ("x", 0.01)])], Some(0.98 / 0.99));
    check(&[token("A", 0.9, &[])], None);
    check(&[token("The", 1.0, &[("A", 0.1)])], None);
    check(&[], None);
}

#[test]
fn both_orders_are_asked_and_averaged_and_what_was_read_is_kept() {
    let cx = labelling(Label::default());
    let model = Scripted::new(|call| {
        let swapped = shown_first(call) != "Good.";
        assert_eq!(call.purpose, Purpose::Comparison { principle: "kind".into(), swapped });
        if shown_first(call) == "Good." {
            chooses(&[("(A)", 0.9), ("(B)", 0.1)])
        } else {
            chooses(&[("(B)", 0.6), ("(A)", 0.4)])
        }
    });
    let responses = vec![response("Good.", "m"), response("Bad.", "other")];
    let transcript = block_on(label_responses(&model, &cx, &prompt(), responses)).unwrap();
    let comparison = &transcript.comparisons[0];
    let near =
        |found: Option<f64>, expected: f64| assert!((found.unwrap() - expected).abs() < 1e-9, "{found:?}");
    near(comparison.p_ab, 0.9);
    near(comparison.p_ba, 0.6);
    near(comparison.p, 0.75);
    assert_eq!((&comparison.how, model.count().as_str()), (&How::Logprobs, "0 0 0 2"));
    assert_eq!((transcript.last, &transcript.ended), (0, &Ended::Labelled));
}

#[test]
fn what_cannot_be_read_in_both_orders_is_undecided() {
    let cx = labelling(Label { votes: 3, ..Label::default() });
    let check = |bad: fn() -> Answer, calls: usize| {
        let model = Scripted::new(|call| if shown_first(call) == "Good." { says("(A)") } else { bad() });
        let responses = vec![response("Good.", "m"), response("Bad.", "m")];
        let transcript = block_on(label_responses(&model, &cx, &prompt(), responses)).unwrap();
        let comparison = &transcript.comparisons[0];
        assert_eq!((comparison.p_ab, comparison.p_ba, comparison.p), (Some(1.0), None, None));
        assert_eq!(model.asked().len(), calls);
    };
    check(|| says("Both have their points, (A) and (B)."), 6);
    check(|| ends(Outcome::Filtered), 6);
    check(|| ends(Outcome::Failed("down".into())), 4);
}

#[test]
fn a_judge_that_thinks_first_is_clamped() {
    let cx = labelling(Label { reason_first: true, votes: 2, ..Label::default() });
    let model = Scripted::new(|call| {
        let letter = if shown_first(call) == "Good." { "(A)" } else { "(B)" };
        says(format!("Let me think.\nAnswer: {letter}"))
    });
    let responses = vec![response("Good.", "m"), response("Bad.", "m")];
    let transcript = block_on(label_responses(&model, &cx, &prompt(), responses)).unwrap();
    let comparison = &transcript.comparisons[0];
    assert_eq!((comparison.p, comparison.p_ab, comparison.p_ba), (Some(0.6), Some(1.0), Some(1.0)));
    assert_eq!((&comparison.how, model.asked().len()), (&How::Cot, 4));
}

#[test]
fn samples_are_drafted_and_each_pair_meets_the_principles_drawn() {
    let check = |label: Label, calls: &str| {
        let cx = context(&["kind", "safe", "true"], Method::default()).with_label(label);
        let model = Scripted::new(|call| match call.role {
            Role::Generator => says(format!("Turn the wheel {} times.", call.draw)),
            _ => chooses(&[("(A)", 0.5), ("(B)", 0.5)]),
        });
        let transcript = block_on(label_samples(&model, &cx, &prompt())).unwrap();
        assert_eq!(model.count(), calls);
        assert_eq!(transcript.tally.calls, model.asked().len() as u64);
    };
    check(Label::default(), "2 0 0 2");
    check(Label { samples: 4, ..Label::default() }, "4 0 0 12");
    check(Label { samples: 4, pairs: LabelPairs::Steps, principles: 0, ..Label::default() }, "4 0 0 18");
    check(Label { samples: 3, pairs: LabelPairs::FirstLast, principles: 2, ..Label::default() }, "3 0 0 4");
    check(Label { samples: 1, ..Label::default() }, "1 0 0 0");
}

#[test]
fn responses_that_are_the_same_are_not_compared() {
    let cx = labelling(Label::default());
    let model = Scripted::new(|_| unreachable!());
    let responses = vec![response("Good.", "m"), response("Good. ", "m")];
    let transcript = block_on(label_responses(&model, &cx, &prompt(), responses)).unwrap();
    assert!(transcript.comparisons.is_empty());
}

/// Pairs of texts whose truth the simulated world decides, labelled by one of its judges.
fn labelled_by(sim: &Sim, label: Label, pairs: u64) -> Vec<Transcript> {
    let cx = labelling(label);
    let model = Simulated::new(sim.clone(), &cx);
    block_on(async {
        let mut transcripts = Vec::new();
        for n in 0..pairs {
            let more = |which: &str| " indeed".repeat((Parts::new(which).with_u64(n).uniform() % 9) as usize);
            let responses =
                ["one", "two"].map(|w| response(format!("Answer {w} to question {n}{}.", more(w)), w));
            let prompt = Prompt::single(format!("Question {n}?"));
            transcripts.push(label_responses(&model, &cx, &prompt, responses.to_vec()).await.unwrap());
        }
        transcripts
    })
}

fn report(transcripts: &[Transcript]) -> JudgeReport {
    let constitution = context(&["kind"], Method::default()).constitution;
    let mut reporter = JudgeReporter::new(&constitution);
    for transcript in transcripts {
        reporter.add(transcript);
    }
    reporter.finish()
}

fn close(found: Option<f64>, expected: f64, within: f64) {
    assert!(found.is_some_and(|found| (found - expected).abs() <= within), "{found:?} is not {expected}");
}

#[test]
fn a_perfect_judge_gives_the_true_order_and_a_biased_one_its_bias() {
    let perfect = labelled_by(&Sim::default(), Label::default(), 2000);
    let sure: Vec<f64> = perfect.iter().map(|t| t.comparisons[0].p.unwrap()).collect();
    let found = report(&perfect);
    close(found.comparisons.position_bias.mean, 0.0, 1e-6);
    assert_eq!(found.comparisons.flips.count, 0);

    let by = |judge: Judge, bias: f64, pairs: u64| {
        let sim = Sim { judge, judge_bias: bias, ..Sim::default() };
        let transcripts = labelled_by(&sim, Label::default(), pairs);
        let agree = transcripts
            .iter()
            .zip(&sure)
            .filter(|(t, p)| (t.comparisons[0].p.unwrap() > 0.5) == (**p > 0.5))
            .count();
        (agree, report(&transcripts).comparisons)
    };
    let (agree, position) = by(Judge::Position, 0.3, 2000);
    assert_eq!(agree, 2000, "both orders averaged, the true order stands");
    close(position.position_bias.mean, 0.3, 0.02);
    assert!(position.flips.share.unwrap() > 0.3);
    let (_, always) = by(Judge::AlwaysA, 0.0, 200);
    close(always.position_bias.mean, 0.499, 0.001);
    assert_eq!(always.flips.share, Some(1.0));
    let (_, length) = by(Judge::Length, 0.3, 2000);
    close(length.length_bias.mean, 0.3, 0.02);
    close(length.position_bias.mean, 0.0, 1e-6);
    let (agree, noisy) = by(Judge::Noisy, 0.2, 500);
    assert!(agree > 400, "{agree}");
    close(noisy.position_bias.mean, 0.0, 0.02);
}

#[test]
fn the_planted_truth_is_recovered() {
    let sim = Sim::default();
    let world = World::new(&sim);
    let cx = labelling(Label { samples: 4, ..Label::default() });
    let model = Simulated::new(sim.clone(), &cx);
    let mut pairs = 0;
    for n in 0..60 {
        let prompt = Prompt::single(format!("Question {n}?"));
        let transcript = block_on(label_samples(&model, &cx, &prompt)).unwrap();
        for comparison in &transcript.comparisons {
            let mark = |n: usize| Mark::find(&transcript.responses[n].text).unwrap();
            let truth = world.better("kind", &mark(comparison.a), &mark(comparison.b));
            close(comparison.p, truth, 0.002);
            pairs += 1;
        }
    }
    assert!(pairs > 300, "{pairs}");
}

#[test]
fn votes_agree_with_logprobs_within_their_sampling_error() {
    let logprobs = labelled_by(&Sim::default(), Label::default(), 150);
    let check = |sim: Sim, label: Label| {
        let voted = labelled_by(&sim, label, 150);
        let mut off = Vec::new();
        let mut variance = 0.0;
        for (vote, truth) in voted.iter().zip(&logprobs) {
            let (vote, truth) = (&vote.comparisons[0], &truth.comparisons[0]);
            assert_eq!(vote.how, How::Votes);
            off.push(vote.p.unwrap() - truth.p.unwrap());
            let of = |p: f64| p * (1.0 - p) / 9.0;
            variance += (of(truth.p_ab.unwrap()) + of(truth.p_ba.unwrap())) / 4.0;
        }
        let n = off.len() as f64;
        let mean = off.iter().sum::<f64>() / n;
        assert!(mean.abs() < 3.0 * (variance / n / n).sqrt(), "{mean}");
        let spread = off.iter().map(|off| off * off).sum::<f64>() / n;
        assert!((0.5..2.0).contains(&(spread / (variance / n))), "{spread} {}", variance / n);
    };
    let nine = Label { votes: 9, ..Label::default() };
    check(Sim { judge: Judge::NoLogprobs, ..Sim::default() }, nine.clone());
    check(Sim::default(), Label { how: LabelHow::Votes, ..nine });
}

#[test]
fn no_label_comes_from_a_malformed_answer() {
    let check = |sim: Sim| labelled_by(&sim, Label { votes: 2, ..Label::default() }, 200);
    for transcript in check(Sim { judge: Judge::Malformed, ..Sim::default() }) {
        assert!(transcript.comparisons.iter().all(|c| c.p.is_none() && c.p_ab.is_none() && c.p_ba.is_none()));
    }
    let some = report(&check(Sim { unreadable: 0.5, ..Sim::default() }));
    assert!(some.comparisons.undecided.count > 0 && some.comparisons.undecided.count < 200);
    close(some.comparisons.position_bias.mean, 0.0, 0.05);
}

#[test]
fn a_bias_shows_in_votes_within_their_sampling_error() {
    let sim = Sim { judge: Judge::Position, judge_bias: 0.3, no_logprobs: true, ..Sim::default() };
    let found = report(&labelled_by(&sim, Label { votes: 1, ..Label::default() }, 500)).comparisons;
    assert_eq!(found.how.get(&How::Votes), Some(&500));
    // A thousand votes, one an order.
    close(found.position_bias.mean, 0.3, 3.0 * (0.25_f64 / 1000.0).sqrt());
}

#[test]
fn a_bias_can_be_estimated_from_comparisons_alone() {
    let sim = Sim { judge: Judge::Position, judge_bias: 0.1, ..Sim::default() };
    let transcripts = labelled_by(&sim, Label::default(), 100);
    let mean = estimate_position_bias(transcripts.iter().flat_map(|t| &t.comparisons));
    close(mean.mean, 0.1, 0.02);
    assert_eq!(mean.of, 100);
}
