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
}
