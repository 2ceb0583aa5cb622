//! Critique and revision, the supervised stage of Constitutional AI: draft, criticise against the principles, revise,
//! and again. The three schedules differ in which principles meet which response.
//!
//! What every schedule keeps: a draft that violates nothing stays as it is, byte for byte; an undecided verdict revises
//! nothing; a revision after which a principle that held is violated is asked for again and then rolled back.
//!
//! Calls for K principles, without retries, follow-ups and screening:
//!
//! | schedule | calls | in sequence |
//! | --- | --- | --- |
//! | `panel` | 1 draft, K critiques of it, and per revision 1 + K | 2 + 2 per revision |
//! | `each` | 1 draft, K critiques, and per revision 1 + one for each principle asked before it and its own | 1 + K + 2 per revision |
//! | `sampled` | 1 draft, and per round a critique and, if it objects, a revision | 1 + 2 per round |
//!
//! Without critiques (`critique = false`) nothing decides and nothing is checked, so every revision that the schedule can
//! ask for is asked for and taken as it comes: 1 draft, and per round one revision for all principles (`panel`), for each
//! (`each`) or for the one drawn (`sampled`).
//!
//! In `panel` the critiques of a revision are the next round's critiques, so a re-check costs nothing, except after the
//! last round's revision: it is criticised too, so that it can be rolled back and the transcript says what is left.

use super::MethodContext;
use super::chain::{Answers, Chain, Revised, Wanted};
use super::criticise::Judged;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::Occasion;
use crate::pure::constitution::Principle;
use crate::pure::prompt::{Message, Prompt};
use crate::pure::recipe::{Choose, Schedule};
use crate::pure::template::Objection;
use crate::pure::transcript::{Ended, Transcript, Verdict};

/// Drafts a response to the prompt, and revises it until no principle objects, the rounds are used up, or revising no
/// longer helps.
pub async fn critique_revision(
    ask: &impl Ask,
    cx: &MethodContext,
    prompt: &Prompt,
) -> Result<Transcript, Stop> {
    let schedule = cx.settings.schedule;
    let mut chain = Chain::new(ask, cx, prompt, schedule.into());
    match chain.asking.draft(0).await? {
        Ok(draft) => chain.transcript.responses.push(draft),
        Err(reason) => return Ok(chain.end(Ended::NoDraft(reason), 0)),
    }
    let principles = cx.applicable(prompt);
    let ended = match schedule {
        _ if !cx.settings.critique => direct(&mut chain, cx, &principles).await?,
        Schedule::Panel => panel(&mut chain, cx, &principles).await?,
        Schedule::Each => each(&mut chain, cx, &principles).await?,
        Schedule::Sampled => sampled(&mut chain, cx, &principles).await?,
    };
    let last = match cx.settings.choose {
        Choose::Last => chain.transcript.responses.len() - 1,
        Choose::Best => best(&mut chain, &principles).await?,
    };
    Ok(chain.end(ended, last))
}

/// All principles criticise the same response side by side; one revision answers every objection.
async fn panel<A: Ask>(
    chain: &mut Chain<'_, A>,
    cx: &MethodContext,
    principles: &[&Principle],
) -> Result<Ended, Stop> {
    if cx.settings.rounds == 0 {
        return Ok(Ended::Rounds);
    }
    let mut judged = chain.asking.judge(chain.current(), principles, Occasion::Round(1)).await?;
    let mut revision = None;
    for round in 1..=cx.settings.rounds {
        chain.record(&judged, round, revision);
        let objections: Vec<&Judged<'_>> = judged.iter().filter(|judged| judged.objects()).collect();
        if objections.is_empty() {
            return Ok(settled(&judged));
        }
        let messages = cx.about(chain.asking.prompt, chain.current(), merged_request(cx, &objections)?);
        let (answers, known) = (Answers::Objections(objections), judged.iter().collect());
        let wanted = Wanted { round, sample: 0, messages, answers, known };
        match chain.revise(wanted).await? {
            Revised::Kept(checks, number) => (judged, revision) = (checks, Some(number)),
            Revised::Failed(ended) => return Ok(ended),
        }
    }
    if let Some(number) = revision {
        chain.record_recheck(&judged, cx.settings.rounds, number);
    }
    Ok(if judged.iter().any(Judged::objects) { Ended::Rounds } else { settled(&judged) })
}

