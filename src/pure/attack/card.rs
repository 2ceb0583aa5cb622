//! Attack cards: files that say how a goal is put. Read with every problem told at once; none is code.

use super::family::Family;
use super::transform::Transform;
use crate::pure::diagnostic::{Diagnostic, Slip, SourceFile, nearest};
use crate::pure::digest::Parts;
use crate::pure::toml_file::{self, Node};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Where the goal stands in a wrap. It is put there as a value.
const GOAL: &str = "{{goal}}";

/// Who has to help with an attack.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumString,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Needs {
    /// Nobody: it is made by rule.
    #[default]
    Nothing,
    /// A model that writes it.
    Attacker,
}

/// How an attack goes on from one try to the next.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::VariantNames,
    strum::EnumString,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Driver {
    /// The same change with other draws, `n` times.
    BestOfN,
    /// `streams` side by side, each put anew `depth` times with what came back.
    Pair,
    /// A tree: the `width` best of each level branch `branching` times, `depth` levels deep.
    Tap,
    /// A conversation of at most `max_turns`; a turn that is refused in full is taken back.
    Crescendo,
}

/// One attack.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Card {
    /// Its id: the family, a dot, a name.
    pub id: String,
    /// Its family; see [`Family`].
    pub family: String,
    /// Who has to help.
    pub needs: Needs,
    /// Transforms of the goal, the innermost first.
    pub transform: Vec<Transform>,
    /// What stands around the goal, with `{{goal}}` where it stands.
    pub wrap: Option<String>,
    /// How an attacker is to put it.
    pub instruction: Option<String>,
    /// How it goes on.
    pub driver: Option<Driver>,
    /// Draws of `best-of-n`.
    pub n: Option<u32>,
    /// Conversations of `pair`.
    pub streams: Option<u32>,
    /// Tries of `pair` in each, levels of `tap`.
    pub depth: Option<u32>,
    /// What `tap` keeps of each level.
    pub width: Option<u32>,
    /// Children of what `tap` keeps.
    pub branching: Option<u32>,
    /// Turns of `crescendo` at most.
    pub max_turns: Option<u32>,
    /// Turns that `crescendo` may take back.
    pub max_backtracks: Option<u32>,
    /// Languages in which it makes sense; all when empty.
    pub languages: Vec<String>,
    /// Ids of OWASP's top ten for language models, such as `LLM01:2025`.
    pub owasp: Vec<String>,
    /// Ids of MITRE ATLAS, such as `AML.T0054`.
    pub atlas: Vec<String>,
}

/// A file of cards.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    attack: Vec<Card>,
}

impl Card {
    /// The family. A card that was read without findings has one.
    pub fn family(&self) -> Family {
        Family::read(&self.family).unwrap_or(Family::Direct)
    }

    /// Whether it makes sense in a language.
    pub fn speaks(&self, language: &str) -> bool {
        let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or("").to_lowercase();
        self.languages.is_empty() || self.languages.iter().any(|known| primary(known) == primary(language))
    }

    /// The goal as the attack puts it, where no attacker writes it.
    pub fn put(&self, goal: &str, chance: &Parts) -> String {
        let changed =
            self.transform.iter().fold(goal.to_owned(), |text, transform| transform.apply(&text, chance));
        self.wrapped(&changed)
    }

    /// A text with what stands around it.
    pub fn wrapped(&self, text: &str) -> String {
        let wrap = self.wrap.as_deref().unwrap_or(GOAL).trim_end_matches('\n');
        match wrap.split_once(GOAL) {
            Some((before, after)) => [before, text, after].concat(),
            None => text.to_owned(),
        }
    }

    /// What stands before and after the goal, where there is something.
    pub(super) fn around(&self) -> Option<(&str, &str)> {
        let (before, after) = self.wrap.as_deref()?.trim_end_matches('\n').split_once(GOAL)?;
        (!before.trim().is_empty() || !after.trim().is_empty()).then_some((before, after))
    }

    /// The most calls of attacker, judge and target that one try can take.
    pub fn most_calls(&self) -> u64 {
        let each: u64 = if self.needs == Needs::Attacker { 4 } else { 2 };
        let of = |value: Option<u32>, usual: u32| u64::from(value.unwrap_or(usual));
        let tries = match self.driver {
            None => 1,
            Some(Driver::BestOfN) => of(self.n, BEST_OF),
            Some(Driver::Pair) => of(self.streams, STREAMS) * of(self.depth, DEPTH),
            Some(Driver::Tap) => {
                of(self.width, WIDTH) * of(self.branching, BRANCHING) * of(self.depth, DEPTH)
            }
            Some(Driver::Crescendo) => of(self.max_turns, TURNS) + of(self.max_backtracks, BACKTRACKS),
        };
        each * tries
    }
}

