//! The smallest form of an attack that still breaks the target: fewer turns, then fewer sentences, then no disguise.
//!
//! What can go is found by halving, from the front and from the back, so that few calls are enough: at most
//! 2·log2 n + 6 for a form of n turns and sentences, three of them to see whether the smallest form breaks again.

use super::attack::{TargetSide, send_to_target};
use crate::pure::ask::{Ask, Stop};
use crate::pure::finds::FindVerdict;
use crate::pure::prompt::Message;

/// Draws of the smallest form, and how many of them must break.
const DRAWS: u32 = 3;
const MUST_BREAK: u32 = 2;
/// Draws of one find, apart from those of others.
const DRAWS_OF_A_FIND: u64 = 64;

/// The smallest form of an attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minimal {
    /// The conversation.
    pub turns: Vec<Message>,
    /// Whether it broke in two of three draws.
    pub is_stable: bool,
    /// Conversations that were sent to find it.
    pub sent: u32,
}

/// Makes an attack smaller while it breaks.
pub async fn minimise<A: Ask>(
    side: &TargetSide<'_, A>,
    goal: &str,
    turns: Vec<Message>,
    step: u64,
) -> Result<Minimal, Stop> {
    let mut trial = Trial { side, step, sent: 0 };
    let mut smallest = turns;
    if smallest.len() > 1 {
        let alone: Vec<Message> = smallest.last().cloned().into_iter().collect();
        if trial.breaks(alone.clone()).await? {
            smallest = alone;
        }
    }
    let plain = vec![Message::user(goal)];
    smallest = trial.without_sentences(smallest).await?;
    if smallest != plain && trial.breaks(plain.clone()).await? {
        smallest = plain;
    }
    let mut broke = 0;
    for _ in 0..DRAWS {
        broke += u32::from(trial.breaks(smallest.clone()).await?);
    }
    Ok(Minimal { turns: smallest, is_stable: broke >= MUST_BREAK, sent: trial.sent })
}

/// The calls of one find.
struct Trial<'a, 's, A> {
    side: &'a TargetSide<'s, A>,
    step: u64,
    sent: u32,
}

impl<A: Ask> Trial<'_, '_, A> {
    async fn breaks(&mut self, turns: Vec<Message>) -> Result<bool, Stop> {
        let draw = self.step * DRAWS_OF_A_FIND + u64::from(self.sent);
        self.sent += 1;
        let draw = u32::try_from(draw % u64::from(u32::MAX)).unwrap_or(0);
        Ok(send_to_target(self.side, turns, draw).await?.verdict == FindVerdict::Broke)
    }

    /// Leaves out as many sentences of the last turn as can go, at its end and then at its beginning.
    async fn without_sentences(&mut self, turns: Vec<Message>) -> Result<Vec<Message>, Stop> {
        let Some((last, before)) = turns.split_last() else { return Ok(turns) };
        let parts = sentences(&last.content);
        let with = |parts: &[&str]| {
            let mut shorter = before.to_vec();
            shorter.push(Message { content: parts.concat().trim().to_owned(), ..last.clone() });
            shorter
        };
        let (mut from, mut to) = (0, parts.len());
        // The least end with which it breaks, then the largest beginning.
        let (mut fails, mut works) = (0, parts.len());
        while works - fails > 1 {
            let middle = usize::midpoint(fails, works);
            if self.breaks(with(parts.get(..middle).unwrap_or_default())).await? {
                works = middle;
            } else {
                fails = middle;
            }
            to = works;
        }
        let (mut works, mut fails) = (0, to);
        while fails - works > 1 {
            let middle = usize::midpoint(works, fails);
            if self.breaks(with(parts.get(middle..to).unwrap_or_default())).await? {
                works = middle;
            } else {
                fails = middle;
            }
            from = works;
        }
        if (from, to) == (0, parts.len()) {
            return Ok(turns);
        }
        Ok(with(parts.get(from..to).unwrap_or_default()))
    }
}

/// The sentences and lines of a text, with the white space after each.
fn sentences(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut ends) = (0, false);
    for (at, c) in text.char_indices() {
        if ends && !c.is_whitespace() {
            parts.extend(text.get(start..at));
            start = at;
        }
        let is_end = matches!(c, '.' | '!' | '?' | '。' | '\n' | ':');
        // White space after an end still belongs to it; an end within a word is none.
        let next = text.get(at + c.len_utf8()..).and_then(|rest| rest.chars().next());
        ends = (is_end && next.is_none_or(char::is_whitespace)) || c == '\n' || (ends && c.is_whitespace());
    }
    parts.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_sum_of_its_sentences() {
        let text = "One. Two! Is it 3.5 or h=a.b?\nA line\n\nThe last";
        let parts = sentences(text);
        assert_eq!(parts, ["One. ", "Two! ", "Is it 3.5 or h=a.b?\n", "A line\n\n", "The last"]);
        assert_eq!(parts.concat(), text);
        assert!(sentences("").is_empty());
    }
}
