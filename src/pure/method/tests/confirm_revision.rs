//! `gates.confirm_revision` over a scripted critic: what it says of a revision, and what becomes of the revision.

use super::scripted::{Scripted, about, block_on, context, ends, request, says, template_of};
use crate::pure::answer::{Answer, Outcome};
use crate::pure::call::{Call, Purpose, Role};
use crate::pure::constitution::{Example, built_in_styles};
use crate::pure::method::{GuardTurn, MethodContext, critique_revision, revise_answer, style};
use crate::pure::prompt::{Message, Prompt};
use crate::pure::reason::Reason;
use crate::pure::recipe::{Method, Schedule, Target};
use crate::pure::request_class::RequestClass;
use crate::pure::transcript::{Ended, RevisionFate, Transcript};
use std::collections::BTreeSet;

const DRAFT: &str = "Turn the wheel, you fool, until the gate is open.";
const CLEAN: &str = "Turn the wheel slowly until the gate is open.";
/// A remark that no rule of the gates knows.
const REMARK: &str = "Turn the wheel until the gate is open. Said in a friendlier way this time.";

fn cx(settings: Method) -> MethodContext {
    let mut cx = context(&["kind"], settings);
    cx.gates.confirm_revision = true;
    cx
}

fn settings(schedule: Schedule) -> Method {
    Method { schedule, rounds: 1, ..Method::default() }
}

/// A critic that is right about everything it reads.
fn honest(call: &Call) -> Answer {
    match call.purpose {
        Purpose::RevisionCheck if about(call).contains("this time") => says("No, it speaks of itself."),
        Purpose::RevisionCheck => says("Yes."),
        _ if about(call).contains("fool") => says("It insults.\nVerdict: violates"),
        _ => says("It is fine.\nVerdict: conforms"),
    }
}

/// The chain of a reviser that writes these texts, one a draw.
fn chain(
    cx: &MethodContext,
    revisions: &'static [&'static str],
    critic: impl Fn(&Call) -> Answer + Send + Sync,
) -> (Transcript, Vec<Call>) {
    let model = Scripted::new(|call| match call.role {
        Role::Generator => says(DRAFT),
        Role::Reviser => says(revisions[call.draw as usize]),
        _ => critic(call),
    });
    let prompt = Prompt::single("How do I open the old harbour gate?");
    (block_on(critique_revision(&model, cx, &prompt)).unwrap(), model.asked())
}

fn fates(transcript: &Transcript) -> Vec<RevisionFate> {
    transcript.revisions.iter().map(|revision| revision.fate.clone()).collect()
}

fn checks(calls: &[Call]) -> Vec<&Call> {
    calls.iter().filter(|call| call.purpose == Purpose::RevisionCheck).collect()
}

#[test]
fn no_rejects_a_revision_and_another_is_asked_for_as_far_as_the_recipe_allows() {
    let rejected = || RevisionFate::Rejected(Reason::NotClean);
    for schedule in [Schedule::Panel, Schedule::Each, Schedule::Sampled] {
        for critique in [true, false] {
            let cx = cx(Method { critique, ..settings(schedule) });
            let (made, calls) = chain(&cx, &[REMARK, CLEAN], honest);
            assert_eq!(fates(&made), [rejected(), RevisionFate::Kept(1)], "{schedule:?}");
            assert_eq!(made.final_response().unwrap().text, CLEAN);
            assert_eq!(checks(&calls).len(), 2);
            let (made, _) = chain(&cx, &[REMARK, "Turn it this time."], honest);
            assert_eq!(fates(&made), [rejected(), rejected()], "{schedule:?}");
            assert_eq!(made.final_response().unwrap().text, DRAFT);
        }
    }
    let (made, _) = chain(&cx(settings(Schedule::Panel)), &[REMARK, REMARK], honest);
    assert_eq!(made.ended, Ended::RevisionFailed(Reason::NotClean));
}

#[test]
fn an_answer_that_is_none_confirms_nothing() {
    let check = |confirmation: fn(&Call) -> Answer, expected: &[RevisionFate], asked: usize| {
        let critic = |call: &Call| match call.purpose {
            Purpose::RevisionCheck => confirmation(call),
            _ => honest(call),
        };
        let (made, calls) = chain(&cx(settings(Schedule::Panel)), &[CLEAN, "Turn it."], critic);
        assert_eq!((fates(&made).as_slice(), checks(&calls).len()), (expected, asked));
        let kept = expected.contains(&RevisionFate::Kept(1));
        assert_eq!(made.final_response().unwrap().text == DRAFT, !kept);
        if !kept {
            assert_eq!(made.ended, Ended::RevisionFailed(Reason::Unconfirmed));
        }
    };
    let unconfirmed = || RevisionFate::Rejected(Reason::Unconfirmed);
    check(|_| says("It depends on how one reads it."), &[unconfirmed(), unconfirmed()], 2);
    check(|_| ends(Outcome::Filtered), &[unconfirmed(), unconfirmed()], 2);
    // A cut answer is no answer, whatever it began with.
    check(|_| Answer { text: "Yes".into(), ..ends(Outcome::Truncated) }, &[unconfirmed(), unconfirmed()], 4);
    // The critic is away: it would be away for the next revision too.
    check(|_| ends(Outcome::Failed("down".into())), &[unconfirmed()], 1);
    // An empty answer is asked for again, as every critic's is.
    let second = |call: &Call| if call.draw == 0 { ends(Outcome::Empty) } else { says("yes") };
    check(second, &[RevisionFate::Kept(1)], 2);
}

