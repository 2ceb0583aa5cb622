//! Shares and means with their intervals. Pure arithmetic.

use serde::Serialize;

/// The normal quantile of a 95 % interval.
const Z95: f64 = 1.959_963_984_540_054;

/// A share of counted things, with Wilson's 95 % interval: it stays within 0 and 1, and is honest for few things.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// The share; `None` of nothing.
    pub share: Option<f64>,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Rate {
    /// `count` of `of`.
    pub fn new(count: u64, of: u64) -> Self {
        let (low, high) = wilson(count, of);
        let share = (of > 0).then(|| count as f64 / of as f64);
        Self { count, of, share, low, high }
    }
}

/// Wilson's 95 % interval of a share; the whole of 0 to 1 when nothing was counted.
///
/// ```
/// use amend::pure::reports::statistics::wilson;
///
/// let (low, high) = wilson(8, 10);
/// assert!(low < 0.8 && 0.8 < high);
/// ```
pub fn wilson(count: u64, of: u64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (of as f64, count.min(of) as f64 / of as f64);
    let z2 = Z95 * Z95;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z95 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    // Of nothing and of everything an end is the share itself, which rounding may miss.
    ((centre - half).clamp(0.0, p), (centre + half).clamp(p, 1.0))
}

/// A rate as a judge saw it, corrected for what the judge gets wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Corrected {
    /// The rate.
    pub share: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The rate behind `observed`, when the judge sees a case at `sensitivity` and clears one that is none at `specificity`: both
/// measured on labelled cases. `None` where that judge is not clearly better than one that guesses, or nothing was counted.
///
/// The point is (p + q0 − 1) / (q0 + q1 − 1), cut to 0 and 1. The interval takes the errors of all three samples into account,
/// with a few cases added to each, so that it is honest for small ones (arXiv 2511.21140).
pub fn corrected(
    observed: (u64, u64),
    sensitivity: (u64, u64),
    specificity: (u64, u64),
) -> Option<Corrected> {
    if observed.1 == 0 || sensitivity.1 == 0 || specificity.1 == 0 {
        return None;
    }
    let share = |(count, of): (u64, u64)| count as f64 / of as f64;
    let spread = |q: f64, of: f64| q * (1.0 - q) / of;
    // Two labelled cases more of each kind, one of them judged right.
    let labelled = |(count, of): (u64, u64)| ((count as f64 + 1.0) / (of as f64 + 2.0), of as f64 + 2.0);
    let ((q1, m1), (q0, m0)) = (labelled(sensitivity), labelled(specificity));
    let (v1, v0) = (spread(q1, m1), spread(q0, m0));
    let apart = q0 + q1 - 1.0;
    if apart <= Z95 * (v0 + v1).sqrt() {
        return None;
    }
    let z2 = Z95 * Z95;
    let n = observed.1 as f64 + z2;
    let p = (observed.0 as f64 + z2 / 2.0) / n;
    let centre = (p + q0 - 1.0) / apart;
    let shift = 2.0 * z2 * (centre * v1 - (1.0 - centre) * v0);
    let spread = (spread(p, n) + (1.0 - centre).powi(2) * v0 + centre.powi(2) * v1).sqrt() / apart;
    let ends = [-1.0, 1.0].map(|sign| (centre + shift + sign * Z95 * spread).clamp(0.0, 1.0));
    let plain = share(sensitivity) + share(specificity) - 1.0;
    let point = ((share(observed) + share(specificity) - 1.0) / plain).clamp(0.0, 1.0);
    Some(Corrected { share: point, low: ends[0].min(point), high: ends[1].max(point) })
}

/// McNemar's exact test of paired answers: how likely a difference as large as this is when neither side is better. `gained` and
/// `lost` are the pairs that differ, one way and the other.
pub fn mcnemar(gained: u64, lost: u64) -> f64 {
    let (n, least) = (gained + lost, gained.min(lost));
    let ln_of = |k: u64| (1..=k).map(|i| (i as f64).ln()).sum::<f64>();
    let tail: f64 = (0..=least)
        .map(|k| (ln_of(n) - ln_of(k) - ln_of(n - k) - n as f64 * std::f64::consts::LN_2).exp())
        .sum();
    (2.0 * tail).min(1.0)
}

/// A draw from the beta distribution of `hits` and `misses` with a flat prior: the `hits + 1`-th smallest of uniform numbers.
pub fn beta_draw(hits: u64, misses: u64, mut uniform: impl FnMut(u64) -> f64) -> f64 {
    let mut numbers: Vec<f64> = (0..=hits + misses).map(&mut uniform).collect();
    numbers.sort_by(f64::total_cmp);
    usize::try_from(hits).ok().and_then(|at| numbers.get(at).copied()).unwrap_or(0.5)
}

/// A mean with its 95 % interval, of numbers that come one by one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Mean {
    /// How many numbers.
    pub of: u64,
    /// Their mean; `None` of nothing.
    pub mean: Option<f64>,
    /// Half the width of the interval; `None` of fewer than two.
    pub plus_minus: Option<f64>,
}

