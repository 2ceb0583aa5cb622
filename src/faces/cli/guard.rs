//! `amend guard`: the constitution in front of a live model.

use super::Failure;
use super::failure::Kind;
use super::settings::RecipeArgs;
use super::signals::{Hangups, asked_to_end};
use super::user_files::with_warnings;
use crate::faces::cli::stdout::stdout;
use crate::faces::server::guard::{
    AuditLog, Clock, GuardClient, GuardHandle, GuardServer, GuardSetup, Policy,
};
use crate::pure::call::Role;
use crate::pure::recipe::{Guard, GuardMode, Recipe, ResolvedModel, RoleModels, Tier, is_simulated};
use crate::pure::text::printable;
use crate::runtime::http_server::{Bounds, ServerTls};
use crate::runtime::model::{Http, PlainEndpoint};
use crate::runtime::project::{Project, models};
use secrecy::SecretString;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Put the constitution in front of a live model
///
/// Clients talk to the guard as they would to the model. Every request is judged against the constitution while the model
/// begins to answer, and every answer before the client sees it. What violates a principle is declined, revised or stopped;
/// what nobody could judge is never taken for fine where much is at stake. The critic of the recipe is the judge.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  amend guard --model NAME --base-url http://localhost:8000/v1
  amend guard amend.toml --check              ask each endpoint a question
  amend guard amend.toml --mode shadow --audit audit.jsonl
  amend guard amend.toml --listen 0.0.0.0:8080 --token-env GUARD_TOKEN

Clients take http://127.0.0.1:8080/v1 as their base URL. SIGHUP reads the constitution again. Settings stand under [guard].")]
pub(super) struct Args {
    /// The recipe [default: amend.toml, where there is one; else flags must say enough]
    #[arg(value_name = "RECIPE")]
    recipe: Option<PathBuf>,
    /// Where to listen; another place than this machine needs --token-env
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", help_heading = "Service")]
    listen: String,
    /// The model that is guarded, by its base URL [default: that of the generator]
    #[arg(long, value_name = "URL", help_heading = "Service")]
    upstream: Option<String>,
    /// enforce, or shadow: look on and write down what would have happened
    #[arg(long, value_name = "MODE", help_heading = "Service")]
    mode: Option<String>,
    /// Append the audit to a file, as JSON lines
    #[arg(long, value_name = "FILE", help_heading = "Service")]
    audit: Option<String>,
    /// The environment variable that holds the token which clients must bring
    #[arg(long, value_name = "NAME", help_heading = "Service")]
    token_env: Option<String>,
    /// Serve over TLS, with this certificate in PEM form; SIGHUP reads it again
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "Service")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM form
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "Service")]
    tls_key: Option<PathBuf>,
    /// Do not serve: check the settings, and ask each endpoint one question
    #[arg(long, help_heading = "Service")]
    check: bool,
    /// The constitution: a file, or the name of a built-in one (harmlessness, support-desk, …)
    #[arg(long, value_name = "FILE", help_heading = "What")]
    constitution: Option<String>,
    /// The model for every role; `sim` is the built-in simulated one
    #[arg(long, value_name = "NAME", help_heading = "Models")]
    model: Option<String>,
    /// Base URL of an OpenAI-compatible endpoint, such as <http://localhost:8000/v1>
    #[arg(long, value_name = "URL", help_heading = "Models")]
    base_url: Option<String>,
    /// The environment variable that holds the API key [default: OPENAI_API_KEY]
    #[arg(long, value_name = "NAME", help_heading = "Models")]
    api_key_env: Option<String>,
    /// Any recipe field, as `guard.output.hold=full` or `models.critic.model="small"`. May be repeated
    #[arg(long, value_name = "FIELD=VALUE", help_heading = "Recipe")]
    set: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let project = args.as_recipe().open_project()?;
    let models = resolve(&project.recipe)?;
    if args.listen.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
        return Err(Failure::usage(format!(
            "`--listen {}` is no address with a port",
            printable(&args.listen)
        ))
        .hint("such as `--listen 127.0.0.1:8080`"));
    }
    let apps = &project.recipe.guard.app;
    if args.token_env.is_none() && apps.is_empty() && !is_this_machine(&args.listen) {
        return Err(Failure::usage(format!("`--listen {}` can be reached by others", args.listen))
            .hint("give `--token-env NAME`, and put a token that clients must bring into that variable")
            .hint("or name applications under `[[guard.app]]`, each with a token of its own")
            .hint("or listen on 127.0.0.1, behind something that knows its clients"));
    }
    let tls = tls(args)?;
    if tls.is_none() && !is_this_machine(&args.listen) {
        let text = "warning: tokens and texts come over the network in the clear; give `--tls-cert` and `--tls-key`, or let only \
                    a proxy of yours reach it\n";
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    let policies = policies(args, &project, &models)?;
    let upstream = upstream(&project.recipe, &models)?;
    let summary = Summary::of(&project.recipe, &models, &policies, &upstream);
    let setup = setup(args, &project.recipe, policies, upstream)?;
    super::runtime()?.block_on(async {
        if args.check {
            check(setup, &summary).await
        } else {
            serve(args, setup, &models, &summary, tls).await
        }
    })
}

