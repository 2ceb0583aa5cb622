//! What a person sees while a response is made: the draft as it streams, each objection as it comes, the revision, and
//! the difference.
//!
//! Lines are only ever appended, but for two things that a terminal gets and plain lines do not: a word that grows over the
//! edge moves to the next line, and one status line at the bottom says what is being waited for. Everything that a model
//! wrote goes through [`Printable`] first.

use super::critique_view::{Critics, screened};
use super::session_cost::AnswerSource;
use crate::faces::cli::progress::{away_line, back_line};
use crate::faces::cli::style::Style;
use crate::faces::cli::word_diff::word_diff;
use crate::faces::cli::word_wrap::{Flow, Words, flowed};
use crate::pure::answer::{Answer, Outcome};
use crate::pure::call::{Call, Purpose, Role};
use crate::pure::text::{Printable, one_line, printable};
use crate::runtime::model::wire::ReasoningSplitter;
use crate::runtime::model::{ClientNews, Delta, Outage, Retrying};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// What may be done to what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// A terminal whose cursor may be moved.
    Terminal,
    /// Lines, one after another: screen readers, logs, pipes.
    Lines,
}

/// Where a session writes.
pub(super) struct Screen {
    manner: Manner,
    /// Whether it is standard output, whose width may change.
    measured: bool,
    out: Mutex<Out>,
}

struct Out {
    to: Box<dyn Write + Send>,
    style: Style,
    /// Whether the cursor stands after something, so that the next line must begin with a break.
    open: bool,
    /// Whether a status line stands at the bottom.
    status: bool,
    stream: Option<Stream>,
    critics: Critics,
    /// Whether a title stands above them.
    headed: bool,
}

/// A response that streams in.
struct Stream {
    unmixed: ReasoningSplitter,
    safe: Printable,
    flow: Flow,
    /// Words of reasoning so far.
    thought: usize,
}

impl Stream {
    fn new(width: usize, words: Words) -> Self {
        let flow = Flow::new(width, 2, words);
        Self { unmixed: ReasoningSplitter::default(), safe: Printable::default(), flow, thought: 0 }
    }
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("manner", &self.manner).finish_non_exhaustive()
    }
}

impl Screen {
    /// Standard output.
    pub(super) fn stdout(manner: Manner) -> Self {
        let measured = true;
        Self { measured, ..Self::new(manner, Style::of_stdout(), Box::new(std::io::stdout())) }
    }

    /// A screen that writes to `to`.
    pub(super) fn new(manner: Manner, style: Style, to: Box<dyn Write + Send>) -> Self {
        let critics = Critics::default();
        let out = Out { to, style, open: false, status: false, stream: None, critics, headed: false };
        Self { manner, measured: false, out: Mutex::new(out) }
    }

    fn out(&self) -> std::sync::MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn words(&self) -> Words {
        if self.manner == Manner::Terminal { Words::Live } else { Words::Whole }
    }

    /// Takes the terminal's width anew.
    pub(super) fn fit(&self) {
        if self.measured {
            self.out().style = Style::of_stdout();
        }
    }

    /// How it decorates.
    pub(super) fn style(&self) -> Style {
        self.out().style
    }

    /// A line of its own, or several, as they are.
    pub(super) fn line(&self, text: &str) {
        self.out().line(text);
    }

    /// A sentence or more, broken between words.
    pub(super) fn say(&self, text: &str) {
        let mut out = self.out();
        let text = flowed(text, out.style.width - 1, 0);
        out.line(&text);
    }

    /// One of several lines below a title.
    pub(super) fn tell(&self, text: &str) {
        let mut out = self.out();
        let text = flowed(text, out.style.width - 1, 2);
        out.line(&text);
    }

    /// A call begins. Only what is written for the reader is announced; critiques come side by side and say who they are.
    pub(super) fn begins(&self, call: &Call) {
        let mut out = self.out();
        // Lines have no status that says what is being waited for.
        let announces = out.critics.is_empty() && self.manner == Manner::Lines;
        match &call.purpose {
            Purpose::Draft { .. } | Purpose::Revision { .. } => out.close_critics(),
            Purpose::Screening { .. } if announces => out.head_critics(),
            Purpose::Critique { principle, .. }
            | Purpose::VerdictChoice { principle, .. }
            | Purpose::VerdictFollowUp { principle, .. } => {
                if announces {
                    out.head_critics();
                }
                out.critics.asked(principle);
            }
            Purpose::Screening { .. }
            | Purpose::Comparison { .. }
            | Purpose::Propositions { .. }
            | Purpose::RevisionCheck
            | Purpose::Choice { .. }
            | Purpose::Authoring
            | Purpose::PromptCheck
            | Purpose::Attack
            | Purpose::AttackAnswer
            | Purpose::GoalCheck
            | Purpose::Probe => {}
        }
    }

