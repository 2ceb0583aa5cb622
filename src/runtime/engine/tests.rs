//! The laws of a run, in one process and on virtual time: the simulated model answers, the journal works inline.

use super::input::ReadAhead;
use super::memo::Memo;
use super::*;
use crate::pure::answer::Outcome;
use crate::pure::ask::Stop;
use crate::pure::constitution::{Constitution, read};
use crate::pure::diagnostic::SourceFile;
use crate::pure::digest::Parts;
use crate::pure::method::MethodContext;
use crate::pure::prompt::Prompt;
use crate::pure::reason::Reason;
use crate::pure::recipe::RoleModels;
use crate::pure::recipe::{Concurrency, Export, Gates, Limits, Method, Model, Models, Sim};
use crate::pure::reject::Reject;
use crate::pure::template::Templates;
use crate::pure::transcript::Transcript;
use crate::runtime::dataset::prompts::Row as Input;
use crate::runtime::dataset::rows::{Boilerplate, Context, MoreColumns, keep_or_reject};
use crate::runtime::journal::{AtCommit, CommitHook, Durability, Journal, Options, Reader, Writing};
use crate::runtime::model::{Client, Fault, OnDelta, Reply, Request, Transport, wire};
use crate::runtime::sim::{SimTransport, Stats};
use seeded::Storm;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

mod seeded;

const THREE: &str = r#"
[constitution]
id = "three"
[[principle]]
id = "kind"
text = "The response is kind to the person who asks."
[[principle]]
id = "honest"
text = "The response says only what is true."
[[principle]]
id = "short"
text = "The response is no longer than it has to be."
"#;

/// Compiled once: that takes longer than a run.
static TEMPLATES: LazyLock<Templates> = LazyLock::new(Templates::built_in);

/// A simulated model whose answers come in an order that depends on a number, and which can be told to panic.
#[derive(Debug, Clone)]
struct World {
    settings: Sim,
    sim: SimTransport,
    order: u64,
    panics_at: Option<&'static str>,
    storm: Storm,
    /// Requests in flight, and the most of them at any time.
    in_flight: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
    /// How often each request was answered.
    answered: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl World {
    fn new(sim: Sim) -> Self {
        Self {
            sim: SimTransport::new(sim.clone()),
            settings: sim,
            order: 0,
            panics_at: None,
            storm: Storm::default(),
            in_flight: Arc::default(),
            most: Arc::default(),
            answered: Arc::default(),
        }
    }

    /// Answers that were paid for again.
    fn paid_again(&self) -> u64 {
        self.answered.lock().unwrap().values().map(|times| times - 1).sum()
    }

    fn stats(&self) -> Stats {
        self.sim.stats()
    }
}

impl Transport for World {
    async fn send(&self, request: &Request, on_delta: Option<OnDelta<'_>>) -> Result<Reply, Fault> {
        let body = request.body.to_string();
        assert!(!self.panics_at.is_some_and(|text| body.contains(text)), "as planned");
        let in_flight = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(in_flight, Ordering::Relaxed);
        let millis = 1 + Parts::new("order").with_u64(self.order).with(body).uniform() % 1000;
        let leaving = Leaving(&self.in_flight);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        let reply = match self.storm.weather().await {
            Some(ended) => ended,
            None => self.sim.send(request, on_delta).await,
        };
        if let Ok(Reply { status: 200, body: answer, .. }) = &reply
            && !matches!(wire::read(answer).outcome, Outcome::Malformed(_))
        {
            *self.answered.lock().unwrap().entry(request.body.to_string()).or_default() += 1;
        }
        drop(leaving);
        reply
    }
}

/// A request in flight, until it is answered or given up.
struct Leaving<'a>(&'a AtomicU64);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A world with something to do: about every second draft violates something.
fn sim() -> Sim {
    Sim { violations: 0.3, false_alarms: 0.05, cache_blocks: 0, ..Sim::default() }
}

/// What is run, and how.
#[derive(Clone)]
struct Setup {
    world: World,
    constitution: String,
    rows: Vec<Input>,
    method: Method,
    concurrency: u32,
    max_calls: Option<u64>,
    hook: Option<CommitHook>,
    /// Steps of stopping, each after so much time.
    stops: Vec<Duration>,
    /// Whether all rows are read before the run begins, so that no thread decides which of them come together.
    is_read_before: bool,
    /// When everything is dropped where it is, as by a crash.
    dies_after: Option<Duration>,
    /// Whether anybody hears the events.
    is_heard: bool,
}

