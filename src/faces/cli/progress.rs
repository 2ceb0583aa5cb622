//! What a person or a script sees while a run goes on: a receiver of run events.
//!
//! A progress bar on a terminal, one plain line every few seconds elsewhere, one JSON object per line with `--json`.
//! It only shows; a receiver that fails (a closed pipe) never stops a run.

use super::style::Style;
use crate::faces::cli::stdout::stdout;
use crate::pure::reports::examination::Examination;
use crate::pure::text::printable;
use crate::pure::text::printable_json;
use crate::pure::text::short_count;
use crate::pure::transcript::{CutPrompt, Substitute};
use crate::runtime::dataset::prompts::TakenColumns;
use crate::runtime::dataset::readers::Kind;
use crate::runtime::engine::{CallBounds, Event, MirrorNews, ModelInUse, SentKey, Summary};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Where events are shown.
#[derive(Debug)]
pub(super) enum Progress {
    /// JSON lines on stdout.
    Json,
    /// A bar on stderr.
    Bar(Box<Bar>),
    /// Plain lines on stderr.
    Lines(Lines),
}

/// The bar that is on the screen, so that a line can be written beside it.
static DRAWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Writes to standard error; a bar that is on the screen is taken away for that moment.
pub(super) fn write_beside(text: &[u8]) -> std::io::Result<()> {
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match drawn {
        Some(bar) => bar.suspend(|| std::io::stderr().write_all(text)),
        None => std::io::stderr().write_all(text),
    }
}

/// Plain lines.
#[derive(Debug)]
pub(super) struct Lines {
    /// What is counted.
    noun: &'static str,
    /// How many are expected, where known.
    expected: Option<u64>,
    /// What went wrong since the last line, so that a run that waits does not look stuck.
    trouble: Option<String>,
    /// Calls in flight, where the run finds out how many.
    in_flight: Option<u32>,
}

/// The bar on a terminal.
#[derive(Debug)]
pub(super) struct Bar {
    drawn: ProgressBar,
    style: Style,
    /// What went wrong since the last count.
    trouble: Option<String>,
    /// Calls in flight, where the run finds out how many.
    in_flight: Option<u32>,
}

impl Progress {
    /// What a run shows of its prompts: JSON if asked for; else as [`Progress::of`].
    pub(super) fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::of("prompts") }
    }

    /// A bar on a terminal, lines elsewhere, of things that are called `noun`.
    pub(super) fn of(noun: &'static str) -> Self {
        if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
            bar.enable_steady_tick(Duration::from_millis(250));
            *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
            Self::Bar(Box::new(Bar { drawn: bar, style: Style::of_stderr(), trouble: None, in_flight: None }))
        } else {
            Self::Lines(Lines { noun, expected: None, trouble: None, in_flight: None })
        }
    }

    /// Shows one event.
    pub(super) fn show(&mut self, event: &Event) {
        match self {
            Self::Json => {
                if let Ok(line) = serde_json::to_string(event) {
                    let _ = writeln!(stdout(), "{}", printable_json(&line));
                }
            }
            Self::Bar(bar) => bar.show(event),
            Self::Lines(lines) => lines.show(event),
        }
    }
}