/// Draws of `best-of-n` unless the card says otherwise.
pub const BEST_OF: u32 = 8;
/// Conversations of `pair`.
pub const STREAMS: u32 = 2;
/// Tries in each, and levels of `tap`.
pub const DEPTH: u32 = 3;
/// What `tap` keeps.
pub const WIDTH: u32 = 2;
/// How often it branches.
pub const BRANCHING: u32 = 2;
/// Turns of `crescendo`.
pub const TURNS: u32 = 8;
/// Turns that it may take back.
pub const BACKTRACKS: u32 = 4;

/// Reads a file of attack cards.
///
/// ```
/// use amend::pure::attack::read_cards;
/// use amend::pure::diagnostic::SourceFile;
///
/// let (_, findings) = read_cards(&SourceFile::new("a.toml", "[[attack]]\nid = \"x.y\"\nfamily = \"encodng\"\n"));
/// assert_eq!(findings[0].help, ["did you mean `encoding`?"]);
/// ```
pub fn read_cards(file: &SourceFile) -> (Vec<Card>, Vec<Diagnostic>) {
    let (located, findings) = toml_file::read::<File>(file);
    let mut check = Check { file, findings };
    let mut seen = BTreeSet::new();
    for (n, card) in located.value.attack.iter().enumerate() {
        let node = located.root.key("attack").nth(n);
        check.card(card, node);
        if !card.id.is_empty() && !seen.insert(card.id.as_str()) {
            check.error("duplicate-id", node.key("id"), format!("the id `{}` is used twice", card.id));
        }
    }
    if located.value.attack.is_empty() && check.findings.is_empty() {
        check.error("missing-key", &located.root, "there is no `[[attack]]` in this file".into());
    }
    (located.value.attack, check.findings)
}

struct Check<'a> {
    file: &'a SourceFile,
    findings: Vec<Diagnostic>,
}

impl Check<'_> {
    fn error(&mut self, code: &'static str, at: &Node, message: String) {
        self.findings.push(Diagnostic::error(code, &self.file.name, at.span(), message));
    }

    fn card(&mut self, card: &Card, node: &Node) {
        for (name, value) in [("id", &card.id), ("family", &card.family)] {
            if value.is_empty() && !node.has(name) {
                self.error("missing-key", node, format!("this `[[attack]]` has no `{name}`"));
            }
        }
        self.names(card, node);
        self.texts(card, node);
        self.numbers(card, node);
        for (name, ids, form) in [("owasp", &card.owasp, "LLM01:2025"), ("atlas", &card.atlas, "AML.T0054")] {
            for (n, id) in ids.iter().enumerate() {
                if !has_form(id, form) {
                    let message = format!("`{id}` is no id such as `{form}`");
                    self.error("bad-value", node.key(name).nth(n), message);
                }
            }
        }
    }

    fn names(&mut self, card: &Card, node: &Node) {
        let is_plain = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        let is_id = card.id.split_once('.').is_some_and(|(family, name)| is_plain(family) && is_plain(name));
        if !card.id.is_empty() && !is_id {
            let message =
                format!("`{}` is no id of an attack: the family, a dot, a name, in lower case", card.id);
            self.error("bad-id", node.key("id"), message);
        }
        if !card.family.is_empty() && Family::read(&card.family).is_none() {
            let message = format!("there is no family `{}`", card.family);
            let names = <Family as strum::VariantNames>::VARIANTS;
            let near = nearest(&card.family, names.iter().copied());
            let at = node.key("family").span();
            let finding = Diagnostic::error("unknown-family", &self.file.name, at.clone(), message);
            let otherwise = format!("the families are {}", names.join(", "));
            self.findings.push(finding.did_you_mean(&Slip::text(&card.family, at), near, otherwise));
        }
    }

    fn texts(&mut self, card: &Card, node: &Node) {
        if let Some(wrap) = &card.wrap
            && wrap.matches(GOAL).count() != 1
        {
            let message = "the goal has to stand in `wrap` once, as `{{goal}}`".to_owned();
            self.error("missing-goal", node.key("wrap"), message);
        }
        let has_instruction = card.instruction.as_ref().is_some_and(|text| !text.trim().is_empty());
        match card.needs {
            Needs::Attacker if !has_instruction => {
                let message = "an attack that an attacker writes needs an `instruction`".to_owned();
                self.error("missing-key", node.key("needs"), message);
            }
            Needs::Nothing if has_instruction => {
                let message = "nobody reads the `instruction`: say `needs = \"attacker\"`".to_owned();
                self.error("no-effect", node.key("instruction"), message);
            }
            Needs::Nothing if card.transform.is_empty() && card.wrap.is_none() => {
                let message = "this attack has no `transform` and no `wrap`, and nobody writes it".to_owned();
                self.error("missing-key", node, message);
            }
            Needs::Nothing | Needs::Attacker => {}
        }
        let writes = matches!(card.driver, Some(Driver::Pair | Driver::Tap | Driver::Crescendo));
        if writes && card.needs == Needs::Nothing {
            let message = "this driver needs a model that writes: say `needs = \"attacker\"`".to_owned();
            self.error("bad-value", node.key("driver"), message);
        }
        let draws = card.transform.iter().any(|transform| transform.draws());
        if card.driver == Some(Driver::BestOfN) && card.needs == Needs::Nothing && !draws {
            let message = "`best-of-n` has nothing to draw: none of the transforms draws".to_owned();
            self.error("no-effect", node.key("driver"), message);
        }
    }

    fn numbers(&mut self, card: &Card, node: &Node) {
        let of = |driver: Driver| card.driver == Some(driver);
        for (name, value, is_used, least) in [
            ("n", card.n, of(Driver::BestOfN), 1),
            ("streams", card.streams, of(Driver::Pair), 1),
            ("depth", card.depth, of(Driver::Pair) || of(Driver::Tap), 1),
            ("width", card.width, of(Driver::Tap), 1),
            ("branching", card.branching, of(Driver::Tap), 1),
            ("max_turns", card.max_turns, of(Driver::Crescendo), 2),
            ("max_backtracks", card.max_backtracks, of(Driver::Crescendo), 0),
        ] {
            let Some(value) = value else { continue };
            if !is_used {
                self.error(
                    "no-effect",
                    node.key(name),
                    format!("`{name}` says nothing without a driver that reads it"),
                );
            } else if !(least..=64).contains(&value) {
                self.error("bad-value", node.key(name), format!("`{name}` must be from {least} to 64"));
            }
        }
    }
}

