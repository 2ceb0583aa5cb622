//! The simulated judge: which of two responses is better, which option is right, and how it errs.
//!
//! The log-probabilities of the options, the answer that is drawn and the planted truth are consistent: votes drawn
//! under many seeds have the share that the log-probabilities say. A bias `b` mixes the truth with a judge that follows
//! the bias alone, weight `2b`, so that the mean over both orders is off by exactly `b` and the true order survives.

use super::conversation::{Asked, Kind, options, pair};
use super::draw::Draw;
use super::mark::Mark;
use super::structure;
use super::wire::{Token, Wanted, tokens};
use super::words::Language;
use super::world::{Seen, World};
use crate::pure::recipe::{Judge, Sim};

/// An option marked so is the right one, whatever else would decide.
pub(super) const RIGHT: &str = "⟦sim right⟧";
/// A question marked so names the letter of its right option, for options whose text cannot carry a mark.
const RIGHT_IS: &str = "⟦sim right=";
/// To a question marked so the judge holds something else for right.
const ERRS: &str = "⟦sim errs⟧";

/// The probability that this judge answers `(A)` when `a` is shown first.
pub(super) fn prefers_first(sim: &Sim, world: World<'_>, key: &str, a: &str, b: &str) -> f64 {
    let (mark_a, mark_b) = (Mark::of("", a), Mark::of("", b));
    let mut truth = world.better(key, &mark_a, &mark_b);
    let mut both = [mark_a.to_string(), mark_b.to_string()];
    both.sort();
    let pair = Draw::new("judge").with_u64(sim.seed).with(key);
    if pair.with(&both[0]).with(&both[1]).happens("flip", sim.judge_flips) {
        truth = 1.0 - truth;
    }
    let mixed = |other: f64| (1.0 - 2.0 * sim.judge_bias) * truth + 2.0 * sim.judge_bias * other;
    let length = |text: &str| Mark::strip(text).chars().count();
    match sim.judge {
        Judge::Perfect | Judge::NoLogprobs | Judge::Malformed => truth,
        Judge::AlwaysA => 0.999,
        Judge::Position => mixed(1.0),
        Judge::Length => mixed(match length(a).cmp(&length(b)) {
            std::cmp::Ordering::Less => 0.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Greater => 1.0,
        }),
        Judge::Noisy => mixed(pair.with(a).with(b).unit("noise")),
    }
}

/// The probability of each option of a multiple choice.
fn option_odds(sim: &Sim, world: World<'_>, question: &str, options: &[(char, String)]) -> Vec<f64> {
    let draw = Draw::new("choice").with_u64(sim.seed).with(question);
    let quality = |text: &str| world.quality("", &Mark::of_foreign(question, text));
    let named = question.rsplit_once(RIGHT_IS).and_then(|(_, rest)| rest.chars().next());
    let planted = options.iter().position(|(letter, text)| text.contains(RIGHT) || Some(*letter) == named);
    let best = (0..options.len())
        .max_by(|a, b| {
            let of = |n: &usize| options.get(*n).map_or(f64::MIN, |(_, text)| quality(text));
            of(a).total_cmp(&of(b))
        })
        .unwrap_or(0);
    let mut right = planted.unwrap_or(best);
    if question.contains(ERRS) || draw.happens("flip", sim.judge_flips) {
        right = (right + 1 + draw.below("flipped to", options.len() - 1)) % options.len();
    }
    let longest = (0..options.len()).max_by_key(|n| options.get(*n).map_or(0, |o| o.1.len())).unwrap_or(0);
    let (sure, weight) = (1.0 - 1e-6, 2.0 * sim.judge_bias);
    let (target, share) = match sim.judge {
        Judge::Perfect | Judge::NoLogprobs | Judge::Malformed => (right, 0.0),
        Judge::AlwaysA => (0, 1.0),
        Judge::Position => (0, weight),
        Judge::Length => (longest, weight),
        Judge::Noisy => (draw.below("noise", options.len()), weight),
    };
    let rest = (1.0 - sure) / (options.len() - 1).max(1) as f64;
    let peak = |at: usize, n: usize| if at == n { sure } else { rest };
    (0..options.len()).map(|n| (1.0 - share) * peak(right, n) + share * peak(target, n)).collect()
}

