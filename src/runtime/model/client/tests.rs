//! The whole stack over a scripted transport, on virtual time.

use super::*;
use crate::pure::answer::{Answer, Outcome};
use crate::pure::call::{Purpose, Role, Sampling};
use crate::pure::prompt::{Message, Prompt};
use crate::pure::recipe::{Model, Models};
use crate::runtime::model::Reply;
use crate::runtime::model::line::{FAILURES_IN_A_ROW, REFUSALS_AT_FIRST};
use futures::StreamExt as _;
use proptest::prelude::*;

const GOOD: &str = r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}"#;

/// What one attempt meets.
#[derive(Debug, Clone)]
enum Meets {
    Status(u16, Option<f64>),
    Body(&'static str),
    Error(u16, &'static str),
    Fault(Fault),
    Silence,
}

/// Plays a script, then answers well for ever. Notes when it was asked.
#[derive(Default)]
struct Script {
    script: Mutex<Vec<Meets>>,
    asked: Mutex<Vec<Instant>>,
}

impl Transport for Script {
    async fn send(&self, request: &Request, on_delta: Option<OnDelta<'_>>) -> Result<Reply, Fault> {
        assert!(request.body["messages"].is_array());
        self.asked.lock().unwrap().push(Instant::now());
        if let Some(on_delta) = on_delta {
            on_delta(Delta::Text("h".into()));
        }
        let next = {
            let mut script = self.script.lock().unwrap();
            if script.is_empty() { Meets::Body(GOOD) } else { script.remove(0) }
        };
        tokio::time::sleep(Duration::from_millis(100)).await;
        let reply = |status, retry_after_s, body: &str| {
            Ok(Reply { status, retry_after_s, rate_reset_s: None, body: body.into() })
        };
        match next {
            Meets::Status(status, after) => reply(status, after, ""),
            Meets::Body(body) => reply(200, None, body),
            Meets::Error(status, body) => reply(status, None, body),
            Meets::Fault(fault) => Err(fault),
            Meets::Silence => std::future::pending().await,
        }
    }
}

/// What became of one call.
struct Seen {
    result: Result<(Recorded, Answer), Stop>,
    /// Seconds after the start at which each attempt was made.
    asked: Vec<f64>,
    retries: Vec<Retrying>,
    deltas: Vec<Delta>,
}

pub(super) fn call(text: &str) -> Call {
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

pub(super) fn model() -> ResolvedModel {
    let default = Model {
        model: Some("m".into()),
        base_url: Some("http://host/v1".into()),
        api_key_env: Some("OPENAI_API_KEY".into()),
        ..Model::default()
    };
    Models { default, ..Models::default() }.resolve(Role::Generator).unwrap()
}

async fn ask(script: Vec<Meets>, limits: Limits) -> Seen {
    ask_of(&model(), script, limits).await
}

async fn ask_of(model: &ResolvedModel, script: Vec<Meets>, limits: Limits) -> Seen {
    let retries = Arc::new(Mutex::new(Vec::new()));
    let heard = retries.clone();
    let transport = Script { script: Mutex::new(script), ..Script::default() };
    let client = Client::new(
        transport,
        limits,
        Arc::new(move |news| {
            if let ClientNews::Retry(retry) = news {
                heard.lock().unwrap().push(retry);
            }
        }),
    );
    let began = Instant::now();
    let deltas = Mutex::new(Vec::new());
    let on_delta = |delta| deltas.lock().unwrap().push(delta);
    let result = client.ask(&call("hello"), model, 0, Some(&on_delta)).await;
    let result = result.map(|(recorded, _permit)| (recorded.clone(), recorded.answer(false)));
    let asked = client.transport.asked.lock().unwrap().iter().map(|at| (*at - began).as_secs_f64()).collect();
    let retries = retries.lock().unwrap().clone();
    Seen { result, asked, retries, deltas: deltas.into_inner().unwrap() }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_recorded_as_it_came() {
    let seen = ask(vec![], Limits::default()).await;
    let (recorded, answer) = seen.result.unwrap();
    let expected =
        Recorded { status: 200, body: Some(GOOD.into()), failure: None, attempts: 1, latency_ms: 100 };
    assert_eq!(recorded, expected);
    assert_eq!((answer.complete(), answer.attempts), (Some("hi"), 1));
    let json = serde_json::to_string(&recorded).unwrap();
    assert_eq!(serde_json::from_str::<Recorded>(&json).unwrap(), recorded);
}

#[tokio::test(start_paused = true)]
async fn a_flex_tier_without_room_is_waited_for_as_long_as_it_takes() {
    let full = |n: usize| match n % 2 {
        0 => Meets::Error(
            429,
            r#"{"error":{"code":"resource_unavailable","message":"No flex capacity; see billing: nothing is charged."}}"#,
        ),
        _ => Meets::Error(
            498,
            r#"{"error":{"code":"capacity_exceeded","message":"flex tier capacity exceeded"}}"#,
        ),
    };
    let flex = ResolvedModel { service_tier: Some("flex".into()), ..model() };
    let limits = Limits { attempts: 2, ..Limits::default() };
    let seen = ask_of(&flex, (0..12).map(full).collect(), limits.clone()).await;
    let (recorded, answer) = seen.result.unwrap();
    assert_eq!((answer.complete(), recorded.attempts, recorded.failure), (Some("hi"), 13, None));
    assert!(seen.asked.windows(2).all(|two| two[1] - two[0] > 0.1), "{:?}", seen.asked);
    // An answer may take 900 s in that tier: a silent endpoint is asked again after that.
    for (model, seconds) in
        [(flex.clone(), 900.0), (model(), 120.0), (ResolvedModel { timeout_s: Some(300.0), ..flex }, 300.0)]
    {
        let seen = ask_of(&model, vec![Meets::Silence], limits.clone()).await;
        assert!(seen.result.is_ok_and(|(_, answer)| answer.complete() == Some("hi")));
        let waited = seen.asked[1] - seen.asked[0];
        assert!((seconds..seconds + 1.0).contains(&waited), "{waited} {seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn troubles_pass() {
    let script = vec![
        Meets::Status(500, None),
        Meets::Fault(Fault::Lost("reset".into())),
        Meets::Body("<html>"),
        Meets::Silence,
        Meets::Fault(Fault::Connect("x".into())),
    ];
    let seen = ask(script, Limits::default()).await;
    let (recorded, answer) = seen.result.unwrap();
    assert_eq!((answer.complete(), recorded.attempts), (Some("hi"), 6));
    let causes: Vec<_> = seen.retries.iter().map(|r| r.cause.as_str()).collect();
    assert_eq!(causes, ["500", "lost", "unreadable", "timeout", "connect"]);
    let restarts = seen.deltas.iter().filter(|d| **d == Delta::Restart).count();
    assert_eq!((restarts, seen.deltas.len()), (5, 11));
}

#[tokio::test(start_paused = true)]
async fn attempts_are_capped_and_what_came_is_kept() {
    let limits = Limits { attempts: 3, ..Limits::default() };
    let seen = ask(vec![Meets::Status(500, None); 9], limits.clone()).await;
    let (recorded, answer) = seen.result.unwrap();
    assert_eq!((recorded.attempts, recorded.status, recorded.is_transient()), (3, 500, true));
    assert_eq!(answer.outcome, Outcome::Failed("status 500".into()));

    let seen = ask(vec![Meets::Body("<html>"); 9], limits).await;
    let (recorded, answer) = seen.result.unwrap();
    assert_eq!((recorded.body.as_deref(), recorded.is_transient()), (Some("<html>"), true));
    assert_eq!(answer.outcome.as_str(), "malformed");
}

#[tokio::test(start_paused = true)]
async fn being_told_to_slow_down_is_no_failure() {
    let seen = ask(vec![Meets::Status(429, Some(10.0)); 20], Limits::default()).await;
    let (recorded, answer) = seen.result.unwrap();
    assert_eq!((answer.complete(), recorded.attempts), (Some("hi"), 21));
    for pair in seen.asked.windows(2) {
        assert!(pair[1] - pair[0] >= 10.1, "asked after {} s", pair[1] - pair[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_all_patience_ends_the_run() {
    let seen = ask(vec![Meets::Status(429, Some(3600.0))], Limits::default()).await;
    let Err(Stop::Provider(message)) = seen.result else { panic!("no stop") };
    assert!(message.contains("3600 s") && message.contains("run again later"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_was_never_there_ends_the_run() {
    let gone = Meets::Fault(Fault::Connect("`http://host/v1`: refused".into()));
    let seen = ask(vec![gone; 99], Limits::default()).await;
    let expected =
        "cannot connect to `http://host/v1`: refused; is the server running, and is `base_url` right?";
    assert_eq!(seen.result.unwrap_err(), Stop::Provider(expected.into()));
    assert_eq!(seen.asked.len(), ATTEMPTS_AT_A_STRANGER as usize);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_restarts_is_waited_for() {
    let gone = Meets::Fault(Fault::Connect("x".into()));
    let script = [vec![Meets::Body(GOOD)], vec![gone; 10]].concat();
    let transport = Script { script: Mutex::new(script), ..Script::default() };
    let client = Client::new(transport, Limits::default(), Arc::new(|_| {}));
    for _ in 0..2 {
        let (recorded, _permit) = client.ask(&call("hello"), &model(), 0, None).await.unwrap();
        assert_eq!(recorded.answer(false).complete(), Some("hi"));
    }
}

/// Plays an endpoint by the clock: away between two moments, and there before and after.
struct Away {
    from: f64,
    until: f64,
    how: Meets,
    began: Instant,
    /// Calls that met nobody.
    missed: AtomicUsize,
}

impl Transport for Away {
    async fn send(&self, _: &Request, _: Option<OnDelta<'_>>) -> Result<Reply, Fault> {
        let now = self.began.elapsed().as_secs_f64();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let reply = |status, body: &str| {
            Ok(Reply { status, retry_after_s: None, rate_reset_s: None, body: body.into() })
        };
        if now < self.from || now >= self.until {
            return reply(200, GOOD);
        }
        self.missed.fetch_add(1, Ordering::Relaxed);
        match &self.how {
            Meets::Status(status, _) => reply(*status, ""),
            Meets::Body(body) => reply(200, body),
            Meets::Error(status, body) => reply(*status, body),
            Meets::Fault(fault) => Err(fault.clone()),
            Meets::Silence => std::future::pending().await,
        }
    }
}

/// Hears of outages, and keeps what it heard.
pub(super) fn hears_outages() -> (OnNews, Arc<Mutex<Vec<Outage>>>) {
    let news = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&news);
    let on_news: OnNews = Arc::new(move |told| {
        if let ClientNews::Outage(outage) = told {
            heard.lock().unwrap().push(outage);
        }
    });
    (on_news, news)
}

/// Asks 4,000 calls, 32 at a time, of an endpoint that goes away; gives the seconds that takes, the calls that missed it,
/// the news, and how the calls ended.
async fn through_an_outage(
    how: Meets,
    lasts: f64,
    outage_s: f64,
) -> (f64, usize, Vec<Outage>, Vec<Result<bool, Stop>>) {
    let began = Instant::now();
    let transport = Away { from: 3.0, until: 3.0 + lasts, how, began, missed: AtomicUsize::new(0) };
    let limits = Limits { outage_s, concurrency: Concurrency::Fixed(32), ..Limits::default() };
    let (on_news, news) = hears_outages();
    let client = Arc::new(Client::new(transport, limits, on_news));
    let calls = futures::stream::iter(0..4_000_u64).map(|n| {
        let client = Arc::clone(&client);
        async move {
            let asked = client.ask(&call(&format!("hello {n}")), &model(), n, None).await;
            asked.map(|(recorded, _permit)| recorded.answer(false).complete().is_some())
        }
    });
    let ended = calls.buffer_unordered(64).collect().await;
    let missed = client.transport.missed.load(Ordering::Relaxed);
    let news = news.lock().unwrap().clone();
    (began.elapsed().as_secs_f64(), missed, news, ended)
}

/// However a model is away, its calls wait together: one asks, and all go on when it is answered.
#[tokio::test(start_paused = true)]
async fn an_outage_costs_its_time_and_little_more() {
    let without = through_an_outage(Meets::Body(GOOD), 0.0, 1800.0).await.0;
    let ways = [
        Meets::Status(404, None),
        Meets::Status(401, None),
        Meets::Status(403, None),
        Meets::Status(502, None),
        Meets::Status(503, None),
        Meets::Fault(Fault::Connect("x".into())),
    ];
    for how in ways {
        let (took, missed, news, ended) = through_an_outage(how.clone(), 45.0, 1800.0).await;
        assert!(ended.iter().all(|end| *end == Ok(true)), "{how:?}: calls are lost");
        assert!(took < without + 45.0 + 6.0, "{how:?} took {took} s, {without} s without");
        // Those in flight when it goes away, and a probe every few seconds.
        assert!(missed <= 32 + 15, "{how:?}: {missed} calls missed it");
        let [Outage::Begins { place, .. }, Outage::Ends { lasted, .. }] = &news[..] else {
            panic!("{how:?}: {news:?}")
        };
        assert_eq!(place, "`m` at `http://host/v1`");
        assert!((40.0..51.0).contains(&lasted.as_secs_f64()), "{how:?}: {lasted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_without_end_ends_the_run() {
    let (took, missed, _, ended) = through_an_outage(Meets::Status(401, None), 1e9, 60.0).await;
    let Some(Err(Stop::Provider(message))) = ended.iter().find(|end| end.is_err()) else { panic!("no stop") };
    assert!(
        message.contains("has been away for 60 s")
            && message.contains("is it set, and is it this endpoint's?"),
        "{message}"
    );
    assert!(ended.iter().all(|end| *end != Ok(false)), "a call failed instead of waiting");
    // Those who wait end with the one that probed last, and whoever comes later asks once.
    assert!((60.0..75.0).contains(&took), "{took}");
    assert!(missed < ended.iter().filter(|end| end.is_err()).count() + 50, "{missed} calls missed it");
}

/// A prompt that a firewall refuses is a prompt that fails: the others go on.
#[tokio::test(start_paused = true)]
async fn one_prompt_that_is_always_refused_is_no_outage() {
    struct Firewall;
    impl Transport for Firewall {
        async fn send(&self, request: &Request, _: Option<OnDelta<'_>>) -> Result<Reply, Fault> {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let is_bad = request.body["messages"][0]["content"] == "bad";
            let (status, body) = if is_bad { (403, "blocked") } else { (200, GOOD) };
            Ok(Reply { status, retry_after_s: None, rate_reset_s: None, body: body.into() })
        }
    }
    let client = Client::new(Firewall, Limits::default(), Arc::new(|_| {}));
    client.ask(&call("hello"), &model(), 0, None).await.unwrap();
    let others = async {
        for n in 0..2_000 {
            client.ask(&call(&format!("hello {n}")), &model(), 1, None).await.unwrap();
        }
    };
    let bad = async { client.ask(&call("bad"), &model(), 2, None).await.unwrap().0 };
    let ((), bad) = futures::join!(others, bad);
    assert_eq!((bad.status, bad.attempts, bad.is_transient()), (403, 6, true));
}

#[tokio::test(start_paused = true)]
async fn many_failures_in_a_row_end_the_run() {
    // A line that never got an answer is given up early, one that did is given more time.
    for (answers_first, calls) in [(false, REFUSALS_AT_FIRST), (true, FAILURES_IN_A_ROW)] {
        let mut script = vec![Meets::Status(400, None); 99];
        if answers_first {
            script.insert(0, Meets::Body(GOOD));
        }
        let transport = Script { script: Mutex::new(script), ..Script::default() };
        let client = Client::new(transport, Limits::default(), Arc::new(|_| {}));
        for _ in 1..calls + u32::from(answers_first) {
            let (recorded, _permit) = client.ask(&call("hello"), &model(), 0, None).await.unwrap();
            assert!(!recorded.is_transient());
        }
        let stopped = client.ask(&call("hello"), &model(), 0, None).await.unwrap_err();
        assert!(stopped.to_string().contains(&format!("in {calls} calls in a row")), "{stopped}");
    }
}

/// What one role gets says nothing about what another gets at the same endpoint.
#[tokio::test(start_paused = true)]
async fn an_answer_to_one_role_does_not_hide_that_another_is_refused() {
    let (good, refused) = (Meets::Body(GOOD), Meets::Status(400, None));
    let script = (0..99).flat_map(|_| [good.clone(), refused.clone()]).collect();
    let transport = Script { script: Mutex::new(script), ..Script::default() };
    let client = Client::new(transport, Limits::default(), Arc::new(|_| {}));
    let critic = Call { role: Role::Critic, ..call("judge it") };
    let generator = Call { role: Role::Generator, ..call("hello") };
    for n in 1..=REFUSALS_AT_FIRST {
        client.ask(&generator, &model(), 0, None).await.unwrap();
        let asked = client.ask(&critic, &model(), 0, None).await;
        assert_eq!(asked.is_err(), n == REFUSALS_AT_FIRST, "call {n}");
    }
}

fn meets() -> impl Strategy<Value = Meets> {
    prop_oneof![
        (prop_oneof![Just(429_u16), Just(500), Just(503), Just(408)], prop::option::of(0.0..2000.0_f64))
            .prop_map(|(status, after)| Meets::Status(status, after)),
        Just(Meets::Body("<html>")),
        Just(Meets::Fault(Fault::Lost("reset".into()))),
        Just(Meets::Fault(Fault::Connect("x".into()))),
        Just(Meets::Silence),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn patience_ends_and_waits_are_honoured(script in prop::collection::vec(meets(), 0..40),
                                            elapsed_s in 1.0..2000.0_f64, outage_s in 0.0..600.0_f64,
                                            attempts in 1_u32..9) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let limits = Limits { attempts, elapsed_s, outage_s, ..Limits::default() };
        let (seen, took) = runtime.block_on(async {
            let began = Instant::now();
            (ask(script.clone(), limits).await, began.elapsed().as_secs_f64())
        });
        // An outage ends with the probe that finds that it has lasted too long.
        prop_assert!(took <= elapsed_s + outage_s + 125.1, "took {took} of {elapsed_s} and {outage_s}");
        for (met, pair) in script.iter().zip(seen.asked.windows(2)) {
            if let Meets::Status(_, Some(after)) = met {
                prop_assert!(pair[1] - pair[0] >= *after, "{pair:?} after {after}");
            }
        }
        // Probes are told as one outage, and not each.
        prop_assert!(seen.retries.len() < seen.asked.len());
    }
}