/// Whether an id has the form of another: the same length or longer, letters where it has letters, digits where it has digits.
fn has_form(id: &str, form: &str) -> bool {
    let same = |(a, b): (char, char)| if b.is_ascii_digit() { a.is_ascii_digit() } else { a == b };
    let rest: String = id.chars().skip(form.chars().count()).collect();
    let is_sub =
        rest.strip_prefix('.').is_some_and(|sub| sub.len() == 3 && sub.chars().all(|c| c.is_ascii_digit()));
    id.chars().count() >= form.chars().count()
        && id.chars().zip(form.chars()).all(same)
        && (rest.is_empty() || is_sub)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        let file = SourceFile::new("a.toml", text);
        let (_, findings) = read_cards(&file);
        findings.iter().map(|finding| format!("{} {}", finding.code, finding.message)).collect()
    }

    #[test]
    fn what_is_wrong_with_a_card_is_told() {
        let check = |body: &str, says: &str| {
            let found = findings(&format!("[[attack]]\n{body}\n"));
            assert!(found.iter().any(|finding| finding.contains(says)), "{body}: {found:?}");
        };
        check("id = \"direct.a\"\nfamily = \"direct\"", "no `transform` and no `wrap`");
        check("id = \"a\"\nfamily = \"direct\"\nwrap = \"{{goal}}\"", "bad-id");
        check("id = \"a.b\"\nfamily = \"direkt\"\nwrap = \"{{goal}}\"", "unknown-family");
        check("id = \"a.b\"\nfamily = \"direct\"\nwrap = \"goal\"", "missing-goal");
        check("id = \"a.b\"\nfamily = \"direct\"\nwrap = \"{{goal}} {{goal}}\"", "missing-goal");
        check("id = \"a.b\"\nfamily = \"direct\"\ntransform = [\"base46\"]", "base46");
        check("id = \"a.b\"\nfamily = \"direct\"\nwarp = \"{{goal}}\"", "unknown-key");
        check("id = \"a.b\"\nfamily = \"framing\"\nneeds = \"attacker\"", "needs an `instruction`");
        check("id = \"a.b\"\nfamily = \"framing\"\ninstruction = \"x\"\nwrap = \"{{goal}}\"", "no-effect");
        check("id = \"a.b\"\nfamily = \"framing\"\nwrap = \"{{goal}}\"\ndriver = \"pair\"", "needs a model");
        check(
            "id = \"a.b\"\nfamily = \"framing\"\nwrap = \"{{goal}}\"\ndriver = \"best-of-n\"",
            "nothing to draw",
        );
        check("id = \"a.b\"\nfamily = \"direct\"\nwrap = \"{{goal}}\"\ndepth = 3", "says nothing");
        check("id = \"a.b\"\nfamily = \"direct\"\nwrap = \"{{goal}}\"\nowasp = [\"LLM1\"]", "no id such as");
        check(
            "id = \"a.b\"\nfamily = \"direct\"\nwrap = \"{{goal}}\"\natlas = [\"AML.T0051.01\"]",
            "no id such as",
        );
        assert_eq!(findings("").len(), 1);
    }

    #[test]
    fn a_goal_is_a_value_and_never_a_template() {
        let card = Card { wrap: Some("Before {{goal}} after\n".into()), ..Card::default() };
        let goal = "{{#each x}}{{goal}} {{{goal}}}";
        assert_eq!(card.put(goal, &Parts::new("x")), format!("Before {goal} after"));
    }

    #[test]
    fn ids_of_the_lists_have_their_form() {
        for id in ["AML.T0054", "AML.T0051.001"] {
            assert!(has_form(id, "AML.T0054"), "{id}");
        }
        assert!(has_form("LLM10:2025", "LLM01:2025") && !has_form("LLM01", "LLM01:2025"));
    }
}
