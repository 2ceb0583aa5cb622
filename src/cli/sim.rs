//! `amend sim`: the simulated model as a server.

use super::Failure;
use super::failure::Kind;
use crate::model::sim::Server;
use crate::recipe::Sim;
use secrecy::SecretString;
use std::io::Write as _;
use std::process::ExitCode;

/// Arguments of `amend sim`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  amend sim --port 8000                                    a fast, faultless model
  amend sim --port 8000 --latency-ms 200 --slots 8         one that takes its time
  amend sim --port 8000 --rate-limited 0.05 --resets 0.01  one that fails now and then
  curl http://127.0.0.1:8000/stats                         what it was asked so far

Every flag of the groups below but Service is a field of [sim] in a recipe too, with _ for -.")]
pub(super) struct Args {
    /// The port to listen on; 0 picks a free one
    #[arg(long, value_name = "N", default_value_t = 8000, help_heading = "Service")]
    port: u16,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", help_heading = "Service")]
    host: String,
    /// Answer only requests that bring this key
    #[arg(long, value_name = "KEY", env = "AMEND_SIM_KEY", hide_env_values = true, help_heading = "Service")]
    key: Option<String>,
    #[command(flatten)]
    settings: Sim,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if let Some(problem) = args.settings.problems().first() {
        return Err(Failure::usage(problem.clone()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Kind::Bug, format!("cannot start the runtime: {error}")))?;
    runtime.block_on(serve(args))
}

async fn serve(args: &Args) -> Result<ExitCode, Failure> {
    let key = args.key.clone().map(SecretString::from);
    let server = Server::bind(args.settings.clone(), &args.host, args.port, key).await.map_err(|error| {
        Failure::usage(format!("cannot listen on {}:{}: {error}", args.host, args.port))
            .hint("`--port 0` picks a free port")
    })?;
    // Scripts wait for this line, so it must not stay in a buffer.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "listening on {}", server.base_url()).and_then(|()| out.flush());
    drop(out);
    server
        .run(told_to_stop())
        .await
        .map_err(|error| Failure::new(Kind::Bug, format!("serving failed: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

/// Ready on Ctrl-C or SIGTERM.
async fn told_to_stop() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
