//! What a run will take, before it is paid for: bounds from the schedule, or a prediction from a probe.
//!
//! Pure arithmetic. It reads no prompts, asks no model and knows no clock; callers hand it what they counted.

use crate::pure::call::{ByRole, Role};
use crate::pure::constitution::Principle;
use crate::pure::method::{MethodContext, examination_cases, is_examined, pairs};
use crate::pure::prompt::{Message, Prompt};
use crate::pure::recipe::{LabelHow, LabelPairs, LabelSource, Price, Schedule, Target, VerdictForm};
use crate::pure::request_class::RequestClass;
use crate::pure::template::{CritiqueAsk, Objection, Pair, StyleFaults, TemplateError};
use serde::Serialize;

/// Bytes that make about one token. Languages and tokenizers differ; a probe counts what the endpoint counts.
const BYTES_PER_TOKEN: f64 = 4.0;

/// What one role's calls come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Used {
    /// Calls.
    pub calls: f64,
    /// Tokens of the requests.
    pub prompt: f64,
    /// Those of them that came from a prefix cache.
    pub cached: f64,
    /// Tokens of the answers.
    pub completion: f64,
}

impl Used {
    fn add(&mut self, calls: f64, prompt: f64, completion: f64) {
        self.calls += calls;
        self.prompt += calls * prompt;
        self.completion += calls * completion;
    }

    /// The smaller of each.
    fn least(self, other: Self) -> Self {
        self.each(other, f64::min)
    }

    /// The larger of each.
    fn most(self, other: Self) -> Self {
        self.each(other, f64::max)
    }

    fn each(self, other: Self, of: fn(f64, f64) -> f64) -> Self {
        Self {
            calls: of(self.calls, other.calls),
            prompt: of(self.prompt, other.prompt),
            cached: of(self.cached, other.cached),
            completion: of(self.completion, other.completion),
        }
    }

    /// What it costs.
    pub fn money(&self, price: &Price) -> f64 {
        let cached = price.cached.unwrap_or(price.prompt);
        ((self.prompt - self.cached) * price.prompt
            + self.cached * cached
            + self.completion * price.completion)
            / 1e6
    }
}

impl std::ops::AddAssign for Used {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.prompt += other.prompt;
        self.cached += other.cached;
        self.completion += other.completion;
    }
}

/// The calls and tokens of every role.
pub type UsedByRole = ByRole<Used>;

/// The sum over roles.
pub fn total(of: &UsedByRole) -> Used {
    of.iter().fold(Used::default(), |mut sum, (_, used)| {
        sum += *used;
        sum
    })
}

/// A number that is not known yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Interval {
    /// At least about this.
    pub low: f64,
    /// The best guess; there is none without a probe.
    pub likely: Option<f64>,
    /// At most about this.
    pub high: f64,
}

impl Interval {
    /// Whether a number lies in it.
    pub fn contains(&self, number: f64) -> bool {
        self.low <= number && number <= self.high
    }
}

/// Predicts the sum over `size` prompts from those probed, which are among them.
///
/// A t interval for the sum of the prompts not probed. It is drawn so wide that calls, prompt tokens and completion
/// tokens are within theirs at once in 95 of 100 plans (Bonferroni), as far as prompts are alike: a few that are very
/// long, and that the probe missed, are not foreseen.
pub fn predict(probed: &[f64], size: u64) -> Interval {
    let n = probed.len() as f64;
    let sum: f64 = probed.iter().sum();
    let rest = size as f64 - n;
    if rest <= 0.0 || probed.is_empty() {
        return Interval { low: sum, likely: Some(sum), high: sum };
    }
    let mean = sum / n;
    let likely = sum + rest * mean;
    if probed.len() < 2 {
        return Interval { low: sum, likely: Some(likely), high: f64::INFINITY };
    }
    let variance = probed.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let margin = t_quantile(n - 1.0) * variance.sqrt() * rest * (1.0 / n + 1.0 / rest).sqrt();
    Interval { low: (likely - margin).max(sum), likely: Some(likely), high: likely + margin }
}

