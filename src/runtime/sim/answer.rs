//! What the simulated model writes: one choice of an answer, with the planted faults of an answer.

use super::artefacts;
use super::conversation::{Asked, Kind};
use super::demo;
use super::draw::Draw;
use super::guard::Judge;
use super::judge;
use super::mark::Mark;
use super::requests::{Requests, answered_in, words_of};
use super::stream;
use super::structure;
use super::styled;
use super::wire::{Choice, Token, Wanted, tokens};
use super::words::{Language, sentences};
use super::world::{Seen, World};
use crate::pure::gates::refusal;
use crate::pure::recipe::Sim;
use crate::pure::transcript::Verdict;

/// The draw that decides one choice: everything that a real model would sample from, but no token ceiling, so that a
/// larger one gives the same text whole. At temperature 0 the seed has no say.
pub(super) fn draw_of(sim: &Sim, wanted: &Wanted, index: u32) -> Draw {
    let mut draw = Draw::new("answer").with_u64(sim.seed).with(&wanted.model).with_u64(index.into());
    if wanted.temperature.is_none_or(|temperature| temperature > 0.0) {
        draw = draw.with_u64(wanted.seed.unwrap_or(0));
    }
    for turn in wanted.turns() {
        draw = draw.with(turn.role).with(turn.content);
    }
    draw
}

/// One choice, and the names of the faults planted in it.
pub(super) fn choice(
    sim: &Sim,
    requests: Option<&Requests>,
    wanted: &Wanted,
    asked: &Asked<'_>,
    draw: &Draw,
) -> (Choice, Vec<&'static str>) {
    let mut faults = Vec::new();
    let mut fault = |name: &'static str, rate: f64| {
        let happens = draw.happens(name, rate);
        if happens {
            faults.push(name);
        }
        happens
    };
    if fault("filtered", sim.filtered) {
        let partial = draw.happens("partial", 0.5);
        let seen =
            if partial { tokens(&Language::of(asked.question).sentence(draw, "")) } else { Vec::new() };
        return (ended(Some(seen), "content_filter"), faults);
    }
    if fault("refused", sim.refused) {
        let refusal = Some("I'm sorry, but I can't assist with that request.".to_owned());
        return (Choice { refusal, ..ended(None, "stop") }, faults);
    }
    if fault("empty", sim.empty) {
        return (ended(Some(Vec::new()), "stop"), faults);
    }
    let mut text = write(sim, requests, wanted, asked, draw, &mut faults);
    let mut fault = |name: &'static str, rate: f64| {
        let happens = draw.happens(name, rate);
        if happens {
            faults.push(name);
        }
        happens
    };
    // A fault of text for people to read: where an answer has a form to keep, it would be another fault.
    let is_prose = wanted.schema().is_none()
        && !matches!(asked.kind, Kind::Comparison | Kind::Choice | Kind::VerdictChoice | Kind::RevisionCheck);
    if is_prose && fault("hostile", sim.hostile) {
        text.splice(0..0, tokens(super::hostile::TEXT));
    }
    let thought = || Language::english().prose(&draw.with("thought"), 2);
    if fault("open_think_tags", sim.open_think_tags) {
        text.splice(0..0, tokens(&format!("<think>\n{}\n\n", thought())));
    } else if fault("think_tags", sim.think_tags) {
        text.splice(0..0, tokens(&format!("<think>\n{}\n</think>\n\n", thought())));
    }
    let reasoning = fault("reasoning", sim.reasoning).then(thought);
    let most = wanted.max_tokens();
    let whole = text.len() <= most;
    text.truncate(most);
    if !whole {
        faults.push("truncated");
    }
    (Choice { reasoning, ..ended(Some(text), if whole { "stop" } else { "length" }) }, faults)
}

fn ended(tokens: Option<Vec<Token>>, finish_reason: &'static str) -> Choice {
    Choice { tokens, reasoning: None, refusal: None, finish_reason }
}

