//! Findings as text for people: place, source line, underline, help, and the repair as a patch.

use super::{Diagnostic, Severity, Sources};
use annotate_snippets::{AnnotationKind, Level, Patch, Renderer, Snippet};
use std::ops::Range;

/// How findings are shown.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// With colour.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, width: 100 }
    }
}

/// The findings, one block each, with a blank line between them.
pub fn render(findings: &[Diagnostic], sources: &Sources, style: Style) -> String {
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(style.width);
    findings.iter().map(|finding| render_one(finding, sources, &renderer)).collect::<Vec<_>>().join("\n")
}

fn render_one(finding: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let source = sources.get(&finding.file);
    let title = level.primary_title(printable(&finding.message)).id(finding.code);
    let place = match (source, &finding.span) {
        (Some(source), Some(at)) => {
            // Only the lines that it is about: a whole file for each finding takes time that grows with both.
            let (start, lines, number) = source.lines_of(at);
            let span = clamp(at, start, lines);
            title.element(
                Snippet::source(lines)
                    .line_start(number)
                    .path(&finding.file)
                    .annotation(AnnotationKind::Primary.span(span).label(printable(&finding.label))),
            )
        }
        _ => title.element(annotate_snippets::Origin::path(&finding.file)),
    };
    let fix = source.zip(finding.fix.as_ref());
    // Where there is a repair, the first help is the title of its patch.
    let helps = finding.help.iter().skip(usize::from(fix.is_some()));
    let main = place.elements(helps.map(|help| Level::HELP.message(printable(help))));
    let mut groups = vec![main];
    if let Some((source, fix)) = fix {
        let title = finding.help.first().map_or_else(|| "it can be repaired".into(), |help| printable(help));
        let (start, lines, number) = source.lines_of(&fix.span);
        let patch = Patch::new(clamp(&fix.span, start, lines), fix.replacement.as_str());
        groups.push(
            Level::HELP
                .secondary_title(title)
                .element(Snippet::source(lines).line_start(number).path(&finding.file).patch(patch)),
        );
    }
    let mut out = renderer.render(&groups);
    out.push('\n');
    out
}

/// The span in a text that begins at `begins`, moved onto its characters, so that no file and no parser can make the
/// renderer panic.
fn clamp(span: &Range<usize>, begins: usize, text: &str) -> Range<usize> {
    let on = |offset: usize| {
        let offset = offset.saturating_sub(begins).min(text.len());
        (0..=offset).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    };
    let start = on(span.start);
    start..on(span.end).max(start)
}

/// Text from a file made harmless for a terminal: control characters are shown as escapes.
fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_control() && c != '\n' {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        out
    })
}
