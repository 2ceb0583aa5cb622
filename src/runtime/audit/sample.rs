//! A random sample of the pairs that a judge can look at, read once more from the files: no text is kept during the pass.

use super::pass::{AuditError, AuditSettings, Audited, layouts, open};
use crate::pure::audit::{Code, CodeSet, Name, SampledPair, draw_rows};
use crate::runtime::dataset::readers::RereadableSources;

/// Rows with one of these are no two replies to one prompt.
const NO_PAIR: [Code; 5] = [Code::BadRow, Code::Empty, Code::Equal, Code::PromptsDiffer, Code::Roles];

/// At most `count` pairs of audited files, in the order of their rows; the same ones for the same seed.
pub fn sample_pairs(
    audited: &Audited,
    sources: &RereadableSources,
    settings: &AuditSettings,
    count: usize,
    seed: u64,
) -> Result<Vec<SampledPair>, AuditError> {
    let mut no_pair = CodeSet::default();
    for code in NO_PAIR {
        no_pair.insert(Name::Code(code));
    }
    let numbered = (0..).zip(&audited.codes).filter(|(_, codes)| !codes.meets(no_pair));
    let drawn = draw_rows(numbered.map(|(row, _)| row), count, seed);
    let opened = open(sources, settings)?;
    let layouts = layouts(&opened, settings)?;
    let files = opened.into_iter().zip(&layouts);
    let rows = files.flat_map(|(file, layout)| file.into_rows(None).map(move |row| (row, layout)));
    let mut wanted = drawn.iter().copied().peekable();
    let mut pairs = Vec::with_capacity(drawn.len());
    for (number, (row, layout)) in (0_u32..).zip(rows) {
        if wanted.peek().is_none() {
            break;
        }
        if wanted.next_if_eq(&number).is_none() {
            continue;
        }
        let item = row.ok().and_then(|row| layout.item(&row.columns).ok());
        let place = audited.place(number as usize);
        pairs.extend(item.and_then(|item| SampledPair::of(place, &item)));
    }
    Ok(pairs)
}
