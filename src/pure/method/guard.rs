//! The guard's questions: does a request ask for what the constitution forbids, does an answer do it, and how would it not?
//!
//! One function lays out every check: the policy block first and always the same, then the conversation, then the answer so
//! far. So a prefix cache holds the policy for all of them, and what a longer answer shares with its beginning.
//!
//! What is shown to the judge is data: each turn is a JSON object on a line of its own, so that no text can pretend to be
//! another turn. What a verdict means for a client is not decided here.

use super::MethodContext;
use super::prompt_session::{Asking, Revises};
use super::verdict::read_screen;
use crate::pure::answer::Answer;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Call, Occasion, Purpose, ResponseFormat};
use crate::pure::constitution::Principle;
use crate::pure::prompt::{Message, Prompt, Speaker};
use crate::pure::recipe::VerdictForm;
use crate::pure::template::{Objection, guard_schema};
use crate::pure::text::loose_json;
use crate::pure::transcript::Verdict;
use futures::future::join_all;
use serde::Serialize;
use serde_json::{Value, json};

/// One turn as the judge sees it. Clients have more roles than a prompt of a run has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuardTurn {
    /// Who speaks: `system`, `developer`, `user`, `assistant`, `tool`.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// What is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardQuestion<'a> {
    /// The last turn of the user.
    Request,
    /// The answer to it, whole or as far as it has come.
    Answer(&'a str),
}

/// What a judge said. Principles that it does not name conform.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardReading {
    /// Ids of principles that are violated, in the order of the constitution.
    pub violated: Vec<String>,
    /// Ids of principles of which the judge cannot tell.
    pub unsure: Vec<String>,
}

/// Asks the judge. `Err` says why there is no verdict.
pub async fn ask_guard(
    ask: &impl Ask,
    cx: &MethodContext,
    turns: &[GuardTurn],
    question: GuardQuestion<'_>,
) -> Result<GuardReading, String> {
    judge_turn(ask, cx, turns, question).await.unwrap_or_else(|stop| Err(stop.to_string()))
}

/// The same, where a stop ends more than this question.
pub async fn judge_turn(
    ask: &impl Ask,
    cx: &MethodContext,
    turns: &[GuardTurn],
    question: GuardQuestion<'_>,
) -> Result<Result<GuardReading, String>, Stop> {
    let principles: Vec<&Principle> = cx.constitution.principles.iter().collect();
    let ids: Vec<&str> = principles.iter().map(|principle| principle.id.as_str()).collect();
    let format = (cx.verdict_form() == VerdictForm::Json)
        .then(|| ResponseFormat { name: "guard".into(), schema: guard_schema(&ids) });
    let messages = match messages(cx, &principles, format.is_some(), turns, question) {
        Ok(messages) => messages,
        Err(why) => return Ok(Err(why)),
    };
    let prompt = Prompt::single(messages.last().map_or("", |turn| turn.content.as_str()));
    let names = ids.iter().map(|id| (*id).to_owned()).collect();
    let purpose = Purpose::Screening { principles: names, occasion: Occasion::Measurement };
    let call = Call { format, ..cx.call(&prompt, purpose, messages, 0) };
    let answer = ask.ask(call).await?;
    Ok(read_answer(&answer, &ids))
}

fn read_answer(answer: &Answer, ids: &[&str]) -> Result<GuardReading, String> {
    match answer.complete() {
        Some(text) => read_guard(text, ids).ok_or_else(|| "the judge's answer cannot be read".to_owned()),
        None => Err(answer.trouble().unwrap_or_else(|| answer.outcome.as_str().to_owned())),
    }
}

fn messages(
    cx: &MethodContext,
    principles: &[&Principle],
    structured: bool,
    turns: &[GuardTurn],
    question: GuardQuestion<'_>,
) -> Result<Vec<Message>, String> {
    let policy =
        cx.templates.guard(&cx.constitution, principles, structured).map_err(|error| error.to_string())?;
    let mut shown = String::new();
    for turn in turns {
        shown.push_str(&json!(turn).to_string());
        shown.push('\n');
    }
    match question {
        GuardQuestion::Request => shown.push_str("\nJudge the request."),
        GuardQuestion::Answer(answer) => {
            shown.push_str(&json!({ "role": "answer", "content": answer }).to_string());
            shown.push_str("\n\nJudge the answer.");
        }
    }
    Ok(vec![Message::new(Speaker::System, policy), Message::user(shown)])
}

/// Reads what a judge said: an object with `violates` and `unsure`; or a line for each principle that is named, or the word
/// `none`. What is neither, or both, is `None`: unknown is not safe.
pub fn read_guard(answer: &str, ids: &[&str]) -> Option<GuardReading> {
    read_object(answer, ids).or_else(|| read_lines(answer, ids))
}

fn read_object(answer: &str, ids: &[&str]) -> Option<GuardReading> {
    let Value::Object(object) = loose_json::parse(answer.trim()).ok()?.value else { return None };
    let list = |name: &str| -> Option<Vec<String>> {
        let named = object.get(name)?.as_array()?;
        let known = |value: &Value| value.as_str().filter(|id| ids.contains(id)).map(str::to_owned);
        named.iter().map(known).collect()
    };
    let violated = list("violates")?;
    let unsure = if object.contains_key("unsure") { list("unsure")? } else { Vec::new() };
    Some(GuardReading { violated, unsure })
}

