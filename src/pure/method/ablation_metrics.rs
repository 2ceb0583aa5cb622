//! What is observed of a response, whoever made it and however: the same questions, by the same models, under the same
//! constitution. That is what makes variants of a method comparable. It asks; what the numbers come to is
//! [`crate::pure::reports::ablation`]'s.
//!
//! There is no preference model to score with, as the paper had, so harm and help are each seen from two sides that
//! need no training: verdicts on every principle and a judge's comparison with the draft; refusals and the same judge.

use super::MethodContext;
use super::label::label_responses;
use super::prompt_session::Asking;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::Occasion;
use crate::pure::constitution::{LESS_HARM, sides};
use crate::pure::gates::refusal;
use crate::pure::recipe::LabelPairs;
use crate::pure::text::share_changed;
use crate::pure::transcript::{Response, Transcript, Verdict};
use std::collections::BTreeMap;

/// What is asked about every response. What needs no call is always observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Questions {
    /// A verdict on every principle that applies, of the critic.
    pub verdicts: bool,
    /// A comparison with the draft, of the judge: which is less harmful, which helps more.
    pub preference: bool,
}

/// The questions with the contexts in which they are asked.
#[derive(Debug, Clone)]
pub struct Yardstick {
    verdicts: Option<MethodContext>,
    preference: Option<MethodContext>,
}

/// One response, observed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Observed {
    /// Principles that it violates, as the critic finds it.
    pub violated: u32,
    /// Principles about which there is a verdict.
    pub decided: u32,
    /// Principles about which none could be read.
    pub undecided: u32,
    /// P(less harmful than the draft), one half for the draft itself; `None` where nobody was asked or could tell.
    pub less_harm: Option<f64>,
    /// P(more helpful than the draft).
    pub more_help: Option<f64>,
    /// Whether it refuses, fully or in part.
    pub refuses: bool,
    /// Characters.
    pub length: u32,
    /// Share of words that differ from the draft.
    pub changed: f64,
}

impl Yardstick {
    /// The whole constitution of `cx`, criticised in full whatever the recipe screens; and its judge, over both sides.
    pub fn new(cx: &MethodContext, questions: Questions) -> Self {
        let critic = || {
            let mut cx = cx.clone();
            cx.settings.screen = false;
            cx
        };
        let judge = || {
            let mut cx = cx.clone();
            cx.constitution.principles = sides().to_vec();
            cx.label.principles = 0;
            cx.label.pairs = LabelPairs::FirstLast;
            cx
        };
        Self { verdicts: questions.verdicts.then(critic), preference: questions.preference.then(judge) }
    }
}

/// The responses that stand after the given rounds, observed. Nothing where there is no draft.
pub async fn observe(
    ask: &impl Ask,
    yardstick: &Yardstick,
    transcript: &Transcript,
    rounds: impl IntoIterator<Item = u32>,
) -> Result<BTreeMap<u32, Observed>, Stop> {
    let mut by_round = BTreeMap::new();
    let mut known: BTreeMap<usize, Observed> = BTreeMap::new();
    let Some(draft) = transcript.draft() else { return Ok(by_round) };
    for round in rounds {
        let stands = standing(transcript, round);
        let Some(response) = transcript.responses.get(stands) else { continue };
        let observed = match known.get(&stands) {
            Some(observed) => *observed,
            None => observe_response(ask, yardstick, transcript, draft, response).await?,
        };
        known.insert(stands, observed);
        by_round.insert(round, observed);
    }
    Ok(by_round)
}

/// The response that stands after a round: a chain that ended before stays as it is.
fn standing(transcript: &Transcript, round: u32) -> usize {
    transcript.responses.iter().rposition(|response| response.round <= round).unwrap_or(0)
}

async fn observe_response(
    ask: &impl Ask,
    yardstick: &Yardstick,
    transcript: &Transcript,
    draft: &Response,
    response: &Response,
) -> Result<Observed, Stop> {
    let prompt = &transcript.prompt;
    let mut observed = Observed {
        refuses: refusal(&response.text).refuses(),
        length: u32::try_from(response.text.chars().count()).unwrap_or(u32::MAX),
        changed: share_changed(&draft.text, &response.text),
        ..Observed::default()
    };
    if let Some(cx) = &yardstick.verdicts {
        let (asking, principles) = (Asking::new(ask, cx, prompt), cx.applicable(prompt));
        let judged = asking.judge(&response.text, &principles, Occasion::Measurement).await?;
        for judged in &judged {
            match judged.verdict {
                Verdict::Violates => {
                    observed.violated += 1;
                    observed.decided += 1;
                }
                Verdict::Conforms | Verdict::NotApplicable => observed.decided += 1,
                Verdict::Undecided => observed.undecided += 1,
            }
        }
    }
    if let Some(cx) = &yardstick.preference {
        // Two texts that are the same have no better one, and nobody is asked.
        let same = response.text.trim() == draft.text.trim();
        (observed.less_harm, observed.more_help) = (same.then_some(0.5), same.then_some(0.5));
        let compared = label_responses(ask, cx, prompt, vec![draft.clone(), response.clone()]).await?;
        for comparison in &compared.comparisons {
            // The draft stands first in the pair.
            let p = comparison.p.map(|p| 1.0 - p);
            if comparison.principle == LESS_HARM { observed.less_harm = p } else { observed.more_help = p }
        }
    }
    Ok(observed)
}
