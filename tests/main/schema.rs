//! The committed schemas: what editors hold our files against. `#:schema` lines lead to them, the files that ship and
//! those that `amend init` writes keep them, and a mistyped key does not.

use crate::support::Scratch;
use serde_json::Value;
use std::path::Path;

/// What is wrong with a value by a schema. Knows the keywords that our schemas use, and no other: a keyword that it would
/// pass over in silence is an error.
pub(crate) fn faults(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let Some(keywords) = schema.as_object() else {
        return if schema == &Value::Bool(false) { vec![format!("{at} is not allowed")] } else { Vec::new() };
    };
    let inner = |schema: &Value| faults(root, schema, value, at);
    let list = |of: &Value| of.as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for (keyword, of) in keywords {
        let holds = match keyword.as_str() {
            "$schema" | "$defs" | "definitions" | "title" | "description" | "default" | "format" => true,
            "$ref" => {
                let name = of.as_str().and_then(|path| path.strip_prefix("#")).expect("a local reference");
                found.extend(inner(root.pointer(name).expect("a definition")));
                true
            }
            "allOf" => {
                found.extend(list(of).iter().flat_map(inner));
                true
            }
            "anyOf" => list(of).iter().any(|schema| inner(schema).is_empty()),
            "oneOf" => list(of).iter().filter(|schema| inner(schema).is_empty()).count() == 1,
            "const" => of == value,
            "enum" => list(of).contains(value),
            "type" => match of {
                Value::Array(names) => names.iter().any(|name| is_of(name, value)),
                name => is_of(name, value),
            },
            "minimum" => value.as_f64().zip(of.as_f64()).is_none_or(|(value, least)| value >= least),
            "maximum" => value.as_f64().zip(of.as_f64()).is_none_or(|(value, most)| value <= most),
            "pattern" => {
                let pattern = regex::Regex::new(of.as_str().expect("a pattern")).expect("a pattern");
                value.as_str().is_none_or(|text| pattern.is_match(text))
            }
            "items" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                found.extend(items.flat_map(|(n, item)| faults(root, of, item, &format!("{at}[{n}]"))));
                true
            }
            "properties" | "additionalProperties" => {
                for (key, item) in value.as_object().into_iter().flatten() {
                    let own = keywords.get("properties").and_then(|properties| properties.get(key));
                    let schema =
                        if keyword == "properties" { own } else { Some(of).filter(|_| own.is_none()) };
                    let faults = schema.map(|schema| faults(root, schema, item, &format!("{at}.{key}")));
                    found.extend(faults.unwrap_or_default());
                }
                true
            }
            "required" => {
                let has = |name: &Value| value.get(name.as_str().expect("a name")).is_some();
                !value.is_object() || list(of).iter().all(has)
            }
            other => panic!("the keyword `{other}` is not known here"),
        };
        if !holds {
            found.push(format!("{at} breaks `{keyword}`: {of}"));
        }
    }
    found
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("the type `{other}` is not known here"),
    }
}

/// Holds a file against the schema that its first line names, and then the same with every key mistyped in turn.
fn check(path: &Path, kind: &str) {
    let text = std::fs::read_to_string(path).expect("the file");
    let named = text.lines().next().and_then(|line| line.strip_prefix("#:schema ")).expect("a schema line");
    let schema = std::fs::read_to_string(path.parent().expect("a folder").join(named)).expect("the schema");
    assert_eq!(schema, Scratch::new().run(&["schema", kind]).code(0).out, "{named} is current");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let table: toml::Table = text.parse().expect("TOML");
    let value = serde_json::to_value(table).expect("values");
    assert_eq!(faults(&schema, &schema, &value, "$"), Vec::<String>::new(), "{}", path.display());
    let mut tables = Vec::new();
    places(&value, String::new(), &mut tables);
    assert!(tables.len() > 1, "{tables:?}");
    for table in tables {
        let mut mistyped = value.clone();
        let place = mistyped.pointer_mut(&table).and_then(Value::as_object_mut).expect("a table");
        place.insert("prioritty".into(), 1.into());
        assert!(!faults(&schema, &schema, &mistyped, "$").is_empty(), "{}: {table}", path.display());
    }
}

/// Where the tables of a value are.
fn places(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, inner)| places(inner, format!("{at}/{key}"), found));
            found.push(at);
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, inner)| places(inner, format!("{at}/{n}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn shipped_and_written_files_keep_their_schema_and_a_mistyped_key_does_not() {
    for name in ["harmlessness", "helpful-honest-harmless", "minimal", "support-desk"] {
        check(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("constitutions/{name}.toml")),
            "constitution",
        );
    }
    let scratch = Scratch::new();
    scratch.run(&["init", "p"]).code(0);
    check(&scratch.path("p/constitution.toml"), "constitution");
    check(&scratch.path("p/amend.toml"), "recipe");
}
