//! Server-sent events, read and written by hand: what passes must pass byte for byte.
//!
//! An event keeps the bytes that it came in, so that the events of a stream, joined, are the stream. It may be cut anywhere:
//! in the middle of a character, between the two bytes of a line end.

use bytes::{Bytes, BytesMut};

/// One event, or a comment between events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// The bytes as they came, the empty line at the end too.
    pub raw: Bytes,
    /// Its `data` lines, joined by line breaks; `None` where it has none.
    pub data: Option<Vec<u8>>,
}

/// Reads events out of bytes that come in pieces.
#[derive(Debug, Default)]
pub struct SseReader {
    buffer: BytesMut,
    /// The buffer is looked at from here: what stands before holds no end of an event.
    seen: usize,
    /// Where the line that is being read begins.
    line: usize,
}

impl SseReader {
    /// Takes the next bytes, and gives the events that are whole now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<SseEvent> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.end_of_event() {
            events.push(event(self.buffer.split_to(end).freeze()));
            (self.seen, self.line) = (0, 0);
        }
        events
    }

    /// How many bytes wait for the end of their event.
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// What is left when the stream has ended: an event without an empty line after it, or nothing.
    pub fn finish(self) -> Option<SseEvent> {
        (!self.buffer.is_empty()).then(|| event(self.buffer.freeze()))
    }

    /// The end of the first event in the buffer, behind its empty line.
    fn end_of_event(&mut self) -> Option<usize> {
        loop {
            let byte = *self.buffer.get(self.seen)?;
            let length = match (byte, self.buffer.get(self.seen + 1)) {
                (b'\r', Some(b'\n')) => 2,
                (b'\n', _) | (b'\r', Some(_)) => 1,
                // A line feed may follow that belongs to it.
                (b'\r', None) => return None,
                _ => {
                    self.seen += 1;
                    continue;
                }
            };
            let is_empty = self.seen == self.line;
            self.seen += length;
            self.line = self.seen;
            if is_empty {
                return Some(self.seen);
            }
        }
    }
}

fn event(raw: Bytes) -> SseEvent {
    let mut data: Option<Vec<u8>> = None;
    let text = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&raw);
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let Some(rest) = line.strip_prefix(b"data") else { continue };
        let value = match rest.strip_prefix(b":") {
            Some(value) => value.strip_prefix(b" ").unwrap_or(value),
            None if rest.is_empty() => rest,
            None => continue,
        };
        match &mut data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            None => data = Some(value.to_vec()),
        }
    }
    SseEvent { raw, data }
}

/// An event of one line of data.
pub fn write_event(data: &str) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Vec<SseEvent> {
        let mut reader = SseReader::default();
        let mut events: Vec<SseEvent> = pieces.iter().flat_map(|piece| reader.push(piece)).collect();
        events.extend(reader.finish());
        events
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        let check = |text: &str, expected: &[Option<&str>]| {
            let events = read(&[text.as_bytes()]);
            let data: Vec<Option<String>> = events
                .iter()
                .map(|event| event.data.clone().map(|data| String::from_utf8(data).unwrap()))
                .collect();
            let expected: Vec<_> = expected.iter().map(|data| data.map(str::to_owned)).collect();
            assert_eq!(data, expected, "{text:?}");
        };
        check("data: a\n\ndata:b\n\n", &[Some("a"), Some("b")]);
        check("data: a\r\n\r\n: comment\r\n\r\ndata: [DONE]\r\n\r\n", &[Some("a"), None, Some("[DONE]")]);
        check("data: a\rdata: b\r\r", &[Some("a\nb")]);
        check("event: x\nid: 1\ndata:  two spaces\n\n", &[Some(" two spaces")]);
        check("\u{feff}data: a\n\ndata: not ended", &[Some("a"), Some("not ended")]);
        check("data\n\ndatabase: no\n\n", &[Some(""), None]);
        check("", &[]);
    }

    proptest! {
        /// Wherever a stream is cut, its events are the same, and joined they are the stream.
        #[test]
        fn a_stream_may_be_cut_anywhere(
            parts in prop::collection::vec(
                prop_oneof![
                    Just("data: "), Just("\n"), Just("\r"), Just("\r\n"), Just("\n\n"), Just("\r\n\r\n"),
                    Just("é€😀"), Just("{\"a\":1}"), Just(": ping"), Just("[DONE]"), Just("data"), Just(":"),
                ],
                0..40,
            ),
            cuts in prop::collection::vec(0_usize..400, 0..12),
        ) {
            let text = parts.concat().into_bytes();
            let whole = read(&[&text]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            let cut = read(&pieces);
            let joined: Vec<u8> = cut.iter().flat_map(|event| event.raw.to_vec()).collect();
            prop_assert_eq!(joined, text);
            prop_assert_eq!(cut, whole);
        }
    }
}
