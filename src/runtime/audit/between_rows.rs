//! What is found between rows: the same row twice, nearly the same, the same pair the other way round, one prompt with several
//! replies, one prompt in two splits. Some forty bytes of each row are kept for it; signatures wait on disk.

use crate::pure::audit::{Code, CodeSet, Item, Name, Shape};
use crate::pure::digest::Parts;
use crate::pure::text::minhash::{Signature, THRESHOLD};
use crate::pure::text::normalise;
use crate::runtime::dataset::export::ExportError;
use crate::runtime::dataset::export::near_duplicates::{Near, PromptKeys};
use crate::runtime::dataset::splits::{NumberFamilies, Unite as _};
use std::path::Path;

/// What is kept of the rows.
pub(super) struct BetweenRows {
    shape: Shape,
    /// Hash of the prompt and what stands before it.
    prompts: Vec<u64>,
    /// Hash of the replies, whichever is chosen.
    answers: Vec<u64>,
    /// Hash of what decides that two rows are the same.
    rows: Vec<u64>,
    /// Whether the reply with the smaller hash is the chosen one.
    smaller_is_chosen: Vec<bool>,
    splits: Vec<u8>,
    near: Near,
    near_prompts: Option<Near>,
}

/// What of one row is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowHashes {
    prompt: u64,
    answer: u64,
    pub(super) row: u64,
    smaller_is_chosen: bool,
}

impl RowHashes {
    pub(super) fn of(item: &Item) -> Self {
        let hash = |text: &str| Parts::new("audited text").with(normalise(text)).uniform();
        let replies: Vec<u64> = item.replies.iter().map(|reply| hash(&reply.text)).collect();
        let mut sorted = replies.clone();
        sorted.sort_unstable();
        let answer =
            sorted.iter().fold(Parts::new("answers"), |parts, reply| parts.with_u64(*reply)).uniform();
        let before = item.replies.first().map_or(item.said.as_str(), |reply| reply.whole.as_str());
        let prompt = hash(if item.said.is_empty() { before } else { &item.said });
        let wanted = item.wanted.map_or(2, u64::from);
        let row = replies
            .iter()
            .fold(Parts::new("row").with_u64(prompt).with_u64(wanted), |parts, reply| parts.with_u64(*reply));
        Self { prompt, answer, row: row.uniform(), smaller_is_chosen: replies.first() == sorted.first() }
    }
}

/// What a row says, for near-duplicates: the prompt and what is taught.
pub(super) fn spoken(item: &Item) -> String {
    item.replies.first().map_or_else(|| item.said.clone(), |reply| format!("{}\n{}", item.said, reply.text))
}

impl BetweenRows {
    /// Nothing kept yet. Signatures go into `dir`. Leaks are looked for between so many splits.
    pub(super) fn new(shape: Shape, dir: &Path, splits: usize) -> Result<Self, ExportError> {
        let rows = dir.join("rows");
        let prompts = dir.join("prompts");
        for dir in [&rows, &prompts] {
            std::fs::create_dir_all(dir).map_err(|error| ExportError::io("create", dir, error))?;
        }
        Ok(Self {
            shape,
            prompts: Vec::new(),
            answers: Vec::new(),
            rows: Vec::new(),
            smaller_is_chosen: Vec::new(),
            splits: Vec::new(),
            near: Near::create(&rows)?,
            near_prompts: (splits > 1).then(|| Near::create(&prompts)).transpose()?,
        })
    }

    /// Keeps a row that could be read; gives its number here.
    pub(super) fn add(
        &mut self,
        hashes: RowHashes,
        spoken: Option<&Signature>,
        said: Option<&PromptKeys>,
        split: u8,
    ) -> Result<(), ExportError> {
        let number = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.prompts.push(hashes.prompt);
        self.answers.push(hashes.answer);
        self.rows.push(hashes.row);
        self.smaller_is_chosen.push(hashes.smaller_is_chosen);
        self.splits.push(split);
        if let Some(spoken) = spoken {
            self.near.add_signature(number, spoken)?;
        }
        if let (Some(near), Some(said)) = (&mut self.near_prompts, said) {
            near.add_prompt(number, said)?;
        }
        Ok(())
    }

