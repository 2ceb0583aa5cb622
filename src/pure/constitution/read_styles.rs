//! Styles, propositions and resources of constitution files, folded together as principles are: extended files first, each
//! id once, `replace = true` takes the place of an inherited one.

use super::file::{File, PropositionEntry, ResourceEntry, RuleEntry, StyleEntry};
use super::style::{Day, Policy, Proposition, Resource, Rule, RuleGate, Style, Styles};
use crate::pure::diagnostic::{Diagnostic, Slip, SourceFile, nearest};
use crate::pure::toml_file::{Located, Node};
use std::ops::Range;

/// Something of a file, and where it stands.
#[derive(Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    /// Number of the file.
    pub(super) file: usize,
    pub(super) node: Node,
}

/// What the files say about styles.
#[derive(Debug, Default)]
pub(super) struct PlacedStyles {
    pub(super) styles: Vec<Placed<Style>>,
    pub(super) propositions: Vec<Placed<Proposition>>,
    pub(super) resources: Vec<Placed<Resource>>,
}

/// What has an id that must be unique.
trait Named {
    const KIND: &'static str;
    const UNKNOWN: &'static str;
    fn id(&self) -> &str;
}

impl Named for Style {
    const KIND: &'static str = "style";
    const UNKNOWN: &'static str = "unknown-style";
    fn id(&self) -> &str {
        &self.id
    }
}

impl Named for Proposition {
    const KIND: &'static str = "proposition";
    const UNKNOWN: &'static str = "unknown-proposition";
    fn id(&self) -> &str {
        &self.id
    }
}

impl PlacedStyles {
    pub(super) fn is_empty(&self) -> bool {
        self.styles.is_empty() && self.propositions.is_empty() && self.resources.is_empty()
    }

    /// What the files mean, without the places.
    pub(super) fn values(&self) -> Styles {
        Styles {
            styles: values(&self.styles),
            propositions: values(&self.propositions),
            resources: values(&self.resources),
        }
    }

    /// Folds one file in.
    pub(super) fn add(
        &mut self,
        file: &SourceFile,
        number: usize,
        located: &Located<File>,
        findings: &mut Vec<Diagnostic>,
    ) {
        let File { style, proposition, resource, .. } = &located.value;
        for (n, entry) in style.iter().enumerate() {
            let node = located.root.key("style").nth(n).clone();
            let placed = Placed { value: style_of(entry), file: number, node };
            findings.extend(place(&mut self.styles, placed, entry.replace, file));
        }
        for (n, entry) in proposition.iter().enumerate() {
            let node = located.root.key("proposition").nth(n).clone();
            let placed = Placed { value: proposition_of(entry), file: number, node };
            findings.extend(place(&mut self.propositions, placed, entry.replace, file));
        }
        for (n, entry) in resource.iter().enumerate() {
            let node = located.root.key("resource").nth(n).clone();
            self.resources.push(Placed { value: resource_of(entry), file: number, node });
        }
    }

    /// Takes an inherited style or proposition away; false where there is none of this id.
    pub(super) fn drop_one(&mut self, id: &str) -> bool {
        let before = self.styles.len() + self.propositions.len();
        self.styles.retain(|placed| placed.value.id != id);
        self.propositions.retain(|placed| placed.value.id != id);
        self.styles.len() + self.propositions.len() < before
    }

    /// Every text in which a variable may stand, with its file and place.
    pub(super) fn texts(&mut self) -> Vec<(usize, Range<usize>, &mut String)> {
        let styles = self.styles.iter_mut().map(|p| (p.file, p.node.key("text").span(), &mut p.value.text));
        let questions = self
            .propositions
            .iter_mut()
            .map(|p| (p.file, p.node.key("question").span(), &mut p.value.question));
        let resources =
            self.resources.iter_mut().map(|p| (p.file, p.node.key("text").span(), &mut p.value.text));
        styles.chain(questions).chain(resources).collect()
    }
}

fn values<T: Clone>(placed: &[Placed<T>]) -> Vec<T> {
    placed.iter().map(|placed| placed.value.clone()).collect()
}

/// Puts one among the others, in the place of an inherited one where it says so.
fn place<T: Named>(
    list: &mut Vec<Placed<T>>,
    placed: Placed<T>,
    replaces: bool,
    file: &SourceFile,
) -> Option<Diagnostic> {
    let (kind, id) = (T::KIND, placed.value.id().to_owned());
    let span = placed.node.key("id").span();
    let other = list.iter_mut().find(|other| other.value.id() == id && !id.is_empty());
    let error = |code, message: String| Diagnostic::error(code, &file.name, span.clone(), message);
    match other {
        Some(other) if other.file == placed.file => {
            let finding = error("duplicate-id", format!("the id `{id}` is used twice in this file"));
            Some(finding.help(format!("give each {kind} an id of its own")))
        }
        Some(other) if replaces => {
            *other = placed;
            None
        }
        Some(_) => {
            let finding =
                error("duplicate-id", format!("a {kind} `{id}` is already there, from an extended file"));
            Some(finding.help("say `replace = true` to put this one in its place, or choose another id"))
        }
        None if replaces => {
            let message =
                format!("`{id}` replaces nothing: no extended constitution has a {kind} of this id");
            let known = list.iter().map(|known| known.value.id());
            let finding = error(T::UNKNOWN, message).did_you_mean(
                &Slip::text(&id, span.clone()),
                nearest(&id, known),
                "remove `replace`, or correct the id",
            );
            list.push(placed);
            Some(finding)
        }
        None => {
            list.push(placed);
            None
        }
    }
}

fn trimmed(text: &str) -> String {
    text.trim().to_owned()
}

/// What an entry means, as far as it could be read.
fn style_of(entry: &StyleEntry) -> Style {
    Style {
        id: trimmed(&entry.id),
        policy: entry.policy.unwrap_or(Policy::Refuse),
        hazards: entry.hazards.clone(),
        text: trimmed(&entry.text),
        must: entry.must.clone(),
        essential: entry.essential.clone().unwrap_or_else(|| entry.must.iter().take(1).cloned().collect()),
        must_not: entry.must_not.clone(),
        max_words: entry.max_words,
    }
}

fn proposition_of(entry: &PropositionEntry) -> Proposition {
    Proposition {
        id: trimmed(&entry.id),
        question: trimmed(&entry.question),
        breaks: entry.breaks,
        excludes: entry.excludes.clone(),
        rule: entry.rule.as_ref().and_then(rule_of),
    }
}

fn rule_of(entry: &RuleEntry) -> Option<Rule> {
    match (entry.gate, &entry.pattern) {
        (Some(RuleGate::Refusal), _) => Some(Rule::Refusal(entry.is.clone())),
        (None, Some(pattern)) => Some(Rule::Pattern(pattern.clone())),
        (None, None) => None,
    }
}

fn resource_of(entry: &ResourceEntry) -> Resource {
    let never = Day { year: 0, month: 1, day: 1 };
    Resource {
        locale: trimmed(&entry.locale),
        hazards: entry.hazards.clone(),
        text: trimmed(&entry.text),
        checked: entry.checked.map_or(never, |day| day.0),
    }
}
