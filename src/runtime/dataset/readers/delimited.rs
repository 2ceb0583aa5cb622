//! CSV and TSV rows, with a header.
//!
//! The parser is `csv-core`, which never holds more than it is given: a quote left open cannot pull the rest of a
//! file into memory.

use super::lines::{unreadable, utf8};
use super::{BadRow, Numbered, ReadRows, TEXT_COLUMN};
use crate::pure::reason::Reason;
use serde_json::{Map, Value};
use std::io::{self, BufRead};

/// Whether a line of one column is a sentence rather than a name: three words, or a stop at its end.
fn is_a_sentence(names: &[String]) -> bool {
    let [only] = names else { return false };
    only.split_whitespace().nth(2).is_some() || only.ends_with(['.', '?', '!', '。', '？'])
}

/// Reads records under a header.
pub(super) struct Delimited {
    read: Box<dyn BufRead + Send>,
    parser: csv_core::Reader,
    header: Vec<String>,
    /// The first record of a file without a header.
    first: Option<(u64, Record)>,
    max_bytes: usize,
    /// The line that the next byte stands on.
    line: u64,
    ended: bool,
}

enum Record {
    Fields(Vec<Vec<u8>>),
    TooLong(u64),
}

impl Delimited {
    /// Reads the header. `Ok(None)` when there is nothing. A file without one is known by this: it has one column that
    /// begins with a sentence, or the user names its column by a number. Its columns are `text`, or `1`, `2` and so on.
    pub(super) fn new(
        read: Box<dyn BufRead + Send>,
        delimiter: u8,
        max_bytes: usize,
        known: &[String],
    ) -> io::Result<Option<Self>> {
        let parser = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        let mut this =
            Self { read, parser, header: Vec::new(), first: None, max_bytes, line: 1, ended: false };
        match this.next_record()? {
            None => Ok(None),
            Some((_, Record::TooLong(_))) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the header is longer than a row may be"))
            }
            Some((line, Record::Fields(fields))) => {
                let names: Vec<String> =
                    fields.iter().map(|f| String::from_utf8_lossy(f).trim().to_owned()).collect();
                let numbers: Vec<String> = (1..=names.len()).map(|n| n.to_string()).collect();
                let is_known =
                    names.iter().any(|name| known.iter().any(|known| known.eq_ignore_ascii_case(name)));
                let is_numbered = numbers.iter().any(|number| known.contains(number));
                if is_known || !(is_numbered || is_a_sentence(&names)) {
                    this.header = names;
                } else {
                    this.header = if is_numbered { numbers } else { vec![TEXT_COLUMN.to_owned()] };
                    this.first = Some((line, Record::Fields(fields)));
                }
                Ok(Some(this))
            }
        }
    }

    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// The next record and the line it begins on.
    fn next_record(&mut self) -> io::Result<Option<(u64, Record)>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        self.skip_line_ends()?;
        let start = self.line;
        let (mut data, mut ends) = (Vec::new(), Vec::new());
        let mut size = 0_u64;
        let (mut out, mut out_ends) = ([0_u8; 8192], [0_usize; 512]);
        loop {
            let input = match self.read.fill_buf() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            let (result, read, written, fields) = self.parser.read_record(input, &mut out, &mut out_ends);
            self.line += input.iter().take(read).filter(|b| **b == b'\n').count() as u64;
            self.read.consume(read);
            // A field costs a byte too, so that a row of nothing but commas is also bounded.
            size += (written + fields) as u64;
            if size <= self.max_bytes as u64 {
                data.extend(out.iter().take(written));
                ends.extend(out_ends.iter().take(fields));
            } else {
                (data, ends) = (Vec::new(), Vec::new());
            }
            match result {
                csv_core::ReadRecordResult::InputEmpty
                | csv_core::ReadRecordResult::OutputFull
                | csv_core::ReadRecordResult::OutputEndsFull => {}
                csv_core::ReadRecordResult::End => return Ok(None),
                csv_core::ReadRecordResult::Record if size > self.max_bytes as u64 => {
                    return Ok(Some((start, Record::TooLong(size))));
                }
                csv_core::ReadRecordResult::Record => {
                    return Ok(Some((start, Record::Fields(split(&data, &ends)))));
                }
            }
        }
    }

    /// Passes over empty lines here, so that a record's line is the one it begins on.
    fn skip_line_ends(&mut self) -> io::Result<()> {
        loop {
            let input = self.read.fill_buf()?;
            let count = input.iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
            if count == 0 {
                return Ok(());
            }
            self.line += input.iter().take(count).filter(|b| **b == b'\n').count() as u64;
            self.read.consume(count);
        }
    }

    fn row(&self, record: Record) -> Result<Map<String, Value>, BadRow> {
        let fields = match record {
            Record::Fields(fields) => fields,
            Record::TooLong(bytes) => {
                let mut bad = BadRow::too_long(bytes, self.max_bytes);
                bad.detail.push_str("; a quote may have been left open");
                return Err(bad);
            }
        };
        if fields.len() != self.header.len() {
            return Err(BadRow::new(
                Reason::WrongColumns,
                format!("the row has {} fields, the header {}", fields.len(), self.header.len()),
            ));
        }
        let mut columns = Map::new();
        for (name, field) in self.header.iter().zip(fields) {
            if !columns.contains_key(name) {
                columns.insert(name.clone(), Value::String(utf8(field)?));
            }
        }
        Ok(columns)
    }
}

fn split(data: &[u8], ends: &[usize]) -> Vec<Vec<u8>> {
    let mut start = 0;
    ends.iter()
        .map(|end| {
            let field = data.get(start..*end).unwrap_or_default().to_vec();
            start = *end;
            field
        })
        .collect()
}

impl ReadRows for Delimited {
    fn next_row(&mut self) -> Option<Numbered> {
        if self.ended {
            return None;
        }
        match self.next_record() {
            Ok(None) => None,
            Ok(Some((line, record))) => Some(Numbered { line, row: self.row(record) }),
            Err(e) => {
                self.ended = true;
                Some(Numbered { line: self.line, row: Err(unreadable(&e)) })
            }
        }
    }
}