/// The probability of each letter where one of them says that the response violates the principle. The critic that is asked
/// so sees what it sees when it writes a critique, and is sure of it.
fn verdict_odds(world: World<'_>, asked: &Asked<'_>, key: &str) -> Vec<(char, f64)> {
    let Some((_, mark)) = &asked.response else { return Vec::new() };
    let says_yes = |letter: char| {
        let line = asked.text.lines().rfind(|line| line.starts_with(&format!("({letter}) ")));
        line.is_some_and(|line| line.contains("Yes"))
    };
    let violates = world.seen(key, mark) == Seen::Violates;
    ['A', 'B'].map(|letter| (letter, if says_yes(letter) == violates { 0.999 } else { 0.001 })).into()
}

/// The answer to a comparison, a multiple choice or a verdict by choice.
pub(super) fn answer(
    sim: &Sim,
    world: World<'_>,
    wanted: &Wanted,
    asked: &Asked<'_>,
    draw: &Draw,
    faults: &mut Vec<&'static str>,
) -> Vec<Token> {
    let key = asked.keys.first().map_or("", String::as_str);
    let odds: Vec<(char, f64)> = match asked.kind {
        Kind::Choice => options(asked.text).map_or_else(Vec::new, |(question, options)| {
            let odds = option_odds(sim, world, question, &options);
            options.iter().map(|(letter, _)| *letter).zip(odds).collect()
        }),
        Kind::VerdictChoice => verdict_odds(world, asked, key),
        Kind::Comparison
        | Kind::Draft
        | Kind::Critique
        | Kind::Screen
        | Kind::Verdict
        | Kind::RevisionCheck
        | Kind::Revision
        | Kind::MergedRevision
        | Kind::DirectRevision => pair(asked.text).map_or_else(Vec::new, |(a, b)| {
            let p = prefers_first(sim, world, key, a, b);
            vec![('A', p), ('B', 1.0 - p)]
        }),
    };
    let unreadable = draw.happens("unreadable", sim.unreadable);
    if unreadable {
        faults.push("unreadable");
    }
    if unreadable || odds.is_empty() || sim.judge == Judge::Malformed {
        return tokens("There is something to be said for each of them, and it is hard to choose.");
    }
    let letter = chosen(wanted, &odds, draw);
    if let Some(schema) = wanted.schema() {
        let said = Language::english().prose(draw, 1);
        let choose = |name: &str| {
            matches!(name, "answer" | "choice" | "better" | "verdict").then(|| letter.to_string())
        };
        let filled = structure::fill(Some(schema), &said, &choose);
        return tokens(&filled.unwrap_or_else(|| format!("{{\"answer\":\"{letter}\"}}")));
    }
    let lower = asked.text.to_lowercase();
    if lower.contains("step by step") {
        // After reasoning, the options' probabilities are as good as settled, as the paper reports.
        let said = Language::english().prose(draw, 3);
        let mut text = tokens(&format!("{said}\n\nAnswer:"));
        let settled = odds.iter().map(|(l, p)| (*l, if *l == letter { 0.97 + 0.03 * p } else { 0.03 * p }));
        text.push(option_token(" ", letter, settled));
        return text;
    }
    vec![option_token("", letter, odds.iter().copied())]
}

/// The answer that is drawn: the likeliest at temperature 0.
fn chosen(wanted: &Wanted, odds: &[(char, f64)], draw: &Draw) -> char {
    let likeliest = odds.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).map_or('A', |(letter, _)| letter);
    if wanted.temperature.is_some_and(|temperature| temperature <= 0.0) {
        return likeliest;
    }
    let mut left = draw.unit("vote");
    for (letter, p) in odds {
        left -= p;
        if left < 0.0 {
            return *letter;
        }
    }
    likeliest
}

fn option_token(lead: &str, letter: char, odds: impl Iterator<Item = (char, f64)>) -> Token {
    let name = |letter: char| format!("{lead}({letter})");
    let mut odds: Vec<(String, f64)> = odds.map(|(letter, p)| (name(letter), p * 0.999)).collect();
    odds.push((" The".into(), 0.001));
    odds.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Token { text: name(letter), odds }
}