impl Lines {
    fn show(&mut self, event: &Event) {
        let line = match event {
            Event::Preflight { models, calls, files, .. } => Some(preflight_text(models, files, *calls)),
            Event::ExaminationBegan { cases } => Some(examining_line(*cases)),
            Event::Examined(examination) => Some(examined_text(examination)),
            Event::RepliesDropped { count } => Some(dropped_line(*count)),
            Event::HubFileChanged { name } => Some(changed_line(name)),
            Event::Started { expected, journalled, .. } => {
                self.expected = *expected;
                (*journalled > 0).then(|| format!("going on: {journalled} answers are in the journal"))
            }
            Event::Progress(summary) => {
                let line = progress_line(self.noun, summary, self.expected);
                Some(line + &at_once(", ", self.in_flight) + &self.trouble.take().unwrap_or_default())
            }
            Event::Stopping => Some(STOPPING.to_owned()),
            Event::Waiting { run, holder } => Some(waiting_line(run, holder)),
            Event::NetworkDisk { run, kind } => Some(network_disk_line(run, kind)),
            Event::Mirror(news) => Some(mirror_line(news)),
            Event::Tuned { limits } => Some(tuned_line(limits)),
            Event::OtherModel(substitute) => Some(other_model_line(substitute)),
            Event::PromptCut(cut) => Some(cut_line(cut)),
            Event::FieldRefused { role, field, instead } => Some(refused_line(role, field, instead)),
            Event::OutageBegan { place, message, patience_s, others } => {
                Some(away_line(place, message, *patience_s, *others))
            }
            Event::OutageEnded { place, lasted_s } => Some(back_line(place, *lasted_s)),
            Event::Retry { role, cause, wait_s } => {
                self.trouble = Some(format!("; {}", retry_line(role, cause, *wait_s)));
                None
            }
            Event::Concurrency { calls, .. } => {
                self.in_flight = Some(*calls);
                None
            }
            Event::Prompt { .. }
            | Event::Reject { .. }
            | Event::Exported { .. }
            | Event::DatasetLeftAlone { .. }
            | Event::Report(_)
            | Event::Summary(_) => None,
        };
        if let Some(line) = line {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }
}

/// Each model with its roles, its place and its key, and the calls that are expected.
fn preflight_text(models: &[ModelInUse], files: &[TakenColumns], calls: Option<CallBounds>) -> String {
    let mut lines: Vec<String> = models.iter().map(model_line).collect();
    // Text has no columns, and a folder may have very many files: those of one form are one line.
    let mut forms: Vec<(&TakenColumns, usize)> = Vec::new();
    for file in files.iter().filter(|file| file.kind != Kind::Text.name()) {
        let same = |known: &&mut (&TakenColumns, usize)| {
            TakenColumns { file: known.0.file.clone(), ..file.clone() } == *known.0
        };
        match forms.iter_mut().find(same) {
            Some((_, more)) => *more += 1,
            None => forms.push((file, 0)),
        }
    }
    lines.extend(forms.into_iter().map(|(file, more)| columns_line(file, more)));
    if let Some(CallBounds { low, high }) = calls {
        let whole =
            |calls: f64| format!("{calls:.0}").parse().map_or_else(|_| "very many".into(), short_count);
        lines.push(if low < high {
            format!("{} to {} calls expected", whole(low), whole(high))
        } else {
            format!("{} calls expected", whole(high))
        });
    }
    lines.join("\n")
}

fn model_line(used: &ModelInUse) -> String {
    let key = match &used.key {
        SentKey::Set { variable } => format!(", key from {variable}"),
        SentKey::NotSet { variable } => format!(", no key ({variable} is not set)"),
        SentKey::Withheld => {
            ", no key (plain http to another machine; `api_key_env` names the one to send)".to_owned()
        }
        SentKey::NotNeeded => String::new(),
    };
    let place = if used.endpoint == used.model { String::new() } else { format!(" @ {}", used.endpoint) };
    let text = format!("{}: {}{place}{key}", used.roles.join(", "), used.model);
    crate::pure::text::printable(&text)
}

/// Which columns of a file are taken.
fn columns_line(taken: &TakenColumns, more: usize) -> String {
    let names = |names: &[String]| {
        let shown: Vec<String> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
        let rest = if names.len() > 8 { format!(" and {} more", names.len() - 8) } else { String::new() };
        shown.join(", ") + &rest
    };
    let others = if more > 0 { format!(" and {more} more like it") } else { String::new() };
    let mut text = format!("{}{others} ({})", taken.file, taken.kind);
    if let Some(prompt) = &taken.prompt {
        let _ = write!(text, ": the prompt is `{prompt}`");
    }
    if !taken.beside.is_empty() {
        let _ = write!(text, ", with {}", names(&taken.beside));
    }
    if !taken.unused.is_empty() {
        let _ = write!(text, "; not used: {}", names(&taken.unused));
    }
    crate::pure::text::printable(&text)
}

fn examining_line(cases: u64) -> String {
    format!("the critic judges {cases} test cases of the constitution first (`method.examine`)")
}

fn examined_text(examination: &Examination) -> String {
    let text = examination.lines().into_iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n");
    crate::pure::text::printable(&text)
}

fn tuned_line(limits: &str) -> String {
    format!("the limits were changed: {limits}")
}

fn dropped_line(count: u64) -> String {
    let (conversations, them) =
        if count == 1 { ("conversation", "it a reject") } else { ("conversations", "them rejects") };
    format!(
        "{count} {conversations} ended in a reply, which was left out (`input.drop_reply = false` makes {them})"
    )
}

fn changed_line(name: &str) -> String {
    format!(
        "`{}` has changed on the hub since this run read it: prompts that are there no longer stay in the run, new ones are \
         added; `@REVISION` behind the name keeps to one commit",
        printable(name)
    )
}

fn other_model_line(substitute: &Substitute) -> String {
    let Substitute { role, asked, answered } = substitute;
    let text = format!(
        "{}: `{asked}` was asked and `{answered}` answered; rows name the one that answered, and \
         `limits.refuse_other_models = true` stops instead",
        role.as_str()
    );
    crate::pure::text::printable(&text)
}

fn cut_line(cut: &CutPrompt) -> String {
    format!(
        "{}: the server's context cuts it; give the server a longer context, and a new `--out` asks again; \
         `limits.refuse_cut_prompts = true` stops instead",
        cut.told()
    )
}

fn refused_line(role: &str, field: &str, instead: &str) -> String {
    format!("{role}: the endpoint refuses `{field}`; the run goes on without it: {instead}")
}

/// A model that is away, in one line.
pub(super) fn away_line(place: &str, message: &str, patience_s: f64, others: usize) -> String {
    if others > 0 {
        let answer =
            if others == 1 { "another endpoint answers".into() } else { format!("{others} others answer") };
        return format!("{place} is away: {message}; {answer} its calls until it is back");
    }
    format!(
        "{place} is away: {message}; its calls wait, one asks again every few seconds, and the run ends after {} \
         (`limits.outage_s`)",
        duration(patience_s)
    )
}

/// A model that is back, in one line.
pub(super) fn back_line(place: &str, lasted_s: f64) -> String {
    format!("{place} answers again, after {}", duration(lasted_s))
}

fn waiting_line(run: &str, holder: &str) -> String {
    crate::pure::text::printable(&format!("`{run}` is being written by {holder}; waiting until it has ended"))
}

fn network_disk_line(run: &str, kind: &str) -> String {
    let text = format!(
        "warning: `{run}` is on a network file system ({kind}): a journal is slow there, and not safe. Give `--out` a folder on a \
         local disk, and `--mirror` one on shared storage"
    );
    crate::pure::text::printable(&text)
}

fn mirror_line(news: &MirrorNews) -> String {
    let text = match news {
        MirrorNews::Restored { records } => format!("going on from the mirror: {records} records"),
        MirrorNews::Damaged { detail } => {
            format!("warning: the mirror: {detail}; what is behind it counts as never written")
        }
        MirrorNews::Trouble { detail, patience_s } => format!(
            "warning: the mirror cannot be written: {detail}; if that goes on for {patience_s} s the run ends (three times `--grace`)"
        ),
        MirrorNews::Mended => "the mirror can be written again".to_owned(),
    };
    crate::pure::text::printable(&text)
}

fn retry_line(role: &str, cause: &str, wait_s: f64) -> String {
    format!("{role}: {cause}, again in {}", duration(wait_s))
}

const STOPPING: &str = "stopping: calls in flight are finished, nothing new is asked; Ctrl-C again stops now";

/// How many calls the journal answered, where it did: a run that asks nothing does not look stuck.
fn known(summary: &Summary) -> String {
    match summary.calls.from_journal {
        0 => String::new(),
        known => format!(" (and {} known)", short_count(known)),
    }
}

/// How many calls may be in flight, where the run finds out.
fn at_once(before: &str, in_flight: Option<u32>) -> String {
    in_flight.map_or_else(String::new, |calls| format!("{before}{calls} calls at once"))
}

/// How many verdicts are undecided, where it is worth a look.
fn undecided(summary: &Summary) -> String {
    let share = summary.verdicts.share_undecided();
    if share < 0.05 { String::new() } else { format!(", {:.0} % of verdicts undecided", share * 100.0) }
}

/// How many rejects there are, where there are any.
fn rejects(summary: &Summary, then: &str) -> String {
    if summary.rejects == 0 { String::new() } else { format!("{} rejects{then}", summary.rejects) }
}

fn progress_line(noun: &str, summary: &Summary, expected: Option<u64>) -> String {
    let done = summary.rows + summary.rejects;
    let of = expected.map_or(String::new(), |total| format!("/{total}"));
    let rate = done as f64 / summary.seconds.max(0.001);
    let eta = match expected {
        Some(total) if rate > 0.0 && total > done => {
            format!(", {} left", duration((total - done) as f64 / rate))
        }
        Some(_) | None => String::new(),
    };
    format!(
        "{done}{of} {noun}, {}{} calls{}, {} tokens, {rate:.1} {noun}/s{eta}{}",
        rejects(summary, ", "),
        short_count(summary.calls.asked),
        known(summary),
        short_count(summary.tokens.prompt + summary.tokens.completion),
        undecided(summary),
    )
}

impl Bar {
    fn show(&mut self, event: &Event) {
        match event {
            Event::Preflight { models, calls, files, .. } => {
                self.print(&self.style.faint(&preflight_text(models, files, *calls)));
            }
            Event::ExaminationBegan { cases } => self.print(&self.style.faint(&examining_line(*cases))),
            Event::Examined(examination) => self.print(&examined_text(examination)),
            Event::RepliesDropped { count } => self.print(&dropped_line(*count)),
            Event::HubFileChanged { name } => self.print(&self.style.warn(&changed_line(name))),
            Event::Started { expected, journalled, .. } => {
                self.drawn.set_style(template(expected.is_some()));
                if let Some(total) = expected {
                    self.drawn.set_length(*total);
                }
                if *journalled > 0 {
                    self.print(&format!("going on: {journalled} answers are in the journal"));
                }
            }
            Event::Progress(summary) => {
                self.drawn.set_position(summary.rows + summary.rejects);
                self.drawn.set_message(format!(
                    "{}{} calls{} · {} tokens{}{}",
                    rejects(summary, " · "),
                    short_count(summary.calls.asked),
                    known(summary),
                    short_count(summary.tokens.prompt + summary.tokens.completion),
                    at_once(" · ", self.in_flight),
                    self.trouble.take().unwrap_or_default(),
                ));
            }
            // In the bar and not a line each: an endpoint that pushes back does so for every call in flight.
            Event::Retry { role, cause, wait_s } => {
                self.trouble = Some(format!(" · {}", retry_line(role, cause, *wait_s)));
            }
            Event::Concurrency { calls, .. } => self.in_flight = Some(*calls),
            Event::Prompt { .. } | Event::Reject { .. } => self.drawn.inc(1),
            Event::Stopping => self.print(&self.style.warn(STOPPING)),
            Event::Waiting { run, holder } => self.print(&waiting_line(run, holder)),
            Event::NetworkDisk { run, kind } => self.print(&self.style.warn(&network_disk_line(run, kind))),
            Event::Tuned { limits } => self.print(&tuned_line(limits)),
            Event::Mirror(news @ (MirrorNews::Restored { .. } | MirrorNews::Mended)) => {
                self.print(&mirror_line(news));
            }
            Event::Mirror(news) => self.print(&self.style.warn(&mirror_line(news))),
            Event::OtherModel(substitute) => self.print(&self.style.warn(&other_model_line(substitute))),
            Event::PromptCut(cut) => self.print(&self.style.warn(&cut_line(cut))),
            Event::FieldRefused { role, field, instead } => {
                self.print(&self.style.warn(&refused_line(role, field, instead)));
            }
            Event::OutageBegan { place, message, patience_s, others } => {
                self.print(&self.style.warn(&away_line(place, message, *patience_s, *others)));
            }
            Event::OutageEnded { place, lasted_s } => self.print(&back_line(place, *lasted_s)),
            Event::Exported { .. } | Event::DatasetLeftAlone { .. } | Event::Report(_) => {}
            Event::Summary(_) => self.drawn.finish_and_clear(),
        }
    }

