//! The responses that a row brings along: a pair, or several, that somebody else made. Pure.
//!
//! Conversations give the prompt too: what all of them have in common, without the last reply. Replies alone need a
//! column with the prompt beside them.

use super::conversation::{BadPrompt, check, message, transcript, without_reply};
use crate::pure::digest::Parts;
use crate::pure::prompt::{Given, GivenLabel, Message, Speaker};
use crate::pure::reason::Reason;
use crate::runtime::dataset::readers::{File, OpenError, type_name};
use serde_json::{Map, Value};

/// The columns that hold responses by their names, the first set that a file has being taken.
pub const RESPONSE_COLUMNS: &[&[&str]] = &[
    &["response_a", "response_b"],
    &["response_A", "response_B"],
    &["response1", "response2"],
    &["response_0", "response_1"],
    &["response_1", "response_2"],
    &["conversation_a", "conversation_b"],
    &["answer_a", "answer_b"],
    &["answer_0", "answer_1"],
    &["output_1", "output_2"],
    &["human_ref_A", "human_ref_B"],
    &["chosen", "rejected"],
    &["chosen_response", "rejected_response"],
    &["responses"],
    &["completions"],
    &["generations"],
    &["answers"],
];

/// Most responses of a row: every two of them are compared.
const MOST: usize = 64;

/// Where a file's responses stand.
#[derive(Debug)]
pub(super) struct Responses {
    /// Empty until a row shows some, in a file whose first rows cannot be read.
    names: Vec<String>,
}

/// A response as a row holds it.
enum Said {
    Alone(String),
    Whole(Vec<Message>),
}

