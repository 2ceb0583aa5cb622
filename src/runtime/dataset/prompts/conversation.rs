//! A column's value as a conversation that ends in a user turn. Pure.

use crate::pure::prompt::{Message, Speaker};
use crate::pure::reason::Reason;
use crate::runtime::dataset::readers::type_name;
use serde_json::{Map, Value};

/// Why a value is not a prompt: a reason code and what happened, without the prompt's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::runtime) struct BadPrompt {
    pub(in crate::runtime::dataset) reason: Reason,
    pub(in crate::runtime) detail: String,
}

impl BadPrompt {
    pub(in crate::runtime::dataset) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// Columns whose text may be a list in JSON, as CSV has no lists of its own.
const LIST_COLUMNS: &[&str] = &["messages", "conversations", "conversation", "turns"];

/// The conversation in a column. With `drop_reply` the last reply of a list of messages is left out.
pub(in crate::runtime::dataset) fn of_value(
    column: &str,
    value: &Value,
    drop_reply: bool,
) -> Result<Vec<Message>, BadPrompt> {
    let messages = match value {
        Value::String(text) => {
            let list = if LIST_COLUMNS.contains(&column) && text.trim_start().starts_with('[') {
                serde_json::from_str::<Vec<Value>>(text).ok()
            } else {
                None
            };
            if let Some(list) = list {
                return of_value(column, &Value::Array(list), drop_reply);
            }
            match transcript(text) {
                Some(turns) => without_reply(turns),
                None => vec![Message::user(text.clone())],
            }
        }
        Value::Array(items) if items.iter().all(Value::is_string) => vec![first_turn(column, items)?],
        Value::Array(items) => {
            let messages = items.iter().map(message).collect::<Result<Vec<_>, _>>()?;
            if drop_reply { without_reply(messages) } else { messages }
        }
        Value::Object(fields) if question_in(fields).is_some() => {
            vec![Message::user(question_in(fields).unwrap_or_default())]
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return Err(BadPrompt::new(
                Reason::WrongType,
                format!("column `{column}` holds {}, not a text or a list of messages", type_name(value)),
            ));
        }
    };
    check(messages)
}

/// The question that an object holds as text (`{"full_text": …}`, as in WebGPT's comparisons).
fn question_in(fields: &Map<String, Value>) -> Option<&str> {
    ["full_text", "text", "content", "question", "prompt"].iter().find_map(|name| fields.get(*name)?.as_str())
}

/// The conversation that two replies have in common (hh-rlhf, and TRL's implicit prompts).
pub(super) fn of_pair(chosen: &Value, rejected: Option<&Value>) -> Result<Vec<Message>, BadPrompt> {
    let chosen = conversation("chosen", chosen)?;
    let shared = match rejected {
        None => chosen,
        Some(rejected) => {
            let rejected = conversation("rejected", rejected)?;
            let common = chosen.iter().zip(&rejected).take_while(|(a, b)| a == b).count();
            chosen.into_iter().take(common).collect()
        }
    };
    let prompt = without_reply(shared);
    if prompt.is_empty() {
        return Err(BadPrompt::new(Reason::NoUserTurn, "`chosen` and `rejected` have no turn in common"));
    }
    check(prompt)
}

fn conversation(column: &str, value: &Value) -> Result<Vec<Message>, BadPrompt> {
    let turns = match value {
        Value::String(text) => transcript(text),
        Value::Array(items) if !items.is_empty() => {
            Some(items.iter().map(message).collect::<Result<_, _>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    };
    turns.ok_or_else(|| {
        BadPrompt::new(
            Reason::NoConversation,
            format!("column `{column}` holds a reply alone, without the conversation before it"),
        )
    })
}

/// What the user says first, of a list of what the user says in turn.
fn first_turn(column: &str, items: &[Value]) -> Result<Message, BadPrompt> {
    match items {
        [] => Err(BadPrompt::new(Reason::Empty, format!("the list in column `{column}` is empty"))),
        [Value::String(only)] => Ok(Message::user(only.clone())),
        [Value::String(first), ..] if column == "turns" => Ok(Message::user(first.clone())),
        [..] => Err(BadPrompt::new(
            Reason::WrongType,
            format!("column `{column}` is a list of {} texts that does not say who speaks", items.len()),
        )),
    }
}

pub(in crate::runtime) fn message(value: &Value) -> Result<Message, BadPrompt> {
    let bad = |detail: String| BadPrompt::new(Reason::BadMessage, detail);
    let Value::Object(fields) = value else {
        return Err(bad(format!("a message is {}, not an object", type_name(value))));
    };
    let first = |names: [&'static str; 3]| {
        names.into_iter().find(|name| fields.contains_key(*name)).unwrap_or(names[0])
    };
    let Some(Value::String(role)) = fields.get(first(["role", "from", "speaker"])) else {
        return Err(bad("a message has no `role`".into()));
    };
    let content = first(["content", "value", "text"]);
    let Some(speaker) = speaker_of(role) else {
        return Err(bad(match role.trim().to_lowercase().as_str() {
            "tool" | "function" | "observation" | "ipython" => "a message of a tool is not understood".into(),
            _ => {
                "a message's role is none of `system`, `user` and `assistant`, in any spelling that is known"
                    .into()
            }
        }));
    };
    Ok(Message::new(speaker, text_of(fields, content)?))
}

/// Who speaks, by the names that data sets use, in any case.
pub(super) fn speaker_of(role: &str) -> Option<Speaker> {
    match role.trim().to_lowercase().as_str() {
        "system" | "developer" | "system_prompt" | "context" => Some(Speaker::System),
        "user" | "human" | "prompter" | "person" | "customer" | "client" | "question" | "input"
        | "participant" => Some(Speaker::User),
        "assistant" | "gpt" | "model" | "bot" | "chatbot" | "ai" | "bing" | "chatgpt" | "bard" | "claude"
        | "llm" | "agent" | "answer" | "output" => Some(Speaker::Assistant),
        _ => None,
    }
}

/// A message's text: a string, or the parts of it that OpenAI's format allows.
fn text_of(fields: &Map<String, Value>, name: &str) -> Result<String, BadPrompt> {
    match fields.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => parts
            .iter()
            .map(|part| part.get("text").and_then(Value::as_str).map(str::to_owned))
            .collect::<Option<String>>()
            .ok_or_else(|| BadPrompt::new(Reason::BadMessage, "a message has a part that is not text")),
        None | Some(Value::Null) => {
            Err(BadPrompt::new(Reason::BadMessage, format!("a message has no `{name}`")))
        }
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Object(_))) => Err(BadPrompt::new(
            Reason::BadMessage,
            format!("a message's `{name}` is {}, not a text", type_name(other)),
        )),
    }
}

