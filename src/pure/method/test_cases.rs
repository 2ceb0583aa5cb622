//! A constitution's own test cases, each judged by the critic as in a run. It asks; what a rate means is the caller's.

use super::MethodContext;
use super::prompt_session::Asking;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Occasion, Role};
use crate::pure::constitution::{Expect, Principle, TestCase};
use crate::pure::digest::Parts;
use crate::pure::prompt::Prompt;
use crate::pure::recipe::{LabelSource, Target, is_simulated};
use crate::pure::transcript::Critique;

/// A case as a critic judged it.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedCase {
    /// The critique.
    pub critique: Critique,
    /// Calls that it took.
    pub calls: u64,
}

/// The critique of a case's response against the principle that the case belongs to.
pub async fn criticise_case(
    ask: &impl Ask,
    cx: &MethodContext,
    principle: &Principle,
    case: &TestCase,
) -> Result<JudgedCase, Stop> {
    let prompt = Prompt::single(case.prompt.as_str());
    let asking = Asking::new(ask, cx, &prompt);
    let judged = asking.criticise(&case.response, principle, None, 0, Occasion::TestCase).await?;
    Ok(JudgedCase { critique: judged.critique, calls: asking.spent().tally.calls })
}

/// Whether the critic of a run is examined: not where no critic is asked, where it is simulated, or where there are fewer than
/// [`LEAST_OF_A_KIND`] test cases of a kind. Then nobody could tell a good critic from one that guesses.
pub fn is_examined(cx: &MethodContext) -> bool {
    let asks_critic = cx.settings.target == Target::Principles
        && cx.settings.critique
        && matches!(cx.label.source, LabelSource::Off | LabelSource::Chain);
    let least = LEAST_OF_A_KIND;
    let has = |violates: bool| half_of(cx) >= least && cases_that(cx, violates).nth(least - 1).is_some();
    asks_critic && !is_simulated(&cx.models.of(Role::Critic).model) && has(true) && has(false)
}

/// The test cases on which the critic of a run is examined: half of them violate their principle and half do not, drawn by hash
/// so that an edit of one principle moves no case of another. Empty where it is not examined.
pub fn examination_cases(cx: &MethodContext) -> Vec<(&Principle, &TestCase)> {
    let drawn = |violates: bool| {
        let mut cases: Vec<_> = cases_that(cx, violates).collect();
        let key = |(principle, case): &(&Principle, &TestCase)| {
            Parts::new("examination").with(&principle.id).with(&case.prompt).with(&case.response).bytes()
        };
        cases.sort_by_key(key);
        cases.truncate(half_of(cx));
        cases
    };
    if is_examined(cx) { [drawn(true), drawn(false)].concat() } else { Vec::new() }
}

/// How many cases of each kind are judged.
fn half_of(cx: &MethodContext) -> usize {
    (cx.settings.examine / 2) as usize
}

/// The test cases that violate their principle, or those that do not.
fn cases_that(cx: &MethodContext, violates: bool) -> impl Iterator<Item = (&Principle, &TestCase)> {
    let principles = cx.constitution.principles.iter();
    let all = principles.flat_map(|principle| principle.tests.iter().map(move |case| (principle, case)));
    all.filter(move |(_, case)| (case.expect == Expect::Violates) == violates)
}

/// A perfect critic of so many cases of each kind is one that guesses with a probability of 1 in 70.
pub const LEAST_OF_A_KIND: usize = 4;
