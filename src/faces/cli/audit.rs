//! `amend audit`: what is wrong with anybody's dataset, without a model; and the dataset again without it. With `--sample` a judge
//! looks at some of its pairs (`judge.rs`).

mod judge;

use super::Failure;
use super::failure::Kind as FailureKind;
use super::judging_args::JudgingArgs;
use super::settings::RecipeArgs;
use crate::faces::cli::stdout::stdout;
use crate::faces::cli::word_wrap::flowed;
use crate::pure::audit::{Code, CodeSet, Cuts, Name, Shape, findings_detail};
use crate::pure::diagnostic::nearest;
use crate::pure::text::{printable, printable_json};
use crate::runtime::audit::{AuditError, AuditSettings, Audited, ColumnNames, audit, write_kept};
use crate::runtime::dataset::readers::{OpenError, RereadableSources, sources};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use judge::Judge;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Find out what is wrong with a dataset, and write it again without it
///
/// Reads pairs, supervised rows, KTO rows, prompts or plain texts that anybody made, and tells which rows teach the wrong
/// thing: empty or equal replies, pairs that are equal once a trainer cuts them, refusals on the wrong side, template tokens
/// and think blocks, copies and contradictions, leaks between splits, keys. No model is asked and nothing is sent anywhere.
/// Nothing is dropped unless `--drop` names it, and a row that is kept keeps its bytes.
///
/// With `--sample N` a judge looks at N random pairs in both orders, without their labels, and the report estimates the share of
/// labels that are wrong, with the judge's own flips and biases beside it. Its answers are kept: the same command goes on where
/// it was, and asks nothing twice.
///
/// Exit codes: 0; 1 when a `--fail-on` is met or a row cannot be read; 2 usage; 4 disk.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("recipe", |arg| arg.long("recipe").requires("sample").help_heading("Judge")),
    mut_arg("sample", |arg| arg.help("Have a judge look at N random pairs, the same ones for the same seed").help_heading("Judge")),
    mut_arg("prompts", |arg| arg.hide(true).conflicts_with("files")),
    mut_args(|arg| if OF_THE_JUDGE.contains(&arg.get_id().as_str()) { arg.requires("sample") } else { arg }),
    mut_arg("limit", |arg| arg.hide(true)),
    mut_arg("column", |arg| arg.hide(true)),
    mut_arg("schedule", |arg| arg.hide(true)),
    mut_arg("rounds", |arg| arg.hide(true)),
    mut_arg("screen", |arg| arg.hide(true)),
    mut_arg("unqualified", |arg| arg.hide(true)),
    after_help = "Examples:\n  amend audit pairs.jsonl.gz\n  \
                        amend audit train.jsonl test.jsonl --holdout benchmark.jsonl --rows\n  \
                        amend audit pairs.parquet --drop equal,both-refuse,cut-equal@512 --out cleaned\n  \
                        amend audit pairs.jsonl --fail-on 'cut-equal@512>0.01' --fail-on 'secret>0'\n  \
                        amend audit pairs.jsonl --sample 300 --base-url http://localhost:8000/v1 --model my-judge"
)]
pub(super) struct Args {
    /// The files: JSON Lines, CSV, Parquet or text, also .gz or .zst; a folder; - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// What the rows are; told by the names of the columns when absent
    #[arg(long, value_enum, value_name = "SHAPE", help_heading = "Rows")]
    shape: Option<Shape>,
    /// The column that holds the text, the reply or the prompt
    #[arg(long, value_name = "COLUMN", help_heading = "Rows")]
    text: Option<String>,
    /// The column that holds the chosen reply
    #[arg(long, value_name = "COLUMN", requires = "rejected", help_heading = "Rows")]
    chosen: Option<String>,
    /// The column that holds the rejected reply
    #[arg(long, value_name = "COLUMN", requires = "chosen", help_heading = "Rows")]
    rejected: Option<String>,
    /// The column that holds the hazard label
    #[arg(long, value_name = "COLUMN", help_heading = "Rows")]
    hazard: Option<String>,
    /// The column that holds the language tag
    #[arg(long, value_name = "COLUMN", help_heading = "Rows")]
    language: Option<String>,
    /// Lengths, in tokens, after which your trainer cuts
    #[arg(long, value_name = "TOKENS", value_delimiter = ',', default_values_t = [512, 1024, 2048], help_heading = "Checks")]
    cut: Vec<u32>,
    /// Bytes that are counted for a token; no tokenizer is asked
    #[arg(long, value_name = "BYTES", default_value_t = 4, help_heading = "Checks")]
    bytes_per_token: u32,
    /// Files whose prompts and texts must not stand in a row, such as a benchmark
    #[arg(long, value_name = "FILE", help_heading = "Checks")]
    holdout: Vec<String>,
    /// Codes that cost a row its place in `--out`
    #[arg(long, value_name = "CODES", value_delimiter = ',', help_heading = "Output")]
    drop: Vec<String>,
    /// Write the kept rows, the list of the others and the report into this folder
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Exit with 1 when a larger share of the rows has the code
    #[arg(long, value_name = "CODE>SHARE", help_heading = "Output")]
    fail_on: Vec<String>,
    #[command(flatten)]
    recipe: RecipeArgs,
    #[command(flatten)]
    judging: JudgingArgs,
    /// Where the judge's answers are kept [default: runs/ID-audit]
    #[arg(long, value_name = "DIR", requires = "sample", help_heading = "Judge")]
    run: Option<String>,
    /// Print one JSON line for every row with a finding first
    #[arg(long, help_heading = "Output")]
    rows: bool,
    /// Print the report as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Flags that say nothing where no judge is asked.
const OF_THE_JUDGE: [&str; 16] = [
    "constitution",
    "templates",
    "model",
    "base_url",
    "api_key_env",
    "max_tokens",
    "seed",
    "concurrency",
    "rpm",
    "tpm",
    "max_calls",
    "set",
    "principles",
    "how",
    "votes",
    "reason_first",
];

/// The longest row that is read.
const MOST_BYTES: usize = 16 << 20;

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let judge = Judge::wanted(args)?;
    let cuts = cuts(args)?;
    let drop = dropped(args, &cuts)?;
    let limits = args.fail_on.iter().map(|text| limit(text, &cuts)).collect::<Result<Vec<_>, _>>()?;
    let reread = |names: &[String]| RereadableSources::new(sources(names, || Box::new(std::io::stdin())));
    let files = reread(&args.files).map_err(|error| cannot_open(&error))?;
    let settings = AuditSettings {
        shape: args.shape,
        columns: ColumnNames {
            text: args.text.clone(),
            chosen: args.chosen.clone(),
            rejected: args.rejected.clone(),
            hazard: args.hazard.clone(),
            language: args.language.clone(),
        },
        cuts,
        holdout: reread(&args.holdout).map_err(|error| cannot_open(&error))?,
        max_bytes: MOST_BYTES,
        out: args.out.clone(),
    };
    let scratch = tempfile::tempdir().map_err(|error| {
        Failure::disk(format!("cannot make a temporary folder: {error}"))
            .hint("set TMPDIR to a folder with room")
    })?;
    let mut audited = {
        let progress = RowsRead::new();
        audit(&files, &settings, scratch.path(), |rows| progress.tell(rows)).map_err(failure)?
    };
    tell_files(&audited);
    if let Some(judge) = judge {
        audited.report.sample = Some(judge.look(args, &audited, &files, &settings)?);
    }
    let mut out = stdout();
    if args.rows {
        print_rows(&audited, &settings.cuts, &mut out);
    }
    let report = &audited.report;
    let text = if args.json {
        printable_json(&serde_json::to_string(report).unwrap_or_default())
    } else {
        report.lines().into_iter().chain(why_bad(&audited)).collect::<Vec<_>>().join("\n")
    };
    // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
    let _ = writeln!(out, "{text}");
    if let Some(folder) = &args.out {
        let written = write_kept(&audited, &files, drop, &settings.cuts, folder)
            .map_err(|error| failure(error.into()))?;
        let line = format!("{}: {} rows kept, {} dropped", folder.display(), written.kept, written.dropped);
        let _ = writeln!(std::io::stderr().lock(), "{}", printable(&line));
    }
    let _ = out.flush();
    let met: Vec<String> = limits.iter().filter_map(|limit| limit.is_met(&audited)).collect();
    for line in &met {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
    Ok(ExitCode::from(u8::from(!met.is_empty() || !audited.bad_rows.is_empty())))
}

fn cuts(args: &Args) -> Result<Cuts, Failure> {
    if args.cut.len() > Cuts::MOST {
        return Err(Failure::usage(format!("`--cut` names more than {} lengths", Cuts::MOST)));
    }
    if args.bytes_per_token == 0 || args.cut.contains(&0) {
        return Err(Failure::usage("`--cut` and `--bytes-per-token` are numbers above 0"));
    }
    Ok(Cuts::new(args.cut.clone(), args.bytes_per_token))
}

/// The codes that cost a row its place.
fn dropped(args: &Args, cuts: &Cuts) -> Result<CodeSet, Failure> {
    let mut set = CodeSet::default();
    for text in &args.drop {
        set.insert(name(text.trim(), cuts)?);
    }
    if !args.drop.is_empty() && args.out.is_none() {
        return Err(Failure::usage("`--drop` writes the rows that are kept, and needs a place for them")
            .hint("give `--out DIR`"));
    }
    Ok(set)
}

/// Figures of a whole set, which no row has.
const OF_THE_SET: [&str; 4] = ["length-bias", "shortcut", "phrase", "empty-cell"];

fn name(text: &str, cuts: &Cuts) -> Result<Name, Failure> {
    if let Some(name) = Name::read(text, cuts) {
        return Ok(name);
    }
    if OF_THE_SET.contains(&text) {
        return Err(Failure::usage(format!("`{text}` is a figure of the whole set: no row has it")));
    }
    let known: Vec<String> = Name::all(cuts).iter().map(ToString::to_string).collect();
    let hint = match nearest(text, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", known.join(", ")),
    };
    Err(Failure::usage(format!("there is no code `{}`", printable(text))).hint(hint))
}

/// A share of rows that may have a code.
struct Limit {
    code: String,
    share: f64,
}

impl Limit {
    /// What is to be said, when more rows have the code.
    fn is_met(&self, audited: &Audited) -> Option<String> {
        let share = audited.report.share_of(&self.code)?;
        let (code, most) = (&self.code, self.share);
        (share > most).then(|| format!("{code}: a share of {share:.4} is more than {most}"))
    }
}

fn limit(text: &str, cuts: &Cuts) -> Result<Limit, Failure> {
    let wrong = || {
        Failure::usage(format!("`--fail-on {}` is no `CODE>SHARE`", printable(text)))
            .hint("such as `--fail-on 'equal>0.01'`; the share is from 0 to 1")
    };
    let (code, share) = text.split_once('>').ok_or_else(wrong)?;
    let share: f64 =
        share.trim().parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(wrong)?;
    Ok(Limit { code: name(code.trim(), cuts)?.to_string(), share })
}

/// How many rows were read so far, on a terminal.
struct RowsRead(ProgressBar);

impl RowsRead {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner} {human_pos} rows read, {per_sec}");
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
        Self(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner())))
    }

    fn tell(&self, rows: u64) {
        self.0.set_position(rows);
    }
}

