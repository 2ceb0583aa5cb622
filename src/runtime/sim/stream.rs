//! What a stream can do to a reader: a text planted in the answer, and bytes that are cut anywhere. Pure.
//!
//! The planted text stands in the answer whether it is streamed or not, so that the two are the same. Where the bytes are cut
//! follows from the seed and the answer's id: a stream is cut in the same way each time.

use super::draw::Draw;
use super::wire::{Completion, Token};
use crate::pure::recipe::{Chunking, Sim, SpanAt};

/// Bytes that go out together, and how many tokens are complete with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) bytes: Vec<u8>,
    pub(super) tokens: usize,
}

/// The text with the planted one in it, before the marks at its end.
pub(super) fn with_span(sim: &Sim, text: String, draw: &Draw) -> String {
    let Some(span) = sim.span.as_deref() else { return text };
    let words = text.find("\n\n⟦").unwrap_or(text.len());
    let wanted = match sim.span_at {
        None => words,
        Some(SpanAt::Byte(at)) => usize::try_from(at).unwrap_or(usize::MAX).min(words),
        Some(SpanAt::Random) => draw.below("span", words + 1),
    };
    let at = (0..=wanted).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (before, after) = text.split_at(at);
    format!("{before}{span}{after}")
}

/// A streamed answer as it goes out.
pub(super) fn packets(sim: &Sim, completion: &Completion, cached: u64) -> Vec<Packet> {
    let chunks = completion.chunks(cached).into_iter();
    let mut events: Vec<Packet> = chunks
        .map(|(chunk, tokens)| Packet { bytes: format!("data: {chunk}\n\n").into_bytes(), tokens })
        .collect();
    events.push(Packet { bytes: b"data: [DONE]\n\n".to_vec(), tokens: 0 });
    match sim.chunking {
        Chunking::Token => events,
        Chunking::Random => cut(&events, &draw_of(sim, &completion.id)),
    }
}

/// The pieces of a text that a watcher in this process is given, with the number of tokens in each. Texts are cut between
/// characters.
pub(super) fn pieces(sim: &Sim, id: &str, tokens: &[Token]) -> Vec<(String, usize)> {
    let of_one = |token: &Token| (token.text.clone(), 1);
    let mut rest: Vec<Packet> = match sim.chunking {
        Chunking::Token => return tokens.iter().map(of_one).collect(),
        Chunking::Random => {
            tokens.iter().map(|token| Packet { bytes: token.text.clone().into_bytes(), tokens: 1 }).collect()
        }
    };
    rest = cut(&rest, &draw_of(sim, id));
    let mut found = Vec::with_capacity(rest.len());
    let mut held = Vec::new();
    let mut count = 0;
    for Packet { bytes, tokens } in rest {
        held.extend(bytes);
        count += tokens;
        // A character that is not whole yet waits for the next packet.
        if let Ok(text) = std::str::from_utf8(&held) {
            found.push((text.to_owned(), count));
            held.clear();
            count = 0;
        }
    }
    found
}

fn draw_of(sim: &Sim, id: &str) -> Draw {
    Draw::new("cut").with_u64(sim.seed).with(id)
}