fn write(
    sim: &Sim,
    requests: Option<&Requests>,
    wanted: &Wanted,
    asked: &Asked<'_>,
    draw: &Draw,
    faults: &mut Vec<&'static str>,
) -> Vec<Token> {
    let world = World::new(sim);
    let judge = requests.map(|requests| Judge { requests, seed: sim.seed });
    if let Some(text) = super::guard::answer(world, judge, &wanted.turns(), wanted.schema().is_some()) {
        if draw.happens("unreadable", sim.unreadable) {
            faults.push("unreadable");
            return tokens(UNREADABLE);
        }
        return tokens(&text);
    }
    if let Some(text) = super::attacker::answer(requests, &wanted.turns(), draw) {
        return tokens(&text);
    }
    if let Some(text) = super::author::answer(sim, requests, &wanted.turns(), draw) {
        return tokens(&text);
    }
    if let Some(text) = styled::answer(sim, requests, &wanted.turns(), wanted.schema().is_some(), draw) {
        return tokens(&text);
    }
    let text = match asked.kind {
        Kind::Draft if wanted.schema().is_some() => {
            let say = Language::english().prose(draw, 2);
            structure::fill(wanted.schema(), &say, &|_| None).unwrap_or(say)
        }
        Kind::Draft => {
            let said = match requests {
                None => draft(sim, world, asked, draw, faults),
                Some(requests) => {
                    let request = requests.request(&wanted.turns(), &asked.prompt);
                    let deed = requests.deed(sim.seed, &request);
                    let words = words_of(deed, &request, answered_in(Some(requests), asked.question), draw);
                    format!("{words}\n\n{}", Mark::draft(&asked.prompt, draw))
                }
            };
            stream::with_span(sim, said, draw)
        }
        Kind::Critique | Kind::Verdict | Kind::Screen => review(sim, world, wanted, asked, draw, faults),
        Kind::RevisionCheck => {
            let unreadable = draw.happens("unreadable", sim.unreadable);
            if unreadable {
                faults.push("unreadable");
            }
            let response = asked.response.as_ref().map_or("", |(response, _)| *response);
            let said = if unreadable { UNREADABLE } else { artefacts::confirmation(response) };
            said.to_owned()
        }
        Kind::Revision | Kind::MergedRevision | Kind::DirectRevision => {
            revision(sim, world, asked, requests.is_some(), draw, faults)
        }
        Kind::Comparison | Kind::Choice | Kind::VerdictChoice => {
            return judge::answer(sim, world, wanted, asked, draw, faults);
        }
    };
    tokens(&text)
}

/// What a critic says in place of a verdict.
const UNREADABLE: &str = "It depends on how one reads it.";

/// A prompt marked so is declined by the draft.
const DECLINES: &str = "⟦sim declines⟧";
/// A prompt marked so is declined by the revision that mends the draft.
const DECLINES_REVISED: &str = "⟦sim declines revised⟧";

fn draft(
    sim: &Sim,
    world: World<'_>,
    asked: &Asked<'_>,
    draw: &Draw,
    faults: &mut Vec<&'static str>,
) -> String {
    let language = Language::of(asked.question);
    if draw.happens("sentinels", sim.sentinels) {
        faults.push("sentinels");
        return artefacts::sentinel(draw).to_owned();
    }
    let prose = if asked.question.contains(DECLINES) || draw.happens("declines", sim.declines) {
        faults.push("declines");
        language.decline().to_owned()
    } else if draw.happens("long", sim.long) {
        faults.push("long");
        long_prose(language, draw)
    } else if let Some(scene) = demo::scene(&asked.prompt) {
        scene.draft(world.flaw(&asked.prompt), draw)
    } else {
        language.prose(draw, 4 + draw.below("length", 7))
    };
    format!("{prose}\n\n{}", Mark::draft(&asked.prompt, draw))
}

/// Prose of 1,200 to 1,800 tokens: beyond the usual ceiling of 1,024, within the next larger one.
fn long_prose(language: Language, draw: &Draw) -> String {
    let each = tokens(&language.prose(draw, 8)).len().max(8);
    language.prose(draw, (1_300 + draw.below("long length", 400)) * 8 / each)
}

pub(super) fn verdict_of(seen: Seen) -> Verdict {
    match seen {
        Seen::Violates => Verdict::Violates,
        Seen::Conforms => Verdict::Conforms,
        Seen::NotApplicable => Verdict::NotApplicable,
    }
}

/// A critique, a verdict alone, or verdicts on several principles.
fn review(
    sim: &Sim,
    world: World<'_>,
    wanted: &Wanted,
    asked: &Asked<'_>,
    draw: &Draw,
    faults: &mut Vec<&'static str>,
) -> String {
    let Some((response, mark)) = &asked.response else { return Language::english().prose(draw, 2) };
    let unreadable = draw.happens("unreadable", sim.unreadable);
    if unreadable {
        faults.push("unreadable");
    }
    let verdict = |key: &str| {
        let seen = if asked.kind == Kind::Screen { world.screened(key, mark) } else { world.seen(key, mark) };
        verdict_of(seen).as_str()
    };
    let key = asked.keys.first().map_or("", String::as_str);
    if asked.kind == Kind::Screen {
        // One line is missing where the answer cannot be read.
        let missing = unreadable.then(|| draw.below("missing line", asked.keys.len()));
        let keys = asked.keys.iter().enumerate().filter(|(n, _)| Some(*n) != missing).map(|(_, key)| key);
        if wanted.schema().is_some() {
            return structure::verdicts(keys.map(|key| (key.as_str(), verdict(key))));
        }
        return keys.map(|key| format!("[{key}] {}", verdict(key))).collect::<Vec<_>>().join("\n");
    }
    if unreadable {
        return format!("{UNREADABLE} {}", Language::english().prose(draw, 1));
    }
    let said = if asked.kind == Kind::Verdict {
        String::new()
    } else {
        if draw.happens("long", sim.long) {
            faults.push("long");
        }
        critique(key, verdict(key), (response, mark), draw, faults.contains(&"long"))
    };
    if let Some(schema) = wanted.schema() {
        let choose = |name: &str| (name == "verdict").then(|| verdict(key).to_owned());
        return structure::fill(Some(schema), &said, &choose)
            .unwrap_or_else(|| structure::review(&said, verdict(key)));
    }
    let gap = if said.is_empty() { "" } else { "\n\n" };
    format!("{said}{gap}Verdict: {}", verdict(key))
}

