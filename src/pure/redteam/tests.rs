//! The search on a target that is a table of weak cells, without a model: what is found, and for how many calls.

use super::*;
use crate::pure::attack::{Card, Family, Needs, built_in_cards};
use crate::pure::digest::Parts;
use crate::pure::finds::{FindVerdict, Reply};
use crate::pure::method::{Attacked, Goal, Sent};
use crate::pure::prompt::Message;
use std::collections::BTreeSet;

const HAZARDS: usize = 12;
const LANGUAGES: [&str; 2] = ["en", "sw"];
/// How often a weak cell gives way, and an attacker loses the goal.
const RATE: f64 = 0.9;
const MISSES: f64 = 0.05;

type Place = (String, Family, String);

fn goals() -> Vec<Goal> {
    let goal = |hazard: usize, language: &str, n: usize| Goal {
        text: format!("Goal {n} of hazard {hazard} in {language}"),
        hazard: format!("hazard.{hazard}"),
        language: language.to_owned(),
    };
    let of =
        |hazard| LANGUAGES.iter().flat_map(move |language| (0..3).map(move |n| goal(hazard, language, n)));
    (0..HAZARDS).flat_map(of).collect()
}

/// Twelve families: all but the goal in plain words.
fn cards() -> Vec<Card> {
    built_in_cards().iter().filter(|card| card.family() != Family::Direct).cloned().collect()
}

/// 17 ordinary cells in English, 3 that need a conversation, 2 only in Swahili.
fn weak(seed: u64) -> BTreeSet<Place> {
    let families: Vec<Family> = Family::ALL
        .iter()
        .copied()
        .filter(|family| !matches!(family, Family::Direct | Family::MultiTurn))
        .collect();
    let mut cells = BTreeSet::new();
    let draw = |what: &str, n: u64, of: usize| {
        usize::try_from(Parts::new(what).with_u64(seed).with_u64(n).uniform() % of as u64).unwrap()
    };
    let mut n = 0;
    while cells.len() < 22 {
        let hazard = format!("hazard.{}", draw("hazard", n, HAZARDS));
        let family = families[draw("family", n, families.len())];
        let (family, language) = match cells.len() {
            0..17 => (family, "en"),
            17..20 => (Family::MultiTurn, "en"),
            _ => (family, "sw"),
        };
        cells.insert((hazard, family, language.to_owned()));
        n += 1;
    }
    cells
}

/// What an attempt comes to: calls as `method::attack` makes them, on a target that holds but in weak cells.
fn answer(archive: &Archive, step: &Step, weak: &BTreeSet<Place>, seed: u64) -> Attacked {
    let (cell, card) = (&archive.cells[step.cell], &archive.cards[step.card]);
    let chance = |what: &str| Parts::new(what).with_u64(seed).with_u64(step.number).unit();
    let is_weak = weak.contains(&(cell.hazard.clone(), cell.family, cell.language.clone()));
    let broke = is_weak && chance("gives way") < RATE;
    let writes = card.needs == Needs::Attacker;
    let lost = writes && card.driver.is_none() && chance("loses the goal") < MISSES;
    let calls = match (lost, broke) {
        (true, _) => 2,
        (false, true) if card.driver.is_some() => card.most_calls().div_ceil(2),
        (false, _) => card.most_calls(),
    };
    let verdict = if broke { FindVerdict::Broke } else { FindVerdict::Held };
    let reply = if broke { Reply::Full } else { Reply::None };
    let sent = Sent {
        turns: vec![Message::user(format!("attack {} on {}", step.number, archive.goals[step.goal].text))],
        response: Some("…".into()),
        verdict,
        reply,
        principles: Vec::new(),
    };
    Attacked {
        last: (!lost).then_some(sent),
        sent: u32::from(!lost),
        off_topic: u32::from(lost),
        calls,
        tokens: 100 * calls,
    }
}

fn settings(seed: u64, calls: u64) -> Settings {
    Settings {
        seed,
        round: 32,
        min_tries: 3,
        max_finds: 5,
        half_width: 0.1,
        calls: Some(calls),
        tokens: None,
    }
}

fn search(seed: u64, calls: u64) -> (Archive, BTreeSet<Place>) {
    let (mut archive, weak) = (Archive::new(settings(seed, calls), goals(), cards()), weak(seed));
    loop {
        let round = archive.next_round();
        if round.is_empty() {
            return (archive, weak);
        }
        for step in round {
            let attacked = answer(&archive, &step, &weak, seed);
            archive.apply(step, attacked);
        }
    }
}

fn found(archive: &Archive) -> BTreeSet<Place> {
    let cells = archive.cells.iter().zip(&archive.states).filter(|(_, state)| state.broke > 0);
    cells.map(|(cell, _)| (cell.hazard.clone(), cell.family, cell.language.clone())).collect()
}

#[test]
fn every_weak_cell_is_found_within_the_budget() {
    for seed in 0..3 {
        let (archive, weak) = search(seed, 6_000);
        assert_eq!((archive.cells.len(), found(&archive)), (288, weak), "seed {seed}");
        assert!(archive.calls <= 6_000 && archive.ended == Some(Ended::Budget), "{}", archive.calls);
        assert!(archive.states.iter().all(|state| state.broke <= 5 + 32), "a found cell is left alone");
    }
}

#[test]
#[ignore = "fifty searches"]
fn slow_every_weak_cell_is_found_for_fifty_seeds() {
    let missed: Vec<u64> = (0..50)
        .filter(|seed| {
            let (archive, weak) = search(*seed, 6_000);
            found(&archive) != weak || archive.calls > 6_000
        })
        .collect();
    assert_eq!(missed, Vec::<u64>::new(), "seeds in which a cell was missed, or another found");
}

#[test]
fn a_larger_budget_begins_as_a_smaller_one() {
    let steps = |calls: u64| {
        let (archive, _) = search(1, calls);
        (archive.steps, archive.found.iter().map(|found| found.step).collect::<Vec<_>>())
    };
    let ((few, small), (many, large)) = (steps(900), steps(2_500));
    assert!(few < many && small.len() < large.len());
    assert_eq!(small[..], large[..small.len()]);
}

#[test]
fn a_cell_that_is_known_is_left_alone() {
    let settings = Settings { calls: None, ..settings(1, 0) };
    let goals =
        goals().into_iter().filter(|goal| goal.hazard == "hazard.1" && goal.language == "en").collect();
    let cards: Vec<Card> = cards().into_iter().filter(|card| card.family() == Family::Encoding).collect();
    let mut archive = Archive::new(settings, goals, cards);
    loop {
        let round = archive.next_round();
        if round.is_empty() {
            break;
        }
        for step in round {
            let attacked = answer(&archive, &step, &BTreeSet::new(), 1);
            archive.apply(step, attacked);
        }
    }
    assert_eq!((archive.cells.len(), archive.ended), (1, Some(Ended::Known)));
    // Half of Wilson's interval of none of n is below 0.1 from 16 on; the round that is under way is finished.
    assert!((16..=48).contains(&archive.steps), "{}", archive.steps);
}

#[test]
fn the_first_attempts_alone_make_the_rate() {
    let (archive, weak) = search(2, 6_000);
    let (broke, decided) = archive.unbiased;
    assert!(decided <= 288 * 3 && decided > 800, "{decided}");
    let expected = weak.len() as f64 / 288.0 * RATE;
    assert!((broke as f64 / decided as f64 - expected).abs() < 0.03, "{broke} of {decided}");
}
