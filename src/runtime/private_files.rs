//! Files and folders that only their owner can read: what a run keeps may be severe, or somebody's secret.
//!
//! Where a system has no such permissions, they are made as it makes any.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a folder and those above it that are missing; folders that are there keep their permissions.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a folder that is not there yet.
pub fn create_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes an empty file, or empties the one that is there.
pub fn create(path: &Path) -> io::Result<File> {
    options().write(true).create(true).truncate(true).open(path)
}

/// Options for a file that may have to be made.
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Whether an open file is the one at this path: it was neither moved, nor deleted, nor replaced.
pub fn is_at(file: &File, path: &Path) -> bool {
    let numbers = file.metadata().map(|found| number_of(&found)).ok();
    numbers.is_some() && numbers == std::fs::metadata(path).map(|found| number_of(&found)).ok()
}

/// What tells files apart, whatever they are called: device and number.
#[cfg(unix)]
pub fn number_of(found: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (found.dev(), found.ino())
}

/// Where files have no number, only that there is one is known.
#[cfg(not(unix))]
pub fn number_of(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// Makes a file that has other names too a file of its own: what is written to it from now on, the others do not get.
pub fn unshare(path: &Path) -> io::Result<()> {
    if links_of(&std::fs::metadata(path)?) < 2 {
        return Ok(());
    }
    let beside = path.with_extension("own");
    std::fs::copy(path, &beside)?;
    File::open(&beside)?.sync_all()?;
    std::fs::rename(&beside, path)
}

/// How many names a file has.
#[cfg(unix)]
fn links_of(found: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(found)
}

/// Where nobody knows, it has one.
#[cfg(not(unix))]
fn links_of(_: &Metadata) -> u64 {
    1
}
