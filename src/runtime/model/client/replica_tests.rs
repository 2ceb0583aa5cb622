//! Several endpoints of one model, on virtual time: a prompt keeps its place, what is away is left out and taken back.

use super::tests::{call, hears_outages, model};
use super::*;
use crate::runtime::model::Reply;
use futures::StreamExt as _;
use std::collections::BTreeSet;

const GOOD: &str = r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}"#;
const URLS: [&str; 3] = ["http://a/v1", "http://b/v1", "http://c/v1"];

/// How an endpoint fails, from one second to another.
#[derive(Debug, Clone)]
enum Fails {
    Refused,
    Status(u16),
}

/// When and how each endpoint fails, and who was asked when about which prompt.
struct Replicas {
    began: Instant,
    fails: Vec<(&'static str, f64, f64, Fails)>,
    asked: Mutex<Vec<(String, f64, String)>>,
}

impl Transport for Replicas {
    async fn send(&self, request: &Request, _: Option<OnDelta<'_>>) -> Result<Reply, Fault> {
        let (url, now) = (request.model.base_url.clone().unwrap(), self.began.elapsed().as_secs_f64());
        let text = request.body["messages"][0]["content"].as_str().unwrap().to_owned();
        self.asked.lock().unwrap().push((url.clone(), now, text));
        tokio::time::sleep(Duration::from_millis(100)).await;
        let fault =
            self.fails.iter().find(|(at, from, until, _)| *at == url && (*from..*until).contains(&now));
        let reply = |status, body: &str| {
            Ok(Reply { status, retry_after_s: None, rate_reset_s: None, body: body.into() })
        };
        match fault.map(|(.., how)| how) {
            None => reply(200, GOOD),
            Some(Fails::Status(status)) => reply(*status, ""),
            Some(Fails::Refused) => Err(Fault::Connect(format!("`{url}`: refused"))),
        }
    }
}

struct Done {
    client: Arc<Client<Replicas>>,
    news: Vec<Outage>,
    ended: Vec<Result<bool, Stop>>,
    took: f64,
}

impl Done {
    fn asked(&self, url: &str) -> Vec<(f64, String)> {
        let asked = self.client.transport.asked.lock().unwrap();
        asked.iter().filter(|(at, ..)| at == url).map(|(_, now, text)| (*now, text.clone())).collect()
    }
}

/// Asks two calls about each of so many prompts, 32 at a time.
async fn ask_all(prompts: u64, outage_s: f64, fails: Vec<(&'static str, f64, f64, Fails)>) -> Done {
    let began = Instant::now();
    let transport = Replicas { began, fails, asked: Mutex::default() };
    let limits = Limits { outage_s, concurrency: Concurrency::Fixed(32), ..Limits::default() };
    let (on_news, news) = hears_outages();
    let client = Arc::new(Client::new(transport, limits, on_news));
    let model = Arc::new(ResolvedModel { replicas: URLS.map(str::to_owned).to_vec(), ..model() });
    let calls = futures::stream::iter(0..2 * prompts).map(|n| {
        let (client, model) = (Arc::clone(&client), Arc::clone(&model));
        async move {
            let asked = client.ask(&call(&format!("prompt {}", n / 2)), &model, n, None).await;
            asked.map(|(recorded, _permit)| recorded.answer(false).complete().is_some())
        }
    });
    let ended = calls.buffer_unordered(32).collect().await;
    let news = news.lock().unwrap().clone();
    Done { client, news, ended, took: began.elapsed().as_secs_f64() }
}

#[tokio::test(start_paused = true)]
async fn prompts_are_spread_and_each_keeps_its_endpoint() {
    let done = ask_all(600, 60.0, Vec::new()).await;
    assert!(done.ended.iter().all(|end| *end == Ok(true)) && done.news.is_empty());
    let mut places = BTreeMap::<String, BTreeSet<&str>>::new();
    for url in URLS {
        let asked = done.asked(url);
        assert!((300..500).contains(&asked.len()), "{url}: {}", asked.len());
        for (_, text) in asked {
            places.entry(text).or_default().insert(url);
        }
    }
    assert!(places.len() == 600 && places.values().all(|urls| urls.len() == 1));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_dies_is_left_out_and_taken_back_and_the_others_keep_their_prompts() {
    for how in [Fails::Refused, Fails::Status(502), Fails::Status(404)] {
        let undisturbed = ask_all(4_000, 60.0, Vec::new()).await;
        let done = ask_all(4_000, 3.0, vec![(URLS[0], 2.0, 12.0, how.clone())]).await;
        assert!(done.ended.iter().all(|end| *end == Ok(true)), "{how:?}: calls are lost");
        assert!(done.took < undisturbed.took * 1.35, "{how:?}: {} of {} s", done.took, undisturbed.took);
        let asked = done.asked(URLS[0]);
        let missed = asked.iter().filter(|(now, _)| (2.0..12.0).contains(now)).count();
        // Those in flight when it dies, those that find out, and a probe now and then.
        assert!(missed <= 32 + 15, "{how:?}: {missed} calls missed it");
        let after = asked.iter().filter(|(now, _)| *now > 18.0).count();
        assert!(after > 500, "{how:?}: {after} calls after it was back");
        let [Outage::Begins { place, others, .. }, Outage::Ends { .. }] = &done.news[..] else {
            panic!("{how:?}: {:?}", done.news)
        };
        assert_eq!((place.as_str(), *others), ("`m` at `http://a/v1`", 2));
        let home = |done: &Done| -> BTreeSet<String> {
            done.asked(URLS[1]).into_iter().map(|(_, text)| text).collect()
        };
        assert!(home(&undisturbed).is_subset(&home(&done)), "{how:?}: a prompt moved for nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_was_never_there_is_left_out_and_when_none_is_the_run_ends_at_once() {
    let dead = |url| (url, 0.0, 1e9, Fails::Refused);
    let done = ask_all(500, 5.0, vec![dead(URLS[2])]).await;
    assert!(done.ended.iter().all(|end| *end == Ok(true)));
    assert!(done.asked(URLS[2]).len() <= 32 + 15, "{}", done.asked(URLS[2]).len());
    let none = ask_all(500, 1800.0, URLS.map(dead).to_vec()).await;
    let Some(Err(Stop::Provider(message))) = none.ended.iter().find(|end| end.is_err()) else {
        panic!("it goes on")
    };
    assert!(message.contains("is the server running, and is `base_url` right?"), "{message}");
    assert!(none.took < 60.0, "{}", none.took);
}

#[tokio::test(start_paused = true)]
async fn when_all_are_away_they_are_waited_for_and_the_first_that_is_back_answers() {
    let away = |url, until| (url, 2.0, until, Fails::Refused);
    let done =
        ask_all(2_000, 600.0, vec![away(URLS[0], 40.0), away(URLS[1], 30.0), away(URLS[2], 1e9)]).await;
    assert!(done.ended.iter().all(|end| *end == Ok(true)));
    let first_back = done.asked(URLS[1]).iter().filter(|(now, _)| (30.0..40.0).contains(now)).count();
    assert!(first_back > 300, "{first_back} calls went to the one that was back");
    let without_end = ask_all(2_000, 20.0, URLS.map(|url| away(url, 1e9)).to_vec()).await;
    let stop = without_end.ended.iter().find_map(|end| end.clone().err());
    assert!(matches!(&stop, Some(Stop::Provider(why)) if why.contains("has been away for")), "{stop:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_at_one_endpoint_goes_on_at_another() {
    let done = ask_all(200, 60.0, vec![(URLS[0], 0.0, 1e9, Fails::Status(500))]).await;
    assert!(done.ended.iter().all(|end| *end == Ok(true)), "{:?}", done.ended);
}
