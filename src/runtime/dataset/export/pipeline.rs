//! The second pass: transcripts become rows, and rows go to the tables of their configs.
//!
//! One thread reads transcripts, one makes rows of them, and each config has one that writes. They hand over in the
//! order of the transcripts through short queues, so the bytes do not depend on who is ahead, and memory holds a few
//! transcripts. Whoever fails closes its queue; those before it stop, and its own error is what is told.

use super::config_writer::{Batch, Filled, Table};
use super::files::Written;
use super::stats::Stats;
use super::{ExportError, Job, Report};
use crate::pure::reason::Reason;
use crate::pure::transcript::{Ended, Transcript};
use crate::runtime::dataset::rows::{Config, Row};
use crate::runtime::dataset::rows::{Drop, Passport, rows_of};
use crate::runtime::dataset::splits::{Families, SPLITS};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::ScopedJoinHandle;

/// Transcripts, or their rows in one config, that wait for the next thread.
const QUEUE: usize = 8;

/// All rows of a dataset, written.
pub(super) struct Rows {
    pub(super) report: Report,
    pub(super) stats: BTreeMap<(Config, usize), Stats>,
    pub(super) files: Vec<Written>,
}

/// Writes the rows of all transcripts.
pub(super) fn write(
    transcripts: &mut dyn Iterator<Item = Result<Transcript, String>>,
    job: &Job<'_>,
    families: &Families,
) -> Result<Rows, ExportError> {
    let (read, made, filled) = std::thread::scope(|scope| {
        let mut tables = Vec::new();
        let mut to_tables = Vec::new();
        for config in job.configs {
            let (send, batches) = sync_channel(QUEUE);
            to_tables.push((*config, send));
            tables.push((*config, scope.spawn(move || Table::new(*config, job).fill(&batches))));
        }
        let (send, waiting) = sync_channel(QUEUE);
        let maker = scope.spawn(move || make(&waiting, &to_tables, job, families));
        let read = feed(transcripts, &send);
        drop(send);
        let made = joined(maker);
        let filled: Vec<(Config, Result<Filled, ExportError>)> =
            tables.into_iter().map(|(config, table)| (config, joined(table))).collect();
        (read, made, filled)
    });
    read?;
    let mut rows = Rows { report: made?, stats: BTreeMap::new(), files: Vec::new() };
    for (config, filled) in filled {
        let Filled { files, stats, drops } = filled?;
        rows.files.extend(files);
        for (reason, count) in drops {
            *rows.report.drops.entry((config, reason)).or_default() += count;
        }
        for (split, stats) in stats {
            let name = SPLITS.get(split).copied().unwrap_or("train");
            rows.report.rows.insert((config, name), stats.counts().0);
            rows.stats.insert((config, split), stats);
        }
    }
    // The folder goes when nothing is in it; when something is, this fails and nothing is lost.
    let _ = std::fs::remove_dir(job.root.join("openai"));
    Ok(rows)
}

/// What a thread gives; its panic goes on here.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Hands every transcript over, until there are no more or nobody takes them.
fn feed(
    transcripts: &mut dyn Iterator<Item = Result<Transcript, String>>,
    send: &SyncSender<Transcript>,
) -> Result<(), ExportError> {
    for transcript in transcripts {
        if send.send(transcript.map_err(ExportError::Source)?).is_err() {
            break;
        }
    }
    Ok(())
}

/// Makes the rows, and counts what is none.
fn make(
    transcripts: &Receiver<Transcript>,
    tables: &[(Config, SyncSender<Batch>)],
    job: &Job<'_>,
    families: &Families,
) -> Result<Report, ExportError> {
    let context = job.context();
    let mut report = Report::default();
    let mut met = [0_i64; SPLITS.len()];
    for (at, transcript) in transcripts.iter().enumerate() {
        let place = families.place(at).ok_or(ExportError::Changed)?;
        report.transcripts += 1;
        if matches!(transcript.ended, Ended::NoDraft(_)) || transcript.responses.is_empty() {
            continue;
        }
        report.usable += 1;
        if let Some(reason) = job.mixed.why_not(at) {
            for config in job.configs {
                *report.drops.entry((*config, reason.clone())).or_default() += 1;
            }
            continue;
        }
        let Some(at_split) = place.split else {
            for config in job.configs {
                *report.drops.entry((*config, Reason::BetweenSplits)).or_default() += 1;
            }
            continue;
        };
        let split = SPLITS.get(at_split).copied().unwrap_or("train");
        let index = met.get(at_split).copied().unwrap_or(0);
        let language = transcript.prompt.language.as_deref().unwrap_or("und");
        let passport = Passport { family: &place.family, split, language, index };
        let (mut rows, drops) = rows_of(&transcript, &context, &passport, job.configs);
        if let Some(met) = met.get_mut(at_split) {
            *met += 1;
        }
        for Drop { config, reason } in drops {
            *report.drops.entry((config, reason)).or_default() += 1;
        }
        for row in rows.iter().filter(|row| row.config == Config::Sft) {
            report.two_sides.add(&transcript.prompt, row.refuses[0] == Some(true));
        }
        for (config, table) in tables {
            let of_config: Vec<Row> = rows.extract_if(.., |row| row.config == *config).collect();
            if !of_config.is_empty() && table.send((at_split, of_config)).is_err() {
                // The table failed, and says why itself.
                return Ok(report);
            }
        }
    }
    Ok(report)
}
