//! `amend eval choices`: how often a model answers multiple-choice questions right, and how well it knows when it does,
//! so that a judge can be qualified before it is trusted with labels.

use super::{BadRows, read_failure, reasons, share_text};
use crate::faces::cli::Failure;
use crate::faces::cli::failure::stopped;
use crate::faces::cli::journaled_work::{JournaledWork, WorkMemo, check_share, kept_in};
use crate::faces::cli::settings::RecipeArgs;
use crate::faces::cli::stdout::stdout;
use crate::pure::call::Role;
use crate::pure::method::multiple_choice::{Graded, grade};
use crate::pure::multiple_choice::Question;
use crate::pure::prompt::PromptId;
use crate::pure::reason::Reason;
use crate::pure::recipe::{Input, LabelHow, Recipe, is_simulated};
use crate::pure::reject::Reject;
use crate::pure::reports::multiple_choice::{ChoiceReport, ChoiceReporter, Grade};
use crate::pure::reports::statistics::Rate;
use crate::pure::text::{one_line, printable};
use crate::runtime::dataset::choice_columns::ChoiceColumns;
use crate::runtime::dataset::multiple_choice;
use crate::runtime::dataset::prompts::Picked;
use crate::runtime::dataset::readers::{self, RereadableSources};
use crate::runtime::engine::ReadAhead;
use crate::runtime::project::models;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

/// Arguments of `amend eval choices`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(
    mut_arg("prompts", |arg| arg.hide(true)),
    mut_arg("schedule", |arg| arg.hide(true)),
    mut_arg("rounds", |arg| arg.hide(true)),
    mut_arg("screen", |arg| arg.hide(true)),
    after_help = "Examples:\n  amend eval choices hhh.jsonl --base-url http://localhost:8000/v1 --model judge\n  \
                  amend eval choices set.csv recipe.toml --threshold 0.85 --json\n\n\
                  Rows hold `prompt`, `corrects` and `incorrects`: a text, a conversation or a Human/Assistant \
                  transcript, and lists of answers. The columns of anthropics/evals, MMLU, ARC, TruthfulQA and \
                  RewardBench are known too; others are named with --question, --choices and --answer. In a set of \
                  behaviours \"right\" is the answer that matches the behaviour. \
                  Answers such as ` (A)` stand for options that the prompt lists; \
                  others are shuffled by the seed. Where the endpoint gives log-probabilities the likeliest option is \
                  the answer, else the one that is named. What cannot be read counts as wrong, and is told apart."
)]
pub(super) struct Args {
    /// The questions: JSONL, CSV or Parquet, also compressed; a directory; `-` for standard input
    file: String,
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The column of the question
    #[arg(long, value_name = "COLUMN")]
    question: Option<String>,
    /// The column of all options
    #[arg(long, value_name = "COLUMN")]
    choices: Option<String>,
    /// The column of the right option: its letter, label, place from 0, or text
    #[arg(long, value_name = "COLUMN")]
    answer: Option<String>,
    /// The role whose model is asked
    #[arg(long, value_name = "ROLE", default_value = "judge",
          value_parser = PossibleValuesParser::new(Role::OF_RUNS.iter().map(|role| role.as_str())).try_map(|name| name.parse::<Role>()))]
    role: Role,
    /// Take the option that is named, and ask for no log-probabilities
    #[arg(long)]
    by_answer: bool,
    /// Let the model think step by step before it answers
    #[arg(long)]
    reason_first: bool,
    /// Exit with 1 when the accuracy is below this
    #[arg(long, value_name = "SHARE")]
    threshold: Option<f64>,
    /// Where answers are kept, so that they are asked once [default: runs/ID-choices]
    #[arg(long, value_name = "DIR")]
    out: Option<String>,
    /// Print each row's place and grade first
    #[arg(long)]
    rows: bool,
    /// JSON: one object, after one line per row with --rows
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    check_share("--threshold", args.threshold)?;
    if !args.recipe.prompts.is_empty() {
        return Err(Failure::usage("`--prompts` names no questions")
            .hint("the questions are the first argument: `amend eval choices FILE`"));
    }
    let mut project = args.recipe.open_project()?;
    project.recipe.label.reason_first |= args.reason_first;
    if args.by_answer {
        project.recipe.label.how = LabelHow::Votes;
    }
    let models = models::resolve(&project.recipe)?;
    let model = models.of(args.role).model.clone();
    let cx = project.context(&models)?;
    let columns = ChoiceColumns {
        question: args.question.clone().or_else(|| project.recipe.input.column.clone()),
        choices: args.choices.clone(),
        answer: args.answer.clone(),
    };
    let files = QuestionFiles::new(&args.file, columns, &project.recipe)?;
    let looked = files.look_through(args.json)?;
    if !args.json {
        looked.bad.show();
    }
    if looked.count == 0 {
        return Err(Failure::usage(format!("`{}` holds no question", printable(&args.file))).hint(
            "`--question`, `--choices` and `--answer` name the columns of a set that is not known by itself",
        ));
    }
    let LookedThrough { count, bad, drawn } = looked;
    let items = ReadAhead::start(files.questions(drawn)?).map_err(|stop| stopped(&stop))?.into_stream();
    let dir = kept_in(args.out.as_ref(), &project, "choices");
    let work = JournaledWork::open(&dir, &project, models, args.json)?.that_prints(args.rows);
    let mut out = std::io::BufWriter::new(stdout());
    // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
    let mut line = |text: String| drop(writeln!(out, "{text}"));
    let mut reporter = ChoiceReporter::default();
    let graded = async |ask: &WorkMemo<'_>, Asked { question, at }: Asked| {
        Ok((at, grade(ask, &cx, args.role, &question).await?))
    };
    work.each("questions", count, items, &graded, |(at, graded)| {
        reporter.add(&graded);
        if args.rows {
            line(row(&at, &graded, args.json));
        }
    })?;
    work.tell();
    let report = reporter.finish();
    let who = format!("{} ({})", one_line(&model, 60), args.role.as_str());
    line(if args.json {
        to_json(&report, &model, args.role, &bad.told).to_string()
    } else {
        to_text(&report, &who)
    });
    if is_simulated(&model) && !args.json {
        line("The model is simulated: its answers are planted, and say nothing of any other.".to_owned());
    }
    let failed = report.unread.contains_key(&Reason::Failed);
    if failed && !args.json {
        let _ = writeln!(std::io::stderr().lock(), "some calls failed; the same command asks them again");
    }
    let low = args.threshold.is_some_and(|least| report.accuracy.share.is_none_or(|share| share < least));
    Ok(ExitCode::from(u8::from(low || failed || bad.count > 0)))
}

