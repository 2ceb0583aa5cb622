//! One request on its way: it waits for what happens next, tells the flow, and does what the flow says.
//!
//! At most one thing is asked of the judge at a time, beside what comes from the upstream. Dropping the upstream gives the model's
//! request up; nobody waits for it.

mod replies;

use super::incoming::Incoming;
use super::judge::{Judge, Judged, judged};
use super::outlet::{Outlet, passing};
use super::record::Record;
use super::shared::{Policy, Shared};
use super::upstream::{self, FromUpstream};
use crate::pure::guard::chat_request::with_hint;
use crate::pure::guard::finding::{Finding, Grounds, is_all_within};
use crate::pure::guard::flow::{Decision, Flow, FlowSettings, Input, Piece, Step};
use crate::pure::guard::reader::AnswerReader;
use crate::pure::guard::rules::AnswerWatch;
use crate::pure::guard::schedule::tokens_of;
use crate::pure::guard::styled::{self, HINT};
use crate::pure::method::{GuardQuestion, revise_answer};
use crate::pure::recipe::{Hold, Tier};
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The largest body that is read where nothing is held back.
const GATHERED: usize = 64 << 20;

/// The largest body of an upstream's error that is given on.
const ERROR_LIMIT: usize = 1 << 20;

/// What the judge did.
enum Worked {
    Screened(Judged),
    Checked(Judged, usize),
    /// A revision, and what was found of it; `None` where there is none.
    Revised(Option<(String, Judged)>),
}

/// What happened.
enum Happened {
    Gone,
    Worked(Worked),
    Upstream(Option<FromUpstream>),
}

struct Exchange {
    shared: Arc<Shared>,
    policy: Arc<Policy>,
    incoming: Arc<Incoming>,
    flow: Flow,
    outlet: Outlet,
    upstream: Option<BoxStream<'static, FromUpstream>>,
    status: StatusCode,
    headers: HeaderMap,
    /// The answer, or the body of an error.
    reader: AnswerReader,
    error: Option<Vec<u8>>,
    work: Option<BoxFuture<'static, Worked>>,
    record: Record,
    /// Whether it is told that a rule found something in the answer.
    is_forbidden: bool,
    /// Whether the client has a part of an answer that does not go on.
    is_broken: bool,
    is_over: bool,
}

/// Carries a request to its end.
pub(super) async fn exchange(shared: Arc<Shared>, policy: Arc<Policy>, incoming: Incoming, outlet: Outlet) {
    let settings = FlowSettings {
        mode: shared.settings.mode,
        streams: incoming.chat.stream,
        undecided: shared.settings.input.undecided,
        output: shared.settings.output.clone(),
    };
    let incoming = Arc::new(incoming);
    let upstream = upstream::ask(Arc::clone(&shared), incoming.body.clone(), incoming.authorization.clone());
    let mut exchange = Exchange {
        flow: Flow::new(settings),
        outlet,
        upstream: Some(upstream),
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        reader: AnswerReader::new(false, 0, true),
        error: None,
        work: None,
        record: Record::default(),
        is_forbidden: false,
        is_broken: false,
        is_over: false,
        shared,
        policy,
        incoming,
    };
    exchange.work = Some(exchange.screening());
    exchange.run().await;
}

