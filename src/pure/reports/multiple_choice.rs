//! What many answers to multiple-choice questions come to: accuracy, calibration, and whether places are preferred.
//!
//! Pure, over graded questions, one at a time.

use super::statistics::{Mean, Rate, Summing};
use crate::pure::method::multiple_choice::Graded;
use crate::pure::reason::Reason;
use serde::Serialize;
use std::collections::BTreeMap;

/// Classes of confidence in which calibration is measured.
const BINS: usize = 10;

/// The report on one set of questions.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ChoiceReport {
    /// Questions asked.
    pub questions: u64,
    /// Answered right.
    pub right: u64,
    /// Answered wrong.
    pub wrong: u64,
    /// Questions whose answer could not be read, by reason: `unreadable`, or the outcome of the call.
    pub unread: BTreeMap<Reason, u64>,
    /// Those answered right, of all: what could not be read counts as wrong.
    pub accuracy: Rate,
    /// Those answered right, of those that could be read.
    pub accuracy_of_read: Rate,
    /// What guessing would come to.
    pub chance: Option<f64>,
    /// Answers read from log-probabilities.
    pub by_logprobs: u64,
    /// Answers read from the option that was named.
    pub by_answer: u64,
    /// Answers that the role's fallback gave.
    pub by_fallback: u64,
    /// The probability given to the right answers, where log-probabilities tell.
    pub p_right: Mean,
    /// Brier's score: half the squared distance between the probabilities given and what is right. 0 is best, 1 worst;
    /// 0.25 is what a judge gets that gives even odds to two options.
    pub brier: Mean,
    /// How far confidence and accuracy lie apart, over the classes of `calibration`, weighted by their counts.
    pub calibration_error: Option<f64>,
    /// Answers by the probability given to the option chosen.
    pub calibration: Vec<Bin>,
    /// The places (A), (B), … of the questions that could be read.
    pub positions: Vec<Position>,
}

/// Answers of like confidence.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Bin {
    /// Least probability of the option chosen.
    pub from: f64,
    /// Most.
    pub to: f64,
    /// Mean probability of the option chosen.
    pub confidence: Option<f64>,
    /// How many of them are right.
    pub right: Rate,
}

/// A place among the options.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Position {
    /// Its letter.
    pub letter: char,
    /// Of the questions that have it: how often it is right.
    pub right: Rate,
    /// Of the questions that have it: how often it was chosen.
    pub chosen: Rate,
}

/// Reads graded questions and makes the report.
#[derive(Debug, Clone, Default)]
pub struct ChoiceReporter {
    questions: u64,
    right: u64,
    wrong: u64,
    unread: BTreeMap<Reason, u64>,
    chance: Summing,
    by_logprobs: u64,
    by_fallback: u64,
    p_right: Summing,
    brier: Summing,
    bins: [BinSums; BINS],
    places: Vec<PlaceSums>,
}

#[derive(Debug, Clone, Copy, Default)]
struct BinSums {
    count: u64,
    right: u64,
    confidence: f64,
}

#[derive(Debug, Clone, Copy, Default)]
struct PlaceSums {
    shown: u64,
    right: u64,
    chosen: u64,
}

impl ChoiceReporter {
    /// Adds a question.
    pub fn add(&mut self, graded: &Graded) {
        self.questions += 1;
        self.by_fallback += u64::from(graded.fallback);
        let rights = graded.options.iter().filter(|option| option.right).count();
        self.chance.add(rights as f64 / graded.options.len().max(1) as f64);
        if let Grade::Unread(reason) = Grade::of(graded) {
            *self.unread.entry(reason).or_default() += 1;
        }
        let (Ok(chosen), Some(right)) = (&graded.chosen, graded.right()) else { return };
        self.right += u64::from(right);
        self.wrong += u64::from(!right);
        self.add_places(graded, *chosen);
        if let Some(odds) = &graded.odds {
            self.by_logprobs += 1;
            self.add_odds(graded, odds, *chosen, right);
        }
    }

    fn add_places(&mut self, graded: &Graded, chosen: usize) {
        let most = self.places.len().max(graded.options.len());
        self.places.resize(most, PlaceSums::default());
        for (n, (place, option)) in self.places.iter_mut().zip(&graded.options).enumerate() {
            place.shown += 1;
            place.right += u64::from(option.right);
            place.chosen += u64::from(n == chosen);
        }
    }

    fn add_odds(&mut self, graded: &Graded, odds: &[f64], chosen: usize, right: bool) {
        let p_right = graded.p_right().unwrap_or_default();
        let wrongs = odds.iter().zip(&graded.options).filter(|(_, option)| !option.right);
        let squares: f64 = wrongs.map(|(p, _)| p * p).sum();
        self.p_right.add(p_right);
        self.brier.add(f64::midpoint((1.0 - p_right) * (1.0 - p_right), squares));
        let confidence = odds.get(chosen).copied().unwrap_or_default();
        let class = (1..BINS).filter(|n| confidence >= *n as f64 / BINS as f64).count();
        if let Some(bin) = self.bins.get_mut(class) {
            bin.count += 1;
            bin.right += u64::from(right);
            bin.confidence += confidence;
        }
    }

    /// The report.
    pub fn finish(self) -> ChoiceReport {
        let read = self.right + self.wrong;
        let off = |bin: &BinSums| (bin.confidence - bin.right as f64).abs();
        let apart: f64 = self.bins.iter().map(off).sum();
        let edge = |n: usize| n as f64 / BINS as f64;
        let bins = self.bins.iter().enumerate().filter(|(_, bin)| bin.count > 0);
        let calibration = bins.map(|(n, bin)| Bin {
            from: edge(n),
            to: edge(n + 1),
            confidence: Some(bin.confidence / bin.count as f64),
            right: Rate::new(bin.right, bin.count),
        });
        let positions = ('A'..='Z').zip(&self.places).map(|(letter, place)| Position {
            letter,
            right: Rate::new(place.right, place.shown),
            chosen: Rate::new(place.chosen, place.shown),
        });
        ChoiceReport {
            questions: self.questions,
            right: self.right,
            wrong: self.wrong,
            accuracy: Rate::new(self.right, self.questions),
            accuracy_of_read: Rate::new(self.right, read),
            chance: self.chance.finish().mean,
            by_logprobs: self.by_logprobs,
            by_answer: read - self.by_logprobs,
            by_fallback: self.by_fallback,
            p_right: self.p_right.finish(),
            brier: self.brier.finish(),
            calibration_error: (self.by_logprobs > 0).then(|| apart / self.by_logprobs as f64),
            calibration: calibration.collect(),
            positions: positions.collect(),
            unread: self.unread,
        }
    }
}

/// What the answer to one question is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grade {
    /// A right option was chosen.
    Right,
    /// A wrong option was chosen.
    Wrong,
    /// No answer could be read; why.
    Unread(Reason),
}

impl Grade {
    /// The grade of a question.
    pub fn of(graded: &Graded) -> Self {
        match (&graded.chosen, graded.right()) {
            (Err(why), _) => Self::Unread(why.reason()),
            (Ok(_), None) => Self::Unread(Reason::Unreadable),
            (Ok(_), Some(true)) => Self::Right,
            (Ok(_), Some(false)) => Self::Wrong,
        }
    }

    /// `right`, `wrong`, or why no answer could be read.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::Unread(reason) => reason.as_str(),
        }
    }
}