/// One principle after another; a violated one is revised before the next is asked, and whatever was asked of the
/// response before is asked of the revision. So at the end of a round every verdict is about the round's last response.
async fn each<A: Ask>(
    chain: &mut Chain<'_, A>,
    cx: &MethodContext,
    principles: &[&Principle],
) -> Result<Ended, Stop> {
    if cx.settings.rounds == 0 {
        return Ok(Ended::Rounds);
    }
    // What is known of the response that stands, by principle.
    let mut known = screened(chain, cx, principles).await?;
    for round in 1..=cx.settings.rounds {
        let mut failed = None;
        let mut kept = false;
        for (n, principle) in principles.iter().enumerate() {
            if known[n].is_none() {
                let now = Occasion::Round(round);
                let judged = chain.asking.criticise(chain.current(), principle, None, 0, now).await?;
                chain.record(std::slice::from_ref(&judged), round, None);
                known[n] = Some(judged);
            }
            let Some(judged) = known[n].as_ref().filter(|judged| judged.objects()) else { continue };
            let messages = single_request(chain, cx, judged)?;
            let (answers, asked) = (Answers::Objections(vec![judged]), known.iter().flatten().collect());
            // The response may be the one that could not be revised in the round before: that is another sample.
            let wanted = Wanted { round, sample: round - 1, messages, answers, known: asked };
            match chain.revise(wanted).await? {
                Revised::Kept(checks, number) => {
                    chain.record_recheck(&checks, round, number);
                    kept = true;
                    let mut checks = checks.into_iter();
                    for place in known.iter_mut().filter(|place| place.is_some()) {
                        *place = checks.next();
                    }
                }
                Revised::Failed(Ended::Oscillation) => return Ok(Ended::Oscillation),
                Revised::Failed(ended) => failed = Some(ended),
            }
        }
        if !known.iter().flatten().any(Judged::objects) {
            let known: Vec<Judged<'_>> = known.into_iter().flatten().collect();
            return Ok(settled(&known));
        }
        // Nothing was better than what stands, as often as the recipe lets it be asked for.
        if let Some(ended) = failed.filter(|_| !kept) {
            return Ok(ended);
        }
    }
    Ok(Ended::Rounds)
}

/// The paper's schedule: for each round a principle drawn at random, its critique, its revision. Nothing is asked
/// again, so nothing is rolled back. A critic whose verdict cannot be read is still answered under `revise_always`.
async fn sampled<A: Ask>(
    chain: &mut Chain<'_, A>,
    cx: &MethodContext,
    principles: &[&Principle],
) -> Result<Ended, Stop> {
    for round in 1..=cx.settings.rounds {
        // A principle that comes again may meet the same response again: that is another sample.
        let Some((principle, sample)) = drawn(cx, chain.asking.prompt, principles, round) else {
            return Ok(Ended::Conforms);
        };
        let now = Occasion::Round(round);
        let judged = chain.asking.criticise(chain.current(), principle, None, sample, now).await?;
        chain.record(std::slice::from_ref(&judged), round, None);
        let answered = judged
            .conversation
            .last()
            .is_some_and(|turn| turn.role == crate::pure::prompt::Speaker::Assistant);
        if !(judged.objects() || cx.settings.revise_always && answered) {
            continue;
        }
        let messages = single_request(chain, cx, &judged)?;
        let answers = Answers::Objections(vec![&judged]);
        let wanted = Wanted { round, sample, messages, answers, known: Vec::new() };
        if let Revised::Failed(Ended::Oscillation) = chain.revise(wanted).await? {
            return Ok(Ended::Oscillation);
        }
    }
    Ok(Ended::Rounds)
}

/// The paper's comparison: no critique is asked for, the response is revised straight from the principles. With nothing
/// judged nothing decides, so whatever the schedule would criticise is revised for, and every revision stands.
async fn direct<A: Ask>(
    chain: &mut Chain<'_, A>,
    cx: &MethodContext,
    principles: &[&Principle],
) -> Result<Ended, Stop> {
    for round in 1..=cx.settings.rounds {
        // What is revised for together, and how often the same was asked of what may be the same response.
        let steps: Vec<(Vec<&Principle>, u32)> = match cx.settings.schedule {
            Schedule::Panel => vec![(principles.to_vec(), round - 1)],
            Schedule::Each => principles.iter().map(|principle| (vec![*principle], round - 1)).collect(),
            Schedule::Sampled => {
                let drawn = drawn(cx, chain.asking.prompt, principles, round);
                drawn.into_iter().map(|(principle, cycle)| (vec![principle], cycle)).collect()
            }
        };
        for (together, sample) in steps.into_iter().filter(|(together, _)| !together.is_empty()) {
            let request = cx.templates.direct_revision(&together, cx.settings.examples)?;
            let messages = cx.about(chain.asking.prompt, chain.current(), request);
            let answers = Answers::Principles(together);
            let wanted = Wanted { round, sample, messages, answers, known: Vec::new() };
            if let Revised::Failed(Ended::Oscillation) = chain.revise(wanted).await? {
                return Ok(Ended::Oscillation);
            }
        }
    }
    Ok(if principles.is_empty() { Ended::Conforms } else { Ended::Rounds })
}

