//! Prompts that a model writes, and a judge who says what they are: seeds for every cell, and benign twins.
//!
//! Nothing that the author writes is taken on trust: a prompt is kept where the judge, who does not know what was asked for,
//! says the class and the hazard that it was asked for.

use super::MethodContext;
use super::prompt_session::Asking;
use super::style::is_in_another_language;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::Purpose;
use crate::pure::prompt::{Message, Prompt, Speaker};
use crate::pure::reason::Reason;
use crate::pure::request_class::RequestClass;
use crate::pure::template::AuthorTask;
use crate::pure::text::{normalise, share_changed};
use serde_json::json;
use std::collections::BTreeMap;

/// How often more than it is to give a cell is tried.
const TRIES: u32 = 3;

/// Two prompts of a cell are nearly the same when they differ in fewer of their words.
const LEAST_CHANGE: f64 = 0.2;

/// A twin differs from its prompt in fewer of the words.
const MOST_CHANGE: f64 = 0.5;

/// What prompts are wanted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeedCell {
    /// The hazard's id; empty where the cell is of an application's scope and is about none.
    pub hazard: String,
    /// The hazard's name and description, for the author.
    pub about: String,
    /// What it is about within the hazard.
    pub topic: Option<String>,
    /// The class.
    pub class: RequestClass,
    /// The language tag.
    pub language: String,
    /// The place, where the tag of the language has a region.
    pub locale: Option<String>,
    /// How it is localised: `adapt`, `translate` or `native`.
    pub localise: String,
    /// Who asks; the prompts of the cell take turns.
    pub personas: Vec<String>,
    /// Of an application's scope: which kind of question it is.
    pub scope: Option<String>,
}

impl SeedCell {
    /// Who asks in a try.
    pub fn persona(&self, number: u32) -> Option<&str> {
        let turn = (number as usize).checked_rem(self.personas.len())?;
        self.personas.get(turn).map(String::as_str)
    }
}

/// A prompt that was written and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPrompt {
    /// Its text.
    pub text: String,
    /// The model that wrote it.
    pub made_by: String,
    /// Which try it was, from 0.
    pub number: u32,
}

/// What became of a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilledCell {
    /// What was kept.
    pub kept: Vec<WrittenPrompt>,
    /// What was not, by reason.
    pub rejected: BTreeMap<Reason, u64>,
}

/// What a judge says of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PromptReading {
    class: RequestClass,
    hazard: String,
}

/// Writes prompts for a cell until there are `wanted`, or three times as many were tried.
pub async fn fill_cell(
    ask: &impl Ask,
    cx: &MethodContext,
    cell: &SeedCell,
    wanted: u32,
) -> Result<FilledCell, Stop> {
    let mut filled = FilledCell::default();
    for number in 0..wanted.saturating_mul(TRIES) {
        if filled.kept.len() >= wanted as usize {
            break;
        }
        match write_one(ask, cx, cell, number, &filled.kept).await? {
            Ok(prompt) => filled.kept.push(prompt),
            Err(reason) => *filled.rejected.entry(reason).or_default() += 1,
        }
    }
    Ok(filled)
}

async fn write_one(
    ask: &impl Ask,
    cx: &MethodContext,
    cell: &SeedCell,
    number: u32,
    kept: &[WrittenPrompt],
) -> Result<Result<WrittenPrompt, Reason>, Stop> {
    let task = cx.templates.author(AuthorTask::Prompt, &cx.constitution)?;
    let written = author(ask, cx, task, wanted_lines(cell, number), number).await?;
    let (text, made_by) = match written {
        Ok(written) => written,
        Err(reason) => return Ok(Err(reason)),
    };
    let prompt = Prompt::new(vec![Message::user(text.as_str())], None, Some(cell.language.clone()));
    if is_in_another_language(&prompt, &text) {
        return Ok(Err(Reason::WrongLanguage));
    }
    if kept.iter().any(|other| share_changed(&other.text, &text) < LEAST_CHANGE) {
        return Ok(Err(Reason::NearDuplicate));
    }
    let read = check(ask, cx, &text, cell.scope.is_some()).await?;
    let Some(read) = read else { return Ok(Err(Reason::Undecided)) };
    if read.class != cell.class {
        return Ok(Err(Reason::WrongClass));
    }
    let is_about = cell.hazard.is_empty() || cx.taxonomy.covers(&cell.hazard, &read.hazard) == Some(true);
    if !is_about {
        return Ok(Err(Reason::WrongHazard));
    }
    Ok(Ok(WrittenPrompt { text, made_by, number }))
}

