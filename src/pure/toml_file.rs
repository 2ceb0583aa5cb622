//! Reads a TOML file into a declarative struct and reports every problem of it at once.
//!
//! serde stops at the first error. Here each error is recorded, the entry that caused it is taken out of the parsed
//! table, and the struct is read again until it is clean: the struct (defaults for every field, unknown keys denied)
//! stays the only description of the file, and one mistake never hides another. What the values mean is checked by
//! the caller, with [`Node`] to say where each stands. Pure.

mod node;

pub use node::Node;

use crate::pure::diagnostic::{Diagnostic, Slip, SourceFile, nearest};
use node::Step;
use serde::de::DeserializeOwned;
use toml::de::{DeArray, DeTable, DeValue, Error};

/// More mistakes than this are not worth listing.
const ENOUGH: usize = 100;

/// A value read from a file, and where its parts stand in it.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// The value, without the entries that are wrong.
    pub value: T,
    /// Where everything stands.
    pub root: Node,
}

/// Reads the file. The value holds whatever could be read; with findings that are errors it is only good for finding
/// more of them.
pub fn read<T: DeserializeOwned + Default>(file: &SourceFile) -> (Located<T>, Vec<Diagnostic>) {
    let (document, errors) = DeTable::parse_recoverable(&file.text);
    let mut root = Node::of_table(document.get_ref(), document.span());
    let mut table = document.into_inner();
    let mut findings: Vec<_> = errors.iter().take(ENOUGH).map(|error| syntax(file, error)).collect();
    // What stands on a line that is no TOML was read by guessing: what is wrong with it says nothing.
    let line = |finding: &Diagnostic| finding.span.as_ref().map(|span| file.position(span.start).line);
    let guessed: Vec<_> = findings.iter().map(line).collect();
    while findings.len() < ENOUGH {
        let error = match T::deserialize(toml::de::ValueDeserializer::from(toml::Spanned::new(
            root.span(),
            DeValue::Table(table.clone()),
        ))) {
            Ok(value) => return (Located { value, root }, findings),
            Err(error) => error,
        };
        let way = error.span().and_then(|span| root.find(&span));
        let finding = misread(file, &root, &error, way.as_deref());
        let Some(way) = way else {
            findings.push(finding);
            break;
        };
        take_out(&mut table, &way);
        root.remove(&way);
        if let (Some(fix), "unknown-key") = (&finding.fix, finding.code) {
            root.expect(&way, &fix.replacement);
        }
        if !guessed.contains(&line(&finding)) {
            findings.push(finding);
        }
    }
    (Located { value: T::default(), root }, findings)
}

/// The JSON schema of a kind of file, as text that ends in a line break. Editors complete and validate with it.
pub fn schema<T: schemars::JsonSchema>(title: &str) -> String {
    // Draft 7 is what the TOML tools of editors know.
    let generator = schemars::generate::SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    let mut value = schema.to_value();
    without_null(&mut value);
    serde_json::to_string_pretty(&value).map(|text| text + "\n").unwrap_or_default()
}

