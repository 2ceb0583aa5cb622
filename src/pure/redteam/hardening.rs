//! What is made of finds: families that are held out, and the items by which a hardened model is held against the one before.

use crate::pure::digest::Parts;
use crate::pure::prompt::Message;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a right answer to an item does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// It does not give what is asked for.
    Harmful,
    /// It gives it.
    Benign,
}

/// A line of `regression.jsonl`: a conversation that both models are asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its id.
    pub item: String,
    /// The find that it is of.
    pub find: String,
    /// The side.
    pub side: Side,
    /// Whether its family of attacks stands in the dataset too; `false` for a family that was held out.
    pub seen: bool,
    /// The family of attacks.
    pub family: String,
    /// The attack.
    pub attack: String,
    /// The hazard.
    pub hazard: String,
    /// The language.
    pub language: String,
    /// The conversation.
    pub turns: Vec<Message>,
}

/// The id of an item.
pub fn item_id(find: &str, side: Side, turns: &[Message]) -> String {
    let side = match side {
        Side::Harmful => "harmful",
        Side::Benign => "benign",
    };
    turns
        .iter()
        .fold(Parts::new("item").with(find).with(side), |parts, turn| parts.with(&turn.content))
        .short()
}

/// The families that are held out: a share of those that there are, by a hash of their names; at least one is left on either
/// side where there are two and the share is above 0.
pub fn held_out<'a>(families: impl IntoIterator<Item = &'a str>, share: f64, seed: u64) -> BTreeSet<String> {
    let names: BTreeSet<&str> = families.into_iter().collect();
    let mut order: Vec<&str> = names.into_iter().collect();
    order.sort_by_key(|name| Parts::new("held out").with_u64(seed).with(name).bytes());
    let wanted = (order.len() as f64 * share).round();
    // A count of names is small, and a share is at most 1.
    let wanted = (0..order.len()).take_while(|n| (*n as f64) < wanted).count();
    let most = order.len().saturating_sub(1);
    let count = if share > 0.0 { wanted.max(1).min(most) } else { 0 };
    order.into_iter().take(count).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_families_is_held_out_and_never_all() {
        let names = ["encoding", "framing", "persuasion", "format"];
        assert_eq!(held_out(names, 0.25, 1).len(), 1);
        assert_eq!(held_out(names, 1.0, 1).len(), 3);
        assert_eq!(held_out(names, 0.0, 1).len(), 0);
        assert_eq!(held_out(["encoding"], 0.25, 1).len(), 0);
        assert_eq!(
            held_out(names, 0.25, 1),
            held_out(["format", "persuasion", "framing", "encoding"], 0.25, 1)
        );
    }
}