/// A question and where it stands.
#[derive(Debug)]
struct Asked {
    question: Question,
    at: String,
}

impl Asked {
    fn id(&self) -> PromptId {
        self.question.id()
    }
}

/// What a first reading of the questions finds.
struct LookedThrough {
    /// Questions to ask.
    count: u64,
    bad: BadRows,
    /// The sample, where one is drawn.
    drawn: Option<Vec<Asked>>,
}

/// The questions of a file, read twice: once before the first call, so that what is wrong shows, and once to ask them.
struct QuestionFiles<'a> {
    sources: RereadableSources,
    columns: ChoiceColumns,
    recipe: &'a Recipe,
}

impl<'a> QuestionFiles<'a> {
    fn new(file: &str, columns: ChoiceColumns, recipe: &'a Recipe) -> Result<Self, Failure> {
        let sources = readers::sources(&[file.to_owned()], || Box::new(std::io::stdin()));
        let sources = RereadableSources::new(sources).map_err(|error| read_failure(&error))?;
        Ok(Self { sources, columns, recipe })
    }

    fn look_through(&self, json: bool) -> Result<LookedThrough, Failure> {
        let Input { limit, sample, .. } = self.recipe.input;
        let mut picked = Picked::new(limit, sample, self.recipe.seed);
        let mut looked = LookedThrough { count: 0, bad: BadRows::new(json), drawn: None };
        for row in self.rows()? {
            match row {
                Err(reject) => looked.bad.add(reject),
                Ok(asked) => looked.count += u64::from(picked.offer(asked, Asked::id).is_some()),
            }
        }
        if sample.is_some() {
            let drawn: Vec<Asked> = std::iter::from_fn(|| picked.next_drawn()).collect();
            looked.count = drawn.len() as u64;
            looked.drawn = Some(drawn);
        }
        Ok(looked)
    }

    /// The questions to ask: the sample, or what the file holds.
    fn questions(
        &self,
        drawn: Option<Vec<Asked>>,
    ) -> Result<Box<dyn Iterator<Item = Asked> + Send>, Failure> {
        let limit = self.recipe.input.limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        Ok(match drawn {
            Some(drawn) => Box::new(drawn.into_iter()),
            None => Box::new(self.rows()?.filter_map(Result::ok).take(limit)),
        })
    }

