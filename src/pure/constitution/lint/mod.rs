//! Warnings: what works, but is probably not meant.
//!
//! Each lint is a function from the whole reading to warnings. They compare words, not meanings: cheap, the same
//! every time, and shy, for a false alarm teaches people to look away. Those about wording know English only, and
//! say nothing about other languages. Any of them is silenced by `allow = ["code"]` at a principle or in the file.

mod wording;

#[cfg(test)]
mod fix_tests;

use super::principle::{Expect, Principle};
use super::read::{Load, Placed, Reading};
use super::style::{Day, Resource};
use crate::pure::diagnostic::Diagnostic;
use crate::pure::diagnostic::SourceFile;
use std::collections::BTreeMap;
use wording::{
    Opposed, Words, clauses, comparable, forbids, is_leading, likeness, oppose, permits, says_what_to_do,
};

/// Two principles whose words are this alike say the same.
const DUPLICATE: f64 = 0.75;
/// Two principles about the same thing, when one is worded against the other.
const SAME_SUBJECT: f64 = 0.6;
/// Fewer words than this say too little to be compared.
const FEWEST_WORDS: usize = 3;

/// Everything that can be said about a constitution: what [`super::read()`] finds, and the warnings of the lints.
pub fn check(main: &SourceFile, load: Load<'_>) -> Vec<Diagnostic> {
    let mut reading = Reading::of(main, load);
    let warnings = lint(&reading);
    reading.findings.extend(warnings);
    reading.findings
}

/// A warning for each resource that nobody made sure of within a year before `today`.
pub fn stale_resources(main: &SourceFile, load: Load<'_>, today: Day) -> Vec<Diagnostic> {
    let reading = Reading::of(main, load);
    let stale = reading.styles.resources.iter().filter(|placed| placed.value.checked.is_a_year_before(today));
    stale
        .map(|placed| {
            let file = reading.files.get(placed.file).map_or("", |part| part.name.as_str());
            let Resource { locale, checked, .. } = &placed.value;
            let message = format!("this resource for `{locale}` was last checked on {checked}");
            Diagnostic::warning("stale-resource", file, placed.node.key("checked").span(), message)
                .help("make sure that it is right, and set `checked` to the day on which you did")
        })
        .collect()
}

/// Every warning about what was read that is not accepted by an `allow` list.
pub(super) fn lint(reading: &Reading) -> Vec<Diagnostic> {
    let hard = reading.placed.iter().map(|placed| &placed.principle);
    let hard = hard.filter(|principle| principle.hard && forbids(&principle.text)).map(HardPrinciple::of);
    let mut out = Lints { reading, hard: hard.collect(), findings: Vec::new() };
    for placed in &reading.placed {
        wording_of(placed, &mut out);
        tests_of(placed, &mut out);
        weight_of(placed, &mut out);
        priority_of(placed, &mut out);
        permissions_of(placed, &mut out);
    }
    pairs(&mut out);
    system_prompt(&mut out);
    weakened(&mut out);
    out.findings
}

/// Collects warnings, and leaves out those that are accepted.
struct Lints<'a> {
    reading: &'a Reading,
    /// The hard principles that forbid something.
    hard: Vec<HardPrinciple<'a>>,
    findings: Vec<Diagnostic>,
}

impl Lints<'_> {
    fn about(&mut self, placed: &Placed, key: &str, code: &'static str, message: String, help: &str) {
        if placed.principle.allow.iter().any(|allowed| allowed == code) {
            return;
        }
        let node = placed.node.key(key);
        self.in_file(placed.file, node.span(), code, message, help);
    }

    fn in_file(
        &mut self,
        file: usize,
        span: std::ops::Range<usize>,
        code: &'static str,
        message: String,
        help: &str,
    ) {
        let files = &self.reading.files;
        let (Some(part), main) = (files.get(file), files.last()) else { return };
        let allowed = |part: &super::read::Part| {
            part.located.value.constitution.allow.iter().any(|allowed| allowed == code)
        };
        if !allowed(part) && !main.is_some_and(allowed) {
            self.findings.push(Diagnostic::warning(code, &part.name, span, message).help(help));
        }
    }
}