    /// A model is about to be asked.
    pub(super) fn waits(&self, call: &Call) {
        let text = match &call.purpose {
            Purpose::Draft { .. } | Purpose::Revision { .. } => {
                let mut out = self.out();
                let title = title(call, out.style);
                out.line(&title);
                out.stream = Some(Stream::new(out.style.width - 1, self.words()));
                format!("waiting for {}", printable(&call.model))
            }
            Purpose::Screening { .. }
            | Purpose::Critique { .. }
            | Purpose::VerdictChoice { .. }
            | Purpose::VerdictFollowUp { .. } => self.out().critics.progress(),
            Purpose::Propositions { .. } => "reading the answer".into(),
            Purpose::RevisionCheck => "checking the revision".into(),
            Purpose::Comparison { .. }
            | Purpose::Choice { .. }
            | Purpose::Authoring
            | Purpose::PromptCheck
            | Purpose::Attack
            | Purpose::AttackAnswer
            | Purpose::GoalCheck
            | Purpose::Probe => return,
        };
        self.status(&text);
    }

    /// A piece of an answer.
    pub(super) fn delta(&self, call: &Call, delta: Delta) {
        if !matches!(call.purpose, Purpose::Draft { .. } | Purpose::Revision { .. }) {
            return;
        }
        let mut out = self.out();
        let text = match delta {
            Delta::Restart => {
                // Nothing to say where nothing was shown.
                if out.open {
                    let note = out.style.faint("  [the answer broke off and is asked for again]");
                    out.line(&note);
                }
                out.stream = Some(Stream::new(out.style.width - 1, self.words()));
                return;
            }
            Delta::Text(text) => text,
            Delta::Reasoning(text) => {
                drop(out);
                return self.thinks(&text);
            }
        };
        let Some(stream) = &mut out.stream else { return };
        let (thought, text) = stream.unmixed.push(&text);
        if !thought.is_empty() {
            drop(out);
            return self.thinks(&thought);
        }
        let shown = stream.flow.push(&stream.safe.push(&text));
        out.more(&shown);
    }

    fn thinks(&self, text: &str) {
        let words = {
            let mut out = self.out();
            let Some(stream) = &mut out.stream else { return };
            let first = stream.thought == 0;
            stream.thought += text.split_whitespace().count();
            let words = stream.thought;
            if self.manner == Manner::Lines && first && words > 0 {
                let note = out.style.faint("  (reasoning is not shown)");
                out.line(&note);
            }
            words
        };
        self.status(&format!("thinking, {words} words"));
    }

    /// A call ended.
    pub(super) fn ends(&self, call: &Call, answer: &Answer, came: AnswerSource) {
        let mut out = self.out();
        let trouble = trouble(&answer.outcome);
        let heard = trouble.as_deref().map_or(Ok(answer), Err);
        let style = out.style;
        let shown = match &call.purpose {
            Purpose::Draft { .. } | Purpose::Revision { .. } => {
                let stream = out.stream.take();
                match (stream, came) {
                    (Some(mut stream), AnswerSource::Asked) => {
                        let held = stream.unmixed.end();
                        let rest = stream.safe.push(&held) + stream.safe.end();
                        let rest = stream.flow.push(&rest) + &stream.flow.end();
                        out.more(&rest);
                    }
                    (_, AnswerSource::Again) => {
                        let words = answer.text.split_whitespace().count();
                        let line = format!("{}, as before: {words} words", title(call, out.style));
                        out.line(&line);
                    }
                    (_, AnswerSource::Asked | AnswerSource::Known) => {
                        let title = title(call, out.style);
                        out.line(&title);
                        let text = flowed(&printable(&answer.text), out.style.width - 1, 2);
                        out.line(&text);
                    }
                }
                if let Some(trouble) = trouble {
                    let note = out.style.warn(&trouble);
                    let note = flowed(&note, out.style.width - 1, 2);
                    out.line(&note);
                }
                out.settle();
                return;
            }
            Purpose::Screening { principles, .. } => Some(format!("  {}", screened(principles, heard))),
            Purpose::Critique { .. } | Purpose::VerdictChoice { .. } | Purpose::VerdictFollowUp { .. } => {
                out.critics.answered(call, heard, came, style)
            }
            Purpose::Comparison { .. }
            | Purpose::Propositions { .. }
            | Purpose::RevisionCheck
            | Purpose::Choice { .. }
            | Purpose::Authoring
            | Purpose::PromptCheck
            | Purpose::Attack
            | Purpose::AttackAnswer
            | Purpose::GoalCheck
            | Purpose::Probe => return,
        };
        if let Some(text) = shown {
            out.head_critics();
            out.line(text.trim_end());
        }
        let progress = out.critics.progress();
        drop(out);
        self.status(&progress);
    }