/// The same bytes, cut anywhere: some packets of a few bytes, some of several events.
fn cut(events: &[Packet], draw: &Draw) -> Vec<Packet> {
    let bytes: Vec<u8> = events.iter().flat_map(|event| event.bytes.iter().copied()).collect();
    let mut ends = Vec::with_capacity(events.len());
    let mut end = 0;
    for event in events {
        end += event.bytes.len();
        ends.push((end, event.tokens));
    }
    let mut ends = ends.into_iter().peekable();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let draw = draw.with_u64(at as u64);
        let most = match draw.below("kind", 3) {
            0 => 4,
            1 => 60,
            _ => 1_500,
        };
        let to = (at + 1 + draw.below("bytes", most)).min(bytes.len());
        let mut tokens = 0;
        while let Some((_, complete)) = ends.next_if(|(end, _)| *end <= to) {
            tokens += complete;
        }
        found.push(Packet { bytes: bytes.get(at..to).unwrap_or_default().to_vec(), tokens });
        at = to;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::simulate::{Planned, plan};
    use super::super::wire::Wanted;
    use super::*;
    use crate::runtime::model::wire::Assembly;
    use serde_json::{Value, json};

    fn completion(sim: &Sim, content: &str) -> Completion {
        let body = json!({ "model": "m", "stream_options": { "include_usage": true }, "messages": [{ "role": "user", "content": content }] });
        assert!(Wanted::read(&body).is_ok());
        match plan(sim, None, &body, 7, 0).outcome {
            Planned::Answer(completion) => completion,
            other => panic!("{other:?}"),
        }
    }

    /// Whether a packet ends within a character, within `data:`, and whether one holds several events.
    fn odd_cuts(packets: &[Packet]) -> [bool; 3] {
        let ends = |f: fn(&[u8]) -> bool| packets.iter().any(|packet| f(&packet.bytes));
        [
            ends(|bytes| std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())),
            ends(|bytes| [&b"\nd"[..], b"\nda", b"\ndat", b"\ndata"].iter().any(|end| bytes.ends_with(end))),
            ends(|bytes| bytes.windows(6).filter(|six| *six == b"data: ").count() > 1),
        ]
    }

    /// Reads a stream as a client does that trusts no packet: joined, by lines.
    fn assembled(packets: &[Packet]) -> Value {
        let bytes: Vec<u8> = packets.iter().flat_map(|packet| packet.bytes.clone()).collect();
        let text = String::from_utf8(bytes).unwrap();
        let mut assembly = Assembly::default();
        let mut last = "";
        for event in text.split_terminator("\n\n") {
            last = event.strip_prefix("data: ").unwrap();
            if let Ok(chunk) = serde_json::from_str::<Value>(last) {
                assembly.push(&chunk);
            }
        }
        assert_eq!(last, "[DONE]");
        serde_json::from_str(&assembly.into_body()).unwrap()
    }

    #[test]
    fn ten_thousand_randomly_cut_streams_are_the_answer_without_a_stream() {
        let questions =
            ["How do I bake bread?", "我怎样才能教会孩子们做作业？", "Как мне научить детей делать уроки?"];
        let (mut streams, mut odd) = (0, [0; 3]);
        for answer in 0..100 {
            let content = format!("{} {answer}", questions[answer % 3]);
            let completion = completion(
                &Sim {
                    span: Some("⟦leak⟧".into()),
                    span_at: Some(SpanAt::Random),
                    reasoning: 0.3,
                    ..Sim::default()
                },
                &content,
            );
            let whole: Value = serde_json::from_str(&completion.body(16)).unwrap();
            let plain = packets(&Sim::default(), &completion, 16);
            let bytes =
                |packets: &[Packet]| packets.iter().flat_map(|p| p.bytes.clone()).collect::<Vec<u8>>();
            let tokens = |packets: &[Packet]| packets.iter().map(|p| p.tokens).sum::<usize>();
            let (plain_bytes, plain_tokens) = (bytes(&plain), tokens(&plain));
            let streamed = assembled(&plain);
            let of = |body: &Value| {
                let choice = &body["choices"][0];
                [&choice["message"], &choice["finish_reason"], &choice["logprobs"]["content"], &body["usage"]]
                    .map(Value::clone)
            };
            assert_eq!(of(&streamed), of(&whole));
            for seed in 0..100 {
                let sim = Sim { seed, chunking: Chunking::Random, ..Sim::default() };
                let packets = cut(&plain, &draw_of(&sim, &completion.id));
                assert!(bytes(&packets) == plain_bytes && tokens(&packets) == plain_tokens);
                streams += 1;
                if seed > 0 {
                    continue;
                }
                assert_eq!(packets, super::packets(&sim, &completion, 16));
                assert_eq!(assembled(&packets), streamed);
                for (count, found) in odd.iter_mut().zip(odd_cuts(&packets)) {
                    *count += u32::from(found);
                }
                let tokens = completion.choices[0].tokens.as_deref().unwrap();
                let pieces = pieces(&sim, &completion.id, tokens);
                let said: String = pieces.iter().map(|(text, _)| text.as_str()).collect();
                assert_eq!(said, completion.choices[0].text().unwrap());
                assert_eq!(pieces.iter().map(|(_, count)| count).sum::<usize>(), tokens.len());
            }
        }
        assert_eq!(streams, 10_000);
        assert!(odd.iter().all(|count| *count > 5), "{odd:?}");
    }

    #[test]
    fn a_span_stands_where_it_is_wanted_and_breaks_no_character_and_no_mark() {
        let check = |text: &str, at: Option<SpanAt>, expected: &str| {
            let sim = Sim { span: Some("|x|".into()), span_at: at, ..Sim::default() };
            assert_eq!(with_span(&sim, text.into(), &Draw::new("t")), expected);
        };
        check("one two", Some(SpanAt::Byte(4)), "one |x|two");
        check("one two\n\n⟦sim p=1 d=2⟧", None, "one two|x|\n\n⟦sim p=1 d=2⟧");
        check("one two\n\n⟦sim p=1 d=2⟧", Some(SpanAt::Byte(9_999)), "one two|x|\n\n⟦sim p=1 d=2⟧");
        check("日本", Some(SpanAt::Byte(4)), "日|x|本");
        check("", Some(SpanAt::Random), "|x|");
        let sim = Sim { span: Some("|x|".into()), span_at: Some(SpanAt::Random), ..Sim::default() };
        let text = "日本 and more\n\n⟦sim p=1 d=2⟧";
        let places: std::collections::BTreeSet<usize> = (0..200)
            .map(|n| {
                let planted = with_span(&sim, text.into(), &Draw::new("t").with_u64(n));
                assert_eq!(planted.replace("|x|", ""), text);
                planted.find("|x|").unwrap()
            })
            .collect();
        assert_eq!(places.len(), 12, "{places:?}");
    }
}
