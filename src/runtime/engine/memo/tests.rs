//! Laws of the memo, over a scripted transport.

use super::*;
use crate::pure::call::{Purpose, Role, Sampling};
use crate::pure::prompt::{Message, Prompt};
use crate::pure::recipe::{Limits, Model, Models};
use crate::runtime::engine::shutdown;
use crate::runtime::journal::{Durability, Options, Writing};
use crate::runtime::model::{Delta, Fault, OnDelta, Reply, Request};
use futures::future::join_all;
use std::path::Path;
use std::time::Duration;

/// Answers every request with the same status and a body that tells how often it was asked before; streamed in two pieces
/// where somebody listens.
#[derive(Debug)]
pub(in crate::runtime::engine) struct Counter {
    status: u16,
    body: &'static str,
    asked: Arc<AtomicU64>,
}

impl Transport for Counter {
    async fn send(&self, _: &Request, on_delta: Option<OnDelta<'_>>) -> Result<Reply, Fault> {
        let n = self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(10)).await;
        if let Some(on_delta) = on_delta {
            on_delta(Delta::Text("answer ".into()));
            on_delta(Delta::Text(n.to_string()));
        }
        let body = self.body.replace('#', &n.to_string());
        Ok(Reply { status: self.status, retry_after_s: None, rate_reset_s: None, body })
    }
}

pub(in crate::runtime::engine) const GOOD: &str =
    r#"{"choices":[{"message":{"content":"answer #"},"finish_reason":"stop"}]}"#;
const LONG: &str =
    r#"{"error":{"message":"maximum context length exceeded","code":"context_length_exceeded"}}"#;

pub(in crate::runtime::engine) fn call(text: &str) -> Call {
    Call {
        prompt_id: Prompt::single(text).id,
        role: Role::Generator,
        purpose: Purpose::Draft { sample: 0 },
        model: "m".into(),
        sampling: Sampling::default(),
        messages: vec![Message::user(text)],
        draw: 0,
        seed: 1,
        format: None,
        fallback: false,
    }
}

/// A memo over a new journal and a [`Counter`], and how often that was asked.
pub(in crate::runtime::engine) fn memo(
    dir: &Path,
    status: u16,
    body: &'static str,
) -> (Memo<Counter>, Arc<AtomicU64>) {
    let options = Options { writing: Writing::Inline, durability: Durability::Process, hook: None };
    let journal = Journal::open(dir, options).unwrap();
    let asked = Arc::new(AtomicU64::new(0));
    let transport = Counter { status, body, asked: asked.clone() };
    let limits = Limits { attempts: 2, ..Limits::default() };
    let default =
        Model { model: Some("m".into()), base_url: Some("http://host/v1".into()), ..Model::default() };
    let models = RoleModels::resolve(&Models { default, ..Models::default() }).unwrap();
    let client = Client::new(transport, limits, Arc::new(|_| {}));
    (Memo::new(journal, client, models, shutdown().1, Spending::of_calls(None)), asked)
}