/// Two-sided quantile of Student's t at 1 - 0.05/3, by the expansion around the normal one.
fn t_quantile(freedom: f64) -> f64 {
    let z: f64 = 2.394;
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
}

/// The least and the most that a prompt may take, without faults: nothing objects; or everything does, rounds and
/// retries are used up, every answer is as long as it may be and every verdict needs its follow-up. Comparisons are read
/// from log-probabilities; or there are none, and votes are counted. Samples are taken to differ from each other.
pub fn bounds(cx: &MethodContext, prompt: &Prompt) -> Result<(UsedByRole, UsedByRole), TemplateError> {
    let most = |role: Role| f64::from(cx.models.of(role).sampling.max_tokens);
    let judge = Role::Judge;
    if cx.settings.target == Target::Style {
        return bounds_of_style(cx, prompt);
    }
    match cx.label.source {
        LabelSource::Off | LabelSource::Chain => {
            let (mut low, mut high) = bounds_of_chain(cx, prompt)?;
            if cx.settings.verdict == VerdictForm::Auto && is_examined(cx) {
                // The examination decides how the critic is asked, and it comes first.
                let by_choice = cx.with_verdict_form(VerdictForm::Choice);
                let (least, most) = bounds_of_chain(&by_choice, prompt)?;
                for role in Role::ALL {
                    low[*role] = low[*role].least(least[*role]);
                    high[*role] = high[*role].most(most[*role]);
                }
            }
            if cx.label.source == LabelSource::Chain || cx.gates.confirm {
                // A draft to which nothing objects meets nobody.
                let longest = most(Role::Generator).max(most(Role::Reviser));
                let texts = vec![longest; responses_of_chain(cx, prompt)];
                high[judge] += compared(cx, prompt, &meetings(cx.label.pairs, &texts))?.1;
            }
            Ok((low, high))
        }
        LabelSource::Samples => {
            let (mut low, mut high) = (UsedByRole::default(), UsedByRole::default());
            let (samples, opening) = (f64::from(cx.label.samples), tokens(said(&cx.opening(prompt))));
            let tries = 1.0 + f64::from(cx.settings.retries);
            low[Role::Generator].add(samples, opening, 1.0);
            high[Role::Generator].add(samples * tries, opening, most(Role::Generator));
            let met = |length: f64| meetings(cx.label.pairs, &vec![length; cx.label.samples as usize]);
            low[judge] += compared(cx, prompt, &met(1.0))?.0;
            high[judge] += compared(cx, prompt, &met(most(Role::Generator)))?.1;
            Ok((low, high))
        }
        LabelSource::Given => {
            let (mut low, mut high) = (UsedByRole::default(), UsedByRole::default());
            let texts: Vec<&str> = prompt.given.iter().map(|given| given.text.as_str()).collect();
            let met: Vec<f64> = pairs(cx.label.pairs, &texts)
                .into_iter()
                .map(|(a, b)| {
                    [a, b].iter().filter_map(|n| texts.get(*n)).map(|text| tokens(text.len())).sum()
                })
                .collect();
            (low[judge], high[judge]) = compared(cx, prompt, &met)?;
            Ok((low, high))
        }
    }
}

fn tokens(bytes: usize) -> f64 {
    bytes as f64 / BYTES_PER_TOKEN
}

/// Bytes of a conversation.
fn said(messages: &[Message]) -> usize {
    messages.iter().map(|turn| turn.content.len()).sum()
}

