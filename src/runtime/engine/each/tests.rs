//! Laws of work over many items, on virtual time.

use super::super::memo::tests::{Counter, GOOD, call, memo};
use super::super::{ReadAhead, Shutdown, at_hand, shutdown};
use super::*;
use crate::pure::ask::Ask as _;
use crate::pure::digest::Parts;
use futures::TryStreamExt as _;
use std::cell::Cell;
use std::time::Duration;

const WIDTH: usize = 4;

fn setup<'a>(
    memo: &'a Memo<Counter>,
    events: &'a EventBus,
    shutdown: &'a Shutdown,
) -> WorkSetup<'a, Counter> {
    WorkSetup { memo, width: WIDTH, expected: None, events, shutdown, name: "work".into() }
}

/// A time that differs from item to item.
fn while_for(item: u64) -> Duration {
    Duration::from_millis(1 + Parts::new("order").with_u64(item).uniform() % 5000)
}

/// What comes before the end, and why it ended early.
async fn drain<R>(results: impl Stream<Item = Result<R, Stop>>) -> (Vec<R>, Option<Stop>) {
    let mut done = Vec::new();
    let mut results = std::pin::pin!(results);
    loop {
        match results.try_next().await {
            Ok(Some(result)) => done.push(result),
            Ok(None) => return (done, None),
            Err(stop) => {
                assert!(results.next().await.is_none(), "an error is the end");
                return (done, Some(stop));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn results_come_in_order_and_items_are_pulled_as_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let ((memo, _), events, (_stopper, shutdown)) =
        (memo(dir.path(), 200, GOOD), EventBus::default(), shutdown());
    let (pulled, done) = (Cell::new(0), Cell::new(0));
    let items = at_hand((0..200_u64).inspect(|n| {
        pulled.set(n + 1);
        assert!(pulled.get() - done.get() <= WIDTH as u64, "{} pulled, {} done", pulled.get(), done.get());
    }));
    let work = async |_: &MemoAt<'_, Counter>, n: u64| {
        tokio::time::sleep(while_for(n)).await;
        Ok(n)
    };
    let results = each(setup(&memo, &events, &shutdown), items, &work);
    let (found, stop) = drain(results.inspect(|_| done.set(done.get() + 1))).await;
    assert_eq!((found, stop), ((0..200).collect::<Vec<_>>(), None));
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_the_last_thing_and_what_was_begun_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let ((memo, _), events, (_stopper, shutdown)) =
        (memo(dir.path(), 200, GOOD), EventBus::default(), shutdown());
    let run = async |why: Stop| {
        let begun = Cell::new(0);
        let work = async |_: &MemoAt<'_, Counter>, n: u64| {
            begun.set(begun.get() + 1);
            tokio::time::sleep(Duration::from_millis(if n == 2 { 1 } else { 50 })).await;
            if n == 2 { Err(why.clone()) } else { Ok(n) }
        };
        let (found, stop) = drain(each(setup(&memo, &events, &shutdown), at_hand(0..20), &work)).await;
        assert_eq!(stop, Some(why.clone()));
        (found, begun.get())
    };
    // The stop's own turn comes after the two before it, but nothing is begun from the moment on that it was said.
    assert_eq!(run(Stop::Budget("used up".into())).await, (vec![0, 1, 3], 4));
    assert_eq!(run(Stop::Journal("no disk".into())).await, (vec![0, 1], 4));
}

#[tokio::test(start_paused = true)]
async fn the_first_step_finishes_what_is_begun_and_the_second_stops_now() {
    let dir = tempfile::tempdir().unwrap();
    let (memo, _) = memo(dir.path(), 200, GOOD);
    for (after, steps, wanted) in [(0, 1, 0), (25, 1, 12), (25, 2, 8)] {
        let (events, (stopper, shutdown)) = (EventBus::default(), shutdown());
        let mut heard = events.subscribe();
        // The memo of the test never hears of the shutdown, so the work asks it itself.
        let work = async |_: &MemoAt<'_, Counter>, n: u64| {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(10)) => Ok(n),
                () = shutdown.reaches(Phase::Now) => Err(Stop::Interrupted),
            }
        };
        let work = each(setup(&memo, &events, &shutdown), at_hand(0..100), &work);
        let stopping = async {
            tokio::time::sleep(Duration::from_millis(after)).await;
            (0..steps).for_each(|_| stopper.step());
        };
        let ((found, stop), ()) = futures::join!(drain(work), stopping);
        assert_eq!(stop, Some(Stop::Interrupted), "after {after} ms, {steps} steps");
        if after > 0 {
            assert_eq!(found, (0..wanted).collect::<Vec<_>>(), "after {after} ms, {steps} steps");
        }
        let told: Vec<Event> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
        assert_eq!(told.contains(&Event::Stopping), steps == 1, "{told:?}");
        assert!(matches!(told.last(), Some(Event::Summary(summary)) if summary.rows == found.len() as u64));
    }
}

