//! What `amend check --fix` writes: once is enough, and nothing that was right is lost.

use crate::pure::constitution::check;
use crate::pure::diagnostic::{Diagnostic, Fix, SourceFile, apply_fixes};
use proptest::prelude::*;

const SOUND: &str = r#"[constitution]
id = "sound"
version = "1.0.0"
title = "Sound"
description = "A constitution with most keys."
allow = ["no-test"]

[[principle]]
id = "kind"
text = "The response speaks kindly to the person who asks."
critique = "Does the response speak down to the person? If it does, quote where."
revision = "Speak to the person as to an equal."
priority = 4
weight = 2.0
hazards = ["phys.assault", "crim"]
when = { languages = ["en"], hazards = ["phys"] }
exceptions = ["Fiction."]

[[principle]]
id = "clear"
text = "The response uses words that everybody knows."
"#;

fn findings(text: &str) -> Vec<Diagnostic> {
    check(&SourceFile::new("c.toml", text), &mut |_| Err("there is no such file".into()))
}

/// What `--fix` does: a repair can uncover another, so it goes on until there is none.
fn fixed(text: &str) -> (String, usize) {
    let (mut text, mut total) = (text.to_owned(), 0);
    for _ in 0..10 {
        let findings = findings(&text);
        let fixes: Vec<&Fix> = findings.iter().filter_map(|finding| finding.fix.as_ref()).collect();
        if fixes.is_empty() {
            break;
        }
        let (better, made) = apply_fixes(&text, fixes);
        (text, total) = (better, total + made);
    }
    (text, total)
}

/// A slip of the fingers in the word that stands at one place.
fn slip(text: &str, at: usize, kind: u8) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let words: Vec<usize> =
        (1..chars.len() - 1).filter(|&n| chars[n - 1..=n + 1].iter().all(|c| c.is_alphabetic())).collect();
    let n = words[at % words.len()];
    match kind {
        0 => drop(chars.remove(n)),
        1 => chars.insert(n, chars[n]),
        2 => chars.swap(n, n + 1),
        _ => chars[n] = 'q',
    }
    chars.into_iter().collect()
}

#[test]
fn a_sound_file_is_left_alone() {
    assert_eq!(findings(SOUND), []);
    assert_eq!(fixed(SOUND), (SOUND.to_owned(), 0));
}

#[test]
fn a_slip_beside_the_key_it_is_a_slip_of_is_not_made_a_second_one() {
    let twice = SOUND.replace("title = \"Sound\"", "title = \"Sound\"\ntitel = \"Other\"");
    assert_eq!(fixed(&twice), (twice.clone(), 0), "which of the two is meant is not ours to say");
    assert_eq!(findings(&twice).len(), 1);
}

proptest! {
    /// Whatever is mistyped: fixed once is fixed for good, still parses, and no new kind of finding comes up.
    #[test]
    fn fixing_twice_is_fixing_once(slips in proptest::collection::vec((0_usize..4096, 0_u8..4), 1..5)) {
        let broken = slips.iter().fold(SOUND.to_owned(), |text, (at, kind)| slip(&text, *at, *kind));
        let before = findings(&broken);
        let (once, made) = fixed(&broken);
        let after = findings(&once);
        prop_assert!(after.iter().all(|finding| finding.fix.is_none()), "{once}\n{after:#?}");
        prop_assert_eq!(fixed(&once), (once.clone(), 0));
        prop_assert!(made == 0 || once != broken);
        let parses = |found: &[Diagnostic]| found.iter().all(|finding| finding.code != "toml-syntax");
        prop_assert!(parses(&after) || !parses(&before));
    }
}
