//! Reads which of some lettered options a model chose: out of its words, and out of the probabilities of its tokens.
//!
//! Pure. An option is never guessed: what names none is `None`.

use crate::pure::answer::{Answer, Outcome, TokenLogprob};
use crate::pure::multiple_choice::option_letter;

/// The options together must be at least so likely at the first place of an answer that names none of them. Below it the model
/// was about to say something else, and how it ranks two letters there is noise.
const LEAST_MASS: f64 = 0.02;

/// The probabilities of the first `count` options, normalised over them: at the place where the answer names one, or at the
/// first place of an answer that names none. `None` where the endpoint gave no alternatives there, or no option is among them.
///
/// The first place is whole also in an answer that was cut off.
pub fn odds_of_answer(answer: &Answer, count: usize) -> Option<Vec<f64>> {
    let tokens = answer.logprobs.as_deref()?;
    match answer.complete().and_then(|text| read_option(text, count)) {
        Some(letter) => option_odds(tokens, letter, count),
        None => odds_at_first_place(answer, tokens, count),
    }
}

/// What stands first in an answer that is no mark around a word.
fn odds_at_first_place(answer: &Answer, tokens: &[TokenLogprob], count: usize) -> Option<Vec<f64>> {
    let is_whole = matches!(answer.outcome, Outcome::Complete | Outcome::Truncated);
    if !is_whole || answer.reasoning.is_some() {
        return None;
    }
    let first = tokens.iter().find(|token| token.token.chars().any(char::is_alphanumeric))?;
    let named = first.top.iter().filter(|top| option_in(&top.token, count).is_some());
    let mass: f64 = named.map(|top| top.logprob.exp()).filter(|p| p.is_finite()).sum();
    if mass < LEAST_MASS { None } else { odds_at(first, count) }
}

/// The option that an answer names, of the first `count` letters: the whole answer, or its closing line after a label
/// such as `Answer:`. Anything else is `None`: an option is never guessed.
pub fn read_option(answer: &str, count: usize) -> Option<char> {
    let last = answer.lines().rfind(|line| line.chars().any(char::is_alphanumeric))?;
    let alone = answer.lines().filter(|line| line.chars().any(char::is_alphanumeric)).count() == 1;
    let word = match last.rsplit_once([':', '：']) {
        Some((label, word)) => {
            let label = label.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            let known =
                ["answer", "final answer", "my answer", "the answer is", "verdict", "better", "choice"];
            known.contains(&label.as_str()).then_some(word)?
        }
        None if alone => last,
        None => last.trim_start().starts_with('(').then_some(last)?,
    };
    option_in(word, count)
}

/// The option that a token or word is, if it is one of the first `count`.
fn option_in(word: &str, count: usize) -> Option<char> {
    let letter = option_letter(word)?;
    ('A'..='Z').take(count).find(|option| *option == letter)
}

/// The probabilities of the first `count` options where the answer names `letter`, normalised over the options.
///
/// Endpoints list only the likeliest alternatives. An option that is not among them is at most as likely as the last that
/// is, and at most what is left over; it is counted as that much, so that a label is never surer than what was seen.
pub fn option_odds(logprobs: &[TokenLogprob], letter: char, count: usize) -> Option<Vec<f64>> {
    odds_at(logprobs.iter().rfind(|token| option_in(&token.token, count) == Some(letter))?, count)
}

/// The probabilities of the options among a token's alternatives.
fn odds_at(at: &TokenLogprob, count: usize) -> Option<Vec<f64>> {
    let mut odds = vec![0.0; count];
    let mut seen = vec![false; count];
    let (mut total, mut least) = (0.0, 1.0_f64);
    let own = (at.token.as_str(), at.logprob);
    let listed = at.top.iter().map(|top| (top.token.as_str(), top.logprob));
    let is_listed = at.top.iter().any(|top| top.token == at.token);
    for (token, logprob) in listed.chain((!is_listed).then_some(own)) {
        let p = logprob.exp();
        if !p.is_finite() || p < 0.0 {
            continue;
        }
        (total, least) = (total + p, least.min(p));
        if let Some(option) = option_in(token, count) {
            let n = (option as usize).checked_sub('A' as usize)?;
            odds[n] += p;
            seen[n] = true;
        }
    }
    if at.top.is_empty() {
        return None; // One number says how sure the answer was, not what the alternative was.
    }
    let unseen = least.min((1.0 - total).max(0.0));
    for (odds, seen) in odds.iter_mut().zip(&seen) {
        if !seen {
            *odds = unseen;
        }
    }
    let sum: f64 = odds.iter().sum();
    (sum > 0.0).then(|| odds.iter().map(|p| p / sum).collect())
}
