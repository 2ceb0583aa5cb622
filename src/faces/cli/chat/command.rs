//! What a line typed into `amend chat` means. Pure.

use crate::pure::call::Role;
use crate::pure::recipe::Schedule;
use crate::runtime::dataset::rows::Config;

/// A line of input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// Something to answer.
    Prompt(String),
    /// Something to do.
    Do(Command),
    /// Nothing.
    Blank,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// List the commands.
    Help,
    /// List the principles, which are on, and their verdicts.
    Principles,
    /// Switch principles on.
    On(Vec<String>),
    /// Switch principles off.
    Off(Vec<String>),
    /// Leave only these on.
    Only(Vec<String>),
    /// Switch to another constitution.
    Constitution(String),
    /// Edit the constitution in `$EDITOR`, at a principle, then go again.
    Edit(Option<String>),
    /// Read the constitution again, which was edited outside, then go again.
    Reload,
    /// Answer the last prompt again; only what changed is asked.
    Again,
    /// One more round of critique and revision.
    Next,
    /// Mark the final response as good.
    Accept,
    /// Rate the final response, 1 to 5, with an optional note.
    Rate(u8, String),
    /// Append training data to a JSONL file.
    Save(Save),
    /// Append the last exchange to the constitution as a test of a principle.
    Test(Test),
    /// Change the model of one role, or of all.
    Model(Option<Role>, String),
    /// Change the schedule.
    Schedule(Schedule),
    /// Change the number of rounds.
    Rounds(u32),
    /// Change any field of the recipe.
    Set(String),
    /// Start a new conversation.
    New,
    /// List the turns of the conversation.
    Turns,
    /// Show a turn's whole transcript; the last one's without a number.
    Show(Option<usize>),
    /// Show what changed in the final response.
    Diff(From),
    /// Show what the session has used.
    Cost,
    /// Leave.
    Quit,
}

/// What the final response is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// The draft.
    Draft,
    /// The final response before the last change.
    Last,
}

/// What to save, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Save {
    /// The file.
    pub(super) file: String,
    /// Which of the dataset's configs.
    pub(super) config: Config,
    /// Every turn of the conversation, not only the last.
    pub(super) all: bool,
}

/// A test to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Test {
    /// The principle's id.
    pub(super) principle: String,
    /// The verdict expected.
    pub(super) verdict: String,
    /// Of the final response rather than the draft.
    pub(super) of_final: bool,
}

/// Name, arguments, and what it does: the help text, completion and parser share this list.
pub(super) const COMMANDS: &[(&str, &str, &str)] = &[
    ("help", "", "list the commands"),
    ("edit", "[ID]", "edit the constitution in $EDITOR; then again"),
    ("reload", "", "read the constitution again; then again"),
    ("again", "", "answer again; only what changed is asked"),
    ("next", "", "one more round of critique and revision"),
    ("principles", "", "the principles, which are on, their verdicts"),
    ("on", "ID… or all", "switch principles on; then again"),
    ("off", "ID… or all", "switch principles off; then again"),
    ("only", "ID…", "leave only these on; then again"),
    ("constitution", "FILE", "switch to a file or a built-in one; then again"),
    ("model", "[ROLE] NAME", "change the model of a role, or of all; then again"),
    ("schedule", "NAME", "panel, each or sampled; then again"),
    ("rounds", "N", "at most N rounds; then again"),
    ("set", "FIELD=VALUE", "change any field of the recipe; then again"),
    ("show", "[TURN]", "the whole transcript"),
    ("diff", "[last]", "what changed from the draft, or the last answer"),
    ("turns", "", "list the turns of the conversation"),
    ("new", "", "start a new conversation"),
    ("accept", "", "mark the final response as good"),
    ("rate", "1-5 [NOTE]", "rate it"),
    ("save", "FILE [CONFIG] [all]", "append sft rows to a JSONL file, or CONFIG's"),
    ("test", "ID VERDICT [final]", "make the draft a test of a principle, or the final"),
    ("cost", "", "calls, tokens and money of this session"),
    ("quit", "", "leave (also Ctrl-D)"),
];

