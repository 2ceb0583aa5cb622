//! What is shown of files that come from the hub or go there: a bar on a terminal, else a line for each file that is through.

use super::progress::{duration, write_beside};
use crate::pure::text::printable;
use crate::runtime::hub::{Direction, Transfer, observe};
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

/// The bar of the file that is on its way.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// From now on every transfer of this process is shown on standard error.
pub(super) fn show() {
    observe(show_one);
}

fn show_one(transfer: &Transfer<'_>) {
    let mut bar = BAR.lock().unwrap_or_else(PoisonError::into_inner);
    match *transfer {
        Transfer::Began { direction, file, bytes } if std::io::stderr().is_terminal() => {
            *bar = Some(begun(direction, file, bytes));
        }
        Transfer::Began { .. } => {}
        Transfer::Moved(bytes) => bar.iter().for_each(|bar| bar.inc(bytes)),
        Transfer::Ended { direction, file, bytes } => {
            end(&mut bar);
            line(&format!("{} {}, {}", past(direction), printable(file), HumanBytes(bytes)));
        }
        Transfer::Waiting { cause, wait } => {
            end(&mut bar);
            let wait = duration(wait.as_secs_f64());
            line(&format!("{}; asking again in {wait}", printable(cause)));
        }
    }
}

fn begun(direction: Direction, file: &str, bytes: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr_with_hz(8));
    // The name comes last and is cut where the line ends.
    let known = "{bar:16} {bytes}/{total_bytes} · {bytes_per_sec} · {wide_msg}";
    let text = if bytes.is_some() { known } else { "{spinner} {bytes} · {bytes_per_sec} · {wide_msg}" };
    let style = ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_bar());
    let doing = match direction {
        Direction::Down => "downloading",
        Direction::Up => "uploading",
    };
    bar.with_style(style.progress_chars("━╸─")).with_message(format!("{doing} {}", printable(file)))
}

fn past(direction: Direction) -> &'static str {
    match direction {
        Direction::Down => "downloaded",
        Direction::Up => "uploaded",
    }
}

fn end(bar: &mut Option<ProgressBar>) {
    if let Some(bar) = bar.take() {
        bar.finish_and_clear();
    }
}

fn line(text: &str) {
    // Standard error that is gone is nobody's loss.
    let _ = write_beside(format!("{text}\n").as_bytes());
}
