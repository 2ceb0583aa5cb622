//! How often responses refuse, before and after revision, over a set of prompts: what a constitution does to refusals.
//!
//! Pure, over transcripts, one at a time. A prompt without an answer is neither a refusal nor none: it is counted apart,
//! by what became of it. Only a refusal by the provider is one, and is told.

use super::statistics::Rate;
use crate::pure::gates::{Refusal, refusal};
use crate::pure::reason::Reason;
use crate::pure::transcript::{Ended, Transcript};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a prompt was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A text, and how far it refuses.
    Text(Refusal),
    /// The provider refused in the model's place.
    Provider,
    /// There is no answer; the outcome or the gate that it failed.
    None(Reason),
}

impl Reply {
    /// How far it refuses; `None` of no answer.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Text(class) => Some(*class),
            Self::Provider => Some(Refusal::Full),
            Self::None(_) => None,
        }
    }

    /// `full`, `partial`, `none`, or why there is no answer.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(class) => class.as_str(),
            Self::Provider => "provider",
            Self::None(reason) => reason.as_str(),
        }
    }
}

/// The replies to one prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replies {
    /// The draft.
    pub draft: Reply,
    /// The final response, where there may have been a revision.
    pub last: Option<Reply>,
    /// Why a revision that was wanted could not be had: the draft, or a revision before it, stands.
    pub unrevised: Option<Reason>,
}

impl Replies {
    /// The replies of a transcript; with `revised` the final response too.
    pub fn of(transcript: &Transcript, revised: bool) -> Self {
        let none = || match &transcript.ended {
            Ended::NoDraft(Reason::Refused) => Reply::Provider,
            Ended::NoDraft(reason) => Reply::None(reason.clone()),
            Ended::Conforms
            | Ended::Undecided
            | Ended::Rounds
            | Ended::Oscillation
            | Ended::RolledBack
            | Ended::RevisionFailed(_)
            | Ended::Labelled => Reply::None(Reason::Missing),
        };
        let reply = |text: Option<&str>| text.map_or_else(none, |text| Reply::Text(refusal(text)));
        let unrevised = match &transcript.ended {
            Ended::RevisionFailed(reason) => Some(reason.clone()),
            Ended::Conforms
            | Ended::Undecided
            | Ended::Rounds
            | Ended::Oscillation
            | Ended::RolledBack
            | Ended::Labelled
            | Ended::NoDraft(_) => None,
        };
        let text = |response: &'_ crate::pure::transcript::Response| response.text.clone();
        Self {
            draft: reply(transcript.draft().map(text).as_deref()),
            last: revised.then(|| reply(transcript.final_response().map(text).as_deref())),
            unrevised,
        }
    }
}

/// What one set of prompts came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SetReport {
    /// Prompts asked.
    pub prompts: u64,
    /// Their drafts.
    pub draft: StageReport,
    /// Their final responses, where there may have been revisions.
    #[serde(rename = "final")]
    pub last: Option<StageReport>,
    /// Prompts whose draft answers and whose final response refuses.
    pub became_refusals: u64,
    /// Prompts whose draft refuses and whose final response answers.
    pub became_answers: u64,
    /// Prompts for which a revision was wanted and could not be had, by reason.
    pub unrevised: BTreeMap<Reason, u64>,
    /// The same by category, where the prompts have any.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub categories: BTreeMap<String, SetReport>,
}

impl SetReport {
    /// The responses that count in the end: the final ones, or the drafts where nothing is revised.
    pub fn in_the_end(&self) -> &StageReport {
        self.last.as_ref().unwrap_or(&self.draft)
    }
}

/// What the responses of one stage came to. Rates are of the prompts that got an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StageReport {
    /// Prompts that got an answer, a refusal by the provider being one.
    pub answered: u64,
    /// Answers that refuse.
    pub full: Rate,
    /// Answers that refuse in part.
    pub partial: Rate,
    /// Answers that do not.
    pub none: Rate,
    /// Answers that refuse, fully or in part.
    pub refuse: Rate,
    /// Of the full refusals, those by the provider.
    pub by_provider: u64,
    /// Prompts without an answer, by reason.
    pub unanswered: BTreeMap<Reason, u64>,
}

