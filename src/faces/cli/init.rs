//! `amend init`: a project to start from. It never overwrites a file.

use super::Failure;
use crate::pure::constitution::{built_in, built_in_names};
use crate::pure::diagnostic::nearest;
use crate::pure::recipe::SIM;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The built-in constitution that has styles and no principles.
const STYLES: &str = "styles";

/// Arguments of `amend init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  amend init my-project                                      with the simulated model, no key needed
  amend init . --model llama-3 --base-url http://localhost:8000/v1
  amend init . --constitution minimal")]
pub(super) struct Args {
    /// Where to; made when it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The model for every role; `sim` is the built-in simulated one
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Base URL of an OpenAI-compatible endpoint, such as <http://localhost:8000/v1>
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The environment variable that holds the API key
    #[arg(long, value_name = "NAME")]
    api_key_env: Option<String>,
    /// The built-in constitution to start from
    #[arg(long, value_name = "NAME")]
    constitution: Option<String>,
    /// Ask nothing, on a terminal too
    #[arg(long)]
    no_input: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let choices = Choices::of(args, &mut asker(args))?;
    let mut written = Vec::new();
    for (name, text) in choices.files() {
        let path = args.dir.join(name);
        if write_new(&path, &text)
            .map_err(|error| Failure::disk(format!("cannot write `{}`: {error}", path.display())))?
        {
            written.push(name);
            note(&format!("wrote {}\n", path.display()));
        } else {
            note(&format!("kept  {} (it was there already)\n", path.display()));
        }
    }
    if written.is_empty() {
        note("nothing was changed\n");
    } else {
        let recipe = args.dir.join("amend.toml");
        note(&format!("\nnext: amend check {0}\n      amend run {0}\n", recipe.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks one question with a default, on a terminal; elsewhere the default is the answer.
type Ask<'a> = Box<dyn FnMut(&str, &str) -> String + 'a>;

fn asker(args: &Args) -> Ask<'_> {
    let on_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if args.no_input || !on_terminal {
        return Box::new(|_, default| default.to_owned());
    }
    Box::new(|question, default| {
        note(&format!("{question} [{default}]: "));
        let mut line = String::new();
        // At the end of the input, as with an empty line, the default holds.
        let _ = std::io::stdin().lock().read_line(&mut line);
        let answer = line.trim();
        if answer.is_empty() { default.to_owned() } else { answer.to_owned() }
    })
}

/// What the files depend on.
#[derive(Debug)]
struct Choices {
    model: String,
    base_url: Option<String>,
    api_key_env: Option<String>,
    constitution: String,
}

impl Choices {
    fn of(args: &Args, ask: &mut Ask<'_>) -> Result<Self, Failure> {
        let names = built_in_names().collect::<Vec<_>>().join(", ");
        let question = format!("Constitution to start from ({names})");
        let constitution = args.constitution.clone().unwrap_or_else(|| ask(&question, "harmlessness"));
        let constitution = constitution.trim_end_matches(".toml").to_owned();
        if built_in(&constitution).is_none() {
            let failure = Failure::usage(format!("there is no built-in constitution `{constitution}`"));
            return Err(match nearest(&constitution, built_in_names()) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint(format!("there are {names}")),
            });
        }
        let model = match &args.model {
            Some(model) => model.clone(),
            None => ask("Model (sim is the simulated one, which needs no key)", SIM),
        };
        let base_url = match &args.base_url {
            Some(url) => Some(url.clone()),
            None if model == SIM => None,
            None => Some(ask("Base URL of its endpoint", "")).filter(|url| !url.is_empty()),
        };
        if model != SIM && base_url.is_none() {
            return Err(Failure::usage(format!("the model `{model}` needs an endpoint"))
                .hint("add `--base-url URL`, such as `--base-url http://localhost:8000/v1`"));
        }
        let web = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        if let Some(url) = base_url.as_ref().filter(|url| !web(url)) {
            return Err(Failure::usage(format!("`{url}` is not a URL"))
                .hint("write it with its scheme, such as `http://localhost:8000/v1`"));
        }
        Ok(Self { model, base_url, api_key_env: args.api_key_env.clone(), constitution })
    }

    /// What the constitution extends, as the list is written: the base, and the styles.
    fn extended(&self) -> String {
        let mut names = vec![self.constitution.as_str(), STYLES];
        names.dedup();
        names
            .into_iter()
            .map(|name| toml::Value::String(name.into()).to_string())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Name and text of every file.
    fn files(&self) -> [(&'static str, String); 7] {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let setting = |key: &str, value: &Option<String>, default: &str| match value {
            Some(value) => format!("{key} = {}", quoted(value)),
            None => format!("#{key} = {}", quoted(default)),
        };
        let note = if self.model == SIM {
            "`sim` is simulated: it needs no endpoint and no key, and its data is marked. Put your own model here."
        } else {
            "As the endpoint knows it; `sim` is the built-in simulated model."
        };
        let recipe = include_str!("init/amend.toml")
            .replace("{{model_note}}", note)
            .replace("{{model}}", &quoted(&self.model))
            .replace("{{base_url}}", &setting("base_url", &self.base_url, "http://localhost:8000/v1"))
            .replace("{{api_key_env}}", &setting("api_key_env", &self.api_key_env, "OPENAI_API_KEY"));
        let constitution = include_str!("init/constitution.toml")
            .replace("{{names}}", &built_in_names().collect::<Vec<_>>().join(", "))
            .replace("{{base}}", &self.extended());
        [
            ("amend.toml", recipe),
            ("constitution.toml", constitution),
            ("prompts.jsonl", include_str!("init/prompts.jsonl").to_owned()),
            (".amend/recipe.schema.json", crate::pure::recipe::schema()),
            (".amend/constitution.schema.json", crate::pure::constitution::schema()),
            (".gitignore", "/runs\n".to_owned()),
            (".github/workflows/amend.yml", include_str!("init/workflow.yml").to_owned()),
        ]
    }
}

/// Writes a file that is not there yet; `false` when it is.
fn write_new(path: &Path, text: &str) -> std::io::Result<bool> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    match std::fs::File::create_new(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn note(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::diagnostic::SourceFile;

    fn choices(model: &str) -> Choices {
        Choices {
            model: model.into(),
            base_url: (model != SIM).then(|| "http://localhost:1/v1".into()),
            api_key_env: None,
            constitution: "minimal".into(),
        }
    }

    #[test]
    fn what_is_written_has_nothing_to_report_whatever_the_choices() {
        for model in [SIM, "a \"quoted\"\\model\n= 3"] {
            let [(_, recipe), (_, constitution), ..] = choices(model).files();
            let reading = crate::pure::recipe::read(&SourceFile::new("amend.toml", recipe));
            assert_eq!(reading.findings, []);
            assert_eq!(reading.recipe.models.default.model.as_deref(), Some(model));
            let load = &mut |path: &str| built_in(path).ok_or_else(String::new);
            assert_eq!(crate::pure::constitution::check(&SourceFile::new("c.toml", constitution), load), []);
        }
    }

    #[test]
    fn the_settings_that_are_commented_out_can_be_switched_on() {
        let [(_, recipe), (_, constitution), ..] = choices(SIM).files();
        // Every base goes together with the styles.
        for base in built_in_names() {
            let [_, (_, constitution), ..] = Choices { constitution: base.into(), ..choices(SIM) }.files();
            let load = &mut |path: &str| built_in(path).ok_or_else(String::new);
            assert_eq!(crate::pure::constitution::check(&SourceFile::new("c.toml", constitution), load), []);
        }
        let switched = |text: &str, mark: &str| {
            let is_setting = |line: &str| {
                let start = line.split([' ', ']']).next().unwrap_or("").trim_start_matches('[');
                let word =
                    !start.is_empty() && start.bytes().all(|b| b.is_ascii_lowercase() || b"_.".contains(&b));
                word && (line.contains(" = ") || line.starts_with('['))
            };
            let line = |line: &str| match line.strip_prefix(mark) {
                Some(rest) if is_setting(rest) => rest.to_owned(),
                Some(_) | None => line.to_owned(),
            };
            text.lines().map(line).collect::<Vec<_>>().join("\n")
        };
        let recipe = switched(&recipe, "#");
        assert!(recipe.contains("\n[models.critic]\nmodel = ") && recipe.contains("\nrpm = 500"), "{recipe}");
        assert_eq!(crate::pure::recipe::read(&SourceFile::new("amend.toml", recipe)).findings, []);
        let constitution = switched(&constitution, "# ");
        assert!(
            ["\ncritique = ", "\nwhen = ", "\n[[style]]\nid = ", "\nchecked = "]
                .iter()
                .all(|s| constitution.contains(s)),
            "{constitution}"
        );
        let load = &mut |path: &str| built_in(path).ok_or_else(String::new);
        assert_eq!(crate::pure::constitution::check(&SourceFile::new("c.toml", constitution), load), []);
    }
}
