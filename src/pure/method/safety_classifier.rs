//! Models that were trained to say whether a conversation is safe, as a guard's judge: they are given the conversation itself, and
//! answer in a form of their own.
//!
//! Sources of the forms: the model cards of Llama Guard 3 and 4, and of Qwen3Guard-Gen. Their server's chat template brings the
//! policy that they were trained with, so the constitution's principles are not sent.

use super::MethodContext;
use super::guard::{GuardQuestion, GuardTurn};
use crate::pure::ask::Ask;
use crate::pure::call::{Call, Occasion, Purpose};
use crate::pure::prompt::{Message, Prompt, Speaker};
use crate::pure::recipe::GuardJudgeForm;

/// What such a model said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Safety {
    /// It is safe.
    Safe,
    /// It is not, by these codes of Llama Guard's categories; some models name none.
    Unsafe(Vec<String>),
    /// It may be either.
    Unsure(Vec<String>),
}

/// The categories of Qwen3Guard, as the codes of Llama Guard that come nearest.
const QWEN: [(&str, &[&str]); 9] = [
    ("violent", &["S1", "S9"]),
    ("non-violent illegal acts", &["S2"]),
    ("sexual content or sexual acts", &["S12", "S3", "S4"]),
    ("pii", &["S7"]),
    ("suicide & self-harm", &["S11"]),
    ("unethical acts", &["S10", "S5"]),
    ("politically sensitive topics", &["S13"]),
    ("copyright violation", &["S8"]),
    // What a conversation tries is no hazard of its own.
    ("jailbreak", &[]),
];

/// Asks such a model. `Err` says why there is no verdict.
pub async fn ask_classifier(
    ask: &impl Ask,
    cx: &MethodContext,
    form: GuardJudgeForm,
    turns: &[GuardTurn],
    question: GuardQuestion<'_>,
) -> Result<Safety, String> {
    let messages = conversation(turns, question);
    let prompt = Prompt::single(messages.last().map_or("", |turn| turn.content.as_str()));
    let purpose = Purpose::Screening { principles: Vec::new(), occasion: Occasion::Measurement };
    let call: Call = cx.call(&prompt, purpose, messages, 0);
    let answer = ask.ask(call).await.map_err(|stop| stop.to_string())?;
    match answer.complete() {
        Some(text) => {
            let read = match form {
                GuardJudgeForm::Qwen3Guard => read_qwen(text),
                GuardJudgeForm::LlamaGuard | GuardJudgeForm::Constitution => read_llama(text),
            };
            read.ok_or_else(|| "the judge's answer cannot be read".to_owned())
        }
        None => Err(answer.trouble().unwrap_or_else(|| answer.outcome.as_str().to_owned())),
    }
}

/// The conversation as chat templates of these models take it: users and the assistant in turn. The application's own system turns
/// are not judged, and what a tool said comes from outside, as a user's words do.
fn conversation(turns: &[GuardTurn], question: GuardQuestion<'_>) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let answer = match question {
        GuardQuestion::Request => None,
        GuardQuestion::Answer(answer) => Some(("assistant", answer)),
    };
    let said = turns.iter().map(|turn| (turn.role.as_str(), turn.content.as_str())).chain(answer);
    for (role, content) in said.filter(|(role, _)| !["system", "developer"].contains(role)) {
        let speaker = if role == "assistant" { Speaker::Assistant } else { Speaker::User };
        match messages.last_mut().filter(|last| last.role == speaker) {
            Some(last) => {
                last.content.push_str("\n\n");
                last.content.push_str(content);
            }
            None => messages.push(Message::new(speaker, content)),
        }
    }
    messages
}

/// Llama Guard: `safe`; or `unsafe`, and below it the codes with commas between them.
fn read_llama(text: &str) -> Option<Safety> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match lines.next()?.to_ascii_lowercase().as_str() {
        "safe" => lines.next().is_none().then_some(Safety::Safe),
        "unsafe" => {
            let codes = lines.flat_map(|line| line.split(',')).map(|code| code.trim().to_ascii_uppercase());
            Some(Safety::Unsafe(codes.filter(|code| !code.is_empty()).collect()))
        }
        _ => None,
    }
}

/// Qwen3Guard: `Safety: …` and `Categories: …`, and of an answer `Refusal: …`.
fn read_qwen(text: &str) -> Option<Safety> {
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_lowercase())
        })
    };
    let named = value("categories").unwrap_or_default();
    // One name stands within another: `violent` in `non-violent illegal acts`.
    let codes = named.split(',').map(str::trim).flat_map(|category| {
        let known = QWEN.iter().find(|(name, _)| *name == category);
        known.map_or(&[][..], |(_, codes)| codes).iter().map(ToString::to_string)
    });
    let codes = codes.collect();
    match value("safety")?.as_str() {
        "safe" => Some(Safety::Safe),
        "unsafe" => Some(Safety::Unsafe(codes)),
        "controversial" => Some(Safety::Unsure(codes)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(codes: &[&str]) -> Vec<String> {
        codes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_answers_of_these_models_are_read() {
        for (text, read) in [
            ("safe", Some(Safety::Safe)),
            ("\n\nsafe\n", Some(Safety::Safe)),
            ("unsafe\nS1,S9", Some(Safety::Unsafe(codes(&["S1", "S9"])))),
            ("\n\nUnsafe\ns11", Some(Safety::Unsafe(codes(&["S11"])))),
            ("unsafe", Some(Safety::Unsafe(Vec::new()))),
            ("safe\nunsafe", None),
            ("It is safe.", None),
            ("", None),
        ] {
            assert_eq!(read_llama(text), read, "{text:?}");
        }
        for (text, read) in [
            ("Safety: Safe\nCategories: None\nRefusal: Yes", Some(Safety::Safe)),
            ("Safety: Unsafe\nCategories: Violent", Some(Safety::Unsafe(codes(&["S1", "S9"])))),
            (
                "Safety: Controversial\nCategories: Non-violent Illegal Acts",
                Some(Safety::Unsure(codes(&["S2"]))),
            ),
            ("Safety: Unsafe\nCategories: PII, Jailbreak", Some(Safety::Unsafe(codes(&["S7"])))),
            ("Safety: Unsafe", Some(Safety::Unsafe(Vec::new()))),
            ("Categories: Violent", None),
            ("Safety: perhaps", None),
        ] {
            assert_eq!(read_qwen(text), read, "{text:?}");
        }
    }

    #[test]
    fn users_and_the_assistant_speak_in_turn() {
        let turn = |role: &str, content: &str| GuardTurn { role: role.into(), content: content.into() };
        let turns = [
            turn("system", "You sell lamps."),
            turn("user", "Hello"),
            turn("assistant", "Hi"),
            turn("tool", "{\"stock\": 3}"),
            turn("user", "And now?"),
        ];
        let shown: Vec<(Speaker, String)> = conversation(&turns, GuardQuestion::Answer("Three."))
            .into_iter()
            .map(|message| (message.role, message.content))
            .collect();
        assert_eq!(
            shown,
            [
                (Speaker::User, "Hello".to_owned()),
                (Speaker::Assistant, "Hi".to_owned()),
                (Speaker::User, "{\"stock\": 3}\n\nAnd now?".to_owned()),
                (Speaker::Assistant, "Three.".to_owned()),
            ]
        );
    }
}
