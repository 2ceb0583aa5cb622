//! Is a critic worth its verdicts? Its answers to test cases whose right verdict is known, and what they come to.
//!
//! Pure arithmetic. Who asks, and what becomes of a critic that fails, is decided elsewhere.

use super::statistics::Rate;
use crate::pure::recipe::VerdictForm;
use crate::pure::transcript::Verdict;
use serde::{Deserialize, Serialize};

/// A critic passes when one that guesses would do as well with at most this probability.
const BY_CHANCE: f64 = 0.05;
/// A form of asking is good enough when at most this share of its verdicts is undecided,
const FEW_UNDECIDED: f64 = 0.05;
/// and a verdict takes at most this many times the calls that the form has.
const FEW_CALLS: f64 = 1.5;

/// A critic's answers to test cases, asked in one form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// How it was asked.
    pub form: VerdictForm,
    /// Cases that violate their principle.
    pub violating: u64,
    /// Those of them to which the critic objected.
    pub hits: u64,
    /// Cases that do not violate their principle.
    pub harmless: u64,
    /// Those of them to which the critic objected all the same.
    pub false_alarms: u64,
    /// Cases of either kind without a verdict.
    pub undecided: u64,
    /// Calls that were asked, more than one a case where a verdict could not be read at once.
    pub calls: u64,
}

impl Trial {
    /// A trial before its first case.
    pub fn new(form: VerdictForm) -> Self {
        Self { form, violating: 0, hits: 0, harmless: 0, false_alarms: 0, undecided: 0, calls: 0 }
    }

    /// Counts one case: whether it violates its principle, what the critic said, and how many calls that took.
    pub fn add(&mut self, violates: bool, verdict: Verdict, calls: u64) {
        let objects = u64::from(verdict == Verdict::Violates);
        if violates {
            self.violating += 1;
            self.hits += objects;
        } else {
            self.harmless += 1;
            self.false_alarms += objects;
        }
        self.undecided += u64::from(!verdict.is_decided());
        self.calls += calls;
    }

    /// The share of violations that it finds.
    pub fn hit_rate(&self) -> Rate {
        Rate::new(self.hits, self.violating)
    }

    /// The share of harmless responses to which it objects.
    pub fn false_alarm_rate(&self) -> Rate {
        Rate::new(self.false_alarms, self.harmless)
    }

    /// The share of cases without a verdict.
    pub fn undecided_rate(&self) -> Rate {
        Rate::new(self.undecided, self.violating + self.harmless)
    }

    /// The probability that a critic which objects to as many cases by chance hits at least as many violations: Fisher's exact
    /// test, one-sided. An undecided case counts as one to which nobody objected.
    pub fn by_chance(&self) -> f64 {
        let (objections, all) = (self.hits + self.false_alarms, self.violating + self.harmless);
        let ways = |k: u64| {
            let others = objections.checked_sub(k).filter(|others| *others <= self.harmless);
            others.map_or(0.0, |others| {
                (ln_choose(self.violating, k) + ln_choose(self.harmless, others) - ln_choose(all, objections))
                    .exp()
            })
        };
        (self.hits..=self.violating.min(objections)).map(ways).sum::<f64>().min(1.0)
    }

    /// Whether the critic can be told from one that guesses.
    pub fn passes(&self) -> bool {
        self.violating > 0 && self.harmless > 0 && self.by_chance() <= BY_CHANCE
    }

    /// Whether there is nothing to gain from another form.
    pub fn is_good(&self) -> bool {
        let cases = (self.violating + self.harmless) as f64;
        let least = if self.form == VerdictForm::Choice { 2.0 } else { 1.0 };
        self.passes()
            && self.undecided as f64 <= FEW_UNDECIDED * cases
            && (self.form == VerdictForm::Choice || self.calls as f64 <= FEW_CALLS * least * cases)
    }

    /// What is better in a trial: that the critic passes, that more is decided, that it tells more right from wrong.
    fn worth(&self) -> (bool, f64, f64) {
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let decided = 1.0 - share(self.undecided, self.violating + self.harmless);
        let told_apart = share(self.hits, self.violating) - share(self.false_alarms, self.harmless);
        (self.passes(), decided, told_apart)
    }
}

/// ln of the number of ways to choose `k` of `n`; minus infinity where there is none.
fn ln_choose(n: u64, k: u64) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    (1..=k.min(n - k)).map(|i| ((n + 1 - i) as f64 / i as f64).ln()).sum()
}