/// TOML has no null: what may be absent is left out, never null.
fn without_null(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            // The default of a whole table is that of its keys.
            if map.get("default").is_some_and(|value| value.is_null() || value.is_object()) {
                map.remove("default");
            }
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(options)) = map.get_mut("anyOf") {
                options.retain(|option| option.get("type").is_none_or(|name| name != "null"));
            }
            for (key, value) in map {
                match value {
                    // Here the keys are names that somebody chose, `default` among them.
                    Value::Object(named) if key == "properties" || key == "definitions" => {
                        named.values_mut().for_each(without_null);
                    }
                    value => without_null(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The table of a file that need not be free of mistakes, to see what kind of file it is.
pub fn peek(file: &SourceFile) -> Node {
    let (document, _) = DeTable::parse_recoverable(&file.text);
    Node::of_table(document.get_ref(), document.span())
}

fn take_out(table: &mut DeTable<'_>, way: &[Step]) {
    let [Step::Key(key), rest @ ..] = way else { return };
    if rest.is_empty() {
        table.remove(key.as_str());
    } else if let Some(value) = table.get_mut(key.as_str()) {
        take_out_of_value(value.get_mut(), rest);
    }
}

fn take_out_of_value(value: &mut DeValue<'_>, way: &[Step]) {
    match (value, way) {
        (DeValue::Table(table), way) => take_out(table, way),
        (DeValue::Array(items), [Step::Nth(n)]) => {
            let mut left = DeArray::new();
            for (i, item) in items.iter().enumerate() {
                if i != *n {
                    left.push(item.clone());
                }
            }
            *items = left;
        }
        (DeValue::Array(items), [Step::Nth(n), rest @ ..]) => {
            if let Some(item) = items.get_mut(*n) {
                take_out_of_value(item.get_mut(), rest);
            }
        }
        (_, _) => {}
    }
}

/// What the TOML parser says, as a finding.
fn syntax(file: &SourceFile, error: &Error) -> Diagnostic {
    let message = error.message().trim();
    if message.starts_with("duplicate key") {
        return Diagnostic::error("duplicate-key", &file.name, error.span(), "this key is already set here")
            .help(
                "remove one of the two; in a list of tables, each element starts with its own `[[…]]` line",
            );
    }
    Diagnostic::error("toml-syntax", &file.name, error.span(), format!("not valid TOML: {message}"))
}

/// What serde says, in words for people.
fn misread(file: &SourceFile, root: &Node, error: &Error, way: Option<&[Step]>) -> Diagnostic {
    let message = error.message().trim();
    let key = way.and_then(|way| {
        way.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Nth(_) => None,
        })
    });
    let name = match (key, way) {
        (Some(key), Some([.., Step::Nth(n)])) => format!("element {} of `{key}`", n + 1),
        (Some(key), _) => format!("`{key}`"),
        (None, _) => "this".into(),
    };
    let expected = || message.rsplit_once(", expected ").map_or("", |(_, expected)| expected);
    let finding = |code, text: String| Diagnostic::error(code, &file.name, error.span(), text);

    if let (true, Some(key), Some(way)) = (message.starts_with("unknown field"), key, way) {
        let node = root.at(way);
        let parent = way.get(..way.len() - 1).unwrap_or_default();
        let span = node.key_span();
        let message = format!("unknown key `{key}` {}", place(parent));
        let finding = Diagnostic::error("unknown-key", &file.name, span.clone(), message);
        // A key that is set already is not the one that is meant.
        let table = root.at(parent);
        let slip = Slip { word: key, at: span, quoted: false };
        return suggest(finding, &slip, &quoted(expected()), |known| table.has(known));
    }
    if message.starts_with("unknown variant") {
        let span = error.span().unwrap_or_default();
        let found = file.text.get(span.clone()).unwrap_or("").trim_matches(['"', '\'']);
        let finding = finding("bad-value", format!("`{found}` is not a value of {name}"));
        return suggest(finding, &Slip::text(found, span), &quoted(expected()), |_| false);
    }
    if let Some(rest) =
        message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))
    {
        let found = rest.rsplit_once(", expected ").map_or(rest, |(found, _)| found);
        let code = if message.starts_with("invalid type") { "wrong-type" } else { "bad-value" };
        let text = format!("{name} must be {}, not {}", in_words(expected()), in_words(found));
        return finding(code, text);
    }
    if message.starts_with("missing field") {
        let missing = quoted(message).first().copied().unwrap_or("?").to_owned();
        return finding("missing-key", format!("`{missing}` is missing {}", place(way.unwrap_or_default())));
    }
    finding("bad-value", format!("{name}: {message}"))
}

/// Which of the words that serde expects is likely meant; all of them where none is near.
fn suggest(
    finding: Diagnostic,
    slip: &Slip<'_>,
    known: &[&str],
    is_taken: impl Fn(&str) -> bool,
) -> Diagnostic {
    let all: Vec<_> = known.iter().map(|word| format!("`{word}`")).collect();
    let otherwise = if known.is_empty() {
        "nothing can stand here".to_owned()
    } else {
        format!("what can stand here: {}", all.join(", "))
    };
    let free = known.iter().copied().filter(|word| !is_taken(word));
    finding.did_you_mean(slip, nearest(slip.word, free), otherwise)
}

/// "in `[method]`", "in `[[principle]]`", "at the top level".
fn place(way: &[Step]) -> String {
    let keys: Vec<_> = way
        .iter()
        .filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Nth(_) => None,
        })
        .collect();
    match way.last() {
        None => "at the top level".into(),
        Some(Step::Nth(_)) => format!("in `[[{}]]`", keys.join(".")),
        Some(Step::Key(_)) => format!("in `[{}]`", keys.join(".")),
    }
}

/// The words in backticks of serde's message.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

