//! What a line typed into `amend chat` means. Pure.

use crate::recipe::Schedule;

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
    /// Switch to another constitution.
    Constitution(String),
    /// List the principles and which are on.
    Principles,
    /// Switch a principle on.
    On(String),
    /// Switch a principle off.
    Off(String),
    /// Edit the constitution in `$EDITOR`, then go again.
    Edit,
    /// Answer the last prompt again; only what changed is asked.
    Again,
    /// One more round of critique and revision.
    Next,
    /// Keep the final response as the model's turn, and mark the transcript accepted.
    Accept,
    /// Rate the final response, 1 to 5, with an optional note.
    Rate(u8, String),
    /// Append the transcript to a JSONL file.
    Save(String),
    /// Append the last exchange to the constitution as a test of a principle.
    Test(String, String),
    /// Change the model of one role, or of all.
    Model(Option<String>, String),
    /// Change the schedule.
    Schedule(Schedule),
    /// Change the number of rounds.
    Rounds(u32),
    /// Start a new conversation.
    New,
    /// Show the whole transcript.
    Show,
    /// Show what changed from the draft to the final response.
    Diff,
    /// Show what the session has used.
    Cost,
    /// Leave.
    Quit,
}

/// Name, arguments, and what it does: the help text, completion and parser share this list.
pub(super) const COMMANDS: &[(&str, &str, &str)] = &[
    ("help", "", "list the commands"),
    ("principles", "", "list the principles and which are on"),
    ("on", "ID", "switch a principle on and answer again"),
    ("off", "ID", "switch a principle off and answer again"),
    ("constitution", "FILE", "switch to another constitution and answer again"),
    ("edit", "", "edit the constitution in $EDITOR and answer again; only what changed is asked"),
    ("again", "", "answer the last prompt again"),
    ("next", "", "one more round of critique and revision"),
    ("show", "", "the whole transcript"),
    ("diff", "", "what changed from the draft to the final response"),
    ("accept", "", "mark the final response as good"),
    ("rate", "1-5 [NOTE]", "rate the final response"),
    ("save", "FILE", "append the transcript to a JSONL file as training data"),
    (
        "test",
        "ID VERDICT",
        "append the draft to the constitution as a test: violates, conforms or not-applicable",
    ),
    ("model", "[ROLE] NAME", "change the model of one role, or of all"),
    ("schedule", "NAME", "panel, each or sampled"),
    ("rounds", "N", "most rounds"),
    ("new", "", "start a new conversation"),
    ("cost", "", "calls and tokens of this session"),
    ("quit", "", "leave (also Ctrl-D)"),
];

/// Reads a line. An error says what is wrong and what was probably meant.
pub(super) fn parse(line: &str) -> Result<Line, String> {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Ok(Line::Blank);
    }
    // Two slashes at the start say that the prompt itself begins with one.
    let Some(rest) = trimmed.strip_prefix('/') else { return Ok(Line::Prompt(line.trim_end().to_owned())) };
    if rest.starts_with('/') {
        return Ok(Line::Prompt(rest.to_owned()));
    }
    let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    command(name, argument.trim()).map(Line::Do)
}

fn command(name: &str, argument: &str) -> Result<Command, String> {
    let wanted = |what: &str| Err(format!("`/{name}` wants {what}"));
    let text = |make: fn(String) -> Command, what: &str| {
        if argument.is_empty() {
            Err(format!("`/{name}` wants {what}"))
        } else {
            Ok(make(argument.to_owned()))
        }
    };
    match name {
        "help" | "?" => Ok(Command::Help),
        "principles" => Ok(Command::Principles),
        "on" => text(Command::On, "a principle's id"),
        "off" => text(Command::Off, "a principle's id"),
        "constitution" => text(Command::Constitution, "a file"),
        "edit" => Ok(Command::Edit),
        "again" => Ok(Command::Again),
        "next" => Ok(Command::Next),
        "show" => Ok(Command::Show),
        "diff" => Ok(Command::Diff),
        "accept" => Ok(Command::Accept),
        "rate" => {
            let (stars, note) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
            match stars.parse() {
                Ok(stars @ 1..=5) => Ok(Command::Rate(stars, note.trim().to_owned())),
                Ok(_) | Err(_) => wanted("a number from 1 to 5"),
            }
        }
        "save" => text(Command::Save, "a file"),
        "test" => match argument.split_whitespace().collect::<Vec<_>>().as_slice() {
            [id, verdict @ ("violates" | "conforms" | "not-applicable")] => {
                Ok(Command::Test((*id).to_owned(), (*verdict).to_owned()))
            }
            _ => wanted("a principle's id and a verdict: violates, conforms or not-applicable"),
        },
        "model" => match argument.split_whitespace().collect::<Vec<_>>().as_slice() {
            [name] => Ok(Command::Model(None, (*name).to_owned())),
            [role @ ("generator" | "critic" | "reviser" | "judge"), name] => {
                Ok(Command::Model(Some((*role).to_owned()), (*name).to_owned()))
            }
            _ => wanted("a model's name, perhaps after a role: generator, critic, reviser or judge"),
        },
        "schedule" => match argument {
            "panel" => Ok(Command::Schedule(Schedule::Panel)),
            "each" => Ok(Command::Schedule(Schedule::Each)),
            "sampled" => Ok(Command::Schedule(Schedule::Sampled)),
            _ => wanted("panel, each or sampled"),
        },
        "rounds" => argument.parse().map(Command::Rounds).or_else(|_| wanted("a number")),
        "new" => Ok(Command::New),
        "cost" => Ok(Command::Cost),
        "quit" | "exit" | "q" => Ok(Command::Quit),
        other => Err(unknown(other)),
    }
}

fn unknown(name: &str) -> String {
    let known = || COMMANDS.iter().map(|(known, ..)| *known);
    let begun = known().find(|known| known.starts_with(name));
    let nearest = begun.or_else(|| crate::diagnostic::nearest(name, known()));
    match nearest {
        Some(known) => format!("there is no `/{name}`; did you mean `/{known}`?"),
        None => format!("there is no `/{name}`; `/help` lists the commands"),
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
        check("/off not-preachy", Line::Do(Command::Off("not-preachy".into())));
        check("/rate 4 good but long", Line::Do(Command::Rate(4, "good but long".into())));
        check("/model critic small", Line::Do(Command::Model(Some("critic".into()), "small".into())));
        check("/test honest violates", Line::Do(Command::Test("honest".into(), "violates".into())));
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
        check("/xyzzy", "`/help` lists the commands");
    }

    #[test]
    fn every_listed_command_is_understood() {
        for (name, arguments, _) in COMMANDS {
            let argument = match *arguments {
                "" => "",
                "1-5 [NOTE]" => "3",
                "ID VERDICT" => "a violates",
                "NAME" if *name == "schedule" => "panel",
                "N" => "2",
                _ => "something",
            };
            assert!(matches!(parse(&format!("/{name} {argument}")), Ok(Line::Do(_))), "/{name}");
        }
    }
}
