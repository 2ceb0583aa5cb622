//! The pass over the rows: read one after another, looked at side by side, counted in their order.

use super::between_rows::BetweenRows;
use super::holdout::Holdout;
use super::layout::{ColumnNames, Layout, LayoutError};
use super::target::can_be_written;
use super::workers::{Looked, Looker, ReadRow, Workers};
use crate::pure::audit::{
    AuditReport, Code, CodeSet, Cuts, Found, Name, PLACES, Shape, ShortcutSample, Tallies,
};
use crate::runtime::dataset::boilerplate::Phrases;
use crate::runtime::dataset::export::ExportError;
use crate::runtime::dataset::readers::{self, File, Kind, OpenError, RereadableSources, Row, Settings};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;

/// Rows that are looked at side by side.
const BATCH: usize = 512;
/// Rows whose details are kept; of more, the codes alone are told.
const MOST_DETAILS: usize = 100_000;
/// In a set with a larger share of replies without an end, these are its style and no sign of a cut.
const FEW_WITHOUT_END: f64 = 0.1;
/// Splits by the words that file names have for them.
const SPLIT_WORDS: [(&str, &str); 6] = [
    ("train", "train"),
    ("validation", "validation"),
    ("valid", "validation"),
    ("dev", "validation"),
    ("test", "test"),
    ("eval", "test"),
];

/// How files are audited.
#[derive(Debug)]
pub struct AuditSettings {
    /// What the rows are; told by the columns when absent.
    pub shape: Option<Shape>,
    /// Columns that the user names.
    pub columns: ColumnNames,
    /// Lengths after which trainers cut.
    pub cuts: Cuts,
    /// Files whose texts must not stand in rows.
    pub holdout: RereadableSources,
    /// The longest row that is read, in bytes.
    pub max_bytes: usize,
    /// Where the kept rows will be written: what stands in the way is said before the first row is read.
    pub out: Option<PathBuf>,
}

/// Why an audit cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The columns do not fit.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] ExportError),
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowPlace {
    /// Its file's place in [`Audited::files`].
    pub file: u32,
    /// The line on which it begins; of Parquet, its number.
    pub line: u32,
}

impl RowPlace {
    fn told(self, files: &[AuditedFile]) -> String {
        let file = files.get(self.file as usize).map_or("", |file| file.name.as_str());
        format!("{file}:{}", self.line)
    }
}

/// A file that was read.
#[derive(Debug, Clone)]
pub struct AuditedFile {
    /// As the user named it.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// The columns that were looked at, for people.
    pub taken: String,
}

/// What an audit found.
#[derive(Debug)]
pub struct Audited {
    /// The figures.
    pub report: AuditReport,
    /// The files, in the order in which they were read.
    pub files: Vec<AuditedFile>,
    /// The codes of every row.
    pub codes: Vec<CodeSet>,
    /// Where every row stands.
    pub places: Vec<RowPlace>,
    /// Why rows cannot be read, by their number.
    pub bad_rows: BTreeMap<usize, String>,
    /// What a code alone does not say of a row, by its number.
    pub details: BTreeMap<usize, Found>,
}

impl Audited {
    /// `file:line` of a row.
    pub fn place(&self, row: usize) -> String {
        self.places.get(row).map_or_else(String::new, |place| place.told(&self.files))
    }
}

