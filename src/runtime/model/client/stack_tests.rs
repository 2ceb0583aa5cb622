//! The client over the simulated model: faults cost time, never an answer, and HTTP changes nothing.

use super::tests::{call, model};
use super::*;
use crate::pure::answer::Answer;
use crate::pure::recipe::Sim;
use crate::runtime::model::Http;
use crate::runtime::sim::{Server, SimTransport};
use std::sync::atomic::AtomicU32;
use tokio::task::JoinSet;

/// Asks `n` different calls at once; gives the answers in order, and how many attempts were made again.
async fn ask_all<T: Transport + 'static>(
    transport: T,
    model: ResolvedModel,
    limits: Limits,
    n: usize,
) -> (Vec<Answer>, u32) {
    let retried = Arc::new(AtomicU32::new(0));
    let heard = retried.clone();
    let on_news: OnNews = Arc::new(move |news| {
        heard.fetch_add(u32::from(matches!(news, ClientNews::Retry(_))), Ordering::SeqCst);
    });
    let client = Arc::new(Client::new(transport, limits, on_news));
    let mut tasks = JoinSet::new();
    for i in 0..n {
        let (client, model) = (client.clone(), model.clone());
        tasks.spawn(async move {
            let call = call(&format!("Question number {i}: how do magnets work?"));
            let (recorded, _permit) = client.ask(&call, &model, i as u64, None).await.unwrap();
            (i, recorded.answer(false))
        });
    }
    let mut answers = tasks.join_all().await;
    answers.sort_by_key(|(i, _)| *i);
    (answers.into_iter().map(|(_, answer)| answer).collect(), retried.load(Ordering::SeqCst))
}

/// What an answer is apart from how it came.
fn essence(answers: &[Answer]) -> Vec<(&crate::pure::answer::Outcome, &str)> {
    answers.iter().map(|answer| (&answer.outcome, answer.text.as_str())).collect()
}

#[tokio::test(start_paused = true)]
async fn faults_cost_time_and_nothing_else() {
    let calm = Sim { latency_ms: 200, ..Sim::default() };
    let stormy = Sim {
        rate_limited: 0.1,
        retry_after_s: 3.0,
        server_errors: 0.1,
        resets: 0.05,
        stalls: 0.05,
        stall_ms: 300_000,
        malformed: 0.05,
        slots: Some(16),
        ..calm.clone()
    };
    let (expected, retried) = ask_all(SimTransport::new(calm), model(), Limits::default(), 400).await;
    assert_eq!(retried, 0);
    let limits = Limits { attempts: 12, rpm: Some(2000), ..Limits::default() };
    let (answers, retried) = ask_all(SimTransport::new(stormy), model(), limits, 400).await;
    assert!(retried > 80, "{retried} retries: the storm was none");
    assert_eq!(essence(&answers), essence(&expected));
}

#[tokio::test]
async fn over_http_is_as_in_process() {
    let settings = Sim { resets: 0.1, reasoning: 0.3, ..Sim::default() };
    let server = Server::bind(settings.clone(), "127.0.0.1", 0, Some("key".into())).await.unwrap();
    let remote = ResolvedModel { base_url: Some(server.base_url()), ..model() };
    let mut serving = JoinSet::new();
    serving.spawn(server.run(std::future::pending()));
    let http = Http::new(Arc::new(|_| Some("key".into())));
    let (there, retried) = ask_all(http, remote.clone(), Limits::default(), 60).await;
    let (here, _) = ask_all(SimTransport::new(settings), model(), Limits::default(), 60).await;
    assert!(retried > 0, "no connection was reset");
    assert_eq!(essence(&there), essence(&here));

    let wrong =
        Client::new(Http::new(Arc::new(|_| Some("wrong".into()))), Limits::default(), Arc::new(|_| {}));
    let stopped = wrong.ask(&call("hello"), &remote, 0, None).await.unwrap_err();
    assert!(stopped.to_string().contains("the key is read from `OPENAI_API_KEY`"), "{stopped}");
}