impl Exchange {
    async fn run(&mut self) {
        while !self.is_over {
            let stop = self.shared.stop.clone();
            let reads = self.reads_on();
            let happened = {
                let Self { outlet, work, upstream, .. } = self;
                let works = work.is_some();
                let next_work = async {
                    match work {
                        Some(work) => Happened::Worked(work.await),
                        None => std::future::pending().await,
                    }
                };
                let next_piece = async {
                    match upstream {
                        Some(upstream) => Happened::Upstream(upstream.next().await),
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    () = outlet.gone() => Happened::Gone,
                    () = stop.cancelled() => Happened::Gone,
                    worked = next_work, if works => worked,
                    piece = next_piece, if reads => piece,
                }
            };
            let inputs = match happened {
                Happened::Gone => vec![Input::Gone],
                Happened::Worked(worked) => {
                    self.work = None;
                    vec![self.worked(worked)]
                }
                Happened::Upstream(item) => self.came(item),
            };
            for input in inputs {
                let before = self.flow.held_bytes();
                let steps = self.flow.take(input);
                self.shared.holds(before, self.flow.held_bytes());
                self.carry_out(steps).await;
            }
        }
    }

    /// Whether more of the answer is read now. While the request is being judged only so much is held as may be; the rest
    /// waits where it is.
    fn reads_on(&self) -> bool {
        let half = self.most_held() / 2;
        let is_full = !self.flow.is_screened() && self.flow.held_bytes() > half && !self.shared.is_shadow();
        self.upstream.is_some() && !is_full
    }

    fn most_held(&self) -> usize {
        usize::try_from(self.shared.settings.output.max_held_kib).unwrap_or(usize::MAX).saturating_mul(1024)
    }

    fn screening(&self) -> BoxFuture<'static, Worked> {
        let (shared, policy) = (Arc::clone(&self.shared), Arc::clone(&self.policy));
        let incoming = Arc::clone(&self.incoming);
        async move {
            let turns = &incoming.chat.turns;
            Worked::Screened(judged(&shared, &policy, turns, GuardQuestion::Request).await)
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'static, Worked> {
        let (shared, policy) = (Arc::clone(&self.shared), Arc::clone(&self.policy));
        let incoming = Arc::clone(&self.incoming);
        let (shown, upto) = (self.reader.text().shown(), self.reader.text().tokens());
        async move {
            let question = GuardQuestion::Answer(&shown);
            Worked::Checked(judged(&shared, &policy, &incoming.chat.turns, question).await, upto)
        }
        .boxed()
    }

    /// A revision of the answer, judged once. Only a text that is all of the answer can be revised.
    fn revision(&self, grounds: Grounds) -> BoxFuture<'static, Worked> {
        let (shared, policy) = (Arc::clone(&self.shared), Arc::clone(&self.policy));
        let incoming = Arc::clone(&self.incoming);
        let answer = self.reader.text().only_content().map(str::to_owned);
        async move {
            let Some(answer) = answer else { return Worked::Revised(None) };
            let turns = &incoming.chat.turns;
            let judge = Judge { shared: &shared, policy: &policy };
            let revised = revise_answer(&judge, &policy.context, turns, &answer, &grounds.principles);
            let Ok(Ok(Some(text))) = timeout(shared.patience, revised).await else {
                return Worked::Revised(None);
            };
            let judged = judged(&shared, &policy, turns, GuardQuestion::Answer(&text)).await;
            Worked::Revised(Some((text, judged)))
        }
        .boxed()
    }

    fn worked(&mut self, worked: Worked) -> Input {
        match worked {
            Worked::Screened(judged) => {
                self.record.screened(&judged);
                let finding = judged.finding;
                let constitution = &self.policy.context.constitution;
                let wide = &self.shared.settings.steer.hazards;
                let steerable =
                    finding.grounds().is_some_and(|grounds| is_all_within(grounds, wide, constitution));
                Input::Screened { finding, steerable }
            }
            Worked::Checked(judged, upto) => {
                self.record.checked(&judged, upto);
                Input::Checked(judged.finding)
            }
            Worked::Revised(Some((text, judged))) => {
                self.record.checked(&judged, tokens_of(text.chars().count()));
                Input::Revised((judged.finding == Finding::Conforms).then(|| self.revised(&text)))
            }
            Worked::Revised(None) => Input::Revised(None),
        }
    }

    /// A revision in the place of the answer, in the form that the client asked for.
    fn revised(&self, text: &str) -> Bytes {
        let whole = self.reader.body().and_then(|body| {
            let mut body: serde_json::Value = serde_json::from_slice(body).ok()?;
            let choice = body.get_mut("choices")?.get_mut(0)?;
            choice["message"]["content"] = text.into();
            if let Some(choice) = choice.as_object_mut() {
                choice.remove("logprobs");
            }
            Some(Bytes::from(body.to_string()))
        });
        whole.unwrap_or_else(|| styled::streamed(self.signature(), text))
    }

    fn came(&mut self, item: Option<FromUpstream>) -> Vec<Input> {
        let failed = |exchange: &mut Self, why: String| {
            exchange.upstream = None;
            tracing::info!(why, "the upstream failed");
            exchange.record.failed(why);
            vec![Input::Failed]
        };
        let pieces = |pieces: Vec<Piece>| pieces.into_iter().map(Input::Piece).collect::<Vec<_>>();
        match item {
            Some(FromUpstream::Head(status, headers)) => {
                let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                let is_stream = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
                // Where nothing is held back, a body is only gathered to be read.
                let gathers = self.shared.settings.output.hold == Hold::None;
                let most = if gathers { GATHERED } else { self.most_held() };
                let watches = self.shared.settings.output.tiers.contains(&Tier::Rules);
                let watch = if watches { self.policy.rules.watch() } else { AnswerWatch::default() };
                self.reader = AnswerReader::new(is_stream, most, self.shared.is_shadow()).watched(watch);
                self.error = (!status.is_success()).then(Vec::new);
                (self.status, self.headers) = (status, passing(&headers));
                Vec::new()
            }
            Some(FromUpstream::Bytes(bytes)) => {
                self.record.came();
                if let Some(error) = &mut self.error {
                    let room = ERROR_LIMIT.saturating_sub(error.len());
                    error.extend(bytes.iter().take(room));
                    return Vec::new();
                }
                match self.reader.push(&bytes) {
                    Ok(found) => pieces(found).into_iter().chain(self.forbidden()).collect(),
                    Err(why) => failed(self, why),
                }
            }
            Some(FromUpstream::End) => {
                self.upstream = None;
                self.record.ended();
                if self.error.is_some() {
                    let why = format!("the upstream gave status {}", self.status.as_u16());
                    return failed(self, why);
                }
                match self.reader.finish() {
                    Ok(found) => {
                        let ends = self.forbidden().into_iter().chain([Input::Ended]);
                        pieces(found).into_iter().chain(ends).collect()
                    }
                    Err(why) => failed(self, why),
                }
            }
            Some(FromUpstream::Failed(why)) => failed(self, why),
            None => failed(self, "the upstream gave nothing".into()),
        }
    }

