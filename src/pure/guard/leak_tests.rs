//! Nothing of what is forbidden leaves: generated streams with a word planted anywhere, cut anywhere, through the reader and the
//! flow to what a client would get.

use super::finding::{Finding, Grounds};
use super::flow::{Decision, Flow, FlowSettings, Input, Step};
use super::reader::AnswerReader;
use crate::pure::recipe::{GuardMode, GuardOutput, Hold, OnViolation, UndecidedInput};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::VecDeque;

const WORD: &str = "FORBIDDEN";

/// A place of a delta that a text may stand in.
fn delta(place: usize, text: &str) -> Value {
    match place {
        0 => json!({ "content": text }),
        1 => json!({ "tool_calls": [{ "index": 0, "function": { "arguments": text } }] }),
        2 => json!({ "reasoning_content": text }),
        3 => json!({ "refusal": text }),
        _ => json!({ "a_field_of_next_year": [text] }),
    }
}

fn event(index: u64, delta: &Value) -> String {
    let logprobs =
        delta.get("content").map(|text| json!({ "content": [{ "token": text, "logprob": -0.1 }] }));
    let choice = json!({ "index": index, "delta": delta, "logprobs": logprobs, "finish_reason": null });
    format!("data: {}\n\n", json!({ "id": "c", "choices": [choice] }))
}

/// Texts of a client's stream, by choice and field, joined as a client joins them.
fn joined(bytes: &[u8]) -> String {
    let mut reader = AnswerReader::new(true, usize::MAX, true);
    let _ = reader.push(&Bytes::copy_from_slice(bytes));
    reader.text().shown()
}

/// Plays a stream in pieces of bytes; a check comes back some pieces later. Gives what left, and how it ended.
fn play(stream: &[u8], cuts: &[usize], hold: Hold, delay: usize) -> (Vec<u8>, Option<Decision>) {
    let output = GuardOutput { hold, on_violation: OnViolation::Replace, ..GuardOutput::default() };
    let mode = GuardMode::Enforce;
    let mut flow =
        Flow::new(FlowSettings { mode, streams: true, undecided: UndecidedInput::FullHold, output });
    let mut reader = AnswerReader::new(true, usize::MAX, false);
    let mut cuts: Vec<usize> =
        cuts.iter().map(|cut| (*cut).min(stream.len())).chain([0, stream.len()]).collect();
    cuts.sort_unstable();
    let mut pieces: VecDeque<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
    let (mut left, mut decision) = (Vec::new(), None);
    let mut check: Option<(usize, bool)> = None;
    let mut inputs = VecDeque::from([Input::Screened { finding: Finding::Conforms, steerable: false }]);
    let mut has_ended = false;
    while decision.is_none() {
        let Some(input) = inputs.pop_front() else {
            let is_due = check.as_mut().is_some_and(|(wait, _)| {
                *wait = wait.saturating_sub(1);
                *wait == 0
            });
            if let Some((_, is_bad)) = check.take_if(|_| is_due || (pieces.is_empty() && has_ended)) {
                let finding = if is_bad { Finding::Violates(Grounds::default()) } else { Finding::Conforms };
                inputs.push_back(Input::Checked(finding));
            } else if let Some(piece) = pieces.pop_front() {
                let read = reader.push(&Bytes::copy_from_slice(piece)).expect("a stream that can be read");
                inputs.extend(read.into_iter().map(Input::Piece));
            } else if !has_ended {
                has_ended = true;
                inputs.extend(reader.finish().expect("a whole stream").into_iter().map(Input::Piece));
                inputs.push_back(Input::Ended);
            }
            continue;
        };
        for step in flow.take(input) {
            match step {
                Step::Release(bytes) => left.extend_from_slice(&bytes),
                Step::Check => check = Some((delay + 1, reader.text().shown().contains(WORD))),
                Step::End(ended) => decision = Some(ended),
                _ => {}
            }
        }
    }
    (left, decision)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_forbidden_word_reaches_a_client(
        words in prop::collection::vec((0_u64..3, 0_usize..5, "[a-zé]{1,12}"), 1..120),
        at in prop::option::of((0_usize..120, 0_u64..3, 0_usize..5, 1_usize..9)),
        cuts in prop::collection::vec(0_usize..40_000, 0..60),
        geometric in any::<bool>(),
        delay in 0_usize..12,
    ) {
        let mut events: Vec<String> =
            words.iter().map(|(index, place, word)| event(*index, &delta(*place, &format!("{word} ")))).collect();
        if let Some((at, index, place, cut)) = at {
            // The word comes in two pieces.
            let at = at.min(events.len());
            let halves = <[&str; 2]>::from(WORD.split_at(cut)).map(|half| event(index, &delta(place, half)));
            events.splice(at..at, halves);
        }
        events.push("data: [DONE]\n\n".into());
        let stream = events.concat().into_bytes();
        let hold = if geometric { Hold::Geometric } else { Hold::Full };
        let (left, decision) = play(&stream, &cuts, hold, delay);
        if at.is_none() {
            prop_assert_eq!(&left, &stream);
            prop_assert_eq!(decision, Some(Decision::Answered));
        } else {
            prop_assert!(!joined(&left).contains(WORD));
            prop_assert!(stream.starts_with(&left), "what left is the beginning of the stream");
            prop_assert!(geometric || left.is_empty());
            let ends = [Some(Decision::Replaced), Some(Decision::Stopped)];
            prop_assert!(ends.contains(&decision));
        }
    }
}
