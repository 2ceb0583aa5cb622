//! What the user typed, then what it means: recipe file and flags → one [`Recipe`].
//!
//! A flag wins over the recipe. Every recipe field can be set with `--set`; the common ones have a flag of their own.
//! Shared by every command that runs a recipe.

use super::Failure;
use crate::faces::cli::user_files::with_warnings;
use crate::pure::diagnostic::SourceFile;
use crate::pure::recipe::Recipe;
use crate::runtime::project::Project;

use serde::Deserialize as _;
use std::path::{Path, PathBuf};

/// The recipe, and what the command line says differently.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RecipeArgs {
    /// The recipe [default: amend.toml, where there is one; else flags must say enough]
    #[arg(value_name = "RECIPE")]
    pub recipe: Option<PathBuf>,
    /// The constitution: a file, or the name of a built-in one (harmlessness, support-desk, …)
    #[arg(long, value_name = "FILE", help_heading = "What")]
    pub constitution: Option<String>,
    /// Prompts: JSONL, CSV, Parquet or text, also .gz or .zst; a directory; - for standard input. May be repeated
    #[arg(long, value_name = "FILE", help_heading = "What")]
    pub prompts: Vec<String>,
    /// The column that holds the prompt
    #[arg(long, value_name = "NAME", help_heading = "What")]
    pub column: Option<String>,
    /// Read at most N prompts
    #[arg(long, value_name = "N", help_heading = "What")]
    pub limit: Option<u64>,
    /// Take N prompts at random, the same ones for the same seed
    #[arg(long, value_name = "N", help_heading = "What")]
    pub sample: Option<u64>,
    /// A directory of templates that override the built-in ones; `small` for the short ones, for small models
    #[arg(long, value_name = "DIR", help_heading = "What")]
    pub templates: Option<String>,
    /// The model for every role; `sim` is the built-in simulated one
    #[arg(long, value_name = "NAME", help_heading = "Models")]
    pub model: Option<String>,
    /// Base URL of an OpenAI-compatible endpoint, such as <http://localhost:8000/v1>
    #[arg(long, value_name = "URL", help_heading = "Models")]
    pub base_url: Option<String>,
    /// The environment variable that holds the API key [default: OPENAI_API_KEY]
    #[arg(long, value_name = "NAME", help_heading = "Models")]
    pub api_key_env: Option<String>,
    /// Most tokens of an answer
    #[arg(long, value_name = "N", help_heading = "Models")]
    pub max_tokens: Option<u32>,
    /// Which principles meet which response: panel, each or sampled
    #[arg(long, value_name = "SCHEDULE", help_heading = "Method")]
    pub schedule: Option<String>,
    /// Most rounds of critique and revision
    #[arg(long, value_name = "N", help_heading = "Method")]
    pub rounds: Option<u32>,
    /// Ask for a verdict on every principle at once first, and criticise only what is violated or undecided
    #[arg(long, help_heading = "Method")]
    pub screen: bool,
    /// Run also with a critic that failed its examination on the constitution's test cases
    #[arg(long, help_heading = "Method")]
    pub unqualified: bool,
    /// Decides every draw
    #[arg(long, value_name = "N", help_heading = "Method")]
    pub seed: Option<u64>,
    /// Calls in flight: a number, or auto
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub concurrency: Option<String>,
    /// Requests per minute
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub rpm: Option<u32>,
    /// Tokens per minute
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub tpm: Option<u32>,
    /// Stop after asking N calls; running again with more goes on
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub max_calls: Option<u64>,
    /// Any recipe field, as `limits.timeout_s=60` or `models.critic.model="small"`. May be repeated
    #[arg(long, value_name = "FIELD=VALUE", help_heading = "Recipe")]
    pub set: Vec<String>,
}

impl RecipeArgs {
    /// The recipe with the flags laid over it. Paths in a recipe file are relative to that file.
    pub fn resolve(&self) -> Result<Recipe, Failure> {
        let mut recipe = match self.recipe.as_deref().or_else(|| recipe_here()) {
            Some(path) => with_warnings(|files| files.recipe(path))?,
            None => Recipe::default(),
        };
        let assignments = self.assignments()?;
        check(&assignments)?;
        for assignment in assignments {
            recipe = assignment.apply(&recipe)?;
        }
        Ok(recipe)
    }

