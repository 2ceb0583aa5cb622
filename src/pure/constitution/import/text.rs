//! Text that is not data: a principle per line, a list in Markdown, a table with named columns. What is prose is refused with the
//! line, as whatever were made of it would be half sentences.

use super::{Draft, ImportError};

pub(super) const LINES: &str = "plain text, one principle per line";
pub(super) const TABLE: &str = "a table";

/// Words of a line from which it is a paragraph and no single principle.
const PARAGRAPH: usize = 80;

/// Words of a list item from which it is a section and no single principle.
const SECTION: usize = 150;

/// Columns that hold a principle, in the order of preference, and those of its other parts.
const TEXT_COLUMNS: [&str; 7] =
    ["principle", "rule", "text", "guideline", "policy", "statement", "description"];
const NAME_COLUMNS: [&str; 4] = ["id", "name", "title", "key"];
const CRITIQUE_COLUMNS: [&str; 3] = ["critique", "critique_request", "critic"];
const REVISION_COLUMNS: [&str; 2] = ["revision", "revision_request"];

/// A line of the source, with its number.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    fn trimmed(&self) -> &'a str {
        self.text.trim()
    }

    fn is_blank(&self) -> bool {
        self.trimmed().is_empty()
    }

    fn is_comment(&self) -> bool {
        self.trimmed().starts_with('#')
    }

    fn is_item(&self) -> bool {
        without_mark(self.trimmed()) != self.trimmed()
    }

    fn is_indented(&self) -> bool {
        self.text.starts_with([' ', '\t'])
    }
}

/// Reads lines or a list. List marks are left out, and comments are kept. In a text that is mostly a list, a line that is indented
/// or follows an item at once goes on with it, and what introduces items is a comment.
pub(super) fn lines(source: &str) -> Result<(Vec<Draft>, Vec<String>), ImportError> {
    let all: Vec<Line<'_>> =
        source.lines().enumerate().map(|(n, text)| Line { number: n + 1, text }).collect();
    let told: Vec<Line<'_>> =
        all.iter().filter(|line| !line.is_blank() && !line.is_comment()).copied().collect();
    let items = told.iter().filter(|line| line.is_item()).count();
    // Lines that go on with an item are not counted against the list.
    let mut before: Option<&Line<'_>> = None;
    let mut others = 0;
    for line in &all {
        let goes_on = before.is_some_and(|before| !before.is_blank() && !before.is_comment());
        others += usize::from(
            !line.is_blank() && !line.is_comment() && !line.is_item() && !line.is_indented() && !goes_on,
        );
        before = Some(line);
    }
    let is_list = items > 0 && items >= others;
    refuse_prose(&all, &told, items, is_list)?;
    let mut reading = Reading::default();
    let mut follows = false;
    for line in &all {
        let text = line.trimmed();
        if line.is_comment() {
            reading.comments.push(text.trim_start_matches('#').trim().to_owned());
        } else if is_list
            && !line.is_item()
            && (line.is_indented() || follows)
            && !line.is_blank()
            && !reading.drafts.is_empty()
        {
            reading.goes_on(text);
        } else if is_list && !line.is_item() && !line.is_blank() {
            reading.outside += 1;
            reading.comments.push(text.to_owned());
        } else if !line.is_blank() {
            reading.item(line.number, without_mark(text));
        }
        follows = !line.is_blank() && !line.is_comment() && (line.is_item() || follows);
    }
    reading.finish()
}

#[derive(Default)]
struct Reading {
    drafts: Vec<Draft>,
    /// The line in which each begins.
    begins: Vec<usize>,
    comments: Vec<String>,
    outside: usize,
}

impl Reading {
    fn item(&mut self, line: usize, text: &str) {
        self.begins.push(line);
        let comments = std::mem::take(&mut self.comments);
        self.drafts.push(Draft { text: text.to_owned(), comments, ..Draft::default() });
    }

    fn goes_on(&mut self, text: &str) {
        if let Some(item) = self.drafts.last_mut() {
            item.text.push(' ');
            item.text.push_str(text);
        }
    }

    fn finish(self) -> Result<(Vec<Draft>, Vec<String>), ImportError> {
        for (draft, line) in self.drafts.iter().zip(&self.begins) {
            if let words @ SECTION.. = words_in(&draft.text) {
                return Err(prose(*line, &format!("the list item is a section of {words} words")));
            }
        }
        let mut notes = Vec::new();
        match self.outside {
            0 => {}
            1 => notes.push("1 line outside the list stands as a comment".into()),
            outside => notes.push(format!("{outside} lines outside the list stand as comments")),
        }
        if !self.comments.is_empty() {
            notes.push("the comment at the end of the file, after the last principle, is left out".into());
        }
        Ok((self.drafts, notes))
    }
}