impl Setup {
    fn new(sim: Sim, prompts: usize) -> Self {
        Self {
            world: World::new(sim),
            constitution: THREE.into(),
            rows: (0..prompts).map(prompt).collect(),
            method: Method::default(),
            concurrency: 4,
            max_calls: None,
            hook: None,
            stops: Vec::new(),
            is_read_before: false,
            dies_after: None,
            is_heard: true,
        }
    }

    /// The same run by somebody who did nothing before: a new model that answers the same.
    fn afresh(&self) -> Self {
        let sim = SimTransport::new(self.world.settings.clone());
        Self { world: World { sim, ..self.world.clone() }, hook: None, ..self.clone() }
    }

    fn constitution(&self) -> Constitution {
        let file = SourceFile::new("test.toml", self.constitution.as_str());
        read(&file, &mut |_| Err("nothing to extend".into())).unwrap().0
    }
}

fn prompt(n: usize) -> Input {
    Input::Prompt { prompt: Prompt::single(format!("What is the use of tool {n}?")), at: format!("f:{n}") }
}

/// The rule of a project that has only this constitution.
fn row_rule(constitution: Constitution) -> RowRule {
    let (gates, export) = (Gates::default(), Export::default());
    Arc::new(move |transcript: &Transcript| {
        let context = Context {
            constitution: &constitution,
            constitution_sha256: "",
            seed: 7,
            simulated: false,
            more_columns: MoreColumns::None,
            export: &export,
            gates: &gates,
            boilerplate: &Boilerplate::default(),
        };
        keep_or_reject(transcript, &context)
    })
}

/// Runs it in a directory, with rows that come from an iterator, and gives the events too.
fn run_rows(
    dir: &Path,
    setup: &Setup,
    rows: impl Iterator<Item = Input> + Send + 'static,
) -> (Result<Finished, Stop>, Vec<Event>) {
    let options =
        Options { writing: Writing::Inline, durability: Durability::Process, hook: setup.hook.clone() };
    let journal = Journal::open(dir, options).unwrap();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let default = Model { model: Some("sim".into()), ..Model::default() };
    let models = RoleModels::resolve(&Models { default, ..Models::default() }).unwrap();
    let constitution = setup.constitution();
    let fingerprint = constitution.sha256();
    let context = MethodContext::new(
        constitution,
        TEMPLATES.clone(),
        models.clone(),
        setup.method.clone(),
        Gates::default(),
        7,
    )
    .unwrap();
    let limits = Limits { concurrency: Concurrency::Fixed(setup.concurrency), ..Limits::default() };
    let client = Client::new(setup.world.clone(), limits, Arc::new(|_| {}));
    let (stopper, shutdown) = shutdown();
    let events = EventBus::default();
    let mut heard = events.subscribe_with_room(if setup.is_heard { 10_000 } else { 1 });
    let memo = Memo::new(journal, client, models, shutdown.clone(), Spending::of_calls(setup.max_calls));
    let run = Run {
        memo: Arc::new(memo),
        context: Arc::new(context),
        row_rule: row_rule(setup.constitution()),
        fingerprint,
        max_undecided_share: 1.0,
        width: setup.concurrency as usize,
        expected: None,
        events,
        shutdown,
        name: "test".into(),
    };
    // Time stands still until the reader's thread, which knows nothing of it, has read everything.
    let (reading, read) = std::sync::mpsc::channel::<()>();
    let rows = rows.inspect(move |_| drop(reading.clone()));
    let finished = runtime.block_on(async {
        if !setup.is_read_before {
            tokio::task::spawn_blocking(move || read.recv().is_err());
        }
        let running = async {
            if setup.is_read_before {
                let rows: Vec<Input> = rows.collect();
                super::run::run_read_ahead(run, || Ok(ReadAhead::that_has_read(rows))).await
            } else {
                super::run(run, rows).await
            }
        };
        let stopping = async {
            for wait in &setup.stops {
                tokio::time::sleep(*wait).await;
                stopper.step();
            }
            std::future::pending::<std::convert::Infallible>().await
        };
        tokio::select! {
            biased;
            finished = running => finished,
            never = stopping => match never {},
            () = async {
                match setup.dies_after {
                    Some(after) => tokio::time::sleep(after).await,
                    None => std::future::pending().await,
                }
            } => Err(Stop::Bug("it died, as planned".into())),
        }
    });
    drop(runtime);
    let mut events = Vec::new();
    while let Ok(event) = heard.try_recv() {
        events.push(event);
    }
    if let Ok(finished) = &finished {
        adds_up(finished);
    }
    (finished, events)
}

