//! The files of a mirror: which there are, which are whole, and what is in them.

use super::claim::Claim;
use super::files::{MirrorError, put};
use super::segment::{Item, unpack};
use crate::runtime::journal::{Change, Journal, Known};
use crate::runtime::private_files;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was found in a mirror.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Whether it was put into a new journal.
    pub restored: bool,
    /// Records in the mirror.
    pub records: u64,
    /// What is wrong with the first file that is damaged or missing.
    pub damage: Option<String>,
}

/// A mirror that this process has claimed.
#[derive(Debug)]
pub struct Mirror {
    dir: PathBuf,
    claim: Claim,
    next: u64,
}

impl Mirror {
    /// Claims the mirror, which is made where it is missing.
    pub fn claim(dir: &Path, holder: &str) -> Result<Self, MirrorError> {
        private_files::create_dir_all(dir).map_err(|error| MirrorError::io(dir, &error))?;
        Ok(Self { dir: dir.to_owned(), claim: Claim::take(dir, holder)?, next: 1 })
    }

    /// Brings mirror and journal together: a new journal gets what the mirror has; a journal that is there gets the answers and
    /// transcripts that it lacks. From here on the journal notes what the mirror lacks. Files behind damage are put aside.
    pub async fn join(&mut self, journal: &Journal) -> Result<Restored, MirrorError> {
        let is_new = journal.wants_copy().await?;
        let segments = segments_in(&self.dir)?;
        let restored = is_new && !segments.is_empty();
        if restored {
            journal.set_restoring(true).await?;
        }
        let mut known = Known::default();
        let mut damage = None;
        for segment in segments {
            if damage.is_some() {
                put_aside(&segment.path)?;
                continue;
            }
            match read(&segment, self.next) {
                Ok(items) => {
                    let changes: Vec<Change> = items.into_iter().filter_map(change).collect();
                    for change in &changes {
                        known.add(change);
                    }
                    journal.put(changes, !is_new).await?;
                    self.next += 1;
                }
                Err(what) => {
                    put_aside(&segment.path)?;
                    damage = Some(what);
                }
            }
        }
        if restored {
            journal.set_restoring(false).await?;
        }
        let records = known.records() as u64;
        journal.track(known).await?;
        Ok(Restored { restored, records, damage })
    }

    /// Writes the next file, unless somebody else has claimed the mirror since.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), MirrorError> {
        self.check_claim()?;
        put(&self.dir, &name_of(self.next, self.claim.number), bytes)?;
        self.next += 1;
        Ok(())
    }

    /// Fails when somebody else has claimed the mirror.
    pub(super) fn check_claim(&self) -> Result<(), MirrorError> {
        self.claim.check(&self.dir)
    }
}

fn change(item: Item) -> Option<Change> {
    match item {
        Item::Change(change) => Some(change),
        Item::File { .. } => None,
    }
}

/// Puts what a mirror has into a run directory that has no journal, with the files that describe the run; claims nothing.
///
/// # Errors
///
/// A mirror that cannot be read, a directory that cannot be written.
pub async fn restore_into(dir: &Path, journal: &Journal, run: &Path) -> Result<Restored, MirrorError> {
    journal.set_restoring(true).await?;
    let mut found = Restored { restored: true, ..Restored::default() };
    let mut known = Known::default();
    for (n, segment) in segments_in(dir)?.iter().enumerate() {
        let items = match read(segment, n as u64 + 1) {
            Ok(items) => items,
            Err(what) => {
                found.damage = Some(what);
                break;
            }
        };
        let mut changes = Vec::new();
        for item in items {
            match item {
                Item::Change(change) => {
                    known.add(&change);
                    changes.push(change);
                }
                Item::File { name, bytes } => put_inside(run, &name, &bytes)?,
            }
        }
        journal.put(changes, false).await?;
    }
    journal.set_restoring(false).await?;
    found.records = known.records() as u64;
    Ok(found)
}

/// Writes a file of a run directory; a name that leads elsewhere is passed over.
fn put_inside(run: &Path, name: &str, bytes: &[u8]) -> Result<(), MirrorError> {
    let is_inside = name.split('/').all(|part| !part.is_empty() && part != ".." && part != ".");
    if !is_inside || Path::new(name).is_absolute() {
        return Ok(());
    }
    let path = run.join(name);
    let (Some(folder), Some(file)) = (path.parent(), path.file_name()) else { return Ok(()) };
    private_files::create_dir_all(folder).map_err(|error| MirrorError::io(folder, &error))?;
    put(folder, &file.to_string_lossy(), bytes)
}

/// A file of a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Segment {
    number: u64,
    path: PathBuf,
}

fn name_of(number: u64, claim: u32) -> String {
    format!("{number:08}-{claim:04}.zst")
}

/// The files of a mirror by their number. Of one number that of the newest claim counts: whoever wrote the other had lost the
/// mirror already.
fn segments_in(dir: &Path) -> Result<Vec<Segment>, MirrorError> {
    let fail = |error: std::io::Error| MirrorError::io(dir, &error);
    let mut found: BTreeMap<u64, (u32, PathBuf)> = BTreeMap::new();
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    for entry in entries {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let parts = name.strip_suffix(".zst").and_then(|name| name.split_once('-'));
        let numbers = parts.and_then(|(number, claim)| Some((number.parse().ok()?, claim.parse().ok()?)));
        let Some((number, claim)) = numbers else { continue };
        let newest = found.entry(number).or_insert_with(|| (claim, entry.path()));
        if newest.0 < claim {
            *newest = (claim, entry.path());
        }
    }
    Ok(found.into_iter().map(|(number, (_, path))| Segment { number, path }).collect())
}

/// What a file holds, if it is the one that comes next and is whole.
fn read(segment: &Segment, expected: u64) -> Result<Vec<Item>, String> {
    let name = segment.path.display();
    if segment.number != expected {
        return Err(format!("file {expected} of the mirror is missing before `{name}`"));
    }
    let bytes = std::fs::read(&segment.path).map_err(|error| format!("`{name}` cannot be read: {error}"))?;
    unpack(&bytes).map_err(|why| format!("`{name}` is damaged: {why}"))
}

fn put_aside(path: &Path) -> Result<(), MirrorError> {
    let aside = path.with_extension("zst.damaged");
    std::fs::rename(path, &aside).map_err(|error| MirrorError::io(path, &error))
}
