//! Examines the critic of a run on the constitution's own test cases, and finds the form in which it is best asked.
//!
//! It comes before the first prompt. Its answers are in the run's journal like any other, so that a run that goes on examines
//! the critic again without a call, and finds the same.

use super::{ProjectError, RunDir};
use crate::pure::ask::Stop;
use crate::pure::call::Role;
use crate::pure::constitution::{Expect, Principle, TestCase};
use crate::pure::method::{MethodContext, criticise_case, examination_cases};
use crate::pure::recipe::{VerdictForm, is_simulated};
use crate::pure::reports::examination::{Examination, Trial};
use crate::runtime::engine::memo::{Memo, MemoAt};
use crate::runtime::engine::{Event, EventBus, Shutdown, WorkSetup, at_hand, each};
use crate::runtime::model::Transport;
use futures::StreamExt as _;
use std::path::Path;
use std::pin::pin;

/// The file of a run directory that says what the examination came to.
pub(super) const EXAMINATION: &str = "examination.json";

/// What a run asks with.
pub(super) struct Examiner<'a, T> {
    pub(super) memo: &'a Memo<T>,
    pub(super) context: &'a MethodContext,
    pub(super) events: &'a EventBus,
    pub(super) shutdown: &'a Shutdown,
    /// Cases judged side by side at most.
    pub(super) width: usize,
}

impl<T: Transport> Examiner<'_, T> {
    /// Examines the critic in each form that the recipe leaves open, until one is good. `None` where there are no cases.
    pub(super) async fn examine(&self) -> Result<Option<Examination>, Stop> {
        let cx = self.context;
        let cases = examination_cases(cx);
        if cases.is_empty() {
            return Ok(None);
        }
        let mut trials: Vec<Trial> = Vec::new();
        self.events.tell(Event::ExaminationBegan { cases: cases.len() as u64 }).await;
        for form in forms(cx) {
            // A simulated critic knows only the cases that ship. Its answers say that they are simulated.
            let Some(trial) = self.try_form(form, &cases).await? else { return Ok(None) };
            let is_enough = trial.is_good();
            trials.push(trial);
            if is_enough {
                break;
            }
        }
        let examination = Examination::new(&cx.models.of(Role::Critic).model, trials);
        if let Some(examination) = &examination {
            self.events.tell(Event::Examined(Box::new(examination.clone()))).await;
        }
        Ok(examination)
    }

    /// `None` where the critic turns out to be simulated.
    async fn try_form(
        &self,
        form: VerdictForm,
        cases: &[(&Principle, &TestCase)],
    ) -> Result<Option<Trial>, Stop> {
        let context = self.context.with_verdict_form(form);
        // The run's own receivers count prompts; these are none.
        let unheard = EventBus::default();
        let setup = WorkSetup {
            memo: self.memo,
            width: self.width,
            expected: Some(cases.len() as u64),
            events: &unheard,
            shutdown: self.shutdown,
            name: "examination".into(),
        };
        let judge = async |ask: &MemoAt<'_, T>, (principle, case): (&Principle, &TestCase)| {
            let judged = criticise_case(ask, &context, principle, case).await?;
            Ok((case.expect == Expect::Violates, judged))
        };
        let (mut trial, mut is_simulated_critic) = (Trial::new(form), false);
        let mut results = pin!(each(setup, at_hand(cases.to_vec()), &judge));
        while let Some(result) = results.next().await {
            let (violates, judged) = result?;
            is_simulated_critic |= is_simulated(&judged.critique.model);
            trial.add(violates, judged.critique.verdict, judged.calls);
        }
        Ok((!is_simulated_critic).then_some(trial))
    }
}

/// The forms to try, the one that the recipe means first.
fn forms(cx: &MethodContext) -> Vec<VerdictForm> {
    let meant = cx.verdict_form();
    match cx.settings.verdict {
        VerdictForm::Auto => vec![meant, VerdictForm::Choice],
        VerdictForm::Line | VerdictForm::Json | VerdictForm::Choice => vec![meant],
    }
}

/// The context of a run whose critic was examined before: asked in the form that was found then.
pub fn as_examined(context: MethodContext, dir: &RunDir) -> MethodContext {
    match kept(dir).filter(|_| context.settings.verdict == VerdictForm::Auto) {
        Some(examination) => context.with_verdict_form(examination.trial().form),
        None => context,
    }
}

/// Why a run ends before its first prompt.
pub(super) fn refusal(examination: &Examination) -> Stop {
    Stop::Unqualified(format!(
        "`{}` cannot be told from a critic that guesses: of {} test cases that violate a principle it finds {}, and it objects to \
         {} of {} that violate none. Take a stronger critic (`[models.critic]`), try `--templates small`, or look at its answers \
         with `amend test`; `--unqualified` runs all the same",
        examination.model,
        examination.trial().violating,
        examination.trial().hits,
        examination.trial().false_alarms,
        examination.trial().harmless,
    ))
}

/// Keeps what the examination came to beside the journal.
pub(super) fn keep(dir: &RunDir, examination: &Examination) -> Result<(), ProjectError> {
    let json = serde_json::to_string_pretty(examination)
        .map_err(|error| ProjectError::Bug(format!("the examination cannot be written: {error}")))?;
    dir.put(Path::new(EXAMINATION), &(json + "\n"))
}

/// What the examination of a run came to, if there was one.
pub(super) fn kept(dir: &RunDir) -> Option<Examination> {
    let text = std::fs::read_to_string(dir.path.join(EXAMINATION)).ok()?;
    serde_json::from_str(&text)
        .ok()
        .filter(|examination: &Examination| examination.used < examination.trials.len())
}