/// Audits the files. Temporary files go into `scratch`.
pub fn audit(
    sources: &RereadableSources,
    settings: &AuditSettings,
    scratch: &Path,
    mut on_rows: impl FnMut(u64),
) -> Result<Audited, AuditError> {
    let opened = open(sources, settings)?;
    let layouts = layouts(&opened, settings)?;
    if let Some(out) = &settings.out {
        can_be_written(out, opened.iter().map(|file| (file.name(), file.kind())))?;
    }
    let shape = layouts.first().map_or(Shape::Documents, |layout| layout.shape);
    let holdout = read_holdout(settings)?;
    let splits = splits_of(&opened);
    let split_count = splits.iter().collect::<std::collections::BTreeSet<_>>().len();
    let mut pass = Pass {
        shape,
        cuts: &settings.cuts,
        tallies: Tallies::default(),
        between: BetweenRows::new(shape, scratch, split_count)?,
        sample: ShortcutSample::default(),
        phrases: Phrases::default(),
        codes: Vec::new(),
        places: Vec::new(),
        readable: Vec::new(),
        bad_rows: BTreeMap::new(),
        details: BTreeMap::new(),
        without_end: Vec::new(),
    };
    let needs_said = split_count > 1;
    let looker = Looker { shape, cuts: &settings.cuts, holdout: &holdout, layouts: &layouts, needs_said };
    let mut files = Vec::new();
    thread::scope(|scope| -> Result<(), AuditError> {
        let workers = Workers::start(scope, &looker);
        for (number, ((file, layout), split)) in opened.into_iter().zip(&layouts).zip(&splits).enumerate() {
            let (name, kind) = (file.name().to_owned(), file.kind());
            files.push(AuditedFile { name, kind, taken: layout.taken() });
            let mut rows = file.into_rows(None);
            let mut begun: Option<Begun> = None;
            loop {
                // While the threads look at one batch the next is read.
                let (lines, batch): (Vec<u32>, Vec<ReadRow>) = rows.by_ref().take(BATCH).map(read).unzip();
                if let Some(begun) = begun.take() {
                    pass.take(number, *split, begun.lines, workers.end(&begun.shares))?;
                    on_rows(pass.codes.len() as u64);
                }
                if batch.is_empty() {
                    break;
                }
                begun = Some(Begun { lines, shares: workers.begin(number, batch) });
            }
        }
        Ok(())
    })?;
    pass.finish(files)
}

/// A batch that the threads look at.
struct Begun {
    lines: Vec<u32>,
    shares: Vec<usize>,
}

/// A row, or what is wrong with it, with its line.
fn read(row: Result<Row, crate::pure::reject::Reject>) -> (u32, ReadRow) {
    let line_of = |at: &str| at.rsplit_once(':').and_then(|(_, line)| line.parse().ok()).unwrap_or(0);
    match row {
        Ok(row) => (line_of(&row.at), Ok(row)),
        Err(reject) => {
            let at = reject.at.unwrap_or_default();
            (line_of(&at), Err((reject.reason.as_str().to_owned(), reject.detail)))
        }
    }
}

pub(super) fn open(sources: &RereadableSources, settings: &AuditSettings) -> Result<Vec<File>, OpenError> {
    let columns = &settings.columns;
    let known: Vec<&str> = [&columns.text, &columns.chosen, &columns.rejected]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .chain(crate::runtime::dataset::prompts::PROMPT_COLUMNS.iter().copied())
        .chain(crate::runtime::dataset::prompts::RESPONSE_COLUMNS.iter().copied().flatten().copied())
        .collect();
    readers::open(
        sources.sources(),
        &Settings { format: None, max_bytes: settings.max_bytes, known_columns: &known },
    )
}

pub(super) fn layouts(files: &[File], settings: &AuditSettings) -> Result<Vec<Layout>, LayoutError> {
    let mut layouts: Vec<Layout> = Vec::new();
    for file in files {
        let layout = Layout::of(file.name(), file.columns(), settings.shape, &settings.columns)?;
        if let Some(first) = layouts.first().filter(|first| first.shape != layout.shape) {
            return Err(LayoutError::Mixed {
                file: file.name().to_owned(),
                found: layout.shape.as_str(),
                expected: first.shape.as_str(),
            });
        }
        layouts.push(layout);
    }
    Ok(layouts)
}

fn read_holdout(settings: &AuditSettings) -> Result<Holdout, AuditError> {
    let mut holdout = Holdout::default();
    let sources = settings.holdout.sources();
    if sources.is_empty() {
        return Ok(holdout);
    }
    let known = crate::runtime::dataset::prompts::PROMPT_COLUMNS;
    let files = readers::open(
        sources,
        &Settings { format: None, max_bytes: settings.max_bytes, known_columns: known },
    )?;
    for file in files {
        let layout = Layout::of(file.name(), file.columns(), None, &ColumnNames::default())?;
        for row in file.into_rows(None).flatten() {
            if let Ok(item) = layout.item(&row.columns) {
                holdout.add(&item.said);
                item.replies.iter().for_each(|reply| holdout.add(&reply.text));
            }
        }
    }
    Ok(holdout)
}

