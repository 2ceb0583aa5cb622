//! Reads the entries of an array in a JSON file one by one, so that a file that was cut off gives what is whole.

use serde_json::Value;

/// Entries, each with the line where it begins.
pub(super) type Entries = Vec<(u64, Value)>;

/// The entries of the array that follows a key (of the outermost one where there is no key), each with the line where it begins;
/// then the line at which the file can no longer be read, if there is one. `None` when there is no such array.
pub(super) fn entries(text: &str, key: Option<&str>) -> Option<(Entries, Option<u64>)> {
    let start = match key {
        None => text.len() - text.trim_start().len(),
        Some(key) => after_key(text, key)?,
    };
    let mut rest = text.get(start..)?.strip_prefix('[')?;
    let mut found = Vec::new();
    let line = |rest: &str| {
        let read = text.len() - rest.len();
        1 + text.get(..read).unwrap_or("").bytes().filter(|byte| *byte == b'\n').count() as u64
    };
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if rest.starts_with(']') {
            return Some((found, None));
        }
        let at = line(rest);
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                let end = stream.byte_offset();
                found.push((at, value));
                rest = rest.get(end..).unwrap_or("");
            }
            Some(Err(_)) | None => return Some((found, Some(at))),
        }
    }
}

/// Where the array after the last key of a dotted path begins: `results.results`.
fn after_key(text: &str, path: &str) -> Option<usize> {
    let mut at = 0;
    for key in path.split('.') {
        let quoted = format!("\"{key}\"");
        at += text.get(at..)?.find(&quoted)? + quoted.len();
    }
    let rest = text.get(at..)?.trim_start().strip_prefix(':')?.trim_start();
    Some(text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_file_gives_what_is_whole() {
        let whole = "{\"a\": 1,\n \"rows\": [\n{\"n\": 1},\n{\"n\": 2}\n], \"b\": 2}";
        let (found, bad) = entries(whole, Some("rows")).unwrap();
        assert_eq!((found.len(), found[1].0, bad), (2, 4, None));
        let (cut, _) = whole.split_once("2}\n]").unwrap();
        let (found, bad) = entries(cut, Some("rows")).unwrap();
        assert_eq!((found.len(), bad), (1, Some(4)));
        assert_eq!(entries("[1, 2]", None).unwrap().0.len(), 2);
        assert!(entries(whole, Some("columns")).is_none() && entries("{}", None).is_none());
    }
}