    /// The codes of each row that was kept, in their order.
    pub(super) fn finish(self) -> Result<Vec<CodeSet>, ExportError> {
        let Self { shape, prompts, answers, rows, smaller_is_chosen, splits, near, near_prompts } = self;
        let mut codes = vec![CodeSet::default(); rows.len()];
        let mut mark = |at: usize, code: Code| {
            if code.applies_to(shape)
                && let Some(codes) = codes.get_mut(at)
            {
                codes.insert(Name::Code(code));
            }
        };
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        // Exact copies, and rows that are near to an earlier one of other words.
        let mut families = NumberFamilies::new(count);
        near.unite(THRESHOLD, &mut families)?;
        let mut is_copy = vec![false; rows.len()];
        for group in groups(&rows) {
            for at in &group[1..] {
                mark(*at, Code::Duplicate);
                is_copy[*at] = true;
                families.unite(index(group[0]), index(*at));
            }
        }
        for (at, is_copy) in is_copy.into_iter().enumerate() {
            let first = families.first_of(index(at)) as usize;
            if first != at && !is_copy {
                mark(at, Code::NearDuplicate);
            }
        }
        for group in groups(&prompts) {
            let has_others = group.iter().any(|at| answers[*at] != answers[group[0]]);
            if has_others {
                for at in group.iter().filter(|at| answers[**at] != answers[group[0]]) {
                    mark(*at, Code::ManyAnswers);
                }
            }
            if shape == Shape::Pairs {
                for at in contradictions(&group, &answers, &smaller_is_chosen) {
                    mark(at, Code::Contradicts);
                }
            }
        }
        if let Some(near) = near_prompts {
            let mut families = NumberFamilies::new(count);
            near.unite(THRESHOLD, &mut families)?;
            for group in groups(&prompts) {
                group[1..].iter().for_each(|at| families.unite(index(group[0]), index(*at)));
            }
            let roots: Vec<u64> = (0..count).map(|at| families.first_of(at).into()).collect();
            for group in groups(&roots) {
                let is_one = group.iter().all(|at| splits[*at] == splits[group[0]]);
                if !is_one {
                    for at in &group {
                        mark(*at, Code::SplitLeak);
                    }
                }
            }
        }
        Ok(codes)
    }
}

/// The rows of a group whose pair is there both ways round.
fn contradictions(group: &[usize], answers: &[u64], smaller_is_chosen: &[bool]) -> Vec<usize> {
    let mut sorted: Vec<usize> = group.to_vec();
    sorted.sort_by_key(|at| (answers[*at], *at));
    let same_pair = sorted.chunk_by(|a, b| answers[*a] == answers[*b]);
    let contradicts =
        |run: &&[usize]| run.iter().any(|at| smaller_is_chosen[*at] != smaller_is_chosen[run[0]]);
    same_pair.filter(contradicts).flat_map(<[usize]>::to_vec).collect()
}

/// The places of equal values, where there are several; in the order of the rows.
fn groups(values: &[u64]) -> Vec<Vec<usize>> {
    let mut order: Vec<u32> = (0..index(values.len())).collect();
    order.sort_unstable_by_key(|at| (values[*at as usize], *at));
    let equal = order.chunk_by(|a, b| values[*a as usize] == values[*b as usize]);
    equal.filter(|run| run.len() > 1).map(|run| run.iter().map(|at| *at as usize).collect()).collect()
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::audit::{Cuts, Reply};

    fn pair(prompt: &str, chosen: &str, rejected: &str) -> Item {
        let reply = |text: &str| Reply { text: text.into(), whole: format!("{prompt}\n\n{text}") };
        Item {
            prompt: prompt.into(),
            said: prompt.into(),
            replies: vec![reply(chosen), reply(rejected)],
            ..Item::default()
        }
    }

    #[test]
    fn copies_contradictions_answers_and_leaks_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let mut between = BetweenRows::new(Shape::Pairs, dir.path(), 2).unwrap();
        let long = "Knead the dough for ten minutes, let it rise for an hour in a warm place, and bake it in a hot oven until it sounds hollow.";
        let near = long.replace("ten", "twelve");
        let rows = [
            (pair("How?", "So.", "No."), 0),
            (pair("How?", "So.", "No."), 0),
            (pair("How?", "No.", "So."), 0),
            (pair("How?", "Else.", "No."), 0),
            (pair("Why is bread baked in this way and no other, do you know?", long, "No idea."), 0),
            (pair("Why is bread baked in this way and no other, do you know?", &near, "No idea."), 1),
        ];
        for (item, split) in &rows {
            between
                .add(
                    RowHashes::of(item),
                    Signature::of(&spoken(item)).as_ref(),
                    Some(&PromptKeys::of(&item.said)),
                    *split,
                )
                .unwrap();
        }
        let cuts = Cuts::new(Vec::new(), 4);
        let found: Vec<String> = between
            .finish()
            .unwrap()
            .iter()
            .map(|codes| codes.names(&cuts).iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            found,
            [
                "contradicts",
                "contradicts duplicate",
                "contradicts",
                "many-answers",
                "split-leak",
                "near-duplicate many-answers split-leak"
            ]
        );
    }
}
