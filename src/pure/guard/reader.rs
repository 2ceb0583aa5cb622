//! An upstream's answer as it comes in: bytes → pieces that may leave, with the text up to each.
//!
//! What is a stream is cut into its events; what is not is one piece. Whoever only looks on gets every byte at once, and what
//! cannot be read is then not scanned; otherwise it is an error.

use super::answer_text::AnswerText;
use super::flow::Piece;
use super::rules::{AnswerWatch, RuleHit};
use super::sse::{SseEvent, SseReader};
use bytes::{Bytes, BytesMut};

/// Reads one answer.
#[derive(Debug)]
pub struct AnswerReader {
    form: Form,
    text: AnswerText,
    watch: AnswerWatch,
    /// Pieces so far.
    pieces: usize,
    /// Most bytes of one event, or of a body that is not streamed.
    most: usize,
    looks_on: bool,
    is_done: bool,
    is_unread: bool,
}

#[derive(Debug)]
enum Form {
    Events(SseReader),
    Whole(BytesMut),
}

impl AnswerReader {
    /// A reader of a stream of events, or of one JSON body.
    pub fn new(is_stream: bool, most: usize, looks_on: bool) -> Self {
        let form = if is_stream { Form::Events(SseReader::default()) } else { Form::Whole(BytesMut::new()) };
        let (text, watch) = (AnswerText::default(), AnswerWatch::default());
        Self { form, text, watch, pieces: 0, most, looks_on, is_done: false, is_unread: false }
    }

    /// With rules that look out over the answer.
    #[must_use]
    pub fn watched(self, watch: AnswerWatch) -> Self {
        Self { watch, ..self }
    }

    /// The rule that the answer breaks.
    pub fn hit(&self) -> Option<&RuleHit> {
        self.watch.hit()
    }

    /// What the answer says so far.
    pub fn text(&self) -> &AnswerText {
        &self.text
    }

    /// The body, where it is not streamed.
    pub fn body(&self) -> Option<&[u8]> {
        match &self.form {
            Form::Events(_) => None,
            Form::Whole(body) => Some(body),
        }
    }

    /// Whether there is something that nobody could read.
    pub fn is_unread(&self) -> bool {
        self.is_unread
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &Bytes) -> Result<Vec<Piece>, String> {
        let read = match &mut self.form {
            Form::Whole(body) if self.looks_on && body.len() + bytes.len() > self.most => {
                Err(TOO_LONG.to_owned())
            }
            Form::Whole(body) => {
                body.extend_from_slice(bytes);
                // The flow sees how long it is, and stops it; it never leaves, so nothing need be read of it.
                let is_too_long = body.len() > self.most;
                let too_long = is_too_long.then(|| Piece { bytes: body.split().freeze(), upto: 0, clear: 0 });
                Ok(too_long.into_iter().collect())
            }
            Form::Events(reader) => {
                let events = reader.push(bytes);
                if reader.waiting() > self.most { Err(TOO_LONG.to_owned()) } else { self.events(events) }
            }
        };
        if self.looks_on {
            self.is_unread |= read.is_err();
            return Ok(vec![Piece { bytes: bytes.clone(), upto: self.text.chars(), clear: usize::MAX }]);
        }
        read
    }

    /// The bytes are at their end.
    pub fn finish(&mut self) -> Result<Vec<Piece>, String> {
        let read = match &mut self.form {
            Form::Events(reader) => {
                let left = std::mem::take(reader).finish();
                let read = self.events(left.into_iter().collect());
                read.and_then(|pieces| {
                    self.watch.finish();
                    let is_whole = self.is_done || self.text.has_finished();
                    if is_whole { Ok(pieces) } else { Err("the stream ended before the answer did".into()) }
                })
            }
            Form::Whole(body) => {
                let body = body.clone().freeze();
                let Self { text, watch, .. } = self;
                let read =
                    text.take_heard(&body, &mut |choice, field, said| watch.take(choice, field, said, 0));
                watch.finish();
                // It is one piece: all of it may leave, or nothing.
                let clear = if watch.hit().is_some() { 0 } else { usize::MAX };
                read.map(|()| vec![Piece { bytes: body, upto: text.chars(), clear }])
            }
        };
        if self.looks_on {
            self.is_unread |= read.is_err();
            return Ok(vec![Piece { bytes: Bytes::new(), upto: self.text.chars(), clear: usize::MAX }]);
        }
        read
    }

