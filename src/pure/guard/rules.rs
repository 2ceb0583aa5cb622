//! The rules of a constitution's principles at work: what a text may not hold is found without a model, in a request at once, in
//! an answer while it comes.

use crate::pure::constitution::{Constitution, RulePlace};
use crate::pure::method::GuardTurn;
use crate::pure::text::live_match::{LiveMatcher, LiveScan, Span};
use std::fmt;
use std::sync::Arc;

/// A rule that found something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleHit {
    /// The principle that is violated.
    pub principle: String,
    /// The place of the rule among the principle's, from 1 on.
    pub number: usize,
}

impl fmt::Display for RuleHit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.principle, self.number)
    }
}

/// The rules of a constitution, ready to be looked for.
#[derive(Debug, Clone, Default)]
pub struct GuardRules {
    request: Option<Arc<Rules>>,
    answer: Option<Arc<Rules>>,
}

/// The rules of one place.
#[derive(Debug)]
struct Rules {
    matcher: LiveMatcher,
    /// The rule of each expression of the matcher.
    hits: Vec<RuleHit>,
}

impl GuardRules {
    /// The rules of a constitution; an error says which of them cannot be looked for.
    pub fn new(constitution: &Constitution) -> Result<Self, String> {
        Ok(Self {
            request: rules(constitution, RulePlace::Request)?,
            answer: rules(constitution, RulePlace::Answer)?,
        })
    }

    /// The first rule that a request breaks. The application's own turns are not looked at: they may say what is forbidden.
    pub fn in_request(&self, turns: &[GuardTurn]) -> Option<RuleHit> {
        let clients = turns.iter().filter(|turn| !["system", "developer"].contains(&turn.role.as_str()));
        clients.into_iter().find_map(|turn| in_text(self.request.as_deref()?, &turn.content))
    }

    /// The first rule that a whole answer breaks.
    pub fn in_answer(&self, text: &str) -> Option<RuleHit> {
        in_text(self.answer.as_deref()?, text)
    }

    /// A look-out over an answer that comes in pieces.
    pub fn watch(&self) -> AnswerWatch {
        AnswerWatch { rules: self.answer.clone(), scans: Vec::new(), hit: None }
    }
}

fn in_text(rules: &Rules, text: &str) -> Option<RuleHit> {
    let mut scan = LiveScan::default();
    let found = scan.take(&rules.matcher, text, 0).or_else(|| scan.finish())?;
    rules.hits.get(found).cloned()
}

fn rules(constitution: &Constitution, place: RulePlace) -> Result<Option<Arc<Rules>>, String> {
    let (mut spans, mut hits): (Vec<Span<'_>>, Vec<RuleHit>) = (Vec::new(), Vec::new());
    for principle in &constitution.principles {
        for (n, rule) in principle.rules.iter().enumerate() {
            if rule.place == place || rule.place == RulePlace::Both {
                let hit = RuleHit { principle: principle.id.clone(), number: n + 1 };
                spans.extend(rule.spans());
                hits.resize(spans.len(), hit);
            }
        }
    }
    if spans.is_empty() {
        return Ok(None);
    }
    let matcher = LiveMatcher::new(&spans)
        .map_err(|why| format!("the rules of the constitution cannot be used: {why}"))?;
    Ok(Some(Arc::new(Rules { matcher, hits })))
}

/// Rules over an answer that comes in pieces. Each field of each choice is a text of its own.
#[derive(Debug, Default)]
pub struct AnswerWatch {
    rules: Option<Arc<Rules>>,
    scans: Vec<FieldScan>,
    hit: Option<RuleHit>,
}

/// How far one field of one choice is looked at.
#[derive(Debug)]
struct FieldScan {
    choice: u64,
    field: String,
    scan: LiveScan,
}

impl AnswerWatch {
    /// Takes a text of a field, which came with the piece of this number.
    pub fn take(&mut self, choice: u64, field: &str, text: &str, piece: usize) {
        let Some(rules) = self.rules.as_deref().filter(|_| self.hit.is_none()) else { return };
        let known = self.scans.iter().position(|scan| scan.choice == choice && scan.field == field);
        let at = known.unwrap_or_else(|| {
            self.scans.push(FieldScan { choice, field: field.to_owned(), scan: LiveScan::default() });
            self.scans.len() - 1
        });
        let found = self.scans.get_mut(at).and_then(|field| field.scan.take(&rules.matcher, text, piece));
        self.hit = found.and_then(|found| rules.hits.get(found).cloned());
    }

    /// The answer is at its end.
    pub fn finish(&mut self) {
        let Some(rules) = self.rules.as_deref().filter(|_| self.hit.is_none()) else { return };
        let found = self.scans.iter_mut().filter_map(|field| field.scan.finish()).min();
        self.hit = found.and_then(|found| rules.hits.get(found).cloned());
    }

    /// The rule that the answer breaks.
    pub fn hit(&self) -> Option<&RuleHit> {
        self.hit.as_ref()
    }

    /// The number of the first piece that a forbidden span may reach into.
    pub fn open_since(&self) -> Option<usize> {
        self.scans.iter().filter_map(|field| field.scan.open_since()).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::constitution::{PrincipleRule, read_built_in};

    fn rules_of(rule: PrincipleRule) -> GuardRules {
        let mut constitution = read_built_in("support-desk").unwrap();
        constitution.principles[2].rules =
            vec![PrincipleRule { words: vec!["x y z".into()], ..PrincipleRule::default() }, rule];
        GuardRules::new(&constitution).unwrap()
    }

    #[test]
    fn a_request_is_looked_at_but_for_the_applications_own_turns() {
        let rules = rules_of(PrincipleRule {
            words: vec!["Nightingale".into()],
            place: RulePlace::Request,
            pattern: None,
        });
        let turn = |role: &str, content: &str| GuardTurn { role: role.into(), content: content.into() };
        assert_eq!(
            rules.in_request(&[turn("system", "Never speak of nightingale."), turn("user", "Hello")]),
            None
        );
        let hit = rules.in_request(&[turn("user", "What is nightingale?")]).unwrap();
        assert_eq!(hit.number, 2);
        assert_eq!(rules.in_answer("nightingale"), None, "it is for requests");
    }

    #[test]
    fn a_constitution_without_rules_watches_nothing() {
        let rules = GuardRules::new(&read_built_in("support-desk").unwrap()).unwrap();
        let mut watch = rules.watch();
        watch.take(0, "content", "anything", 0);
        watch.finish();
        assert_eq!((watch.hit(), watch.open_since()), (None, None));
    }
}