    /// Every row of the file: a question with its place, or why it makes none.
    fn rows(&self) -> Result<impl Iterator<Item = Result<Asked, Reject>> + Send + use<>, Failure> {
        let Input { format, max_bytes, .. } = &self.recipe.input;
        let known = self.columns.known();
        let max_bytes = usize::try_from(*max_bytes).unwrap_or(usize::MAX);
        let settings = readers::Settings { format: *format, max_bytes, known_columns: &known };
        let files = readers::open(self.sources.sources(), &settings).map_err(|error| read_failure(&error))?;
        for file in files.iter().filter(|file| !file.columns().is_empty()) {
            let ChoiceColumns { question, choices, answer } = &self.columns;
            for column in [question, choices, answer].into_iter().flatten() {
                file.require(column).map_err(|error| read_failure(&error))?;
            }
            self.columns.fit(file.columns()).map_err(|why| {
                let has = file.columns().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                Failure::usage(format!("`{}`: {why}; it has {has}", file.name())).hint(
                    "name them with `--question`, `--choices` and `--answer`; `corrects` and `incorrects` are right and \
                     wrong answers by themselves",
                )
            })?;
        }
        let columns = self.columns.clone();
        Ok(files.into_iter().flat_map(move |file| {
            let columns = columns.clone();
            file.into_rows(None).map(move |row| {
                let row = row?;
                Ok(Asked { question: multiple_choice::read(&row, &columns)?, at: row.at })
            })
        }))
    }
}

/// One question: its place, its grade, what was chosen, what is right, and how sure of it the model is.
fn row(at: &str, graded: &Graded, as_json: bool) -> String {
    let chosen = graded.chosen_option().map(|option| option.text.trim());
    let right = graded.options.iter().filter(|option| option.right).map(|option| option.text.trim());
    if as_json {
        let right: Vec<&str> = right.collect();
        return json!({
            "at": at, "grade": Grade::of(graded).as_str(), "chosen": chosen, "right": right, "p_right": graded.p_right(),
        })
        .to_string();
    }
    let p = graded.p_right().map_or("-".into(), |p| format!("{p:.3}"));
    let right = right.map(|text| one_line(text, 30)).collect::<Vec<_>>().join(" | ");
    let chosen = chosen.map_or("-".into(), |text| one_line(text, 30));
    format!("{}\t{}\t{chosen}\t{right}\t{p}", printable(at), Grade::of(graded).as_str())
}

fn to_json(report: &ChoiceReport, model: &str, role: Role, rejects: &[Reject]) -> Value {
    let mut out = json!(report);
    if let Some(object) = out.as_object_mut() {
        object.insert("model".into(), json!(model));
        object.insert("simulated".into(), json!(is_simulated(model)));
        object.insert("role".into(), json!(role.as_str()));
        object.insert("rejects".into(), json!(rejects));
    }
    out
}

fn to_text(report: &ChoiceReport, who: &str) -> String {
    let ChoiceReport { questions, right, wrong, unread, .. } = report;
    let mut lines =
        vec![format!("{who}: {questions} questions, {right} right, {wrong} wrong{}", not_read(unread))];
    let mut put = |name: &str, text: String| lines.push(format!("  {name:<26}{text}"));
    put("accuracy", share_text(&report.accuracy));
    if !unread.is_empty() {
        put("  of what could be read", share_text(&report.accuracy_of_read));
    }
    put("  by guessing", report.chance.map_or("-".into(), |p| format!("{:>5.1} %", p * 100.0)));
    put("read by", format!("log-probabilities {}, answer {}", report.by_logprobs, report.by_answer));
    if report.by_fallback > 0 {
        put("  of them by the fallback", report.by_fallback.to_string());
    }
    if let (Some(p), Some(brier), Some(error)) =
        (report.p_right.mean, report.brier.mean, report.calibration_error)
    {
        let about = report.p_right.plus_minus.map_or(String::new(), |half| format!(" ± {half:.3}"));
        put("probability of the right", format!("{p:.3}{about} on average"));
        put("Brier score", format!("{brier:.3} (0 is best; even odds on two options are 0.25)"));
        put("calibration error", format!("{error:.3} (confidence against accuracy)"));
    }
    let place = |rate: &Rate| rate.share.map_or("-".into(), |share| format!("{:>5.1} %", share * 100.0));
    for position in &report.positions {
        let name = format!("option ({})", position.letter);
        put(&name, format!("right in {}, chosen in {}", place(&position.right), place(&position.chosen)));
    }
    lines.join("\n")
}

/// Why answers could not be read: `, 4 not read (filtered 1, unreadable 3)`.
fn not_read(unread: &BTreeMap<Reason, u64>) -> String {
    let all: u64 = unread.values().sum();
    if all == 0 { String::new() } else { format!(", {all} not read ({})", reasons(unread)) }
}
