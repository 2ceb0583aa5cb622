//! Rows that are lines: JSON Lines and plain text.

use super::{BadRow, Numbered, ReadRows, TEXT_COLUMN};
use crate::pure::reason::Reason;
use crate::pure::text::loose_json;
use serde_json::{Map, Value};
use std::io::{self, BufRead};

/// Reads lines; a line above the limit is passed over without being kept.
pub(super) struct Lines {
    read: Box<dyn BufRead + Send>,
    json: bool,
    max_bytes: usize,
    line: u64,
    ended: bool,
}

impl Lines {
    pub(super) fn new(read: Box<dyn BufRead + Send>, json: bool, max_bytes: usize) -> Self {
        Self { read, json, max_bytes, line: 0, ended: false }
    }

    /// The next line without its end, or its length when it is too long. `None` at the end.
    fn next_line(&mut self) -> io::Result<Option<Result<Vec<u8>, u64>>> {
        let mut line = Vec::new();
        let mut length = 0_u64;
        let mut met = false;
        loop {
            let chunk = match self.read.fill_buf() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if chunk.is_empty() {
                break;
            }
            met = true;
            let newline = chunk.iter().position(|b| *b == b'\n');
            let part = newline.and_then(|at| chunk.get(..at)).unwrap_or(chunk);
            length += part.len() as u64;
            if length <= self.max_bytes as u64 {
                line.extend_from_slice(part);
            } else {
                line = Vec::new();
            }
            let used = newline.map_or(part.len(), |at| at + 1);
            self.read.consume(used);
            if newline.is_some() {
                break;
            }
        }
        if !met {
            return Ok(None);
        }
        self.line += 1;
        if length > self.max_bytes as u64 {
            return Ok(Some(Err(length)));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(Ok(line)))
    }

    /// Passes over one row without parsing it.
    pub(super) fn skip_row(&mut self) -> Option<()> {
        loop {
            match self.next_line() {
                Ok(Some(Ok(line))) if line.trim_ascii().is_empty() => {}
                Ok(Some(_)) => return Some(()),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    fn row(&self, line: Vec<u8>) -> Result<Map<String, Value>, BadRow> {
        if self.json {
            return json_row(line);
        }
        Ok(Map::from_iter([(TEXT_COLUMN.to_owned(), Value::String(utf8(line)?))]))
    }
}

/// The row that the bytes of a JSON object are.
pub(super) fn json_row(bytes: Vec<u8>) -> Result<Map<String, Value>, BadRow> {
    match loose_json::parse(&utf8(bytes)?).map(|read| read.value) {
        Ok(Value::Object(columns)) => Ok(columns),
        Ok(other) => Err(BadRow::new(
            Reason::NotAnObject,
            format!("the line holds {}, not an object", type_name(&other)),
        )),
        Err(e) => Err(BadRow::new(Reason::BadJson, json_error(&e))),
    }
}

impl ReadRows for Lines {
    fn next_row(&mut self) -> Option<Numbered> {
        while !self.ended {
            let row = match self.next_line() {
                Ok(None) => return None,
                Ok(Some(Ok(line))) if line.trim_ascii().is_empty() => continue,
                Ok(Some(Ok(line))) => self.row(line),
                Ok(Some(Err(length))) => Err(BadRow::too_long(length, self.max_bytes)),
                Err(e) => {
                    self.ended = true;
                    self.line += 1;
                    Err(unreadable(&e))
                }
            };
            return Some(Numbered { line: self.line, row });
        }
        None
    }
}

pub(super) fn unreadable(e: &io::Error) -> BadRow {
    BadRow::new(Reason::Unreadable, format!("the file cannot be read from here on: {e}"))
}

pub(super) fn utf8(bytes: Vec<u8>) -> Result<String, BadRow> {
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to() + 1;
        BadRow::new(Reason::InvalidUtf8, format!("byte {at} of the row is not UTF-8"))
    })
}

/// What the parser said, without its line number, which counts within the line.
fn json_error(e: &serde_json::Error) -> String {
    let said = e.to_string();
    let what = said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what);
    format!("the line is not JSON: {what} at column {}", e.column())
}

/// What a JSON value is, for messages.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
