//! The imported principles as a file, with their comments. All text goes through the TOML serializer.

use crate::constitution::Principle;
use crate::constitution::write::principle_table;
use toml::{Table, Value};

/// The file: a head that says where it came from, then each principle after its comments.
pub(super) fn render(
    id: &str,
    source: &str,
    form: &str,
    principles: &[(Vec<String>, Principle)],
) -> Result<String, toml::ser::Error> {
    let mut head = Table::new();
    head.insert("id".into(), Value::String(id.into()));
    head.insert("version".into(), Value::String("0.1.0".into()));
    let plain: String = source.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    head.insert("description".into(), Value::String(format!("Imported from {plain} ({form}).")));
    let mut out = table("constitution", Value::Table(head))?;
    for (comments, principle) in principles {
        out.push('\n');
        for line in comments.iter().flat_map(|comment| comment.lines()) {
            out.push_str(&comment_line(line));
        }
        let mut fields = principle_table(principle);
        fields.remove("weight");
        out.push_str(&table("principle", Value::Array(vec![Value::Table(fields)]))?);
    }
    Ok(out)
}

fn table(name: &str, value: Value) -> Result<String, toml::ser::Error> {
    toml::to_string_pretty(&Table::from_iter([(name.to_owned(), value)]))
}

/// A comment holds no control characters; TOML would not allow them.
fn comment_line(line: &str) -> String {
    let plain: String = line.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if plain.is_empty() { "#\n".into() } else { format!("# {plain}\n") }
}
