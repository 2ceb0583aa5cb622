//! Rows that are the elements of one JSON array, however it is laid out. Only one element is in memory at a time.

use super::lines::{json_row, unreadable};
use super::{BadRow, Numbered, ReadRows};
use crate::pure::reason::Reason;
use std::io::{self, BufRead};

/// Reads the elements of an array; one above the limit is passed over without being kept.
pub(super) struct JsonArray {
    read: Box<dyn BufRead + Send>,
    max_bytes: usize,
    /// The line that the next byte stands on.
    line: u64,
    /// Whether the array's own bracket has been passed.
    is_inside: bool,
    ended: bool,
}

/// Where in an element its next byte stands.
#[derive(Default)]
struct Place {
    depth: u32,
    in_text: bool,
    is_escaped: bool,
}

impl Place {
    /// Whether the element ends before this byte.
    fn ends_before(&self, byte: u8) -> bool {
        self.depth == 0 && !self.in_text && matches!(byte, b',' | b']')
    }

    fn pass(&mut self, byte: u8) {
        match (self.in_text, byte) {
            (true, _) if self.is_escaped => self.is_escaped = false,
            (true, b'\\') => self.is_escaped = true,
            (_, b'"') => self.in_text = !self.in_text,
            (false, b'{' | b'[') => self.depth += 1,
            (false, b'}' | b']') => self.depth = self.depth.saturating_sub(1),
            (_, _) => {}
        }
    }
}

impl JsonArray {
    pub(super) fn new(read: Box<dyn BufRead + Send>, max_bytes: usize) -> Self {
        Self { read, max_bytes, line: 1, is_inside: false, ended: false }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.read.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return Ok(other?.first().copied()),
            }
        }
    }

    fn take(&mut self, byte: u8) {
        self.line += u64::from(byte == b'\n');
        self.read.consume(1);
    }

    /// Passes over what stands between elements.
    fn skip_to_element(&mut self) -> io::Result<()> {
        while let Some(byte) = self.peek()? {
            let is_own_bracket = byte == b'[' && !self.is_inside;
            if !byte.is_ascii_whitespace() && byte != b',' && !is_own_bracket {
                break;
            }
            self.is_inside |= is_own_bracket;
            self.take(byte);
        }
        Ok(())
    }

    /// The next element with the line it begins on; `None` at the end of the array.
    fn next_element(&mut self) -> io::Result<Option<Numbered>> {
        self.skip_to_element()?;
        let line = self.line;
        let (mut element, mut length, mut place) = (Vec::new(), 0_u64, Place::default());
        loop {
            let Some(byte) = self.peek()? else {
                self.ended = true;
                let cut = BadRow::new(Reason::BadJson, "the file ends in the middle of the array");
                return Ok(Some(Numbered { line, row: Err(cut) }));
            };
            if place.ends_before(byte) {
                break;
            }
            place.pass(byte);
            length += 1;
            if length <= self.max_bytes as u64 {
                element.push(byte);
            } else {
                element = Vec::new();
            }
            self.take(byte);
        }
        if length == 0 {
            self.ended = true;
            return Ok(None);
        }
        let row = if length > self.max_bytes as u64 {
            Err(BadRow::too_long(length, self.max_bytes))
        } else {
            json_row(element)
        };
        Ok(Some(Numbered { line, row }))
    }
}

impl ReadRows for JsonArray {
    fn next_row(&mut self) -> Option<Numbered> {
        if self.ended {
            return None;
        }
        self.next_element().unwrap_or_else(|error| {
            self.ended = true;
            Some(Numbered { line: self.line, row: Err(unreadable(&error)) })
        })
    }
}
