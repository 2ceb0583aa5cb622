//! Checks what a constitution says about styles: the values of one file, then what the files say together.

use super::file::{PropositionEntry, ResourceEntry, RuleEntry, StyleEntry};
use super::language;
use super::read_styles::{Placed, PlacedStyles};
use super::style::{Style, Styles};
use super::validate::Check;
use crate::pure::diagnostic::{Diagnostic, Slip, nearest};
use crate::pure::request_class::RequestClass;
use crate::pure::taxonomy::Taxonomy;
use crate::pure::toml_file::Node;
use std::collections::BTreeSet;

impl Check<'_> {
    pub(super) fn style(&mut self, entry: &StyleEntry, node: &Node) {
        self.id(&entry.id, node);
        self.required("text", &entry.text, node);
        self.present("policy", node);
        if entry.must.is_empty() && !node.key("must").is_wrong() {
            let message =
                "the style has no `must`: nothing would tell an answer that keeps it from one that does not";
            self.error("missing-key", node, message);
        }
        self.hazards(&entry.hazards, node.key("hazards"));
        if entry.max_words == Some(0) {
            self.error("bad-value", node.key("max_words"), "`max_words` must be 1 or more");
        }
        for (n, id) in entry.essential.iter().flatten().enumerate() {
            if !entry.must.contains(id) {
                let at = node.key("essential").nth(n);
                self.error("bad-value", at, format!("`{id}` is essential, but `must` does not name it"));
            }
        }
        for (n, id) in entry.must_not.iter().enumerate() {
            if entry.must.contains(id) {
                let at = node.key("must_not").nth(n);
                self.error("bad-value", at, format!("`{id}` stands under `must` and under `must_not`"));
            }
        }
    }

    pub(super) fn proposition(&mut self, entry: &PropositionEntry, node: &Node) {
        self.id(&entry.id, node);
        self.required("question", &entry.question, node);
        if let Some(rule) = &entry.rule {
            self.rule(rule, node.key("rule"));
        }
    }

    fn rule(&mut self, rule: &RuleEntry, node: &Node) {
        match (rule.gate, &rule.pattern) {
            (Some(_), Some(_)) => {
                self.error("bad-value", node, "a rule has a `gate` or a `pattern`, not both");
            }
            (None, None) => {
                self.error("missing-key", node, "a rule needs a `gate` with `is`, or a `pattern`");
            }
            (Some(_), None) if rule.is.is_empty() => {
                let message = "a rule with a `gate` needs `is`: the classes that make the proposition true";
                self.error("missing-key", node, message);
            }
            (Some(_), None) => {}
            (None, Some(pattern)) => {
                if let Err(error) = regex::Regex::new(pattern) {
                    let why = error.to_string();
                    let why =
                        why.lines().last().unwrap_or("").trim().trim_start_matches("error: ").to_owned();
                    let message = format!("`pattern` is no regular expression: {why}");
                    self.error("bad-value", node.key("pattern"), message);
                }
            }
        }
    }

    pub(super) fn resource(&mut self, entry: &ResourceEntry, node: &Node) {
        self.required("text", &entry.text, node);
        self.present("locale", node);
        self.present("checked", node);
        self.hazards(&entry.hazards, node.key("hazards"));
        if !entry.locale.is_empty() && language::parts(&entry.locale).is_none() {
            let message = format!("`{}` is not the tag of a place", entry.locale);
            self.error("bad-language", node.key("locale"), message);
        }
    }
}

/// Checks what all files say together: every proposition that is named is there, and no two styles fit a request equally
/// well.
pub(super) fn check<'f>(
    placed: &PlacedStyles,
    file_name: &impl Fn(usize) -> &'f str,
    findings: &mut Vec<Diagnostic>,
) {
    let known: BTreeSet<&str> = placed.propositions.iter().map(|one| one.value.id.as_str()).collect();
    let mut look_up = |file: usize, ids: &[String], node: &Node| {
        for (n, id) in ids.iter().enumerate().filter(|(_, id)| !known.contains(id.as_str())) {
            let at = node.nth(n).span();
            let message = format!("there is no proposition `{id}`");
            let finding = Diagnostic::error("unknown-proposition", file_name(file), at.clone(), message);
            let near = nearest(id, known.iter().copied());
            let otherwise = "add a `[[proposition]]` of this id with a `question`, or extend `styles`";
            findings.push(finding.did_you_mean(&Slip::text(id, at), near, otherwise));
        }
    };
    for Placed { value, file, node } in &placed.styles {
        look_up(*file, &value.must, node.key("must"));
        look_up(*file, &value.must_not, node.key("must_not"));
    }
    for Placed { value, file, node } in &placed.propositions {
        look_up(*file, &value.excludes, node.key("excludes"));
    }
    ties(placed, file_name, findings);
}

/// Names each pair of styles that fit some request equally well, once, at the later one.
fn ties<'f>(placed: &PlacedStyles, file_name: &impl Fn(usize) -> &'f str, findings: &mut Vec<Diagnostic>) {
    let taxonomy = Taxonomy::built_in();
    let styles: Styles = placed.values();
    let mut told: BTreeSet<(&str, &str)> = BTreeSet::new();
    let labels =
        std::iter::once(None).chain(taxonomy.hazards().iter().map(|hazard| Some(hazard.id.as_str())));
    for (label, class) in labels.flat_map(|label| RequestClass::ALL.iter().map(move |class| (label, *class)))
    {
        let equals: Vec<&Style> = styles.candidates(class, label, taxonomy);
        let [.., first, second] = equals.as_slice() else { continue };
        let at = |style: &Style| placed.styles.iter().find(|placed| placed.value.id == style.id);
        let (Some(one), Some(other)) = (at(first), at(second)) else { continue };
        if !told.insert((&one.value.id, &other.value.id)) {
            continue;
        }
        let about = label.map_or_else(|| "without a hazard".to_owned(), |label| format!("about `{label}`"));
        let message = format!(
            "`{}` and `{}` are equally specific for a {} request {about}",
            one.value.id,
            other.value.id,
            class.as_str()
        );
        let finding =
            Diagnostic::error("ambiguous-style", file_name(other.file), other.node.key("id").span(), message);
        findings.push(finding.help("give one of them `hazards` that the other does not have, or drop one"));
    }
}
