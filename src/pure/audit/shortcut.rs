//! Do surface features alone predict which reply is chosen? Then a model can learn the labels without reading.
//!
//! A logistic regression over twelve features of the two replies, as differences between one side and the other, with the side
//! drawn by hash; five folds, and the area under the curve of what each fold says about pairs that it has not seen.

use crate::pure::digest::Parts;
use serde::Serialize;
use std::collections::BinaryHeap;

/// Features.
const FEATURES: usize = 12;
const NAMES: [&str; FEATURES] = [
    "characters (log)",
    "words (log)",
    "mean word length",
    "question marks",
    "exclamation marks",
    "line breaks",
    "list items",
    "share of digits",
    "share of capitals",
    "commas per word",
    "quotation marks",
    "ends in a question",
];
/// Pairs looked at: those with the smallest content hashes.
const PAIRS: usize = 20_000;
const FOLDS: usize = 5;
/// Weight of the squared coefficients: features of few pairs must not run away.
const RIDGE: f64 = 1.0;
const STEPS: usize = 25;

type Features = [f64; FEATURES];

/// What surface features say of the labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shortcut {
    /// Pairs looked at.
    pub pairs: u64,
    /// Area under the curve, out of fold: 0.5 when features say nothing, 1 when they say everything.
    pub auroc: f64,
    /// Lower end of its 95 % interval (Hanley and McNeil).
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The three features that weigh most, with the weight of one standard deviation towards *chosen*.
    pub strongest: Vec<(&'static str, f64)>,
}

/// Pairs drawn by their content hashes.
#[derive(Debug, Default)]
pub struct ShortcutSample {
    drawn: BinaryHeap<Drawn>,
}

#[derive(Debug, PartialEq)]
struct Drawn {
    hash: u64,
    /// Chosen less rejected.
    difference: Features,
}

impl Eq for Drawn {}

impl Ord for Drawn {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let bits = |drawn: &Self| drawn.difference.map(f64::to_bits);
        self.hash.cmp(&other.hash).then_with(|| bits(self).cmp(&bits(other)))
    }
}

impl PartialOrd for Drawn {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl ShortcutSample {
    /// Adds a pair; `hash` is that of its content.
    pub fn add(&mut self, hash: u64, chosen: &str, rejected: &str) {
        if self.drawn.len() >= PAIRS && self.drawn.peek().is_some_and(|largest| largest.hash <= hash) {
            return;
        }
        let (a, b) = (features(chosen), features(rejected));
        self.drawn.push(Drawn { hash, difference: std::array::from_fn(|n| a[n] - b[n]) });
        if self.drawn.len() > PAIRS {
            self.drawn.pop();
        }
    }