impl Responses {
    pub(super) fn of(file: &File, named: &[String]) -> Result<Self, OpenError> {
        if !named.is_empty() {
            named.iter().try_for_each(|name| file.require(name))?;
            return Ok(Self { names: named.to_vec() });
        }
        let names = known(|name| file.columns().iter().any(|column| column == name));
        if names.is_empty() && !file.columns().is_empty() {
            let (file, columns) = (file.name().to_owned(), file.columns().to_vec());
            return Err(OpenError::NoResponseColumns { file, columns });
        }
        Ok(Self { names })
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        self.names.iter().any(|other| other == name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The row's conversation and responses. `asked` is what its prompt column holds, where it has one; `rely` says that
    /// it is what was asked even where the responses are whole conversations.
    pub(super) fn read(
        &mut self,
        columns: &Map<String, Value>,
        rely: bool,
        asked: impl FnOnce() -> Result<Vec<Message>, BadPrompt>,
    ) -> Result<(Vec<Message>, Vec<Given>), BadPrompt> {
        if self.names.is_empty() {
            self.names = known(|name| columns.contains_key(name));
        }
        let labelled = self.said(columns)?;
        let (said, labels): (Vec<Said>, Vec<Option<GivenLabel>>) = labelled.into_iter().unzip();
        let whole: Vec<&Vec<Message>> = said
            .iter()
            .filter_map(|said| match said {
                Said::Whole(turns) => Some(turns),
                Said::Alone(_) => None,
            })
            .collect();
        let messages = if whole.len() == said.len() && !rely { shared(&whole) } else { asked()? };
        let texts = said.iter().map(|said| reply(said, &messages)).collect::<Result<Vec<_>, _>>()?;
        let messages = check(messages)?;
        if let Some(n) = texts.iter().position(|text| text.trim().is_empty()) {
            return Err(BadPrompt::new(Reason::EmptyResponse, format!("response {} is empty", n + 1)));
        }
        if texts.iter().all(|text| text.trim() == texts.first().map_or("", |first| first.trim())) {
            return Err(BadPrompt::new(Reason::EqualResponses, "the responses are the same"));
        }
        Ok((messages, in_neutral_order(texts, &labels)))
    }

    /// Every response of a row, with what its column says of it.
    fn said(&self, columns: &Map<String, Value>) -> Result<Vec<(Said, Option<GivenLabel>)>, BadPrompt> {
        let missing = |detail: String| BadPrompt::new(Reason::MissingResponse, detail);
        let mut said = Vec::new();
        for name in &self.names {
            let label = label_of(name);
            match (columns.get(name), self.names.len()) {
                (None, _) => return Err(missing(format!("the row has no column `{name}`"))),
                (Some(Value::Null), _) => return Err(missing(format!("column `{name}` is null"))),
                (Some(value), 1) => {
                    for item in list(name, value)? {
                        said.push((one(name, &item)?, label));
                    }
                }
                (Some(Value::Array(texts)), _) if !texts.is_empty() && texts.iter().all(is_response) => {
                    for text in texts {
                        said.push((one(name, text)?, label));
                    }
                }
                (Some(value), _) => said.push((one(name, value)?, label)),
            }
        }
        match said.len() {
            0 | 1 => Err(missing("there are fewer than two responses to compare".into())),
            2..=MOST => Ok(said),
            more => {
                Err(BadPrompt::new(Reason::TooManyResponses, format!("{more} responses, more than {MOST}")))
            }
        }
    }
}

/// What a column's name says of its response.
fn label_of(column: &str) -> Option<GivenLabel> {
    match column {
        "chosen" | "chosen_response" => Some(GivenLabel::Chosen),
        "rejected" | "rejected_response" => Some(GivenLabel::Rejected),
        _ => None,
    }
}

/// The responses of a labelled set stand in an order of their own, so that nothing about their place tells which of them
/// was chosen. Without labels they stay in the order of the row.
fn in_neutral_order(texts: Vec<String>, labels: &[Option<GivenLabel>]) -> Vec<Given> {
    let is_labelled =
        labels.contains(&Some(GivenLabel::Chosen)) && labels.contains(&Some(GivenLabel::Rejected));
    if !is_labelled {
        return texts.into_iter().map(|text| Given { text, label: None }).collect();
    }
    let pairs = texts.into_iter().zip(labels);
    let mut given: Vec<Given> = pairs.map(|(text, label)| Given { text, label: *label }).collect();
    given.sort_by_cached_key(|given| Parts::new("order of a pair").with(&given.text).uniform());
    given
}

/// The names under which an object holds the text of a response.
const TEXT_FIELDS: [&str; 7] =
    ["content", "text", "answer", "response", "output", "completion", "generation"];

/// Whether an item of a list is a response by itself: a text, or an object that names no speaker.
fn is_response(item: &Value) -> bool {
    match item {
        Value::String(_) => true,
        Value::Object(fields) => {
            !["role", "from", "speaker"].iter().any(|name| fields.contains_key(*name))
                && text_in(fields).is_some()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    }
}

/// The text that an object holds.
fn text_in(fields: &Map<String, Value>) -> Option<&str> {
    TEXT_FIELDS.iter().find_map(|name| fields.get(*name)?.as_str())
}

/// The row with its first turn alone, where the prompt and every response are lists of turns in JSON (as in the Arena's
/// battles): without the replies between them, only the first turns can be compared. `None` for any other row.
pub(super) fn first_turns(columns: &Map<String, Value>, names: &[&str]) -> Option<Map<String, Value>> {
    let mut unpacked = columns.clone();
    for name in names {
        let texts: Vec<String> = serde_json::from_str(columns.get(*name)?.as_str()?.trim()).ok()?;
        unpacked.insert((*name).to_owned(), Value::String(texts.into_iter().next()?));
    }
    (!names.is_empty()).then_some(unpacked)
}

fn known(has: impl Fn(&str) -> bool) -> Vec<String> {
    let set = RESPONSE_COLUMNS.iter().find(|set| set.iter().all(|name| has(name)));
    set.map_or_else(Vec::new, |set| set.iter().map(ToString::to_string).collect())
}

/// A list of responses; CSV has no lists of its own, so that there it is one in JSON.
fn list(column: &str, value: &Value) -> Result<Vec<Value>, BadPrompt> {
    let parsed = match value {
        Value::Array(items) => Some(items.clone()),
        Value::String(text) => serde_json::from_str(text).ok(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    };
    parsed.ok_or_else(|| {
        let what = type_name(value);
        BadPrompt::new(Reason::WrongType, format!("column `{column}` holds {what}, not a list of responses"))
    })
}

fn one(column: &str, value: &Value) -> Result<Said, BadPrompt> {
    match value {
        Value::String(text) => Ok(transcript(text).map_or_else(|| Said::Alone(text.clone()), Said::Whole)),
        Value::Object(fields) if is_response(value) => {
            Ok(Said::Alone(text_in(fields).unwrap_or_default().to_owned()))
        }
        Value::Object(_) => Ok(Said::Alone(message(value)?.content)),
        Value::Array(items) => {
            let turns = items.iter().map(message).collect::<Result<Vec<_>, _>>()?;
            Ok(match turns.as_slice() {
                [only] if only.role == Speaker::Assistant => Said::Alone(only.content.clone()),
                [..] => Said::Whole(turns),
            })
        }
        Value::Null => {
            Err(BadPrompt::new(Reason::MissingResponse, format!("a response in column `{column}` is null")))
        }
        Value::Bool(_) | Value::Number(_) => Err(BadPrompt::new(
            Reason::WrongType,
            format!("column `{column}` holds {}, not a response", type_name(value)),
        )),
    }
}

/// What conversations have in common, without a last reply.
fn shared(whole: &[&Vec<Message>]) -> Vec<Message> {
    let Some((first, others)) = whole.split_first() else { return Vec::new() };
    let common = others.iter().fold(first.len(), |common, other| {
        first.iter().zip(other.iter()).take(common).take_while(|(a, b)| a == b).count()
    });
    without_reply(first.iter().take(common).cloned().collect())
}

/// The reply to the prompt, however it was written down.
fn reply(said: &Said, asked: &[Message]) -> Result<String, BadPrompt> {
    let turns = match said {
        Said::Alone(text) => return Ok(text.clone()),
        Said::Whole(turns) => turns,
    };
    match turns.strip_prefix(asked) {
        Some([reply]) if reply.role == Speaker::Assistant => Ok(reply.content.clone()),
        Some([]) => Err(BadPrompt::new(Reason::MissingResponse, "a conversation ends without a reply")),
        Some([_, ..]) | None => Err(BadPrompt::new(
            Reason::MoreThanAReply,
            "the conversations differ in more than their last reply",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Row, open_with_responses};
    use super::*;
    use crate::pure::prompt::Prompt;
    use crate::pure::recipe::{Format, Input};
    use crate::runtime::dataset::readers::Source;

    fn read(format: Format, text: &str, input: Input) -> Vec<Result<Prompt, Reason>> {
        let read = Box::new(std::io::Cursor::new(text.to_owned().into_bytes()));
        let input = Input { format: Some(format), ..input };
        let rows =
            open_with_responses(vec![Source::Stream { name: "rows".into(), read }], &input, 0).unwrap();
        rows.map(|row| match row {
            Row::Prompt { prompt, .. } => Ok(prompt),
            Row::Reject(reject) => Err(reject.reason),
        })
        .collect()
    }

    fn one(row: &str) -> Result<Prompt, Reason> {
        read(Format::Jsonl, row, Input::default()).remove(0)
    }

    fn texts(prompt: &Prompt) -> Vec<&str> {
        prompt.given.iter().map(|given| given.text.as_str()).collect()
    }

    #[test]
    fn every_form_of_a_pair_gives_the_same_prompt_and_responses() {
        let pair = one(r#"{"prompt":"Q?","response_a":"Yes.","response_b":"No."}"#).unwrap();
        assert_eq!((texts(&pair), pair.messages.len()), (vec!["Yes.", "No."], 1));
        for same in [
            r#"{"prompt":"Q?","responses":["Yes.","No."]}"#,
            r#"{"prompt":"Q?","completions":[{"role":"assistant","content":"Yes."},[{"role":"assistant","content":"No."}]]}"#,
            r#"{"response_a":"\n\nHuman: Q?\n\nAssistant: Yes.","response_b":"\n\nHuman: Q?\n\nAssistant: No."}"#,
            r#"{"question":"else","conversation_a":[{"role":"user","content":"Q?"},{"role":"assistant","content":"Yes."}],
                "conversation_b":[{"role":"user","content":"Q?"},{"role":"assistant","content":"No."}]}"#,
        ] {
            assert_eq!(one(&same.replace('\n', " ")).unwrap(), pair, "{same}");
        }
        let csv = "prompt,responses\nQ?,\"[\"\"Yes.\"\",\"\"No.\"\"]\"\n";
        assert_eq!(read(Format::Csv, csv, Input::default()), [Ok(pair.clone())]);
        let named = Input { responses: vec!["x".into(), "y".into()], ..Input::default() };
        assert_eq!(read(Format::Jsonl, r#"{"y":"No.","x":"Yes.","text":"Q?"}"#, named), [Ok(pair)]);
    }

    #[test]
    fn pairs_are_read_as_public_sets_spell_them() {
        let (q, a, b) = ("How does bread rise?", "Yeast makes gas.", "By magic.");
        let turn = |role: &str, text: &str| serde_json::json!({ "role": role, "content": text });
        for row in [
            serde_json::json!({ "context": [turn("user", q)], "response1": a, "response2": b, "overall_preference": -2 }),
            serde_json::json!({ "instruction": q, "generations": [a, b], "ratings": [5, 1] }),
            serde_json::json!({ "question": { "full_text": q }, "answer_0": a, "answer_1": b, "score_0": 1.0 }),
            serde_json::json!({ "history": q, "human_ref_A": a, "human_ref_B": b, "labels": 1 }),
            serde_json::json!({ "prompt": q, "answers": [{ "answer": a, "rank": 1 }, { "answer": b, "rank": 2 }] }),
            serde_json::json!({ "question": q, "response_A": a, "response_B": b, "label": "A>B" }),
            serde_json::json!({ "prompt": format!("[\"{q}\"]"), "response_a": format!("[\"{a}\"]"),
                "response_b": format!("[\"{b}\", \"And more.\"]"), "winner_model_a": 1 }),
        ] {
            let prompt = one(&row.to_string()).unwrap_or_else(|reason| panic!("{reason}: {row}"));
            assert_eq!((prompt.last_user_turn(), texts(&prompt)), (q, vec![a, b]), "{row}");
        }
        // A list of responses in JSON beside a prompt that is none is the response itself.
        let list = r#"{"prompt":"Two colours as JSON?","response_a":"[\"red\"]","response_b":"[\"sky\"]"}"#;
        assert_eq!(texts(&one(list).unwrap()), ["[\"red\"]", "[\"sky\"]"]);
        let several = one(r#"{"prompt":"Q?","chosen":["Yes."],"rejected":["No.","Never."]}"#).unwrap();
        let labels = |label| several.given.iter().filter(|given| given.label == Some(label)).count();
        assert_eq!((labels(GivenLabel::Chosen), labels(GivenLabel::Rejected)), (1, 2));
    }

    #[test]
    fn a_labelled_pair_keeps_its_labels_and_its_place_tells_nothing() {
        let mut first = 0;
        for n in 0..100 {
            let pair = |chosen: &str, rejected: &str| {
                one(&format!(r#"{{"prompt":"Q?","chosen":"{chosen} {n}","rejected":"{rejected} {n}"}}"#))
                    .unwrap()
            };
            let (forth, back) = (pair("Yes", "No"), pair("No", "Yes"));
            assert_eq!(texts(&forth), texts(&back));
            assert_ne!(forth.id, back.id);
            let chosen =
                forth.given.iter().position(|given| given.label == Some(GivenLabel::Chosen)).unwrap();
            assert!(forth.given[chosen].text.starts_with("Yes"));
            assert_eq!(back.given[chosen].label, Some(GivenLabel::Rejected));
            first += usize::from(chosen == 0);
        }
        assert!((30..70).contains(&first), "{first} of 100 chosen ones stand first");
    }

    #[test]
    fn what_cannot_be_compared_is_a_reject_with_its_reason() {
        for (row, reason) in [
            (r#"{"prompt":"Q?","response_a":"Yes.","response_b":" Yes. "}"#, Reason::EqualResponses),
            (r#"{"prompt":"Q?","response_a":"Yes.","response_b":""}"#, Reason::EmptyResponse),
            (r#"{"prompt":"Q?","response_a":"Yes.","response_b":null}"#, Reason::MissingResponse),
            (r#"{"prompt":"Q?","response_a":"Yes.","response_b":7}"#, Reason::WrongType),
            (r#"{"prompt":"Q?","responses":["Yes."]}"#, Reason::MissingResponse),
            (r#"{"prompt":"Q?","responses":"Yes."}"#, Reason::WrongType),
            (r#"{"prompt":"","response_a":"Yes.","response_b":"No."}"#, Reason::Empty),
            (r#"{"response_a":"Yes.","response_b":"No."}"#, Reason::MissingColumn),
            (
                r#"{"chosen":"\n\nHuman: Q?\n\nAssistant: Yes.","rejected":"\n\nHuman: Q!\n\nAssistant: No."}"#,
                Reason::MoreThanAReply,
            ),
            (
                r#"{"chosen":"\n\nHuman: Q?","rejected":"\n\nHuman: Q?\n\nAssistant: No."}"#,
                Reason::MissingResponse,
            ),
        ] {
            assert_eq!(one(row).map(|prompt| prompt.given), Err(reason), "{row}");
        }
    }

    #[test]
    fn two_rows_of_one_prompt_are_two_items() {
        let of =
            |b: &str| one(&format!(r#"{{"prompt":"Q?","response_a":"Yes.","response_b":"{b}"}}"#)).unwrap();
        assert_ne!(of("No.").id, of("Never.").id);
        assert_eq!(of("No.").id, of("No.").id);
        assert_eq!(of("No.").messages, Prompt::single("Q?").messages);
    }
}
