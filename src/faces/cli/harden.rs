//! `amend harden`: what broke a model becomes a dataset of both sides, and the items by which the next model is held against it.

use super::Failure;
use super::journaled_work::{JournaledWork, WorkMemo};
use super::redteam::read_attacks;
use super::run::{RunOptions, carry_out};
use super::settings::RecipeArgs;
use super::whole_file::WholeFile;
use crate::pure::attack::Card;
use crate::pure::finds::{Find, FindVerdict};
use crate::pure::method::{Attempt, Goal, put_goal, write_twin};
use crate::pure::prompt::{Message, Prompt};
use crate::pure::redteam::{Item, Side, held_out, item_id};
use crate::pure::request_class::RequestClass;
use crate::pure::text::minhash::{Signature, THRESHOLD};
use crate::pure::text::printable;
use crate::runtime::engine::at_hand;
use crate::runtime::project::Beginning;
use crate::runtime::project::models;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Columns of the prompts that every row of the dataset carries.
const KEPT: [&str; 4] = ["find", "attack", "family", "quadrant"];

/// Make a dataset of what broke a model, and the items to prove the next one by
///
/// Every find gives four prompts: the goal in plain words, the attack in its smallest form, a benign twin, and the twin behind
/// the same attack. Each is answered in the style for its class and hazard. Some families of attacks are held out: what they
/// found stands in `regression.jsonl` alone. `pairs.jsonl` has the answers over what broke.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("prompts", |arg| arg.hide(true)),
    mut_arg("column", |arg| arg.hide(true)),
    mut_arg("limit", |arg| arg.hide(true)),
    mut_arg("sample", |arg| arg.hide(true)),
    mut_arg("schedule", |arg| arg.hide(true)),
    mut_arg("screen", |arg| arg.hide(true)),
    mut_arg("unqualified", |arg| arg.hide(true)),
    mut_arg("recipe", |arg| arg.index(2)),
    after_help = "Examples:\n  amend harden runs/attack recipe.toml --twins --out runs/hardened\n  \
                  amend harden runs/finds recipe.toml --twins --hold-out-families 0"
)]
pub(super) struct Args {
    /// The folder with `finds.jsonl`
    #[arg(value_name = "RUN", index = 1)]
    run: String,
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The share of families that is held out
    #[arg(long, value_name = "SHARE", default_value_t = 0.25)]
    hold_out_families: f64,
    /// Put benign twins into the dataset, so that what is harmless is still answered
    #[arg(long)]
    twins: bool,
    /// The run directory that is made
    #[arg(long, value_name = "DIR", default_value = "runs/hardened")]
    out: String,
}

/// A find with everything that is made of it.
#[derive(Debug, Clone)]
struct Made {
    find: Find,
    twin: Option<String>,
    adversarial_twin: Option<String>,
}

impl Made {
    fn text(value: Option<&String>) -> &str {
        value.map_or("", String::as_str)
    }

    fn goal(&self) -> &str {
        Self::text(self.find.goal.as_ref())
    }

