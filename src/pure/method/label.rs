//! Preference labels, the second stage of Constitutional AI: a judge compares two responses under a principle, and how
//! surely it prefers one is the label.
//!
//! Both orders are always asked and averaged, because judges prefer what stands first. A label that cannot be read in
//! both orders is undecided and never a label; what was read is kept as it was.

use super::MethodContext;
use super::option_reading::{odds_of_answer, read_option};
use super::prompt_session::{Answered, Asking, Spent};
use crate::pure::answer::Outcome;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::Purpose;
use crate::pure::constitution::Principle;
use crate::pure::digest::Parts;
use crate::pure::prompt::{Given, Prompt};
use crate::pure::reason::Reason;
use crate::pure::recipe::{LabelHow, LabelPairs, LabelSource};
use crate::pure::template::Pair;
use crate::pure::transcript::{Comparison, CutPrompts, Ended, How, MethodName, Response, Transcript};
use futures::future::join_all;

/// Samples several drafts of a prompt and compares them.
pub async fn label_samples(ask: &impl Ask, cx: &MethodContext, prompt: &Prompt) -> Result<Transcript, Stop> {
    let asking = Asking::new(ask, cx, prompt);
    let drafts = join_all((0..cx.label.samples).map(|sample| asking.draft(sample))).await;
    let drafts: Vec<Result<Response, Reason>> = drafts.into_iter().collect::<Result<_, _>>()?;
    let reason = drafts.iter().find_map(|draft| draft.as_ref().err().cloned());
    let responses: Vec<Response> = drafts.into_iter().flatten().collect();
    let comparisons = compare_all(&asking, &responses, met(&asking, &responses)).await?;
    Ok(labelled(&asking, responses, comparisons, reason))
}

/// Who wrote a response that came with its prompt: nobody that is known.
pub const GIVEN: &str = "given";

/// Compares the responses that came with a prompt. Their texts stay as they are: they are what the label is about.
pub async fn label_given(ask: &impl Ask, cx: &MethodContext, prompt: &Prompt) -> Result<Transcript, Stop> {
    let response = |given: &Given| Response {
        text: given.text.clone(),
        round: 0,
        model: GIVEN.into(),
        fallback: false,
        tokens: 0,
        repairs: Vec::new(),
    };
    label_responses(ask, cx, prompt, prompt.given.iter().map(response).collect()).await
}

/// Compares responses to a prompt.
pub async fn label_responses(
    ask: &impl Ask,
    cx: &MethodContext,
    prompt: &Prompt,
    responses: Vec<Response>,
) -> Result<Transcript, Stop> {
    let asking = Asking::new(ask, cx, prompt);
    let comparisons = compare_all(&asking, &responses, met(&asking, &responses)).await?;
    Ok(labelled(&asking, responses, comparisons, None))
}

/// Compares the responses of a finished chain, or, where a judge only confirms, those of which the critiques say that the
/// later is better. Why it ended and which response is its last stay as they are.
pub async fn label_chain(
    ask: &impl Ask,
    cx: &MethodContext,
    transcript: Transcript,
) -> Result<Transcript, Stop> {
    let asking = Asking::new(ask, cx, &transcript.prompt);
    let principles = cx.applicable(&transcript.prompt);
    let meetings = pairs_of(cx, &transcript.responses)
        .into_iter()
        .filter(|(a, b)| cx.label.source == LabelSource::Chain || transcript.has_direction(*a, *b))
        .map(|(a, b)| (a, b, at_stake(cx, &transcript, &principles, (a, b))))
        .collect();
    let comparisons = compare_all(&asking, &transcript.responses, meetings).await?;
    let Spent { tally, models: more, failures: failed, substitutes: others, cut_prompts: cut } =
        asking.spent();
    let mut models = transcript.models.clone();
    models.extend(more);
    let mut failures = transcript.failures.clone();
    failures.extend(failed);
    let mut substitutes = transcript.substitutes.clone();
    substitutes.extend(others);
    substitutes.sort();
    substitutes.dedup();
    let cut_prompts: CutPrompts = transcript.cut_prompts.iter().chain(&cut).collect();
    models.sort();
    models.dedup();
    let mut sum = transcript.tally;
    sum.calls += tally.calls;
    sum.usage += tally.usage;
    let cut_prompts = cut_prompts.into_vec();
    Ok(Transcript { comparisons, tally: sum, models, failures, substitutes, cut_prompts, ..transcript })
}