/// The type names of serde in plain words.
fn in_words(text: &str) -> String {
    let text = text.trim();
    let plain = match text {
        "a string" | "str" | "string" => "text in quotes",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" | "bool" => "`true` or `false`",
        "a sequence" | "sequence" => "a list `[…]`",
        "a map" | "map" => "a table",
        "an array" => "a list",
        _ if text.starts_with("struct ") => "a table",
        _ if text.starts_with("enum ") => "text in quotes",
        _ => "",
    };
    if !plain.is_empty() {
        return plain.into();
    }
    for (prefix, word) in
        [("integer `", "the number "), ("floating point `", "the number "), ("boolean `", "")]
    {
        if let Some(value) = text.strip_prefix(prefix) {
            return format!("{word}`{value}");
        }
    }
    match text.strip_prefix("string ") {
        Some(value) => format!("the text {value}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::diagnostic::{Sources, Style, render};
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Sample {
        name: String,
        size: u32,
        share: f64,
        on: bool,
        kind: Option<Kind>,
        tags: Vec<String>,
        item: Vec<Item>,
        deep: Deep,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Item {
        id: String,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Deep {
        item: Item,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Large,
        Small,
    }

    fn check(text: &str) -> (Sample, Vec<String>) {
        let (located, findings) = read::<Sample>(&SourceFile::new("x.toml", text));
        let told = findings.into_iter().map(|finding| match finding.help.first() {
            Some(help) => format!("{}; {help}", finding.message),
            None => finding.message,
        });
        (located.value, told.collect())
    }

    #[test]
    fn every_mistake_is_told_in_plain_words_and_the_rest_is_read() {
        let text = "nmae = 1\nsize = -1\nshare = \"half\"\non = 1\nkind = \"larg\"\ntags = [\"a\", 2, \"b\"]
            zebra = true\ndeep.item.id = 3\n[[item]]\nid = \"one\"\n[[item]]\nid = []\nidd = 1\n";
        let (sample, told) = check(text);
        insta::assert_snapshot!(told.join("\n"), @r###"
            `id` must be text in quotes, not the number `3`
            `id` must be text in quotes, not a list `[…]`
            unknown key `idd` in `[[item]]`; what can stand here: `id`
            `larg` is not a value of `kind`; did you mean `large`?
            unknown key `nmae` at the top level; did you mean `name`?
            `on` must be `true` or `false`, not the number `1`
            `share` must be a number, not the text "half"
            `size` must be a whole number, 0 or more, not the number `-1`
            element 2 of `tags` must be text in quotes, not the number `2`
            unknown key `zebra` at the top level; what can stand here: `name`, `size`, `share`, `on`, `kind`, `tags`, `item`, `deep`
            "###);
        assert_eq!((sample.tags, sample.item.len()), (vec!["a".to_owned(), "b".to_owned()], 2));
        assert_eq!(sample.item[0].id, "one");
        assert!(sample.name.is_empty() && sample.size == 0 && !sample.on && sample.kind.is_none());
        assert!(sample.share == 0.0 && sample.deep.item.id.is_empty());
    }

    #[test]
    fn broken_toml_is_told_with_what_else_is_wrong() {
        let (_, told) = check("size = \nsize = 1\nnmae = \"x\"\n[item\nid = 'a'\n");
        insta::assert_snapshot!(told.join("\n"), @r###"
            not valid TOML: unclosed table, expected `]`
            not valid TOML: string values must be quoted, expected literal string
            this key is already set here; remove one of the two; in a list of tables, each element starts with its own `[[…]]` line
            unknown key `id` at the top level; what can stand here: `name`, `size`, `share`, `on`, `kind`, `tags`, `item`, `deep`
            unknown key `nmae` at the top level; did you mean `name`?
            "###);
        let many = (0..500).map(|n| format!("k{n} = {n}")).collect::<Vec<_>>().join("\n");
        assert_eq!(check(&many).1.len(), ENOUGH);
    }

    const SCRIBBLES: &[&str] = &[
        "[",
        "]]",
        "\"",
        "'''",
        "\"\"\"",
        "=",
        ".",
        "ü",
        "\r",
        "\n[[principle]]\n",
        "{a=",
        "\u{0}",
        "1e999",
        "[[a]]\n[a.b]\n",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Files that were cut, doubled or scribbled into: never a panic, in reading or in showing what is wrong.
        #[test]
        fn damaged_files_never_panic(
            which in 0_usize..3,
            cut in 0_usize..20_000,
            len in 0_usize..40,
            scribble in prop::sample::select(SCRIBBLES),
        ) {
            let text = [
                include_str!("../../constitutions/support-desk.toml"),
                include_str!("../../constitutions/minimal.toml"),
                "seed = 1\n[models.default]\nmodel = \"sim\"\nextra = { a = 1979-05-27, b = [1, { c = 2 }] }\n",
            ][which];
            let chars: Vec<char> = text.chars().collect();
            let at = cut % chars.len();
            let mut damaged: String = chars[..at].iter().collect();
            damaged.push_str(scribble);
            damaged.extend(&chars[(at + len).min(chars.len())..]);
            let file = SourceFile::new("x.toml", damaged);
            let mut sources = Sources::default();
            sources.add(file.clone());
            let mut findings = crate::pure::recipe::read(&file).findings;
            findings.extend(crate::pure::constitution::check(&file, &mut |_| Err("absent".into())));
            findings.extend(crate::pure::taxonomy::Taxonomy::read(&file).1);
            let shown = render(&findings, &sources, Style::default());
            prop_assert_eq!(shown.is_empty(), findings.is_empty());
        }
    }
}