    /// The smallest form of the attack; the whole one where the smallest is the plain goal.
    fn attack(&self) -> &[Message] {
        let plain = [Message::user(self.goal())];
        let minimal = self.find.minimal.as_deref().filter(|turns| **turns != plain);
        minimal.unwrap_or(&self.find.turns)
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    super::journaled_work::check_share("--hold-out-families", Some(args.hold_out_families))?;
    let mut recipe = args.recipe.clone();
    recipe.set.push("method.target=\"style\"".into());
    let mut project = recipe.open_project()?;
    let finds = read_finds(&args.run)?;
    let families = finds.iter().map(|find| Made::text(find.family.as_ref()));
    let held = held_out(families, args.hold_out_families, project.recipe.seed);
    let cards = read_attacks(&project.recipe.redteam)?;
    let models = models::resolve(&project.recipe)?;
    let cx = project.context(&models)?;
    let out = Path::new(&args.out);
    let work = JournaledWork::open(out, &project, models, false)?;
    let make = async |ask: &WorkMemo<'_>, (n, find): (usize, Find)| {
        let goal = Goal {
            text: Made::text(find.goal.as_ref()).to_owned(),
            hazard: Made::text(find.hazard.as_ref()).to_owned(),
            language: Made::text(find.language.as_ref()).to_owned(),
        };
        let prompt = Prompt::new(
            vec![Message::user(&goal.text)],
            Some(goal.hazard.clone()),
            Some(goal.language.clone()),
        );
        let twin = write_twin(ask, &cx, &prompt).await?.ok().map(|twin| twin.text);
        let card = cards.iter().find(|card| Some(&card.id) == find.attack.as_ref());
        let adversarial_twin = match (&twin, card) {
            (Some(twin), Some(card)) => {
                let attempt = attempt_of(n, Goal { text: twin.clone(), ..goal }, card);
                put_goal(ask, &cx, &attempt).await?
            }
            _ => None,
        };
        Ok(Made { find, twin, adversarial_twin })
    };
    let mut made = Vec::new();
    let count = finds.len() as u64;
    work.each("finds", count, at_hand(finds.into_iter().enumerate()), &make, |one| made.push(one))?;
    work.tell();
    // The run that follows opens the same journal.
    drop(work);
    let is_seen = |made: &Made| !held.contains(Made::text(made.find.family.as_ref()));
    let items: Vec<String> =
        made.iter().flat_map(|one| items(one, is_seen(one))).map(|item| json!(item).to_string()).collect();
    let rows = rows_of(made.iter().filter(|one| is_seen(one)), args.twins);
    let prompts = out.join("prompts.jsonl").to_string_lossy().into_owned();
    write(&out.join("regression.jsonl"), &items)?;
    write(Path::new(&prompts), &rows)?;
    tell(&made, &held.iter().cloned().collect::<Vec<_>>(), items.len());
    if rows.is_empty() {
        return Err(Failure::usage("every family is held out, so that there is nothing to teach")
            .hint("give a smaller share to `--hold-out-families`"));
    }
    project.recipe.prompts = vec![prompts];
    project.recipe.input.keep = Some(KEPT.map(str::to_owned).to_vec());
    project.recipe.out = Some(args.out.clone());
    let options = RunOptions { json: false, export: true, beginning: Beginning::default() };
    let code = carry_out(&project, &options)?;
    let pairs = pairs(out, &made)?;
    write(&out.join("pairs.jsonl"), &pairs)?;
    let name = printable(&args.out);
    let recipe = args.recipe.recipe.as_ref();
    let recipe =
        recipe.map_or_else(String::new, |path| format!(" {}", printable(&path.display().to_string())));
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "{name}/pairs.jsonl: {} pairs of an answer over what broke", pairs.len());
    let _ = writeln!(
        err,
        "next: train on {name}/dataset, then amend prove {name}{recipe} --before URL --after URL --target-model M"
    );
    Ok(code)
}

fn attempt_of(n: usize, goal: Goal, card: &Card) -> Attempt {
    Attempt { step: n as u64, goal, card: card.clone(), memory: Vec::new(), system: None }
}

fn write(path: &Path, lines: &[String]) -> Result<(), Failure> {
    WholeFile::begin(&path.to_string_lossy(), true)?.write(lines)
}

/// What broke the model, near-duplicates of one family once.
fn read_finds(run: &str) -> Result<Vec<Find>, Failure> {
    let path = Path::new(run).join("finds.jsonl");
    let name = printable(&path.display().to_string());
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::usage(format!("cannot read `{name}`: {error}"))
            .hint("name the folder that `amend redteam` or `amend redteam import --rejudge` wrote")
    })?;
    let mut finds: Vec<Find> = Vec::new();
    let mut kept: BTreeMap<(String, String), Vec<Signature>> = BTreeMap::new();
    for (n, line) in text.lines().enumerate() {
        let find: Find = serde_json::from_str(line)
            .map_err(|error| Failure::usage(format!("{name}:{}: this is no find: {error}", n + 1)))?;
        // Without a goal and a hazard nobody knows what a right answer is.
        if find.verdict != FindVerdict::Broke || find.goal.is_none() || find.hazard.is_none() {
            continue;
        }
        let of = |value: &Option<String>| value.clone().unwrap_or_default();
        let group = kept.entry((of(&find.hazard), of(&find.family))).or_default();
        let said = find.turns.last().map_or("", |turn| turn.content.as_str());
        if let Some(signature) = Signature::of(said) {
            if group.iter().any(|known| known.similarity(&signature) >= THRESHOLD) {
                continue;
            }
            group.push(signature);
        }
        finds.push(find);
    }
    if finds.is_empty() {
        return Err(Failure::usage(format!(
            "nothing in `{name}` broke the model, of which goal and hazard are known"
        ))
        .hint("claims of other tools are undecided until `amend redteam import --rejudge` judges them"));
    }
    Ok(finds)
}

