//! The log: what the engine does, for whoever looks for a fault. It is not the progress display.
//!
//! Spans are `run > prompt > call > attempt`, with ids, roles, principles, outcomes and durations; never a text or a key.
//! Records of other crates are left out: theirs may hold a body or a header. Lines on standard error go beside the progress
//! bar, not over it.

use super::{Failure, progress};
use crate::runtime::project::models::environment_variable;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// The variable that says what is logged.
const LEVELS: &str = "RUST_LOG";

/// What is logged unless [`LEVELS`] says otherwise.
const DEFAULT_LEVELS: &str = "warn";

/// Where the log goes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Log")]
pub(super) struct LogArgs {
    /// Append the log to a file instead of standard error; `RUST_LOG` says what is logged (warn, info, debug)
    #[arg(long, value_name = "FILE", global = true)]
    log: Option<PathBuf>,
    /// A record is a line of text, or one JSON object: text or json
    #[arg(
        long,
        value_name = "FORMAT",
        global = true,
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    log_format: LogFormat,
}

/// How a record is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts the log, once per process.
///
/// # Errors
///
/// A file that cannot be opened, or levels that cannot be read.
pub(super) fn start(args: &LogArgs) -> Result<(), Failure> {
    let levels = environment_variable(LEVELS);
    let filter = EnvFilter::try_new(levels.as_deref().unwrap_or(DEFAULT_LEVELS)).map_err(|error| {
        Failure::usage(format!("`{LEVELS}` cannot be read: {error}"))
            .hint("write it as `info`, or as `amend=debug`")
    })?;
    let ours = filter_fn(|record| record.target().starts_with(env!("CARGO_CRATE_NAME")));
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(LogSink::open(args)?);
    let layer = match args.log_format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().boxed(),
    };
    // A second start in one process has nothing to add.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter.and(ours))).try_init();
    Ok(())
}

/// The place of the log.
#[derive(Debug, Clone)]
enum LogSink {
    StandardError,
    File(Arc<Mutex<File>>),
}

impl LogSink {
    fn open(args: &LogArgs) -> Result<Self, Failure> {
        let Some(path) = &args.log else { return Ok(Self::StandardError) };
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
            Failure::disk(format!("cannot write the log `{}`: {error}", path.display()))
                .hint("name another file with `--log`")
        })?;
        Ok(Self::File(Arc::new(Mutex::new(file))))
    }
}

impl<'a> MakeWriter<'a> for LogSink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for LogSink {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::StandardError => progress::write_beside(line)?,
            Self::File(file) => file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
