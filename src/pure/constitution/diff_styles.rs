//! What changed in the styles, propositions and resources of two constitutions. Their names say what they are:
//! `style.decline`, `proposition.preachy`, `resource.de-AT`.

use super::change::{Change, Field};
use super::style::{Breaks, Proposition, Resource, Rule, Style, Styles};

/// One of them as a list of fields.
struct Entry {
    id: String,
    text: String,
    fields: Vec<(&'static str, String, bool)>,
}

/// What changed, in the order of the new ones, what is gone last.
pub(super) fn changes(old: &Styles, new: &Styles) -> Vec<Change> {
    let (old, new) = (entries(old), entries(new));
    let find = |set: &[Entry], id: &str| set.iter().position(|entry| entry.id == id);
    let mut changes: Vec<Change> = Vec::new();
    for entry in &new {
        match find(&old, &entry.id).and_then(|at| old.get(at)) {
            None => changes.push(Change::Added { id: entry.id.clone(), text: entry.text.clone() }),
            Some(before) => {
                let fields: Vec<Field> = before
                    .fields
                    .iter()
                    .zip(&entry.fields)
                    .filter(|(before, now)| before.1 != now.1)
                    .map(|((name, old, asks), (_, new, _))| Field {
                        name,
                        old: old.clone(),
                        new: new.clone(),
                        asks: *asks,
                    })
                    .collect();
                if !fields.is_empty() {
                    changes.push(Change::Edited { id: entry.id.clone(), fields });
                }
            }
        }
    }
    let gone = old.into_iter().filter(|entry| find(&new, &entry.id).is_none());
    changes.extend(gone.map(|entry| Change::Removed { id: entry.id, text: entry.text }));
    changes
}

fn entries(styles: &Styles) -> Vec<Entry> {
    let Styles { styles, propositions, resources } = styles;
    let styles = styles.iter().map(of_style);
    let propositions = propositions.iter().map(of_proposition);
    styles.chain(propositions).chain(resources.iter().map(of_resource)).collect()
}

fn list(items: &[String]) -> String {
    items.join("\n")
}

fn of_style(style: &Style) -> Entry {
    let Style { id, policy, hazards, text, must, essential, must_not, max_words } = style;
    Entry {
        id: format!("style.{id}"),
        text: text.clone(),
        fields: vec![
            ("policy", policy.as_str().to_owned(), true),
            ("hazards", list(hazards), true),
            ("text", text.clone(), true),
            ("must", list(must), true),
            ("essential", list(essential), false),
            ("must_not", list(must_not), true),
            ("max_words", max_words.map_or_else(String::new, |most| most.to_string()), true),
        ],
    }
}

fn of_proposition(proposition: &Proposition) -> Entry {
    let Proposition { id, question, breaks, excludes, rule } = proposition;
    let breaks = match breaks {
        Breaks::Disallowed => "disallowed",
        Breaks::Unacceptable => "unacceptable",
    };
    let rule = match rule {
        None => String::new(),
        Some(Rule::Pattern(pattern)) => pattern.clone(),
        Some(Rule::Refusal(classes)) => {
            classes.iter().map(|class| <&str>::from(*class)).collect::<Vec<_>>().join(", ")
        }
    };
    Entry {
        id: format!("proposition.{id}"),
        text: question.clone(),
        fields: vec![
            ("question", question.clone(), true),
            ("breaks", breaks.to_owned(), false),
            ("excludes", list(excludes), false),
            ("rule", rule, false),
        ],
    }
}

fn of_resource(resource: &Resource) -> Entry {
    let Resource { locale, hazards, text, checked } = resource;
    Entry {
        id: format!("resource.{locale} {text}"),
        text: text.clone(),
        fields: vec![("hazards", list(hazards), true), ("checked", checked.to_string(), false)],
    }
}
