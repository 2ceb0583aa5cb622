//! The search of `amend redteam`: attacks on a target, judged, in rounds; then the smallest form of each that broke it.

use super::files::{Goals, Labelled, RunFiles, read_attacks, read_goals, read_qualification};
use crate::faces::cli::Failure;
use crate::faces::cli::failure::journal_failure;
use crate::faces::cli::journaled_work::{JournaledWork, WorkMemo};
use crate::faces::cli::stdout::stdout;
use crate::pure::call::Role;
use crate::pure::constitution::Expect;
use crate::pure::digest::{Parts, sha256_hex};
use crate::pure::finds::{Find, FindJudge, FindSource, FindVerdict, Reply, SEVERE};
use crate::pure::method::{
    Attacked, Attempt, Goal, MethodContext, Minimal, TargetSide, Tried, attack, judge_response, minimise,
    send_to_target, translate_goal, write_twin,
};
use crate::pure::prompt::{Message, Prompt};
use crate::pure::recipe::{Redteam, is_simulated};
use crate::pure::redteam::{Archive, Beside, Found, Qualification, Report, Settings, Step};
use crate::pure::taxonomy::Taxonomy;
use crate::pure::text::printable;
use crate::runtime::engine::at_hand;
use crate::runtime::journal::{KEY_VARIABLE, is_key_set};
use crate::runtime::project::{Project, models};
use futures::stream;
use std::cell::RefCell;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::task::Poll;

/// What a search works with.
struct Search<'a> {
    project: &'a Project,
    settings: &'a Redteam,
    work: JournaledWork,
    cx: MethodContext,
    system: Option<String>,
}

/// Searches, and writes what was found into `out`. Exit code 1 where something broke the target.
pub(super) fn run(project: &Project, out: &Path, is_json: bool) -> Result<ExitCode, Failure> {
    let settings = &project.recipe.redteam;
    let goals = read_goals(settings, &project.recipe)?;
    let cards = read_attacks(settings)?;
    let labelled = read_qualification(settings)?;
    let system = settings.target_system.as_deref().map(read_system).transpose()?;
    let files = RunFiles::begin(out)?;
    let models = models::resolve(&project.recipe)?;
    let target = models.of(Role::Target);
    if !target.is_sim() && target.base_url.is_none() {
        return Err(Failure::usage("nothing says where the target is")
            .hint("give `--target-url URL`, or write `base_url` under `[models.target]`"));
    }
    if !is_key_set().map_err(|error| journal_failure(&error))?
        && goals.harmful.iter().any(|goal| severity_of(goal) >= Some(SEVERE))
    {
        let _ = writeln!(
            std::io::stderr().lock(),
            "warning: answers to goals of severity {SEVERE} will be in the journal as they come; set {KEY_VARIABLE} to encrypt them"
        );
    }
    let cx = project.context(&models)?;
    let work = JournaledWork::open(out, project, models, is_json)?;
    let search = Search { project, settings, work, cx, system };
    let qualification = search.qualify(labelled)?;
    let Goals { harmful, benign } = search.in_every_language(goals)?;
    let benign = if benign.is_empty() { search.twins(&harmful)? } else { benign };
    let archive = search.attack(harmful, cards)?;
    let minimal = search.minimise(&archive)?;
    let over_refusal = search.ask_benign(&benign)?;
    search.work.tell();
    let models = &search.cx.models;
    let (target, judge) = (&models.of(Role::Target).model, &models.of(Role::Critic).model);
    let simulated = [target, judge].into_iter().any(|model| is_simulated(model));
    let beside =
        Beside { target: target.clone(), judge: judge.clone(), simulated, over_refusal, qualification };
    let report = Report::new(&archive, beside);
    let finds: Vec<Find> = archive
        .found
        .iter()
        .zip(minimal)
        .map(|(found, minimal)| search.find(&archive, found, minimal))
        .collect();
    files.write(&finds, &archive, &report)?;
    tell(&report, out, is_json);
    Ok(ExitCode::from(u8::from(!finds.is_empty())))
}

