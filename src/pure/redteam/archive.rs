//! The archive: cells, what was tried in each, and what to try next.

use crate::pure::attack::{Card, Family};
use crate::pure::digest::Parts;
use crate::pure::finds::{FindVerdict, Reply};
use crate::pure::method::{Attacked, Goal, Sent, Tried};
use crate::pure::reports::statistics::{beta_draw, wilson};
use crate::pure::text::minhash::{Signature, THRESHOLD};
use serde::Serialize;

/// Past attempts of a cell that the next one is told of.
const REMEMBERED: usize = 3;

/// How the search goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Decides every draw.
    pub seed: u64,
    /// Attempts of a round.
    pub round: usize,
    /// Attempts at every cell before any is preferred.
    pub min_tries: u64,
    /// A cell that broke so often is found.
    pub max_finds: u64,
    /// A cell is known when half of its interval is narrower.
    pub half_width: f64,
    /// Calls that all attempts may take together.
    pub calls: Option<u64>,
    /// Tokens that they may take; the round in which they are used up is the last.
    pub tokens: Option<u64>,
}

/// A hazard, a family and a language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The hazard's id.
    pub hazard: String,
    /// The family of attacks.
    pub family: Family,
    /// The language tag.
    pub language: String,
    goals: Vec<usize>,
    cards: Vec<usize>,
}

/// What was tried in a cell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CellState {
    /// Attempts that were planned.
    pub planned: u64,
    /// Attempts that have ended, whatever came of them.
    pub settled: u64,
    /// Attempts that ended with an answer of which it is known whether it broke.
    pub tried: u64,
    /// Those that broke.
    pub broke: u64,
    /// Those of which nobody could tell.
    pub undecided: u64,
    /// Attacks that had lost their goal.
    pub off_topic: u64,
    memory: Vec<Tried>,
    signatures: Vec<Signature>,
}

/// An attempt that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub number: u64,
    /// Its cell.
    pub cell: usize,
    /// Its goal.
    pub goal: usize,
    /// Its card.
    pub card: usize,
}

/// An attempt that broke.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The attempt.
    pub step: Step,
    /// What was sent and answered.
    pub sent: Sent,
}

/// Why the search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Every cell is known or found.
    Known,
    /// The budget is used up.
    Budget,
}

/// The archive.
#[derive(Debug)]
pub struct Archive {
    settings: Settings,
    /// The goals.
    pub goals: Vec<Goal>,
    /// The attacks.
    pub cards: Vec<Card>,
    /// The cells.
    pub cells: Vec<Cell>,
    /// What was tried in each, in the same order.
    pub states: Vec<CellState>,
    /// What broke, in the order of the attempts; near-duplicates within a cell are left out.
    pub found: Vec<Found>,
    /// Attempts that broke, and attempts that were decided, among the first of every cell: those that no search preferred.
    pub unbiased: (u64, u64),
    /// Attempts planned so far.
    pub steps: u64,
    /// Calls that they took.
    pub calls: u64,
    /// Tokens of those.
    pub tokens: u64,
    /// Why it ended, when it did.
    pub ended: Option<Ended>,
}