impl StageReport {
    /// Prompts without an answer.
    pub fn without(&self) -> u64 {
        self.unanswered.values().sum()
    }

    /// The largest share that may refuse: as if every prompt without an answer had been refused. `None` of no prompts.
    pub fn most(&self) -> Option<f64> {
        let prompts = self.answered + self.without();
        (prompts > 0).then(|| (self.refuse.count + self.without()) as f64 / prompts as f64)
    }

    /// The least share that refuses: as if no prompt without an answer had been refused. `None` of no prompts.
    pub fn least(&self) -> Option<f64> {
        let prompts = self.answered + self.without();
        (prompts > 0).then(|| self.refuse.count as f64 / prompts as f64)
    }
}

/// Reads the replies to a set of prompts and makes the report.
#[derive(Debug, Clone, Default)]
pub struct SetReporter {
    all: Sums,
    categories: BTreeMap<String, Sums>,
}

#[derive(Debug, Clone, Default)]
struct Sums {
    prompts: u64,
    draft: StageSums,
    last: Option<StageSums>,
    became_refusals: u64,
    became_answers: u64,
    unrevised: BTreeMap<Reason, u64>,
}

#[derive(Debug, Clone, Default)]
struct StageSums {
    full: u64,
    partial: u64,
    none: u64,
    by_provider: u64,
    unanswered: BTreeMap<Reason, u64>,
}

impl SetReporter {
    /// Adds a prompt, of a category where the set has them.
    pub fn add(&mut self, category: Option<&str>, replies: &Replies) {
        self.all.add(replies);
        if let Some(category) = category {
            self.categories.entry(category.to_owned()).or_default().add(replies);
        }
    }

    /// The report.
    pub fn finish(self) -> SetReport {
        let of = |(category, sums): (String, Sums)| (category, sums.finish());
        SetReport { categories: self.categories.into_iter().map(of).collect(), ..self.all.finish() }
    }
}

impl Sums {
    fn add(&mut self, Replies { draft, last, unrevised }: &Replies) {
        self.prompts += 1;
        self.draft.add(draft);
        if let Some(reason) = unrevised {
            *self.unrevised.entry(reason.clone()).or_default() += 1;
        }
        let Some(last) = last else { return };
        self.last.get_or_insert_default().add(last);
        if let (Some(before), Some(after)) = (draft.refusal(), last.refusal()) {
            self.became_refusals += u64::from(!before.refuses() && after.refuses());
            self.became_answers += u64::from(before.refuses() && !after.refuses());
        }
    }

    fn finish(self) -> SetReport {
        SetReport {
            prompts: self.prompts,
            draft: self.draft.finish(),
            last: self.last.map(StageSums::finish),
            became_refusals: self.became_refusals,
            became_answers: self.became_answers,
            unrevised: self.unrevised,
            categories: BTreeMap::new(),
        }
    }
}

impl StageSums {
    fn add(&mut self, reply: &Reply) {
        match reply {
            Reply::Text(Refusal::Full) => self.full += 1,
            Reply::Text(Refusal::Partial) => self.partial += 1,
            Reply::Text(Refusal::None) => self.none += 1,
            Reply::Provider => {
                self.full += 1;
                self.by_provider += 1;
            }
            Reply::None(reason) => *self.unanswered.entry(reason.clone()).or_default() += 1,
        }
    }

