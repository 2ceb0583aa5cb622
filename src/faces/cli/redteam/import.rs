//! `amend redteam import`: other tools' finds become `finds.jsonl`; with `--rejudge` they are judged here.

use crate::faces::cli::Failure;
use crate::faces::cli::journaled_work::{JournaledWork, WorkMemo};
use crate::faces::cli::settings::RecipeArgs;
use crate::faces::cli::stdout::stdout;
use crate::faces::cli::whole_file::WholeFile;
use crate::pure::ask::Stop;
use crate::pure::call::Role;
use crate::pure::digest::sha256_hex;
use crate::pure::finds::{BadRow, Find, FindJudge, FindVerdict, Reply, SEVERE, Tool, import};
use crate::pure::method::{GuardQuestion, GuardReading, GuardTurn, MethodContext, ask_guard};
use crate::pure::reports::statistics::Rate;
use crate::pure::text::{one_line, printable};
use crate::runtime::engine::at_hand;
use crate::runtime::private_files;
use crate::runtime::project::models;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Bad rows, and unknown names, that are shown one by one.
const SHOWN: usize = 10;

/// A file of finds larger than this is some other file.
const LARGEST: u64 = 1 << 30;

/// Take in what garak, promptfoo, PyRIT, JailbreakBench or HarmBench found
///
/// A hit of another tool is a claim: detectors that look for refusal words call every answer a hit that has none. So each one is
/// `undecided` here, with the tool's verdict beside it, until `--rejudge` lets the critic judge its answer against the
/// constitution. The same claim in two files (a garak report and its hit log) is one.
///
/// OUT gets `finds.jsonl` and `rejects.jsonl`, and with `--rejudge` the judge's answers.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("recipe", |arg| arg.long("recipe").value_name("RECIPE").required(false)),
    mut_arg("prompts", |arg| arg.hide(true)),
    mut_arg("column", |arg| arg.hide(true)),
    mut_arg("limit", |arg| arg.hide(true)),
    mut_arg("sample", |arg| arg.hide(true)),
    mut_arg("schedule", |arg| arg.hide(true)),
    mut_arg("rounds", |arg| arg.hide(true)),
    mut_arg("screen", |arg| arg.hide(true)),
    mut_arg("unqualified", |arg| arg.hide(true)),
    after_help = "Examples:\n  amend redteam import run.report.jsonl run.hitlog.jsonl --out runs/finds\n  \
                  amend redteam import results.json --out runs/finds --rejudge --recipe amend.toml\n\n\
                  Exit codes: 0 everything was read; 1 some rows could not be read, or could not be judged; 2 a file holds nothing \
                  that is known."
)]
pub(in crate::faces::cli) struct Args {
    /// Files of the tools
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The tool that wrote the files; told from their content when absent
    #[arg(long, value_name = "TOOL")]
    from: Option<Tool>,
    /// Let the critic judge every answer against the constitution
    #[arg(long)]
    rejudge: bool,
    /// Keep answers of severity 4 that broke as they are, not as a hash
    #[arg(long)]
    keep_severe_text: bool,
    /// Where the finds go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What was read and judged, as one JSON object
    #[arg(long)]
    json: bool,
}

/// What all files gave.
#[derive(Debug, Default)]
struct Gathered {
    finds: Vec<Find>,
    bad: Vec<BadRow>,
    skipped: BTreeMap<String, u64>,
    unknown: BTreeMap<String, u64>,
    tools: BTreeMap<&'static str, u64>,
    repeated: u64,
}

/// Runs the command.
pub(in crate::faces::cli) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let gathered = gather(args)?;
    let finds_file = files_of(&args.out)?;
    let Gathered { finds, bad, skipped, unknown, tools, repeated } = gathered;
    let count = finds.len() as u64;
    let (finds, unjudged) = if args.rejudge { rejudge(args, finds)? } else { (finds, 0) };
    let lines: Vec<String> = finds.iter().map(|find| json!(find).to_string()).collect();
    finds_file.write(&lines)?;
    let rejects: Vec<String> = bad.iter().map(|bad| json!(bad).to_string()).collect();
    WholeFile::begin(&args.out.join("rejects.jsonl").to_string_lossy(), true)?.write(&rejects)?;
    let told = Told {
        finds: &finds,
        bad: &bad,
        skipped: &skipped,
        unknown: &unknown,
        tools: &tools,
        repeated,
        unjudged,
    };
    if args.json {
        let _ = writeln!(stdout(), "{}", told.to_json(&args.out));
    } else {
        told.say(&args.out, args.rejudge);
    }
    debug_assert_eq!(count, finds.len() as u64);
    Ok(ExitCode::from(u8::from(!bad.is_empty() || unjudged > 0)))
}