    /// The recipe with the flags laid over it, and everything that it names.
    pub(super) fn open_project(&self) -> Result<Project, Failure> {
        let recipe = self.resolve()?;
        with_warnings(|files| Project::open(recipe, files))
    }

    fn assignments(&self) -> Result<Vec<Assignment>, Failure> {
        let mut out = Vec::new();
        let mut put = |flag: &str, field: &str, value: Option<toml::Value>| {
            if let Some(value) = value {
                out.push(Assignment { typed: flag.to_owned(), field: field.to_owned(), value });
            }
        };
        let text = |value: &Option<String>| value.clone().map(toml::Value::String);
        let number = |value: Option<u32>| value.map(|n| toml::Value::Integer(n.into()));
        let wide =
            |value: Option<u64>| value.map(|n| toml::Value::Integer(i64::try_from(n).unwrap_or(i64::MAX)));
        put("--constitution", "constitution", text(&self.constitution));
        let files = self.prompts.iter().cloned().map(toml::Value::String).collect::<Vec<_>>();
        put("--prompts", "prompts", (!files.is_empty()).then_some(toml::Value::Array(files)));
        put("--column", "input.column", text(&self.column));
        put("--limit", "input.limit", wide(self.limit));
        put("--sample", "input.sample", wide(self.sample));
        put("--templates", "templates", text(&self.templates));
        put("--model", "models.default.model", text(&self.model));
        put("--base-url", "models.default.base_url", text(&self.base_url));
        put("--api-key-env", "models.default.api_key_env", text(&self.api_key_env));
        put("--max-tokens", "models.default.max_tokens", number(self.max_tokens));
        put("--schedule", "method.schedule", text(&self.schedule));
        put("--rounds", "method.rounds", number(self.rounds));
        put("--screen", "method.screen", self.screen.then_some(toml::Value::Boolean(true)));
        let unqualified = self.unqualified.then_some(toml::Value::Boolean(true));
        put("--unqualified", "method.unqualified", unqualified);
        put("--seed", "seed", wide(self.seed));
        let concurrency = self.concurrency.as_ref().map(|text| {
            text.parse().map_or_else(|_| toml::Value::String(text.clone()), toml::Value::Integer)
        });
        put("--concurrency", "limits.concurrency", concurrency);
        put("--rpm", "limits.rpm", number(self.rpm));
        put("--tpm", "limits.tpm", number(self.tpm));
        put("--max-calls", "budget.calls", wide(self.max_calls));
        for pair in &self.set {
            let (field, value) = read_pair(pair)?;
            put(&format!("--set {pair}"), field, Some(value));
        }
        Ok(out)
    }
}

/// The recipe of the folder that we are in, where it has one.
fn recipe_here() -> Option<&'static Path> {
    let path = Path::new("amend.toml");
    path.is_file().then_some(path)
}

/// The recipe with one field set, as `method.rounds=3` says.
pub fn set(recipe: &Recipe, pair: &str) -> Result<Recipe, Failure> {
    let (field, value) = read_pair(pair)?;
    let assignment = Assignment { typed: pair.to_owned(), field: field.to_owned(), value };
    check(std::slice::from_ref(&assignment))?;
    assignment.apply(recipe)
}

/// One field of the recipe, set on the command line.
#[derive(Debug)]
struct Assignment {
    /// What the user typed: a flag, or the flag with its text.
    typed: String,
    /// The dotted path of the field.
    field: String,
    value: toml::Value,
}

impl Assignment {
    /// The assignment as a line of a recipe.
    fn line(&self) -> SourceFile {
        let keys: Vec<_> = self.field.split('.').map(key_text).collect();
        SourceFile::new(&self.typed, format!("{} = {}\n", keys.join("."), self.value))
    }

    /// Sets the field, and reads the whole again.
    fn apply(self, recipe: &Recipe) -> Result<Recipe, Failure> {
        let Self { typed, field, value } = self;
        assign(recipe, &field, value).map_err(|why| Failure::usage(format!("`{typed}`: {why}")))
    }
}

