//! Which verdict about a response counts: the one place that decides it.
//!
//! Rows, pairs, reports, `show`, `diff`, the chat, run events and the journal all ask here, so no two of them can give
//! different answers about one transcript. This file only reads a transcript. Verdicts are made in
//! [`crate::pure::method`].
//!
//! The rule, for one response and one principle: **the last decided verdict counts, and an undecided one takes nothing
//! back.** A verdict is about the text that the critic read. The text does not change when another critic later gives
//! an unreadable answer, so the earlier verdict stays true of it:
//!
//! | the critiques say, in their order | what counts |
//! | --- | --- |
//! | only `undecided` | `undecided`: nobody decided about this response (law 3) |
//! | `violates`, then `undecided` | `violates` |
//! | `conforms`, then `undecided` | `conforms`: this very response was judged, which is what law 3 asks for |
//! | `violates`, then `conforms` | `conforms`: only a decided verdict replaces a decided one |

use super::{Critique, RevisionFate, Transcript, Verdict};
use std::collections::BTreeSet;

impl Transcript {
    /// The index of the response that a critique is about; `None` where it is about a revision that was not kept.
    pub fn subject(&self, critique: &Critique) -> Option<usize> {
        let Some(revision) = critique.revision else { return Some(critique.response) };
        match &self.revisions.get(revision)?.fate {
            RevisionFate::Kept(response) => Some(*response),
            RevisionFate::RolledBack(_) | RevisionFate::Rejected(_) | RevisionFate::Unchanged => None,
        }
    }

    /// Every critique of response number `response`, in the order of the method.
    pub fn critiques_of(&self, response: usize) -> impl Iterator<Item = &Critique> {
        self.critiques.iter().filter(move |critique| self.subject(critique) == Some(response))
    }

    /// For each principle that was asked about response number `response`, the critique whose verdict counts. They come in
    /// the order in which the principles were first asked.
    pub fn standing_critiques(&self, response: usize) -> Vec<&Critique> {
        let mut standing: Vec<&Critique> = Vec::new();
        for critique in self.critiques_of(response) {
            match standing.iter_mut().find(|known| known.principle == critique.principle) {
                None => standing.push(critique),
                Some(known) => {
                    if critique.verdict.is_decided() || !known.verdict.is_decided() {
                        *known = critique;
                    }
                }
            }
        }
        standing
    }

    /// The verdict that counts of each principle that was asked about response number `response`. They come in the order
    /// in which the principles were first asked.
    pub fn standing_verdicts(&self, response: usize) -> Vec<(&str, Verdict)> {
        let standing = self.standing_critiques(response).into_iter();
        standing.map(|critique| (critique.principle.as_str(), critique.verdict)).collect()
    }

    /// The principles that object to response number `response`, by name: those whose standing verdict is `violates`.
    pub fn objections(&self, response: usize) -> BTreeSet<&str> {
        let verdicts = self.standing_verdicts(response).into_iter();
        verdicts
            .filter(|(_, verdict)| *verdict == Verdict::Violates)
            .map(|(principle, _)| principle)
            .collect()
    }

    /// Whether the critiques say that the response `after` is better than `before`: fewer principles object to it.
    pub fn has_direction(&self, before: usize, after: usize) -> bool {
        self.objections(before).len() > self.objections(after).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::prompt::Prompt;
    use crate::pure::transcript::{Ended, MethodName, Revision, Tally};

    fn critique(response: usize, revision: Option<usize>, principle: &str, verdict: Verdict) -> Critique {
        Critique {
            round: 1,
            response,
            revision,
            principle: principle.into(),
            text: String::new(),
            verdict,
            p_violates: None,
            undecided: None,
            screen: None,
            recheck: false,
            tokens: 0,
            model: String::new(),
        }
    }

    fn transcript(critiques: Vec<Critique>, fates: Vec<RevisionFate>) -> Transcript {
        let revision =
            |fate| Revision { round: 1, from: 0, principles: Vec::new(), text: String::new(), fate };
        Transcript {
            prompt: Prompt::single("hello"),
            method: MethodName::Sampled,
            responses: Vec::new(),
            critiques,
            revisions: fates.into_iter().map(revision).collect(),
            comparisons: Vec::new(),
            styled: None,
            last: 0,
            ended: Ended::Rounds,
            tally: Tally::default(),
            models: Vec::new(),
            failures: Vec::new(),
            substitutes: Vec::new(),
            cut_prompts: Vec::new(),
        }
    }

    #[test]
    fn the_last_decided_verdict_counts() {
        use Verdict::{Conforms, NotApplicable, Undecided, Violates};
        for (said, counts) in [
            (&[Violates][..], Violates),
            (&[Undecided], Undecided),
            (&[Undecided, Undecided], Undecided),
            (&[Undecided, Conforms], Conforms),
            (&[Violates, Undecided], Violates),
            (&[Conforms, Undecided], Conforms),
            (&[NotApplicable, Undecided, Undecided], NotApplicable),
            (&[Violates, Conforms], Conforms),
            (&[Conforms, Undecided, Violates, Undecided], Violates),
        ] {
            let critiques = said.iter().map(|verdict| critique(0, None, "kind", *verdict)).collect();
            let made = transcript(critiques, Vec::new());
            assert_eq!(made.standing_verdicts(0), [("kind", counts)], "{said:?}");
            assert_eq!(made.objections(0).contains("kind"), counts == Violates, "{said:?}");
        }
    }

    #[test]
    fn a_critique_of_a_revision_is_about_what_the_revision_became() {
        use Verdict::{Conforms, Violates};
        let critiques = vec![
            critique(0, None, "true", Violates),
            critique(0, None, "kind", Violates),
            // A re-check of a revision that was rolled back says nothing about the response that stays.
            critique(0, Some(0), "kind", Conforms),
            critique(1, Some(1), "kind", Conforms),
            // There is no such revision.
            critique(0, Some(9), "kind", Conforms),
        ];
        let made = transcript(critiques, vec![RevisionFate::RolledBack(Vec::new()), RevisionFate::Kept(1)]);
        assert_eq!(made.standing_verdicts(0), [("true", Violates), ("kind", Violates)]);
        assert_eq!(made.standing_verdicts(1), [("kind", Conforms)]);
        assert_eq!(made.objections(0).into_iter().collect::<Vec<_>>(), ["kind", "true"]);
        assert!(made.has_direction(0, 1) && !made.has_direction(1, 0));
    }
}