/// Sums up a mean.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Summing {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Summing {
    /// Adds a number.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        let off = value - self.mean;
        self.mean += off / self.count as f64;
        self.squares += off * (value - self.mean);
    }

    /// The mean so far.
    pub fn finish(self) -> Mean {
        let n = self.count as f64;
        let mean = (self.count > 0).then_some(self.mean);
        let plus_minus = (self.count > 1).then(|| Z95 * (self.squares / (n - 1.0) / n).sqrt());
        Mean { of: self.count, mean, plus_minus }
    }
}

impl FromIterator<f64> for Summing {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sum = Self::default();
        values.into_iter().for_each(|value| sum.add(value));
        sum
    }
}

/// A number with its 95 % interval, whatever it was estimated by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// Of how many things.
    pub of: u64,
    /// The number; `None` of nothing.
    pub value: Option<f64>,
    /// Lower end of the interval, where there is one.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
}

impl From<Rate> for Estimate {
    fn from(rate: Rate) -> Self {
        let known = |end: f64| rate.share.map(|_| end);
        Self { of: rate.of, value: rate.share, low: known(rate.low), high: known(rate.high) }
    }
}

impl From<Mean> for Estimate {
    fn from(mean: Mean) -> Self {
        let end = |sign: f64| mean.mean.zip(mean.plus_minus).map(|(mean, half)| mean + sign * half);
        Self { of: mean.of, value: mean.mean, low: end(-1.0), high: end(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_is_the_textbooks() {
        let check = |count, of, low: f64, high: f64| {
            let (found_low, found_high) = wilson(count, of);
            assert!((found_low - low).abs() < 5e-4 && (found_high - high).abs() < 5e-4, "{count}/{of}");
        };
        check(0, 10, 0.0, 0.2775);
        check(10, 10, 0.7225, 1.0);
        check(5, 10, 0.2366, 0.7634);
        check(394, 438, 0.8678, 0.9244);
        check(0, 0, 0.0, 1.0);
    }

    #[test]
    fn a_mean_is_summed_as_it_comes() {
        let mut sum = Summing::default();
        for value in [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0] {
            sum.add(value);
        }
        let mean = sum.finish();
        assert_eq!(mean.mean, Some(5.0));
        assert!((mean.plus_minus.unwrap() - Z95 * (32.0_f64 / 7.0 / 8.0).sqrt()).abs() < 1e-12);
        assert_eq!(Summing::default().finish(), Mean::default());
    }

    /// Draws of a binomial, from a generator that is quick enough for many trials (SplitMix64).
    fn binomial(of: u64, share: f64, state: &mut u64) -> u64 {
        let mut unit = || {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ mixed >> 31) >> 11) as f64 / (1_u64 << 53) as f64
        };
        (0..of).filter(|_| unit() < share).count() as u64
    }

    /// Judge of 0.85 and 0.95: the corrected interval covers the truth, the raw one does not.
    #[test]
    fn a_corrected_rate_covers_the_truth_and_a_raw_one_does_not() {
        let (q1, q0, mut state) = (0.85, 0.95, 7);
        for truth in [0.02, 0.1, 0.3, 0.6] {
            let (mut covered, mut raw_covered) = (0, 0);
            for _ in 0..2_000 {
                let seen = binomial(1_000, truth * q1 + (1.0 - truth) * (1.0 - q0), &mut state);
                let (hits, clears) = (binomial(100, q1, &mut state), binomial(100, q0, &mut state));
                let found = corrected((seen, 1_000), (hits, 100), (clears, 100)).unwrap();
                covered += u32::from(found.low <= truth && truth <= found.high);
                let (low, high) = wilson(seen, 1_000);
                raw_covered += u32::from(low <= truth && truth <= high);
            }
            assert!(covered >= 1_860, "{truth}: {covered} of 2,000");
            // Where the two kinds of error happen to weigh each other up, the raw rate is right by accident.
            assert!((truth - 0.3).abs() < 0.1 || raw_covered < 1_000, "{truth}: raw {raw_covered} of 2,000");
        }
    }

    #[test]
    fn a_judge_that_guesses_gives_no_corrected_rate() {
        assert_eq!(corrected((5, 100), (10, 20), (11, 20)), None);
        assert_eq!(corrected((0, 0), (20, 20), (20, 20)), None);
        assert!(corrected((5, 100), (18, 20), (19, 20)).is_some_and(|found| found.low <= found.share));
    }

    #[test]
    fn mcnemars_test_is_the_textbooks() {
        for (gained, lost, expected) in
            [(0, 0, 1.0), (5, 0, 0.0625), (10, 2, 0.038_574), (3, 3, 1.0), (1, 9, 0.021_484)]
        {
            let found = mcnemar(gained, lost);
            assert!((found - expected).abs() < 1e-5, "{gained} {lost}: {found}");
        }
    }

    #[test]
    fn draws_of_a_beta_distribution_have_its_mean() {
        let mean = |hits: u64, misses: u64| {
            let draw = |n: u64| {
                let chance = crate::pure::digest::Parts::new("beta").with_u64(n);
                beta_draw(hits, misses, |k| chance.clone().with_u64(k).unit())
            };
            (0..4_000).map(draw).sum::<f64>() / 4_000.0
        };
        for (hits, misses, expected) in [(0, 0, 0.5), (3, 0, 0.8), (0, 8, 0.1), (2, 5, 1.0 / 3.0)] {
            assert!((mean(hits, misses) - expected).abs() < 0.01, "{hits} {misses}: {}", mean(hits, misses));
        }
    }
}
