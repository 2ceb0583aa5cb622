//! `amend launch`: prints a script that runs a recipe as shards under a scheduler that is there already.
//!
//! It writes nothing and starts nothing. Keys are named by the variables that hold them, never written.

use super::Failure;
use super::user_files::with_warnings;
use crate::faces::cli::stdout::stdout;
use crate::pure::call::Role;
use crate::pure::recipe::Recipe;
use crate::pure::shard::MOST;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Print a script that runs a recipe as shards under Slurm, Kubernetes or Ray
///
/// The script is there to be read and changed. Nothing is started.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amend launch slurm night.toml --shards 64 --mirror /shared/night > night.sbatch\n  \
                        amend launch k8s night.toml --shards 64 --mirror /mirror/night > night.yaml\n  \
                        amend launch ray night.toml --shards 64 > night.py"
)]
pub(super) struct Args {
    /// The scheduler
    scheduler: Scheduler,
    /// The recipe
    recipe: PathBuf,
    /// How many shards
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST)))]
    shards: u32,
    /// A folder on shared storage for a copy of the answers, so that another node can go on
    #[arg(long, value_name = "DIR")]
    mirror: Option<String>,
    /// The directory for the shards' folders [default: the recipe's `out`, else runs/ and the recipe's name]
    #[arg(long, value_name = "OUT")]
    out: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Scheduler {
    /// An array job for sbatch
    Slurm,
    /// An Indexed Job for Kubernetes
    K8s,
    /// A driver in Python for Ray
    Ray,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let recipe = with_warnings(|files| files.recipe(&args.recipe))?;
    // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
    let _ = stdout().write_all(script(args, &recipe)?.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn script(args: &Args, recipe: &Recipe) -> Result<String, Failure> {
    let path = args.recipe.to_string_lossy();
    let stem = args.recipe.file_stem().map_or("run".into(), |stem| stem.to_string_lossy().into_owned());
    let out = args.out.clone().or_else(|| recipe.out.clone()).unwrap_or_else(|| format!("runs/{stem}"));
    let mirror = args.mirror.clone().or_else(|| recipe.scale.mirror.clone());
    for (what, text) in [("recipe", &*path), ("--out", &out), ("--mirror", mirror.as_deref().unwrap_or(""))] {
        if text.chars().any(char::is_control) {
            return Err(Failure::usage(format!("the name given as {what} has a control character in it")));
        }
    }
    let keys = keys_of(recipe);
    let told = Told { path: &path, name: name_of(&stem), out, mirror, keys, shards: args.shards };
    Ok(match args.scheduler {
        Scheduler::Slurm => told.slurm(),
        Scheduler::K8s => told.kubernetes()?,
        Scheduler::Ray => told.ray(),
    })
}

/// The variables that hold the keys of the models.
fn keys_of(recipe: &Recipe) -> BTreeSet<String> {
    let models = Role::OF_RUNS.iter().filter_map(|role| recipe.models.resolve(*role));
    let models = models.filter(|model| !model.is_sim());
    models.map(|model| model.api_key_env).filter(|name| !name.is_empty()).collect()
}

/// A name that every scheduler takes: lower-case letters, digits and hyphens.
fn name_of(stem: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = stem.chars().map(keep).take(40).collect();
    match name.trim_matches('-') {
        "" => "amend".into(),
        name => format!("amend-{name}"),
    }
}

/// What goes into a script.
struct Told<'a> {
    path: &'a str,
    name: String,
    out: String,
    mirror: Option<String>,
    keys: BTreeSet<String>,
    shards: u32,
}

impl Told<'_> {
    fn fill(&self, template: &str, more: &[(&str, &str)]) -> String {
        let shards = self.shards.to_string();
        let last = (self.shards - 1).to_string();
        let all = [("SHARDS", shards.as_str()), ("LAST", &last), ("NAME", &self.name)];
        let (mut text, mut rest) = (String::new(), template);
        // In one pass: what is put in is not looked at again.
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((field, after)) = after.split_once("}}") else { break };
            text.push_str(before);
            let value =
                all.iter().chain(more).find(|(name, _)| *name == field).map_or("", |(_, value)| value);
            text.push_str(value);
            rest = after;
        }
        text + rest
    }

    /// The command that merges the shards in the end.
    fn merge(&self) -> String {
        match &self.mirror {
            Some(mirror) => {
                format!("amend merge {} --mirror {}   makes one run of them", shell(&self.out), shell(mirror))
            }
            None => format!("amend merge {}   makes one run of them", shell(&self.out)),
        }
    }

    fn slurm(&self) -> String {
        let keys = if self.keys.is_empty() {
            String::new()
        } else {
            let names: Vec<&str> = self.keys.iter().map(String::as_str).collect();
            format!("# The key comes from the environment that sbatch is called in: {}\n", names.join(", "))
        };
        let out = if self.mirror.is_some() {
            "# The run directory is on the node's own disk; what must not be lost is in the mirror.\nOUT=\"${TMPDIR:-/tmp}/".to_owned()
                + &self.name
                + "\"\n"
        } else {
            format!(
                "# On a network file system, `--mirror` and a folder on the node's own disk are safer.\nOUT={}\n",
                shell(&self.out)
            )
        };
        let mirror =
            self.mirror.as_ref().map_or_else(String::new, |mirror| format!("--mirror {} ", shell(mirror)));
        let more = [
            ("RECIPE", shell(self.path)),
            ("MERGE", self.merge()),
            ("KEYS", keys),
            ("OUT", out),
            ("MIRROR", mirror),
        ];
        self.fill(include_str!("slurm.sh"), &borrowed(&more))
    }

    fn kubernetes(&self) -> Result<String, Failure> {
        let Some(mirror) = &self.mirror else {
            return Err(Failure::usage(
                "a pod's disk goes with the pod, so a Kubernetes job needs `--mirror`",
            )
            .hint(
                "give the path at which the shared volume is to be mounted, such as `--mirror /mirror/night`",
            ));
        };
        let mut keys = String::new();
        for name in &self.keys {
            let _ = write!(
                keys,
                "            - name: {name}\n              valueFrom:\n                secretKeyRef:\n                  \
                 name: CHANGE\n                  key: {name}\n"
            );
        }
        let file = std::path::Path::new(self.path).file_name();
        let file = file.map_or_else(|| self.path.to_owned(), |file| file.to_string_lossy().into_owned());
        let more =
            [("RECIPE", quoted(&file)), ("MERGE", self.merge()), ("KEYS", keys), ("MIRROR", quoted(mirror))];
        Ok(self.fill(include_str!("kubernetes.yaml"), &borrowed(&more)))
    }

    fn ray(&self) -> String {
        let keys = if self.keys.is_empty() {
            String::new()
        } else {
            let names: Vec<&str> = self.keys.iter().map(String::as_str).collect();
            format!(" Every node has the key in its environment:\n{}.", names.join(", "))
        };
        let more = [
            ("RECIPE", quoted(self.path)),
            ("OUT", quoted(&self.out)),
            ("MIRROR", self.mirror.as_ref().map_or_else(|| "None".into(), |mirror| quoted(mirror))),
            ("MERGE", self.merge().replace('\\', "\\\\").replace("\"\"\"", "\\\"\\\"\\\"")),
            ("KEYS", keys),
        ];
        self.fill(include_str!("ray.py"), &borrowed(&more))
    }
}

fn borrowed<'a>(more: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    more.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// A word of a shell, quoted where it must be.
fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A text in JSON's quotes, which YAML and Python read alike.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
