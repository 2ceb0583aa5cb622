//! `amend show`: a run in numbers and prompts, or one transcript.

use super::Failure;
use super::failure::journal_failure;
use super::reject_reasons;
use super::show_transcript::{ended, render};
use super::style::Style;
use super::word_wrap::columns;
use crate::faces::cli::stdout::stdout;
use crate::pure::reason::Reason;
use crate::pure::reports::judge_report_text;
use crate::pure::text::short_count;
use crate::pure::text::{one_line, printable, printable_json};
use crate::runtime::journal::{Found, OutlineRow, Reader};
use crate::runtime::journal::{Outline, Row};
use crate::runtime::project::{FrozenRun, RunDir, rejects_by_reason};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

/// Show a run, or one transcript with what changed between revisions
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(after_help = "Examples:\n  amend show runs/night                  the run in numbers\n  \
                        amend show runs/night --prompts        every prompt, a line each\n  \
                        amend show runs/night --rejects        what failed, where and why\n  \
                        amend show runs/night 3f2a             the transcript whose id begins so")]
pub(super) struct Args {
    /// The run directory
    run: String,
    /// A prompt's id, or its beginning
    #[arg(value_name = "PROMPT_ID")]
    prompt_id: Option<String>,
    /// List every prompt
    #[arg(long, conflicts_with = "prompt_id")]
    prompts: bool,
    /// List every reject with its place and reason
    #[arg(long, conflicts_with_all = ["prompt_id", "prompts"])]
    rejects: bool,
    /// Show the length and a hash of each text in its place
    #[arg(long, requires = "prompt_id")]
    redact: bool,
    /// JSON: one object, or one per line with --prompts and --rejects
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let dir = RunDir::existing(&args.run)?;
    let reader = Reader::open(&dir.path).map_err(|error| journal_failure(&error))?;
    let style = Style::of_stdout();
    let mut out = std::io::BufWriter::new(stdout());
    // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
    let mut line = |text: String| drop(writeln!(out, "{}", text.trim_end()));
    if let Some(id) = &args.prompt_id {
        line(show_one(&reader, id, args, style)?);
    } else if args.rejects {
        for reject in reader.rejects() {
            let reject = reject.map_err(|error| journal_failure(&error))?;
            line(if args.json { json(&reject)? } else { reject_line(&reject, style) });
        }
    } else if args.prompts {
        for_each_outline(&reader, |row| {
            line(if args.json { outline_json(row) } else { outline_line(row, style) });
        })?;
    } else {
        line(show_run(&reader, &dir, args.json, style)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::new(super::failure::Kind::Bug, error.to_string()))?;
    Ok(printable_json(&text))
}

fn show_one(reader: &Reader, id: &str, args: &Args, style: Style) -> Result<String, Failure> {
    match reader.transcript(id).map_err(|error| journal_failure(&error))? {
        Found::One(transcript) => {
            let transcript = if args.redact { transcript.redacted() } else { *transcript };
            if args.json { json(&transcript) } else { Ok(render(&transcript, style)) }
        }
        Found::Several(ids) => {
            let ids = ids.iter().map(|id| id.0.as_str()).collect::<Vec<_>>().join(", ");
            Err(Failure::usage(format!("several prompts begin with `{id}`: {ids}"))
                .hint("give more of the id"))
        }
        Found::None => {
            Err(Failure::usage(format!("no transcript of this run has an id that begins with `{id}`"))
                .hint("`amend show RUN --prompts` lists them, `--rejects` what failed"))
        }
    }
}

fn for_each_outline(reader: &Reader, mut see: impl FnMut(&OutlineRow)) -> Result<(), Failure> {
    let mut after = String::new();
    loop {
        let page = reader.outlines(&after, 1000).map_err(|error| journal_failure(&error))?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.id.0);
        page.iter().for_each(&mut see);
    }
}

fn outline_json(row: &OutlineRow) -> String {
    let OutlineRow { id, at, outline } = row;
    printable_json(&serde_json::json!({ "prompt_id": id, "at": at, "outline": outline }).to_string())
}

fn outline_line(row: &OutlineRow, style: Style) -> String {
    let OutlineRow { id, at, outline } = row;
    let end = match &outline.row {
        Row::Kept => ended(&outline.ended),
        Row::Rejected { reason, .. } => style.bad(&format!("rejected: {}", printable(reason.as_str()))),
    };
    let left = match outline.violated.as_slice() {
        [] => String::new(),
        ids => style.warn(&format!("  still violated: {}", ids.join(", "))),
    };
    format!(
        "{id}  {} {}, {end}{left}  {}",
        outline.rounds,
        if outline.rounds == 1 { "revision" } else { "revisions" },
        style.faint(&printable(at))
    )
}