    fn print(&self, line: &str) {
        self.drawn.suspend(|| {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        });
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.drawn.finish_and_clear();
    }
}

fn template(total: bool) -> ProgressStyle {
    let text = if total {
        "{bar:24} {pos}/{len} · {rate} · {eta} left · {msg}"
    } else {
        "{spinner} {pos} prompts · {rate} · {msg}"
    };
    ProgressStyle::with_template(text)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
        .with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.1}/s", state.per_sec());
        })
}

/// A duration for people: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    let whole = format!("{seconds:.0}").parse::<u64>().unwrap_or(u64::MAX);
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::answer::Usage;
    use crate::runtime::engine::CallCounts;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0, 9_999, 12_345, 4_560_000, 7_000_000_000].map(short_count),
            ["0", "9999", "12.3k", "4.56M", "7.00G"]
        );
        assert_eq!([0.44, 12.2, 200.0, 7500.0].map(duration), ["0.4 s", "12 s", "3 min 20 s", "2 h 05 min"]);
    }

    #[test]
    fn a_plain_line_says_how_far_and_how_long() {
        let summary = Summary {
            prompts: 130,
            rows: 95,
            rejects: 5,
            unfinished: 30,
            calls: CallCounts { asked: 1200, from_journal: 0, retried: 3 },
            tokens: Usage { prompt: 400_000, cached: 0, completion: 100_000 },
            seconds: 50.0,
            ..Summary::default()
        };
        assert_eq!(
            progress_line("prompts", &summary, Some(1000)),
            "100/1000 prompts, 5 rejects, 1200 calls, 500.0k tokens, 2.0 prompts/s, 7 min 30 s left"
        );
    }
}