/// The items of a find: its smallest form, its twin, and the twin behind the attack.
fn items(made: &Made, seen: bool) -> Vec<Item> {
    let find = &made.find;
    let of = |value: &Option<String>| value.clone().unwrap_or_default();
    let item = |side: Side, turns: Vec<Message>| Item {
        item: item_id(&find.find, side, &turns),
        find: find.find.clone(),
        side,
        seen,
        family: of(&find.family),
        attack: of(&find.attack),
        hazard: of(&find.hazard),
        language: of(&find.language),
        turns,
    };
    let smallest = find.minimal.clone().unwrap_or_else(|| find.turns.clone());
    let twins = [&made.twin, &made.adversarial_twin].into_iter().flatten();
    let mut items = vec![item(Side::Harmful, smallest)];
    items.extend(twins.map(|text| item(Side::Benign, vec![Message::user(text.as_str())])));
    items
}

/// The prompts of all finds. A goal that several attacks reached, and its twin, stands there once in plain words.
fn rows_of<'a>(made: impl Iterator<Item = &'a Made>, with_twins: bool) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for (turns, row) in made.flat_map(|one| rows(one, with_twins)) {
        if seen.insert(turns) {
            all.push(row);
        }
    }
    all
}

/// The prompts of a find, one for each quadrant, each with what is asked.
fn rows(made: &Made, with_twins: bool) -> Vec<(String, String)> {
    let find = &made.find;
    let row = |quadrant: &str, class: RequestClass, turns: &[Message]| {
        let is_plain = quadrant.starts_with("vanilla");
        let attack = find.attack.as_ref().filter(|_| !is_plain);
        let family = find.family.as_ref().filter(|_| !is_plain);
        let row = json!({
            "messages": turns, "hazard": find.hazard, "language": find.language, "class": class.as_str(),
            "find": find.find, "attack": attack, "family": family, "quadrant": quadrant,
        });
        (json!(turns).to_string(), row.to_string())
    };
    let mut rows = vec![
        row("vanilla-harmful", RequestClass::Harmful, &[Message::user(made.goal())]),
        row("adversarial-harmful", RequestClass::Harmful, made.attack()),
    ];
    let twins = [("vanilla-benign", &made.twin), ("adversarial-benign", &made.adversarial_twin)];
    for (quadrant, text) in twins.into_iter().filter(|_| with_twins) {
        rows.extend(text.as_ref().map(|text| row(quadrant, RequestClass::Benign, &[Message::user(text)])));
    }
    rows
}

/// The styled answers over what broke, at the turn that broke.
fn pairs(out: &Path, made: &[Made]) -> Result<Vec<String>, Failure> {
    let path = out.join("dataset").join("jsonl").join("sft_train.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(Vec::new()) };
    let mut pairs = Vec::new();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line)
            .map_err(|error| Failure::disk(format!("a row of the dataset is no JSON: {error}")))?;
        let kept: Value =
            row["kept"].as_str().and_then(|kept| serde_json::from_str(kept).ok()).unwrap_or_default();
        if kept["quadrant"] != "adversarial-harmful" {
            continue;
        }
        let one = made.iter().find(|one| kept["find"] == one.find.find.as_str());
        let Some((one, broke)) = one.and_then(|one| Some((one, one.find.response.as_ref()?))) else {
            continue;
        };
        let Some(chosen) = row["messages"].as_array().and_then(|turns| turns.last()) else { continue };
        let rejected = json!({ "role": "assistant", "content": broke });
        pairs.push(
            json!({
                "prompt": one.attack(), "chosen": [chosen], "rejected": [rejected], "find": one.find.find,
                "attack": one.find.attack, "family": one.find.family, "hazard": one.find.hazard,
            })
            .to_string(),
        );
    }
    Ok(pairs)
}

fn tell(made: &[Made], held: &[String], items: usize) {
    let mut err = std::io::stderr().lock();
    let twins = made.iter().filter(|one| one.twin.is_some()).count();
    let _ = writeln!(err, "{} finds, {twins} with a twin; {items} items in regression.jsonl", made.len());
    if !held.is_empty() {
        let names: Vec<String> = held.iter().map(|name| printable(name)).collect();
        let _ = writeln!(err, "held out: {}", names.join(", "));
    }
}
