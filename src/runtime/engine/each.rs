//! Any work over many items: test cases, questions, variants of a method, the prompts of a probe.
//!
//! [`each`] is to such work what [`run`](super::run()) is to the prompts of a run: so many pieces side by side, the first
//! Ctrl-C finishes what is begun and the second stops now, one reason to stop is enough for all, and counts are told
//! every few seconds. It keeps no transcripts and no rejects; what a piece gives goes to the caller, who adds it up. So
//! memory holds the pieces that are worked on, and not all items or all results (law 8).

use super::memo::{Memo, MemoAt};
use super::run::PROGRESS;
use super::{Event, EventBus, Phase, Shutdown, Summary};
use crate::pure::ask::Stop;
use crate::runtime::model::Transport;
use futures::stream::{self, FuturesOrdered, StreamExt as _};
use futures::{FutureExt as _, Stream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tracing::Instrument as _;

/// What the pieces of work share.
pub struct WorkSetup<'a, T> {
    /// Answers calls.
    pub memo: &'a Memo<T>,
    /// Pieces in flight at most.
    pub width: usize,
    /// Items that there are, where that is known.
    pub expected: Option<u64>,
    /// Carries what happens to whoever subscribed.
    pub events: &'a EventBus,
    /// Asks to stop.
    pub shutdown: &'a Shutdown,
    /// The work's name in events.
    pub name: String,
}

impl<T> std::fmt::Debug for WorkSetup<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkSetup").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The state of some work, between two results.
struct Progression<'a, T, S, F: Future> {
    setup: WorkSetup<'a, T>,
    items: Pin<Box<S>>,
    running: FuturesOrdered<F>,
    tick: Interval,
    began: Instant,
    reading: bool,
    /// A piece said stop. Results come in order, so this is known before its result's turn comes.
    halted: Arc<AtomicBool>,
    turn: u64,
    done: u64,
    stop: Option<Stop>,
}

/// What can happen next.
enum WorkEvent<I, R> {
    Item(I),
    NoMoreItems,
    Finished(R),
    Stopped(Stop),
    Draining,
    Tick,
}

/// Does the work on every item and gives the results in the items' order. Items are pulled as there is room.
///
/// An `Err` is the last thing that comes: it says why not every item was worked on. What was begun before it is finished
/// first, for it is paid for; only a journal that fails, which can keep nothing any more, ends everything at once.
pub fn each<'a, I, R, T>(
    setup: WorkSetup<'a, T>,
    items: impl Stream<Item = Result<I, Stop>> + 'a,
    work: &'a impl AsyncFn(&MemoAt<'_, T>, I) -> Result<R, Stop>,
) -> impl Stream<Item = Result<R, Stop>> + 'a
where
    I: 'a,
    R: 'a,
    T: Transport,
{
    let memo = setup.memo;
    let next_result = move |state: Option<Progression<'a, T, _, _>>| async move {
        let mut state = state?;
        loop {
            if state.is_over() {
                return state.end().await.map(|stop| (Err(stop), None));
            }
            match state.next_event().await {
                WorkEvent::Item(item) => {
                    state.running.push_back(piece(memo, work, state.turn, item, Arc::clone(&state.halted)));
                    state.turn += 1;
                }
                WorkEvent::NoMoreItems => state.reading = false,
                WorkEvent::Finished(result) => {
                    state.done += 1;
                    return Some((Ok(result), Some(state)));
                }
                WorkEvent::Stopped(stop @ Stop::Journal(_)) => return Some((Err(stop), None)),
                WorkEvent::Stopped(stop) => state.stop_for(stop),
                WorkEvent::Draining => {
                    state.stop_for(Stop::Interrupted);
                    state.setup.events.tell(Event::Stopping).await;
                }
                WorkEvent::Tick => state.setup.events.tell(Event::Progress(state.counted())).await,
            }
        }
    };
    let begun = async move { stream::unfold(Some(Progression::begin(setup, items).await), next_result) };
    begun.flatten_stream()
}

/// One piece of work. Its stop halts the others before they begin.
async fn piece<I, R, T>(
    memo: &Memo<T>,
    work: &impl AsyncFn(&MemoAt<'_, T>, I) -> Result<R, Stop>,
    turn: u64,
    item: I,
    halted: Arc<AtomicBool>,
) -> Result<R, Stop>
where
    T: Transport,
{
    let result = work(&memo.at(turn), item).instrument(tracing::info_span!("item", n = turn)).await;
    if result.is_err() {
        halted.store(true, Ordering::Relaxed);
    }
    result
}

impl<'a, I, R, T, S, F> Progression<'a, T, S, F>
where
    T: Transport,
    S: Stream<Item = Result<I, Stop>>,
    F: Future<Output = Result<R, Stop>>,
{
    async fn begin(setup: WorkSetup<'a, T>, items: S) -> Self {
        let journalled = setup.memo.asked_before();
        let begun = Event::Started { run: setup.name.clone(), expected: setup.expected, journalled };
        setup.events.tell(begun).await;
        let began = Instant::now();
        let mut tick = tokio::time::interval_at(began + PROGRESS, PROGRESS);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            setup,
            items: Box::pin(items),
            running: FuturesOrdered::new(),
            tick,
            began,
            reading: true,
            halted: Arc::default(),
            turn: 0,
            done: 0,
            stop: None,
        }
    }

    fn is_over(&self) -> bool {
        !self.is_reading() && self.running.is_empty()
    }

    fn is_reading(&self) -> bool {
        self.reading && !self.halted.load(Ordering::Relaxed)
    }

    async fn next_event(&mut self) -> WorkEvent<I, R> {
        let width = self.setup.width.min(self.setup.memo.prompts_wanted());
        let wants_more = self.is_reading() && self.running.len() < width.max(1);
        tokio::select! {
            biased;
            Some(ended) = self.running.next() => match ended {
                Ok(result) => WorkEvent::Finished(result),
                Err(stop) => WorkEvent::Stopped(stop),
            },
            () = self.setup.shutdown.reaches(Phase::Draining), if self.reading => WorkEvent::Draining,
            _ = self.tick.tick() => WorkEvent::Tick,
            item = self.items.next(), if wants_more => match item {
                Some(Ok(item)) => WorkEvent::Item(item),
                Some(Err(stop)) => WorkEvent::Stopped(stop),
                None => WorkEvent::NoMoreItems,
            },
        }
    }

    /// Begins nothing more. The first reason stays, unless it was only that the user asked to stop.
    fn stop_for(&mut self, stop: Stop) {
        self.reading = false;
        if self.stop.is_none() || self.stop == Some(Stop::Interrupted) {
            self.stop = Some(stop);
        }
    }

    /// Tells the last counts, and says why not everything was done.
    async fn end(&mut self) -> Option<Stop> {
        self.setup.events.tell(Event::Summary(self.counted())).await;
        // Asked to stop when every item had been begun: nothing is missing.
        let is_complete = self.setup.expected.is_some_and(|expected| self.done >= expected);
        self.stop.take().filter(|stop| *stop != Stop::Interrupted || !is_complete)
    }

    fn counted(&self) -> Summary {
        Summary {
            prompts: self.turn,
            rows: self.done,
            unfinished: self.turn - self.done,
            calls: self.setup.memo.counts(),
            tokens: self.setup.memo.usage(),
            seconds: self.began.elapsed().as_secs_f64(),
            ..Summary::default()
        }
    }
}

#[cfg(test)]
mod tests;