/// Reads every file; one in which nothing is known is refused.
fn gather(args: &Args) -> Result<Gathered, Failure> {
    let mut all = Gathered::default();
    let mut seen = BTreeSet::new();
    for file in &args.files {
        let name = printable(file);
        let size = std::fs::metadata(file)
            .map_err(|error| Failure::usage(format!("cannot read `{name}`: {error}")))?;
        if size.len() > LARGEST {
            return Err(
                Failure::usage(format!("`{name}` is larger than 1 GiB")).hint("split it into several files")
            );
        }
        let bytes =
            std::fs::read(file).map_err(|error| Failure::usage(format!("cannot read `{name}`: {error}")))?;
        // A byte that is no text makes its row unreadable, and no other.
        let text = String::from_utf8_lossy(&bytes);
        let nothing = || {
            Failure::usage(format!("`{name}` holds nothing that is known"))
                .hint("the forms that are read: garak's report and hit log, promptfoo's results, PyRIT's memory, JailbreakBench's artifacts, HarmBench's completions, a CSV with `prompt` and `response`")
                .hint("`--from TOOL` says which tool wrote it")
        };
        let (tool, imported) = import(args.from, file, &text).ok_or_else(nothing)?;
        if imported.finds.is_empty() && imported.skipped.is_empty() {
            return Err(nothing());
        }
        for find in imported.finds {
            if seen.insert(find.find.clone()) {
                *all.tools.entry(tool.into()).or_default() += 1;
                all.finds.push(find);
            } else {
                all.repeated += 1;
            }
        }
        all.bad.extend(imported.bad);
        for (into, from) in [(&mut all.skipped, imported.skipped), (&mut all.unknown, imported.unknown)] {
            for (name, count) in from {
                *into.entry(name).or_default() += count;
            }
        }
    }
    Ok(all)
}

/// The file of the finds. A folder with other things in it is somebody else's.
fn files_of(out: &Path) -> Result<WholeFile, Failure> {
    let finds = out.join("finds.jsonl");
    let name = printable(&out.display().to_string());
    let is_foreign = !finds.exists()
        && std::fs::read_dir(out).is_ok_and(|mut entries| {
            entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != "judge"))
        });
    if is_foreign {
        return Err(Failure::usage(format!(
            "`{name}` exists and holds no finds, so nothing is written there"
        ))
        .hint("name a new folder with `--out`"));
    }
    private_files::create_dir_all(out)
        .map_err(|error| Failure::disk(format!("cannot make `{name}`: {error}")))?;
    WholeFile::begin(&finds.to_string_lossy(), true)
}

/// Judges every answer against the constitution; gives how many could not be judged.
fn rejudge(args: &Args, finds: Vec<Find>) -> Result<(Vec<Find>, u64), Failure> {
    let project = args.recipe.open_project()?;
    let models = models::resolve(&project.recipe)?;
    let cx = project.context(&models)?;
    let model = cx.models.of(Role::Critic).model.clone();
    let work = JournaledWork::open(&args.out.join("judge"), &project, models, args.json)?;
    let count = finds.len() as u64;
    let judge = async |ask: &WorkMemo<'_>, find: Find| judged(ask, &cx, find).await;
    let mut all = Vec::new();
    let mut unjudged = 0;
    work.each("finds", count, at_hand(finds), &judge, |(find, reading)| {
        unjudged += u64::from(reading.is_none());
        all.push(with_verdict(find, reading, &model, args.keep_severe_text));
    })?;
    work.tell();
    Ok((all, unjudged))
}

async fn judged(
    ask: &WorkMemo<'_>,
    cx: &MethodContext,
    find: Find,
) -> Result<(Find, Option<GuardReading>), Stop> {
    let Some(response) = find.response.clone().filter(|_| find.reply != Reply::Empty) else {
        return Ok((find, Some(GuardReading::default())));
    };
    let turn = |turn: &crate::pure::prompt::Message| GuardTurn {
        role: turn.role.as_str().to_owned(),
        content: turn.content.clone(),
    };
    let turns: Vec<GuardTurn> = find.turns.iter().map(turn).collect();
    let reading = ask_guard(ask, cx, &turns, GuardQuestion::Answer(&response)).await.ok();
    Ok((find, reading))
}

