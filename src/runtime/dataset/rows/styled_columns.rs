//! What a row says of a styled answer: its style, its grade, what the grade follows from, and what is known of its prompt.

use super::schema::Value;
use crate::pure::grade::{Finding, Graded};
use crate::pure::request_class::RequestClass;
use crate::pure::transcript::Transcript;
use serde_json::{Map, Value as Json, json};

/// The values of the columns of styled answers, for a row about response number `response`.
pub(super) fn styled_values(transcript: &Transcript, response: usize) -> [Value; 8] {
    let (prompt, styled) = (&transcript.prompt, transcript.styled.as_ref());
    let graded = styled.and_then(|styled| styled.of(response));
    let carried = |name: &str| match prompt.kept.get(name) {
        Some(Json::String(text)) => Value::Text(text.clone()),
        Some(_) | None => Value::Null,
    };
    [
        Value::text(styled.map(|styled| styled.style.clone())),
        Value::text(graded.map(|graded| graded.grade.as_str())),
        Value::text(graded.map(truths)),
        Value::text(prompt.class.map(RequestClass::as_str)),
        Value::text(prompt.locale.clone()),
        carried("topic"),
        carried("persona"),
        carried("contrast_of"),
    ]
}

/// What was found about each proposition, as one JSON object.
fn truths(graded: &Graded) -> String {
    let truth = |finding: &Finding| (finding.id.clone(), json!(finding.holds));
    Json::Object(graded.findings.iter().map(truth).collect::<Map<String, Json>>()).to_string()
}
