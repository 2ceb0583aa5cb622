//! `[limits]`: how hard endpoints are pressed, and for how long.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many calls may be in flight: a number, or `"auto"` to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Concurrency {
    /// Grow while the endpoint keeps up, shrink when it pushes back.
    #[default]
    Auto,
    /// Exactly this many at most.
    Fixed(u32),
}

impl Concurrency {
    /// How many prompts are worked on side by side at most, so that memory does not grow with their number.
    pub fn width(self) -> usize {
        match self {
            // Prompts whose call waits for its next attempt come on top of those that keep the calls in flight.
            Self::Fixed(n) => usize::try_from(n).unwrap_or(usize::MAX).saturating_mul(4),
            Self::Auto => 1 << 16,
        }
    }
}

impl std::str::FromStr for Concurrency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse::<u32>()) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(n)) if n > 0 => Ok(Self::Fixed(n)),
            (_, _) => Err(format!("`{text}` is neither `auto` nor a number above 0")),
        }
    }
}

impl Serialize for Concurrency {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => to.serialize_str("auto"),
            Self::Fixed(n) => to.serialize_u32(*n),
        }
    }
}

impl<'de> Deserialize<'de> for Concurrency {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visit;
        impl serde::de::Visitor<'_> for Visit {
            type Value = Concurrency;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number above 0, or \"auto\"")
            }

            fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<Concurrency, E> {
                match u32::try_from(n) {
                    Ok(n) if n > 0 => Ok(Concurrency::Fixed(n)),
                    Ok(_) | Err(_) => Err(E::invalid_value(serde::de::Unexpected::Signed(n), &self)),
                }
            }

            fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Concurrency, E> {
                self.visit_i64(i64::try_from(n).unwrap_or(i64::MAX))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Concurrency, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_any(Visit)
    }
}

impl JsonSchema for Concurrency {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Concurrency".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "auto" }] })
    }
}

/// `[limits]`: how hard endpoints are pressed, per endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Calls in flight.
    pub concurrency: Concurrency,
    /// Requests per minute; no limit when absent.
    pub rpm: Option<u32>,
    /// Tokens per minute, prompt and completion together; no limit when absent.
    pub tpm: Option<u32>,
    /// Seconds one attempt may take.
    pub timeout_s: f64,
    /// Attempts per call, the first included. Being told to slow down (429) is not counted.
    pub attempts: u32,
    /// Seconds that all attempts of one call and the waits between them may take together.
    pub elapsed_s: f64,
    /// Seconds that a model may be away that answered before: refused connections, 401, 403, 404, or 502 to 504 without
    /// end. Its calls wait and one probes; after that the run ends.
    pub outage_s: f64,
    /// The older name of `budget.calls`, which wins over it.
    pub max_calls: Option<u64>,
    /// The run stops when more than this share of its verdicts is undecided: a critic that nobody can read is not worth
    /// its price. Looked at from 40 verdicts on; 1 never stops.
    pub max_undecided_share: f64,
    /// The run stops when another model answers than the one that is asked; without it that is only told.
    pub refuse_other_models: bool,
    /// The run stops when an endpoint counts far fewer tokens than a prompt has, because its context is too short; without it
    /// that is only told.
    pub refuse_cut_prompts: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: Concurrency::Auto,
            rpm: None,
            tpm: None,
            timeout_s: 120.0,
            attempts: 6,
            elapsed_s: 900.0,
            outage_s: 1800.0,
            max_calls: None,
            max_undecided_share: 0.5,
            refuse_other_models: false,
            refuse_cut_prompts: false,
        }
    }
}