impl Drop for RowsRead {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Rows that cannot be read are told with their reasons; so many at most.
const BAD_ROWS_TOLD: usize = 3;

/// Why the first bad rows cannot be read.
fn why_bad(audited: &Audited) -> Vec<String> {
    let line = |(row, why): (&usize, &String)| {
        flowed(&printable(&format!("{} cannot be read: {why}", audited.place(*row))), 79, 0)
            .trim_end()
            .to_owned()
    };
    let mut lines: Vec<String> = audited.bad_rows.iter().take(BAD_ROWS_TOLD).map(line).collect();
    if let more @ 1.. = audited.bad_rows.len().saturating_sub(BAD_ROWS_TOLD) {
        lines.push(format!("and {more} more; `--rows` tells them all"));
    }
    lines
}

/// Which columns were looked at, each form of file once.
fn tell_files(audited: &Audited) {
    let mut told: Vec<&str> = Vec::new();
    for file in &audited.files {
        if !told.contains(&file.taken.as_str()) {
            told.push(&file.taken);
            let line = format!("{} ({}): {}", file.name, file.kind.name(), file.taken);
            let _ = writeln!(std::io::stderr().lock(), "{}", printable(&line));
        }
    }
}

/// One JSON line for every row with a finding.
fn print_rows(audited: &Audited, cuts: &Cuts, out: &mut impl std::io::Write) {
    for (row, codes) in audited.codes.iter().enumerate().filter(|(_, codes)| !codes.is_empty()) {
        let names: Vec<String> = codes.names(cuts).iter().map(ToString::to_string).collect();
        let mut line = json!({ "place": audited.place(row), "codes": names });
        let detail = match audited.bad_rows.get(&row) {
            Some(why) => Some(json!({ Code::BadRow.as_str(): why })),
            None => audited.details.get(&row).map(findings_detail),
        };
        if let (Some(detail @ Value::Object(_)), Some(line)) = (detail, line.as_object_mut()) {
            line.insert("detail".into(), detail);
        }
        if writeln!(out, "{}", printable_json(&line.to_string())).is_err() {
            return;
        }
    }
}

fn cannot_open(error: &OpenError) -> Failure {
    Failure::usage(error.to_string()).hint(error.hint())
}

fn failure(error: AuditError) -> Failure {
    use crate::runtime::dataset::export::ExportError;
    match error {
        AuditError::Open(error) => cannot_open(&error),
        AuditError::Layout(error) => Failure::usage(error.to_string())
            .hint("say what the rows are with `--shape`, and name columns with `--text`, `--chosen` and `--rejected`"),
        AuditError::Disk(ExportError::Occupied(path)) => Failure::usage(format!(
            "`{}` exists and is no audit of amend, so it is left alone",
            path.display()
        ))
        .hint("name a new folder with `--out`"),
        AuditError::Disk(ExportError::Setting(text)) => {
            Failure::usage(text).hint("make it JSON Lines first: `jq -c '.[]' FILE > FILE.jsonl`")
        }
        AuditError::Disk(error) => Failure::new(FailureKind::Disk, error.to_string())
            .hint("check the disk and the permissions of the folder"),
    }
}
