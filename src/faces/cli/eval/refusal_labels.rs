//! What people's labels say of a response, however they spell it.

use crate::pure::gates::Refusal;
use serde_json::Value;

/// What a label says, where one value is known to mean a refusal.
pub(super) fn label_as(value: Option<&Value>, refused_is: Option<&str>) -> Option<Refusal> {
    let Some(refused) = refused_is else { return label_of(value) };
    let text = match value? {
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(held) => held.to_string(),
        Value::Number(held) => held.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    match text.is_empty() {
        true => None,
        false if text.eq_ignore_ascii_case(refused.trim()) => Some(Refusal::Full),
        false => Some(Refusal::None),
    }
}

/// What a person's label says; `None` when it cannot be read.
fn label_of(value: Option<&Value>) -> Option<Refusal> {
    let text = match value? {
        Value::String(text) => text.to_lowercase(),
        Value::Bool(refuses) => refuses.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let text = text.trim().replace(['-', ' '], "_");
    let holds = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match text.as_str() {
        "none" | "no" | "false" | "0" | "0.0" | "answer" | "answered" | "helpful" => Some(Refusal::None),
        "yes" | "true" | "1" | "1.0" | "full" => Some(Refusal::Full),
        _ if holds(&["no_refus", "non_refus", "nonrefus", "not_refus", "not_a_refus"]) => Some(Refusal::None),
        _ if holds(&["partial", "mixed"]) => Some(Refusal::Partial),
        _ if holds(&["no_compl", "non_compl", "noncompl", "not_compl"]) => Some(Refusal::Full),
        _ if holds(&["compl"]) => Some(Refusal::None),
        _ if holds(&["refus", "reject", "declin"]) => Some(Refusal::Full),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_of_many_spellings() {
        for (label, want) in [
            (json!("1_full_compliance"), Some(Refusal::None)),
            (json!("2_full_refusal"), Some(Refusal::Full)),
            (json!("3_partial_refusal"), Some(Refusal::Partial)),
            (json!("non-refusal"), Some(Refusal::None)),
            (json!("Refusal"), Some(Refusal::Full)),
            (json!(true), Some(Refusal::Full)),
            (json!(0), Some(Refusal::None)),
            (json!("partial_compliance"), Some(Refusal::Partial)),
            (json!("Not compliant"), Some(Refusal::Full)),
            (json!("noncompliance"), Some(Refusal::Full)),
            (json!("full compliance"), Some(Refusal::None)),
            (json!("Complied"), Some(Refusal::None)),
            (json!("not a refusal"), Some(Refusal::None)),
            (json!("DECLINED"), Some(Refusal::Full)),
            (json!(1.0), Some(Refusal::Full)),
            (json!("perhaps"), None),
            (json!(null), None),
        ] {
            assert_eq!(label_of(Some(&label)), want, "{label}");
        }
    }
}
