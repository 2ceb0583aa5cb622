//! What a person sees while a response is made: the draft as it streams, each critique and its verdict as it comes,
//! the revision, and the difference.
//!
//! Only ever appends lines: no cursor movement, so that a screen reader, a log and a terminal without colour show the
//! same. Everything a model wrote goes through [`printable`] first.

use crate::cli::style::{Style, one_line, printable};
use crate::cli::wording::word_diff;
use crate::method::verdict::read_critique;
use crate::model::{Answer, Call, Delta, Outcome, Role};
use crate::transcript::Verdict;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// Where a session writes.
pub(super) struct Screen {
    style: Style,
    out: Mutex<Out>,
}

struct Out {
    to: Box<dyn Write + Send>,
    /// Whether the cursor stands after something, so that the next line must begin with a break.
    open: bool,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("style", &self.style).finish_non_exhaustive()
    }
}

impl Screen {
    /// A screen that writes to `to`.
    pub(super) fn new(style: Style, to: Box<dyn Write + Send>) -> Self {
        Self { style, out: Mutex::new(Out { to, open: false }) }
    }

    /// How it decorates.
    pub(super) fn style(&self) -> Style {
        self.style
    }

    fn write(&self, text: &str, open: bool) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // A screen that is gone is no reason to lose what is being answered.
        let _ = out.to.write_all(text.as_bytes());
        let _ = out.to.flush();
        out.open = open;
    }

    /// A line of its own.
    pub(super) fn line(&self, text: &str) {
        let open = self.out.lock().unwrap_or_else(PoisonError::into_inner).open;
        self.write(&format!("{}{text}\n", if open { "\n" } else { "" }), false);
    }

    /// A call begins. Only what is written for the reader is announced; critiques come side by side and say who they are.
    pub(super) fn begins(&self, call: &Call) {
        match call.role {
            Role::Generator => self.line(&self.style.strong("draft")),
            Role::Reviser => self.line(&self.style.strong("revision")),
            Role::Critic | Role::Judge => {}
        }
    }

    /// A piece of an answer.
    pub(super) fn delta(&self, call: &Call, delta: &Delta) {
        match (call.role, delta) {
            (Role::Generator | Role::Reviser, Delta::Text(text)) => {
                self.write(&printable(text), true);
            }
            (Role::Generator | Role::Reviser, Delta::Restart) => {
                self.line(&self.style.faint("[asked again]"));
            }
            (Role::Critic | Role::Judge, _) | (_, Delta::Reasoning(_)) => {}
        }
    }

    /// A call ended. `streamed` says whether its text was shown already.
    pub(super) fn ends(&self, call: &Call, answer: &Answer, streamed: bool) {
        if answer.outcome != Outcome::Complete {
            self.line(&self.style.warn(&format!("{}: {}", call.role.as_str(), trouble(&answer.outcome))));
            return;
        }
        match call.role {
            Role::Generator | Role::Reviser => {
                if !streamed {
                    self.write(&printable(&answer.text), true);
                }
                self.line("");
            }
            Role::Critic => self.critique(call, answer),
            Role::Judge => {}
        }
    }

    fn critique(&self, call: &Call, answer: &Answer) {
        let request = call.messages.last().map_or("", |message| &message.content);
        let principles = principles_in(request);
        let [principle] = principles.as_slice() else {
            self.line(&self.style.faint(&format!("screened {} principles", principles.len())));
            return;
        };
        let reading = read_critique(&answer.text);
        let verdict = reading.verdict.unwrap_or(Verdict::Undecided);
        let word = verdict.as_str();
        let word = match verdict {
            Verdict::Violates => self.style.bad(word),
            Verdict::Conforms => self.style.good(word),
            Verdict::NotApplicable => self.style.faint(word),
            Verdict::Undecided => self.style.warn(word),
        };
        self.line(&format!("  {word}  {}", self.style.strong(&printable(principle))));
        if verdict == Verdict::Violates {
            let room = self.style.width.saturating_sub(6).max(20) * 3;
            self.line(&format!("      {}", one_line(&reading.text, room)));
        }
    }

    /// What changed from one response to another.
    pub(super) fn difference(&self, old: &str, new: &str) {
        self.line(&self.style.strong("changed"));
        self.line(&word_diff(old, new, self.style));
    }
}

/// The ids on the `Principle [id]:` lines of a request.
fn principles_in(request: &str) -> Vec<&str> {
    request.lines().filter_map(|line| Some(line.strip_prefix("Principle [")?.split_once(']')?.0)).collect()
}

fn trouble(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Complete => String::new(),
        Outcome::Truncated => "cut off at the token ceiling; asked again with a larger one".into(),
        Outcome::Filtered => "the provider's filter took the answer".into(),
        Outcome::Refused => "the provider refused to answer".into(),
        Outcome::Empty => "an empty answer".into(),
        Outcome::Malformed(_) => "an answer that cannot be read".into(),
        Outcome::Failed(why) => format!("no answer: {}", printable(why)),
    }
}