    /// What the features say; `None` of too few pairs for five folds.
    pub fn finish(self) -> Option<Shortcut> {
        let drawn = self.drawn.into_sorted_vec();
        if drawn.len() < FOLDS * FEATURES {
            return None;
        }
        let scales = scales(&drawn);
        let rows: Vec<(Features, bool)> = drawn
            .iter()
            .map(|drawn| {
                let is_first = Parts::new("side").with_u64(drawn.hash).uniform().is_multiple_of(2);
                let sign = if is_first { 1.0 } else { -1.0 };
                (std::array::from_fn(|n| sign * drawn.difference[n] / scales[n]), is_first)
            })
            .collect();
        let in_fold = |fold: usize| rows.iter().enumerate().filter(move |(n, _)| n % FOLDS == fold);
        let mut scored: Vec<(f64, bool)> = Vec::with_capacity(rows.len());
        for fold in 0..FOLDS {
            let others: Vec<&(Features, bool)> =
                rows.iter().enumerate().filter(|(n, _)| n % FOLDS != fold).map(|(_, row)| row).collect();
            let weights = fit(&others);
            scored
                .extend(in_fold(fold).map(|(_, (features, is_first))| (dot(&weights, features), *is_first)));
        }
        let auroc = area(&mut scored);
        let (first, second) =
            (scored.iter().filter(|(_, first)| *first).count(), scored.iter().filter(|(_, f)| !*f).count());
        let half = half_width(auroc, first as f64, second as f64);
        let weights = fit(&rows.iter().collect::<Vec<_>>());
        let mut strongest: Vec<(&'static str, f64)> = NAMES.into_iter().zip(weights).collect();
        strongest.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        strongest.truncate(3);
        Some(Shortcut {
            pairs: rows.len() as u64,
            auroc,
            low: (auroc - half).max(0.0),
            high: (auroc + half).min(1.0),
            strongest,
        })
    }
}

fn features(text: &str) -> Features {
    let count = |is: fn(char) -> bool| text.chars().filter(|c| is(*c)).count() as f64;
    let characters = text.chars().count() as f64;
    let words = text.split_whitespace().count() as f64;
    let letters = count(char::is_alphabetic);
    let is_item = |line: &&str| {
        let line = line.trim_start();
        let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
        line.starts_with(['-', '*', '•']) || numbered.len() < line.len() && numbered.starts_with(['.', ')'])
    };
    let spaceless = (characters - count(char::is_whitespace)).max(0.0);
    [
        (1.0 + characters).ln(),
        (1.0 + words).ln(),
        spaceless / words.max(1.0),
        count(|c| matches!(c, '?' | '？')),
        count(|c| matches!(c, '!' | '！')),
        count(|c| c == '\n'),
        text.lines().filter(is_item).count() as f64,
        count(|c| c.is_ascii_digit()) / characters.max(1.0),
        count(char::is_uppercase) / letters.max(1.0),
        count(|c| matches!(c, ',' | '，' | '、')) / words.max(1.0),
        count(|c| matches!(c, '"' | '“' | '”' | '«' | '»' | '„')),
        f64::from(u8::from(text.trim_end().ends_with(['?', '？']))),
    ]
}

/// The root mean square of each difference; 1 where it is always nought.
fn scales(drawn: &[Drawn]) -> Features {
    std::array::from_fn(|n| {
        let squares: f64 = drawn.iter().map(|drawn| drawn.difference[n].powi(2)).sum();
        let scale = (squares / drawn.len() as f64).sqrt();
        if scale > 0.0 { scale } else { 1.0 }
    })
}

fn dot(a: &Features, b: &Features) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The weights of a logistic regression without a constant, by Newton's steps.
fn fit(rows: &[&(Features, bool)]) -> Features {
    let mut weights = [0.0; FEATURES];
    for _ in 0..STEPS {
        let mut gradient: Features = weights.map(|weight| -RIDGE * weight);
        let mut curvature = [[0.0; FEATURES]; FEATURES];
        for (n, row) in curvature.iter_mut().enumerate() {
            row[n] = RIDGE;
        }
        for (features, is_first) in rows.iter().copied() {
            let p = 1.0 / (1.0 + (-dot(&weights, features)).exp());
            let (off, weight) = (f64::from(u8::from(*is_first)) - p, p * (1.0 - p));
            for i in 0..FEATURES {
                gradient[i] += off * features[i];
                for j in 0..=i {
                    curvature[i][j] += weight * features[i] * features[j];
                }
            }
        }
        let step = solve(&curvature, &gradient);
        for (weight, step) in weights.iter_mut().zip(step) {
            *weight += step;
        }
        if step.iter().all(|step| step.abs() < 1e-9) {
            break;
        }
    }
    weights
}

/// Solves a symmetric positive system, of which the lower half is given, by Cholesky's method.
fn solve(matrix: &[[f64; FEATURES]; FEATURES], right: &Features) -> Features {
    let mut lower = [[0.0; FEATURES]; FEATURES];
    for i in 0..FEATURES {
        for j in 0..=i {
            let inner: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            lower[i][j] = if i == j {
                (matrix[i][i] - inner).max(1e-12).sqrt()
            } else {
                (matrix[i][j] - inner) / lower[j][j]
            };
        }
    }
    let mut half = [0.0; FEATURES];
    for i in 0..FEATURES {
        let inner: f64 = (0..i).map(|k| lower[i][k] * half[k]).sum();
        half[i] = (right[i] - inner) / lower[i][i];
    }
    let mut out = [0.0; FEATURES];
    for i in (0..FEATURES).rev() {
        let inner: f64 = (i + 1..FEATURES).map(|k| lower[k][i] * out[k]).sum();
        out[i] = (half[i] - inner) / lower[i][i];
    }
    out
}

/// The area under the curve, by ranks; equal scores share theirs.
fn area(scored: &mut [(f64, bool)]) -> f64 {
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut before, mut sum, mut positives) = (0.0, 0.0, 0.0);
    for run in scored.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let rank = before + f64::midpoint(run.len() as f64, 1.0);
        let here = run.iter().filter(|(_, positive)| *positive).count() as f64;
        (sum, positives, before) = (sum + here * rank, positives + here, before + run.len() as f64);
    }
    let negatives = scored.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return 0.5;
    }
    (sum - positives * (positives + 1.0) / 2.0) / (positives * negatives)
}