/// The transcript of compared responses. The final one is that which is preferred most, the first of equals.
fn labelled<A: Ask>(
    asking: &Asking<'_, A>,
    responses: Vec<Response>,
    comparisons: Vec<Comparison>,
    reason: Option<Reason>,
) -> Transcript {
    let Spent { tally, models, failures, substitutes, cut_prompts } = asking.spent();
    let none = || Ended::NoDraft(reason.unwrap_or(Reason::Empty));
    let ended = if responses.is_empty() { none() } else { Ended::Labelled };
    Transcript {
        prompt: asking.prompt.clone(),
        method: MethodName::Label,
        last: most_preferred(responses.len(), &comparisons),
        responses,
        critiques: Vec::new(),
        revisions: Vec::new(),
        comparisons,
        styled: None,
        ended,
        tally,
        models,
        failures,
        substitutes,
        cut_prompts,
    }
}

fn most_preferred(responses: usize, comparisons: &[Comparison]) -> usize {
    let mut scores = vec![0.0; responses];
    for comparison in comparisons {
        let Some(p) = comparison.p else { continue };
        for (n, gain) in [(comparison.a, p - 0.5), (comparison.b, 0.5 - p)] {
            if let Some(score) = scores.get_mut(n) {
                *score += gain;
            }
        }
    }
    (0..responses).rev().max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap_or(0)
}

/// Two responses that meet, and the principles of which those that judge them are drawn.
type Meeting<'p> = (usize, usize, Vec<&'p Principle>);

/// Every pair that the recipe asks for, under the principles that apply to the prompt.
fn met<'a, A: Ask>(asking: &Asking<'a, A>, responses: &[Response]) -> Vec<Meeting<'a>> {
    let principles = asking.cx.applicable(asking.prompt);
    pairs_of(asking.cx, responses).into_iter().map(|(a, b)| (a, b, principles.clone())).collect()
}

/// The principles under which two responses of a chain differ for all that is known: those that objected to one of them.
/// Under any other they are as good as equal, and a preference would be noise. All of them where the recipe wants an
/// ensemble, or where no critique objects and the judge is the first to say anything.
fn at_stake<'p>(
    cx: &MethodContext,
    transcript: &Transcript,
    principles: &[&'p Principle],
    (a, b): (usize, usize),
) -> Vec<&'p Principle> {
    let (of_a, of_b) = (transcript.objections(a), transcript.objections(b));
    let objected = |p: &&&Principle| of_a.contains(p.id.as_str()) || of_b.contains(p.id.as_str());
    let at_stake: Vec<&Principle> = principles.iter().filter(objected).copied().collect();
    if at_stake.is_empty() || cx.label.principles == 0 { principles.to_vec() } else { at_stake }
}

/// Every comparison that the recipe asks for, side by side, in the order of pairs and principles.
async fn compare_all<A: Ask>(
    asking: &Asking<'_, A>,
    responses: &[Response],
    meetings: Vec<Meeting<'_>>,
) -> Result<Vec<Comparison>, Stop> {
    let cx = asking.cx;
    let mut wanted: Vec<(usize, usize, &Principle)> = Vec::new();
    for (a, b, principles) in meetings {
        let drawn = match cx.label.principles {
            0 => principles,
            count => {
                // Drawn by the texts: the same pair meets the same principles wherever it stands.
                let mut texts = [responses[a].text.as_str(), responses[b].text.as_str()];
                texts.sort_unstable();
                let step = Parts::new("compare").with(texts[0]).with(texts[1]).hex();
                cx.drawn(asking.prompt, &principles, &step).into_iter().take(count as usize).collect()
            }
        };
        wanted.extend(drawn.into_iter().map(|principle| (a, b, principle)));
    }
    let compared = wanted.into_iter().map(async |(a, b, principle)| {
        let texts = (responses[a].text.as_str(), responses[b].text.as_str());
        let comparison = compare(asking, texts, principle).await?;
        Ok(Comparison { a, b, ..comparison })
    });
    // All of them are waited for, also when one says stop: what is in flight is paid for.
    join_all(compared).await.into_iter().collect()
}

fn pairs_of(cx: &MethodContext, responses: &[Response]) -> Vec<(usize, usize)> {
    let texts: Vec<&str> = responses.iter().map(|response| response.text.as_str()).collect();
    pairs(cx.label.pairs, &texts)
}

