//! The value of an HTTP header in a recipe: a text, or the name of the environment variable that holds it.

use schemars::JsonSchema;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where the value of a header comes from. What stands in the environment is never written to a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeaderSource {
    /// The value itself.
    Text(String),
    /// `{ env = "NAME" }`: the environment variable that holds the value.
    Env(String),
}

impl Serialize for HeaderSource {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => to.serialize_str(text),
            Self::Env(name) => {
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry("env", name)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for HeaderSource {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Source;
        impl<'de> Visitor<'de> for Source {
            type Value = HeaderSource;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text, or `{ env = \"NAME\" }`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<HeaderSource, E> {
                Ok(HeaderSource::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeaderSource, A::Error> {
                let mut name = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key != "env" {
                        return Err(A::Error::unknown_field(&key, &["env"]));
                    }
                    name = Some(map.next_value::<String>()?);
                }
                name.map(HeaderSource::Env).ok_or_else(|| A::Error::missing_field("env"))
            }
        }
        from.deserialize_any(Source)
    }
}

impl JsonSchema for HeaderSource {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HeaderSource".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [
            { "type": "string" },
            { "type": "object", "properties": { "env": { "type": "string" } }, "required": ["env"], "additionalProperties": false },
        ] })
    }
}

/// Whether a header carries a key by its name, so that its value belongs in the environment.
pub(super) fn carries_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "authorization"
        || ["api-key", "apikey", "token", "secret", "password"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_value_is_a_text_or_a_variables_name() {
        let read = |text: &str| toml::from_str::<BTreeMap<String, HeaderSource>>(text);
        let headers = read("\"x-use-case\" = \"bread\"\n\"api-key\" = { env = \"AZURE_KEY\" }\n").unwrap();
        assert_eq!(headers["x-use-case"], HeaderSource::Text("bread".into()));
        assert_eq!(headers["api-key"], HeaderSource::Env("AZURE_KEY".into()));
        assert_eq!(read(&toml::to_string(&headers).unwrap()).unwrap(), headers);
        assert!(read("a = { evn = \"X\" }").is_err() && read("a = 7").is_err());
    }
}
