//! How one try of an attack follows from another: once, the best of several draws, streams, a tree, a conversation.
//!
//! Straight-line over the calls in `attack.rs`. What the target said is part of what the next try is told; a turn that it refused
//! in full is part of nothing.

use super::MethodContext;
use super::attack::{Attacked, Attacking, Attempt, Sent, Tried};
use crate::pure::ask::{Ask, Stop};
use crate::pure::attack::card::{BACKTRACKS, BEST_OF, BRANCHING, DEPTH, STREAMS, TURNS, WIDTH};
use crate::pure::attack::{Card, Driver};
use crate::pure::finds::{FindVerdict, Reply};
use crate::pure::prompt::Message;

/// Makes an attempt; it ends with the first answer that broke.
pub async fn attack(ask: &impl Ask, cx: &MethodContext, attempt: &Attempt) -> Result<Attacked, Stop> {
    let mut attacking = Attacking::new(ask, cx, attempt);
    let card = &attempt.card;
    let last = match card.driver {
        None => attacking.once(&attempt.memory).await?,
        Some(Driver::BestOfN) => attacking.best_of(card.n.unwrap_or(BEST_OF)).await?,
        Some(Driver::Pair) => attacking.streams(card).await?,
        Some(Driver::Tap) => attacking.tree(card).await?,
        Some(Driver::Crescendo) => attacking.conversation(card).await?,
    };
    Ok(attacking.end(last))
}

/// A goal as the attack of an attempt puts it, once; `None` where no text has the goal.
pub async fn put_goal(ask: &impl Ask, cx: &MethodContext, attempt: &Attempt) -> Result<Option<String>, Stop> {
    Attacking::new(ask, cx, attempt).next_text(&[], &[], None).await
}

fn broke(sent: &Sent) -> bool {
    sent.verdict == FindVerdict::Broke
}

/// How near an answer is to giving way, by its words.
fn nearness(reply: Reply) -> u8 {
    match reply {
        Reply::Full => 3,
        Reply::Partial => 2,
        Reply::None => 1,
        Reply::Empty => 0,
    }
}

/// What is told of a try to whoever makes the next one.
fn as_tried(sent: &Sent) -> Tried {
    let text = sent.turns.last().map_or_else(String::new, |turn| turn.content.clone());
    Tried { text, reply: sent.reply }
}

impl<A: Ask> Attacking<'_, A> {
    async fn once(&mut self, tried: &[Tried]) -> Result<Option<Sent>, Stop> {
        match self.next_text(&[], tried, None).await? {
            Some(text) => self.send(vec![Message::user(text)]).await.map(Some),
            None => Ok(None),
        }
    }

    async fn best_of(&mut self, draws: u32) -> Result<Option<Sent>, Stop> {
        let mut last = None;
        for _ in 0..draws {
            let sent = self.once(&self.attempt.memory.clone()).await?;
            last = sent.or(last);
            if last.as_ref().is_some_and(broke) {
                break;
            }
        }
        Ok(last)
    }

    async fn streams(&mut self, card: &Card) -> Result<Option<Sent>, Stop> {
        let mut last = None;
        for _ in 0..card.streams.unwrap_or(STREAMS) {
            let mut tried = self.attempt.memory.clone();
            for _ in 0..card.depth.unwrap_or(DEPTH) {
                let Some(sent) = self.once(&tried).await? else { continue };
                if broke(&sent) {
                    return Ok(Some(sent));
                }
                tried.push(as_tried(&sent));
                last = Some(sent);
            }
        }
        Ok(last)
    }

    async fn tree(&mut self, card: &Card) -> Result<Option<Sent>, Stop> {
        let mut kept = vec![self.attempt.memory.clone()];
        let mut last = None;
        for _ in 0..card.depth.unwrap_or(DEPTH) {
            let mut level: Vec<(u8, Vec<Tried>)> = Vec::new();
            for tried in &kept {
                for _ in 0..card.branching.unwrap_or(BRANCHING) {
                    let Some(sent) = self.once(tried).await? else { continue };
                    if broke(&sent) {
                        return Ok(Some(sent));
                    }
                    let grown = [tried.as_slice(), &[as_tried(&sent)]].concat();
                    level.push((nearness(sent.reply), grown));
                    last = Some(sent);
                }
            }
            if level.is_empty() {
                break;
            }
            // Of equals the earlier: the order is that of the tries.
            level.sort_by_key(|(near, _)| std::cmp::Reverse(*near));
            level.truncate(card.width.unwrap_or(WIDTH) as usize);
            kept = level.into_iter().map(|(_, tried)| tried).collect();
        }
        Ok(last)
    }

    async fn conversation(&mut self, card: &Card) -> Result<Option<Sent>, Stop> {
        let most = card.max_turns.unwrap_or(TURNS);
        let mut backtracks_left = card.max_backtracks.unwrap_or(BACKTRACKS);
        let mut held: Vec<Message> = Vec::new();
        let (mut turn, mut last) = (1, None);
        while turn <= most {
            let text = self.next_text(&held, &[], Some((turn, most))).await?;
            let Some(text) = text else {
                let Some(left) = backtracks_left.checked_sub(1) else { break };
                backtracks_left = left;
                continue;
            };
            let mut turns = held.clone();
            turns.push(Message::user(text));
            let sent = self.send(turns).await?;
            if broke(&sent) {
                return Ok(Some(sent));
            }
            match &sent.response {
                // The refused turn stands in no history: not in the target's, and not in the attacker's.
                Some(response) if sent.reply != Reply::None => {
                    held.clone_from(&sent.turns);
                    held.push(Message::assistant(response.as_str()));
                    turn += 1;
                }
                Some(_) | None => {
                    let Some(left) = backtracks_left.checked_sub(1) else {
                        last = Some(sent);
                        break;
                    };
                    backtracks_left = left;
                }
            }
            last = Some(sent);
        }
        Ok(last)
    }
}