    /// An attempt failed and will be made again, or a model is away.
    pub(super) fn hears_client(&self, news: &ClientNews) {
        let Retrying { role, cause, wait, .. } = match news {
            ClientNews::Retry(retrying) => retrying,
            ClientNews::Outage(Outage::Begins { place, message, patience, others }) => {
                return self.line(&away_line(place, message, patience.as_secs_f64(), *others));
            }
            ClientNews::Outage(Outage::Ends { place, lasted }) => {
                return self.line(&back_line(place, lasted.as_secs_f64()));
            }
            ClientNews::Concurrency(_) => return,
        };
        let text =
            format!("{}: {}; again in {:.1} s", role.as_str(), one_line(cause, 40), wait.as_secs_f64());
        match (self.manner, role) {
            (Manner::Terminal, _) => self.status(&text),
            (Manner::Lines, Role::Generator | Role::Reviser) => self.line(&format!("  [{text}]")),
            // Twenty critics that wait side by side are not worth twenty lines.
            (Manner::Lines, _) => {}
        }
    }

    /// Nothing more comes: closes what is open.
    pub(super) fn rests(&self) {
        let mut out = self.out();
        out.stream = None;
        out.close_critics();
        out.settle();
    }

    /// What changed from one response to another.
    pub(super) fn difference(&self, title: &str, old: &str, new: &str) {
        let mut out = self.out();
        let title = out.style.strong(title);
        out.line(&title);
        let text = flowed(&word_diff(old, new, out.style), out.style.width - 1, 2);
        out.line(text.trim_end());
    }

    /// Says at the bottom what is being waited for, until something else is written. Terminals only.
    fn status(&self, text: &str) {
        if self.manner == Manner::Lines {
            return;
        }
        let mut out = self.out();
        if out.open {
            return; // Text is streaming in: that says enough.
        }
        let text = out.style.faint(&one_line(text, out.style.width - 1));
        out.write(&format!("\r\u{1b}[K{text}"));
        out.status = true;
    }
}

impl Out {
    fn write(&mut self, text: &str) {
        // A screen that is gone is no reason to lose what is being answered.
        let _ = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
    }

    fn clear_status(&mut self) {
        if std::mem::take(&mut self.status) {
            self.write("\r\u{1b}[K");
        }
    }

    /// Ends the line that is open.
    fn settle(&mut self) {
        self.clear_status();
        if std::mem::take(&mut self.open) {
            self.write("\n");
        }
    }

    fn line(&mut self, text: &str) {
        self.settle();
        self.write(&format!("{text}\n"));
    }

    /// Goes on with the line that is open.
    fn more(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.clear_status();
        self.write(text);
        self.open = !text.ends_with('\n');
    }

    /// The title above critiques, once.
    fn head_critics(&mut self) {
        if !std::mem::replace(&mut self.headed, true) {
            let title = self.style.strong("critiques");
            self.line(&title);
        }
    }

    fn close_critics(&mut self) {
        let headed = std::mem::take(&mut self.headed);
        if !self.critics.is_empty() {
            let text = self.critics.close(self.style, if headed { 2 } else { 0 });
            self.line(&text);
        }
    }
}

/// What stands above a text that is written for the reader.
fn title(call: &Call, style: Style) -> String {
    let name = match call.purpose {
        Purpose::Draft { .. } => "draft",
        Purpose::Revision { .. } => "revision",
        Purpose::Screening { .. }
        | Purpose::Critique { .. }
        | Purpose::VerdictChoice { .. }
        | Purpose::VerdictFollowUp { .. }
        | Purpose::Comparison { .. }
        | Purpose::Propositions { .. }
        | Purpose::RevisionCheck
        | Purpose::Choice { .. }
        | Purpose::Authoring
        | Purpose::PromptCheck
        | Purpose::Attack
        | Purpose::AttackAnswer
        | Purpose::GoalCheck
        | Purpose::Probe => "answer",
    };
    let another = if call.draw > 0 { ", another" } else { "" };
    let fallback = if call.fallback { ", fallback" } else { "" };
    format!("{}{another}{fallback}", style.strong(name))
}

/// Why an answer is none; `None` for a complete one.
fn trouble(outcome: &Outcome) -> Option<String> {
    Some(match outcome {
        Outcome::Complete => return None,
        Outcome::Truncated => "cut off at the token ceiling".into(),
        Outcome::Filtered => "the provider's filter took the answer".into(),
        Outcome::Refused => "the provider refused to answer".into(),
        Outcome::Empty => "an empty answer".into(),
        Outcome::Malformed(_) => "an answer that cannot be read".into(),
        Outcome::Failed(why) => format!("no answer: {}", printable(why)),
    })
}