fn reject_line(reject: &crate::pure::reject::Reject, style: Style) -> String {
    let place = reject.at.as_deref().or(reject.prompt_id.as_ref().map(|id| id.0.as_str())).unwrap_or("?");
    let head = format!("{}  {}", one_line(place, style.width), style.bad(&printable(reject.reason.as_str())));
    let room = style.width.saturating_sub(columns(&head) + 2).max(20);
    format!("{head}  {}", one_line(&reject.detail, room))
}

/// What a run came to, gathered from its outlines.
#[derive(Debug, Default, serde::Serialize)]
struct Totals {
    transcripts: u64,
    rows: u64,
    calls: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    revised: u64,
    ended: BTreeMap<String, u64>,
    violated: BTreeMap<String, u64>,
}

impl Totals {
    fn add(&mut self, outline: &Outline) {
        self.transcripts += 1;
        self.rows += u64::from(outline.row == Row::Kept);
        self.calls += outline.tally.calls;
        self.prompt_tokens += outline.tally.usage.prompt;
        self.completion_tokens += outline.tally.usage.completion;
        self.revised += u64::from(outline.rounds > 0);
        *self.ended.entry(ended(&outline.ended)).or_default() += 1;
        for id in &outline.violated {
            *self.violated.entry(id.clone()).or_default() += 1;
        }
    }
}

fn show_run(reader: &Reader, dir: &RunDir, as_json: bool, style: Style) -> Result<String, Failure> {
    let counts = reader.counts().map_err(|error| journal_failure(&error))?;
    let mut totals = Totals::default();
    for_each_outline(reader, |row| totals.add(&row.outline))?;
    let reasons = rejects_by_reason(reader).map_err(|error| journal_failure(&error))?;
    // Made anew rather than read: what is stored may be of before the last change.
    let judged = FrozenRun::open(&dir.path)?.report(reader)?;
    if as_json {
        let value = serde_json::json!({
            "run": dir.path, "judge": judged, "passes": counts.passes, "input_read": counts.input_read, "answers": counts.answers,
            "prompts": counts.prompts, "rejects": counts.rejects, "reasons": reasons, "totals": totals,
        });
        return Ok(value.to_string());
    }
    let mut out = String::new();
    let _ = writeln!(out, "{}", style.strong(&dir.path.display().to_string()));
    let state = if counts.input_read { "" } else { "; not finished: run the same command again to go on" };
    let _ = writeln!(
        out,
        "  {} transcripts, {} rows, {} rejects, {} answers in the journal{state}",
        totals.transcripts,
        totals.rows,
        counts.rejects,
        short_count(counts.answers)
    );
    let _ = writeln!(
        out,
        "  {} of them revised; {} calls, {} prompt tokens, {} completion tokens",
        totals.revised,
        short_count(totals.calls),
        short_count(totals.prompt_tokens),
        short_count(totals.completion_tokens)
    );
    table(&mut out, style, "how they ended", &totals.ended);
    table(&mut out, style, "still violated at the end, by principle", &totals.violated);
    reject_table(&mut out, style, &reasons);
    for (title, lines) in judge_report_text::sections(&judged) {
        let _ = writeln!(out, "\n{}", style.strong(title));
        for line in lines {
            let _ = writeln!(out, "  {line}");
        }
    }
    let _ = writeln!(
        out,
        "\n{}",
        style.faint("amend show RUN --prompts lists the prompts; amend show RUN PROMPT_ID shows one")
    );
    Ok(out)
}

/// The reasons of rejects, the most frequent first, each with what to do next.
fn reject_table(out: &mut String, style: Style, reasons: &BTreeMap<Reason, u64>) {
    if reasons.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", style.strong("rejects, by reason"));
    let mut reasons: Vec<_> = reasons.iter().collect();
    reasons.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    for (reason, n) in reasons {
        let _ = writeln!(out, "  {n:>7}  {}", printable(reason.as_str()));
        let _ = writeln!(out, "{}", reject_reasons::next_step(reason, 11, style));
    }
}

fn table(out: &mut String, style: Style, title: &str, rows: &BTreeMap<String, u64>) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", style.strong(title));
    let mut rows = rows.iter().collect::<Vec<_>>();
    rows.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    for (name, n) in rows {
        let _ = writeln!(out, "  {n:>7}  {name}");
    }
}
