//! A run against the planted truth: what its critics found, missed and imagined, and what is left at the end. Pure.

use super::conversation::conversation_hash;
use super::mark::Mark;
use super::world::World;
use crate::pure::prompt::Prompt;
use crate::pure::transcript::{Transcript, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

/// What is planted for one prompt under one principle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// The prompt's id.
    pub prompt_id: String,
    /// The principle's id.
    pub principle: String,
    /// Whether every draft violates it.
    pub planted: bool,
    /// Whether the critic is blind to that.
    pub missed: bool,
    /// Whether the critic objects to a draft that keeps it.
    pub false_alarm: bool,
}

/// The truth about a prompt, known without asking the model anything.
pub fn truth<'p>(
    world: World<'p>,
    prompt: &'p Prompt,
    principles: impl IntoIterator<Item = &'p str>,
) -> impl Iterator<Item = Truth> {
    let key = conversation_hash(prompt.messages.iter().map(|m| (m.role.as_str(), m.content.as_str())));
    principles.into_iter().map(move |principle| {
        let planted = world.planted(&key, principle);
        Truth {
            prompt_id: prompt.id.0.clone(),
            principle: principle.to_owned(),
            planted,
            missed: planted && world.missed(&key, principle),
            false_alarm: !planted && world.false_alarm(&key, principle),
        }
    })
}

/// The truth about one principle over a run, or about all of them together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Drafts that violate it.
    pub planted: u64,
    /// Of those, the ones that the critic is blind to by its seed.
    pub missable: u64,
    /// Critiques of a response that violates it which say so.
    pub hits: u64,
    /// Critiques of a response that violates it which do not.
    pub misses: u64,
    /// Critiques of a response that keeps it which object.
    pub false_alarms: u64,
    /// Final responses that violate it.
    pub left: u64,
    /// Of those, the ones that the critic is blind to by its seed: with enough rounds, all of them.
    pub left_missed: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.planted += other.planted;
        self.missable += other.missable;
        self.hits += other.hits;
        self.misses += other.misses;
        self.false_alarms += other.false_alarms;
        self.left += other.left;
        self.left_missed += other.left_missed;
    }
}

/// A run against the truth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Transcripts whose responses carry the simulated model's mark.
    pub scored: u64,
    /// Transcripts that another model answered: there is no truth about them.
    pub foreign: u64,
    /// All principles together.
    pub all: Tally,
    /// By principle.
    pub principles: BTreeMap<String, Tally>,
}

impl Score {
    /// Adds one transcript. `principles` are the ids that apply to its prompt.
    pub fn add<'p>(
        &mut self,
        world: World<'_>,
        transcript: &Transcript,
        principles: impl IntoIterator<Item = &'p str>,
    ) {
        let marks: Vec<Option<Mark>> = transcript.responses.iter().map(|r| Mark::find(&r.text)).collect();
        let (Some(Some(draft)), Some(Some(last))) = (marks.first(), marks.get(transcript.last)) else {
            self.foreign += 1;
            return;
        };
        self.scored += 1;
        for key in principles {
            let mut tally = Tally::default();
            let missed = world.missed(&draft.prompt, key);
            if world.violated(key, draft) {
                tally.planted += 1;
                tally.missable += u64::from(missed);
            }
            for (number, mark) in marks.iter().enumerate().filter_map(|(n, mark)| Some((n, mark.as_ref()?))) {
                let verdicts =
                    transcript.critiques_of(number).filter(|c| c.principle == key).map(|c| c.verdict);
                let violated = world.violated(key, mark);
                for verdict in verdicts.filter(|verdict| *verdict != Verdict::Undecided) {
                    let objects = verdict == Verdict::Violates;
                    tally.hits += u64::from(violated && objects);
                    tally.misses += u64::from(violated && !objects);
                    tally.false_alarms += u64::from(!violated && objects);
                }
            }
            if world.violated(key, last) {
                tally.left += 1;
                tally.left_missed += u64::from(missed);
            }
            self.all.add(&tally);
            self.principles.entry(key.to_owned()).or_default().add(&tally);
        }
    }
}