/// Writes the benign twin of a harmful prompt; or says why there is none. Both are judged: the prompt must be harmful, and
/// the twin benign and about the same hazard.
pub async fn write_twin(
    ask: &impl Ask,
    cx: &MethodContext,
    prompt: &Prompt,
) -> Result<Result<WrittenPrompt, Reason>, Stop> {
    let text = prompt.last_user_turn();
    let Some(original) = check(ask, cx, text, false).await? else { return Ok(Err(Reason::Undecided)) };
    if original.class != RequestClass::Harmful {
        return Ok(Err(Reason::WrongClass));
    }
    let hazard = prompt.hazard.as_deref().unwrap_or(&original.hazard);
    let mut reason = Reason::Empty;
    for number in 0..TRIES {
        let task = cx.templates.author(AuthorTask::Twin, &cx.constitution)?;
        let shown = json!({ "role": "user", "content": text }).to_string();
        let (twin, made_by) = match author(ask, cx, task, shown, number).await? {
            Ok(written) => written,
            Err(why) => {
                reason = why;
                continue;
            }
        };
        let changed = share_changed(text, &twin);
        reason = if normalise(&twin) == normalise(text) || changed >= MOST_CHANGE {
            Reason::NearDuplicate
        } else if is_in_another_language(prompt, &twin) {
            Reason::WrongLanguage
        } else {
            match check(ask, cx, &twin, false).await? {
                None => Reason::Undecided,
                Some(read) if read.class != RequestClass::Benign => Reason::WrongClass,
                Some(read) if cx.taxonomy.covers(hazard, &read.hazard) == Some(false) => Reason::WrongHazard,
                Some(_) => return Ok(Ok(WrittenPrompt { text: twin, made_by, number })),
            }
        };
    }
    Ok(Err(reason))
}

/// What is wanted, one thing on each line.
fn wanted_lines(cell: &SeedCell, number: u32) -> String {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("{name}: {value}"));
        }
    };
    line("hazard", &cell.hazard);
    line("about", &cell.about);
    line("topic", cell.topic.as_deref().unwrap_or(""));
    line("kind", cell.scope.as_deref().unwrap_or(""));
    line("persona", cell.persona(number).unwrap_or(""));
    line("localise", &cell.localise);
    line("locale", cell.locale.as_deref().unwrap_or(""));
    line("language", &cell.language);
    line("class", cell.class.as_str());
    lines.join("\n")
}

/// One text of the author, and who wrote it.
async fn author(
    ask: &impl Ask,
    cx: &MethodContext,
    task: String,
    wanted: String,
    number: u32,
) -> Result<Result<(String, String), Reason>, Stop> {
    let messages = vec![Message::new(Speaker::System, task), Message::user(wanted.as_str())];
    let prompt = Prompt::single(wanted);
    let asking = Asking::new(ask, cx, &prompt);
    let answered = asking.answer(Purpose::Authoring, messages, number, None).await?;
    let text = match answered.answer.usable() {
        Ok(text) => text.trim().trim_matches(['"', '“', '”', '„']).trim().to_owned(),
        Err(reason) => return Ok(Err(reason)),
    };
    Ok(if text.is_empty() { Err(Reason::Empty) } else { Ok((text, answered.model)) })
}

/// What the judge says of a prompt; `None` where that cannot be read.
async fn check(
    ask: &impl Ask,
    cx: &MethodContext,
    text: &str,
    scoped: bool,
) -> Result<Option<PromptReading>, Stop> {
    let system = cx.constitution.system.as_deref().filter(|_| scoped).unwrap_or("");
    let task = cx.templates.prompt_check(&cx.taxonomy, system)?;
    let shown = json!({ "role": "user", "content": text }).to_string();
    let prompt = Prompt::single(text);
    let asking = Asking::new(ask, cx, &prompt);
    let messages = vec![Message::new(Speaker::System, task), Message::user(shown)];
    let answered = asking.answer_of_any_draw(&Purpose::PromptCheck, &messages, 0, None).await?;
    Ok(answered.answer.complete().and_then(read_check))
}

/// Reads `class: …` and `hazard: …`. Two different classes are none.
fn read_check(answer: &str) -> Option<PromptReading> {
    let value = |name: &str| {
        let mut found = answer.lines().filter_map(|line| {
            let plain = line.trim_matches(|c: char| !c.is_alphanumeric());
            let (key, value) = plain.split_once(':')?;
            key.trim_matches(|c: char| !c.is_alphanumeric()).eq_ignore_ascii_case(name).then(|| value.trim())
        });
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    };
    let plain = |text: &str| text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    Some(PromptReading {
        class: RequestClass::read(&plain(value("class")?))?,
        hazard: plain(value("hazard")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_read_where_it_is_plain() {
        let check = |answer: &str, expected: Option<(RequestClass, &str)>| {
            let read = read_check(answer).map(|read| (read.class, read.hazard));
            assert_eq!(read, expected.map(|(class, hazard)| (class, hazard.to_owned())), "{answer}");
        };
        check("class: harmful\nhazard: crim.fraud", Some((RequestClass::Harmful, "crim.fraud")));
        check("**Class:** Benign\n- hazard: `phys.assault`", Some((RequestClass::Benign, "phys.assault")));
        check("class: harmful", None);
        check("class: harmful\nclass: benign\nhazard: x.y", None);
        check("class: spam\nhazard: x.y", None);
        check("It is harmful.", None);
    }
}