fn words_in(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Refuses what is no list of principles: a sentence over several lines, or paragraphs.
fn refuse_prose(all: &[Line<'_>], told: &[Line<'_>], items: usize, is_list: bool) -> Result<(), ImportError> {
    if is_list {
        return Ok(());
    }
    if items > 0 {
        let first = told.iter().find(|line| !line.is_item()).map_or(1, |line| line.number);
        return Err(prose(
            first,
            &format!("more of it is text than list items ({items}), so it is not a list of principles"),
        ));
    }
    let wraps = |pair: &[Line<'_>]| {
        let ends = pair[0]
            .trimmed()
            .ends_with(['.', '?', '!', ':', ';', '"', '”', '»', '。', '？', '！', '।', '؟', ')']);
        let goes_on = pair[1].trimmed().chars().next().is_some_and(char::is_lowercase);
        !pair[0].is_blank() && !pair[0].is_comment() && !ends && goes_on
    };
    if let Some(pair) = all.windows(2).find(|pair| wraps(pair)) {
        return Err(prose(pair[0].number, "a sentence goes on in the next line"));
    }
    match told.iter().find(|line| words_in(line.text) > PARAGRAPH) {
        Some(line) => Err(prose(line.number, &format!("it is a paragraph of {} words", words_in(line.text)))),
        None => Ok(()),
    }
}

fn prose(line: usize, what: &str) -> ImportError {
    ImportError::Prose(format!(
        "line {line}: {what}; write one principle per line, or a list (`- …`), each a statement about the response"
    ))
}

/// The line without `- `, `* `, `• `, `3. ` or `3) ` before it.
fn without_mark(line: &str) -> &str {
    let bullet = ["- ", "* ", "• ", "+ "].iter().find_map(|mark| line.strip_prefix(mark));
    let number = || {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let rest = rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") "))?;
        line.starts_with(|c: char| c.is_ascii_digit()).then_some(rest)
    };
    bullet.or_else(number).unwrap_or(line).trim()
}

/// The separator of a table whose first line names a column of principles.
pub(super) fn separator_of(source: &str) -> Option<u8> {
    let first = source.lines().find(|line| !line.trim().is_empty())?;
    let is_head = |separator: &u8| {
        let names: Vec<String> = first.split(char::from(*separator)).map(column_name).collect();
        names.len() > 1 && names.iter().any(|name| TEXT_COLUMNS.contains(&name.as_str()))
    };
    [b',', b';', b'\t'].into_iter().find(is_head)
}

fn column_name(head: &str) -> String {
    head.trim().trim_matches('"').trim().to_lowercase().replace([' ', '-'], "_")
}

/// Reads a table by its column names.
pub(super) fn table(source: &str, separator: u8) -> Result<(Vec<Draft>, Vec<String>), ImportError> {
    let bad = |error: csv::Error| ImportError::BadTable(error.to_string());
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).flexible(false).from_reader(source.as_bytes());
    let heads: Vec<String> = reader.headers().map_err(bad)?.iter().map(column_name).collect();
    let place = |names: &[&str]| names.iter().find_map(|name| heads.iter().position(|head| head == name));
    let Some(text) = place(&TEXT_COLUMNS) else {
        return Err(ImportError::BadTable(format!(
            "its columns are {}, and one of them must be named {}",
            heads.join(", "),
            TEXT_COLUMNS.join(", ")
        )));
    };
    let (name, critique, revision) =
        (place(&NAME_COLUMNS), place(&CRITIQUE_COLUMNS), place(&REVISION_COLUMNS));
    let used = [Some(text), name, critique, revision];
    let unused: Vec<&str> = heads
        .iter()
        .enumerate()
        .filter(|(at, _)| !used.contains(&Some(*at)))
        .map(|(_, head)| head.as_str())
        .collect();
    let mut drafts = Vec::new();
    for record in reader.records() {
        let record = record.map_err(bad)?;
        let cell = |at: Option<usize>| {
            at.and_then(|at| record.get(at)).map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned)
        };
        let Some(text) = cell(Some(text)) else { continue };
        drafts.push(Draft {
            text,
            name: cell(name),
            critique: cell(critique),
            revision: cell(revision),
            ..Draft::default()
        });
    }
    let notes =
        unused.iter().map(|head| format!("the column `{head}` has no counterpart and is left out")).collect();
    Ok((drafts, notes))
}
