//! What Tab makes of the end of a line: commands, principle ids, the few words that a command takes, file names.

use super::command::COMMANDS;
use crate::pure::call::Role;
use crate::pure::recipe::{Config, Schedule};
use rustyline::completion::{FilenameCompleter, Pair};

/// What the end of a line may become, and from where. A prompt is not completed.
pub(super) fn candidates(typed: &str, principles: &[String]) -> (usize, Vec<Pair>) {
    let Some(rest) = typed.strip_prefix('/').filter(|rest| !rest.starts_with('/')) else {
        return (typed.len(), Vec::new());
    };
    let Some((command, arguments)) = rest.split_once(' ') else {
        let names = COMMANDS.iter().map(|(name, ..)| *name);
        return (1, pairs(names.filter(|name| name.starts_with(rest))));
    };
    let begun = arguments.rsplit(' ').next().unwrap_or_default();
    let place = arguments.split_whitespace().count() - usize::from(!begun.is_empty());
    let words = words(command, place, principles);
    let matching = pairs(words.iter().map(String::as_str).filter(|word| word.starts_with(begun)));
    let from = typed.len() - begun.len();
    let wants_file = place == 0 && matches!(command, "constitution" | "save");
    if !wants_file {
        return (from, matching);
    }
    // An unreadable folder has nothing to offer.
    let files = FilenameCompleter::new().complete_path(typed, typed.len());
    let (start, files) = files.unwrap_or_else(|_| (from, Vec::new()));
    if start == from { (from, [matching, files].concat()) } else { (start, files) }
}

/// The words that a command takes in a place.
fn words(command: &str, place: usize, principles: &[String]) -> Vec<String> {
    let fixed = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    match (command, place) {
        ("on" | "off", 0) => [principles, &fixed(&["all"])].concat(),
        ("on" | "off" | "only", _) | ("test" | "edit", 0) => principles.to_vec(),
        ("test", 1) => fixed(&["violates", "conforms", "not-applicable"]),
        ("test", 2) => fixed(&["final"]),
        ("schedule", 0) => fixed(&Schedule::ALL.iter().map(|schedule| schedule.as_str()).collect::<Vec<_>>()),
        ("model", 0) => fixed(Role::NAMES),
        ("diff", 0) => fixed(&["last"]),
        ("constitution", 0) => crate::pure::constitution::built_in_names().map(String::from).collect(),
        ("save", 1 | 2) => [fixed(&Config::names()), fixed(&["all"])].concat(),
        (_, _) => Vec::new(),
    }
}

fn pairs<'a>(words: impl Iterator<Item = &'a str>) -> Vec<Pair> {
    words.map(|word| Pair { display: word.to_owned(), replacement: word.to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_ids_and_words_are_completed() {
        let ids = ["not-preachy".to_owned(), "honest".to_owned()];
        let check = |typed: &str, from: usize, words: &[&str]| {
            let (start, pairs) = candidates(typed, &ids);
            assert_eq!(
                (start, pairs.iter().map(|p| p.replacement.as_str()).collect::<Vec<_>>()),
                (from, words.to_vec()),
                "{typed}"
            );
        };
        check("/pr", 1, &["principles"]);
        check("/off no", 5, &["not-preachy"]);
        check("/off not-preachy ho", 17, &["honest"]);
        check("/off a", 5, &["all"]);
        check("/edit h", 6, &["honest"]);
        check("/test honest v", 13, &["violates"]);
        check("/schedule s", 10, &["sampled"]);
        check("/save rows.jsonl pref", 17, &["preference", "preference_implicit", "preference_flat"]);
        check("hello /o", 8, &[]);
        check("//etc/o", 7, &[]);
    }

    #[test]
    fn file_names_are_completed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mine.toml"), "").unwrap();
        let typed = format!("/constitution {}/mi", dir.path().display());
        let (start, pairs) = candidates(&typed, &[]);
        assert_eq!(pairs.len(), 1);
        let before = typed.get(..start).unwrap();
        assert_eq!(format!("{before}{}", pairs[0].replacement), format!("{typed}ne.toml"));
    }
}
