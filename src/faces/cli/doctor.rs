//! `amend doctor`: which endpoints answer, what they can do, and what to put into the recipe.

use super::Failure;
use super::failure::{Kind, stopped};
use super::journaled_work::kept_in;
use super::settings::RecipeArgs;
use super::style::Style;
use super::word_wrap::flowed;
use crate::faces::cli::stdout::stdout;
use crate::faces::cli::user_files::with_warnings;
use crate::pure::call::Role;
use crate::pure::method::is_examined;
use crate::pure::recipe::ResolvedModel;
use crate::pure::recipe::SystemTurn;
use crate::pure::recipe::{Model, Models, OPENAI};
use crate::pure::reports::examination::Examination;
use crate::pure::text::{one_line, printable};
use crate::runtime::engine::{EventBus, shutdown};
use crate::runtime::journal::Options;
use crate::runtime::model::Http;
use crate::runtime::model::capability_probe::{self, Ability, Found};
use crate::runtime::project::{Workbench, models};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Where servers on this machine usually listen.
const LOCAL: [(&str, &str); 5] = [
    ("Ollama", "http://localhost:11434/v1"),
    ("vLLM, amend sim", "http://localhost:8000/v1"),
    ("llama.cpp", "http://localhost:8080/v1"),
    ("LM Studio", "http://localhost:1234/v1"),
    ("SGLang", "http://localhost:30000/v1"),
];

/// Find endpoints, and what they can do
///
/// Looks at the recipe or at --base-url; without either, at OPENAI_BASE_URL and OPENAI_API_KEY and at the ports where
/// Ollama, vLLM, llama.cpp, LM Studio and SGLang listen on this machine. A model that is named, or that this machine
/// serves, is asked about ten small questions. With a recipe its critic is examined too, on test cases of its
/// constitution, as a run does it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  amend doctor                                     what answers on this machine
  amend doctor amend.toml                          the endpoints of a recipe
  amend doctor --base-url http://host:8000/v1 --model NAME
  amend doctor --no-calls --json                   lists models, asks none")]
