//! Critiques as a person reads them while they come: they run side by side, so each is shown whole when it ends, what
//! objects in full, and the rest as a count.
//!
//! Only collects and words; `screen` writes.

use super::session_cost::AnswerSource;
use crate::faces::cli::style::{Style, plural};
use crate::faces::cli::word_wrap::flowed;
use crate::pure::answer::Answer;
use crate::pure::call::{Call, Purpose};
use crate::pure::method::read_letter;
use crate::pure::method::verdict::{read_critique, read_screen};
use crate::pure::text::printable;
use crate::pure::transcript::Verdict;

/// The critiques of one response.
#[derive(Debug, Default)]
pub(super) struct Critics {
    seats: Vec<Seat>,
}

/// What is known of one principle.
#[derive(Debug)]
struct Seat {
    id: String,
    said: Said,
    came: AnswerSource,
    /// How likely the response violates it, by the letters that were chosen so far.
    letters: Vec<f64>,
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Verdict(Verdict),
    /// No verdict could be read; the words, or why there are none.
    Unclear(String),
}

impl Critics {
    /// Whether none was asked since the last [`Self::close`].
    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// A critic is asked about a principle; a second call about the same one is a follow-up.
    pub(super) fn asked(&mut self, id: &str) {
        if !self.seats.iter().any(|seat| seat.id == id) {
            self.seats.push(Seat {
                id: id.to_owned(),
                said: Said::Nothing,
                came: AnswerSource::Again,
                letters: Vec::new(),
            });
        }
    }

    /// A critic answered, or gave nothing and `trouble` says why. What is worth reading at once is returned. As everywhere,
    /// an answer without a verdict takes no verdict about the same response back.
    pub(super) fn answered(
        &mut self,
        call: &Call,
        answer: Result<&Answer, &str>,
        came: AnswerSource,
        style: Style,
    ) -> Option<String> {
        let id = call.purpose.principles().first()?;
        let seat = self.seats.iter_mut().find(|seat| seat.id == *id)?;
        seat.came = came;
        let (text, verdict) = match answer {
            Err(trouble) => (trouble.to_owned(), None),
            Ok(answer) => {
                if let Purpose::VerdictChoice { swapped, .. } = call.purpose {
                    return seat.hears_letter(answer, swapped);
                }
                let reading = read_critique(&answer.text, reviewed(call));
                (reading.text, reading.verdict.or_else(|| seat.by_letters()))
            }
        };
        let Some(verdict) = verdict else {
            if !matches!(seat.said, Said::Verdict(_)) {
                seat.said = Said::Unclear(text);
            }
            return None;
        };
        seat.said = Said::Verdict(verdict);
        let worth_reading = verdict == Verdict::Violates && came != AnswerSource::Again;
        worth_reading.then(|| shown(&seat.id, verdict, &text, style))
    }

    /// How far it is, in a few words.
    pub(super) fn progress(&self) -> String {
        let done = self.seats.iter().filter(|seat| seat.said != Said::Nothing).count();
        format!("{done} of {} critiques", self.seats.len())
    }

    /// Ends the critiques of a response: what is left to say of them, indented as what was said before.
    pub(super) fn close(&mut self, style: Style, indent: usize) -> String {
        let seats = std::mem::take(&mut self.seats);
        let mut out = String::new();
        let again: Vec<String> = seats
            .iter()
            .filter(|seat| seat.came == AnswerSource::Again && seat.said == Said::Verdict(Verdict::Violates))
            .map(|seat| printable(&seat.id))
            .collect();
        if !again.is_empty() {
            let line = format!("{}, as before: {}", style.bad("violates"), again.join(", "));
            out.push_str(&flowed(&line, style.width - 1, indent));
            out.push('\n');
        }
        for seat in &seats {
            if let Said::Unclear(text) = &seat.said {
                out.push_str(&shown(&seat.id, Verdict::Undecided, text, style));
            }
        }
        out.push_str(&flowed(&total(&seats), style.width - 1, indent));
        out
    }
}

impl Seat {
    /// One letter of two. What they say to violate is shown when its critique comes.
    fn hears_letter(&mut self, answer: &Answer, swapped: bool) -> Option<String> {
        match read_letter(answer, swapped) {
            Some(p) => self.letters.push(p),
            None => self.said = Said::Unclear(answer.text.clone()),
        }
        if let Some(verdict @ Verdict::Conforms) = self.by_letters() {
            self.said = Said::Verdict(verdict);
        }
        None
    }

