//! What a template may name, checked when it is loaded.
//!
//! Handlebars' strict mode finds a misspelt variable only when it is printed, and only when that line is rendered; in
//! `#if`, `#unless` and `#each` it reads as false. So every template is walked here against the shape of its data, and
//! a misspelt name is a finding with its place before any call is made. Partials, decorators and unusual helpers are
//! not offered: a template is text with holes, not a program.

use crate::pure::diagnostic::{Diagnostic, nearest};
use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};
use handlebars::{Path, TemplateError};
use std::collections::BTreeSet;
use std::ops::Range;

/// What a template's data looks like.
#[derive(Debug)]
pub(super) enum Shape {
    /// A string.
    Text,
    /// True or false.
    Flag,
    /// A list of one shape.
    List(&'static Shape),
    /// Named fields.
    Record(&'static [(&'static str, Shape)]),
}

const BLOCKS: [&str; 3] = ["if", "unless", "each"];
const CONDITIONS: [&str; 5] = ["eq", "ne", "and", "or", "not"];
const LOCALS: [&str; 3] = ["first", "last", "index"];

/// Checks a template's text against the shape of its data, and that it names each of `needed`.
pub(super) fn check(file: &str, source: &str, data: &'static Shape, needed: &[&str]) -> Vec<Diagnostic> {
    let template = match Template::compile(source) {
        Ok(template) => template,
        Err(error) => return vec![unparsable(file, source, &error)],
    };
    let mut walk = Walk {
        file,
        source,
        scopes: vec![Scope { path: String::new(), shape: data }],
        used: BTreeSet::new(),
        found: Vec::new(),
    };
    walk.template(&template, 0);
    for name in needed {
        if !walk.used.contains(*name) {
            let message = format!("the template never names `{name}`, so the model would not see it");
            walk.found.push(
                Diagnostic::error("template-missing-variable", file, None, message).help(format!(
                    "write `{{{{{name}}}}}` where it belongs (in an `#each`, by its last part)."
                )),
            );
        }
    }
    walk.found
}

fn unparsable(file: &str, source: &str, error: &TemplateError) -> Diagnostic {
    let span = error.pos().map(|(line, column)| {
        let start = offset(source, line, column);
        start..source.len().min(start + 2)
    });
    // The library's message ends with a drawing of the place, which the finding shows in its own way.
    let reason = error.reason().to_string();
    let reason = reason
        .lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())
        .unwrap_or_default()
        .trim_start_matches("= ")
        .to_owned();
    Diagnostic::error("template-syntax", file, span, format!("this is not a Handlebars template: {reason}"))
}

/// Byte offset of a line and column, both counted from 1.
fn offset(source: &str, line: usize, column: usize) -> usize {
    let before: usize = source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = source.get(before..).unwrap_or_default();
    before + rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
}

struct Scope {
    /// Where it stands in the data: `examples` inside `{{#each examples}}`.
    path: String,
    shape: &'static Shape,
}

struct Walk<'a> {
    file: &'a str,
    source: &'a str,
    scopes: Vec<Scope>,
    used: BTreeSet<String>,
    found: Vec<Diagnostic>,
}