fn wording_of(placed: &Placed, out: &mut Lints<'_>) {
    let principle = &placed.principle;
    let id = &principle.id;
    if principle.critique.as_deref().is_some_and(is_leading) {
        let message = format!("the critique request of `{id}` presumes that the response is bad");
        out.about(
            placed,
            "critique",
            "leading-critique",
            message,
            "ask whether the response does it, and where",
        );
    }
    if principle.critique.is_some() && principle.revision.is_none() {
        let message = format!("`{id}` asks its own critique, but its revision is asked for by `text` alone");
        out.about(
            placed,
            "critique",
            "missing-revision",
            message,
            "add a `revision` that says what to change",
        );
    }
    let positive = principle.revision.is_some() || says_what_to_do(&principle.text);
    if !positive && forbids(&principle.text) {
        let message = format!("`{id}` only says what the response must not do");
        let help = "add what a good response does instead, in `text` or as a `revision`";
        out.about(placed, "text", "negative-wording", message, help);
    }
}

fn tests_of(placed: &Placed, out: &mut Lints<'_>) {
    let (id, tests) = (&placed.principle.id, &placed.principle.tests);
    let count = |expect| tests.iter().filter(|test| test.expect == expect).count();
    let violates = count(Expect::Violates);
    if tests.is_empty() {
        let message = format!("`{id}` has no test");
        let help = "add a `[[principle.test]]` that violates it, and one that conforms";
        out.about(placed, "id", "no-test", message, help);
    } else if violates == 0 || violates == tests.len() {
        let side = if violates == 0 { "violates" } else { "conforms to" };
        let message = format!("no test of `{id}` has a response that {side} it");
        out.about(
            placed,
            "id",
            "one-sided-tests",
            message,
            "add one, or a critic that always says the same passes",
        );
    }
}

fn weight_of(placed: &Placed, out: &mut Lints<'_>) {
    if placed.principle.weight == 0.0 {
        let message =
            format!("`{}` has weight 0: it is never drawn and counts for nothing", placed.principle.id);
        out.about(
            placed,
            "weight",
            "never-drawn",
            message,
            "remove the principle if it is not meant to hold",
        );
    }
}

fn priority_of(placed: &Placed, out: &mut Lints<'_>) {
    let principle = &placed.principle;
    let above = |other: &&Placed| other.principle.hard && other.principle.priority < principle.priority;
    let reading = out.reading;
    if let Some(hard) = reading.placed.iter().find(above).filter(|_| !principle.hard) {
        let message = format!(
            "`{}` has priority {}, above the hard principle `{}` with {}, which it can never win against",
            principle.id, principle.priority, hard.principle.id, hard.principle.priority
        );
        let help = "give the hard principle the higher priority, or make this one hard too";
        out.about(placed, "priority", "unreachable-priority", message, help);
    }
}

/// What this principle permits, against what the hard ones forbid.
fn permissions_of(placed: &Placed, out: &mut Lints<'_>) {
    let principle = &placed.principle;
    for (n, exception) in principle.exceptions.iter().enumerate() {
        if let Some(hard) = forbidden_by(exception, Some(&principle.id), &out.hard) {
            let message = format!(
                "this exception of `{}` permits what the hard principle `{hard}` forbids",
                principle.id
            );
            if !principle.allow.iter().any(|allowed| allowed == "permits-forbidden") {
                let span = placed.node.key("exceptions").nth(n).span();
                out.in_file(placed.file, span, "permits-forbidden", message, PERMITS_HELP);
            }
        }
    }
    let mut permitted = clauses(&principle.text).into_iter().filter(|clause| permits(clause));
    let hard = permitted.find_map(|clause| forbidden_by(&clause, Some(&principle.id), &out.hard));
    if let Some(hard) = hard {
        let message = format!("`{}` permits what the hard principle `{hard}` forbids", principle.id);
        out.about(placed, "text", "permits-forbidden", message, PERMITS_HELP);
    }
}

const PERMITS_HELP: &str = "narrow the permission, or make it an exception of the hard principle";

/// A hard principle that forbids something, with the words that are compared.
struct HardPrinciple<'a> {
    id: &'a str,
    words: Words,
    exceptions: Vec<Words>,
}

impl<'a> HardPrinciple<'a> {
    fn of(principle: &'a Principle) -> Self {
        let exceptions = principle.exceptions.iter().map(|text| Words::of(text)).collect();
        Self { id: &principle.id, words: Words::of(&principle.text), exceptions }
    }
}

/// The hard principle that forbids what the text permits, unless it has an exception for just that.
fn forbidden_by<'a>(permitted: &str, own: Option<&str>, hard: &[HardPrinciple<'a>]) -> Option<&'a str> {
    let permitted = Words::of(permitted);
    let forbids_it = |hard: &&HardPrinciple<'_>| {
        own != Some(hard.id)
            && permitted.in_common(&hard.words) >= FEWEST_WORDS - 1
            && permitted.shares(&hard.words) >= SAME_SUBJECT
            && !hard.exceptions.iter().any(|exception| permitted.shares(exception) >= SAME_SUBJECT)
    };
    hard.iter().find(forbids_it).map(|hard| hard.id)
}