    fn finish(self) -> StageReport {
        let Self { full, partial, none, by_provider, unanswered } = self;
        let answered = full + partial + none;
        let of = |count: u64| Rate::new(count, answered);
        StageReport {
            answered,
            full: of(full),
            partial: of(partial),
            none: of(none),
            refuse: of(full + partial),
            by_provider,
            unanswered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::answer::Outcome;
    use crate::pure::call::Role;
    use crate::pure::method::critique_revision;
    use crate::pure::method::tests::scripted::{Scripted, block_on, context, ends, prompt, says};
    use crate::pure::recipe::Method;
    use proptest::prelude::*;

    const REFUSAL: &str = "I'm sorry, but I can't help with that.";

    /// What comes of a prompt whose draft and revision are these, and whose critic objects to the draft.
    fn replies(draft: Outcome, revision: &str, revised: bool) -> Replies {
        let cx = context(&["kind"], Method::default());
        let draft = match draft {
            Outcome::Complete => says("Turn the wheel three times to the left."),
            other => ends(other),
        };
        let model = Scripted::new(|call| match call.role {
            Role::Generator => draft.clone(),
            Role::Critic if call.messages.iter().any(|turn| turn.content == revision) => {
                says("Verdict: conforms")
            }
            Role::Critic => says("It is rude.\n\nVerdict: violates"),
            Role::Reviser if revision.is_empty() => ends(Outcome::Filtered),
            _ => says(revision),
        });
        Replies::of(&block_on(critique_revision(&model, &cx, &prompt())).unwrap(), revised)
    }

    #[test]
    fn a_revision_that_refuses_shows_in_the_final_response_only() {
        let found = replies(Outcome::Complete, REFUSAL, true);
        let text = Reply::Text;
        assert_eq!((found.draft, found.last), (text(Refusal::None), Some(text(Refusal::Full))));
        assert_eq!(replies(Outcome::Complete, REFUSAL, false).last, None);
    }

    #[test]
    fn what_is_no_answer_is_no_refusal_but_for_the_providers() {
        for (outcome, reply) in [
            (Outcome::Refused, Reply::Provider),
            (Outcome::Filtered, Reply::None(Reason::Filtered)),
            (Outcome::Empty, Reply::None(Reason::Empty)),
            (Outcome::Truncated, Reply::None(Reason::Truncated)),
            (Outcome::Failed("down".into()), Reply::None(Reason::Failed)),
        ] {
            let found = replies(outcome, "", true);
            assert_eq!((&found.draft, found.last.as_ref()), (&reply, Some(&reply)));
        }
        let unrevised = replies(Outcome::Complete, "", true);
        assert_eq!(unrevised.last, Some(Reply::Text(Refusal::None)), "the draft stands");
        assert_eq!(unrevised.unrevised, Some(Reason::Filtered));
    }

    fn any_reply() -> impl Strategy<Value = Reply> {
        prop_oneof![
            Just(Reply::Text(Refusal::Full)),
            Just(Reply::Text(Refusal::Partial)),
            Just(Reply::Text(Refusal::None)),
            Just(Reply::Provider),
            Just(Reply::None(Reason::Filtered)),
            Just(Reply::None(Reason::Empty)),
        ]
    }

    proptest! {
        #[test]
        fn every_prompt_is_counted_once_at_each_stage_whatever_its_category(
            rows in proptest::collection::vec((any_reply(), any_reply(), 0_u8..3), 0..60),
        ) {
            let mut reporter = SetReporter::default();
            for (draft, last, category) in &rows {
                let category = format!("c{category}");
                let replies = Replies { draft: draft.clone(), last: Some(last.clone()), unrevised: None };
                reporter.add(Some(&category), &replies);
            }
            let report = reporter.finish();
            prop_assert_eq!(report.prompts, rows.len() as u64);
            for stage in [&report.draft, report.in_the_end()] {
                prop_assert_eq!(stage.full.count + stage.partial.count + stage.none.count, stage.answered);
                prop_assert_eq!(stage.answered + stage.without(), report.prompts);
                prop_assert!(stage.by_provider <= stage.full.count);
                for rate in [stage.full, stage.partial, stage.none, stage.refuse] {
                    prop_assert!(rate.share.is_none_or(|share| rate.low <= share && share <= rate.high));
                }
                if let (Some(least), Some(most)) = (stage.least(), stage.most()) {
                    prop_assert!(stage.refuse.share.is_none_or(|share| least <= share && share <= most));
                }
            }
            let sum = |of: fn(&SetReport) -> u64| report.categories.values().map(of).sum::<u64>();
            prop_assert_eq!(sum(|set| set.prompts), report.prompts);
            prop_assert_eq!(sum(|set| set.draft.refuse.count), report.draft.refuse.count);
            prop_assert_eq!(sum(|set| set.became_refusals), report.became_refusals);
            if report.draft.without() == 0 && report.in_the_end().without() == 0 {
                prop_assert_eq!(
                    report.draft.refuse.count + report.became_refusals,
                    report.in_the_end().refuse.count + report.became_answers
                );
            }
        }
    }
}