impl Archive {
    /// An archive of every cell for which there is a goal and a card.
    pub fn new(settings: Settings, goals: Vec<Goal>, cards: Vec<Card>) -> Self {
        let mut kinds: Vec<(&str, &str)> = Vec::new();
        for goal in &goals {
            let kind = (goal.hazard.as_str(), goal.language.as_str());
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let mut cells = Vec::new();
        for (hazard, language) in kinds {
            let of_kind = |goal: &Goal| goal.hazard == hazard && goal.language == language;
            let own: Vec<usize> = places(&goals, of_kind);
            for family in Family::ALL {
                let fits = |card: &Card| card.family() == *family && card.speaks(language);
                let own_cards = places(&cards, fits);
                if !own_cards.is_empty() {
                    let (hazard, language) = (hazard.to_owned(), language.to_owned());
                    let cell =
                        Cell { hazard, family: *family, language, goals: own.clone(), cards: own_cards };
                    cells.push(cell);
                }
            }
        }
        let states = vec![CellState::default(); cells.len()];
        Self {
            settings,
            goals,
            cards,
            cells,
            states,
            found: Vec::new(),
            unbiased: (0, 0),
            steps: 0,
            calls: 0,
            tokens: 0,
            ended: None,
        }
    }

    /// The attempts of the next round; none when the search has ended. A round is as it would be without a budget, cut off
    /// where it might pass it: so a larger one goes on where a smaller one ended.
    pub fn next_round(&mut self) -> Vec<Step> {
        let mut round = Vec::new();
        let mut reserved = self.calls;
        if self.settings.tokens.is_some_and(|most| self.tokens >= most) {
            self.ended = Some(Ended::Budget);
        }
        while self.ended.is_none() && round.len() < self.settings.round {
            let Some(cell) = self.next_cell() else {
                if round.is_empty() {
                    self.ended = Some(Ended::Known);
                }
                break;
            };
            let step = self.step_in(cell);
            reserved += self.cards.get(step.card).map_or(0, Card::most_calls);
            if self.settings.calls.is_some_and(|most| reserved > most) {
                self.ended = Some(Ended::Budget);
                break;
            }
            self.states[cell].planned += 1;
            self.steps += 1;
            round.push(step);
        }
        round
    }

    /// The open cell to try next: the least tried, until all were tried often enough; then a Thompson draw.
    fn next_cell(&self) -> Option<usize> {
        let open = || (0..self.cells.len()).filter(|cell| self.is_open(*cell));
        let untried = open().filter(|cell| self.states[*cell].needs_tries(self.settings.min_tries));
        if let Some(cell) = untried.min_by_key(|cell| self.states[*cell].planned) {
            return Some(cell);
        }
        let draw = |cell: usize| {
            let CellState { tried, broke, planned, .. } = self.states[cell];
            let chance =
                Parts::new("cell").with_u64(self.settings.seed).with_u64(self.steps).with_u64(cell as u64);
            // What is under way counts as a try that held, so that a round spreads.
            beta_draw(broke, planned.max(tried) - broke, |k| chance.clone().with_u64(k).unit())
        };
        open()
            .map(|cell| (draw(cell), cell))
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
            .map(|(_, cell)| cell)
    }

    fn is_open(&self, cell: usize) -> bool {
        let state = &self.states[cell];
        let (low, high) = wilson(state.broke, state.tried);
        let is_known =
            state.tried >= self.settings.min_tries && (high - low) / 2.0 < self.settings.half_width;
        // Who lost the goal every time is not asked for ever.
        let is_hopeless = state.planned >= 4 * self.settings.min_tries + 16 && state.tried == 0;
        // What is under way may break too: a found cell takes no more attempts than it needs.
        let is_found = state.broke + state.under_way() >= self.settings.max_finds && state.broke > 0;
        !is_found && !is_known && !is_hopeless
    }

    /// The next attempt in a cell: its cards and its goals take turns.
    fn step_in(&self, cell: usize) -> Step {
        let Cell { goals, cards, .. } = &self.cells[cell];
        let turn = usize::try_from(self.states[cell].planned).unwrap_or(usize::MAX);
        let first = Parts::new("first card").with_u64(self.settings.seed).with_u64(cell as u64).uniform();
        let first = usize::try_from(first % cards.len() as u64).unwrap_or(0);
        let card = cards[(first + turn) % cards.len()];
        let goal = goals[(turn / cards.len() + turn % cards.len()) % goals.len()];
        Step { number: self.steps, cell, goal, card }
    }

    /// What the attempts of a cell remember.
    pub fn memory(&self, step: &Step) -> Vec<Tried> {
        self.states[step.cell].memory.clone()
    }

    /// Takes in what came of an attempt. Attempts are taken in in their order.
    pub fn apply(&mut self, step: Step, attacked: Attacked) {
        self.calls += attacked.calls;
        self.tokens += attacked.tokens;
        let verdict = attacked.verdict();
        let state = &mut self.states[step.cell];
        state.settled += 1;
        state.off_topic += u64::from(attacked.off_topic);
        let Some(sent) = attacked.last else { return };
        if verdict == FindVerdict::Undecided {
            state.undecided += 1;
            return;
        }
        let broke = verdict == FindVerdict::Broke;
        if state.tried < self.settings.min_tries {
            self.unbiased.0 += u64::from(broke);
            self.unbiased.1 += 1;
        }
        state.tried += 1;
        let text = sent.turns.last().map_or_else(String::new, |turn| turn.content.clone());
        state.remember(Tried { text: text.clone(), reply: sent.reply });
        if broke {
            state.broke += 1;
            if state.is_new(&text) {
                self.found.push(Found { step, sent });
            }
        }
    }
}

impl CellState {
    /// Attempts that have not ended.
    fn under_way(&self) -> u64 {
        self.planned - self.settled
    }

    /// Whether the cell needs attempts before any cell is preferred. One that lost its goal, or of which nobody could tell
    /// what came of it, is made up for, at most once each: a cell in which all are lost takes twice as many.
    fn needs_tries(&self, least: u64) -> bool {
        self.tried + self.under_way() < least && self.planned < 2 * least
    }

    /// Keeps the last few; one that got further stays longer.
    fn remember(&mut self, tried: Tried) {
        self.memory.push(tried);
        if self.memory.len() > REMEMBERED {
            let worst = (0..self.memory.len()).min_by_key(|at| nearness(self.memory[*at].reply));
            if let Some(worst) = worst {
                self.memory.remove(worst);
            }
        }
    }

    /// Whether a text that broke is no near-duplicate of one that did before.
    fn is_new(&mut self, text: &str) -> bool {
        let Some(signature) = Signature::of(text) else { return true };
        if self.signatures.iter().any(|known| known.similarity(&signature) >= THRESHOLD) {
            return false;
        }
        self.signatures.push(signature);
        true
    }
}

fn nearness(reply: Reply) -> u8 {
    match reply {
        Reply::Full => 3,
        Reply::Partial => 2,
        Reply::None => 1,
        Reply::Empty => 0,
    }
}

fn places<T>(items: &[T], fits: impl Fn(&T) -> bool) -> Vec<usize> {
    (0..items.len()).filter(|at| fits(&items[*at])).collect()
}
