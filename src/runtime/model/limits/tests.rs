//! Limits hold whatever happens; all on virtual time.

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::task::JoinSet;

fn limits(concurrency: Concurrency, rpm: Option<u32>, tpm: Option<u32>) -> Limits {
    Limits { concurrency, rpm, tpm, ..Limits::default() }
}

fn limiter(limits: &Limits) -> Limiter {
    Limiter::new(limits, Box::new(|_| {}))
}

/// One thing that wants to go: its turn, arrival, how long it takes, its size.
#[derive(Debug, Clone, Copy)]
struct Job {
    turn: u64,
    arrives_ms: u64,
    takes_ms: u64,
    max_tokens: u32,
}

/// Runs jobs through a limiter; gives when each was let go and what it reserved, in order, and the most in flight.
fn run(limits: &Limits, jobs: Vec<Job>) -> (Vec<(Duration, Job)>, u32) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let limiter = limiter(limits);
        let epoch = Instant::now();
        let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let mut tasks = JoinSet::new();
        for job in jobs {
            let (limiter, now, most) = (limiter.clone(), now.clone(), most.clone());
            tasks.spawn(async move {
                tokio::time::sleep(Duration::from_millis(job.arrives_ms)).await;
                let permit = limiter.acquire(job.turn, Size { bytes: 0, max_tokens: job.max_tokens }).await;
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let went = epoch.elapsed();
                tokio::time::sleep(Duration::from_millis(job.takes_ms)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                permit.answered(Usage { prompt: 0, cached: 0, completion: u64::from(job.max_tokens) });
                (went, job)
            });
        }
        let mut went = tasks.join_all().await;
        went.sort_by_key(|(when, _)| *when);
        (went, most.load(Ordering::SeqCst))
    })
}

/// The most that any window of a minute holds.
fn busiest_minute(went: &[(Duration, Job)], amount: impl Fn(&Job) -> u64) -> u64 {
    let mut window: VecDeque<(Duration, u64)> = VecDeque::new();
    let mut most = 0;
    for (when, job) in went {
        window.push_back((*when, amount(job)));
        while window.front().is_some_and(|(first, _)| *first + Duration::from_secs(60) <= *when) {
            window.pop_front();
        }
        most = most.max(window.iter().map(|(_, amount)| amount).sum());
    }
    most
}

