//! Why a project cannot be opened, run or exported.
//!
//! A message says what happened and where; the hints say what to do. The caller decides how to show them and which exit
//! code they get.

use crate::pure::ask::Stop;
use crate::pure::diagnostic::{Diagnostic, SourceFile, Sources};
use crate::runtime::dataset::export::ExportError;
use crate::runtime::journal::JournalError;

/// Findings in a user's file, with the texts that they point into.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that the findings point into.
    pub sources: Sources,
}

/// Why a project cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The recipe, the constitution, a template or a path is wrong, and the user can mend it.
    #[error("{message}")]
    Input {
        /// What happened and where.
        message: String,
        /// What to do, one sentence each.
        hints: Vec<String>,
        /// Findings about a file, where there are any.
        findings: Option<Box<Findings>>,
    },
    /// A file or a directory of the run cannot be written or read.
    #[error("{message}")]
    Disk {
        /// What happened and where.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The dataset cannot be written.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// No further call can be answered.
    #[error(transparent)]
    Stopped(#[from] Stop),
    /// Something that cannot happen has happened.
    #[error("{0}")]
    Bug(String),
}

impl ProjectError {
    /// An error that the user can mend.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input { message: message.into(), hints: Vec::new(), findings: None }
    }

    /// Mistakes in a file that the user can mend.
    pub fn findings(file: &SourceFile, diagnostics: Vec<Diagnostic>) -> Self {
        let mut sources = Sources::default();
        sources.add(file.clone());
        Self::Input {
            message: format!("`{}` cannot be used", file.name),
            hints: Vec::new(),
            findings: Some(Box::new(Findings { diagnostics, sources })),
        }
    }

    /// The same error with one more sentence about what to do. Other kinds bring their own hints.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Input { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }
}