impl Walk<'_> {
    fn template(&mut self, template: &Template, outer: usize) {
        for (index, element) in template.elements.iter().enumerate() {
            let at = template.mapping.get(index).map_or(outer, |place| offset(self.source, place.0, place.1));
            self.element(element, at);
        }
    }

    fn element(&mut self, element: &TemplateElement, at: usize) {
        match element {
            TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
            TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
                self.print(helper, at);
            }
            TemplateElement::HelperBlock(helper) => self.block(helper, at),
            // Partials and decorators; and whatever a later Handlebars may add.
            _ => {
                let span = at..self.source.len().min(at + 3);
                let message = "partials and decorators are not offered";
                self.found.push(
                    Diagnostic::error("template-not-offered", self.file, span, message)
                        .help("write the text where it is needed."),
                );
            }
        }
    }

    fn print(&mut self, helper: &HelperTemplate, at: usize) {
        if !helper.params.is_empty() || !helper.hash.is_empty() {
            return self.unknown_helper(&name_of(&helper.name), at);
        }
        if let Some((path, shape)) = self.variable(&helper.name, at) {
            match shape {
                Shape::Text => {}
                Shape::Flag => self.misuse(&path, "is true or false; use it in `#if`", at),
                Shape::List(_) => self.misuse(&path, "is a list; use `#each`", at),
                Shape::Record(_) => self.misuse(&path, "is a group; name one of its fields", at),
            }
        }
    }

    fn block(&mut self, helper: &HelperTemplate, at: usize) {
        let name = name_of(&helper.name);
        if !BLOCKS.contains(&name.as_str()) {
            self.unknown_helper(&name, at);
        } else if helper.block_param.is_some() {
            self.misuse(&name, "takes no `as |name|` here; use `this`", at);
        } else if let Some(subject) = helper.params.first() {
            self.branches(helper, &name, subject, at);
        } else {
            self.misuse(&name, "needs a variable", at);
        }
    }

    fn branches(&mut self, helper: &HelperTemplate, name: &str, subject: &Parameter, at: usize) {
        let subject = self.parameter(subject, at);
        let mut entered = false;
        if name == "each" {
            match subject {
                Some((path, Shape::List(item))) => {
                    self.scopes.push(Scope { path, shape: item });
                    entered = true;
                }
                Some((path, Shape::Text | Shape::Flag | Shape::Record(_))) => {
                    self.misuse(&path, "is not a list", at);
                    return;
                }
                // Already reported; what stands inside cannot be judged.
                None => return,
            }
        }
        if let Some(template) = &helper.template {
            self.template(template, at);
        }
        if entered {
            self.scopes.pop();
        }
        if let Some(template) = &helper.inverse {
            self.template(template, at);
        }
    }

    fn parameter(&mut self, parameter: &Parameter, at: usize) -> Option<(String, &'static Shape)> {
        match parameter {
            Parameter::Name(_) | Parameter::Path(_) => self.variable(parameter, at),
            Parameter::Subexpression(sub) => {
                if let TemplateElement::Expression(helper) = sub.as_element() {
                    let name = name_of(&helper.name);
                    if !CONDITIONS.contains(&name.as_str()) {
                        self.unknown_helper(&name, at);
                    }
                    for inner in &helper.params {
                        self.parameter(inner, at);
                    }
                }
                Some((String::new(), &Shape::Flag))
            }
            // A literal.
            _ => Some((String::new(), &Shape::Flag)),
        }
    }

    /// Finds a variable; an unknown one is reported.
    fn variable(&mut self, parameter: &Parameter, at: usize) -> Option<(String, &'static Shape)> {
        let raw = name_of(parameter);
        if let Parameter::Path(Path::Local((up, name, _))) = parameter {
            if self.scopes.len() > up + 1 && LOCALS.contains(&name.as_str()) {
                return Some((raw, if name == "index" { &Shape::Text } else { &Shape::Flag }));
            }
            self.unknown(&raw, &["@first", "@last", "@index"].map(String::from), at);
            return None;
        }
        match self.resolve(&raw) {
            Ok((path, shape)) => {
                self.used.insert(path.clone());
                Some((path, shape))
            }
            Err(there_is) => {
                self.unknown(&raw, &there_is, at);
                None
            }
        }
    }

    /// A path from where the walk stands, as its path in the data and its shape; else the names that there are.
    fn resolve(&self, raw: &str) -> Result<(String, &'static Shape), Vec<String>> {
        let (mut level, mut rest) = (self.scopes.len() - 1, raw);
        if let Some(inner) = rest.strip_prefix("@root/").or_else(|| rest.strip_prefix("@root.")) {
            (level, rest) = (0, inner);
        }
        while let Some(outer) = rest.strip_prefix("../") {
            level = level
                .checked_sub(1)
                .ok_or_else(|| names(self.scopes.first().map_or(&Shape::Text, |s| s.shape)))?;
            rest = outer;
        }
        for here in ["this/", "this.", "./"] {
            rest = rest.strip_prefix(here).unwrap_or(rest);
        }
        let scope = self.scopes.get(level).ok_or_else(Vec::new)?;
        let (mut path, mut shape) = (scope.path.clone(), scope.shape);
        if rest != "this" && !rest.is_empty() {
            for part in rest.split(['.', '/']) {
                let Shape::Record(fields) = shape else { return Err(names(scope.shape)) };
                let Some((_, inner)) = fields.iter().find(|(name, _)| *name == part) else {
                    return Err(names(scope.shape));
                };
                path = if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") };
                shape = inner;
            }
        }
        Ok((path, shape))
    }

    fn unknown(&mut self, raw: &str, there_is: &[String], at: usize) {
        let span = self.span(raw, at);
        let mut found = Diagnostic::error(
            "template-unknown-variable",
            self.file,
            span.clone(),
            format!("unknown variable `{raw}`"),
        );
        if let Some(near) = nearest(raw, there_is.iter().map(String::as_str)) {
            found = found.help(format!("did you mean `{near}`?")).fix(span, near);
        }
        let names = there_is.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        self.found.push(found.help(format!("there are {names}.")));
    }

    fn unknown_helper(&mut self, name: &str, at: usize) {
        let span = self.span(name, at);
        let message = format!("unknown helper `{name}`");
        self.found.push(Diagnostic::error("template-not-offered", self.file, span, message).help(
            "there are `#if`, `#unless` and `#each`, and in their brackets `eq`, `ne`, `and`, `or`, `not`.",
        ));
    }

    fn misuse(&mut self, name: &str, how: &str, at: usize) {
        let span = self.span(name.rsplit('.').next().unwrap_or(name), at);
        self.found.push(Diagnostic::error("template-misuse", self.file, span, format!("`{name}` {how}")));
    }

    /// The place of a name at or after a byte offset.
    fn span(&self, name: &str, at: usize) -> Range<usize> {
        let start = self.source.get(at..).and_then(|rest| rest.find(name)).map_or(at, |ahead| at + ahead);
        start..(start + name.len()).min(self.source.len())
    }
}

/// The names that a template may use where the data has this shape.
fn names(shape: &'static Shape) -> Vec<String> {
    match shape {
        Shape::Text | Shape::Flag | Shape::List(_) => vec!["this".into()],
        Shape::Record(fields) => fields
            .iter()
            .flat_map(|(name, shape)| match shape {
                Shape::Text | Shape::Flag | Shape::List(_) => vec![(*name).to_owned()],
                Shape::Record(_) => names(shape).into_iter().map(|inner| format!("{name}.{inner}")).collect(),
            })
            .collect(),
    }
}

/// A helper's or variable's name as it is written.
fn name_of(parameter: &Parameter) -> String {
    match parameter {
        Parameter::Name(name) => name.clone(),
        Parameter::Path(Path::Relative((_, raw)) | Path::Local((_, _, raw))) => raw.clone(),
        _ => "(…)".into(),
    }
}
