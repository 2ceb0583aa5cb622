//! One run: prompts in, each through its method, transcripts into the journal, counts that add up.
//!
//! A loop turns everything that can happen into one [`Happening`], and decides; the work itself is done in tasks, one per
//! prompt. A prompt's chain is finished before new ones are started: only so many are in flight, and when calls have to
//! wait, those of older prompts go first. That is what prefix caches need, and what keeps memory flat.

use super::input::{Batch, ReadAhead, broke_off};
use super::memo::{Memo, journal_stop};
use super::{Event, EventBus, Phase, Shutdown, Summary};
use crate::pure::ask::Stop;
use crate::pure::call::Role;
use crate::pure::method::{MethodContext, make_transcript};
use crate::pure::prompt::{Prompt, PromptId};
use crate::pure::reason::Reason;
use crate::pure::reject::Reject;
use crate::pure::transcript::{Substitute, Transcript};
use crate::runtime::dataset::prompts::Row as InputRow;
use crate::runtime::journal::{Admission, Arrival};
use crate::runtime::journal::{Outline, Row};
use crate::runtime::model::Transport;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tracing::Instrument as _;

/// Counts are told this often.
pub(super) const PROGRESS: Duration = Duration::from_secs(2);

/// Decides whether a transcript yields a row.
pub type RowRule = Arc<dyn Fn(&Transcript) -> Row + Send + Sync>;

/// What a run is made of.
pub struct Run<T> {
    /// Answers calls.
    pub memo: Arc<Memo<T>>,
    /// What the method works with.
    pub context: Arc<MethodContext>,
    /// Decides about rows.
    pub row_rule: RowRule,
    /// A hash of everything but the prompt that decides a transcript.
    pub fingerprint: String,
    /// Prompts in flight at most.
    pub width: usize,
    /// Rows that the input is expected to have, where that is known.
    pub expected: Option<u64>,
    /// Carries what happens to whoever subscribed.
    pub events: EventBus,
    /// Asks to stop.
    pub shutdown: Shutdown,
    /// The run's name in events.
    pub name: String,
    /// The share of undecided verdicts above which the run stops.
    pub max_undecided_share: f64,
}

/// The share of undecided verdicts is looked at from so many verdicts on.
const ENOUGH_VERDICTS: u64 = 40;

impl<T> std::fmt::Debug for Run<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// The counts.
    pub summary: Summary,
    /// Why it ended before its input did.
    pub stop: Option<Stop>,
}

/// What can happen next.
enum Happening {
    Rows(Batch<InputRow>),
    Finished(PromptId, Result<Outline, Stop>),
    Panicked(PromptId),
    Draining,
    Tick,
}

struct State {
    summary: Summary,
    began: Instant,
    running: JoinSet<Result<Outline, Stop>>,
    /// Which prompt each task works on, so that one that panics has a name.
    prompts: HashMap<Id, PromptId>,
    reading: bool,
    turn: u64,
    stop: Option<Stop>,
    /// Models that answered in the place of others, as far as they were told.
    substitutes: BTreeSet<Substitute>,
    /// Roles and models whose prompts were cut, as far as they were told.
    cut: BTreeSet<(Role, String)>,
}

/// Runs to the end of the input, or until it is stopped. `rows` is read on a thread of its own.
pub async fn run<T>(
    run: Run<T>,
    rows: impl Iterator<Item = InputRow> + Send + 'static,
) -> Result<Finished, Stop>
where
    T: Transport + std::fmt::Debug + 'static,
{
    let span = tracing::info_span!("run", name = run.name);
    run_read_ahead(run, || ReadAhead::start(rows)).instrument(span).await
}