fn jobs() -> impl Strategy<Value = Vec<Job>> {
    let job = (0_u64..20, 0_u64..90_000, 0_u64..30_000, 1_u32..400);
    let job = job.prop_map(|(turn, arrives_ms, takes_ms, max_tokens)| Job {
        turn,
        arrives_ms,
        takes_ms,
        max_tokens,
    });
    prop::collection::vec(job, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_limit_is_ever_passed(jobs in jobs(), slots in 1_u32..12, rpm in 1_u32..60, tpm in 400_u32..4000) {
        let count = jobs.len();
        let (went, most) = run(&limits(Concurrency::Fixed(slots), Some(rpm), Some(tpm)), jobs);
        prop_assert_eq!(went.len(), count);
        prop_assert!(most <= slots, "{most} in flight of {slots}");
        prop_assert!(busiest_minute(&went, |_| 1) <= u64::from(rpm));
        prop_assert!(busiest_minute(&went, |job| job.max_tokens.into()) <= u64::from(tpm));
    }

    #[test]
    fn without_limits_nobody_waits(jobs in jobs()) {
        let (went, _) = run(&limits(Concurrency::Fixed(1000), None, None), jobs);
        for (when, job) in went {
            prop_assert_eq!(when, Duration::from_millis(job.arrives_ms));
        }
    }
}

#[test]
fn older_prompts_go_first_and_equals_in_order_of_arrival() {
    let job = |turn, arrives_ms| Job { turn, arrives_ms, takes_ms: 1000, max_tokens: 1 };
    let jobs = vec![job(9, 0), job(5, 1), job(7, 2), job(5, 3), job(1, 4)];
    let (went, _) = run(&limits(Concurrency::Fixed(1), None, None), jobs);
    let order: Vec<_> = went.iter().map(|(_, job)| (job.turn, job.arrives_ms)).collect();
    assert_eq!(order, [(9, 0), (1, 4), (5, 1), (5, 3), (7, 2)]);
}

#[test]
fn a_rate_is_used_up_and_not_saved_up() {
    let jobs = vec![Job { turn: 0, arrives_ms: 0, takes_ms: 1, max_tokens: 1 }; 180];
    let (went, _) = run(&limits(Concurrency::Fixed(99), Some(60), None), jobs);
    let last = went.last().unwrap().0;
    assert_eq!(busiest_minute(&went, |_| 1), 60);
    // Three minutes' worth, ten at the start of each ten seconds, and no more than a little for the way.
    assert!((170..=175).contains(&last.as_secs()), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_for_everyone() {
    let limiter = limiter(&limits(Concurrency::Fixed(9), None, None));
    let began = Instant::now();
    limiter.pause(Duration::from_secs(7));
    limiter.pause(Duration::from_secs(3));
    let size = Size { bytes: 1, max_tokens: 1 };
    let _both = futures::join!(limiter.acquire(0, size), limiter.acquire(1, size));
    assert_eq!(began.elapsed().as_secs(), 7);
}

/// 64 calls at a time of 20 ms, of which every thirtieth is refused first and asked to wait a second: the seconds it takes.
async fn seconds_with_refusals(refused_first: bool) -> f64 {
    let limiter = limiter(&limits(Concurrency::Fixed(64), None, None));
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for n in 0..30_000_u64 {
        let limiter = limiter.clone();
        tasks.spawn(async move {
            let size = Size { bytes: 1, max_tokens: 1 };
            if refused_first && n % 30 == 0 {
                let permit = limiter.acquire(n, size).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                permit.refused(Some(Duration::from_secs(1)));
                drop(permit);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let permit = limiter.acquire(n, size).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            permit.answered(Usage { prompt: 1, cached: 0, completion: 1 });
        });
    }
    tasks.join_all().await;
    began.elapsed().as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn a_refusal_among_answers_delays_its_own_call() {
    let (calm, disturbed) = (seconds_with_refusals(false).await, seconds_with_refusals(true).await);
    assert!(calm > 9.0 && calm / disturbed >= 0.7, "{calm} s, and {disturbed} s with refusals");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_only_refuses_is_left_alone_as_long_as_it_asks() {
    let limiter = limiter(&limits(Concurrency::Fixed(9), None, None));
    let size = Size { bytes: 1, max_tokens: 1 };
    let began = Instant::now();
    for _ in 0..REFUSED_IN_A_ROW {
        limiter.acquire(0, size).await.refused(Some(Duration::from_secs(5)));
    }
    let _permit = limiter.acquire(0, size).await;
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_next_call_goes_when_the_answer_is_there_and_only_so_many_wait_for_the_journal() {
    let limiter = limiter(&limits(Concurrency::Fixed(2), None, None));
    let size = Size { bytes: 1, max_tokens: 1 };
    let mut kept = Vec::new();
    while let Ok(permit) = tokio::time::timeout(Duration::from_secs(1), limiter.acquire(0, size)).await {
        permit.answered(Usage::default());
        kept.push(permit);
    }
    assert_eq!(kept.len(), 2, "as many as there may be calls in flight");
    kept.pop();
    assert!(tokio::time::timeout(Duration::from_secs(1), limiter.acquire(0, size)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_leaves_the_queue() {
    let limiter = limiter(&limits(Concurrency::Fixed(1), None, None));
    let size = Size { bytes: 1, max_tokens: 1 };
    let held = limiter.acquire(0, size).await;
    let gave_up = tokio::time::timeout(Duration::from_secs(1), limiter.acquire(1, size)).await;
    assert!(gave_up.is_err());
    let (next, ()) = futures::join!(limiter.acquire(2, size), async { drop(held) });
    drop(next);
    assert!(limiter.lock().queue.is_empty());
    assert_eq!(limiter.lock().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn reservations_become_what_was_used() {
    let limiter = limiter(&limits(Concurrency::Fixed(9), None, Some(6000)));
    let size = Size { bytes: 0, max_tokens: 900 };
    let began = Instant::now();
    for _ in 0..10 {
        let permit = limiter.acquire(0, size).await;
        permit.answered(Usage { prompt: 5, cached: 0, completion: 5 });
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "ten answers of ten tokens are far below the limit");
}

/// A world in which a server works on `slots` calls at once and queues or refuses the rest.
struct Server {
    slots: u32,
    refuses: bool,
}

/// Runs `calls` calls that each work one second; gives the seconds it took, refusals, and the limit at the end.
fn adapt(server: &Server, calls: usize) -> (u64, u32, u32) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let limiter = limiter(&limits(Concurrency::Auto, None, None));
        let slots = Arc::new(tokio::sync::Semaphore::new(server.slots as usize));
        let refused = Arc::new(AtomicU32::new(0));
        let refuses = server.refuses;
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..calls {
            let (limiter, slots, refused) = (limiter.clone(), slots.clone(), refused.clone());
            tasks.spawn(async move {
                loop {
                    let permit = limiter.acquire(0, Size { bytes: 400, max_tokens: 100 }).await;
                    let slot = if refuses { slots.try_acquire().ok() } else { slots.acquire().await.ok() };
                    if slot.is_some() {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        permit.answered(Usage { prompt: 100, cached: 0, completion: 100 });
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    refused.fetch_add(1, Ordering::SeqCst);
                    permit.refused(None);
                    drop(permit);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
        tasks.join_all().await;
        let limit = limiter.allowed();
        (began.elapsed().as_secs(), refused.load(Ordering::SeqCst), limit)
    })
}

#[test]
fn auto_finds_what_an_endpoint_bears() {
    for slots in [1, 4, 32, 100] {
        for refuses in [true, false] {
            let calls = 2000;
            let (took, refused, limit) = adapt(&Server { slots, refuses }, calls);
            let ideal = calls as u64 / u64::from(slots);
            assert!(took <= ideal * 5 / 4 + 8, "slots {slots}, refuses {refuses}: {took} s, ideal {ideal}");
            assert!(f64::from(refused) <= calls as f64 * 0.15, "slots {slots}: {refused} refused");
            assert!(limit <= slots.max(8) * 5 / 2, "slots {slots}, refuses {refuses}: limit {limit}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn limits_that_are_changed_hold_for_the_calls_that_wait() {
    let limiter = limiter(&limits(Concurrency::Fixed(2), Some(60), None));
    let size = Size { bytes: 1, max_tokens: 1 };
    let change = |settings: &str| limiter.tune(Tuning::read(settings.split_whitespace()).unwrap());
    let mut held = Vec::new();
    let may_go = async || tokio::time::timeout(Duration::from_secs(30), limiter.acquire(0, size)).await;
    while let Ok(permit) = may_go().await {
        held.push(permit);
    }
    assert_eq!(held.len(), 2);
    change("concurrency=5 rpm=none");
    while let Ok(permit) = may_go().await {
        held.push(permit);
    }
    assert_eq!(held.len(), 5);
    change("concurrency=1");
    held.truncate(1);
    assert!(may_go().await.is_err(), "one is in flight");
    held.clear();
    assert!(may_go().await.is_ok());
    // What is in flight when the limit is found out from now on is counted.
    change("concurrency=3");
    held.extend([limiter.acquire(0, size).await, limiter.acquire(0, size).await]);
    change("concurrency=auto");
    for permit in held {
        permit.answered(Usage::default());
    }
    assert_eq!(limiter.lock().in_flight, 0);
    assert!(limiter.allowed() >= 2);
}