/// What screening settles before the first round of `each`; nothing without it.
async fn screened<'p, A: Ask>(
    chain: &mut Chain<'_, A>,
    cx: &MethodContext,
    principles: &[&'p Principle],
) -> Result<Vec<Option<Judged<'p>>>, Stop> {
    if !cx.settings.screen {
        return Ok(principles.iter().map(|_| None).collect());
    }
    let judged = chain.asking.judge(chain.current(), principles, Occasion::Round(1)).await?;
    chain.record(&judged, 1, None);
    Ok(judged.into_iter().map(Some).collect())
}

/// The principle of a round, drawn by weight, without replacement until all are used; and how often all were.
fn drawn<'p>(
    cx: &MethodContext,
    prompt: &Prompt,
    principles: &[&'p Principle],
    round: u32,
) -> Option<(&'p Principle, u32)> {
    let pool = u32::try_from(cx.drawn(prompt, principles, "").len()).ok().filter(|count| *count > 0)?;
    let (cycle, place) = ((round - 1) / pool, (round - 1) % pool);
    let order = cx.drawn(prompt, principles, &format!("cycle {cycle}"));
    order.get(place as usize).map(|principle| (*principle, cycle))
}

/// The response that violates least, by verdicts on every principle: hard principles first, then by weight, then by what
/// is undecided; the later of equals. What was not asked yet is asked now.
async fn best<A: Ask>(chain: &mut Chain<'_, A>, principles: &[&Principle]) -> Result<usize, Stop> {
    let mut scored: Vec<(f64, f64, f64)> = Vec::new();
    for n in 0..chain.transcript.responses.len() {
        chain.complete_verdicts(n, principles).await?;
        let verdicts = chain.transcript.standing_verdicts(n);
        let weigh = |verdict: Verdict, of: fn(&Principle) -> f64| -> f64 {
            let met = principles.iter().filter(|p| verdicts.contains(&(p.id.as_str(), verdict)));
            met.map(|principle| of(principle)).sum()
        };
        let hard = weigh(Verdict::Violates, |principle| f64::from(u8::from(principle.hard)));
        scored.push((hard, weigh(Verdict::Violates, |p| p.weight), weigh(Verdict::Undecided, |p| p.weight)));
    }
    let worse = |a: &(f64, f64, f64), b: &(f64, f64, f64)| {
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.total_cmp(&b.2))
    };
    let best = (0..scored.len()).rev().min_by(|a, b| worse(&scored[*a], &scored[*b]));
    Ok(best.unwrap_or(0))
}

/// The request for one revision that answers every objection.
fn merged_request(cx: &MethodContext, objections: &[&Judged<'_>]) -> Result<String, Stop> {
    let objections: Vec<Objection<'_>> = objections
        .iter()
        .map(|judged| Objection { principle: judged.principle, critique: &judged.critique.text })
        .collect();
    Ok(cx.templates.merged_revision(&objections, cx.settings.examples)?)
}

/// The request for a revision for one principle: it goes on from the critique and its answer. Without a critique it is made
/// straight from the principle.
fn single_request<A: Ask>(
    chain: &Chain<'_, A>,
    cx: &MethodContext,
    judged: &Judged<'_>,
) -> Result<Vec<Message>, Stop> {
    if judged.conversation.is_empty() {
        let request = cx.templates.direct_revision(&[judged.principle], cx.settings.examples)?;
        return Ok(cx.about(chain.asking.prompt, chain.current(), request));
    }
    let mut messages = judged.conversation.clone();
    messages.push(Message::user(cx.templates.revision(judged.principle, cx.settings.examples)?));
    Ok(messages)
}

/// How a chain ends in which nothing objects.
fn settled(judged: &[Judged<'_>]) -> Ended {
    let undecided = judged.iter().any(|judged| judged.verdict == Verdict::Undecided);
    if undecided { Ended::Undecided } else { Ended::Conforms }
}
