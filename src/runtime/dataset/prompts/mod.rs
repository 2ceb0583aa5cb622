//! Prompts in: rows of files become conversations that end in a user turn, or rejects.
//!
//! A row becomes a prompt by these rules, the first that fits:
//!
//! - The column is the one the recipe names, else the first of [`PROMPT_COLUMNS`] that the file has; a row without
//!   it may have its prompt in `messages`, `conversations`, `conversation` or `prompt`. A plain text file has one
//!   prompt per line.
//! - A list of messages (`role`, `content`; ShareGPT's `from`, `value` too) is the conversation.
//! - A list of texts (`turns`, as in MT-Bench) is what a user says in turn; without the replies between them only the
//!   first can be asked, so that is the prompt.
//! - A text that begins with `Human:` after an empty line, or that goes on with `Assistant:`, is a transcript. All its
//!   turns are kept but the last reply, empty or not.
//! - `chosen` beside `rejected`: the prompt is what both have in common, without the last reply.
//! - Any other text is a single user turn, kept byte for byte; `instruction` beside `input` (Alpaca) or `context` (Dolly) is
//!   joined by an empty line. `history` beside a text holds the turns before it, `system` or `system_prompt` a system turn.
//! - A row of a conversation tree (OpenAssistant) is a prompt where a person begins the conversation.
//! - A conversation that ends in a reply loses it, and that is counted.
//!
//! Where responses are to be compared that the rows bring along, `responses.rs` finds them beside the prompt; whole
//! conversations give the prompt themselves.
//!
//! A row that fits none is a [`Reject`] with its line and a reason code. Duplicates are not looked for here. Reading
//! blocks: run it on a thread of its own.

mod column;
mod conversation;
mod responses;
mod sample;

pub(crate) use column::Columns;
pub use column::PROMPT_COLUMNS;
pub(super) use conversation::{BadPrompt, of_value};
pub(in crate::runtime) use conversation::{message, transcript};
pub use responses::RESPONSE_COLUMNS;
pub(crate) use sample::{Picked, RepeatFilter};

use super::readers::{self, File, FileRows, OpenError, Settings, Source};
use crate::pure::prompt::Prompt;
use crate::pure::recipe::Input;
use crate::pure::reject::Reject;
use crate::runtime::hub::HubFile;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// A row of the input.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// It holds a prompt.
    Prompt {
        /// The prompt.
        prompt: Prompt,
        /// `file:line`.
        at: String,
    },
    /// It does not.
    Reject(Reject),
}

/// Which columns of a file are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakenColumns {
    /// The file, as the user named it.
    pub file: String,
    /// What it holds, such as `CSV`.
    pub kind: &'static str,
    /// The column of the prompt; `None` until a row shows it, where no first row could be read.
    pub prompt: Option<String>,
    /// Columns that belong to the prompt, are labels, or are kept for the dataset.
    pub beside: Vec<String>,
    /// Columns that are not looked at.
    pub unused: Vec<String>,
}

/// Opens all sources: every problem with a file, or with a column that the recipe names, shows here.
pub fn open(sources: Vec<Source>, input: &Input, seed: u64) -> Result<Reader, OpenError> {
    open_rows(sources, input, seed, false)
}

/// The same of rows that bring along the responses to compare.
pub fn open_with_responses(sources: Vec<Source>, input: &Input, seed: u64) -> Result<Reader, OpenError> {
    open_rows(sources, input, seed, true)
}

fn open_rows(sources: Vec<Source>, input: &Input, seed: u64, carried: bool) -> Result<Reader, OpenError> {
    let mut known = PROMPT_COLUMNS.to_vec();
    known.extend(input.column.as_deref());
    if carried {
        known.extend(RESPONSE_COLUMNS.iter().copied().flatten());
        known.extend(input.responses.iter().map(String::as_str));
    }
    let settings = Settings {
        format: input.format,
        max_bytes: usize::try_from(input.max_bytes).unwrap_or(usize::MAX),
        known_columns: &known,
    };
    let dropped = Arc::default();
    let files = readers::open(sources, &settings)?
        .into_iter()
        .map(|file| Ok((Columns::of(&file, input, carried, &dropped)?, file)))
        .collect::<Result<VecDeque<_>, OpenError>>()?;
    let expected = files.iter().map(|(_, file)| file.expected()).sum::<Option<u64>>();
    let at_most = input.limit.into_iter().chain(input.sample).min();
    Ok(Reader {
        dropped,
        files,
        current: None,
        left: input.limit.unwrap_or(u64::MAX),
        picked: Picked::new(None, input.sample, seed),
        expected: expected.map(|rows| at_most.map_or(rows, |most| rows.min(most))),
    })
}

/// Rows of all sources, one after another.
///
/// With `sample`, everything is read before the first prompt comes: rejects as they are met, then the prompts drawn,
/// in an order that does not depend on the files. Memory then holds the prompts of the sample.
#[derive(Debug)]
pub struct Reader {
    dropped: Arc<AtomicU64>,
    files: VecDeque<(Columns, File)>,
    current: Option<(Columns, FileRows)>,
    left: u64,
    /// Does not count: `limit` is of rows, the bad ones too.
    picked: Picked<(Prompt, String)>,
    expected: Option<u64>,
}

impl Reader {
    /// About how many rows will come, where that is cheaply known.
    pub fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// Counts, while the rows are read, the conversations whose last reply is left out.
    pub fn replies_dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    /// What is taken from each file that has not been begun.
    pub fn taken(&self) -> Vec<TakenColumns> {
        let of = |(columns, file): &(Columns, File)| {
            let (prompt, beside, unused) = columns.taken(file);
            let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
            TakenColumns {
                file: file.name().to_owned(),
                kind: file.kind().name(),
                prompt: prompt.map(str::to_owned),
                beside: owned(beside),
                unused: owned(unused),
            }
        };
        self.files.iter().map(of).collect()
    }

    /// The files of the hub among those that have not been begun.
    pub fn from_hub(&self) -> Vec<HubFile> {
        let of = |(_, file): &(Columns, File)| {
            let sha256 = file.hub_sha256()?.to_owned();
            Some(HubFile { name: file.name().to_owned(), sha256 })
        };
        self.files.iter().filter_map(of).collect()
    }

    fn next_read(&mut self) -> Option<Row> {
        self.left = self.left.checked_sub(1)?;
        loop {
            if let Some((columns, rows)) = &mut self.current {
                match rows.next() {
                    Some(Ok(row)) => return Some(columns.read(row)),
                    Some(Err(reject)) => return Some(Row::Reject(reject)),
                    None => self.current = None,
                }
            }
            let (columns, file) = self.files.pop_front()?;
            let rows = file.into_rows(columns.needed().as_deref());
            self.current = Some((columns, rows));
        }
    }
}

impl Iterator for Reader {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        while let Some(row) = self.next_read() {
            match row {
                Row::Prompt { prompt, at } => {
                    let taken = self.picked.offer((prompt, at), |(prompt, _)| prompt.id.clone());
                    if let Some((prompt, at)) = taken {
                        return Some(Row::Prompt { prompt, at });
                    }
                }
                Row::Reject(_) => return Some(row),
            }
        }
        self.picked.next_drawn().map(|(prompt, at)| Row::Prompt { prompt, at })
    }
}

#[cfg(test)]
mod tests;
