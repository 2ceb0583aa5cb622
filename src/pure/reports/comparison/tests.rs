//! Laws of the comparison, and each way in which two transcripts part.

use super::*;
use crate::pure::prompt::Prompt;
use crate::pure::reason::Reason;
use crate::pure::transcript::{Ended, Response, Tally};
use proptest::collection::vec;
use proptest::prelude::*;

fn response(text: &str, round: u32) -> Response {
    Response { text: text.into(), round, model: "m".into(), fallback: false, tokens: 0, repairs: Vec::new() }
}

fn critique(response: usize, principle: &str, verdict: Verdict, text: &str) -> Critique {
    Critique {
        round: 1,
        response,
        revision: None,
        principle: principle.into(),
        text: text.into(),
        verdict,
        p_violates: None,
        undecided: None,
        screen: None,
        recheck: false,
        tokens: 0,
        model: "m".into(),
    }
}

fn revision(from: usize, principles: &[&str], text: &str, fate: RevisionFate) -> Revision {
    let principles = principles.iter().map(ToString::to_string).collect();
    Revision { round: 1, from, principles, text: text.into(), fate }
}

/// A draft that `kind` and `true` criticise; it is revised to `better` where `kind` objects.
fn transcript(method: MethodName, kind: Verdict, truth: Verdict) -> Transcript {
    let mut made = Transcript {
        prompt: Prompt::single("hello"),
        method,
        responses: vec![response("draft", 0)],
        critiques: vec![critique(0, "kind", kind, "a"), critique(0, "true", truth, "b")],
        revisions: Vec::new(),
        comparisons: Vec::new(),
        styled: None,
        last: 0,
        ended: Ended::Conforms,
        tally: Tally::default(),
        models: Vec::new(),
        failures: Vec::new(),
        substitutes: Vec::new(),
        cut_prompts: Vec::new(),
    };
    if kind == Verdict::Violates {
        made.responses.push(response("better", 1));
        made.revisions.push(revision(0, &["kind"], "better", RevisionFate::Kept(1)));
        made.critiques.push(critique(1, "kind", Verdict::Conforms, "c"));
        made.last = 1;
    }
    made
}

/// `ends step: principles`, and the verdict changes.
fn told(old: &Transcript, new: &Transcript, edited: &[&str]) -> String {
    let edited = edited.iter().map(ToString::to_string).collect();
    let found = transcripts(old, new, &edited);
    let step = found.parted.as_ref().map(|parted| format!(" {:?}@{}", parted.step, parted.response));
    let verdicts = found.verdicts.iter().map(|change| {
        let name = |verdict: Option<Verdict>| verdict.map_or("-", Verdict::as_str);
        format!("; {} {}→{}", change.principle, name(change.old), name(change.new))
    });
    let causes = found.causes().join(",");
    format!("{:?}{} {causes}{}", found.ends, step.unwrap_or_default(), verdicts.collect::<String>())
}

#[test]
fn each_way_of_parting_is_told_with_its_principles() {
    use Verdict::{Conforms, NotApplicable, Undecided, Violates};
    let panel = |kind, truth| transcript(MethodName::Panel, kind, truth);
    let (revised, kept) = (panel(Violates, Conforms), panel(Conforms, Conforms));
    let check = |old: &Transcript, new: &Transcript, edited: &[&str], says: &str| {
        assert_eq!(told(old, new, edited), says);
    };
    check(&kept, &kept, &[], "Same ");
    check(&kept, &panel(Conforms, NotApplicable), &[], "OtherVerdicts true; true conforms→not-applicable");
    check(&kept, &panel(Conforms, Undecided), &[], "OtherVerdicts true; true conforms→undecided");
    check(&revised, &kept, &[], "OtherText Verdict@0 kind; kind violates→conforms");

    let mut other = kept.clone();
    other.responses = vec![response("another draft", 0)];
    check(&kept, &other, &[], "OtherText Draft@0 ");
    // A principle that only one was asked about is no news while it is content.
    let mut fewer = kept.clone();
    fewer.critiques.pop();
    check(&kept, &fewer, &[], "Same ");

    let mut reworded = revised.clone();
    reworded.responses[1].text = "best".into();
    reworded.revisions[0].text = "best".into();
    check(&revised, &reworded, &[], "OtherText Revision@0 kind");
    reworded.critiques[0].text = "other words".into();
    check(&revised, &reworded, &[], "OtherText Critique@0 kind");

    // A revision for two principles, whose critiques both differ, is blamed on the one that was edited.
    let mut both = reworded.clone();
    both.revisions[0].principles = vec!["kind".into(), "true".into()];
    let mut other = both.clone();
    other.responses[1].text = "worst".into();
    other.revisions[0].text = "worst".into();
    other.critiques[0].text = "x".into();
    other.critiques[1].text = "y".into();
    check(&both, &other, &[], "OtherText Critique@0 kind,true");
    check(&both, &other, &["true", "gone"], "OtherText Critique@0 true");
    check(&revised, &other, &[], "OtherText Asked@0 true");

    let mut back = revised.clone();
    back.responses.pop();
    back.revisions[0].fate = RevisionFate::RolledBack(vec!["true".into()]);
    back.last = 0;
    back.critiques[2] = Critique { revision: Some(0), recheck: true, ..critique(0, "true", Violates, "d") };
    check(&revised, &back, &[], "OtherText Recheck@0 true");
    back.revisions[0].fate = RevisionFate::Rejected(Reason::Empty);
    check(&revised, &back, &[], "OtherText Gate@0 ");
    back.revisions.clear();
    check(&revised, &back, &[], "OtherText Tries@0 kind");
    let mut chosen = revised.clone();
    chosen.last = 0;
    check(&revised, &chosen, &[], "OtherText Choice@1 ");
}