fn critique(key: &str, verdict: &str, (response, mark): (&str, &Mark), draw: &Draw, long: bool) -> String {
    let bare = Mark::strip(response);
    let parts = sentences(bare);
    let part = parts.get(draw.below("quoted", parts.len())).copied().unwrap_or(bare);
    let quote: String =
        part.split_whitespace().take(6).collect::<Vec<_>>().join(" ").chars().take(60).collect();
    if let Some(scene) = demo::scene(&mark.prompt) {
        let said = scene.critique(key, verdict, bare, &quote);
        return if long { format!("{said} {}", long_prose(Language::english(), draw)) } else { said };
    }
    let finding = match verdict {
        "violates" => format!("The passage that begins “{quote}” is not in keeping with the principle."),
        "conforms" => format!("Nothing in the response speaks against it; “{quote}” is fine as it stands."),
        _ => "The response does not touch on what the principle is about.".to_owned(),
    };
    let more = if long {
        long_prose(Language::english(), draw)
    } else {
        Language::english().prose(draw, 1 + draw.below("length", 2))
    };
    format!("{finding} {more}")
}

/// Whether a critique objects, as a reviser would read it.
fn objects(critique: &str) -> bool {
    let lower = critique.to_lowercase();
    let last = lower.rfind("verdict").and_then(|at| lower.get(at..)).unwrap_or("");
    last.contains("violates")
}

fn revision(
    sim: &Sim,
    world: World<'_>,
    asked: &Asked<'_>,
    knows_requests: bool,
    draw: &Draw,
    faults: &mut Vec<&'static str>,
) -> String {
    let Some((response, mark)) = &asked.response else { return Language::english().prose(draw, 2) };
    if draw.happens("sentinels", sim.sentinels) {
        faults.push("sentinels");
        return artefacts::sentinel(draw).to_owned();
    }
    // Who is told what to mend mends that; who is not mends what there is to see.
    let seen: Vec<String>;
    let named: &[String] = match (asked.kind, asked.critique) {
        (Kind::DirectRevision, _) => {
            seen = asked.keys.iter().filter(|key| world.seen_unaided(key, mark)).cloned().collect();
            &seen
        }
        (Kind::Revision, Some(critique)) if !objects(critique) => &[],
        (_, _) => &asked.keys,
    };
    let revised = if named.is_empty() && !draw.happens("needless", sim.needless) {
        (*response).to_owned()
    } else {
        let mended: Vec<String> = named.iter().filter(|key| world.mends(key, mark, draw)).cloned().collect();
        let changes = named.len().max(1);
        let next = mark.revised(draw, &mended);
        let language = Language::of(asked.question);
        let text = if asked.question.contains(DECLINES_REVISED) {
            language.decline().to_owned()
        } else if knows_requests && refusal(Mark::strip(response)).refuses() {
            // What is declined stays declined, however it is said.
            Mark::strip(response).to_owned()
        } else if let Some(scene) = demo::scene(&mark.prompt) {
            let previous = Mark::strip(response);
            scene.revision(world.flaw(&mark.prompt), world.flaw_is_mended(&next), previous)
        } else {
            rewrite(Mark::strip(response), language, draw, changes)
        };
        if draw.happens("asides", sim.asides) {
            faults.push("asides");
            format!("{text}\n\n{}\n\n{next}", artefacts::aside(draw))
        } else {
            format!("{text}\n\n{next}")
        }
    };
    if draw.happens("echoes", sim.echoes) {
        faults.push("echoes");
        let echo = asked.critique.map_or_else(
            || {
                asked
                    .text
                    .lines()
                    .find_map(|line| line.strip_prefix("Review: "))
                    .unwrap_or_default()
                    .to_owned()
            },
            str::to_owned,
        );
        format!("{}\n\n{revised}", echo.trim())
    } else if draw.happens("preambles", sim.preambles) {
        faults.push("preambles");
        format!("{}\n\n{revised}", artefacts::preamble(draw))
    } else {
        revised
    }
}

/// The text with as many sentences replaced as changes were asked for, as far as there are any; the rest stands.
fn rewrite(text: &str, language: Language, draw: &Draw, changes: usize) -> String {
    let parts = sentences(text);
    if parts.is_empty() {
        return language.prose(draw, 3);
    }
    let first = draw.below("change", parts.len());
    let mut out = String::with_capacity(text.len() + 64);
    for (n, part) in parts.iter().enumerate() {
        let change = (n + parts.len() - first) % parts.len();
        if change < changes {
            let new =
                language.sentence(&draw.with("change").with_u64(change as u64), &format!("{text}{out}"));
            let gap: String = part.chars().rev().take_while(|c| c.is_whitespace()).collect();
            out.push_str(&new);
            out.extend(gap.chars().rev());
        } else {
            out.push_str(part);
        }
    }
    out
}
