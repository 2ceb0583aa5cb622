//! From a recipe on disk to a run and its dataset: what the commands and the library share.
//!
//! [`Project::open`] reads and checks, [`Project::run`] makes the transcripts in a run directory, and [`FrozenRun`]
//! reads such a directory back and writes its dataset. [`Workbench`] is for everything that asks and is not a run. Nothing
//! here prints or knows a flag.

mod definition;
mod error;
mod examine;
mod fingerprint;
mod frozen_run;
mod hub_files;
mod input_files;
mod merge;
pub mod models;
mod network_disk;
mod own_rows;
mod preflight;
mod row_rule;
mod run;
mod run_dir;
mod run_journal;
mod session_dir;
mod shards;
mod spent_before;
mod transport_router;
mod tuning;
mod workbench;

pub use definition::Project;
pub use error::{Findings, ProjectError};
pub use examine::as_examined;
pub use frozen_run::{FrozenRun, judge_report, rejects_by_reason};
pub use input_files::{InputFiles, count_by_severity, files_in};
pub use merge::{MergeSettings, MergedRun, merge_shards};
pub use run::{RereadablePrompts, open_prompts};
pub use run_dir::{CONSTITUTION, RECIPE, RunDir};
pub use run_journal::Beginning;
pub use session_dir::{SessionAnswer, SessionDir, SessionEntry, SessionTurn};
pub use transport_router::Transports;
pub use tuning::tune;
pub use workbench::Workbench;