/// Reads a line. An error says what is wrong and what was probably meant.
pub(super) fn parse(line: &str) -> Result<Line, String> {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Ok(Line::Blank);
    }
    if let Some(block) = trimmed.strip_prefix(BLOCK) {
        let text = block.strip_suffix(BLOCK).unwrap_or(block).trim_matches('\n');
        return Ok(if text.trim().is_empty() { Line::Blank } else { Line::Prompt(text.to_owned()) });
    }
    // Two slashes at the start say that the prompt itself begins with one.
    let Some(rest) = trimmed.strip_prefix('/') else { return Ok(Line::Prompt(line.trim_end().to_owned())) };
    if rest.starts_with('/') {
        return Ok(Line::Prompt(rest.to_owned()));
    }
    let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    command(name, argument.trim()).map(Line::Do)
}

/// Stands before and after a text of several lines.
pub(super) const BLOCK: &str = "\"\"\"";

fn command(name: &str, argument: &str) -> Result<Command, String> {
    let wanted = |what: &str| Err(format!("`/{name}` wants {what}"));
    let words = words(argument);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let owned = || words.iter().map(ToString::to_string).collect::<Vec<String>>();
    match (name, words.as_slice()) {
        ("help" | "?", _) => Ok(Command::Help),
        ("principles", _) => Ok(Command::Principles),
        ("on" | "off" | "only", []) => wanted("a principle's id, or several"),
        ("on", _) => Ok(Command::On(owned())),
        ("off", _) => Ok(Command::Off(owned())),
        ("only", _) => Ok(Command::Only(owned())),
        ("constitution", [file]) => Ok(Command::Constitution((*file).to_owned())),
        ("constitution", _) => wanted("a file, or the name of a built-in constitution"),
        ("edit", []) => Ok(Command::Edit(None)),
        ("edit", [id]) => Ok(Command::Edit(Some((*id).to_owned()))),
        ("edit", _) => wanted("at most one principle's id"),
        ("reload", _) => Ok(Command::Reload),
        ("again", _) => Ok(Command::Again),
        ("next", _) => Ok(Command::Next),
        ("turns", _) => Ok(Command::Turns),
        ("show", []) => Ok(Command::Show(None)),
        ("show", [turn]) => {
            turn.parse().map(|n| Command::Show(Some(n))).or_else(|_| wanted("a turn's number"))
        }
        ("show", _) => wanted("at most one turn's number"),
        ("diff", [] | ["draft"]) => Ok(Command::Diff(From::Draft)),
        ("diff", ["last"]) => Ok(Command::Diff(From::Last)),
        ("diff", _) => wanted("nothing, or `last`"),
        ("accept", _) => Ok(Command::Accept),
        ("rate", _) => {
            let (stars, note) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
            match stars.parse() {
                Ok(stars @ 1..=5) => Ok(Command::Rate(stars, note.trim().to_owned())),
                Ok(_) | Err(_) => wanted("a number from 1 to 5"),
            }
        }
        ("save", [file, more @ ..]) => save(file, more),
        ("save", []) => wanted("a file"),
        ("test", [id, verdict @ ("violates" | "conforms" | "not-applicable"), of @ ..])
            if matches!(of, [] | ["draft" | "final"]) =>
        {
            let of_final = *of == ["final"];
            let (principle, verdict) = ((*id).to_owned(), (*verdict).to_owned());
            Ok(Command::Test(Test { principle, verdict, of_final }))
        }
        ("test", _) => wanted(
            "a principle's id and a verdict (violates, conforms or not-applicable), and perhaps `final`",
        ),
        ("model", [name]) => Ok(Command::Model(None, (*name).to_owned())),
        ("model", [role, name]) if Role::NAMES.contains(role) => {
            Ok(Command::Model(role.parse().ok(), (*name).to_owned()))
        }
        ("model", _) => wanted(&format!("a model's name, perhaps after a role: {}", Role::NAMES.join(", "))),
        ("schedule", [schedule]) => {
            schedule.parse().map(Command::Schedule).or_else(|_| wanted("panel, each or sampled"))
        }
        ("schedule", _) => wanted("panel, each or sampled"),
        ("rounds", [n]) => n.parse().map(Command::Rounds).or_else(|_| wanted("a number")),
        ("rounds", _) => wanted("a number"),
        ("set", []) => wanted("a field and its value, such as `method.screen=true`"),
        ("set", _) => Ok(Command::Set(argument.to_owned())),
        ("new", _) => Ok(Command::New),
        ("cost", _) => Ok(Command::Cost),
        ("quit" | "exit" | "q", _) => Ok(Command::Quit),
        (other, _) => Err(unknown(other)),
    }
}