    /// What a rule found in the answer, told once.
    fn forbidden(&mut self) -> Option<Input> {
        let hit = self.reader.hit().filter(|_| !self.is_forbidden)?;
        let judged = self.policy.ruled(hit);
        self.is_forbidden = true;
        judged.count(&self.shared, "output");
        self.record.checked(&judged, self.reader.text().tokens());
        judged.finding.grounds().cloned().map(Input::Forbidden)
    }

    /// Writes down that the rules looked at the answer, where no other check did.
    fn note_rules(&mut self) {
        let tiers = &self.shared.settings.output.tiers;
        if tiers == &[Tier::Rules] && !self.record.has_checks() {
            let judged = Judged { finding: Finding::Conforms, tier: Tier::Rules, took: Duration::ZERO };
            judged.count(&self.shared, "output");
            self.record.checked(&judged, self.reader.text().tokens());
        }
    }

    async fn carry_out(&mut self, steps: Vec<Step>) {
        let ends = steps.iter().find_map(|step| match step {
            Step::End(decision) => Some(*decision),
            _ => None,
        });
        let decision = match ends {
            Some(decision) => decision.as_str(),
            None if self.flow.is_steered() => "steered",
            None => "forwarded",
        };
        for step in steps {
            match step {
                Step::Cancel => self.upstream = None,
                Step::Steer => self.steer(),
                Step::Release(bytes) => self.release(bytes, decision).await,
                Step::Check => {
                    if self.reader.is_unread() {
                        // Only where the guard looks on: what nobody can read is not scanned, and told so.
                        self.record.not_scanned();
                        self.is_over = true;
                        self.settle(Decision::Answered);
                    } else {
                        self.work = Some(self.check());
                    }
                }
                Step::Revise(grounds) => {
                    self.record.ground(&grounds);
                    self.work = Some(self.revision(grounds));
                }
                Step::Style(grounds) => self.style(&grounds, decision).await,
                Step::Close(grounds) => {
                    self.record.ground(&grounds);
                    let indices = self.reader.text().indices();
                    let bytes = styled::closed(self.signature(), &indices, &self.wording().closing());
                    self.release(bytes, decision).await;
                }
                Step::Fail => self.fail(decision).await,
                Step::Finish => {
                    self.begin(decision);
                    self.outlet.finish();
                }
                Step::End(decision) => {
                    if decision == Decision::Answered {
                        self.note_rules();
                    }
                    // Written down first: whoever sees the end of an answer finds it in the audit.
                    self.is_over = true;
                    self.settle(decision);
                    if self.is_broken {
                        self.outlet.break_off().await;
                    }
                    self.outlet.finish();
                }
            }
        }
    }

    fn steer(&mut self) {
        let body =
            with_hint(&self.incoming.body, HINT).map_or_else(|| self.incoming.body.clone(), Bytes::from);
        self.reader = AnswerReader::new(false, 0, false);
        self.is_forbidden = false;
        self.error = None;
        let authorization = self.incoming.authorization.clone();
        self.upstream = Some(upstream::ask(Arc::clone(&self.shared), body, authorization));
    }

    /// Counts and writes down what became of the request.
    fn settle(&mut self, decision: Decision) {
        let would = self.flow.would().filter(|_| self.shared.is_shadow());
        let released = self.flow.released();
        self.record.settle(
            &self.shared,
            &self.policy,
            &self.incoming,
            self.reader.text(),
            super::record::Ending { decision, would, released },
        );
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.shared.holds(self.flow.held_bytes(), 0);
        if !self.is_over {
            // A task that is dropped before its end was given up from outside.
            self.is_over = true;
            self.settle(Decision::Cancelled);
        }
    }
}
