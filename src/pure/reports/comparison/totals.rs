//! What two runs come to side by side. Memory grows with the principles, not with the prompts.

use super::{Difference, Ends, Step};
use crate::pure::gates::{Refusal, refusal};
use crate::pure::transcript::{Transcript, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

/// One run, over the prompts that both have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Prompts with a final response.
    pub responses: u64,
    /// Final responses that decline.
    pub full_refusals: u64,
    /// Final responses that decline something and still give a good deal.
    pub partial_refusals: u64,
    /// Final responses that a principle still objects to.
    pub unresolved: u64,
    /// Objections to final responses.
    pub violations: u64,
    /// Verdicts about final responses that could not be read.
    pub undecided: u64,
    /// Prompts whose draft was revised.
    pub revised: u64,
}

/// One principle's part in the difference. Of two numbers, the first run's is the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct OfPrinciple {
    /// Prompts that end in another text because of it.
    pub texts: u64,
    /// Prompts that end in the same text, with another verdict of it.
    pub verdicts: u64,
    /// Drafts that it objects to.
    pub drafts: [u64; 2],
    /// Final responses that it objects to.
    pub left: [u64; 2],
}

/// Two runs side by side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Prompts that both have; the sum of the next three.
    pub both: u64,
    /// Prompts that end the same.
    pub same: u64,
    /// Prompts that end in the same text, with other verdicts.
    pub other_verdicts: u64,
    /// Prompts that end in another text.
    pub other_text: u64,
    /// Prompts that only the first has.
    pub only_old: u64,
    /// Prompts that only the second has.
    pub only_new: u64,
    /// Prompts that end in another text, by where the transcripts part.
    pub parted: BTreeMap<Step, u64>,
    /// The first run.
    pub old: Side,
    /// The second.
    pub new: Side,
    /// By principle.
    pub principles: BTreeMap<String, OfPrinciple>,
}

impl Totals {
    /// Counts a prompt that both have.
    pub fn add(&mut self, old: &Transcript, new: &Transcript, difference: &Difference) {
        self.both += 1;
        match difference.ends {
            Ends::Same => self.same += 1,
            Ends::OtherVerdicts => self.other_verdicts += 1,
            Ends::OtherText => self.other_text += 1,
        }
        if let Some(parted) = &difference.parted {
            *self.parted.entry(parted.step).or_default() += 1;
        }
        for cause in difference.causes() {
            let of = self.principles.entry(cause.to_owned()).or_default();
            match difference.ends {
                Ends::OtherText => of.texts += 1,
                Ends::OtherVerdicts => of.verdicts += 1,
                Ends::Same => {}
            }
        }
        self.old.add(old);
        self.new.add(new);
        for (side, transcript) in [old, new].into_iter().enumerate() {
            self.objections(side, transcript);
        }
    }

    fn objections(&mut self, side: usize, transcript: &Transcript) {
        let mut count = |response: usize, add: fn(&mut OfPrinciple) -> &mut [u64; 2]| {
            for id in transcript.objections(response) {
                if let Some(n) = add(self.principles.entry(id.to_owned()).or_default()).get_mut(side) {
                    *n += 1;
                }
            }
        };
        count(0, |of| &mut of.drafts);
        count(transcript.last, |of| &mut of.left);
    }

    /// Whether anything differs.
    pub fn differs(&self) -> bool {
        self.both != self.same || self.only_old + self.only_new > 0
    }
}

impl Side {
    fn add(&mut self, transcript: &Transcript) {
        let Some(last) = transcript.final_response() else { return };
        self.responses += 1;
        self.revised += u64::from(last.round > 0);
        match refusal(&last.text) {
            Refusal::Full => self.full_refusals += 1,
            Refusal::Partial => self.partial_refusals += 1,
            Refusal::None => {}
        }
        let verdicts = transcript.standing_verdicts(transcript.last);
        let count =
            |wanted: Verdict| verdicts.iter().filter(|(_, verdict)| *verdict == wanted).count() as u64;
        let violations = count(Verdict::Violates);
        self.violations += violations;
        self.unresolved += u64::from(violations > 0);
        self.undecided += count(Verdict::Undecided);
    }
}