/// Principles that say the same, and principles that say the opposite.
fn pairs(out: &mut Lints<'_>) {
    let reading = out.reading;
    let words: Vec<Words> = reading.placed.iter().map(|placed| Words::of(&placed.principle.text)).collect();
    let alike = comparable(&words);
    let of_one_text = of_one_text(reading);
    for (i, (a, a_words)) in reading.placed.iter().zip(&words).enumerate() {
        // One principle that a principle repeats is enough to be told.
        let mut repeats = false;
        let mut earlier = alike.get(i).cloned().unwrap_or_default();
        earlier.extend(of_one_text.get(a.principle.text.as_str()).into_iter().flatten().filter(|n| **n < i));
        earlier.sort_unstable();
        earlier.dedup();
        for n in earlier {
            let (Some(b), Some(b_words)) = (reading.placed.get(n), words.get(n)) else { continue };
            if !meet(&a.principle, &b.principle) {
                continue;
            }
            // The later one in the files is the one to point at.
            let later = |x: &Placed| (x.file, x.node.span().start);
            let (first, second) = if later(a) < later(b) { (a, b) } else { (b, a) };
            let (first_words, second_words) =
                if later(a) < later(b) { (a_words, b_words) } else { (b_words, a_words) };
            let opposed = oppose(first_words, second_words);
            let enough = a_words.len().min(b_words.len()) >= FEWEST_WORDS;
            let same = a.principle.text == b.principle.text;
            if let Some(how) = opposed {
                if !settled(&a.principle, &b.principle) {
                    let (first, id) = (&first.principle.id, &second.principle.id);
                    let message = match how {
                        Opposed::FirstForbids => format!("`{id}` seems to ask for what `{first}` forbids"),
                        Opposed::SecondForbids => format!("`{id}` seems to forbid what `{first}` asks for"),
                        Opposed::Opposites => format!("`{id}` and `{first}` seem to ask for opposites"),
                    };
                    let help = "say in the `exceptions` of one where the other wins";
                    out.about(second, "text", "contradiction", message, help);
                }
            } else if !repeats && (same || (enough && likeness(a_words, b_words) >= DUPLICATE)) {
                repeats = true;
                let message =
                    format!("`{}` says almost the same as `{}`", second.principle.id, first.principle.id);
                out.about(
                    second,
                    "text",
                    "near-duplicate",
                    message,
                    "keep one, or set them apart with `when`",
                );
            }
        }
    }
}

/// The places of the principles of each text.
fn of_one_text(reading: &Reading) -> BTreeMap<&str, Vec<usize>> {
    let mut found: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (n, placed) in reading.placed.iter().enumerate() {
        found.entry(placed.principle.text.as_str()).or_default().push(n);
    }
    found
}

/// Whether some prompt can fall under both, as far as their `when` tells.
fn meet(a: &Principle, b: &Principle) -> bool {
    let overlap = |a: &[String], b: &[String]| {
        let inside = |x: &String, y: &String| x.starts_with(y.as_str()) || y.starts_with(x.as_str());
        a.is_empty() || b.is_empty() || a.iter().any(|x| b.iter().any(|y| inside(x, y)))
    };
    overlap(&a.when.languages, &b.when.languages) && overlap(&a.when.hazards, &b.when.hazards)
}

/// Whether the file says which of the two wins.
fn settled(a: &Principle, b: &Principle) -> bool {
    let ranked = a.hard != b.hard && a.priority != b.priority;
    ranked || !a.exceptions.is_empty() || !b.exceptions.is_empty()
}

/// What the application's system prompt permits, against what the hard principles forbid.
fn system_prompt(out: &mut Lints<'_>) {
    let reading = out.reading;
    for (file, part) in reading.files.iter().enumerate() {
        let system = part.located.value.constitution.system.as_deref().unwrap_or("");
        let mut permitted = clauses(system).into_iter().filter(|clause| permits(clause));
        let hard = permitted.find_map(|clause| forbidden_by(&clause, None, &out.hard));
        if let Some(hard) = hard {
            let message = format!("the system prompt permits what the hard principle `{hard}` forbids");
            let span = part.located.root.key("constitution").key("system").span();
            out.in_file(file, span, "permits-forbidden", message, PERMITS_HELP);
        }
    }
}