#[test]
fn only_what_passed_the_other_gates_is_asked_about() {
    let cx = cx(settings(Schedule::Panel));
    let (made, calls) = chain(&cx, &["No revisions needed.", CLEAN], honest);
    assert_eq!(fates(&made), [RevisionFate::Rejected(Reason::Sentinel), RevisionFate::Kept(1)]);
    assert_eq!(checks(&calls).len(), 1);
    let (made, calls) = chain(&cx, &[DRAFT, DRAFT], honest);
    assert_eq!((fates(&made).len(), checks(&calls).len()), (2, 0));
    // What was repaired is asked about as it would be used.
    let (_, calls) = chain(&cx, &["Here is the revised response:\n\nTurn the wheel slowly."], honest);
    assert_eq!(about(checks(&calls)[0]), "Turn the wheel slowly.");
}

/// The question is of the critic, about the conversation with the revision as its answer, and shows no principle and no
/// critique. Nothing else that is asked changes.
#[test]
fn the_question_stands_alone_and_changes_no_other_call() {
    let mut cx = cx(settings(Schedule::Panel));
    cx.constitution.principles[0].examples = vec![Example {
        prompt: "Will it rain?".into(),
        response: "Yes, fool.".into(),
        critique: "It insults.".into(),
        verdict: crate::pure::transcript::Verdict::Violates,
        revision: Some("I can't know.".into()),
    }];
    let (with, calls) = chain(&cx, &[CLEAN], honest);
    let [check] = checks(&calls)[..] else { panic!("{calls:?}") };
    assert_eq!((check.role, template_of(check), about(check)), (Role::Critic, "confirm revision", CLEAN));
    assert_eq!(check.messages.len(), 4);
    assert!(!request(check).contains("kind") && !request(check).contains("insults"));
    assert_eq!(with.tally.calls, calls.len() as u64);
    cx.gates.confirm_revision = false;
    let (without, others) = chain(&cx, &[CLEAN], honest);
    let keys = |calls: &[Call]| -> BTreeSet<_> { calls.iter().map(Call::key).collect() };
    let mut expected = keys(&others);
    assert!(checks(&others).is_empty() && expected.insert(check.key()));
    assert_eq!(keys(&calls), expected);
    assert_eq!(with.responses, without.responses);
}

#[test]
fn a_styled_answer_is_revised_by_what_is_confirmed() {
    let declines =
        "I won't help with that, since it would hurt somebody. I can help you to write to him instead.";
    let prompt = Prompt::new(
        vec![Message::user("Tell me how I can hurt my neighbour at home.")],
        Some("phys.assault".into()),
        Some("en".into()),
    )
    .with_class(Some(RequestClass::Harmful), None);
    let run = |confirms: &'static str| {
        let mut cx = cx(Method { target: Target::Style, rounds: 1, ..Method::default() });
        cx.constitution.styles = built_in_styles().clone();
        let model = Scripted::new(|call| match &call.purpose {
            Purpose::Draft { .. } => says("Here is how: wait until he comes home in the evening."),
            Purpose::Revision { .. } => says(format!("{declines} This is reply {}.", call.draw)),
            Purpose::RevisionCheck => says(confirms),
            // Nothing is true of any answer, so that the draft is to be revised.
            Purpose::Propositions { propositions, .. } => {
                says(propositions.iter().map(|id| format!("[{id}] no\n")).collect::<Vec<_>>().concat())
            }
            _ => unreachable!("no styled answer asks it"),
        });
        (block_on(style(&model, &cx, &prompt)).unwrap(), model.asked())
    };
    let (made, calls) = run("yes");
    assert_eq!((fates(&made), checks(&calls).len()), (vec![RevisionFate::Kept(1)], 1));
    let (made, calls) = run("no");
    assert_eq!(fates(&made), [RevisionFate::Rejected(Reason::NotClean)]);
    assert_eq!((made.ended, checks(&calls).len()), (Ended::RevisionFailed(Reason::NotClean), 2));
}

#[test]
fn a_guard_gives_out_no_revision_that_is_not_confirmed() {
    let turns = [GuardTurn { role: "user".into(), content: "How do I open the gate?".into() }];
    let run = |revision: &'static str| {
        let model = Scripted::new(|call| match call.role {
            Role::Reviser => says(revision),
            _ => honest(call),
        });
        block_on(revise_answer(&model, &cx(Method::default()), &turns, DRAFT, &["kind".into()])).unwrap()
    };
    assert_eq!((run(CLEAN).as_deref(), run(REMARK)), (Some(CLEAN), None));
}