/// A key as TOML takes it: bare where it can be, else quoted.
fn key_text(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if is_bare { key.to_owned() } else { toml::Value::String(key.to_owned()).to_string() }
}

/// Reads each assignment as a line of a recipe, so that a flag is checked as the file is, before anything is asked.
fn check(assignments: &[Assignment]) -> Result<(), Failure> {
    let lines: Vec<_> = assignments.iter().map(Assignment::line).collect();
    with_warnings(|files| files.settings(&lines))
}

fn read_pair(pair: &str) -> Result<(&str, toml::Value), Failure> {
    let (field, value) = pair.split_once('=').ok_or_else(|| {
        Failure::usage(format!("`{pair}` has no `=`")).hint("write it as `method.rounds=3`")
    })?;
    Ok((field.trim(), read_value(value.trim())))
}

/// A TOML value, or the text itself where it is none, so that `--set models.critic.model=small` needs no quotes.
fn read_value(text: &str) -> toml::Value {
    toml::from_str::<toml::Table>(&format!("value = {text}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

/// Sets one field, named by its dotted path, and reads the whole again, so that a flag is checked as the file is.
fn assign(recipe: &Recipe, field: &str, value: toml::Value) -> Result<Recipe, String> {
    let mut root = toml::Table::try_from(recipe).map_err(|error| error.to_string())?;
    let mut path = field.split('.').collect::<Vec<_>>();
    let Some(last) = path.pop() else { return Err("no field".into()) };
    let mut table = &mut root;
    for key in path {
        table = table
            .entry(key)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| format!("`{key}` is a value, not a section"))?;
    }
    table.insert(last.to_owned(), value);
    Recipe::deserialize(toml::Value::Table(root)).map_err(|error| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::call::Role;
    use crate::pure::recipe::{Concurrency, Schedule};

    fn resolve(set: &[&str]) -> Result<Recipe, Failure> {
        RecipeArgs { set: set.iter().map(ToString::to_string).collect(), ..RecipeArgs::default() }.resolve()
    }

    #[test]
    fn any_field_can_be_set() {
        let recipe = resolve(&[
            "method.schedule=each",
            "limits.concurrency=7",
            "models.critic.model=small",
            "models.critic.temperature=0.5",
            "seed=9",
        ])
        .unwrap();
        assert_eq!(recipe.method.schedule, Schedule::Each);
        assert_eq!(recipe.limits.concurrency, Concurrency::Fixed(7));
        assert_eq!(recipe.models.own[&Role::Critic].model.as_deref(), Some("small"));
        assert_eq!(recipe.seed, 9);
    }

    /// What is told about an assignment that is wrong.
    fn told(set: &str) -> String {
        let failure = resolve(&[set]).unwrap_err();
        format!("{} {}", failure.message, failure.details)
    }

    #[test]
    fn a_flag_is_checked_as_the_file_is() {
        for (set, says) in [
            ("method.shedule=each", "did you mean `schedule`?"),
            ("shedule=each", "unknown key `shedule`"),
            ("schedule=each", "`schedule` belongs under `[method]`"),
            ("method.schedule=pannel", "did you mean `panel`?"),
            ("limits.concurrency=0", "a number above 0"),
            ("rounds", "has no `=`"),
            ("seed.deep=1", "`seed` must be"),
            ("export.configs=[\"sft\",\"preferences\"]", "there is no export config `preferences`"),
            ("export.holdout=0.9", "`holdout` must be between 0 and 0.4"),
            ("models.critic.api_key_env=sk-12345", "must be the name of an environment variable"),
            ("models.critik.model=m", "did you mean `critic`?"),
            ("=1", "unknown key"),
        ] {
            let told = told(set);
            assert!(told.contains(says), "{set}: {told}");
            assert!(!told.contains(&format!("mean `{}`", set.split('=').next().unwrap_or(set))), "{told}");
        }
    }

    #[test]
    fn a_recipe_survives_being_written_and_read() {
        let recipe = Recipe::default();
        assert_eq!(assign(&recipe, "seed", toml::Value::Integer(0)).unwrap(), recipe);
    }
}
