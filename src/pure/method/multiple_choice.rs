//! Multiple-choice questions, as the paper's evaluation sets have them: what a model chooses, and how surely.
//!
//! It asks and reads one question; what many come to is [`crate::pure::reports::multiple_choice`].

use super::MethodContext;
use super::option_reading::{odds_of_answer, read_option};
use super::prompt_session::Asking;
use crate::pure::answer::Answer;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Purpose, Role};
use crate::pure::multiple_choice::{Choice, Question};
use crate::pure::recipe::LabelHow;
use crate::pure::template::conversation_text;
use crate::pure::transcript::Undecided;

/// How a question was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Graded {
    /// The options, in the order in which they were shown.
    pub options: Vec<Choice>,
    /// The place of the option that was chosen; or why none could be read, which is neither right nor a guess.
    pub chosen: Result<usize, Undecided>,
    /// The probability of each option, where log-probabilities tell.
    pub odds: Option<Vec<f64>>,
    /// Whether the role's fallback answered.
    pub fallback: bool,
}

impl Graded {
    /// Whether the answer is right; `None` when none could be read.
    pub fn right(&self) -> Option<bool> {
        self.chosen_option().map(|option| option.right)
    }

    /// The option that was chosen.
    pub fn chosen_option(&self) -> Option<&Choice> {
        self.options.get(*self.chosen.as_ref().ok()?)
    }

    /// The probability that the model gives to the right answers, where log-probabilities tell.
    pub fn p_right(&self) -> Option<f64> {
        let odds = self.odds.as_ref()?;
        Some(odds.iter().zip(&self.options).filter(|(_, option)| option.right).map(|(p, _)| p).sum())
    }
}

/// Asks a role's model one question. With log-probabilities the likeliest option is its answer, else the one it names;
/// where the recipe says `label.how = "votes"`, that one always. The answer is not drawn: the temperature is 0 for every
/// model that takes one.
pub async fn grade(
    ask: &impl Ask,
    cx: &MethodContext,
    role: Role,
    question: &Question,
) -> Result<Graded, Stop> {
    let asking = Asking::new(ask, cx, &question.prompt);
    let options = question.shown(cx.seed);
    let texts: Vec<String> = options.iter().map(|option| shown(option, question.lettered)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let conversation = conversation_text(&question.prompt.messages);
    let request = cx.templates.choice(&conversation, &texts, cx.label.reason_first)?;
    let mut call =
        cx.call(&question.prompt, Purpose::Choice { role }, cx.alone(&question.prompt, request), 0);
    call.sampling.temperature = call.sampling.temperature.map(|_| 0.0);
    let alternatives = cx.label.top_logprobs.max(u8::try_from(options.len()).unwrap_or(20)).min(20);
    call.sampling.top_logprobs = (cx.label.how == LabelHow::Auto).then_some(alternatives);
    let answered = asking.answer_call(call).await?;
    Ok(Graded { fallback: answered.fallback, ..read(options, &answered.answer, cx.label.reason_first) })
}

/// An option's text. One that is a letter stands for what the question lists at that letter.
fn shown(option: &Choice, lettered: bool) -> String {
    let text = option.text.trim();
    if lettered { format!("option {text} of the question") } else { text.to_owned() }
}

/// What an answer to the options says. An option is read where it is plainly named, or where log-probabilities tell how likely
/// each was; it is never guessed.
pub fn read(options: Vec<Choice>, answer: &Answer, reason_first: bool) -> Graded {
    let named = answer.complete().and_then(|text| read_option(text, options.len()));
    let odds = odds_of_answer(answer, options.len()).filter(|_| named.is_some() || !reason_first);
    let likeliest = |odds: &Vec<f64>| (0..odds.len()).rev().max_by(|a, b| odds[*a].total_cmp(&odds[*b]));
    let place = |letter: char| (letter as usize).saturating_sub('A' as usize);
    let why = || answer.usable().err().map_or(Undecided::Unreadable, Undecided::Outcome);
    let chosen = odds.as_ref().and_then(likeliest).or(named.map(place)).ok_or_else(why);
    Graded { options, chosen, odds, fallback: false }
}