fn run_in(dir: &Path, setup: &Setup) -> Result<Finished, Stop> {
    run_rows(dir, setup, setup.rows.clone().into_iter()).0
}

#[track_caller]
fn adds_up(finished: &Finished) {
    let Summary { prompts, rows, rejects, unfinished, .. } = finished.summary;
    assert_eq!(prompts, rows + rejects + unfinished, "{finished:?}");
}

/// Everything a dataset is made of.
fn transcripts(dir: &Path) -> Vec<String> {
    let reader = Reader::open(dir).unwrap();
    reader.transcripts().map(|transcript| serde_json::to_string(&transcript.unwrap()).unwrap()).collect()
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// The transcripts of a run that nothing disturbs.
fn undisturbed(setup: &Setup) -> Vec<String> {
    let dir = scratch();
    let finished =
        run_in(dir.path(), &Setup { stops: Vec::new(), max_calls: None, ..setup.afresh() }).unwrap();
    assert_eq!((finished.stop, finished.summary.unfinished), (None, 0));
    transcripts(dir.path())
}

#[test]
fn order_and_concurrency_change_nothing() {
    let setup = Setup::new(sim(), 20);
    let expected = undisturbed(&setup);
    assert_eq!(expected.len(), 20);
    assert!(expected.iter().any(|json| json.contains(r#""kept""#)), "nothing was revised");
    for (order, concurrency) in [(1, 1), (2, 3), (3, 16), (4, 64), (5, 64)] {
        let mut other = Setup { concurrency, ..setup.clone() };
        other.world.order = order;
        other.rows.sort_by_key(|row| Parts::new("shuffle").with_u64(order).with(format!("{row:?}")).bytes());
        assert_eq!(undisturbed(&other), expected, "order {order}, concurrency {concurrency}");
    }
}

#[test]
fn at_most_so_many_calls_are_in_flight() {
    for concurrency in [1, 3, 16] {
        let setup = Setup { concurrency, ..Setup::new(sim(), 40) };
        run_in(scratch().path(), &setup).unwrap();
        assert_eq!(setup.world.most.load(Ordering::Relaxed), u64::from(concurrency));
    }
}

#[test]
fn a_crash_at_any_commit_loses_nothing_and_asks_at_most_what_was_in_flight() {
    let setup = Setup::new(sim(), 3);
    let expected = undisturbed(&setup);
    let counted = Arc::new(AtomicU64::new(0));
    let counter = counted.clone();
    let hook = CommitHook(Arc::new(move |n| {
        counter.store(n + 1, Ordering::Relaxed);
        AtCommit::Commit
    }));
    run_in(scratch().path(), &Setup { hook: Some(hook), ..setup.afresh() }).unwrap();
    let commits = counted.load(Ordering::Relaxed);
    assert!(commits > 20, "{commits}");
    for at in 0..commits {
        for how in [AtCommit::DieBefore, AtCommit::DieAfter] {
            let dir = scratch();
            let crashing = setup.afresh();
            let reached = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&reached);
            let hook = CommitHook(Arc::new(move |n| {
                seen.fetch_or(n == at, Ordering::Relaxed);
                if n == at { how } else { AtCommit::Commit }
            }));
            let crashed = run_in(dir.path(), &Setup { hook: Some(hook), ..crashing.clone() });
            // How many rows one commit admits depends on the reader's thread: at most one commit a row, and the input's end.
            if !reached.load(Ordering::Relaxed) {
                assert!(
                    at + 4 >= commits && !has_lost_its_journal(&crashed),
                    "commit {at} of {commits}: {crashed:?}"
                );
                continue;
            }
            assert!(has_lost_its_journal(&crashed), "commit {at}, {how:?}: {crashed:?}");
            let resumed = run_in(dir.path(), &crashing).unwrap();
            assert_eq!((resumed.stop, resumed.summary.rows), (None, 3), "commit {at}, {how:?}");
            assert_eq!(transcripts(dir.path()), expected, "commit {at}, {how:?}");
            let repeats = crashing.world.stats().repeats;
            // Inline there is one answer to a commit; on its own thread there may be as many as calls in flight.
            let lost = u64::from(how == AtCommit::DieBefore);
            assert!(repeats <= lost, "commit {at}, {how:?}: {repeats} calls were paid twice");
        }
    }
}

/// Whether the journal failed, before the run began or while it went on.
fn has_lost_its_journal(ended: &Result<Finished, Stop>) -> bool {
    matches!(ended, Err(Stop::Journal(_)) | Ok(Finished { stop: Some(Stop::Journal(_)), .. }))
}

#[test]
fn crashes_again_and_again_end_where_no_crash_does() {
    let setup = Setup::new(sim(), 12);
    let expected = undisturbed(&setup);
    let dir = scratch();
    let mut crashes = 0;
    loop {
        let at = 3 + crashes * 5 % 17;
        let hook =
            CommitHook(Arc::new(move |n| if n == at { AtCommit::DieBefore } else { AtCommit::Commit }));
        let ended = run_in(dir.path(), &Setup { hook: Some(hook), ..setup.clone() });
        if !has_lost_its_journal(&ended) {
            break assert_eq!(ended.map(|finished| finished.summary.rows), Ok(12));
        }
        crashes += 1;
        assert!(crashes < 500, "it gets nowhere");
    }
    assert!(crashes > 5, "{crashes}");
    assert_eq!(transcripts(dir.path()), expected);
    assert!(setup.world.stats().repeats <= crashes);
}

#[test]
fn faults_of_attempts_leave_no_trace() {
    let setup = Setup::new(sim(), 12);
    let expected = undisturbed(&setup);
    let broken = Sim {
        rate_limited: 0.1,
        server_errors: 0.1,
        resets: 0.1,
        stalls: 0.02,
        malformed: 0.05,
        rpm: Some(3000),
        ..sim()
    };
    let broken = Setup { world: World::new(broken), ..setup };
    let dir = scratch();
    let finished = run_in(dir.path(), &broken).unwrap();
    assert!(finished.summary.calls.retried > 10, "{:?}", finished.summary);
    assert_eq!(transcripts(dir.path()), expected);
}

#[test]
fn an_edited_principle_asks_only_what_it_reaches() {
    // Nothing is violated, so an edit reaches one critique of each prompt.
    let calm = Sim { violations: 0.0, false_alarms: 0.0, ..sim() };
    let setup = Setup::new(calm, 10);
    let dir = scratch();
    let first = run_in(dir.path(), &setup).unwrap().summary.calls;
    assert_eq!((first.asked, first.from_journal), (40, 0));
    let edited = Setup {
        constitution: THREE.replace("only what is true", "what is true, and only that"),
        ..setup.clone()
    };
    let second = run_in(dir.path(), &edited).unwrap().summary.calls;
    assert_eq!((second.asked, second.from_journal), (10, 30));
    let back = run_in(dir.path(), &setup).unwrap().summary.calls;
    assert_eq!((back.asked, back.from_journal), (0, 40));
    let again = run_in(dir.path(), &setup).unwrap().summary.calls;
    assert_eq!((again.asked, again.from_journal), (0, 40));
}

#[test]
fn counts_add_up_whatever_comes() {
    let bad = |n: usize| {
        let at = Some(format!("f:{n}"));
        Input::Reject(Reject { prompt_id: None, at, reason: Reason::BadJson, detail: String::new() })
    };
    let twice = |n: usize| match prompt(n) {
        Input::Prompt { prompt, .. } => Input::Prompt { prompt, at: format!("g:{n}") },
        Input::Reject(_) => unreachable!(),
    };
    let spoiled = Sim { refused: 0.1, filtered: 0.1, empty: 0.1, long: 0.1, unreadable: 0.2, ..sim() };
    let mut setup = Setup::new(spoiled, 30);
    setup.rows = (0..30).flat_map(|n| [prompt(n), bad(100 + n), twice(n)]).collect();
    let dir = scratch();
    let (finished, events) = run_rows(dir.path(), &setup, setup.rows.clone().into_iter());
    let summary = finished.unwrap().summary;
    assert_eq!((summary.prompts, summary.unfinished), (90, 0));
    let no_draft = summary.rejects - 60;
    assert!((1..30).contains(&no_draft), "{summary:?}");
    let told = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count() as u64;
    assert_eq!(told(|event| matches!(event, Event::Prompt { .. })), summary.rows);
    assert_eq!(told(|event| matches!(event, Event::Reject { .. })), summary.rejects);
    let kept = Reader::open(dir.path()).unwrap().rejects().count() as u64;
    assert_eq!(kept, summary.rejects, "every reject told is in the table");

    let again = run_in(dir.path(), &setup).unwrap().summary;
    assert_eq!((again.prompts, again.rows, again.rejects), (90, summary.rows, summary.rejects));
    assert_eq!(again.calls.asked, 0);
}

#[test]
fn stopped_at_any_time_it_goes_on_where_it_was() {
    let setup = Setup::new(sim(), 12);
    let expected = undisturbed(&setup);
    for millis in [0, 1, 50, 700, 1500, 3000] {
        for steps in [1, 2] {
            let dir = scratch();
            let setup = setup.afresh();
            let stops = vec![Duration::from_millis(millis), Duration::from_millis(100)];
            let stops = stops.into_iter().take(steps).collect();
            let stopped = run_in(dir.path(), &Setup { stops, ..setup.clone() }).unwrap();
            assert_eq!(stopped.stop, Some(Stop::Interrupted), "{millis} ms");
            if steps == 1 {
                assert_eq!(setup.world.stats().abandoned, 0, "calls in flight are finished: {millis} ms");
            }
            let resumed = run_in(dir.path(), &setup).unwrap();
            assert_eq!((resumed.stop, resumed.summary.rows), (None, 12));
            assert_eq!(transcripts(dir.path()), expected, "{millis} ms, {steps} steps");
            assert_eq!(setup.world.stats().repeats, 0, "{millis} ms, {steps} steps");
        }
    }
}

#[test]
fn a_budget_is_that_of_all_passes() {
    let setup = Setup::new(sim(), 8);
    let dir = scratch();
    let expected = undisturbed(&setup);
    let mut asked = 0;
    for max_calls in [7, 7, 20] {
        let stopped = run_in(dir.path(), &Setup { max_calls: Some(max_calls), ..setup.clone() }).unwrap();
        assert!(matches!(stopped.stop, Some(Stop::Budget(_))), "{stopped:?}");
        asked += stopped.summary.calls.asked;
        assert_eq!((asked, setup.world.stats().requests), (max_calls, max_calls));
    }
    run_in(dir.path(), &setup).unwrap();
    assert_eq!(transcripts(dir.path()), expected);
    assert_eq!(setup.world.stats().repeats, 0);
}

#[test]
fn one_prompt_that_breaks_the_method_is_one_reject() {
    let mut setup = Setup::new(sim(), 6);
    setup.world.panics_at = Some("tool 3?");
    let dir = scratch();
    let (finished, _) = run_rows(dir.path(), &setup, setup.rows.clone().into_iter());
    let finished = finished.unwrap();
    assert_eq!((finished.stop, finished.summary.rows, finished.summary.rejects), (None, 5, 1));
    let reject = Reader::open(dir.path()).unwrap().rejects().next().unwrap().unwrap();
    assert_eq!(reject.reason, Reason::Bug);
    setup.world.panics_at = None;
    let mended = run_in(dir.path(), &setup).unwrap();
    assert_eq!((mended.summary.rows, mended.summary.rejects), (6, 0));
    assert_eq!(Reader::open(dir.path()).unwrap().rejects().count(), 0);
}

#[test]
fn input_that_breaks_off_is_not_an_end_of_input() {
    let setup = Setup::new(sim(), 6);
    let dir = scratch();
    run_in(dir.path(), &setup).unwrap();
    let broken = (0..3).map(|n| if n < 2 { prompt(n) } else { panic!("as planned") });
    let (finished, _) = run_rows(dir.path(), &setup, broken);
    let finished = finished.unwrap();
    assert!(matches!(finished.stop, Some(Stop::Bug(_))), "{finished:?}");
    assert_eq!(finished.summary.rows, 2);
    assert_eq!(transcripts(dir.path()).len(), 6, "what was there stays");
}

#[test]
fn nobody_has_to_listen() {
    let setup = Setup::new(sim(), 12);
    let finished = run_in(scratch().path(), &Setup { is_heard: false, ..setup.clone() }).unwrap();
    assert_eq!((finished.stop, finished.summary.rows), (None, 12));
}

#[test]
fn rows_that_left_the_input_leave_the_run() {
    let mut setup = Setup::new(sim(), 6);
    let dir = scratch();
    run_in(dir.path(), &setup).unwrap();
    setup.rows.truncate(2);
    let finished = run_in(dir.path(), &setup).unwrap();
    assert_eq!((finished.summary.prompts, finished.summary.calls.asked), (2, 0));
    assert_eq!(transcripts(dir.path()).len(), 2);
}