/// The tokens of the two responses of each pair that meets, of responses of these lengths.
fn meetings(which: LabelPairs, lengths: &[f64]) -> Vec<f64> {
    let names: Vec<String> = (0..lengths.len()).map(|n| n.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let of = |n: usize| lengths.get(n).copied().unwrap_or(0.0);
    pairs(which, &names).into_iter().map(|(a, b)| of(a) + of(b)).collect()
}

/// Most responses that a chain may have.
fn responses_of_chain(cx: &MethodContext, prompt: &Prompt) -> usize {
    let rounds = cx.settings.rounds as usize;
    match cx.settings.schedule {
        Schedule::Panel | Schedule::Sampled => 1 + rounds,
        Schedule::Each => 1 + rounds * cx.applicable(prompt).len(),
    }
}

/// The least and the most that comparing pairs of responses takes, in both orders.
fn compared(cx: &MethodContext, prompt: &Prompt, met: &[f64]) -> Result<(Used, Used), TemplateError> {
    let (label, principles) = (&cx.label, cx.applicable(prompt));
    let (mut low, mut high) = (Used::default(), Used::default());
    let mut requests = Vec::new();
    for principle in &principles {
        let pair = Pair { conversation: &prompt.messages, a: "", b: "" };
        let request = cx.templates.compare(pair, principle, label.reason_first)?;
        requests.push(tokens(said(&cx.alone(prompt, request))));
    }
    let all = requests.len() as f64;
    let drawn = if label.principles == 0 { all } else { all.min(f64::from(label.principles)) };
    let (least, most) =
        requests.iter().fold((f64::MAX, 0.0_f64), |(l, m), size| (l.min(*size), m.max(*size)));
    let votes = 2.0 * f64::from(label.votes.max(1));
    let surely = if label.how == LabelHow::Auto && !label.reason_first { 2.0 } else { votes };
    for texts in met.iter().filter(|_| drawn > 0.0) {
        low.add(drawn * surely, least + texts, 1.0);
        high.add(drawn * votes, most + texts, f64::from(cx.models.of(Role::Judge).sampling.max_tokens));
    }
    Ok((low, high))
}

/// The least and the most of a styled answer: rules decide it and it is ideal at once; or every draw is used, every response is
/// read, and every round revises. A prompt without a style asks nothing.
fn bounds_of_style(cx: &MethodContext, prompt: &Prompt) -> Result<(UsedByRole, UsedByRole), TemplateError> {
    let (mut low, mut high) = (UsedByRole::default(), UsedByRole::default());
    let styles = &cx.constitution.styles;
    let Some(style) = styles.pick(prompt, &cx.taxonomy) else {
        // A prompt that stands for others: it may have any style.
        if prompt.class.is_none() {
            for class in RequestClass::ALL {
                let any = prompt.clone().with_class(Some(*class), None);
                if styles.pick(&any, &cx.taxonomy).is_some() {
                    let (_, most) = bounds_of_style(cx, &any)?;
                    for role in Role::ALL {
                        high[*role] = high[*role].most(most[*role]);
                    }
                }
            }
        }
        return Ok((low, high));
    };
    let (tries, rounds) = (1.0 + f64::from(cx.settings.retries), f64::from(cx.settings.rounds));
    let most = |role: Role| f64::from(cx.models.of(role).sampling.max_tokens);
    let (opening, hint) = (said(&cx.opening(prompt)), cx.templates.style("", style, &[])?.len());
    let draft = tokens(opening + hint);
    low[Role::Generator].add(1.0, draft, 1.0);
    high[Role::Generator].add(tries, draft, most(Role::Generator));
    let concerned = styles.propositions_of(style);
    let block = tokens(cx.templates.propositions(&styles.propositions, false)?.len() + opening);
    if concerned.iter().any(|proposition| proposition.rule.is_none()) {
        low[Role::Critic].add(1.0, block, 1.0);
    }
    let longest = most(Role::Generator).max(most(Role::Reviser));
    high[Role::Critic].add((1.0 + rounds) * tries, block + longest, most(Role::Critic));
    let questions = concerned.iter().map(|proposition| proposition.question.as_str()).collect();
    let faults = StyleFaults { missing: questions, broken: Vec::new(), words: 0 };
    let request = draft + longest + tokens(cx.templates.style_revision(style, &faults)?.len());
    high[Role::Reviser].add(rounds * tries, request, most(Role::Reviser));
    high[Role::Critic] += confirmations(cx, opening, rounds * tries)?;
    Ok((low, high))
}

/// The most that the questions about so many revisions take (`gates.confirm_revision`). There may be none: a revision that
/// fails another gate, or changes nothing, is not asked about.
fn confirmations(cx: &MethodContext, opening: usize, revisions: f64) -> Result<Used, TemplateError> {
    let mut most = Used::default();
    if cx.gates.confirm_revision {
        let length = |role: Role| f64::from(cx.models.of(role).sampling.max_tokens);
        let asked = tokens(opening + cx.templates.confirm_revision()?.len());
        most.add(revisions, asked + length(Role::Reviser), length(Role::Critic));
    }
    Ok(most)
}

fn bounds_of_chain(cx: &MethodContext, prompt: &Prompt) -> Result<(UsedByRole, UsedByRole), TemplateError> {
    let (sizes, opening) = (Sizes::of(cx, prompt)?, said(&cx.opening(prompt)));
    let (mut low, mut high) = (UsedByRole::default(), UsedByRole::default());
    let (k, rounds) = (sizes.principles, f64::from(cx.settings.rounds));
    let tries = 1.0 + f64::from(cx.settings.retries);
    let screen = f64::from(u8::from(cx.settings.screen && cx.settings.schedule != Schedule::Sampled));
    let (generator, critic, reviser) = (Role::Generator, Role::Critic, Role::Reviser);
    let most = |role: Role| f64::from(cx.models.of(role).sampling.max_tokens);
    let (draft, critique) = (most(Role::Generator).max(most(Role::Reviser)), most(Role::Critic));
    low[generator].add(1.0, sizes.opening, 1.0);
    high[generator].add(tries, sizes.opening, most(Role::Generator));
    if k == 0.0 || rounds == 0.0 {
        return Ok((low, high));
    }
    if !cx.settings.critique {
        let steps = if cx.settings.schedule == Schedule::Each { rounds * k } else { rounds };
        // Without a critique between, the request for a revision is all that comes after the response.
        low[reviser].add(steps, sizes.opening + sizes.least_revision, 1.0);
        high[reviser].add(steps * tries, sizes.opening + draft + sizes.most_revision, most(Role::Reviser));
        high[critic] += confirmations(cx, opening, steps * tries)?;
        return Ok((low, high));
    }
    let (criticised, revisions, checked) = match cx.settings.schedule {
        Schedule::Panel => (k, rounds * tries, k * rounds * tries),
        Schedule::Each => {
            // In the first round only what was asked before is asked again; in the others, everything.
            let first = if screen > 0.0 { k * k } else { k * (k + 1.0) / 2.0 };
            (k, rounds * k * tries, tries * (first + (rounds - 1.0) * k * k))
        }
        Schedule::Sampled => (rounds, rounds * tries, 0.0),
    };
    if screen > 0.0 {
        low[critic].add(1.0, sizes.opening + sizes.screen, 1.0);
        high[critic].add(1.0 + revisions, sizes.opening + draft + sizes.screen, critique);
    } else {
        low[critic].add(criticised, sizes.opening + sizes.least_critique, 1.0);
    }
    if cx.settings.revise_always && cx.settings.schedule == Schedule::Sampled {
        low[reviser].add(rounds, sizes.opening + sizes.least_critique, 1.0);
    }
    let judged = sizes.opening + draft + sizes.most_critique;
    high[critic].add(criticised + checked, judged, critique);
    if cx.verdict_form() == VerdictForm::Choice {
        // Each letter may be asked for again with more room.
        low[critic].add(criticised, sizes.opening + sizes.least_critique, 1.0);
        high[critic].add(4.0 * (criticised + checked), sizes.opening + draft + sizes.most_verdict, critique);
    } else {
        high[critic].add(criticised + checked, judged + critique + sizes.most_verdict, critique);
    }
    let answered = if cx.settings.schedule == Schedule::Panel { k } else { 1.0 };
    let request = judged + answered * critique + sizes.most_revision;
    high[reviser].add(revisions, request, most(Role::Reviser));
    high[critic] += confirmations(cx, opening, revisions)?;
    Ok((low, high))
}

/// The least and the most that the examination of the critic takes before the first prompt.
pub fn examination(cx: &MethodContext) -> Result<(UsedByRole, UsedByRole), TemplateError> {
    let (mut low, mut high) = (UsedByRole::default(), UsedByRole::default());
    let longest = f64::from(cx.models.of(Role::Critic).sampling.max_tokens);
    for (principle, case) in examination_cases(cx) {
        let shown = said(&cx.about(&Prompt::single(case.prompt.as_str()), &case.response, String::new()));
        let request = tokens(shown)
            + tokens(cx.templates.critique(principle, cx.settings.examples, CritiqueAsk::Line)?.len());
        let letter = tokens(shown) + tokens(cx.templates.verdict_choice(principle, false)?.len());
        let is_choice = cx.settings.verdict == VerdictForm::Choice;
        low[Role::Critic].add(
            if is_choice { 2.0 } else { 1.0 },
            if is_choice { letter } else { request },
            1.0,
        );
        // In two forms: a critique with its follow-up; two letters, each asked for twice, and a critique.
        high[Role::Critic].add(3.0, request + longest, longest);
        high[Role::Critic].add(4.0, letter, longest);
    }
    Ok((low, high))
}

/// Tokens of what stands in requests about one prompt, by their rendered length.
struct Sizes {
    principles: f64,
    opening: f64,
    screen: f64,
    least_critique: f64,
    most_critique: f64,
    most_verdict: f64,
    least_revision: f64,
    most_revision: f64,
}

impl Sizes {
    fn of(cx: &MethodContext, prompt: &Prompt) -> Result<Self, TemplateError> {
        let opening = said(&cx.opening(prompt));
        let applicable: Vec<&Principle> = cx.applicable(prompt);
        let (form, examples) = (cx.verdict_form(), cx.settings.examples);
        let structured = form == VerdictForm::Json;
        let follow_up = |principle| Ok(tokens(cx.templates.verdict(principle, structured)?.len()));
        let (mut least, mut most, mut verdict) = (f64::MAX, 0.0_f64, 0.0_f64);
        let (mut least_revision, mut revision) = (f64::MAX, 0.0_f64);
        for principle in &applicable {
            let asked = |ask| Ok(tokens(cx.templates.critique(principle, examples, ask)?.len()));
            let (one, largest, second) = match form {
                VerdictForm::Choice => {
                    let letter = tokens(cx.templates.verdict_choice(principle, false)?.len());
                    (letter, asked(CritiqueAsk::Why)?, letter)
                }
                VerdictForm::Json => {
                    (asked(CritiqueAsk::Json)?, asked(CritiqueAsk::Json)?, follow_up(principle)?)
                }
                VerdictForm::Line | VerdictForm::Auto => {
                    (asked(CritiqueAsk::Line)?, asked(CritiqueAsk::Line)?, follow_up(principle)?)
                }
            };
            (least, most, verdict) = (least.min(one), most.max(largest), verdict.max(second));
            let request = if cx.settings.critique {
                cx.templates.revision(principle, examples)?
            } else {
                cx.templates.direct_revision(&[principle], examples)?
            };
            least_revision = least_revision.min(tokens(request.len()));
            revision = revision.max(tokens(request.len()));
        }
        if cx.settings.schedule == Schedule::Panel && !applicable.is_empty() {
            let objections: Vec<Objection<'_>> =
                applicable.iter().map(|principle| Objection { principle, critique: "" }).collect();
            let request = if cx.settings.critique {
                cx.templates.merged_revision(&objections, examples)?
            } else {
                cx.templates.direct_revision(&applicable, examples)?
            };
            (least_revision, revision) = (tokens(request.len()), tokens(request.len()));
        }
        let screen = if cx.settings.screen && !applicable.is_empty() {
            tokens(cx.templates.screen(&applicable, structured, "")?.len() + cx.templates.screen_ask()?.len())
        } else {
            0.0
        };
        Ok(Self {
            principles: applicable.len() as f64,
            opening: tokens(opening),
            screen,
            least_critique: if applicable.is_empty() { 0.0 } else { least },
            most_critique: most,
            most_verdict: verdict,
            least_revision: if applicable.is_empty() { 0.0 } else { least_revision },
            most_revision: revision,
        })
    }
}

#[cfg(test)]
#[path = "cost_estimate_tests.rs"]
mod tests;