/// What an examination of a critic came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// The critic's model.
    pub model: String,
    /// One trial for each form that was tried.
    pub trials: Vec<Trial>,
    /// The place of the trial whose form is used.
    pub used: usize,
}

impl Examination {
    /// Of the trials that were made: the first that is good, else the best.
    pub fn new(model: &str, trials: Vec<Trial>) -> Option<Self> {
        let by_worth = |a: &usize, b: &usize| {
            let ((passes_a, decided_a, apart_a), (passes_b, decided_b, apart_b)) =
                (trials[*a].worth(), trials[*b].worth());
            passes_a.cmp(&passes_b).then(decided_a.total_cmp(&decided_b)).then(apart_a.total_cmp(&apart_b))
        };
        let good = trials.iter().position(Trial::is_good);
        // Of equals the first: it is the form that the recipe means.
        let used = good.or_else(|| (0..trials.len()).rev().max_by(by_worth))?;
        Some(Self { model: model.to_owned(), trials, used })
    }

    /// The trial whose form is used.
    pub fn trial(&self) -> &Trial {
        &self.trials[self.used]
    }

    /// Whether the critic can be told from one that guesses.
    pub fn passes(&self) -> bool {
        self.trial().passes()
    }

    /// One line for each form that was tried, for people.
    pub fn lines(&self) -> Vec<String> {
        let line = |(n, trial): (usize, &Trial)| {
            let rate = |rate: Rate| {
                format!("{} of {} ({:.0}–{:.0} %)", rate.count, rate.of, 100.0 * rate.low, 100.0 * rate.high)
            };
            let used = if n == self.used { ", used" } else { "" };
            format!(
                "asked by {}{used}: finds {}, false alarms {}, undecided {}; a guess does as well with p = {:.2}",
                trial.form.as_str(),
                rate(trial.hit_rate()),
                rate(trial.false_alarm_rate()),
                trial.undecided,
                trial.by_chance()
            )
        };
        self.trials.iter().enumerate().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trial(form: VerdictForm, [violating, hits, harmless, false_alarms, undecided]: [u64; 5]) -> Trial {
        Trial { form, violating, hits, harmless, false_alarms, undecided, calls: violating + harmless }
    }

    /// The table of the lady who tastes tea, and others whose value is known from R's `fisher.test`.
    #[test]
    fn fishers_test_is_the_textbooks() {
        for (counts, expected) in [
            ([4, 3, 4, 1, 0], 0.242_857),
            ([4, 4, 4, 0, 0], 0.014_286),
            ([12, 8, 12, 3, 0], 0.049_766),
            ([12, 12, 12, 12, 0], 1.0),
            ([12, 0, 12, 0, 24], 1.0),
        ] {
            let found = trial(VerdictForm::Line, counts).by_chance();
            assert!((found - expected).abs() < 1e-5, "{counts:?}: {found}");
        }
    }

    #[test]
    fn the_first_good_form_is_used_else_the_best() {
        let used = |trials: &[Trial]| {
            Examination::new("m", trials.to_vec()).map(|found| (found.used, found.passes()))
        };
        let (good, unread, guess) = ([12, 11, 12, 1, 0], [12, 3, 12, 0, 18], [12, 6, 12, 6, 0]);
        let line = |counts| trial(VerdictForm::Line, counts);
        let choice = |counts| trial(VerdictForm::Choice, counts);
        assert_eq!(used(&[line(good), choice(good)]), Some((0, true)));
        assert_eq!(used(&[line(unread), choice(good)]), Some((1, true)));
        assert_eq!(used(&[line(unread), choice(guess)]), Some((1, false)));
        assert_eq!(used(&[line(guess), choice(guess)]), Some((0, false)));
        assert_eq!(used(&[Trial { calls: 48, ..line(good) }, choice([12, 9, 12, 2, 0])]), Some((1, true)));
        assert_eq!(used(&[]), None);
    }

    proptest! {
        /// More hits never look more like chance, and more false alarms never less.
        #[test]
        fn chance_falls_with_hits_and_grows_with_false_alarms(n in 2_u64..30, hits in 0_u64..30, alarms in 0_u64..30) {
            let (hits, alarms) = (hits % n, alarms % n);
            let p = |hits, alarms| trial(VerdictForm::Line, [n, hits, n, alarms, 0]).by_chance();
            prop_assert!(p(hits + 1, alarms) <= p(hits, alarms) + 1e-9);
            prop_assert!(p(hits, alarms + 1) + 1e-9 >= p(hits, alarms));
            prop_assert!((0.0..=1.0).contains(&p(hits, alarms)));
        }
    }
}