/// Which split each file is: by the word for one in its name, else each file is its own.
fn splits_of(files: &[File]) -> Vec<u8> {
    let mut names: Vec<String> = Vec::new();
    let split = |(number, file): (usize, &File)| {
        let name = Path::new(file.name())
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().to_lowercase());
        let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
        let word = SPLIT_WORDS.iter().find(|(word, _)| words.contains(word));
        word.map_or_else(|| format!("file {number}"), |(_, split)| (*split).to_owned())
    };
    let numbered = |split: String| {
        let at = names.iter().position(|name| *name == split).unwrap_or_else(|| {
            names.push(split);
            names.len() - 1
        });
        u8::try_from(at).unwrap_or(u8::MAX)
    };
    files.iter().enumerate().map(split).map(numbered).collect()
}

/// What grows while rows come.
struct Pass<'a> {
    shape: Shape,
    cuts: &'a Cuts,
    tallies: Tallies,
    between: BetweenRows,
    sample: ShortcutSample,
    phrases: Phrases,
    codes: Vec<CodeSet>,
    places: Vec<RowPlace>,
    /// The numbers of the rows that could be read.
    readable: Vec<u32>,
    bad_rows: BTreeMap<usize, String>,
    details: BTreeMap<usize, Found>,
    /// Rows whose reply is prose without an end.
    without_end: Vec<usize>,
}

impl Pass<'_> {
    fn take(
        &mut self,
        file: usize,
        split: u8,
        lines: Vec<u32>,
        looked: Vec<Looked>,
    ) -> Result<(), ExportError> {
        let file = u32::try_from(file).unwrap_or(u32::MAX);
        for (line, looked) in lines.into_iter().zip(looked) {
            self.places.push(RowPlace { file, line });
            let number = self.codes.len();
            match looked {
                Looked::Bad(why) => {
                    let mut codes = CodeSet::default();
                    codes.insert(Name::Code(Code::BadRow));
                    self.codes.push(codes);
                    self.bad_rows.insert(number, why);
                }
                Looked::Row { item, found, hashes, spoken, said } => {
                    self.tallies.add(&item, &found, self.shape);
                    self.between.add(hashes, spoken.as_deref(), said.as_deref(), split)?;
                    if let [chosen, rejected] = &item.replies[..] {
                        self.sample.add(hashes.row, &chosen.text, &rejected.text);
                        self.phrases.add(&chosen.text, &rejected.text);
                    }
                    self.readable.push(u32::try_from(number).unwrap_or(u32::MAX));
                    self.codes.push(found.codes);
                    if found.lacks_end {
                        self.without_end.push(number);
                    }
                    let has_more = !(found.cuts.is_empty() && found.secrets.is_empty());
                    if has_more && self.details.len() < MOST_DETAILS {
                        self.details.insert(number, found);
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(self, files: Vec<AuditedFile>) -> Result<Audited, AuditError> {
        let Self {
            shape,
            cuts,
            tallies,
            between,
            sample,
            phrases,
            mut codes,
            places,
            readable,
            bad_rows,
            details,
            without_end,
            ..
        } = self;
        for (number, more) in readable.iter().zip(between.finish()?) {
            if let Some(codes) = codes.get_mut(*number as usize) {
                codes.unite(more);
            }
        }
        // Where nearly every reply ends as prose does, one that does not was cut.
        let few = without_end.len() as f64 <= FEW_WITHOUT_END * readable.len() as f64;
        if few && Code::TruncationSigns.applies_to(shape) {
            for row in &without_end {
                if let Some(codes) = codes.get_mut(*row) {
                    codes.insert(Name::Code(Code::TruncationSigns));
                }
            }
        }
        // A column that no row fills is not in use.
        let unlabelled = Name::Code(Code::Unlabelled);
        if codes.iter().filter(|codes| codes.has(unlabelled)).count() == readable.len() {
            for codes in &mut codes {
                codes.remove(unlabelled);
            }
        }
        let mut counted: BTreeMap<Name, (u64, Vec<String>)> = BTreeMap::new();
        let marked = codes.iter().zip(&places).filter(|(codes, _)| !codes.is_empty());
        for (codes, place) in marked {
            for name in codes.names(cuts) {
                let (count, told) = counted.entry(name).or_default();
                *count += 1;
                if told.len() < PLACES {
                    told.push(place.told(&files));
                }
            }
        }
        let (rows, shortcut) = (codes.len() as u64, sample.finish());
        let report = tallies.finish(shape, cuts, counted, rows, shortcut, phrases.distinct());
        Ok(Audited { report, files, codes, places, bad_rows, details })
    }
}
