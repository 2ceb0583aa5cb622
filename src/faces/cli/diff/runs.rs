//! Two runs: their transcripts side by side, in the order of prompt ids, a pair at a time.
//!
//! What differs is decided by [`crate::pure::reports::comparison`]; how it is shown, in [`crate::faces::cli::diff::render`]. Memory holds one pair, the totals,
//! and the few prompts that are shown.

use super::render;
use super::render::{Shown, Sides};
use super::{Args, SHOWN};
use crate::faces::cli::Failure;
use crate::faces::cli::failure::{Kind, journal_failure};
use crate::faces::cli::stdout::stdout;
use crate::faces::cli::style::Style;
use crate::faces::cli::user_files::read_constitution;
use crate::pure::constitution::diff::{Change, diff};
use crate::pure::prompt::PromptId;
use crate::pure::reports::comparison::{Difference, Ends, Totals, transcripts};
use crate::pure::text::{printable, printable_json};
use crate::pure::transcript::Transcript;
use crate::runtime::journal::{Found, JournalError, Reader};
use crate::runtime::project::{CONSTITUTION, RECIPE, RunDir};
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::iter::Peekable;
use std::process::ExitCode;

/// Runs the command on two run directories.
pub(super) fn run(old: &RunDir, new: &RunDir, args: &Args) -> Result<ExitCode, Failure> {
    let sides = sides(old, new)?;
    let edited = edited(&sides.changes);
    let (old, new) = (open(old)?, open(new)?);
    if let Some(prefix) = &args.prompt {
        return one(&sides, &old, &new, prefix, &edited, args);
    }
    let mut totals = Totals::default();
    let mut shown = Showing::new(args);
    for met in Pairs::of(&old, &new) {
        let met = met.map_err(|error| journal_failure(&error))?;
        match if args.redact { met.redacted() } else { met } {
            Met::Both(pair) => {
                let (a, b) = *pair;
                let difference = transcripts(&a, &b, &edited);
                totals.add(&a, &b, &difference);
                shown.see(Shown::Pair(&a, &b, &difference));
            }
            Met::Old(only) => {
                totals.only_old += 1;
                shown.see(Shown::Only("first", &only));
            }
            Met::New(only) => {
                totals.only_new += 1;
                shown.see(Shown::Only("second", &only));
            }
        }
    }
    if totals.both == 0 {
        return Err(no_prompt_in_common(&sides, &totals));
    }
    let text = if args.json {
        sides.to_json(&totals).to_string()
    } else {
        let summary = render::summary(&sides, &totals, Style::of_stdout());
        format!("{summary}{}", shown.into_text())
    };
    // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
    let _ = writeln!(stdout(), "{}", text.trim_end());
    Ok(ExitCode::from(u8::from(totals.differs())))
}

fn open(dir: &RunDir) -> Result<Reader, Failure> {
    Reader::open(&dir.path).map_err(|error| journal_failure(&error))
}

fn no_prompt_in_common(sides: &Sides, totals: &Totals) -> Failure {
    let (old, new) = (printable(&sides.old), printable(&sides.new));
    let Totals { only_old, only_new, .. } = totals;
    Failure::usage(format!(
        "`{old}` and `{new}` have no finished prompt in common ({only_old} in the first, {only_new} in the second)"
    ))
    .hint("compare runs of the same prompts; a prompt with another text, hazard or language is another prompt")
}