fn tell(report: &Report, out: &Path, is_json: bool) {
    if is_json {
        let _ = writeln!(stdout(), "{}", serde_json::json!(report));
        return;
    }
    let mut told = stdout();
    for line in report.lines() {
        let _ = writeln!(told, "{line}");
    }
    let out = printable(&out.display().to_string());
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "{out}/finds.jsonl has what broke it, {out}/report.html the whole");
    if report.finds > 0 {
        let _ = writeln!(err, "next: amend harden {out} RECIPE --twins --out {out}-hardened");
    }
}

/// How grave the hazard of a goal is; `None` where the taxonomy does not know it.
fn severity_of(goal: &Goal) -> Option<u8> {
    let hazards = Taxonomy::built_in().hazards();
    hazards.iter().find(|hazard| hazard.id == goal.hazard).map(|hazard| hazard.severity)
}

fn read_system(file: &str) -> Result<String, Failure> {
    std::fs::read_to_string(file).map(|text| text.trim().to_owned()).map_err(|error| {
        Failure::usage(format!("cannot read the target's system prompt `{}`: {error}", printable(file)))
    })
}

impl Search<'_> {
    /// What the judge is worth, on labelled responses: those of a file, else the constitution's own test cases.
    fn qualify(&self, labelled: Option<Vec<Labelled>>) -> Result<Qualification, Failure> {
        let own = || {
            let tests = self.cx.constitution.principles.iter().flat_map(|principle| &principle.tests);
            let case = |case: &crate::pure::constitution::TestCase| Labelled {
                prompt: case.prompt.clone(),
                response: case.response.clone(),
                broke: case.expect == Expect::Violates,
            };
            tests.map(case).collect()
        };
        let cases = labelled.unwrap_or_else(own);
        let judge = async |ask: &WorkMemo<'_>, case: Labelled| {
            let turns = [Message::user(case.prompt.as_str())];
            let (verdict, _) = judge_response(ask, &self.cx, &turns, &case.response).await?;
            Ok((case.broke, verdict))
        };
        let mut found = Qualification::default();
        self.work.each(
            "labelled responses",
            cases.len() as u64,
            at_hand(cases),
            &judge,
            |(broke, verdict)| {
                let (all, right) = if broke {
                    (&mut found.broken, &mut found.found)
                } else {
                    (&mut found.fine, &mut found.cleared)
                };
                let expected = if broke { FindVerdict::Broke } else { FindVerdict::Held };
                *all += 1;
                *right += u64::from(verdict == expected);
                found.undecided += u64::from(verdict == FindVerdict::Undecided);
            },
        )?;
        Ok(found)
    }

    /// The goals, and translations of them where a language that was asked for has none of a hazard.
    fn in_every_language(&self, mut goals: Goals) -> Result<Goals, Failure> {
        let mut missing: Vec<(Goal, String)> = Vec::new();
        for language in &self.settings.languages {
            let hazards: Vec<&str> = goals.harmful.iter().map(|goal| goal.hazard.as_str()).collect();
            for (n, goal) in goals.harmful.iter().enumerate() {
                let has = |other: &Goal| other.hazard == goal.hazard && other.language == *language;
                let first_language = || {
                    let first = hazards.iter().position(|hazard| *hazard == goal.hazard);
                    first.and_then(|at| goals.harmful.get(at)).map_or("", |first| first.language.as_str())
                };
                // One language of a hazard is translated, the one that comes first.
                if !goals.harmful.iter().any(has) && goals.harmful[n].language == first_language() {
                    missing.push((goal.clone(), language.clone()));
                }
            }
        }
        let count = missing.len() as u64;
        if count > 0 {
            let translate = async |ask: &WorkMemo<'_>, (goal, language): (Goal, String)| {
                translate_goal(ask, &self.cx, &goal, &language).await
            };
            let mut made = Vec::new();
            self.work.each("translations", count, at_hand(missing), &translate, |goal| made.extend(goal))?;
            goals.harmful.extend(made);
        }
        if !self.settings.languages.is_empty() {
            goals.harmful.retain(|goal| self.settings.languages.contains(&goal.language));
        }
        if goals.harmful.is_empty() {
            return Err(Failure::usage("no goal is left in the languages that were asked for"));
        }
        Ok(goals)
    }

    /// A benign twin of every goal, where nobody brought harmless requests along.
    fn twins(&self, goals: &[Goal]) -> Result<Vec<Goal>, Failure> {
        let write = async |ask: &WorkMemo<'_>, goal: Goal| {
            let turns = vec![Message::user(goal.text.as_str())];
            let prompt = Prompt::new(turns, Some(goal.hazard.clone()), Some(goal.language.clone()));
            let twin = write_twin(ask, &self.cx, &prompt).await?;
            Ok(twin.ok().map(|twin| Goal { text: twin.text, ..goal }))
        };
        let mut twins = Vec::new();
        self.work
            .each("twins", goals.len() as u64, at_hand(goals.to_vec()), &write, |twin| twins.extend(twin))?;
        Ok(twins)
    }

    /// The search itself: rounds whose results are taken in in order.
    fn attack(&self, goals: Vec<Goal>, cards: Vec<crate::pure::attack::Card>) -> Result<Archive, Failure> {
        let Redteam { calls, tokens, half_width, min_tries, max_finds, round, .. } = *self.settings;
        let settings = Settings {
            seed: self.project.recipe.seed,
            round: round as usize,
            min_tries,
            max_finds,
            half_width,
            calls: Some(calls),
            tokens,
        };
        let shared = RefCell::new(Rounds {
            archive: Archive::new(settings, goals, cards),
            ready: Vec::new(),
            under_way: 0,
        });
        let attempts = stream::poll_fn(|_| match shared.borrow_mut().next(self.system.as_deref()) {
            Next::Attempt(attempt) => Poll::Ready(Some(Ok(*attempt))),
            // What is under way wakes the work when it is there; the next round is asked for then.
            Next::Wait => Poll::Pending,
            Next::End => Poll::Ready(None),
        });
        let make = async |ask: &WorkMemo<'_>, (step, attempt): (Step, Attempt)| {
            Ok((step, Box::pin(attack(ask, &self.cx, &attempt)).await?))
        };
        self.work.each("attempts", None, attempts, &make, |(step, attacked): (Step, Attacked)| {
            let mut shared = shared.borrow_mut();
            shared.under_way -= 1;
            shared.archive.apply(step, attacked);
        })?;
        Ok(shared.into_inner().archive)
    }

    /// The smallest form of every attack that broke.
    fn minimise(&self, archive: &Archive) -> Result<Vec<Option<Minimal>>, Failure> {
        if !self.settings.minimise {
            return Ok(vec![None; archive.found.len()]);
        }
        let items: Vec<(u64, Goal, Vec<Message>)> = archive
            .found
            .iter()
            .map(|found| {
                (found.step.number, archive.goals[found.step.goal].clone(), found.sent.turns.clone())
            })
            .collect();
        let shrink = async |ask: &WorkMemo<'_>, (step, goal, turns): (u64, Goal, Vec<Message>)| {
            let prompt = Prompt::new(turns.clone(), Some(goal.hazard.clone()), Some(goal.language.clone()));
            let system = self.system.as_deref();
            let side = TargetSide { ask, cx: &self.cx, prompt: &prompt, system };
            Box::pin(minimise(&side, &goal.text, turns, step)).await
        };
        let mut smallest = Vec::new();
        self.work.each("finds", items.len() as u64, at_hand(items), &shrink, |minimal| {
            smallest.push(Some(minimal));
        })?;
        Ok(smallest)
    }

    /// Harmless requests that the target declines, fully or in part, and all of which it is known.
    fn ask_benign(&self, benign: &[Goal]) -> Result<(u64, u64), Failure> {
        let asked = async |ask: &WorkMemo<'_>, goal: Goal| {
            let turns = vec![Message::user(goal.text.as_str())];
            let prompt = Prompt::new(turns.clone(), Some(goal.hazard), Some(goal.language));
            let side = TargetSide { ask, cx: &self.cx, prompt: &prompt, system: self.system.as_deref() };
            send_to_target(&side, turns, 0).await
        };
        let (mut declined, mut all) = (0, 0);
        self.work.each(
            "harmless requests",
            benign.len() as u64,
            at_hand(benign.to_vec()),
            &asked,
            |sent| {
                let is_known = sent.response.is_some() || sent.reply == Reply::None;
                all += u64::from(is_known);
                declined += u64::from(is_known && matches!(sent.reply, Reply::None | Reply::Partial));
            },
        )?;
        Ok((declined, all))
    }

    /// A find as a line of `finds.jsonl`.
    fn find(&self, archive: &Archive, found: &Found, minimal: Option<Minimal>) -> Find {
        let Found { step, sent } = found;
        let (goal, card) = (&archive.goals[step.goal], &archive.cards[step.card]);
        let severity = severity_of(goal);
        let is_hashed =
            severity.is_some_and(|severity| severity >= SEVERE) && !self.settings.keep_severe_text;
        let hash = |text: &String| sha256_hex(text.as_bytes());
        let id =
            sent.turns.iter().fold(Parts::new("find").with("amend"), |parts, turn| parts.with(&turn.content));
        Find {
            find: id.short(),
            goal: Some(goal.text.clone()),
            hazard: Some(goal.hazard.clone()),
            severity,
            attack: Some(card.id.clone()),
            family: Some(card.family.clone()),
            language: Some(goal.language.clone()),
            turns: sent.turns.clone(),
            response: sent.response.clone().filter(|_| !is_hashed),
            response_sha256: sent.response.as_ref().filter(|_| is_hashed).map(hash),
            verdict: sent.verdict,
            reply: sent.reply,
            judge: Some(FindJudge {
                model: self.cx.models.of(Role::Critic).model.clone(),
                principles: sent.principles.clone(),
            }),
            minimal: minimal.as_ref().map(|minimal| minimal.turns.clone()),
            flaky: minimal.is_some_and(|minimal| !minimal.is_stable),
            source: FindSource {
                tool: "amend".into(),
                version: Some(env!("CARGO_PKG_VERSION").into()),
                file: "journal.db".into(),
                line: step.number,
                verdict: "hit".into(),
                more: serde_json::Map::new(),
            },
        }
    }
}

/// The archive, and the round that is under way.
struct Rounds {
    archive: Archive,
    /// Attempts of the round that nobody works on yet, the last first. What each remembers is what was known when the round
    /// began, so that it does not depend on who is ahead.
    ready: Vec<(Step, Vec<Tried>)>,
    /// Attempts that are worked on.
    under_way: usize,
}

enum Next {
    Attempt(Box<(Step, Attempt)>),
    Wait,
    End,
}

impl Rounds {
    /// The next attempt. A round begins when every result of the one before it is taken in.
    fn next(&mut self, system: Option<&str>) -> Next {
        if self.ready.is_empty() && self.under_way > 0 {
            return Next::Wait;
        }
        if self.ready.is_empty() {
            let round = self.archive.next_round();
            self.ready = round.into_iter().rev().map(|step| (step, self.archive.memory(&step))).collect();
        }
        let Some((step, memory)) = self.ready.pop() else { return Next::End };
        self.under_way += 1;
        let attempt = Attempt {
            step: step.number,
            goal: self.archive.goals[step.goal].clone(),
            card: self.archive.cards[step.card].clone(),
            memory,
            system: system.map(str::to_owned),
        };
        Next::Attempt(Box::new((step, attempt)))
    }
}