/// The turns of a text in the form `\n\nHuman: … \n\nAssistant: …`; `None` when it is not in that form. A question
/// that merely begins with the word "Human:" is not.
pub(in crate::runtime) fn transcript(text: &str) -> Option<Vec<Message>> {
    const HUMAN: &str = "\n\nHuman:";
    const ASSISTANT: &str = "\n\nAssistant:";
    let body = text.trim_start().strip_prefix("Human:")?;
    if !text.starts_with(HUMAN) && !body.contains(ASSISTANT) {
        return None;
    }
    let mut turns = Vec::new();
    let (mut speaker, mut rest) = (Speaker::User, body);
    loop {
        let next = [(HUMAN, Speaker::User), (ASSISTANT, Speaker::Assistant)]
            .into_iter()
            .filter_map(|(mark, next)| rest.find(mark).map(|at| (at, mark, next)))
            .min_by_key(|(at, _, _)| *at);
        let Some((at, mark, next)) = next else {
            turns.push(Message::new(speaker, rest.trim()));
            return Some(turns);
        };
        let (turn, after) = rest.split_at(at);
        turns.push(Message::new(speaker, turn.trim()));
        (speaker, rest) = (next, after.strip_prefix(mark).unwrap_or_default());
    }
}

pub(super) fn without_reply(mut turns: Vec<Message>) -> Vec<Message> {
    if turns.last().is_some_and(|last| last.role == Speaker::Assistant) {
        turns.pop();
    }
    turns
}

/// An optional system turn, then user and assistant in turn, the user last, and none of them empty.
pub(super) fn check(messages: Vec<Message>) -> Result<Vec<Message>, BadPrompt> {
    if let Some(index) = messages.iter().position(|m| m.content.trim().is_empty()) {
        return Err(match messages.len() {
            1 => BadPrompt::new(Reason::Empty, "the prompt is empty"),
            _ => BadPrompt::new(Reason::Empty, format!("turn {} is empty", index + 1)),
        });
    }
    let after_system = messages.iter().position(|m| m.role != Speaker::System).unwrap_or(messages.len());
    if after_system > 1 {
        return Err(BadPrompt::new(Reason::WrongOrder, "there is more than one system turn"));
    }
    for (index, turn) in messages.iter().enumerate().skip(after_system) {
        let expected = if (index - after_system) % 2 == 0 { Speaker::User } else { Speaker::Assistant };
        if turn.role != expected {
            let (found, expected) = (turn.role.as_str(), expected.as_str());
            let detail = format!("turn {} is the {found}'s where the {expected}'s is due", index + 1);
            return Err(BadPrompt::new(Reason::WrongOrder, detail));
        }
    }
    match messages.last().map(|m| m.role) {
        Some(Speaker::User) => Ok(messages),
        Some(Speaker::Assistant) => Err(BadPrompt::new(
            Reason::NotUserLast,
            "the conversation ends with a reply, and `input.drop_reply = false` keeps it",
        )),
        Some(Speaker::System) | None => Err(BadPrompt::new(Reason::NoUserTurn, "there is no user turn")),
    }
}
