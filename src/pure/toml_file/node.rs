//! Where everything stands in a TOML file: the tree of its keys and values with their byte ranges.

use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// The place of one entry of the file. Lists have the same length and order as in the value that was read.
#[derive(Debug, Clone)]
pub struct Node {
    key: Option<Range<usize>>,
    value: Range<usize>,
    children: Children,
    wrong: bool,
}

#[derive(Debug, Clone)]
enum Children {
    None,
    Table(Vec<(String, Node)>),
    List(Vec<Node>),
}

/// One step on the way from the top of the file to an entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Key(String),
    Nth(usize),
}

impl Node {
    /// Where the value stands.
    pub fn span(&self) -> Range<usize> {
        self.value.clone()
    }

    /// Where the key stands, or the value if it has none.
    pub fn key_span(&self) -> Range<usize> {
        self.key.clone().unwrap_or_else(|| self.span())
    }

    /// Whether the file has this key here, rightly or wrongly written.
    pub fn has(&self, key: &str) -> bool {
        self.child(key).is_some()
    }

    /// Whether it was taken out while reading because it is wrong; that is reported already.
    pub fn is_wrong(&self) -> bool {
        self.wrong
    }

    /// The entry of this key; this node itself where there is none, as the nearest place to point at.
    pub fn key(&self, key: &str) -> &Self {
        self.child(key).unwrap_or(self)
    }

    /// The list's element of this number, from 0; this node itself where there is none.
    pub fn nth(&self, n: usize) -> &Self {
        match &self.children {
            Children::List(items) => items.get(n).unwrap_or(self),
            Children::None | Children::Table(_) => self,
        }
    }

    /// Whether this key holds a table, or a list of tables.
    pub fn has_table(&self, key: &str) -> bool {
        let is_table = |node: &Self| matches!(node.children, Children::Table(_));
        self.child(key).is_some_and(|node| match &node.children {
            Children::None => false,
            Children::Table(_) => true,
            Children::List(items) => items.first().is_some_and(is_table),
        })
    }

    /// The keys of this table.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        match &self.children {
            Children::Table(entries) => entries.as_slice(),
            Children::None | Children::List(_) => &[],
        }
        .iter()
        .map(|(key, _)| key.as_str())
    }

    fn child(&self, key: &str) -> Option<&Self> {
        match &self.children {
            Children::Table(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, node)| node),
            Children::None | Children::List(_) => None,
        }
    }

    pub(super) fn of_table(table: &DeTable<'_>, span: Range<usize>) -> Self {
        let entries = table.iter().map(|(key, value)| {
            let mut node = Self::of_value(value.get_ref(), value.span());
            node.key = Some(key.span());
            (key.get_ref().clone().into_owned(), node)
        });
        Self { key: None, value: span, children: Children::Table(entries.collect()), wrong: false }
    }

    pub(super) fn of_value(value: &DeValue<'_>, span: Range<usize>) -> Self {
        let children = match value {
            DeValue::Table(table) => return Self::of_table(table, span),
            DeValue::Array(items) => {
                Children::List(items.iter().map(|item| Self::of_value(item.get_ref(), item.span())).collect())
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => Children::None,
        };
        Self { key: None, value: span, children, wrong: false }
    }

    /// The way to the entry whose key or value stands exactly there. The innermost one is meant: a dotted key gives
    /// its tables the same span.
    pub(super) fn find(&self, span: &Range<usize>) -> Option<Vec<Step>> {
        let prefixed = |step: Step, mut rest: Vec<Step>| {
            rest.insert(0, step);
            rest
        };
        let hit = |node: &Self| node.key.as_ref() == Some(span) || node.value == *span;
        match &self.children {
            Children::None => None,
            Children::Table(entries) => {
                entries.iter().filter(|(_, node)| !node.wrong).find_map(|(key, node)| {
                    let step = Step::Key(key.clone());
                    match node.find(span) {
                        Some(rest) => Some(prefixed(step, rest)),
                        None => hit(node).then(|| vec![step]),
                    }
                })
            }
            Children::List(items) => items.iter().enumerate().find_map(|(n, node)| match node.find(span) {
                Some(rest) => Some(prefixed(Step::Nth(n), rest)),
                None => hit(node).then(|| vec![Step::Nth(n)]),
            }),
        }
    }

    pub(super) fn at(&self, way: &[Step]) -> &Self {
        way.iter().fold(self, |node, step| match step {
            Step::Key(key) => node.key(key),
            Step::Nth(n) => node.nth(*n),
        })
    }

    /// Knows the entry by the key that is meant as well, so that this is not called missing.
    pub(super) fn expect(&mut self, way: &[Step], meant: &str) {
        match (way, &mut self.children) {
            ([Step::Key(slip)], Children::Table(entries)) => {
                let node = entries.iter().find(|(key, _)| key == slip).map(|(_, node)| node.clone());
                entries.extend(node.map(|node| (meant.to_owned(), node)));
            }
            ([Step::Key(step), rest @ ..], Children::Table(entries)) => {
                if let Some((_, node)) = entries.iter_mut().find(|(key, _)| key == step) {
                    node.expect(rest, meant);
                }
            }
            ([Step::Nth(n), rest @ ..], Children::List(items)) => {
                if let Some(node) = items.get_mut(*n) {
                    node.expect(rest, meant);
                }
            }
            (_, Children::None | Children::Table(_) | Children::List(_)) => {}
        }
    }

    /// Takes an entry out: a key stays known as wrong, so that it is not called missing; a list gets shorter.
    pub(super) fn remove(&mut self, way: &[Step]) {
        match (way, &mut self.children) {
            ([Step::Key(key), rest @ ..], Children::Table(entries)) => {
                let Some((_, node)) = entries.iter_mut().find(|(k, _)| k == key) else { return };
                if rest.is_empty() { node.wrong = true } else { node.remove(rest) }
            }
            ([Step::Nth(n)], Children::List(items)) if *n < items.len() => {
                items.remove(*n);
            }
            ([Step::Nth(n), rest @ ..], Children::List(items)) => {
                if let Some(node) = items.get_mut(*n) {
                    node.remove(rest);
                }
            }
            (_, Children::None | Children::Table(_) | Children::List(_)) => {}
        }
    }
}
