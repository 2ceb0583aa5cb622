//! A constitution's own test cases, each judged by the critic as in a run. It asks; what a rate means is the caller's.

use super::MethodContext;
use super::prompt_session::Asking;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::Occasion;
use crate::pure::constitution::{Principle, TestCase};
use crate::pure::prompt::Prompt;
use crate::pure::transcript::Critique;

/// The critique of a case's response against the principle that the case belongs to.
pub async fn criticise_case(
    ask: &impl Ask,
    cx: &MethodContext,
    principle: &Principle,
    case: &TestCase,
) -> Result<Critique, Stop> {
    let prompt = Prompt::single(case.prompt.as_str());
    let asking = Asking::new(ask, cx, &prompt);
    let judged = asking.criticise(&case.response, principle, None, 0, Occasion::TestCase).await?;
    Ok(judged.critique)
}
