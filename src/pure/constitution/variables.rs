//! `{{name}}` in the texts of a constitution, and what stands for it: `[constitution.variables]`.
//!
//! A file that extends another sets the variables of that one as well, so one library of principles serves many products.
//! Where no file sets any, braces are only braces.

use super::principle::{Example, Principle, TestCase};
use std::collections::BTreeMap;

/// What stands for each name.
pub(super) type Variables = BTreeMap<String, String>;

/// The text with every variable filled in; names that have no value go into `unknown` and stay as they are.
pub(super) fn fill(text: &str, variables: &Variables, unknown: &mut Vec<String>) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let named = after.split_once("}}").filter(|(name, _)| is_name(name.trim()));
        let Some((name, following)) = named else {
            out.push_str("{{");
            rest = after;
            continue;
        };
        if let Some(value) = variables.get(name.trim()) {
            out.push_str(value);
        } else {
            unknown.push(name.trim().to_owned());
            out.extend(["{{", name, "}}"]);
        }
        rest = following;
    }
    out.push_str(rest);
    out
}

/// Whether a text can be the name of a variable: a letter, then letters, digits, underscores and hyphens.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// Every text of a principle, with the key that it stands under in the file.
pub(super) fn texts_of(principle: &mut Principle) -> Vec<(&'static str, &mut String)> {
    let Principle { text, critique, revision, compare, exceptions, examples, tests, .. } = principle;
    let mut found = vec![("text", text)];
    found.extend(critique.as_mut().map(|text| ("critique", text)));
    found.extend(revision.as_mut().map(|text| ("revision", text)));
    found.extend(compare.as_mut().map(|text| ("compare", text)));
    found.extend(exceptions.iter_mut().map(|text| ("exceptions", text)));
    for Example { prompt, response, critique, revision, .. } in examples {
        found.extend([prompt, response, critique].into_iter().chain(revision).map(|text| ("example", text)));
    }
    for TestCase { prompt, response, .. } in tests {
        found.extend([prompt, response].map(|text| ("test", text)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_and_other_braces_stay() {
        let variables = Variables::from([("product".to_owned(), "the lamp {{x}}".to_owned())]);
        let mut unknown = Vec::new();
        let mut check =
            |text: &str, expected: &str| assert_eq!(fill(text, &variables, &mut unknown), expected);
        check("It helps with {{product}}.", "It helps with the lamp {{x}}.");
        check("{{ product }}{{product}}", "the lamp {{x}}the lamp {{x}}");
        check("{{produkt}} and {{product", "{{produkt}} and {{product");
        check("{{#each a}} {{}} {{ a b }} }} {{", "{{#each a}} {{}} {{ a b }} }} {{");
        assert_eq!(unknown, ["produkt"]);
    }
}