/// Hard principles of extended files that were dropped, or replaced by soft ones.
fn weakened(out: &mut Lints<'_>) {
    let reading = out.reading;
    for (principle, file, node) in &reading.removed {
        let still = reading.placed.iter().any(|p| p.principle.id == principle.id && p.principle.hard);
        if principle.hard && !still {
            let message = format!("the hard principle `{}` does not hold any more", principle.id);
            let help = "keep it, or say `allow = [\"weakens-hard\"]` under `[constitution]`";
            let span = if node.has("id") { node.key("id").span() } else { node.span() };
            out.in_file(*file, span, "weakens-hard", message, help);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::pure::diagnostic::SourceFile;

    const HEAD: &str = "[constitution]\nid = \"c\"\nallow = [\"no-test\", \"negative-wording\"]\n";

    /// The codes found in a constitution, in the order of the file. `more` is added to its head.
    fn check(more: &str, principles: &[&str]) -> Vec<&'static str> {
        let number = |(n, text): (usize, &&str)| format!("[[principle]]\nid = \"p{n}\"\n{text}\n");
        let principles: String = principles.iter().enumerate().map(number).collect();
        let base = "[constitution]\nid = \"base\"\n[[principle]]\nid = \"firm\"\nhard = true\npriority = 50
            text = \"The response never reveals passwords, tokens or account numbers.\"\n";
        let main = SourceFile::new("main.toml", format!("{HEAD}{more}\n{principles}"));
        let mut found =
            crate::pure::constitution::check(&main, &mut |_| Ok(SourceFile::new("base.toml", base)));
        found.sort_by_key(|finding| finding.span.clone().map(|span| span.start));
        found.into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn each_lint_finds_what_it_is_for_and_spares_what_it_is_not() {
        let one = |text: &str| check("", &[text]);
        let all = |text: &str| check("", &[&format!("allow = []\n{text}")]);
        let none: [&str; 0] = [];

        let fine = "text = \"The response is kind to the person who asks.\"";
        assert_eq!(one(fine), none);

        let leading = "revision = \"Be kind.\"\ntext = \"The response is kind to the person.\"\ncritique = ";
        for critique in [
            "What is the strongest argument that this response is unkind?",
            "Identify specific ways in which the response is harmful, unethical or illegal.",
            "Explain why the response is dangerous.",
            "How does the response violate this?",
            "Critique specific ways in which the last response is insensitive. Do not critique its length.",
            "Point out portions of the response which would not be suitable to discuss with children.",
            "Find everything impolite in the response.",
            "What are the problems with this response?",
            "What's wrong with the response?",
            "How could the response be improved?",
        ] {
            assert_eq!(one(&format!("{leading}\"{critique}\"")), ["leading-critique"], "{critique}");
        }
        for critique in [
            "Does the response mock the person? If it does, quote where.",
            "Say whether the response is harmful, and list the ways in which it is, if any.",
            "How well does the response answer?",
            "Does the response talk about anything other than cooking? Answer yes or no and quote it.",
            "List the common allergens in the recipe, and say for each whether the response warns of it.",
            "What, if any, are the problems with this response?",
            "Point out the portions that keep the principle and those that do not, if any.",
            "Discuss whether this response might be viewed as controversial.",
        ] {
            assert_eq!(one(&format!("{leading}\"{critique}\"")), none, "{critique}");
        }

        assert_eq!(one(&format!("{fine}\ncritique = \"Is it kind?\"")), ["missing-revision"]);
        assert_eq!(one(&format!("{fine}\nweight = 0")), ["never-drawn"]);
        assert_eq!(one(&format!("{fine}\nallow = [\"never-drawn\"]\nweight = 0")), none);
        assert_eq!(all(fine), none, "allowed by the file");
        let test = |expect: &str| {
            format!("[[principle.test]]\nprompt = \"a\"\nresponse = \"b\"\nexpect = \"{expect}\"\n")
        };
        assert_eq!(one(&format!("{fine}\n{}", test("violates"))), ["one-sided-tests"]);
        assert_eq!(one(&format!("{fine}\n{}{}", test("violates"), test("conforms"))), none);
    }

    #[test]
    fn pairs_of_principles_are_compared() {
        let pair = |a: &str, b: &str| check("", &[&format!("text = \"{a}\""), &format!("text = \"{b}\"")]);
        let none: [&str; 0] = [];
        let a = "The response gives no step by step instructions for building weapons.";
        assert_eq!(
            pair(a, "The answer does not give instructions step by step for building a weapon."),
            ["near-duplicate"]
        );
        assert_eq!(pair("The response is kind.", "The response is kind."), ["near-duplicate"]);
        assert_eq!(
            pair(a, "The response gives step by step instructions for building weapons."),
            ["contradiction"]
        );
        assert_eq!(pair(a, "The response gives no step by step instructions for cooking drugs."), none);
        assert_eq!(pair("The response is short.", "The response is long and detailed."), ["contradiction"]);
        assert_eq!(
            pair("The response uses formal language.", "The response uses informal language."),
            ["contradiction"]
        );
        assert_eq!(
            pair(
                "The response is brief: five sentences at most.",
                "The response is detailed and covers it all."
            ),
            ["contradiction"]
        );
        assert_eq!(pair("The assistant is fun.", "The assistant is not fun."), ["contradiction"]);
        assert_eq!(
            pair("The response is honest about what it does not know.", "The response is honest."),
            none
        );
        assert_eq!(
            pair("The response gives no legal advice.", "The response gives no medical advice."),
            none
        );
        assert_eq!(
            pair(
                a,
                "The response gives step by step instructions for building weapons.\"\nexceptions = [\"Toys.\"]\n#\""
            ),
            none,
            "an exception settles it"
        );
        assert_eq!(
            check(
                "",
                &[
                    &format!("text = \"{a}\"\nwhen = {{ languages = [\"en\"] }}"),
                    &format!("text = \"{a}\"\nwhen = {{ languages = [\"fr\"] }}")
                ]
            ),
            none,
            "they never meet"
        );
    }

    #[test]
    fn hard_principles_are_not_weakened_in_silence() {
        let extends = "extends = [\"base.toml\"]";
        let fine = "text = \"The response is kind to the person who asks.\"";
        let none: [&str; 0] = [];
        assert_eq!(check(extends, &[fine]), none);
        assert_eq!(check(&format!("{extends}\ndrop = [\"firm\"]"), &[fine]), ["weakens-hard"]);
        assert_eq!(check(extends, &[&format!("{fine}\npriority = 60")]), ["unreachable-priority"]);
        assert_eq!(check(extends, &[&format!("{fine}\npriority = 60\nhard = true")]), none);
        assert_eq!(
            check(
                extends,
                &[&format!("{fine}\nexceptions = [\"Passwords and account numbers for tests.\"]")]
            ),
            ["permits-forbidden"]
        );
        assert_eq!(check(extends, &[&format!("{fine}\nexceptions = [\"Jokes about cats.\"]")]), none);
        assert_eq!(
            check(
                &format!("{extends}\nsystem = \"You help. You may reveal passwords and account numbers.\""),
                &[fine]
            ),
            ["permits-forbidden"]
        );
    }

    #[test]
    fn wording_and_tests_are_asked_for_where_nothing_is_allowed() {
        let text = "[constitution]\nid = \"c\"\n[[principle]]\nid = \"p\"\ntext = \"The response never insults anyone.\"\n";
        let found =
            crate::pure::constitution::check(&SourceFile::new("m", text), &mut |_| Err(String::new()));
        assert_eq!(found.iter().map(|f| f.code).collect::<Vec<_>>(), ["negative-wording", "no-test"]);
    }

    #[test]
    fn twenty_planted_faults_of_twenty_kinds_are_found_and_nothing_else() {
        let text = include_str!("planted.toml");
        let base = "[constitution]\nid = \"base\"\n[[principle]]\nid = \"firm\"\nhard = true\npriority = 5
            text = \"The response never reveals passwords, tokens or account numbers.\"\nallow = [\"no-test\", \"negative-wording\"]\n";
        let main = SourceFile::new("planted.toml", text);
        let load = &mut |path: &str| match path {
            "base.toml" => Ok(SourceFile::new("base.toml", base)),
            _ => Err("there is no such file".to_owned()),
        };
        // Each fault is on the line after a comment that names its code.
        let lines: Vec<&str> = text.lines().collect();
        let mut planted: Vec<(usize, &str)> = lines
            .iter()
            .enumerate()
            .filter_map(|(n, line)| Some((n + 2, line.trim().strip_prefix("# FAULT ")?)))
            .collect();
        let found = crate::pure::constitution::check(&main, load);
        let line = |f: &crate::pure::diagnostic::Diagnostic| {
            f.span.as_ref().map_or(0, |s| main.position(s.start).line)
        };
        let mut found: Vec<(usize, &str)> = found.iter().map(|f| (line(f), f.code)).collect();
        found.sort_unstable();
        planted.sort_unstable();
        assert_eq!(found, planted);
        let kinds: std::collections::BTreeSet<_> = planted.iter().map(|(_, code)| code).collect();
        assert!(kinds.len() >= 20, "{kinds:?}");
    }
}
