//! One transcript as a person reads it: the prompt, each response, each critique with its verdict, and what changed.

use super::style::{Style, plural};
use super::word_diff::word_diff;
use crate::pure::grade::{Grade, Styled};
use crate::pure::request_class::RequestClass;
use crate::pure::text::printable;
use crate::pure::transcript::{Critique, Ended, Revision, RevisionFate, Transcript, Verdict};
use std::fmt::Write as _;

/// Renders a transcript. Everything that a model or a user wrote is made safe to print.
pub fn render(transcript: &Transcript, style: Style) -> String {
    let mut out = String::new();
    let prompt = &transcript.prompt;
    let labels =
        [prompt.class.map(RequestClass::as_str), prompt.hazard.as_deref(), prompt.language.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>();
    heading(&mut out, style, &format!("prompt {}", prompt.id), &printable(&labels.join(", ")));
    for message in &prompt.messages {
        let _ = writeln!(out, "{}", style.faint(message.role.as_str()));
        body(&mut out, &printable(&message.content), style);
    }
    if let Some(draft) = transcript.draft() {
        heading(&mut out, style, "draft", &model_note(&draft.model, draft.fallback));
        body(&mut out, &printable(&draft.text), style);
    }
    let rounds =
        transcript.critiques.iter().map(|c| c.round).chain(transcript.revisions.iter().map(|r| r.round));
    if let Some(styled) = &transcript.styled {
        render_grade(&mut out, styled, 0, style);
    }
    for round in 1..=rounds.max().unwrap_or(0) {
        render_round(&mut out, transcript, round, style);
    }
    heading(&mut out, style, "end", &ended(&transcript.ended));
    let left: Vec<&str> = transcript.objections(transcript.last).into_iter().collect();
    let graded = transcript.styled.as_ref().and_then(|styled| styled.grade_of(transcript.last));
    let unasked = transcript.standing_verdicts(transcript.last).is_empty();
    let verdict = match (left.is_empty(), &transcript.ended) {
        (_, Ended::NoDraft(_)) => style.bad("no response that can be used"),
        (true, _) if graded.is_some() => {
            format!("the answer is {}", grade_word(graded.unwrap_or(Grade::Undecided), style))
        }
        (true, _) if unasked => style.faint("no principle was asked about the final response"),
        (true, _) => style.good("no principle objects to the final response"),
        (false, _) => style.warn(&format!("still violated: {}", left.join(", "))),
    };
    let usage = transcript.tally.usage;
    let _ = writeln!(
        out,
        "  {verdict}\n  {} calls, {} prompt tokens, {} completion tokens",
        transcript.tally.calls, usage.prompt, usage.completion
    );
    out
}

fn render_round(out: &mut String, transcript: &Transcript, round: u32, style: Style) {
    let critiques =
        transcript.critiques.iter().filter(|c| c.round == round && !c.recheck).collect::<Vec<_>>();
    let objections = critiques.iter().filter(|c| c.verdict == Verdict::Violates).count();
    let note = match critiques.len() {
        0 if transcript.styled.is_some() => "revised for what it lacks".to_owned(),
        0 => "revised without a critique".to_owned(),
        count => format!("{}, {}", plural(count, "critique"), plural(objections, "objection")),
    };
    heading(out, style, &format!("round {round}"), &note);
    // What objects, and what could not be decided, is worth reading; the rest is a list of names.
    for critique in critiques.iter().filter(|c| is_worth_reading(c)) {
        render_critique(out, critique, style);
    }
    for verdict in [Verdict::Conforms, Verdict::NotApplicable] {
        let ids = critiques.iter().filter(|c| c.verdict == verdict).map(|c| printable(&c.principle));
        let ids = ids.collect::<Vec<_>>();
        if !ids.is_empty() {
            paragraph(out, &format!("{} ({}): {}", verdict.as_str(), ids.len(), ids.join(", ")), 2, style);
        }
    }
    for (index, revision) in transcript.revisions.iter().enumerate().filter(|(_, r)| r.round == round) {
        render_revision(out, transcript, revision, style);
        let broken = |c: &&Critique| c.revision == Some(index) && c.recheck && c.verdict == Verdict::Violates;
        for critique in transcript.critiques.iter().filter(broken) {
            render_critique(out, critique, style);
        }
    }
}

/// The grade of a response, and the propositions that it follows from.
fn render_grade(out: &mut String, styled: &Styled, response: usize, style: Style) {
    let Some(graded) = styled.of(response) else { return };
    let grade = grade_word(graded.grade, style);
    let _ = writeln!(out, "  {grade} {}", style.strong(&format!("as {}", printable(&styled.style))));
    for (word, holds) in [("true", Some(true)), ("not true", Some(false)), ("nobody could say", None)] {
        let ids = graded.findings.iter().filter(|finding| finding.holds == holds);
        let ids: Vec<String> = ids.map(|finding| printable(&finding.id)).collect();
        if !ids.is_empty() {
            paragraph(out, &format!("{word}: {}", ids.join(", ")), 4, style);
        }
    }
}

fn grade_word(grade: Grade, style: Style) -> String {
    match grade {
        Grade::Ideal => style.good(grade.as_str()),
        Grade::Acceptable | Grade::Undecided => style.warn(grade.as_str()),
        Grade::Disallowed | Grade::Illogical | Grade::Unacceptable => style.bad(grade.as_str()),
    }
}

fn is_worth_reading(critique: &Critique) -> bool {
    matches!(critique.verdict, Verdict::Violates | Verdict::Undecided)
}

fn render_critique(out: &mut String, critique: &Critique, style: Style) {
    let verdict = critique.verdict.as_str();
    let verdict = match critique.verdict {
        Verdict::Violates => style.bad(verdict),
        Verdict::Conforms => style.good(verdict),
        Verdict::NotApplicable => style.faint(verdict),
        Verdict::Undecided => style.warn(verdict),
    };
    let _ = writeln!(out, "  {verdict} {}", style.strong(&printable(&critique.principle)));
    body(out, &printable(&critique.text), style);
}

fn render_revision(out: &mut String, transcript: &Transcript, revision: &Revision, style: Style) {
    let fate = match &revision.fate {
        RevisionFate::Kept(_) => style.good("kept"),
        RevisionFate::RolledBack(broken) => {
            style.warn(&format!("rolled back: it breaks {}", broken.join(", ")))
        }
        RevisionFate::Rejected(reason) => style.bad(&format!("rejected: {}", printable(reason.as_str()))),
        RevisionFate::Unchanged => style.faint("unchanged"),
    };
    let principles = revision.principles.iter().map(|id| printable(id)).collect::<Vec<_>>().join(", ");
    paragraph(out, &format!("{} for {principles}: {fate}", style.strong("revision")), 2, style);
    let before = transcript.responses.get(revision.from).map_or("", |r| &r.text);
    let after = match revision.fate {
        RevisionFate::Kept(index) => transcript.responses.get(index).map_or("", |r| &r.text),
        RevisionFate::RolledBack(_) | RevisionFate::Rejected(_) | RevisionFate::Unchanged => &revision.text,
    };
    if !after.is_empty() && after != before {
        body(out, &word_diff(before, after, style), style);
    }
    if let (Some(styled), RevisionFate::Kept(response)) = (&transcript.styled, &revision.fate) {
        render_grade(out, styled, *response, style);
    }
}

/// Why a transcript ended, in words.
pub fn ended(ended: &Ended) -> String {
    match ended {
        Ended::Conforms => "conforms".into(),
        Ended::Undecided => "nothing objects, but some verdicts could not be read".into(),
        Ended::Rounds => "the rounds are used up".into(),
        Ended::Oscillation => "a revision came back to an earlier response".into(),
        Ended::RolledBack => "no revision was better".into(),
        Ended::RevisionFailed(reason) => format!("no usable revision: {}", printable(reason.as_str())),
        Ended::Labelled => "compared, not revised".into(),
        Ended::NoDraft(reason) => format!("no usable draft: {}", printable(reason.as_str())),
    }
}

fn model_note(model: &str, fallback: bool) -> String {
    format!("{}{}", printable(model), if fallback { ", fallback" } else { "" })
}

fn heading(out: &mut String, style: Style, title: &str, note: &str) {
    let note = if note.is_empty() { String::new() } else { style.faint(&format!("  {note}")) };
    let _ = writeln!(out, "{}{}{note}", if out.is_empty() { "" } else { "\n" }, style.strong(title));
}

/// Indented text, wrapped at the width of the terminal.
pub fn body(out: &mut String, text: &str, style: Style) {
    for line in text.lines() {
        paragraph(out, line, 4, style);
    }
}

/// One line, indented and wrapped at the width of the terminal.
pub fn paragraph(out: &mut String, line: &str, indent: usize, style: Style) {
    for piece in crate::faces::cli::word_wrap::wrap(line, style.width.saturating_sub(indent)) {
        let _ = writeln!(out, "{}", format!("{:indent$}{piece}", "").trim_end());
    }
}