impl Args {
    /// What the command line says, as a recipe takes it.
    fn as_recipe(&self) -> RecipeArgs {
        let quoted = |field: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("{field}={}", toml::Value::String(value.clone())))
        };
        let mut set = self.set.clone();
        set.extend(quoted("guard.upstream.base_url", &self.upstream));
        set.extend(quoted("guard.mode", &self.mode));
        set.extend(quoted("guard.audit.path", &self.audit));
        RecipeArgs {
            recipe: self.recipe.clone(),
            constitution: self.constitution.clone(),
            model: self.model.clone(),
            base_url: self.base_url.clone(),
            api_key_env: self.api_key_env.clone(),
            set,
            ..RecipeArgs::default()
        }
    }
}

/// The model of every role. Seeds are for runs, and some endpoints refuse them.
fn resolve(recipe: &Recipe) -> Result<RoleModels, Failure> {
    let mut models = models::resolve(recipe)?;
    for role in Role::ALL {
        models.of_mut(*role).send_seed = false;
    }
    Ok(models)
}

/// The constitution of each client, with its rules ready: that of whoever brings `--token-env`'s token, or nobody's, then those of
/// the applications.
fn policies(args: &Args, project: &Project, models: &RoleModels) -> Result<Vec<Policy>, Failure> {
    let policy = |project: &Project| Policy::new(project.context(models)?).map_err(Failure::usage);
    let mut found = Vec::new();
    if args.token_env.is_some() || project.recipe.guard.app.is_empty() {
        found.push(policy(project)?);
    }
    for app in &project.recipe.guard.app {
        let mut recipe = project.recipe.clone();
        recipe.constitution = app.constitution.clone().unwrap_or(recipe.constitution);
        let own = with_warnings(|files| Project::open(recipe, files))?;
        found.push(Policy { app: Some(app.name.clone()), ..policy(&own)? });
    }
    Ok(found)
}

/// Who may ask: the clients whose policies these are, with their tokens.
fn clients(args: &Args, recipe: &Recipe, policies: Vec<Policy>) -> Result<Vec<GuardClient>, Failure> {
    let of_flag = args.token_env.as_ref().map(|name| token("--token-env", name)).transpose()?;
    let mut tokens = Vec::new();
    if of_flag.is_some() || recipe.guard.app.is_empty() {
        tokens.push(of_flag);
    }
    for app in &recipe.guard.app {
        tokens.push(Some(token("guard.app.token_env", &app.token_env)?));
    }
    let client = |(token, policy)| GuardClient { token, policy };
    Ok(tokens.into_iter().zip(policies).map(client).collect())
}

/// The way to the model that is guarded.
fn upstream(recipe: &Recipe, models: &RoleModels) -> Result<PlainEndpoint, Failure> {
    let mut all = recipe.models.clone();
    if let Some(url) = &recipe.guard.upstream.base_url {
        all.own.entry(Role::Generator).or_default().base_url = Some(url.clone());
    }
    let mut model: ResolvedModel =
        all.resolve(Role::Generator).unwrap_or_else(|| models.of(Role::Generator).clone());
    if model.base_url.is_none() {
        return Err(Failure::usage("there is no model to guard: the generator has no base URL")
            .hint("give `--upstream URL`, such as `--upstream http://localhost:8000/v1`")
            .hint("the simulated model is one as a server: `amend sim --port 8000`"));
    }
    if recipe.guard.upstream.pass_key {
        model.api_key_env.clear();
    }
    Http::new(models::keys()).plain(&model).map_err(|fault| Failure::usage(fault.to_string()))
}