fn save(file: &str, more: &[&str]) -> Result<Command, String> {
    let mut save = Save { file: file.to_owned(), config: Config::Sft, all: false };
    for word in more {
        match (*word, word.parse().ok()) {
            ("all", _) => save.all = true,
            (_, Some(config)) => save.config = config,
            (_, None) => {
                let names = Config::names();
                let near = crate::pure::diagnostic::nearest(word, names.iter().copied());
                let near = near.map_or_else(
                    || format!("there are {}", names.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                return Err(format!("there is no config `{word}`; {near}"));
            }
        }
    }
    Ok(Command::Save(save))
}

/// Words between white space. A backslash or quotes keep white space in a word, as completion writes it.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut begun, mut quote) = (String::new(), false, None);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\\', None) => word.extend(rest.next()),
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => {
                if std::mem::take(&mut begun) {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            (c, _) => word.push(c),
        }
        begun = true;
    }
    if begun {
        words.push(word);
    }
    words
}

fn unknown(name: &str) -> String {
    let known = || COMMANDS.iter().map(|(known, ..)| *known);
    let begun = known().find(|known| known.starts_with(name));
    let nearest = begun.or_else(|| crate::pure::diagnostic::nearest(name, known()));
    match nearest {
        Some(known) => format!("there is no `/{name}`; did you mean `/{known}`?"),
        None => {
            format!("there is no `/{name}`; `/help` lists the commands, `//` begins a prompt with a slash")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let check = |line: &str, meaning: Line| assert_eq!(parse(line), Ok(meaning));
        check("  ", Line::Blank);
        check(
            "How do I kill a process?\nOn Linux.",
            Line::Prompt("How do I kill a process?\nOn Linux.".into()),
        );
        check("//etc/passwd is what?", Line::Prompt("/etc/passwd is what?".into()));
        check("\"\"\"\nfirst\n\n  /second\n\"\"\"", Line::Prompt("first\n\n  /second".into()));
        check("/off not-preachy kind", Line::Do(Command::Off(vec!["not-preachy".into(), "kind".into()])));
        check("/rate 4 good but long", Line::Do(Command::Rate(4, "good but long".into())));
        check("/model critic small", Line::Do(Command::Model(Some(Role::Critic), "small".into())));
        let test = Test { principle: "honest".into(), verdict: "violates".into(), of_final: true };
        check("/test honest violates final", Line::Do(Command::Test(test)));
        let save = |file: &str, config, all| Line::Do(Command::Save(Save { file: file.into(), config, all }));
        check("/save a\\ b.jsonl", save("a b.jsonl", Config::Sft, false));
        check("/save 'c d' preference all", save("c d", Config::Preference, true));
        check("/schedule each", Line::Do(Command::Schedule(Schedule::Each)));
    }

    #[test]
    fn mistakes_are_answered_with_what_was_meant() {
        let check =
            |line: &str, says: &str| assert!(parse(line).unwrap_err().contains(says), "{:?}", parse(line));
        check("/shwo", "did you mean `/show`");
        check("/princ", "did you mean `/principles`");
        check("/rate 9", "a number from 1 to 5");
        check("/off", "a principle's id");
        check("/test honest maybe", "violates, conforms or not-applicable");
        check("/save f.jsonl preferense", "did you mean `preference`");
        check("/show two", "a turn's number");
        check("/xyzzy", "`/help` lists the commands");
    }

    #[test]
    fn every_listed_command_is_understood() {
        for (name, arguments, _) in COMMANDS {
            let argument = match *arguments {
                "" => "",
                "1-5 [NOTE]" => "3",
                "ID VERDICT [final]" => "a violates",
                "[TURN]" | "N" => "2",
                "[last]" => "last",
                "FILE [CONFIG] [all]" => "f.jsonl",
                "NAME" if *name == "schedule" => "panel",
                _ => "something",
            };
            assert!(matches!(parse(&format!("/{name} {argument}")), Ok(Line::Do(_))), "/{name}");
        }
    }
}