/// The pairs of texts that meet. Two that are the same have no better one.
pub fn pairs(which: LabelPairs, texts: &[&str]) -> Vec<(usize, usize)> {
    let count = texts.len();
    let all = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
    all.filter(|(a, b)| match which {
        LabelPairs::All => true,
        LabelPairs::Steps => a + 1 == *b,
        LabelPairs::FirstLast => *a == 0 && b + 1 == count,
    })
    .filter(|(a, b)| texts[*a].trim() != texts[*b].trim())
    .collect()
}

/// What a judge said of two texts in one order.
#[derive(Debug, Clone, PartialEq)]
struct Heard {
    /// P(the one shown as (A) is better).
    p: Option<f64>,
    by: By,
    model: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Logprobs,
    Votes,
}

/// Compares two texts under one principle, in both orders.
async fn compare<A: Ask>(
    asking: &Asking<'_, A>,
    (a, b): (&str, &str),
    principle: &Principle,
) -> Result<Comparison, Stop> {
    let label = &asking.cx.label;
    let (forth, back) =
        futures::join!(hear(asking, a, b, principle, false), hear(asking, b, a, principle, true));
    let (forth, back) = (forth?, back?);
    let (p_ab, p_ba) = (forth.p, back.p.map(|p| 1.0 - p));
    let mean = p_ab.zip(p_ba).map(|(forth, back)| f64::midpoint(forth, back));
    let clamp = |p: f64| if label.reason_first { p.clamp(0.5 - label.clamp, 0.5 + label.clamp) } else { p };
    let how = match (label.reason_first, forth.by, back.by) {
        (true, _, _) => How::Cot,
        (false, By::Logprobs, By::Logprobs) => How::Logprobs,
        (false, By::Votes, _) | (false, _, By::Votes) => How::Votes,
    };
    Ok(Comparison {
        a: 0,
        b: 0,
        principle: principle.id.clone(),
        p: mean.map(clamp),
        p_ab,
        p_ba,
        how,
        model: forth.model,
    })
}

/// Asks for one order: by log-probabilities where the first answer has them, else by as many votes as the recipe says, of
/// which the first answer is one. After thinking, every vote counts with its own probability.
async fn hear<A: Ask>(
    asking: &Asking<'_, A>,
    first: &str,
    second: &str,
    principle: &Principle,
    swapped: bool,
) -> Result<Heard, Stop> {
    let label = &asking.cx.label;
    let pair = Pair { conversation: &asking.prompt.messages, a: first, b: second };
    let request = asking.cx.templates.compare(pair, principle, label.reason_first)?;
    let call = |draw: u32| {
        let messages = asking.cx.alone(asking.prompt, request.clone());
        let purpose = Purpose::Comparison { principle: principle.id.clone(), swapped };
        let mut call = asking.cx.call(asking.prompt, purpose, messages, draw);
        // An endpoint that takes no temperature is asked for none.
        call.sampling.temperature = call.sampling.temperature.map(|_| label.temperature);
        call.sampling.top_logprobs = (label.how == LabelHow::Auto).then_some(label.top_logprobs);
        call
    };
    let answered = asking.answer_call(call(0)).await?;
    let model = answered.model.clone();
    let odds = odds_of(&answered, label.reason_first);
    if odds.is_some() && !label.reason_first {
        return Ok(Heard { p: odds, by: By::Logprobs, model });
    }
    // An endpoint that gave nothing at all after every attempt is not asked again.
    let more = if matches!(answered.answer.outcome, Outcome::Failed(_)) { 1 } else { label.votes.max(1) };
    let others = join_all((1..more).map(|draw| asking.answer_call(call(draw)))).await;
    let others: Vec<Answered> = others.into_iter().collect::<Result<_, _>>()?;
    let read = |answered: &Answered| {
        odds_of(answered, true).filter(|_| label.reason_first).or_else(|| vote_of(answered))
    };
    let votes: Vec<f64> = std::iter::once(&answered).chain(&others).filter_map(read).collect();
    let p = (!votes.is_empty()).then(|| votes.iter().sum::<f64>() / votes.len() as f64);
    Ok(Heard { p, by: By::Votes, model })
}

/// P((A)) by the log-probabilities of an answer. One that reasons first has to name an option in the end; of any other the
/// first place will do.
fn odds_of(answered: &Answered, reason_first: bool) -> Option<f64> {
    let answer = &answered.answer;
    if reason_first {
        read_option(answer.complete()?, 2)?;
    }
    odds_of_answer(answer, 2)?.first().copied()
}

fn vote_of(answered: &Answered) -> Option<f64> {
    read_option(answered.answer.complete()?, 2).map(|letter| if letter == 'A' { 1.0 } else { 0.0 })
}