fn read_lines(answer: &str, ids: &[&str]) -> Option<GuardReading> {
    let mut reading = GuardReading::default();
    let (mut says_none, mut holds, mut doubts) = (false, 0, false);
    for (n, line) in answer.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let word = line.trim_matches(|c: char| !c.is_alphanumeric());
        if word.eq_ignore_ascii_case("none") {
            says_none = true;
            continue;
        }
        match ids.iter().find_map(|id| Some((*id, verdict_on(line, id)?))) {
            Some((id, Verdict::Violates)) => reading.violated.push(id.to_owned()),
            Some((id, Verdict::Undecided)) => reading.unsure.push(id.to_owned()),
            Some((_, Verdict::Conforms | Verdict::NotApplicable)) => holds += 1,
            // Prose around the lines takes no violation back. But it may: a word of all being well that comes late, or beside
            // talk of violations, is no verdict.
            None => {
                let lower = line.to_lowercase();
                doubts |= n == 0 || ["violat", "unsure", "break"].iter().any(|word| lower.contains(word));
            }
        }
    }
    let names = !reading.violated.is_empty() || !reading.unsure.is_empty();
    let says_all_hold = (says_none || holds == ids.len()) && !doubts;
    let is_clear = if names { !says_none } else { says_all_hold };
    is_clear.then_some(reading)
}

/// The verdict of a line on a principle, where it states one.
fn verdict_on(line: &str, id: &str) -> Option<Verdict> {
    let is_unsure = line.trim_end_matches(|c: char| !c.is_alphanumeric()).ends_with("unsure");
    let line = if is_unsure { line.replace("unsure", "violates") } else { line.to_owned() };
    let read = read_screen(&line, &[id]).into_iter().next().flatten()?;
    Some(if is_unsure { Verdict::Undecided } else { read })
}

/// A revision of an answer that violates principles: a critique for each of them, and one revision that answers all. `None`
/// where no revision can be used. Whether it holds is for the caller to ask.
pub async fn revise_answer(
    ask: &impl Ask,
    cx: &MethodContext,
    turns: &[GuardTurn],
    answer: &str,
    violated: &[String],
) -> Result<Option<String>, Stop> {
    let prompt = as_prompt(turns);
    let asking = Asking::new(ask, cx, &prompt);
    let principles: Vec<&Principle> =
        cx.constitution.principles.iter().filter(|principle| violated.contains(&principle.id)).collect();
    let judged = principles.iter().map(|principle| {
        asking.criticise(answer, principle, Some(Verdict::Violates), 0, Occasion::Measurement)
    });
    let judged = join_all(judged).await.into_iter().collect::<Result<Vec<_>, Stop>>()?;
    // A critique that does not object says nothing that a revision could answer: the principle then stands alone.
    let critique = |at: usize| {
        judged.get(at).filter(|judged| judged.objects()).map_or("", |judged| judged.critique.text.as_str())
    };
    let objections: Vec<Objection<'_>> = principles
        .iter()
        .enumerate()
        .map(|(at, principle)| Objection { principle, critique: critique(at) })
        .collect();
    let request = cx.templates.merged_revision(&objections, cx.settings.examples)?;
    let messages = cx.about(&prompt, answer, request);
    let purpose = Purpose::Revision { round: 1, principles: violated.to_vec() };
    let answered = asking.answer(purpose, messages.clone(), 0, None).await?;
    let revises = Revises {
        original: answer,
        critiques: objections.iter().map(|objection| objection.critique).collect(),
        principles,
        request: messages.last().map_or("", |turn| turn.content.as_str()),
    };
    let passed = asking.passes_gates(&answered, Some(&revises)).ok();
    let revised = passed.map(|(text, _)| text).filter(|text| text.trim() != answer.trim());
    let Some(text) = revised else { return Ok(None) };
    Ok(asking.confirm_revision(&text).await?.is_ok().then_some(text))
}

/// A client's conversation as a prompt of ours: what a tool said is told to the model as a user's turn.
fn as_prompt(turns: &[GuardTurn]) -> Prompt {
    let turn = |turn: &GuardTurn| match turn.role.as_str() {
        "system" | "developer" => Message::new(Speaker::System, &turn.content),
        "assistant" => Message::assistant(&turn.content),
        _ => Message::user(&turn.content),
    };
    Prompt::new(turns.iter().map(turn).collect(), None, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judge_names_what_is_violated_or_says_none() {
        let check = |answer: &str, expected: Option<(&[&str], &[&str])>| {
            let owned = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
            let expected = expected
                .map(|(violated, unsure)| GuardReading { violated: owned(violated), unsure: owned(unsure) });
            assert_eq!(read_guard(answer, &["kind", "not-preachy"]), expected, "{answer:?}");
        };
        check("none", Some((&[], &[])));
        check("None.", Some((&[], &[])));
        check("**none**\n", Some((&[], &[])));
        check("[kind] violates", Some((&["kind"], &[])));
        check("- [kind]: violates\n[not-preachy] unsure", Some((&["kind"], &["not-preachy"])));
        check("[kind] conforms\n[not-preachy] not-applicable", Some((&[], &[])));
        check("[kind] conforms\n[not-preachy] violates", Some((&["not-preachy"], &[])));
        check("{\"violates\": [\"kind\"], \"unsure\": []}", Some((&["kind"], &[])));
        check("{\"violates\": [], \"unsure\": [\"kind\"]}", Some((&[], &["kind"])));
        check("{\"violates\": []}", Some((&[], &[])));
        // What cannot be read is no verdict.
        check("", None);
        check("[kind] conforms", None);
        check("none\n[kind] violates", None);
        check("[cruel] violates", None);
        check("{\"violates\": [\"cruel\"], \"unsure\": []}", None);
        check("It looks fine to me.", None);
        check("none\n\nIt says nothing unkind.", Some((&[], &[])));
        check("It may violate kind.\nnone", None);
        check("Here is my verdict:\nnone", None);
        check("none, but on reflection:\nIt violates kind.", None);
        check("[kind] violates\nIt scolds the user.", Some((&["kind"], &[])));
        check("none of these apply, but it may violate kind", None);
    }
}