/// One prompt, in full.
fn one(
    sides: &Sides,
    old: &Reader,
    new: &Reader,
    prefix: &str,
    edited: &BTreeSet<String>,
    args: &Args,
) -> Result<ExitCode, Failure> {
    let as_json = args.json;
    let find = |reader: &Reader| {
        let found = reader.transcript(prefix).map_err(|error| journal_failure(&error))?;
        Ok::<_, Failure>(match found {
            Found::One(one) if args.redact => Found::One(Box::new(one.redacted())),
            found => found,
        })
    };
    let (a, b) = match (find(old)?, find(new)?) {
        (Found::One(a), Found::One(b)) if a.prompt.id == b.prompt.id => (a, b),
        (Found::None, Found::None) => {
            return Err(Failure::usage(format!("neither run has a prompt whose id begins with `{prefix}`"))
                .hint("`amend show RUN --prompts` lists them"));
        }
        (Found::One(only), Found::None) => return Ok(only_one("first", &only, as_json)),
        (Found::None, Found::One(only)) => return Ok(only_one("second", &only, as_json)),
        (
            Found::One(_) | Found::Several(_) | Found::None,
            Found::One(_) | Found::Several(_) | Found::None,
        ) => {
            return Err(
                Failure::usage(format!("several prompts begin with `{prefix}`")).hint("give more of the id")
            );
        }
    };
    let difference = transcripts(&a, &b, edited);
    let shown = Shown::Pair(&a, &b, &difference);
    let text = if as_json {
        printable_json(&shown.to_json().to_string())
    } else {
        format!("{}{}", render::heads(sides, Style::of_stdout()), shown.in_full(Style::of_stdout()))
    };
    let _ = writeln!(stdout(), "{}", text.trim_end());
    Ok(ExitCode::from(u8::from(difference.ends != Ends::Same)))
}

fn only_one(which: &'static str, only: &Transcript, as_json: bool) -> ExitCode {
    let shown = Shown::Only(which, only);
    let text = if as_json {
        printable_json(&shown.to_json().to_string())
    } else {
        shown.in_full(Style::of_stdout())
    };
    let _ = writeln!(stdout(), "{}", text.trim_end());
    ExitCode::from(1)
}

/// The prompts that are shown, as they are met.
struct Showing<'a> {
    args: &'a Args,
    style: Style,
    most: usize,
    text: String,
    shown: usize,
    left_out: usize,
}

impl<'a> Showing<'a> {
    fn new(args: &'a Args) -> Self {
        let most =
            if args.stat { 0 } else { args.limit.unwrap_or(if args.json { usize::MAX } else { SHOWN }) };
        Self { args, style: Style::of_stdout(), most, text: String::new(), shown: 0, left_out: 0 }
    }

    fn see(&mut self, prompt: Shown<'_>) {
        let is_wanted = match prompt {
            Shown::Pair(_, _, difference) => difference.ends != Ends::Same && self.is_caused(difference),
            Shown::Only(..) => self.args.principle.is_none(),
        };
        if !is_wanted {
            return;
        }
        if self.shown >= self.most {
            self.left_out += 1;
            return;
        }
        self.shown += 1;
        if self.args.json {
            // Lines go out as they come, so that a run of any size can be compared.
            let _ = writeln!(stdout(), "{}", printable_json(&prompt.to_json().to_string()));
        } else {
            self.text.push_str(&prompt.in_short(self.style));
        }
    }

    fn is_caused(&self, difference: &Difference) -> bool {
        self.args.principle.as_deref().is_none_or(|id| difference.causes().contains(&id))
    }

    fn into_text(mut self) -> String {
        if self.left_out > 0 && !self.args.stat {
            let all = self.shown + self.left_out;
            let more = format!("\n… and {} more: --limit {all} shows them all\n", self.left_out);
            self.text.push_str(&self.style.faint(&more));
        } else if let (Some(id), 0) = (&self.args.principle, self.shown + self.left_out) {
            let _ = writeln!(self.text, "\nno prompt differs because of `{}`", printable(id));
        }
        self.text
    }
}

/// What one prompt id has.
enum Met {
    Both(Box<(Transcript, Transcript)>),
    Old(Box<Transcript>),
    New(Box<Transcript>),
}

impl Met {
    /// Without a word. Texts that are equal stay equal, so the comparison is the same.
    fn redacted(self) -> Self {
        match self {
            Self::Both(pair) => Self::Both(Box::new((pair.0.redacted(), pair.1.redacted()))),
            Self::Old(only) => Self::Old(Box::new(only.redacted())),
            Self::New(only) => Self::New(Box::new(only.redacted())),
        }
    }
}

type Stream<'a> = crate::runtime::journal::Transcripts<'a>;

/// Two runs as one stream: both are in the order of prompt ids.
struct Pairs<'a> {
    old: Peekable<Stream<'a>>,
    new: Peekable<Stream<'a>>,
}

impl<'a> Pairs<'a> {
    fn of(old: &'a Reader, new: &'a Reader) -> Self {
        Self { old: old.transcripts().peekable(), new: new.transcripts().peekable() }
    }
}