fn token(told_by: &str, name: &str) -> Result<SecretString, Failure> {
    match models::environment_variable(name) {
        Some(token) => Ok(SecretString::from(token)),
        None => Err(Failure::usage(format!("`{told_by} {name}`: the variable `{name}` is not set"))
            .hint("put a token of your own into it, such as one of `openssl rand -hex 32`")),
    }
}

/// The certificate, where it is served over TLS.
fn tls(args: &Args) -> Result<Option<Arc<ServerTls>>, Failure> {
    let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) else { return Ok(None) };
    let read = ServerTls::read(certificate, key).map_err(|why| Failure::usage(printable(&why)));
    read.map(|tls| Some(Arc::new(tls)))
}

/// Whether an address can be reached from this machine only.
fn is_this_machine(address: &str) -> bool {
    if let Ok(address) = address.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn setup(
    args: &Args,
    recipe: &Recipe,
    policies: Vec<Policy>,
    upstream: PlainEndpoint,
) -> Result<GuardSetup, Failure> {
    let audit = recipe.guard.audit.path.as_ref().map(|path| {
        AuditLog::open(Path::new(path), recipe.guard.audit.rotate_mib.saturating_mul(1 << 20)).map_err(
            |error| {
                Failure::disk(format!("cannot write the audit `{}`: {error}", printable(path)))
                    .hint("name another file with `--audit`")
            },
        )
    });
    Ok(GuardSetup {
        settings: recipe.guard.clone(),
        clients: clients(args, recipe, policies)?,
        transports: models::transports(&recipe.sim)?,
        upstream,
        patience: Duration::try_from_secs_f64(recipe.limits.timeout_s).unwrap_or(Duration::from_secs(120)),
        audit: audit.transpose()?,
        clock: clock(),
    })
}

#[expect(clippy::disallowed_methods, reason = "the command line reads the clock, and passes it on")]
fn clock() -> Clock {
    use std::time::SystemTime;
    Arc::new(|| SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// What is told of a guard before it serves.
struct Summary {
    upstream: String,
    /// The model that judges; none where rules alone do.
    judge: Option<String>,
    policies: Vec<String>,
    mode: GuardMode,
}

/// A policy in a few words.
fn shown(policy: &Policy) -> String {
    let Policy { app, name, context, .. } = policy;
    let principles = match context.constitution.principles.len() {
        1 => "1 principle".to_owned(),
        n => format!("{n} principles"),
    };
    match app {
        Some(app) => format!("`{}` for `{}` ({principles})", printable(name), printable(app)),
        None => format!("`{}` ({principles})", printable(name)),
    }
}

impl Summary {
    fn of(recipe: &Recipe, models: &RoleModels, policies: &[Policy], upstream: &PlainEndpoint) -> Self {
        let guard = &recipe.guard;
        let asks_judge =
            [&guard.input.tiers, &guard.output.tiers].iter().any(|tiers| tiers.contains(&Tier::Screen));
        Self {
            upstream: upstream.shown(),
            judge: asks_judge.then(|| models.of(Role::Critic).model.clone()),
            policies: policies.iter().map(shown).collect(),
            mode: recipe.guard.mode,
        }
    }

    fn tell(&self) {
        let Self { upstream, judge, policies, mode, .. } = self;
        let judged = judge.as_ref().map_or_else(
            || "judged by rules alone".to_owned(),
            |judge| format!("judged by `{}`", printable(judge)),
        );
        let mut text =
            format!("guards {upstream} by {}, {judged}, mode {}\n", policies.join(", "), mode.as_str());
        if judge.as_deref().is_some_and(is_simulated) {
            text.push_str(
                "warning: the judge is the simulated model, which knows nothing of what a text means\n",
            );
        }
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// Asks each endpoint one question.
async fn check(setup: GuardSetup, summary: &Summary) -> Result<ExitCode, Failure> {
    summary.tell();
    let path = "/v1/models";
    let sent = setup.upstream.send(http::Method::GET, path, bytes::Bytes::new(), None, None).await;
    let pass_key = setup.settings.upstream.pass_key;
    let told = match sent {
        Ok(response) if response.status().is_success() => "ok".to_owned(),
        Ok(response) if pass_key && response.status() == http::StatusCode::UNAUTHORIZED => {
            "ok (it wants a key, which clients bring)".to_owned()
        }
        Ok(response) => {
            let message = format!(
                "the upstream `{}` gave status {} for its models",
                summary.upstream,
                response.status()
            );
            return Err(Failure::new(Kind::Provider, message).hint("see its key and its base URL"));
        }
        Err(fault) => {
            return Err(Failure::new(Kind::Provider, format!("the upstream does not answer: {fault}"))
                .hint("start it, or name another with `--upstream`"));
        }
    };
    let _ = writeln!(stdout(), "upstream  {}  {told}", summary.upstream);
    let Some(judge) = &summary.judge else { return Ok(ExitCode::SUCCESS) };
    GuardServer::new(setup).try_judge().await.map_err(|why| {
        Failure::new(Kind::Provider, format!("the judge `{judge}` gives no verdict: {why}"))
            .hint("`amend doctor` shows what an endpoint can do; `models.critic` names another judge")
    })?;
    let _ = writeln!(stdout(), "judge     {}  ok", printable(judge));
    Ok(ExitCode::SUCCESS)
}

async fn serve(
    args: &Args,
    setup: GuardSetup,
    models: &RoleModels,
    summary: &Summary,
    tls: Option<Arc<ServerTls>>,
) -> Result<ExitCode, Failure> {
    let (listener, address) = GuardServer::listen(&args.listen).await.map_err(|error| {
        Failure::usage(format!("cannot listen on {}: {error}", printable(&args.listen)))
            .hint("`--listen 127.0.0.1:0` picks a free port")
    })?;
    let settings = setup.settings.clone();
    let server = GuardServer::new(setup);
    let handle = server.handle();
    // Listened for before anybody is told that the guard serves: until then a hangup ends the process.
    let mut hangups = Hangups::new();
    summary.tell();
    // Scripts wait for this line, so it must not stay in a buffer.
    let mut out = stdout();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let _ = writeln!(out, "listening on {scheme}://{address}/v1").and_then(|()| out.flush());
    let bounds = Bounds { tls: tls.clone(), grace: super::signals::GRACE, ..Bounds::default() };
    let reloads = async {
        loop {
            hangups.next().await;
            reload(args, &settings, models, &handle);
            if let Some(Err(why)) = tls.as_ref().map(|tls| tls.reload()) {
                Failure::usage(printable(&why)).hint("the old certificate stays in use").print();
            }
        }
    };
    let twice = async {
        asked_to_end().await;
        asked_to_end().await;
    };
    tokio::select! {
        () = server.run(listener, bounds, asked_to_end()) => {}
        () = twice => {}
        () = reloads => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the constitution again. One that cannot be read leaves the old one in force.
fn reload(args: &Args, settings: &Guard, models: &RoleModels, handle: &GuardHandle) {
    let read = args.as_recipe().open_project().and_then(|project| {
        let policies = policies(args, &project, models)?;
        // Tokens are read when the guard starts: another list of applications would be another list of tokens.
        let apps = |guard: &Guard| guard.app.iter().map(|app| app.name.clone()).collect::<Vec<_>>();
        if apps(&project.recipe.guard) == apps(settings) {
            Ok(policies)
        } else {
            Err(Failure::usage("the applications under `[[guard.app]]` are others")
                .hint("start the guard again"))
        }
    });
    match read {
        Ok(policies) => {
            let names: Vec<String> = policies.iter().map(shown).collect();
            let text = format!("now guards by {}\n", names.join(", "));
            handle.replace_policies(policies);
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
        Err(failure) => {
            handle.reload_failed();
            tracing::warn!("the constitution could not be read again, so the old one stays");
            failure.hint("the old constitution stays in force").print();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_needs_no_token() {
        for here in ["127.0.0.1:8080", "[::1]:80", "localhost:8080", "127.9.9.9:1"] {
            assert!(is_this_machine(here), "{here}");
        }
        for there in ["0.0.0.0:8080", "[::]:80", "10.0.0.1:1", "guard.example:80", ":8080", ""] {
            assert!(!is_this_machine(there), "{there}");
        }
    }
}
