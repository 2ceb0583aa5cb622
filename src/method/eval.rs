//! Multiple-choice questions, as the paper's evaluation sets have them: how often a model answers right, and how surely.

use super::asking::Asking;
use super::label::{option_odds, read_option};
use super::{Ask, MethodContext, Stop};
use crate::digest::Parts;
use crate::model::Role;
use crate::prompt::Prompt;

/// A question with right and wrong answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The question, or a conversation that ends in one.
    pub prompt: Prompt,
    /// Right answers.
    pub corrects: Vec<String>,
    /// Wrong answers.
    pub incorrects: Vec<String>,
}

/// How a question was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Graded {
    /// Whether the answer is right; `None` when none could be read, which counts as neither.
    pub right: Option<bool>,
    /// The probability that the model gives to the right answers, where log-probabilities tell.
    pub p_right: Option<f64>,
    /// The option that was chosen.
    pub chosen: Option<String>,
}

/// Asks the judge one question. With log-probabilities the likeliest option is its answer, else the one that it names.
pub async fn grade(ask: &impl Ask, cx: &MethodContext, question: &Question) -> Result<Graded, Stop> {
    let asking = Asking::new(ask, cx, &question.prompt);
    let options = options(cx.seed, question);
    let text: Vec<&str> = question.prompt.messages.iter().map(|turn| turn.content.as_str()).collect();
    let shown: Vec<&str> = options.iter().map(|(text, _)| text.trim()).collect();
    let request = cx.templates.choice(&text.join("\n\n"), &shown, cx.label.reason_first)?;
    let messages = cx.alone(&question.prompt, request);
    let mut call = cx.call(&question.prompt, Role::Judge, messages, 0);
    call.sampling.top_logprobs =
        Some(cx.label.top_logprobs.max(u8::try_from(shown.len()).unwrap_or(20)).min(20));
    let answered = asking.answer_call(call).await?;
    let unread = Graded { right: None, p_right: None, chosen: None };
    let Some(letter) = answered.answer.complete().and_then(|text| read_option(text, options.len())) else {
        return Ok(unread);
    };
    let odds =
        answered.answer.logprobs.as_deref().and_then(|given| option_odds(given, letter, options.len()));
    let named = (letter as usize).saturating_sub('A' as usize);
    let chosen = match &odds {
        Some(odds) => (0..odds.len()).rev().max_by(|a, b| odds[*a].total_cmp(&odds[*b])).unwrap_or(named),
        None => named,
    };
    let p_right =
        odds.map(|odds| odds.iter().zip(&options).filter(|(_, (_, right))| *right).map(|(p, _)| p).sum());
    let chosen = options.get(chosen);
    Ok(Graded {
        right: chosen.map(|(_, right)| *right),
        p_right,
        chosen: chosen.map(|(text, _)| text.clone()),
    })
}

/// The options in the order in which they are shown. Where they are letters already, as in the paper's sets (` (A)`), the
/// question names them, and they stand at their letters; else they are shuffled, so that no place is right more often.
fn options(seed: u64, question: &Question) -> Vec<(String, bool)> {
    let right = question.corrects.iter().map(|text| (text.clone(), true));
    let wrong = question.incorrects.iter().map(|text| (text.clone(), false));
    let mut options: Vec<(String, bool)> = right.chain(wrong).take(26).collect();
    let count = options.len();
    let letters: Vec<Option<char>> = options.iter().map(|(text, _)| read_option(text, count)).collect();
    let mut sorted: Vec<char> = letters.into_iter().flatten().collect();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() == count {
        options.sort_by_key(|(text, _)| read_option(text, count));
    } else {
        let place =
            |text: &str| Parts::new("option").with_u64(seed).with(&question.prompt.id.0).with(text).uniform();
        options.sort_by_key(|(text, _)| place(text));
    }
    options
}
