//! Verdicts by one of two letters, and critiques that say nothing of their own.

use super::scripted::{Scripted, block_on, chooses, context, ends, prompt, says};
use crate::pure::answer::{Answer, Outcome};
use crate::pure::call::{Call, Purpose};
use crate::pure::method::critique_revision;
use crate::pure::recipe::{Method, Schedule, VerdictForm};
use crate::pure::transcript::{Critique, Transcript, Undecided, Verdict};

fn by_choice() -> Method {
    Method { verdict: VerdictForm::Choice, rounds: 1, ..Method::default() }
}

/// A run over one principle: the letters in both orders, what the critique says, and everything else.
fn judged(
    settings: Method,
    forth: impl Fn(&Call) -> Answer + Send + Sync,
    back: impl Fn(&Call) -> Answer + Send + Sync,
    critique: &str,
) -> (Transcript, Vec<Call>) {
    let cx = context(&["kind"], settings);
    let model = Scripted::new(|call| match &call.purpose {
        Purpose::VerdictChoice { swapped: false, .. } => forth(call),
        Purpose::VerdictChoice { swapped: true, .. } => back(call),
        Purpose::Critique { .. } => says(critique),
        Purpose::Revision { .. } => says("Gladly: turn the wheel and wait for the tide."),
        _ => says("Turn the wheel, you fool."),
    });
    let transcript = block_on(critique_revision(&model, &cx, &prompt())).unwrap();
    (transcript, model.asked())
}

fn first(transcript: &Transcript) -> &Critique {
    &transcript.critiques[0]
}

#[test]
fn both_orders_count_and_only_an_objection_is_explained() {
    let sure = |_: &Call| chooses(&[("A", 0.9), ("B", 0.1)]);
    let (transcript, calls) = judged(by_choice(), sure, |_| chooses(&[("B", 0.7), ("A", 0.3)]), "It scolds.");
    let critique = first(&transcript);
    assert_eq!((critique.verdict, critique.text.as_str()), (Verdict::Violates, "It scolds."));
    assert!((critique.p_violates.unwrap() - 0.8).abs() < 1e-9, "{critique:?}");
    // A letter takes few tokens, and is asked for with its alternatives.
    let letters: Vec<&Call> =
        calls.iter().filter(|call| matches!(call.purpose, Purpose::VerdictChoice { .. })).collect();
    assert!(
        letters.iter().all(|call| call.sampling.top_logprobs == Some(20) && call.sampling.max_tokens == 8)
    );

    let (transcript, calls) = judged(by_choice(), |_| says("(B)"), |_| says("(A)"), "never asked");
    assert_eq!((first(&transcript).verdict, first(&transcript).text.as_str()), (Verdict::Conforms, ""));
    assert!(!calls.iter().any(|call| matches!(call.purpose, Purpose::Critique { .. })));
}

#[test]
fn a_critic_that_follows_the_order_and_not_the_response_is_undecided() {
    let (transcript, _) = judged(by_choice(), |_| says("(A)"), |_| says("(A)"), "never asked");
    let critique = first(&transcript);
    assert_eq!((critique.verdict, critique.p_violates), (Verdict::Undecided, Some(0.5)));
    assert_eq!(critique.undecided, Some(Undecided::Unreadable));
}

#[test]
fn the_first_place_is_read_whatever_was_sampled_and_a_talker_gets_more_room() {
    // It begins to talk, and is cut off; its first place says which letter it would have been.
    let talks = |odds: &[(&str, f64)]| Answer {
        outcome: Outcome::Truncated,
        text: "The response".into(),
        ..chooses(odds)
    };
    let (forth, back) = ([("The", 0.6), ("A", 0.3), ("B", 0.1)], [("The", 0.6), ("B", 0.3), ("A", 0.1)]);
    let (transcript, _) = judged(by_choice(), |_| talks(&forth), |_| talks(&back), "It scolds.");
    assert!((first(&transcript).p_violates.unwrap() - 0.75).abs() < 1e-9, "{:?}", first(&transcript));

    // One without log-probabilities gets the room that the critic has.
    let thinks = |letter: &'static str| {
        move |call: &Call| {
            if call.sampling.max_tokens == 8 {
                ends(Outcome::Truncated)
            } else {
                says(format!("Well.\nAnswer: {letter}"))
            }
        }
    };
    let (transcript, calls) = judged(by_choice(), thinks("(B)"), thinks("(A)"), "never asked");
    assert_eq!(first(&transcript).verdict, Verdict::Conforms);
    assert_eq!(calls.iter().filter(|call| matches!(call.purpose, Purpose::VerdictChoice { .. })).count(), 4);

    // What names no option, and puts nothing on one, decides nothing.
    let unlikely = |_: &Call| chooses(&[("The", 0.99), ("A", 0.001), ("B", 0.0001)]);
    let (transcript, _) = judged(by_choice(), unlikely, unlikely, "never asked");
    assert_eq!((first(&transcript).verdict, first(&transcript).p_violates), (Verdict::Undecided, None));
}

#[test]
fn a_critique_that_repeats_what_it_was_told_decides_nothing() {
    let parrot = "This turn is not from the user. It is an instruction to review the assistant's last response above. The \
                  conversation and the response are material to judge.\nVerdict: violates";
    let line = Method { rounds: 1, ..Method::default() };
    let (transcript, calls) = judged(line.clone(), |_| says(""), |_| says(""), parrot);
    assert_eq!(first(&transcript).verdict, Verdict::Undecided);
    assert!(calls.iter().all(|call| !matches!(call.purpose, Purpose::VerdictFollowUp { .. })));
    // Where the verdict came first it stands, and the revision is made straight from the principle.
    for schedule in [Schedule::Panel, Schedule::Each, Schedule::Sampled] {
        let settings = Method { schedule, ..by_choice() };
        let (transcript, calls) = judged(settings, |_| says("(A)"), |_| says("(B)"), parrot);
        assert_eq!((first(&transcript).verdict, first(&transcript).text.as_str()), (Verdict::Violates, ""));
        let revision = calls.iter().find(|call| matches!(call.purpose, Purpose::Revision { .. })).unwrap();
        let asked = &revision.messages.last().unwrap().content;
        assert!(asked.contains("Principle [kind]") && !asked.contains("Review: This turn"), "{asked}");
    }

    // It may quote the response and the principle as it likes.
    let quotes = "Turn the wheel, you fool: that is not kind. The response keeps to kind, it is asked.\nVerdict: violates";
    let (transcript, _) = judged(line, |_| says(""), |_| says(""), quotes);
    assert_eq!(first(&transcript).verdict, Verdict::Violates);
}

#[test]
fn a_revision_that_repeats_its_instruction_is_none() {
    let cx = context(&["kind"], Method { rounds: 1, retries: 0, ..Method::default() });
    let echo = "Rewrite the response so that it keeps all of them. Write it as the assistant, speaking to the user of the \
                conversation; it replaces the response, and the user will read nothing else.";
    let model = Scripted::new(|call| match &call.purpose {
        Purpose::Critique { .. } => says("It scolds.\nVerdict: violates"),
        Purpose::Revision { .. } => says(echo),
        _ => says("Turn the wheel, you fool."),
    });
    let transcript = block_on(critique_revision(&model, &cx, &prompt())).unwrap();
    assert_eq!(transcript.responses.len(), 1);
    assert!(
        format!("{:?}", transcript.revisions[0].fate).contains("InstructionEcho"),
        "{:?}",
        transcript.revisions
    );
}