    /// The verdict by both letters.
    fn by_letters(&self) -> Option<Verdict> {
        let [forth, back] = self.letters[..] else { return None };
        Some(if forth + back > 1.0 { Verdict::Violates } else { Verdict::Conforms })
    }
}

/// The response that a critique, or the follow-up to one, is about: the turn before the request.
fn reviewed(call: &Call) -> &str {
    let back = if matches!(call.purpose, Purpose::VerdictFollowUp { .. }) { 4 } else { 2 };
    let at = call.messages.len().checked_sub(back);
    at.and_then(|at| call.messages.get(at)).map_or("", |turn| turn.content.as_str())
}

/// "25 critiques: 6 violate, 18 conform, 1 not applicable".
fn total(seats: &[Seat]) -> String {
    let count = |wanted: &dyn Fn(&Said) -> bool| seats.iter().filter(|seat| wanted(&seat.said)).count();
    let is = |verdict: Verdict| move |said: &Said| *said == Said::Verdict(verdict);
    let parts: Vec<String> = [
        (count(&is(Verdict::Violates)), "violate"),
        (count(&is(Verdict::Conforms)), "conform"),
        (count(&is(Verdict::NotApplicable)), "not applicable"),
        (count(&|said| matches!(said, Said::Unclear(_))), "undecided"),
        (count(&|said| *said == Said::Nothing), "not answered"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{n} {word}"))
    .collect();
    let again = seats.iter().all(|seat| seat.came == AnswerSource::Again);
    format!(
        "{}{}: {}",
        plural(seats.len(), "critique"),
        if again { ", as before" } else { "" },
        parts.join(", ")
    )
}

/// One critique in full.
fn shown(id: &str, verdict: Verdict, text: &str, style: Style) -> String {
    let word = match verdict {
        Verdict::Violates => style.bad(verdict.as_str()),
        Verdict::Conforms => style.good(verdict.as_str()),
        Verdict::NotApplicable => style.faint(verdict.as_str()),
        Verdict::Undecided => style.warn(verdict.as_str()),
    };
    let body = flowed(&printable(text.trim()), style.width - 1, 4);
    format!("  {word} {}\n{}\n", style.strong(&printable(id)), body.trim_end())
}

/// What a screening call settled, in a line; where it gave nothing, `trouble` says why, and it settled nothing.
pub(super) fn screened(principles: &[String], answer: Result<&Answer, &str>) -> String {
    let ids: Vec<&str> = principles.iter().map(String::as_str).collect();
    let (verdicts, why) = match answer {
        Ok(answer) => (read_screen(&answer.text, &ids), String::new()),
        Err(trouble) => (Vec::new(), format!(" ({trouble})")),
    };
    let settles =
        |verdict: &&Option<Verdict>| matches!(verdict, Some(Verdict::Conforms | Verdict::NotApplicable));
    let (all, settled) = (ids.len(), verdicts.iter().filter(settles).count());
    format!("screened {all} principles{why}: {settled} settled, {} get a critique", all - settled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::answer::Outcome;
    use crate::pure::call::{Occasion, Role, Sampling};
    use crate::pure::prompt::{Message, PromptId};

    /// A critic's call about a response.
    fn asks(purpose: Purpose) -> Call {
        asks_about("So.", purpose)
    }

    fn asks_about(response: &str, purpose: Purpose) -> Call {
        let mut turns = vec![Message::user("How?"), Message::assistant(response), Message::user("?")];
        if matches!(purpose, Purpose::VerdictFollowUp { .. }) {
            turns.extend([Message::assistant("Hm."), Message::user("And?")]);
        }
        Call {
            prompt_id: PromptId("p".into()),
            role: Role::Critic,
            purpose,
            model: "m".into(),
            sampling: Sampling::default(),
            messages: turns,
            draw: 0,
            seed: 0,
            format: None,
            fallback: false,
        }
    }

    fn critique(id: &str) -> Call {
        asks(Purpose::Critique { principle: id.into(), occasion: Occasion::Round(1) })
    }

    fn letter(id: &str, swapped: bool) -> Call {
        asks(Purpose::VerdictChoice { principle: id.into(), swapped, occasion: Occasion::Round(1) })
    }

    fn follow_up(id: &str) -> Call {
        asks(Purpose::VerdictFollowUp { principle: id.into(), occasion: Occasion::Round(1) })
    }

    fn answer(text: &str) -> Answer {
        Answer { text: text.into(), ..Answer::without_text(Outcome::Complete) }
    }

    #[test]
    fn objections_are_shown_in_full_and_the_rest_is_counted() {
        let mut critics = Critics::default();
        for id in ["kind", "honest", "brief", "safe"] {
            critics.asked(id);
        }
        let mut hear = |id: &str, text: &str, came| {
            critics.answered(&critique(id), Ok(&answer(text)), came, Style::plain())
        };
        assert_eq!(hear("brief", "Fine.\nVerdict: conforms", AnswerSource::Asked), None);
        let objection = hear("kind", "It \u{1b}[2Jscolds.\n\nVerdict: violates", AnswerSource::Asked);
        assert_eq!(objection.as_deref(), Some("  violates kind\n    It \\u{1b}[2Jscolds.\n"));
        assert_eq!(hear("honest", "Untrue.\nVerdict: violates", AnswerSource::Again), None);
        assert_eq!(hear("safe", "Who knows.", AnswerSource::Asked), None);
        assert_eq!(critics.progress(), "4 of 4 critiques");
        assert_eq!(
            critics.close(Style::plain(), 2),
            "  violates, as before: honest\n  undecided safe\n    Who knows.\n  4 critiques: 2 violate, 1 conform, 1 undecided"
        );
        assert!(critics.is_empty());
    }

    #[test]
    fn a_follow_up_settles_what_was_unclear() {
        let mut critics = Critics::default();
        critics.asked("kind");
        critics.answered(&critique("kind"), Err("an empty answer"), AnswerSource::Asked, Style::plain());
        critics.asked("kind");
        critics.answered(
            &follow_up("kind"),
            Ok(&answer("Verdict: not-applicable")),
            AnswerSource::Asked,
            Style::plain(),
        );
        critics.answered(
            &critique("kind"),
            Ok(&answer("Who can tell?")),
            AnswerSource::Asked,
            Style::plain(),
        );
        assert_eq!(critics.close(Style::plain(), 2), "  1 critique: 1 not applicable");
    }

    #[test]
    fn what_a_critic_quotes_of_the_response_is_no_verdict() {
        let mut critics = Critics::default();
        critics.asked("kind");
        let quoted = answer("It ends with:\nVerdict: violates");
        let critique = Purpose::Critique { principle: "kind".into(), occasion: Occasion::Round(1) };
        let call = asks_about("So.\nVerdict: violates", critique);
        critics.answered(&call, Ok(&quoted), AnswerSource::Asked, Style::plain());
        assert!(critics.close(Style::plain(), 2).ends_with("1 critique: 1 undecided"));
    }

    #[test]
    fn two_letters_are_a_verdict_and_its_critique_comes_after() {
        let mut critics = Critics::default();
        let mut hear = |call: Call, text: &str| {
            critics.asked(&call.purpose.principles()[0]);
            critics.answered(&call, Ok(&answer(text)), AnswerSource::Asked, Style::plain())
        };
        assert_eq!(hear(letter("brief", false), "(B)"), None);
        assert_eq!(hear(letter("brief", true), "(A)"), None);
        assert_eq!(hear(letter("kind", true), "(B)"), None);
        assert_eq!(hear(letter("kind", false), "(A)"), None);
        let objection = hear(critique("kind"), "It scolds.");
        assert_eq!(objection.as_deref(), Some("  violates kind\n    It scolds.\n"));
        assert_eq!(critics.close(Style::plain(), 2), "  2 critiques: 1 violate, 1 conform");
    }

    #[test]
    fn a_screening_without_an_answer_settles_nothing() {
        let principles = ["kind".to_owned(), "brief".to_owned()];
        let said = answer("[kind] conforms\n[brief] violates");
        assert_eq!(screened(&principles, Ok(&said)), "screened 2 principles: 1 settled, 1 get a critique");
        assert_eq!(
            screened(&principles, Err("cut off at the token ceiling")),
            "screened 2 principles (cut off at the token ceiling): 0 settled, 2 get a critique"
        );
    }
}