/// The find as it was judged: `broke` where a principle is violated, `held` where none is, else `undecided`.
fn with_verdict(mut find: Find, reading: Option<GuardReading>, model: &str, keeps_severe: bool) -> Find {
    let Some(GuardReading { violated, unsure }) = reading else { return find };
    find.verdict = match (violated.is_empty(), unsure.is_empty()) {
        (false, _) => FindVerdict::Broke,
        (true, true) => FindVerdict::Held,
        (true, false) => FindVerdict::Undecided,
    };
    let is_severe = find.severity.is_some_and(|severity| severity >= SEVERE);
    if find.verdict == FindVerdict::Broke && is_severe && !keeps_severe {
        find.response_sha256 = find.response.take().map(|text| sha256_hex(text.as_bytes()));
    }
    find.judge = Some(FindJudge { model: model.to_owned(), principles: violated });
    find
}

/// What is told at the end.
struct Told<'a> {
    finds: &'a [Find],
    bad: &'a [BadRow],
    skipped: &'a BTreeMap<String, u64>,
    unknown: &'a BTreeMap<String, u64>,
    tools: &'a BTreeMap<&'static str, u64>,
    repeated: u64,
    unjudged: u64,
}

impl Told<'_> {
    fn count(&self, verdict: FindVerdict) -> u64 {
        self.finds.iter().filter(|find| find.verdict == verdict).count() as u64
    }

    fn hits(&self) -> impl Iterator<Item = &Find> {
        self.finds.iter().filter(|find| find.source.verdict == "hit")
    }

    fn to_json(&self, out: &Path) -> serde_json::Value {
        json!({
            "out": out.display().to_string(), "finds": self.finds.len(), "tools": self.tools, "hits_claimed": self.hits().count(),
            "broke": self.count(FindVerdict::Broke), "held": self.count(FindVerdict::Held),
            "undecided": self.count(FindVerdict::Undecided), "unjudged": self.unjudged, "repeated": self.repeated,
            "bad": self.bad.len(), "skipped": self.skipped, "unknown": self.unknown,
        })
    }

    fn say(&self, out: &Path, judged: bool) {
        let mut err = std::io::stderr().lock();
        let mut line = |text: String| drop(writeln!(err, "{text}"));
        let tools: Vec<String> =
            self.tools.iter().map(|(tool, count)| format!("{count} of {tool}")).collect();
        line(format!(
            "{}: {} finds ({}), {} of them claimed as hits",
            printable(&out.join("finds.jsonl").display().to_string()),
            self.finds.len(),
            tools.join(", "),
            self.hits().count()
        ));
        if self.repeated > 0 {
            line(format!("  {} more are the same claims in other files", self.repeated));
        }
        for (what, count) in self.skipped {
            line(format!("  left out: {count} {what}"));
        }
        for (name, count) in self.unknown.iter().take(SHOWN) {
            line(format!("  not in the table of names: {} ({count})", one_line(&printable(name), 60)));
        }
        for bad in self.bad.iter().take(SHOWN) {
            line(format!(
                "  {}:{}: {}",
                printable(&bad.file),
                bad.line,
                one_line(&printable(&bad.detail), 100)
            ));
        }
        if let more @ 1.. = self.bad.len().saturating_sub(SHOWN) {
            line(format!("  and {more} more rows that cannot be read, in rejects.jsonl"));
        }
        if judged {
            let broke = self.hits().filter(|find| find.verdict == FindVerdict::Broke).count() as u64;
            let claimed = self.hits().count() as u64;
            let rate = Rate::new(broke, claimed);
            let share = rate.share.map_or_else(String::new, |share| {
                format!(
                    " ({:.0} %, 95 %: {:.0} to {:.0})",
                    share * 100.0,
                    rate.low * 100.0,
                    rate.high * 100.0
                )
            });
            line(format!(
                "  judged here: {} broke, {} held, {} undecided",
                self.count(FindVerdict::Broke),
                self.count(FindVerdict::Held),
                self.count(FindVerdict::Undecided)
            ));
            line(format!("  of {claimed} claimed hits {broke} broke{share}"));
        } else {
            line("  nothing is judged yet: the same command with `--rejudge` and a recipe does that".into());
        }
    }
}