    fn events(&mut self, events: Vec<SseEvent>) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::new();
        for SseEvent { raw, data } in events {
            match data.as_deref() {
                Some(b"[DONE]") => self.is_done = true,
                // An event without data says nothing to a client of this form.
                Some(b"") | None => {}
                Some(data) => {
                    let Self { text, watch, pieces, .. } = self;
                    text.take_heard(data, &mut |choice, field, said| {
                        watch.take(choice, field, said, *pieces);
                    })?;
                }
            }
            self.pieces += 1;
            let clear = self.watch.open_since().unwrap_or(self.pieces);
            pieces.push(Piece { bytes: raw, upto: self.text.chars(), clear });
        }
        Ok(pieces)
    }
}

/// What the audit says of an answer that does not fit.
const TOO_LONG: &str = "the answer is longer than may be held back";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stream() -> String {
        let chunk = |text: &str| {
            let choice =
                serde_json::json!({ "index": 0, "delta": { "content": text }, "finish_reason": null });
            format!("data: {}\n\n", serde_json::json!({ "choices": [choice] }))
        };
        let words = ["Grüß ", "dich, ", "how ", "are ", "you? ", "😀 "];
        let mut text: String = words.iter().map(|word| chunk(word)).collect();
        text.insert_str(0, ": keep-alive\n\n");
        text + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]\n\n"
    }

    fn read(reader: &mut AnswerReader, pieces: &[&[u8]]) -> Result<Vec<Piece>, String> {
        let mut found = Vec::new();
        for piece in pieces {
            found.extend(reader.push(&Bytes::copy_from_slice(piece))?);
        }
        found.extend(reader.finish()?);
        Ok(found)
    }

    proptest! {
        /// Cut anywhere, the pieces joined are the stream, and the text is the same.
        #[test]
        fn pieces_joined_are_the_stream(cuts in prop::collection::vec(0_usize..800, 0..9), looks_on in any::<bool>()) {
            let text = stream().into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let cut: Vec<&[u8]> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            let mut reader = AnswerReader::new(true, 10_000, looks_on);
            let pieces = read(&mut reader, &cut).unwrap();
            let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes.to_vec()).collect();
            prop_assert_eq!(joined, text);
            prop_assert_eq!(reader.text().only_content(), Some("Grüß dich, how are you? 😀 "));
            prop_assert_eq!(pieces.last().unwrap().upto, reader.text().chars());
        }
    }

    #[test]
    fn what_cannot_be_read_or_does_not_fit_is_an_error_and_passes_only_where_nobody_acts() {
        let check = |is_stream: bool, body: &str, most: usize, says: Option<&str>| {
            let mut reader = AnswerReader::new(is_stream, most, false);
            let told = read(&mut reader, &[body.as_bytes()]).err();
            assert_eq!(told.as_deref().is_some(), says.is_some(), "{told:?}");
            assert!(
                told.is_none_or(|told| told.contains(says.unwrap_or_default()) && !told.contains("canary"))
            );
            let mut reader = AnswerReader::new(is_stream, most, true);
            let pieces = read(&mut reader, &[body.as_bytes()]).unwrap();
            let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes.to_vec()).collect();
            assert_eq!(String::from_utf8(joined).unwrap(), body);
            assert_eq!(reader.is_unread(), says.is_some(), "{body}");
        };
        let whole = "{\"choices\":[{\"message\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}";
        check(false, whole, 1_000, None);
        let mut reader = AnswerReader::new(false, 10, false);
        let pieces = reader.push(&Bytes::from_static(whole.as_bytes())).unwrap();
        assert!(pieces[0].bytes.len() > 10, "the flow is told how long it is");
        check(false, "<html>canary</html>", 1_000, Some("not JSON"));
        check(true, "data: canary\n\n", 1_000, Some("not JSON"));
        check(
            true,
            "data: {\"choices\":[{\"delta\":{\"content\":\"cut\"}}]}\n\n",
            1_000,
            Some("before the answer did"),
        );
        check(true, "", 1_000, Some("before the answer did"));
        check(true, "data: [DONE]\n\n", 1_000, None);
    }
}