#[tokio::test(start_paused = true)]
async fn asked_to_stop_when_everything_is_begun_nothing_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let ((memo, _), events, (stopper, shutdown)) =
        (memo(dir.path(), 200, GOOD), EventBus::default(), shutdown());
    let work = async |_: &MemoAt<'_, Counter>, n: u64| {
        stopper.step();
        Ok(n)
    };
    let setup = WorkSetup { expected: Some(1), width: 1, ..setup(&memo, &events, &shutdown) };
    assert_eq!(drain(each(setup, at_hand(0..1), &work)).await, (vec![0], None));
}

#[tokio::test]
async fn a_reader_that_breaks_off_is_an_error_and_not_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let ((memo, _), events, (_stopper, shutdown)) =
        (memo(dir.path(), 200, GOOD), EventBus::default(), shutdown());
    let work = async |_: &MemoAt<'_, Counter>, n: u64| Ok(n);
    let read = |breaks: bool| {
        let items = (0..10_u64).inspect(move |n| assert!(!breaks || *n < 7, "as planned"));
        ReadAhead::start(items).unwrap().into_stream()
    };
    let (found, stop) = drain(each(setup(&memo, &events, &shutdown), read(true), &work)).await;
    assert_eq!(found, (0..7).collect::<Vec<_>>());
    assert!(matches!(stop, Some(Stop::Bug(_))), "{stop:?}");
    let (found, stop) = drain(each(setup(&memo, &events, &shutdown), read(false), &work)).await;
    assert_eq!((found.len(), stop), (10, None));
}

#[tokio::test(start_paused = true)]
async fn counts_are_told_from_the_first_to_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let ((memo, asked), events, (_stopper, shutdown)) =
        (memo(dir.path(), 200, GOOD), EventBus::default(), shutdown());
    let mut heard = events.subscribe();
    let work = async |ask: &MemoAt<'_, Counter>, n: u64| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        // Half of them ask the same.
        Ok(ask.ask(call(&(n / 2).to_string())).await?.text)
    };
    let setup = WorkSetup { expected: Some(20), ..setup(&memo, &events, &shutdown) };
    let (found, stop) = drain(each(setup, at_hand(0..20), &work)).await;
    assert_eq!((found.len(), stop), (20, None));
    let told: Vec<Event> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    assert_eq!(told[0], Event::Started { run: "work".into(), expected: Some(20), journalled: 0 });
    assert!(told[1..].iter().any(|event| matches!(event, Event::Progress(_))), "{told:?}");
    let Some(Event::Summary(Summary { prompts, rows, unfinished, calls, .. })) = told.last() else {
        panic!("{told:?}")
    };
    assert_eq!((*prompts, *rows, *unfinished), (20, 20, 0));
    assert_eq!((calls.asked, calls.from_journal), (10, 10));
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 10);
}