#[test]
fn where_principles_are_asked_in_turn_only_the_first_objection_counts() {
    let (v, c) = (Verdict::Violates, Verdict::Conforms);
    let causes = |method: MethodName| {
        let of = |verdict| transcript(method.clone(), verdict, verdict);
        let found = transcripts(&of(v), &of(c), &BTreeSet::new());
        found.causes().join(",")
    };
    assert_eq!(
        (causes(MethodName::Panel).as_str(), causes(MethodName::Each).as_str()),
        ("kind,true", "kind")
    );
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop::sample::select(vec![
        Verdict::Violates,
        Verdict::Conforms,
        Verdict::NotApplicable,
        Verdict::Undecided,
    ])
}

prop_compose! {
    fn any_critique()(
        response in 0_usize..3,
        revision in prop::option::of(0_usize..3),
        principle in "[pqr]",
        verdict in verdict(),
        text in "[xy]",
    ) -> Critique {
        Critique { revision, recheck: revision.is_some(), ..critique(response, &principle, verdict, &text) }
    }
}

prop_compose! {
    fn any_revision()(from in 0_usize..3, principles in "[pqr]{1,2}", text in "[ab]", fate in 0_usize..6) -> Revision {
        let fate = match fate {
            0 => RevisionFate::RolledBack(vec!["p".into()]),
            1 => RevisionFate::Rejected(Reason::Empty),
            2 => RevisionFate::Unchanged,
            kept => RevisionFate::Kept(kept - 3),
        };
        let principles: Vec<String> = principles.chars().map(String::from).collect();
        revision(from, &principles.iter().map(String::as_str).collect::<Vec<_>>(), &text, fate)
    }
}

prop_compose! {
    fn any_transcript()(
        method in prop::sample::select(vec![MethodName::Panel, MethodName::Each, MethodName::Sampled]),
        texts in vec("[ab]", 0..4),
        critiques in vec(any_critique(), 0..8),
        revisions in vec(any_revision(), 0..4),
        last in 0_usize..3,
    ) -> Transcript {
        Transcript {
            responses: texts.iter().map(|text| response(text, 0)).collect(),
            critiques,
            revisions,
            last,
            ..transcript(method, Verdict::Conforms, Verdict::Conforms)
        }
    }
}

proptest! {
    #[test]
    fn a_transcript_does_not_differ_from_itself(one in any_transcript()) {
        let found = transcripts(&one, &one, &BTreeSet::new());
        prop_assert_eq!(found, Difference { ends: Ends::Same, parted: None, verdicts: Vec::new() });
    }

    #[test]
    fn swapping_the_sides_mirrors_the_difference(a in any_transcript(), b in any_transcript()) {
        let edited = BTreeSet::from(["q".to_owned()]);
        let (there, back) = (transcripts(&a, &b, &edited), transcripts(&b, &a, &edited));
        prop_assert_eq!(there.ends, back.ends);
        prop_assert_eq!(&there.parted, &back.parted);
        let turned = back.verdicts.into_iter().map(|VerdictChange { responses: [a, b], principle, old, new }| {
            VerdictChange { responses: [b, a], principle, old: new, new: old }
        });
        prop_assert_eq!(there.verdicts, turned.collect::<Vec<_>>());
    }

    #[test]
    fn counts_add_up_and_mirror(pairs in vec((any_transcript(), any_transcript()), 0..6)) {
        let (mut there, mut back) = (Totals::default(), Totals::default());
        for (a, b) in &pairs {
            there.add(a, b, &transcripts(a, b, &BTreeSet::new()));
            back.add(b, a, &transcripts(b, a, &BTreeSet::new()));
        }
        prop_assert_eq!(there.both, pairs.len() as u64);
        prop_assert_eq!(there.both, there.same + there.other_verdicts + there.other_text);
        prop_assert_eq!(there.parted.values().sum::<u64>(), there.other_text);
        prop_assert_eq!((there.old, there.new, there.same), (back.new, back.old, back.same));
        for (id, of) in &there.principles {
            let mirrored = back.principles.get(id).copied().unwrap_or_default();
            let turned = |[old, new]: [u64; 2]| [new, old];
            prop_assert_eq!((of.texts, turned(of.drafts), turned(of.left)), (mirrored.texts, mirrored.drafts, mirrored.left));
        }
    }
}