/// The same over rows that `read` begins to read.
pub(super) async fn run_read_ahead<T>(
    run: Run<T>,
    read: impl FnOnce() -> Result<ReadAhead<InputRow>, Stop>,
) -> Result<Finished, Stop>
where
    T: Transport + std::fmt::Debug + 'static,
{
    let info = run.memo.journal().begin_pass(&run.fingerprint).await.map_err(|error| journal_stop(&error))?;
    run.memo.count_asked_before(info.answers);
    let mut input = read()?;
    let mut state = State {
        summary: Summary::default(),
        began: Instant::now(),
        running: JoinSet::new(),
        prompts: HashMap::new(),
        reading: true,
        turn: 0,
        stop: None,
        substitutes: BTreeSet::new(),
        cut: BTreeSet::new(),
    };
    let begun = Event::Started { run: run.name.clone(), expected: run.expected, journalled: info.answers };
    run.events.tell(begun).await;
    let mut tick = tokio::time::interval_at(state.began + PROGRESS, PROGRESS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while state.reading || !state.running.is_empty() {
        let width = run.width.min(run.memo.prompts_wanted());
        let room = width.max(1).saturating_sub(state.running.len());
        let happening = tokio::select! {
            biased;
            Some(ended) = state.running.join_next_with_id() => ended_task(ended, &mut state.prompts),
            () = run.shutdown.reaches(Phase::Draining), if state.reading => Happening::Draining,
            _ = tick.tick() => Happening::Tick,
            () = run.memo.prompts_wanted_changes(), if state.reading => continue,
            rows = input.next_batch(room), if state.reading && room > 0 => Happening::Rows(rows),
        };
        if let Err(stop) = handle(&run, &mut state, happening).await {
            // Nothing can be kept any more: whatever is in flight is let go.
            state.stop = Some(stop);
            break;
        }
    }
    let mut summary = state.counted(&run);
    summary.not_begun = match (&state.stop, run.expected) {
        (None, _) => Some(0),
        (Some(_), expected) => expected.map(|rows| rows.saturating_sub(summary.prompts)),
    };
    Ok(Finished { summary, stop: state.stop })
}

fn ended_task(
    ended: Result<(Id, Result<Outline, Stop>), JoinError>,
    prompts: &mut HashMap<Id, PromptId>,
) -> Happening {
    let id = match &ended {
        Ok((id, _)) => *id,
        Err(error) => error.id(),
    };
    let prompt = prompts.remove(&id).unwrap_or_else(|| PromptId(String::new()));
    match ended {
        Ok((_, result)) => Happening::Finished(prompt, result),
        Err(_) => Happening::Panicked(prompt),
    }
}

async fn handle<T>(run: &Run<T>, state: &mut State, happening: Happening) -> Result<(), Stop>
where
    T: Transport + std::fmt::Debug + 'static,
{
    match happening {
        Happening::Rows(Batch::Items(rows)) => admit(run, state, rows).await,
        Happening::Rows(Batch::Last(rows)) => {
            admit(run, state, rows).await?;
            end_input(run, state).await
        }
        Happening::Rows(Batch::BrokeOff) => {
            state.reading = false;
            state.stop = Some(broke_off());
            Ok(())
        }
        Happening::Draining => {
            state.reading = false;
            state.stop.get_or_insert(Stop::Interrupted);
            run.events.tell(Event::Stopping).await;
            Ok(())
        }
        Happening::Tick => {
            let counts = state.counted(run);
            run.events.tell(Event::Progress(counts)).await;
            Ok(())
        }
        Happening::Finished(id, Ok(outline)) => {
            finished(run, state, id, &outline, false).await;
            Ok(())
        }
        Happening::Finished(_, Err(Stop::Journal(why))) => Err(Stop::Journal(why)),
        Happening::Finished(_, Err(stop)) => {
            // One reason to stop is enough for all; chains begun are let go as they meet it themselves.
            state.reading = false;
            if state.stop.is_none() || state.stop == Some(Stop::Interrupted) {
                state.stop = Some(stop);
            }
            Ok(())
        }
        Happening::Panicked(id) => {
            tracing::warn!(prompt = %id.0, "the method broke off");
            let detail = "the method broke off; this is a bug of amend".to_owned();
            let reject = Reject { prompt_id: Some(id), at: None, reason: Reason::Bug, detail };
            run.memo.journal().reject_prompt(reject.clone()).await.map_err(|error| journal_stop(&error))?;
            state.summary.rejects += 1;
            run.events.tell(rejected(&reject)).await;
            Ok(())
        }
    }
}

async fn end_input<T: Transport>(run: &Run<T>, state: &mut State) -> Result<(), Stop> {
    state.reading = false;
    run.memo.journal().end_input().await.map_err(|error| journal_stop(&error))
}

/// Decides what becomes of rows of the input, in their order.
async fn admit<T>(run: &Run<T>, state: &mut State, rows: Vec<InputRow>) -> Result<(), Stop>
where
    T: Transport + std::fmt::Debug + 'static,
{
    if rows.is_empty() {
        return Ok(());
    }
    let arrivals = rows.iter().map(arrival).collect();
    let admissions = run.memo.journal().admit(arrivals).await.map_err(|error| journal_stop(&error))?;
    for (row, admission) in rows.into_iter().zip(admissions) {
        state.summary.prompts += 1;
        match (row, admission) {
            (InputRow::Prompt { prompt, .. }, Admission::New) => start(run, state, prompt),
            (InputRow::Prompt { prompt, .. }, Admission::Done(outline)) => {
                run.memo.count_journalled(outline.tally.calls);
                finished(run, state, prompt.id, &outline, true).await;
            }
            (InputRow::Prompt { prompt, at }, Admission::Duplicate { of }) => {
                let detail = format!("the same prompt is at {of}");
                let reject =
                    Reject { prompt_id: Some(prompt.id), at: Some(at), reason: Reason::Duplicate, detail };
                state.summary.rejects += 1;
                run.events.tell(rejected(&reject)).await;
            }
            (InputRow::Prompt { prompt, at }, Admission::Rejected) => {
                let reject = Reject {
                    prompt_id: Some(prompt.id),
                    at: Some(at),
                    reason: Reason::Rejected,
                    detail: String::new(),
                };
                state.summary.rejects += 1;
                run.events.tell(rejected(&reject)).await;
            }
            (InputRow::Reject(reject), _) => {
                state.summary.rejects += 1;
                run.events.tell(rejected(&reject)).await;
            }
        }
    }
    Ok(())
}

fn arrival(row: &InputRow) -> Arrival {
    match row {
        InputRow::Prompt { prompt, at } => Arrival::Prompt { id: prompt.id.clone(), at: at.clone() },
        InputRow::Reject(reject) => Arrival::Reject(reject.clone()),
    }
}

fn start<T>(run: &Run<T>, state: &mut State, prompt: Prompt)
where
    T: Transport + std::fmt::Debug + 'static,
{
    let (memo, context, row_rule) = (run.memo.clone(), run.context.clone(), run.row_rule.clone());
    let id = prompt.id.clone();
    let turn = state.turn;
    state.turn += 1;
    let span = tracing::info_span!("prompt", id = %id.0);
    let work = async move {
        let ask = memo.at(turn);
        let transcript = make_transcript(&ask, &context, &prompt).await?;
        let outline = Outline::of(&transcript, row_rule(&transcript));
        memo.journal()
            .finish(&transcript, outline.clone(), ask.troubled())
            .await
            .map_err(|error| journal_stop(&error))?;
        tracing::info!(ended = outline.ended.as_str(), rounds = outline.rounds, "finished");
        Ok(outline)
    };
    let task = state.running.spawn(work.instrument(span));
    state.prompts.insert(task.id(), id);
}

/// Tells of prompts that an endpoint cut, once for each role and model.
async fn tell_of_cuts<T: Transport>(run: &Run<T>, state: &mut State, outline: &Outline) {
    for cut in &outline.cut_prompts {
        if state.cut.insert((cut.role, cut.model.clone())) {
            tracing::info!(
                model = cut.model,
                counted = cut.counted,
                at_least = cut.at_least,
                "a prompt was cut"
            );
            run.events.tell(Event::PromptCut(cut.clone())).await;
        }
    }
}

/// Counts a finished transcript and tells of it.
async fn finished<T: Transport>(
    run: &Run<T>,
    state: &mut State,
    id: PromptId,
    outline: &Outline,
    from_journal: bool,
) {
    state.summary.verdicts.asked += outline.verdicts;
    state.summary.verdicts.undecided += outline.undecided;
    stop_if_undecided(run, state, &outline.row);
    for substitute in &outline.substitutes {
        if state.substitutes.insert(substitute.clone()) {
            tracing::info!(asked = substitute.asked, answered = substitute.answered, "another model answers");
            run.events.tell(Event::OtherModel(substitute.clone())).await;
        }
    }
    tell_of_cuts(run, state, outline).await;
    match &outline.row {
        Row::Kept => {
            state.summary.rows += 1;
            let event = Event::Prompt {
                prompt_id: id.0,
                ended: outline.ended.as_str().into(),
                rounds: outline.rounds,
                violated: outline.violated.clone(),
                from_journal,
            };
            run.events.tell(event).await;
        }
        Row::Rejected { reason, detail } => {
            state.summary.rejects += 1;
            let (reason, detail) = (reason.clone(), detail.clone());
            run.events.tell(rejected(&Reject { prompt_id: Some(id), at: None, reason, detail })).await;
        }
    }
}

/// Stops the run when too many verdicts are undecided. Prompts that are begun are finished.
fn stop_if_undecided<T: Transport>(run: &Run<T>, state: &mut State, last: &Row) {
    let counts = state.summary.verdicts;
    if state.stop.is_some()
        || counts.asked < ENOUGH_VERDICTS
        || counts.share_undecided() <= run.max_undecided_share
    {
        return;
    }
    let why = match last {
        Row::Rejected { detail, .. } => format!("; of the last prompt: {detail}"),
        Row::Kept => String::new(),
    };
    state.reading = false;
    state.stop = Some(Stop::Undecided(format!(
        "{} of {} verdicts are undecided{why}; look at the critic's answers with `amend show`, or raise \
         `limits.max_undecided_share`",
        counts.undecided, counts.asked
    )));
}

fn rejected(reject: &Reject) -> Event {
    Event::Reject {
        prompt_id: reject.prompt_id.as_ref().map(|id| id.0.clone()),
        at: reject.at.clone(),
        reason: reject.reason.clone(),
        detail: reject.detail.clone(),
    }
}

impl State {
    /// The counts now: what is neither a row nor a reject is unfinished.
    fn counted<T: Transport>(&self, run: &Run<T>) -> Summary {
        let mut summary = self.summary;
        summary.unfinished = summary.prompts - summary.rows - summary.rejects;
        summary.calls = run.memo.counts();
        summary.tokens = run.memo.usage();
        summary.seconds = self.began.elapsed().as_secs_f64();
        summary
    }
}
