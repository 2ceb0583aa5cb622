//! A [`Constitution`] as a file again: what a run directory keeps, with everything it extended folded in. Pure.

use super::style::{Breaks, Proposition, Resource, Rule, Style, Styles};
use super::{Constitution, Example, Principle, PrincipleRule, TestCase, When};
use crate::pure::transcript::Verdict;
use toml::{Table, Value};

/// The constitution in the file format; reading it gives an equal constitution.
pub fn write(constitution: &Constitution) -> Result<String, toml::ser::Error> {
    let mut head = Table::new();
    put(&mut head, "id", &constitution.id);
    put(&mut head, "version", &constitution.version);
    put(&mut head, "title", &constitution.title);
    put(&mut head, "description", &constitution.description);
    put(&mut head, "system", constitution.system.as_deref().unwrap_or(""));
    let mut file = Table::new();
    file.insert("constitution".into(), Value::Table(head));
    let principles = constitution.principles.iter().map(|p| Value::Table(principle(p))).collect();
    file.insert("principle".into(), Value::Array(principles));
    let Styles { styles, propositions, resources } = &constitution.styles;
    let mut tables = |name: &str, tables: Vec<Table>| {
        if !tables.is_empty() {
            file.insert(name.into(), Value::Array(tables.into_iter().map(Value::Table).collect()));
        }
    };
    tables("style", styles.iter().map(style).collect());
    tables("proposition", propositions.iter().map(proposition).collect());
    tables("resource", resources.iter().map(resource).collect());
    toml::to_string_pretty(&file)
}

/// Absent and empty mean the same in the file, so what is empty is left out.
fn put(table: &mut Table, key: &str, text: &str) {
    if !text.is_empty() {
        table.insert(key.into(), Value::String(text.into()));
    }
}

fn put_list(table: &mut Table, key: &str, items: &[String]) {
    if !items.is_empty() {
        table.insert(key.into(), Value::Array(items.iter().cloned().map(Value::String).collect()));
    }
}

fn principle(principle: &Principle) -> Table {
    let Principle {
        id,
        text,
        critique,
        revision,
        compare,
        priority,
        hard,
        weight,
        hazards,
        when: When { languages, hazards: when_hazards },
        exceptions,
        examples,
        tests,
        rules,
        allow,
    } = principle;
    let mut table = Table::new();
    put(&mut table, "id", id);
    put(&mut table, "text", text);
    put(&mut table, "critique", critique.as_deref().unwrap_or(""));
    put(&mut table, "revision", revision.as_deref().unwrap_or(""));
    put(&mut table, "compare", compare.as_deref().unwrap_or(""));
    if *priority != 0 {
        table.insert("priority".into(), Value::Integer((*priority).into()));
    }
    if *hard {
        table.insert("hard".into(), Value::Boolean(true));
    }
    table.insert("weight".into(), Value::Float(*weight));
    put_list(&mut table, "hazards", hazards);
    put_list(&mut table, "exceptions", exceptions);
    put_list(&mut table, "allow", allow);
    let mut when = Table::new();
    put_list(&mut when, "languages", languages);
    put_list(&mut when, "hazards", when_hazards);
    if !when.is_empty() {
        table.insert("when".into(), Value::Table(when));
    }
    let list = |tables: Vec<Table>| Value::Array(tables.into_iter().map(Value::Table).collect());
    if !examples.is_empty() {
        table.insert("example".into(), list(examples.iter().map(example).collect()));
    }
    if !tests.is_empty() {
        table.insert("test".into(), list(tests.iter().map(test).collect()));
    }
    if !rules.is_empty() {
        table.insert("rule".into(), list(rules.iter().map(rule).collect()));
    }
    table
}

fn rule(rule: &PrincipleRule) -> Table {
    let PrincipleRule { words, pattern, place } = rule;
    let mut table = Table::new();
    put_list(&mut table, "words", words);
    put(&mut table, "pattern", pattern.as_deref().unwrap_or(""));
    put(&mut table, "in", place.as_str());
    table
}

fn style(style: &Style) -> Table {
    let Style { id, policy, hazards, text, must, essential, must_not, max_words } = style;
    let mut table = Table::new();
    put(&mut table, "id", id);
    put(&mut table, "policy", policy.as_str());
    put_list(&mut table, "hazards", hazards);
    put(&mut table, "text", text);
    put_list(&mut table, "must", must);
    // Absent means the first of `must`, so an empty list is written.
    table.insert("essential".into(), essential.clone().into());
    put_list(&mut table, "must_not", must_not);
    if let Some(most) = max_words {
        table.insert("max_words".into(), Value::Integer((*most).into()));
    }
    table
}

fn proposition(proposition: &Proposition) -> Table {
    let Proposition { id, question, breaks, excludes, rule } = proposition;
    let mut table = Table::new();
    put(&mut table, "id", id);
    put(&mut table, "question", question);
    if *breaks == Breaks::Disallowed {
        put(&mut table, "breaks", "disallowed");
    }
    put_list(&mut table, "excludes", excludes);
    let mut decides = Table::new();
    match rule {
        None => return table,
        Some(Rule::Pattern(pattern)) => put(&mut decides, "pattern", pattern),
        Some(Rule::Refusal(classes)) => {
            let classes: Vec<&str> = classes.iter().map(|class| (*class).into()).collect();
            put(&mut decides, "gate", "refusal");
            decides.insert("is".into(), classes.into());
        }
    }
    table.insert("rule".into(), Value::Table(decides));
    table
}

fn resource(resource: &Resource) -> Table {
    let Resource { locale, hazards, text, checked } = resource;
    let mut table = Table::new();
    put(&mut table, "locale", locale);
    put_list(&mut table, "hazards", hazards);
    put(&mut table, "text", text);
    if let Ok(day) = checked.to_string().parse() {
        table.insert("checked".into(), Value::Datetime(day));
    }
    table
}

fn example(example: &Example) -> Table {
    let Example { prompt, response, critique, verdict, revision } = example;
    let mut table = Table::new();
    put(&mut table, "prompt", prompt);
    put(&mut table, "response", response);
    put(&mut table, "critique", critique);
    put(&mut table, "verdict", Verdict::as_str(*verdict));
    put(&mut table, "revision", revision.as_deref().unwrap_or(""));
    table
}

fn test(test: &TestCase) -> Table {
    let TestCase { prompt, response, expect } = test;
    let mut table = Table::new();
    put(&mut table, "prompt", prompt);
    put(&mut table, "response", response);
    put(&mut table, "expect", expect.as_str());
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::constitution::{built_in, built_in_names, read};
    use crate::pure::diagnostic::SourceFile;

    #[test]
    fn every_shipped_constitution_survives_being_written_and_read() {
        for name in built_in_names() {
            let mut load = |path: &str| built_in(path).ok_or_else(|| "absent".to_owned());
            let (before, _) = read(&built_in(name).unwrap(), &mut load).unwrap();
            let file = SourceFile::new("frozen.toml", write(&before).unwrap());
            let (after, _) = read(&file, &mut load).unwrap();
            assert_eq!(before, after, "{name}");
            assert_eq!(before.sha256(), after.sha256());
        }
    }
}