#[tokio::test(start_paused = true)]
async fn side_by_side_the_same_call_is_asked_once() {
    let dir = tempfile::tempdir().unwrap();
    let (memo, asked) = memo(dir.path(), 200, GOOD);
    let at = memo.at(0);
    let answers = join_all(["a", "a", "b", "a"].map(|text| Box::pin(at.ask(call(text))))).await;
    let texts: Vec<String> = answers.into_iter().map(|answer| answer.unwrap().text).collect();
    assert_eq!((&texts[0], &texts[0]), (&texts[1], &texts[3]));
    assert_ne!(texts[0], texts[2]);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert_eq!((memo.counts().asked, memo.counts().from_journal), (2, 2));
    assert!(memo.busy.lock().unwrap().is_empty(), "nothing is left behind");
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (memo, asked) = memo(dir.path(), 200, GOOD);
    let at = memo.at(0);
    {
        let both = join_all([at.ask(call("a")), at.ask(call("a"))]);
        assert!(tokio::time::timeout(Duration::from_millis(1), both).await.is_err());
    }
    assert!(memo.busy.lock().unwrap().is_empty());
    assert_eq!(at.ask(call("a")).await.unwrap().text, "answer 1");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

/// Asks one call in two passes; gives its outcome, whether its prompt was troubled, the requests of each pass, and
/// whether the journal has a body.
async fn in_two_passes(status: u16, body: &'static str) -> (&'static str, bool, u64, u64, bool) {
    let dir = tempfile::tempdir().unwrap();
    let (first, asked) = memo(dir.path(), status, body);
    let at = first.at(0);
    let answer = at.ask(call("a")).await.unwrap();
    let troubled = at.troubled();
    let kept = first.journal().answer(call("a").key()).await.unwrap().is_some_and(|kept| kept.body.is_some());
    let in_first = asked.load(Ordering::Relaxed);
    drop(first);
    let (second, asked) = memo(dir.path(), status, body);
    let again = second.at(0).ask(call("a")).await.unwrap();
    assert_eq!(again.outcome, answer.outcome);
    (answer.outcome.as_str(), troubled, in_first, asked.load(Ordering::Relaxed), kept)
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_for_good_and_a_failure_is_not() {
    let truncated = r#"{"choices":[{"message":{"content":"an"},"finish_reason":"length"}]}"#;
    let filtered = r#"{"error":{"message":"no","code":"content_filter"}}"#;
    assert_eq!(in_two_passes(200, GOOD).await, ("complete", false, 1, 0, true));
    assert_eq!(in_two_passes(200, truncated).await, ("truncated", false, 1, 0, true));
    assert_eq!(in_two_passes(400, filtered).await, ("filtered", false, 1, 0, false));
    // Another server, or the same with more memory, may take it: the key holds neither.
    assert_eq!(in_two_passes(400, LONG).await, ("failed", true, 1, 1, false));
    assert_eq!(in_two_passes(500, "").await, ("failed", true, 2, 2, false));
    // Asked again, but what came is kept for a parser that can read it.
    assert_eq!(in_two_passes(200, "<html>").await, ("malformed", true, 2, 2, true));
}

/// Keeps what it hears; wants the pieces of drafts only.
#[derive(Debug, Default)]
struct Watcher {
    heard: Mutex<Vec<String>>,
}

impl CallWatcher for Watcher {
    fn wants_pieces(&self, call: &Call) -> bool {
        matches!(call.purpose, Purpose::Draft { .. })
    }

    fn asks(&self, call: &Call) {
        self.heard.lock().unwrap().push(format!("asks {}", call.messages[0].content));
    }

    fn hears(&self, call: &Call, delta: Delta) {
        self.heard.lock().unwrap().push(format!("{} {delta:?}", call.messages[0].content));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_streamed_and_recorded_at_once() {
    let (alone, watched) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (quiet, _) = memo(alone.path(), 200, GOOD);
    let (memo, asked) = memo(watched.path(), 200, GOOD);
    let watcher = Watcher::default();
    let at = memo.at(0).watched_by(&watcher);
    let answer = at.ask(call("a")).await.unwrap();
    let unwatched = quiet.at(0).ask(call("a")).await.unwrap();
    assert_eq!(answer, unwatched, "the method gets the same");
    let body =
        async |memo: &Memo<Counter>| memo.journal().answer(call("a").key()).await.unwrap().unwrap().body;
    assert_eq!(body(&memo).await, body(&quiet).await, "and so does the journal");
    // Known, it is not heard again. What is not streamed is only announced.
    at.ask(call("a")).await.unwrap();
    let critique =
        Purpose::Critique { principle: "kind".into(), occasion: crate::pure::call::Occasion::Measurement };
    at.ask(Call { purpose: critique, ..call("b") }).await.unwrap();
    let heard = watcher.heard.lock().unwrap().clone();
    assert_eq!(heard, ["asks a", "a Text(\"answer \")", "a Text(\"0\")", "asks b"]);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}
