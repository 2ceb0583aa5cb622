//! What the user typed, then what it means: recipe file and flags → one [`Recipe`].
//!
//! A flag wins over the recipe. Every recipe field can be set with `--set`; the common ones have a flag of their own.
//! Shared by every command that runs a recipe.

use super::Failure;
use crate::faces::cli::user_files::with_warnings;
use crate::pure::recipe::Recipe;
use crate::runtime::project::Project;

use serde::Deserialize as _;
use std::path::PathBuf;

/// The recipe, and what the command line says differently.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RecipeArgs {
    /// The recipe; optional when flags say enough
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
    /// A directory of templates that override the built-in ones
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
        let mut recipe = match &self.recipe {
            Some(path) => with_warnings(|files| files.recipe(path))?,
            None => Recipe::default(),
        };
        for (flag, field, value) in self.assignments()? {
            recipe = assign(&recipe, &field, value).map_err(|why| {
                Failure::usage(format!("{flag}: {why}")).hint(format!("the field is `{field}`"))
            })?;
        }
        Ok(recipe)
    }

    /// The recipe with the flags laid over it, and everything that it names.
    pub(super) fn open_project(&self) -> Result<Project, Failure> {
        let recipe = self.resolve()?;
        with_warnings(|files| Project::open(recipe, files))
    }

    fn assignments(&self) -> Result<Vec<(String, String, toml::Value)>, Failure> {
        let mut out = Vec::new();
        let mut put = |flag: &str, field: &str, value: Option<toml::Value>| {
            if let Some(value) = value {
                out.push((format!("`{flag}`"), field.to_owned(), value));
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
        put("--seed", "seed", wide(self.seed));
        let concurrency = self.concurrency.as_ref().map(|text| {
            text.parse().map_or_else(|_| toml::Value::String(text.clone()), toml::Value::Integer)
        });
        put("--concurrency", "limits.concurrency", concurrency);
        put("--rpm", "limits.rpm", number(self.rpm));
        put("--tpm", "limits.tpm", number(self.tpm));
        put("--max-calls", "limits.max_calls", wide(self.max_calls));
        for pair in &self.set {
            let (field, value) = read_pair(pair)?;
            put(&format!("--set {pair}"), field, Some(value));
        }
        Ok(out)
    }
}

/// The recipe with one field set, as `method.rounds=3` says.
pub fn set(recipe: &Recipe, pair: &str) -> Result<Recipe, Failure> {
    let (field, value) = read_pair(pair)?;
    assign(recipe, field, value)
        .map_err(|why| Failure::usage(format!("`{pair}`: {why}")).hint(format!("the field is `{field}`")))
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
        assert_eq!(recipe.models.critic.as_ref().unwrap().model.as_deref(), Some("small"));
        assert_eq!(recipe.seed, 9);
    }

    #[test]
    fn a_flag_is_checked_as_the_file_is() {
        let check = |set: &str, says: &str| {
            let failure = resolve(&[set]).unwrap_err();
            assert!(failure.message.contains(says), "{}", failure.message);
        };
        check("method.shedule=each", "unknown field `shedule`");
        check("method.schedule=pannel", "unknown variant `pannel`");
        check("limits.concurrency=0", "a number above 0");
        check("rounds", "has no `=`");
        check("seed.deep=1", "`seed` is a value");
    }

    #[test]
    fn a_recipe_survives_being_written_and_read() {
        let recipe = Recipe::default();
        assert_eq!(assign(&recipe, "seed", toml::Value::Integer(0)).unwrap(), recipe);
    }
}
