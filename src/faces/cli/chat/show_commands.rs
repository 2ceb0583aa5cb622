//! Commands that show: help, the principles, the turns, a transcript, a difference, the cost.

use super::command::{COMMANDS, From};
use super::session::Session;
use super::summary;
use crate::faces::cli::Failure;
use crate::faces::cli::show_transcript;
use crate::faces::cli::style::plural;
use crate::faces::cli::word_wrap::flowed;
use crate::pure::text::{one_line, printable};
use std::fmt::Write as _;

/// Turns that are listed when a session is gone on with.
const TURNS_SHOWN: usize = 10;

/// What the keys do, below the list of commands.
const KEYS: &str = "\
Enter sends; Alt-Enter, a \\ at the end of a line, or \"\"\" before and after go on. // begins a prompt with a slash. Tab \
completes commands, ids and files; Up and Ctrl-R find what was typed before. Ctrl-C stops an answer or empties the line.";

impl Session {
    pub(super) fn help(&self) {
        let width = self.screen.style().width - 1;
        let mut text = String::new();
        for (name, arguments, what) in COMMANDS {
            let usage = format!("/{name} {arguments}");
            let what = flowed(what, width, 28);
            let _ = writeln!(text, "  {usage:<25} {}", what.trim_start());
        }
        text.push_str(&flowed(KEYS, width, 2));
        self.screen.line(&text);
    }

    /// Every principle, whether it is on, and what it said of the draft and of the final response.
    pub(super) fn list_principles(&self) {
        let style = self.screen.style();
        let verdicts = |response: Option<usize>| {
            let transcript = self.transcript();
            transcript.zip(response).map_or_else(Vec::new, |(t, n)| t.standing_verdicts(n))
        };
        let (first, last) = (verdicts(Some(0)), verdicts(self.transcript().map(|t| t.last)));
        let mut text = String::new();
        for principle in &self.project.constitution.principles {
            let id = principle.id.as_str();
            let of = |all: &[(&str, crate::pure::transcript::Verdict)]| {
                all.iter().find(|(known, _)| *known == id).map(|(_, verdict)| verdict.as_str())
            };
            let said = match (self.off.contains(id), of(&first), of(&last)) {
                (true, _, _) => "off".to_owned(),
                (false, Some(first), Some(last)) if first != last => format!("{first}, then {last}"),
                (false, Some(one), _) | (false, None, Some(one)) => one.to_owned(),
                (false, None, None) => "on".to_owned(),
            };
            let head = format!("{} {said}: ", style.strong(&printable(id)));
            let room = (style.width - 1).saturating_sub(crate::faces::cli::word_wrap::columns(&head)).max(20);
            let _ = writeln!(text, "{head}{}", one_line(&principle.text, room));
        }
        self.screen.line(text.trim_end());
    }

    /// The turns of the conversation, a line each.
    pub(super) fn list_turns(&self) {
        let turns = self.earlier.iter().chain(&self.last).count();
        if turns == 0 {
            return self.screen.line("nothing is said yet");
        }
        self.list_turns_from(0);
    }

    /// The turns from the one that comes after the first `passed_over`.
    pub(super) fn list_turns_from(&self, passed_over: usize) {
        let style = self.screen.style();
        for (n, exchange) in self.earlier.iter().chain(&self.last).enumerate().skip(passed_over) {
            let mut notes: Vec<String> = vec![match &exchange.transcript {
                Some(transcript) => show_transcript::ended(&transcript.ended),
                None => "no answer".into(),
            }];
            notes.extend(exchange.accepted.then(|| "accepted".to_owned()));
            notes.extend(exchange.rating.as_ref().map(|(stars, _)| format!("rated {stars}")));
            let notes = notes.join(", ");
            let room = (style.width - 8).saturating_sub(notes.chars().count()).max(20);
            self.screen.line(&format!(
                "{:>3}  {}  {notes}",
                n + 1,
                style.strong(&one_line(exchange.prompt.last_user_turn(), room))
            ));
        }
    }

    /// What a session that is gone on with has said so far.
    pub(super) fn show_resumed(&self) {
        let turns = self.earlier.len() + usize::from(self.last.is_some());
        if turns == 0 {
            return;
        }
        self.screen.say(&format!("Going on with a conversation of {}.", plural(turns, "turn")));
        let passed_over = turns.saturating_sub(TURNS_SHOWN);
        if passed_over > 0 {
            self.screen.tell(&format!("… {passed_over} before these; /turns lists them all"));
        }
        self.list_turns_from(passed_over);
    }

    /// One turn's whole transcript; the last one's without a number.
    pub(super) fn show(&self, turn: Option<usize>) -> Result<(), Failure> {
        let transcript = match turn {
            None => self.transcript(),
            Some(n) => {
                let exchange = self.earlier.iter().chain(&self.last).nth(n.saturating_sub(1));
                let exchange = exchange.ok_or_else(|| {
                    Failure::usage(format!("there is no turn {n}")).hint("/turns lists them")
                })?;
                exchange.transcript.as_ref()
            }
        };
        match transcript {
            Some(transcript) => {
                let text = show_transcript::render(transcript, self.screen.style());
                self.screen.line(text.trim_end());
            }
            None => self.screen.line("there is no transcript yet"),
        }
        Ok(())
    }

    pub(super) fn show_difference(&self, from: From) {
        let Some(transcript) = self.transcript() else {
            return self.screen.line("there is no transcript yet");
        };
        let before = self.last.as_ref().and_then(|exchange| exchange.before.as_ref());
        let (title, old) = match from {
            From::Draft => ("changed from the draft", transcript.draft()),
            From::Last => ("changed from the answer before", before.and_then(|t| t.final_response())),
        };
        match (old, transcript.final_response()) {
            (Some(old), Some(new)) if old.text == new.text => self.screen.line("nothing changed"),
            (Some(old), Some(new)) => self.screen.difference(title, &old.text, &new.text),
            (None, _) | (_, None) => self.screen.line("there is nothing to compare with"),
        }
    }

    pub(super) fn show_cost(&self) {
        self.screen.line(&summary::bill(&self.spent(), &self.project.recipe.models));
    }
}
