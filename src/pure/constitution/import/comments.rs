//! JSON with comments, as people keep it in their repositories: the JSON without them, and the comments.

/// Takes out `// …` and `/* … */` outside texts. What is left is as long as the source, so that places in it stay true.
pub(super) fn without_comments(source: &str) -> (String, Vec<String>) {
    let (mut bare, mut comments) = (String::with_capacity(source.len()), Vec::new());
    let mut rest = source;
    let mut in_text = false;
    while let Some(c) = rest.chars().next() {
        if !in_text && let Some((comment, after)) = comment(rest) {
            bare.extend(comment.chars().map(|c| if c == '\n' { c } else { ' ' }));
            comments.extend(lines(comment));
            rest = after;
            continue;
        }
        let mut chars = rest.chars();
        chars.next();
        bare.push(c);
        in_text ^= c == '"';
        // What is escaped does not end a text.
        if in_text && c == '\\' {
            bare.extend(chars.next());
        }
        rest = chars.as_str();
    }
    (bare, comments)
}

/// The comment that a text begins with, and what follows.
fn comment(text: &str) -> Option<(&str, &str)> {
    let end = if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("/*") {
        text.find("*/").map_or(text.len(), |at| at + 2)
    } else {
        return None;
    };
    text.split_at_checked(end)
}

/// What the comment says, line by line.
fn lines(comment: &str) -> impl Iterator<Item = String> {
    let inner = comment.trim_start_matches('/').trim_start_matches('*').trim_end_matches("*/");
    let line = |line: &str| line.trim().trim_start_matches("* ").trim().to_owned();
    inner.lines().map(line).filter(|line| !line.is_empty()).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::without_comments;

    #[test]
    fn comments_are_told_from_texts() {
        let check = |source: &str, bare: &str, comments: &[&str]| {
            let (found, kept) = without_comments(source);
            assert_eq!(
                (found.as_str(), kept.iter().map(String::as_str).collect::<Vec<_>>()),
                (bare, comments.to_vec())
            );
        };
        check("// é\n[1]", "    \n[1]", &["é"]);
        check("[1, /* a\n * b */ 2]", "[1,     \n        2]", &["a", "b"]);
        check(r#"{"a": "// no \" /* no */"}"#, r#"{"a": "// no \" /* no */"}"#, &[]);
        check("[1] // end", "[1]       ", &["end"]);
        check("[1] /* open", "[1]        ", &["open"]);
    }
}
