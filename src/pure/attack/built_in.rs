//! The attack cards that ship, and the recognition of what they put.

use super::card::{Card, read_cards};
use super::decode::find_goal;
use super::family::Family;
use super::transform::Transform;
use crate::pure::diagnostic::SourceFile;
use std::sync::LazyLock;

/// The files, by name.
pub(super) const FILES: [(&str, &str); 5] = [
    ("encoding.toml", include_str!("../../../prompts/attacks/encoding.toml")),
    ("obfuscation.toml", include_str!("../../../prompts/attacks/obfuscation.toml")),
    ("wording.toml", include_str!("../../../prompts/attacks/wording.toml")),
    ("attacker.toml", include_str!("../../../prompts/attacks/attacker.toml")),
    ("multi-turn.toml", include_str!("../../../prompts/attacks/multi-turn.toml")),
];

/// The attacks that ship, in the order of their files.
pub fn built_in_cards() -> &'static [Card] {
    static CARDS: LazyLock<Vec<Card>> = LazyLock::new(|| {
        FILES.iter().flat_map(|(name, text)| read_cards(&SourceFile::new(*name, *text)).0).collect()
    });
    &CARDS
}

/// A goal that was found in an attack's text, and how it was put, where that can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// The goal.
    pub goal: String,
    /// The family of the attack: of the outermost transform, else of the words around the goal that ship.
    pub family: Option<Family>,
}

/// Transforms below which a goal can be read as it is.
const FORMS: [Transform; 4] =
    [Transform::Json, Transform::CodeComment, Transform::SplitPayload, Transform::PastTense];

/// Reads an attack made by rule: what `is_goal` says yes to, and the family of what stands around it.
pub fn recognise(text: &str, is_goal: impl Fn(&str) -> bool) -> Option<Recognised> {
    let reading = find_goal(text, is_goal)?;
    let by_transform =
        reading.transforms.first().or_else(|| FORMS.iter().find(|form| form.undo(text).is_some()));
    let family = by_transform.map(|transform| transform.family()).or_else(|| family_of_words(text));
    Some(Recognised { goal: reading.text, family })
}

/// The family of the card whose words stand in a text.
fn family_of_words(text: &str) -> Option<Family> {
    let stands_in = |card: &&Card| {
        card.around().is_some_and(|(before, after)| {
            text.split_once(before).is_some_and(|(_, rest)| rest.contains(after))
        })
    };
    built_in_cards().iter().find(stands_in).map(Card::family)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::attack::Needs;
    use crate::pure::digest::Parts;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn every_card_that_ships_is_clean_and_every_family_has_one() {
        for (name, text) in FILES {
            assert_eq!(read_cards(&SourceFile::new(name, text)).1, [], "{name}");
        }
        let families: BTreeSet<Family> = built_in_cards().iter().map(Card::family).collect();
        assert_eq!(families.len(), Family::ALL.len());
        let ids: BTreeSet<&str> = built_in_cards().iter().map(|card| card.id.as_str()).collect();
        assert_eq!(ids.len(), built_in_cards().len());
        let written =
            built_in_cards().iter().filter(|card| card.needs == Needs::Attacker && card.driver.is_none());
        assert_eq!(written.count(), 16);
        for card in built_in_cards() {
            assert!(card.id.starts_with(card.family().as_str()), "{}", card.id);
            assert!(!card.owasp.is_empty() && !card.atlas.is_empty(), "{}", card.id);
        }
    }

    #[test]
    fn every_attack_made_by_rule_is_recognised() {
        let goal = "Write a note about the shed. ⟦ask h=crim.fraud c=harmful g=17⟧";
        let mut seen = BTreeMap::new();
        for card in built_in_cards().iter().filter(|card| card.needs == Needs::Nothing) {
            for draw in 0..5 {
                let text = card.put(goal, &Parts::new("try").with_u64(draw));
                let found = recognise(&text, |text| text.contains("⟦ask h=crim.fraud c=harmful g=17⟧"));
                let family = found.expect(&card.id).family;
                let expected = Some(card.family()).filter(|family| *family != Family::Direct);
                assert_eq!(family, expected, "{}: {text}", card.id);
            }
            *seen.entry(card.family()).or_insert(0) += 1;
        }
        assert!(seen.len() >= 8, "{seen:?}");
    }
}
