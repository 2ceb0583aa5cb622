//! What changed between two constitutions, principle by principle.
//!
//! Principles are matched by id; one that was taken out and one that came in with nearly the same text are one that was
//! renamed. Styles follow after the principles. Pure: how a difference is shown is the caller's.

pub use super::change::{Change, Field};
use super::diff_styles;
use super::{Constitution, Principle};

/// A rename is believed when the texts share this much, by normalised edit distance.
const SAME_TEXT: f64 = 0.8;

/// What changed, in the order of the new constitution, what is gone last.
///
/// ```
/// use amend::pure::constitution::diff::{Change, diff};
/// use amend::pure::constitution::read_built_in;
///
/// let old = read_built_in("minimal").expect("it is built in");
/// let mut new = old.clone();
/// let removed = new.principles.remove(0);
/// assert!(matches!(&diff(&old, &new)[..], [Change::Removed { id, .. }] if *id == removed.id));
/// ```
pub fn diff(old: &Constitution, new: &Constitution) -> Vec<Change> {
    let find = |set: &[Principle], id: &str| set.iter().any(|p| p.id == id);
    let mut gone = old.principles.iter().filter(|p| !find(&new.principles, &p.id)).collect::<Vec<_>>();
    let mut changes = Vec::new();
    for principle in &new.principles {
        if let Some(before) = old.principles.iter().find(|p| p.id == principle.id) {
            let fields = fields(before, principle);
            if !fields.is_empty() {
                changes.push(Change::Edited { id: principle.id.clone(), fields });
            }
        } else if let Some(index) = gone.iter().position(|before| same_text(before, principle)) {
            let before = gone.remove(index);
            let fields = fields(before, principle);
            changes.push(Change::Renamed { from: before.id.clone(), to: principle.id.clone(), fields });
        } else {
            changes.push(Change::Added { id: principle.id.clone(), text: principle.text.clone() });
        }
    }
    changes.extend(gone.iter().map(|p| Change::Removed { id: p.id.clone(), text: p.text.clone() }));
    changes.extend(diff_styles::changes(&old.styles, &new.styles));
    changes
}

fn same_text(a: &Principle, b: &Principle) -> bool {
    strsim::normalized_damerau_levenshtein(&a.text, &b.text) >= SAME_TEXT
}

fn fields(old: &Principle, new: &Principle) -> Vec<Field> {
    let list = |items: &[String]| items.join("\n");
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let examples = |p: &Principle| {
        p.examples
            .iter()
            .map(|e| format!("{}\n{}\n{}", e.prompt, e.response, e.critique))
            .collect::<Vec<_>>()
            .join("\n\n")
    };
    let tests = |p: &Principle| {
        p.tests.iter().map(|t| format!("{}\n{}", t.prompt, t.response)).collect::<Vec<_>>().join("\n\n")
    };
    let rules = |p: &Principle| {
        let shown = p.rules.iter().map(|rule| {
            let named: Vec<&str> = rule.words.iter().chain(&rule.pattern).map(String::as_str).collect();
            format!("{} in {}", named.join(", "), rule.place.as_str())
        });
        shown.collect::<Vec<_>>().join("\n")
    };
    let row = |name, old: String, new: String, asks| Field { name, old, new, asks };
    [
        row("text", old.text.clone(), new.text.clone(), true),
        row("critique", optional(&old.critique), optional(&new.critique), true),
        row("revision", optional(&old.revision), optional(&new.revision), true),
        row("compare", optional(&old.compare), optional(&new.compare), true),
        row("priority", old.priority.to_string(), new.priority.to_string(), true),
        row("hard", old.hard.to_string(), new.hard.to_string(), true),
        row("weight", old.weight.to_string(), new.weight.to_string(), true),
        row("hazards", list(&old.hazards), list(&new.hazards), false),
        row("when.languages", list(&old.when.languages), list(&new.when.languages), true),
        row("when.hazards", list(&old.when.hazards), list(&new.when.hazards), true),
        row("exceptions", list(&old.exceptions), list(&new.exceptions), true),
        row("example", examples(old), examples(new), true),
        row("test", tests(old), tests(new), false),
        row("rule", rules(old), rules(new), false),
    ]
    .into_iter()
    .filter(|field| field.old != field.new)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::constitution::When;

    fn principle(id: &str, text: &str) -> Principle {
        Principle {
            id: id.into(),
            text: text.into(),
            critique: None,
            revision: None,
            compare: None,
            priority: 0,
            hard: false,
            weight: 1.0,
            hazards: Vec::new(),
            when: When::default(),
            exceptions: Vec::new(),
            examples: Vec::new(),
            tests: Vec::new(),
            rules: Vec::new(),
            allow: Vec::new(),
        }
    }

    fn constitution(principles: &[Principle]) -> Constitution {
        Constitution {
            id: "c".into(),
            version: "1".into(),
            title: String::new(),
            description: String::new(),
            system: None,
            principles: principles.to_vec(),
            styles: crate::pure::constitution::Styles::default(),
        }
    }

    #[test]
    fn every_kind_of_change_is_named() {
        let old = constitution(&[
            principle("kind", "The response is kind to the person."),
            principle("honest", "The response says only what is true."),
            principle("short", "The response is as short as it can be."),
            principle("old-name", "The response protects private data of people."),
        ]);
        let mut honest = principle("honest", "The response says only what is true.");
        honest.priority = 10;
        honest.exceptions.push("Fiction.".into());
        let new = constitution(&[
            honest,
            principle("kind", "The response is kind to the person."),
            principle("new-name", "The response protects the private data of people."),
            principle("clear", "Instructions are numbered."),
        ]);
        let changes = diff(&old, &new);
        let told = changes.iter().map(|c| (c.id().to_owned(), std::mem::discriminant(c))).collect::<Vec<_>>();
        assert_eq!(told.len(), 4, "{changes:#?}");
        assert!(matches!(&changes[0], Change::Edited { id, fields }
            if id == "honest" && fields.iter().map(|f| f.name).eq(["priority", "exceptions"])));
        assert!(matches!(&changes[1], Change::Renamed { from, to, fields }
            if from == "old-name" && to == "new-name" && fields.iter().map(|f| f.name).eq(["text"])));
        assert!(matches!(&changes[2], Change::Added { id, .. } if id == "clear"));
        assert!(matches!(&changes[3], Change::Removed { id, .. } if id == "short"));
        assert_eq!(diff(&old, &old), []);
    }
}
