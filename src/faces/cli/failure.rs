//! How a command fails: what happened, where, what to do, and the exit code. The one place that prints errors.

use super::style::Style;
use crate::pure::text::printable;
use crate::runtime::dataset::export::ExportError;
use crate::runtime::project::ProjectError;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

/// The kinds of failure that scripts can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Findings, or some rows failed.
    Findings = 1,
    /// Usage, recipe or constitution.
    Usage = 2,
    /// The provider refused: key, quota, unknown model.
    Provider = 3,
    /// Journal or disk.
    Disk = 4,
    /// A bug of ours.
    Bug = 70,
    /// Interrupted by the user.
    Interrupted = 130,
}

/// Why a command cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which exit code.
    pub kind: Kind,
    /// What happened and where, as a lower-case fragment.
    pub message: String,
    /// What to do, one sentence each.
    pub hints: Vec<String>,
    /// Findings about files, ready to be shown before the message.
    pub details: String,
}

impl Failure {
    /// A failure of the given kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new(), details: String::new() }
    }

    /// Bad usage, recipe or constitution: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Journal or disk trouble: exit code 4.
    pub fn disk(message: impl Into<String>) -> Self {
        Self::new(Kind::Disk, message)
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds findings about files, ready to be shown.
    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    /// Prints the failure to stderr and gives its exit code.
    pub fn report(&self) -> ExitCode {
        self.print();
        ExitCode::from(self.kind as u8)
    }

    /// Prints the failure to stderr.
    pub fn print(&self) {
        let mut text = String::new();
        if !self.details.is_empty() {
            let _ = writeln!(text, "{}", self.details);
        }
        if !self.message.is_empty() {
            // A message may quote a provider, a file or its name.
            let _ = writeln!(text, "error: {}", printable(&self.message));
        }
        for hint in &self.hints {
            let _ = writeln!(text, "  help: {}", printable(hint));
        }
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// A journal that cannot be used: a wrong directory is the user's slip, anything else the disk's.
pub fn journal_failure(error: &crate::runtime::journal::JournalError) -> Failure {
    use crate::runtime::journal::JournalError;
    let kind = match error {
        JournalError::Missing(_)
        | JournalError::NotAJournal(_)
        | JournalError::Newer { .. }
        | JournalError::NoKey(_)
        | JournalError::OtherKey(_)
        | JournalError::NotEncrypted(_)
        | JournalError::BadKey => Kind::Usage,
        JournalError::Held { .. }
        | JournalError::Corrupt { .. }
        | JournalError::DiskFull(_)
        | JournalError::ReadOnly(_)
        | JournalError::Gone(_)
        | JournalError::OldSqlite(_)
        | JournalError::Io { .. }
        | JournalError::Mirror(_)
        | JournalError::Closed => Kind::Disk,
    };
    Failure::new(kind, error.to_string()).hint(error.hint())
}

/// A panic: what it says and where, and a backtrace where the environment asks for one.
pub fn bug(panic: &std::panic::PanicHookInfo<'_>) -> Failure {
    let payload = panic.payload();
    let said = payload.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
    let place = panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    let failure =
        Failure::new(Kind::Bug, format!("amend {} has a bug: {said}{place}", env!("CARGO_PKG_VERSION")))
            .hint("nothing answered is lost: run the same command again to go on")
            .hint("please report it with what you ran; `RUST_BACKTRACE=1` shows more");
    let trace = std::backtrace::Backtrace::capture();
    if trace.status() == std::backtrace::BacktraceStatus::Captured {
        return failure.details(trace.to_string());
    }
    failure
}

/// A run or an answer that broke off.
pub fn stopped(stop: &crate::pure::ask::Stop) -> Failure {
    use crate::pure::ask::Stop;
    let kind = match stop {
        Stop::Interrupted => Kind::Interrupted,
        Stop::Journal(_) => Kind::Disk,
        Stop::Provider(_) => Kind::Provider,
        Stop::Template(_) => Kind::Usage,
        Stop::Budget(_) | Stop::Undecided(_) | Stop::Unqualified(_) => Kind::Findings,
        Stop::Bug(_) => Kind::Bug,
    };
    Failure::new(kind, stop.to_string())
}

impl From<ProjectError> for Failure {
    fn from(error: ProjectError) -> Self {
        match error {
            ProjectError::Input { message, hints, findings } => {
                let details = findings.map_or_else(String::new, |findings| {
                    super::user_files::rendered(&findings, Style::of_stderr())
                });
                Self { kind: Kind::Usage, message, hints, details }
            }
            ProjectError::Disk { message, hint } => Self::disk(message).hint(hint),
            ProjectError::Journal(error) => journal_failure(&error),
            ProjectError::Export(error) => export_failure(&error),
            ProjectError::Stopped(stop) => stopped(&stop),
            ProjectError::Bug(message) => Self::new(Kind::Bug, message),
        }
    }
}

/// A dataset that cannot be written.
pub fn export_failure(error: &ExportError) -> Failure {
    match error {
        ExportError::Io { .. } | ExportError::Parquet(_) | ExportError::Source(_) => {
            Failure::disk(error.to_string())
                .hint("what was there before is unchanged; see that the disk has room, then export again")
        }
        ExportError::Gate(_) => Failure::new(Kind::Findings, error.to_string())
            .hint("nothing was written; look at the answers with `amend show RUN`, or change `[export.gate]`"),
        ExportError::Mix(_) => Failure::new(Kind::Findings, error.to_string())
            .hint("nothing was written; add prompts (`amend seeds`, `amend twins`), or take what there is with `--set export.mix.partial=true` (`amend export --partial`)"),
        ExportError::UnknownConfig(_) | ExportError::Setting(_) => Failure::usage(error.to_string()),
        ExportError::Occupied(_) => Failure::usage(error.to_string()).hint("name a new folder with `--out`"),
        ExportError::Finished(_) => Failure::usage(error.to_string())
            .hint("finish the run with the same `amend run` command, or name a new folder with `--out`"),
        ExportError::Busy(_) => Failure::usage(error.to_string())
            .hint("wait until it has ended, or name another folder with `--out`"),
        ExportError::Changed => {
            Failure::usage(error.to_string()).hint("export again when nothing writes to the run any more")
        }
    }
}
