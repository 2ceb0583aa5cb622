//! A text in pieces holds what the whole text holds, and nothing of a span stands before the place that is said to be open.

use super::*;
use proptest::prelude::*;
use regex::Regex;

const SPANS: [Span<'static>; 4] = [
    Span::Words("project nightingale"),
    Span::Words("größe"),
    Span::Pattern("sk-[a-z0-9]{4,8}"),
    Span::Pattern("(?i)ab(c|é){1,3}d"),
];

fn found_whole(text: &str) -> bool {
    let words = Regex::new(r"(?i)(^|[^\w])(project\s{1,4}nightingale|größe)($|[^\w])").unwrap();
    let pattern = Regex::new("sk-[a-z0-9]{4,8}|(?i:ab(c|é){1,3}d)").unwrap();
    words.is_match(text) || pattern.is_match(text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn pieces_hold_what_the_whole_holds(
        parts in prop::collection::vec(
            prop_oneof![
                Just("project "), Just("Nightingale"), Just("GRÖSSE"), Just("Größe"), Just("sk-"), Just("a1b2"), Just("ab"),
                Just("cé"), Just("d"), Just(" "), Just("\n"), Just("x"), Just("ſ"),
            ],
            0..14,
        ),
        cuts in prop::collection::vec(0_usize..60, 0..8),
    ) {
        let matcher = LiveMatcher::new(&SPANS).unwrap();
        let text: Vec<char> = parts.concat().chars().collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
        cuts.sort_unstable();
        let mut scan = LiveScan::default();
        let mut given_on = String::new();
        for (n, pair) in cuts.windows(2).enumerate() {
            let piece: String = text[pair[0]..pair[1]].iter().collect();
            scan.take(&matcher, &piece, n);
            let open = scan.open_since().unwrap_or(n + 1);
            given_on = text[..cuts[open]].iter().collect();
        }
        let whole: String = text.iter().collect();
        let found = scan.finish().is_some();
        prop_assert_eq!(found, found_whole(&whole), "{:?}", whole);
        if found {
            // What was given on has nothing of the span that was found: all of it stands in the rest.
            let rest: String = whole.chars().skip(given_on.chars().count()).collect();
            let last_is_word = given_on.chars().last().is_some_and(|c| c.is_alphanumeric() || c == '_');
            let behind = if last_is_word { format!("_{rest}") } else { rest };
            prop_assert!(found_whole(&behind), "{:?} was cut after {:?}", whole, given_on);
        }
    }
}

#[test]
fn what_cannot_become_a_span_does_not_hold_a_text_back() {
    let matcher = LiveMatcher::new(&SPANS).unwrap();
    let mut scan = LiveScan::default();
    let check = |scan: &mut LiveScan, text: &str, at: usize, open: Option<usize>| {
        assert_eq!(scan.take(&matcher, text, at), None, "{text}");
        assert_eq!(scan.open_since(), open, "{text}");
    };
    check(&mut scan, "The weather is fine today.", 0, None);
    check(&mut scan, " My pro", 1, Some(1));
    check(&mut scan, "blem here", 2, None);
    check(&mut scan, " project", 3, Some(3));
    check(&mut scan, " nightingale", 4, Some(3));
    check(&mut scan, "ty", 5, None);
    assert_eq!(scan.finish(), None);
}

#[test]
fn an_expression_needs_a_longest_match() {
    for (pattern, longest) in [("sk-[a-z]{2,20}", Ok(23)), ("a|bcd", Ok(3)), ("é", Ok(2))] {
        assert_eq!(longest_match(pattern), longest, "{pattern}");
    }
    for (pattern, says) in [
        ("sk-.*", "no longest match"),
        ("a+", "no longest match"),
        (r"\bkey\b", "looks around"),
        ("a{0,3}", "empty text"),
        ("a{5000}", "5000 bytes"),
        ("(", "unclosed group"),
    ] {
        let told = longest_match(pattern).unwrap_err();
        assert!(told.contains(says), "{pattern}: {told}");
    }
    let many = r"\w{1000}";
    assert!(LiveMatcher::new(&[Span::Pattern(many)]).unwrap_err().contains("too large"));
}