impl Iterator for Pairs<'_> {
    type Item = Result<Met, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        // An error comes first, whatever the other side has.
        let id = |next: Option<&Result<Transcript, JournalError>>| -> Option<Option<PromptId>> {
            next.map(|read| read.as_ref().ok().map(|transcript| transcript.prompt.id.clone()))
        };
        let order = match (id(self.old.peek()), id(self.new.peek())) {
            (None, None) => return None,
            (Some(None), _) | (Some(_), None) => Ordering::Less,
            (_, Some(None)) | (None, Some(_)) => Ordering::Greater,
            (Some(Some(old)), Some(Some(new))) => old.0.cmp(&new.0),
        };
        let met = match order {
            Ordering::Less => self.old.next()?.map(|only| Met::Old(Box::new(only))),
            Ordering::Greater => self.new.next()?.map(|only| Met::New(Box::new(only))),
            Ordering::Equal => {
                let (old, new) = (self.old.next()?, self.new.next()?);
                old.and_then(|old| Ok(Met::Both(Box::new((old, new?)))))
            }
        };
        Some(met)
    }
}

/// The principles that are not the same in both constitutions.
fn edited(changes: &[Change]) -> BTreeSet<String> {
    let old_id = |change: &Change| match change {
        Change::Renamed { from, .. } => Some(from.clone()),
        Change::Added { .. } | Change::Removed { .. } | Change::Edited { .. } => None,
    };
    changes.iter().flat_map(|change| [Some(change.id().to_owned()), old_id(change)]).flatten().collect()
}

/// What the runs were made with, as far as it differs.
fn sides(old: &RunDir, new: &RunDir) -> Result<Sides, Failure> {
    let constitution = |dir: &RunDir| read_constitution(&dir.path.join(CONSTITUTION).to_string_lossy());
    let (was, is) = (constitution(old)?, constitution(new)?);
    let mut settings = recipe_changes(&settings_of(old)?, &settings_of(new)?);
    settings.extend(template_changes(old, new));
    Ok(Sides {
        old: old.path.display().to_string(),
        new: new.path.display().to_string(),
        principles: is.principles.len().max(was.principles.len()),
        changes: diff(&was, &is),
        settings,
    })
}

/// Sections and keys that have no part in how a prompt ends.
const BESIDE_THE_POINT: [&str; 6] = ["out", "constitution", "prompts", "input", "limits", "export"];

/// The frozen recipe, flat: `method.rounds` and what it is.
fn settings_of(dir: &RunDir) -> Result<BTreeMap<String, String>, Failure> {
    let path = dir.path.join(RECIPE);
    let unreadable =
        |why: String| Failure::new(Kind::Disk, format!("cannot read `{}`: {why}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| unreadable(error.to_string()))?;
    let mut flat = BTreeMap::new();
    for (key, value) in table.iter().filter(|(key, _)| !BESIDE_THE_POINT.contains(&key.as_str())) {
        flatten(key, value, &mut flat);
    }
    Ok(flat)
}

fn flatten(path: &str, value: &toml::Value, flat: &mut BTreeMap<String, String>) {
    match value.as_table() {
        Some(table) => table.iter().for_each(|(key, value)| flatten(&format!("{path}.{key}"), value, flat)),
        None => drop(flat.insert(path.to_owned(), value.to_string())),
    }
}

fn recipe_changes(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter().filter(|key| old.get(*key) != new.get(*key)).cloned().collect()
}

fn template_changes(old: &RunDir, new: &RunDir) -> Vec<String> {
    let texts =
        |dir: &RunDir| crate::runtime::project::InputFiles::default().template_files(&dir.templates());
    let (Ok(old), Ok(new)) = (texts(old), texts(new)) else { return Vec::new() };
    let by_name = |texts: BTreeMap<String, String>| -> BTreeMap<String, String> {
        let name = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned();
        texts.into_iter().map(|(path, text)| (name(&path), text)).collect()
    };
    recipe_changes(&by_name(old), &by_name(new)).into_iter().map(|name| format!("templates/{name}")).collect()
}

impl Sides {
    fn to_json(&self, totals: &Totals) -> Value {
        json!({
            "event": "summary", "old": self.old, "new": self.new, "changes": self.changes, "settings": self.settings,
            "totals": totals,
        })
    }
}