pub(super) struct Args {
    /// The recipe whose endpoints are looked at
    #[arg(value_name = "RECIPE")]
    recipe: Option<PathBuf>,
    /// Base URL of an OpenAI-compatible endpoint
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The model to ask
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The environment variable that holds the API key [default: OPENAI_API_KEY]
    #[arg(long, value_name = "NAME")]
    api_key_env: Option<String>,
    /// Only list models; ask none of them
    #[arg(long)]
    no_calls: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// An endpoint to look at.
struct Target {
    /// Where it comes from: `recipe`, `OPENAI_BASE_URL`, `usual port of vLLM`.
    from: String,
    /// The endpoint; its model is empty when none is named.
    model: ResolvedModel,
    /// Whether its model may be asked although nobody named it: it costs nothing here.
    is_local: bool,
    /// Whether the user named this endpoint, so that its silence is an error.
    is_wanted: bool,
}

/// What was found out about an endpoint.
#[derive(Serialize)]
struct Report {
    from: String,
    base_url: String,
    /// The models it serves, as it says.
    models: Vec<String>,
    /// Why it gave no list.
    #[serde(skip_serializing_if = "Option::is_none")]
    silence: Option<String>,
    /// The model that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<Found>,
    /// Why the model gave no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// What to put into the recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    recipe: Option<String>,
    #[serde(skip)]
    is_wanted: bool,
}

impl Report {
    fn answers(&self) -> bool {
        self.failure.is_none() && (self.silence.is_none() || self.found.is_some())
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let targets = targets(args)?;
    if targets.is_empty() {
        return Err(Failure::usage(
            "the recipe uses only the simulated model: there is no endpoint to look at",
        ));
    }
    let examined = args.recipe.as_deref().filter(|_| !args.no_calls);
    let http = Http::new(models::keys());
    let looks = targets.into_iter().map(|target| look(&http, target, !args.no_calls));
    let mut reports = super::runtime()?.block_on(futures::future::join_all(looks));
    // What nobody asked about and nobody answers on is not worth a line.
    reports.retain(|report| report.is_wanted || report.answers());
    let answers = reports.iter().all(Report::answers);
    let examination = examined.filter(|_| answers).map(examine).transpose()?.flatten();
    print(&reports, examination.as_ref(), args.json);
    if examination.as_ref().is_some_and(|examination| !examination.passes()) {
        return Err(Failure::new(Kind::Findings, "the critic cannot be told from one that guesses")
            .hint("take a stronger critic (`[models.critic]`), or try `templates = \"small\"`")
            .hint("a run with it stops too, unless `--unqualified` says otherwise"));
    }
    match reports.iter().find(|report| !report.answers()) {
        Some(bad) => {
            let why = bad.failure.as_ref().or(bad.silence.as_ref()).map_or("", String::as_str);
            let url = &bad.base_url;
            let place = if why.contains(url.as_str()) { String::new() } else { format!("`{url}`: ") };
            Err(Failure::new(Kind::Provider, printable(&format!("{place}{why}"))))
        }
        None if reports.is_empty() => {
            Err(Failure::new(Kind::Findings, "no endpoint answers on this machine")
                .hint("name one: `amend doctor --base-url URL --model NAME`")
                .hint("or start the simulated one: `amend sim --port 8000`"))
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Examines the critic of a recipe. Answers are kept where those of `amend test` are, so that asking again costs nothing.
fn examine(recipe: &Path) -> Result<Option<Examination>, Failure> {
    let recipe = RecipeArgs { recipe: Some(recipe.to_owned()), ..RecipeArgs::default() };
    let project = recipe.open_project()?;
    let models = models::resolve(&project.recipe)?;
    let context = project.context(&models)?;
    if !is_examined(&context) {
        return Ok(None);
    }
    let journal = Workbench::journal_in(&kept_in(None, &project, "test"), Options::default())?;
    let (_stopper, shutdown) = shutdown();
    let bench = Workbench::new(journal, &project, models, shutdown, Arc::new(|_| {}))?;
    let examined = super::runtime()?.block_on(bench.examine(&context, &EventBus::default()));
    examined.map_err(|stop| stopped(&stop))
}

fn targets(args: &Args) -> Result<Vec<Target>, Failure> {
    if let Some(path) = &args.recipe {
        let recipe = with_warnings(|files| files.recipe(path))?;
        return Ok(of_recipe(&recipe.models));
    }
    let open = |base_url: &str| Model {
        model: Some(args.model.clone().unwrap_or_default()),
        base_url: Some(base_url.to_owned()),
        api_key_env: args.api_key_env.clone(),
        ..Model::default()
    };
    let target = |from: String, base_url: &str, is_local, is_wanted| {
        let model = Models { default: open(base_url), ..Models::default() }.resolve(Role::Generator);
        model.map(|model| Target { from, model, is_local, is_wanted })
    };
    if let Some(base_url) = &args.base_url {
        return Ok(target("--base-url".into(), base_url, is_local(base_url), true).into_iter().collect());
    }
    let mut targets = Vec::new();
    let key = args.api_key_env.as_deref().unwrap_or("OPENAI_API_KEY");
    if let Some(base_url) = models::environment_variable("OPENAI_BASE_URL") {
        targets.extend(target("OPENAI_BASE_URL".into(), &base_url, is_local(&base_url), true));
    } else if models::environment_variable(key).is_some() {
        targets.extend(target(key.to_owned(), OPENAI, false, true));
    }
    for (who, url) in LOCAL {
        // Whoever listens there was not named by the user, and gets no key.
        let keyless = |target: Target| Target {
            model: ResolvedModel { api_key_env: String::new(), ..target.model },
            ..target
        };
        targets.extend(target(format!("usual port of {who}"), url, true, false).map(keyless));
    }
    Ok(targets)
}

/// Every endpoint and model of a recipe once, with the roles that use it.
fn of_recipe(models: &Models) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    for &role in Role::OF_RUNS {
        let resolved = models.resolve(role);
        let fallback = resolved.as_ref().and_then(|model| model.fallback.as_deref().cloned());
        for (model, suffix) in [(resolved, ""), (fallback, "'s fallback")] {
            let Some(model) = model.filter(|model| !model.is_sim()) else { continue };
            let name = format!("{}{suffix}", role.as_str());
            let urls: Vec<Option<String>> = match model.base_urls()[..] {
                [] => vec![None],
                ref urls => urls.iter().map(|url| Some((*url).to_owned())).collect(),
            };
            for base_url in urls {
                let model = ResolvedModel { base_url, replicas: Vec::new(), ..model.clone() };
                let same =
                    |t: &&mut Target| (&t.model.base_url, &t.model.model) == (&model.base_url, &model.model);
                match targets.iter_mut().find(same) {
                    Some(target) => target.from = format!("{}, {name}", target.from),
                    None => {
                        targets.push(Target { from: name.clone(), model, is_local: false, is_wanted: true });
                    }
                }
            }
        }
    }
    targets
}

fn is_local(base_url: &str) -> bool {
    ["http://localhost", "http://127.", "http://[::1]"].iter().any(|local| base_url.starts_with(local))
}

async fn look(http: &Http, target: Target, ask: bool) -> Report {
    let mut model = target.model;
    let listed = capability_probe::models(http, &model).await;
    let (models, silence) = match listed {
        Ok(models) => (models, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let is_named = !model.model.is_empty();
    if !is_named && target.is_local {
        model.model = models.first().cloned().unwrap_or_default();
    }
    // Who does not answer in seconds which models there are would keep a person waiting for a minute at each question.
    let is_reached = silence
        .as_ref()
        .is_none_or(|why| !why.starts_with("cannot connect") && !capability_probe::is_timeout(why));
    let asked = if ask && is_reached && !model.model.is_empty() {
        Some(capability_probe::probe(http, &model).await)
    } else {
        None
    };
    let (found, failure) = match asked {
        Some(Ok(found)) => (Some(found), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    Report {
        from: target.from,
        base_url: crate::runtime::model::shown_url(model.base_url.as_deref().unwrap_or_default()),
        models,
        silence,
        recipe: found.as_ref().map(|found| recipe(&model, found)),
        model: Some(model.model).filter(|name| !name.is_empty()),
        found,
        failure,
        is_wanted: target.is_wanted,
    }
}

/// The section that suits what was found.
fn recipe(model: &ResolvedModel, found: &Found) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut lines = String::from("[models.default]\n");
    let _ = writeln!(lines, "model = {}", quoted(&model.model));
    let _ = writeln!(
        lines,
        "base_url = {}",
        quoted(&crate::runtime::model::shown_url(model.base_url.as_deref().unwrap_or_default()))
    );
    if !matches!(model.api_key_env.as_str(), "" | "OPENAI_API_KEY") {
        let _ = writeln!(lines, "api_key_env = {}", quoted(&model.api_key_env));
    }
    if found.structured == Ability::Yes {
        lines.push_str("structured = true\n");
    }
    if matches!(found.seed, Ability::Refused(_)) {
        lines.push_str("send_seed = false\n");
    }
    if found.max_completion_tokens {
        lines.push_str("max_tokens_field = \"max_completion_tokens\"\n");
    }
    if found.no_temperature {
        lines.push_str("temperature = -1\n");
    }
    if found.system == SystemTurn::Fold {
        lines.push_str("system = \"fold\"\n");
    }
    if let Some(tier) = &model.service_tier {
        let _ = writeln!(lines, "service_tier = {}", quoted(tier));
    }
    if let Some(seconds) = model.timeout_s {
        let _ = writeln!(lines, "timeout_s = {seconds:?}");
    }
    lines
}

fn print(reports: &[Report], examination: Option<&Examination>, json: bool) {
    let text = if json {
        let mut all = serde_json::json!({ "endpoints": reports });
        if let (Some(examination), Some(all)) = (examination, all.as_object_mut()) {
            all.insert("examination".into(), serde_json::json!(examination));
        }
        format!("{all}\n")
    } else {
        let style = Style::of_stdout();
        let mut text = reports.iter().map(|report| told(report, style)).collect::<Vec<_>>().join("\n");
        if let Some(examination) = examination {
            let _ = writeln!(text, "\n{}", style.strong("the critic, on test cases of the constitution"));
            for line in examination.lines() {
                text.push_str(&flowed(&printable(&line), style.width.saturating_sub(1), 2));
                text.push('\n');
            }
        }
        text
    };
    // A reader that went away wants no more.
    let _ = stdout().write_all(text.as_bytes());
}

fn told(report: &Report, style: Style) -> String {
    let mut text = format!(
        "{} {}\n",
        style.strong(&printable(&report.base_url)),
        style.faint(&format!("({})", report.from))
    );
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<18} {}", one_line(value, style.width.saturating_sub(22)));
    };
    let listed = match (&report.silence, report.models.is_empty()) {
        (Some(why), _) => why.clone(),
        (None, true) => "none listed".into(),
        (None, false) => report.models.join(", "),
    };
    line("models", &listed);
    if let Some(model) = &report.model {
        let is_asked = report.found.is_some() || report.failure.is_some();
        line(if is_asked { "asked" } else { "not asked" }, model);
    }
    if let Some(why) = &report.failure {
        line("answer", why);
    }
    if let Some(found) = &report.found {
        let logprobs = match found.logprobs {
            Ability::Yes => format!("yes, the top {}", found.top_logprobs),
            Ability::No | Ability::Refused(_) => word(&found.logprobs, "no: labels come from votes"),
        };
        line("log-probabilities", &logprobs);
        line("structured output", &word(&found.structured, "no: verdicts come from a closing line"));
        line("seed", &word(&found.seed, "taken, but the same seed gave another text"));
        line("token counts", &word(&found.usage, "no: budgets are estimates"));
        line("prefix cache", &word(&found.cached, "no cached tokens reported"));
        if let Some(cut) = &found.cut_prompt {
            line("context", &format!("too short: {}", cut.told()));
        }
        line("reasoning", if found.reasoning { "comes with the answer, kept apart" } else { "none seen" });
    }
    if let Some(recipe) = &report.recipe {
        let _ =
            writeln!(text, "  for the recipe, after {} calls:", report.found.as_ref().map_or(0, |f| f.calls));
        for line in recipe.lines() {
            let _ = writeln!(text, "    {}", printable(line));
        }
    }
    text
}

fn word(ability: &Ability, no: &str) -> String {
    match ability {
        Ability::Yes => "yes".into(),
        Ability::No => no.into(),
        Ability::Refused(why) => format!("refused: {why}"),
    }
}