/// Half the width of the 95 % interval of an area.
fn half_width(area: f64, positives: f64, negatives: f64) -> f64 {
    let (one, two) = (area / (2.0 - area), 2.0 * area * area / (1.0 + area));
    let spread = area * (1.0 - area)
        + (positives - 1.0) * (one - area * area)
        + (negatives - 1.0) * (two - area * area);
    1.96 * (spread / (positives * negatives).max(1.0)).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: usize, seed: u64) -> String {
        let first = usize::try_from(seed % 7).unwrap_or(0);
        let word =
            |n: usize| ["bread", "rises", "when", "yeast,", "warm", "makes", "gas"][(n * 5 + first) % 7];
        (0..words).map(word).collect::<Vec<_>>().join(" ")
    }

    /// Pairs of which the longer one is chosen with this probability.
    fn sample(pairs: u64, longer: f64, world: u64) -> Shortcut {
        let mut sample = ShortcutSample::default();
        for n in 0..pairs {
            let draw = Parts::new("pair").with_u64(world).with_u64(n);
            let length = 20 + (draw.clone().with("length").uniform() % 40) as usize;
            let (short, long) = (text(length, n), text(length + 12, n + 1));
            let (chosen, rejected) =
                if draw.clone().unit() < longer { (&long, &short) } else { (&short, &long) };
            sample.add(draw.uniform(), chosen, rejected);
        }
        sample.finish().unwrap()
    }

    #[test]
    fn labels_by_chance_have_no_shortcut_and_labels_by_length_have_one() {
        let mut inside = 0;
        for world in 0..20 {
            let found = sample(1500, 0.5, world);
            inside += usize::from((0.45..=0.55).contains(&found.auroc));
        }
        assert!(inside >= 19, "{inside} of 20");
        let found = sample(1500, 0.8, 1);
        assert!(found.auroc > 0.7 && found.low > 0.65, "{found:?}");
        assert!(["characters (log)", "words (log)"].contains(&found.strongest[0].0), "{found:?}");
    }

    #[test]
    fn the_area_is_that_of_all_pairs() {
        let mut scored =
            vec![(0.1, false), (0.4, true), (0.35, true), (0.8, true), (0.4, false), (0.9, false)];
        let pairs: Vec<f64> = scored
            .iter()
            .filter(|(_, p)| *p)
            .flat_map(|(a, _)| {
                scored.iter().filter(|(_, p)| !*p).map(move |(b, _)| {
                    if a > b {
                        1.0
                    } else if a < b {
                        0.0
                    } else {
                        0.5
                    }
                })
            })
            .collect();
        let expected = pairs.iter().sum::<f64>() / pairs.len() as f64;
        assert!((area(&mut scored) - expected).abs() < 1e-12);
    }

    #[test]
    fn too_few_pairs_say_nothing() {
        assert!(ShortcutSample::default().finish().is_none());
    }
}
