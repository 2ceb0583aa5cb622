//! How a run that works is told of other limits: a file in its directory, which it takes away when it has read it.
//!
//! The file says what changes, as `amend tune` takes it. The run looks for it once a second; what it was told last for lasts as long
//! as the process.

use super::{ProjectError, RunDir};
use crate::pure::recipe::Tuning;
use crate::runtime::engine::memo::Memo;
use crate::runtime::engine::{Event, EventBus};
use crate::runtime::journal::writer_of;
use crate::runtime::model::Transport;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::sleep;

/// The file that says what changes.
const FILE: &str = "tune";
/// How often a run looks for it.
const EVERY: Duration = Duration::from_secs(1);
/// How often whoever wrote it looks whether it was taken.
const LOOKS: Duration = Duration::from_millis(50);
/// How long a run may take to read it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks for changes of the limits as long as it is polled, and does what they say.
pub(super) async fn obey<T: Transport>(
    dir: &Path,
    memo: &Memo<T>,
    events: &EventBus,
) -> std::convert::Infallible {
    let path = dir.join(FILE);
    // What an earlier process was told is none of this one's business.
    let _ = std::fs::remove_file(&path);
    loop {
        sleep(EVERY).await;
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        match Tuning::read(text.split_whitespace()) {
            Ok(tuning) => {
                memo.tune(tuning);
                tracing::info!(%tuning, "the limits were changed");
                events.tell(Event::Tuned { limits: tuning.to_string() }).await;
            }
            Err(why) => tracing::warn!(why, "a change of the limits cannot be read"),
        }
        // Only now: whoever wrote it waits for this.
        let _ = std::fs::remove_file(&path);
    }
}

/// Tells the process that works on a run to change its limits, and waits until it has.
pub async fn tune(run: &RunDir, tuning: Tuning) -> Result<(), ProjectError> {
    let nobody = || {
        ProjectError::input(format!("no process works on `{}` now", run.path.display()))
            .hint("`amend run` takes the same limits: `--concurrency`, `--rpm`, `--tpm`")
    };
    if writer_of(&run.path).is_none() {
        return Err(nobody());
    }
    let path = run.path.join(FILE);
    put(&path, &tuning.to_string()).map_err(|error| {
        ProjectError::input(format!("`{}` cannot be written: {error}", path.display()))
            .hint("limits are changed on the machine that runs, by the user who does")
    })?;
    let taken = async {
        while path.exists() && writer_of(&run.path).is_some() {
            sleep(LOOKS).await;
        }
    };
    let is_late = tokio::time::timeout(PATIENCE, taken).await.is_err();
    let was_taken = !path.exists();
    let _ = std::fs::remove_file(&path);
    if was_taken {
        return Ok(());
    }
    if is_late {
        let message = format!("the process that works on `{}` does not take the change", run.path.display());
        return Err(ProjectError::input(message)
            .hint("it may be another command than `amend run`, or an older amend"));
    }
    Err(nobody())
}

/// Writes the file whole or not at all.
fn put(path: &Path, text: &str) -> io::Result<()> {
    let new = PathBuf::from(format!("{}.new", path.display()));
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)
}
