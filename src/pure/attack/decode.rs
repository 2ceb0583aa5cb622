//! Reads an attack back to its goal: undoes transforms, one in another, until somebody knows what is found.

use super::transform::Transform;
use std::collections::{BTreeSet, VecDeque};

/// How deep transforms stand in each other at most.
const DEPTH: usize = 2;
/// Texts that are looked at, at most: a hostile text does not keep the reader busy for ever.
const LOOKED_AT: usize = 1_000;
/// Lines of a text whose ranges are tried; of a longer one only single lines and what follows a line.
const RANGED: usize = 8;
/// Lines of a text, and bytes, beyond which only the whole of it is looked at.
const MOST_LINES: usize = 64;
const MOST_BYTES: usize = 32 * 1024;

/// A goal that was found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The text that is known.
    pub text: String,
    /// The transforms that were undone, the outermost first.
    pub transforms: Vec<Transform>,
}

/// The goal in an attack's text: what `is_goal` says yes to. It may stand in any run of lines, with words before and after it.
pub fn find_goal(text: &str, is_goal: impl Fn(&str) -> bool) -> Option<Reading> {
    let mut seen = BTreeSet::new();
    let mut waiting: VecDeque<Reading> = VecDeque::new();
    for part in parts(text) {
        if is_goal(&part) {
            return Some(Reading { text: part, transforms: Vec::new() });
        }
        if seen.insert(part.clone()) {
            waiting.push_back(Reading { text: part, transforms: Vec::new() });
        }
    }
    while let Some(reading) = waiting.pop_front() {
        for transform in Transform::ALL {
            let Some(undone) = transform.undo(&reading.text) else { continue };
            let mut transforms = reading.transforms.clone();
            transforms.push(*transform);
            if is_goal(&undone) {
                return Some(Reading { text: undone, transforms });
            }
            if transforms.len() < DEPTH && seen.len() < LOOKED_AT && seen.insert(undone.clone()) {
                waiting.push_back(Reading { text: undone, transforms });
            }
        }
    }
    None
}

/// Where a goal may stand: the whole, and runs of its lines, the longer ones first.
fn parts(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.split('\n').collect();
    if lines.len() > MOST_LINES || text.len() > MOST_BYTES {
        return vec![text.to_owned()];
    }
    let count = lines.len();
    let run = |from: usize, to: usize| lines.get(from..to).unwrap_or_default().join("\n");
    let mut found = vec![text.to_owned()];
    if count <= RANGED {
        for length in (1..count).rev() {
            found.extend((0..=count - length).map(|from| run(from, from + length)));
        }
    } else {
        found.extend((1..count).map(|from| run(from, count)));
        found.extend((0..count).map(|from| run(from, from + 1)));
    }
    found.retain(|part| !part.trim().is_empty());
    found
}
