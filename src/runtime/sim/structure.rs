//! Answers as JSON, for requests that carry a schema.

use serde_json::{Map, Value, json};

/// A critique with its verdict.
pub(super) fn review(critique: &str, verdict: &str) -> String {
    json!({ "critique": critique, "verdict": verdict }).to_string()
}

/// Verdicts by principle.
pub(super) fn verdicts<'a>(verdicts: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let map: Map<String, Value> = verdicts.map(|(key, verdict)| (key.to_owned(), verdict.into())).collect();
    Value::Object(map).to_string()
}

/// An object that follows the schema's properties: what `choose` says by name, else the first allowed value, else `say`
/// for texts. `None` where the schema names no properties.
pub(super) fn fill(
    schema: Option<&Value>,
    say: &str,
    choose: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let properties = schema?.get("properties")?.as_object()?;
    let value = |name: &str, property: &Value| {
        if let Some(chosen) = choose(name) {
            return Value::String(chosen);
        }
        if let Some(first) = property.get("enum").and_then(|allowed| allowed.get(0)) {
            return first.clone();
        }
        match property.get("type").and_then(Value::as_str) {
            Some("boolean") => Value::Bool(false),
            Some("integer" | "number") => Value::from(0),
            Some("array") => Value::Array(Vec::new()),
            Some("object") => Value::Object(Map::new()),
            Some(_) | None => Value::String(say.to_owned()),
        }
    };
    let object: Map<String, Value> =
        properties.iter().map(|(name, property)| (name.clone(), value(name, property))).collect();
    Some(Value::Object(object).to_string())
}
