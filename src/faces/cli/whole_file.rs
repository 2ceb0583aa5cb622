//! A file that is written when all of it is there, and never over somebody's own.

use super::Failure;
use crate::pure::text::printable;
use crate::runtime::private_files;
use std::io::Write as _;
use std::path::PathBuf;

/// A file that is to be written.
#[derive(Debug)]
pub(super) struct WholeFile {
    path: PathBuf,
}

impl WholeFile {
    /// Looks whether it may be written, before any work is done for it.
    pub(super) fn begin(path: &str, replaces: bool) -> Result<Self, Failure> {
        let path = PathBuf::from(path);
        let name = printable(&path.display().to_string());
        if path.exists() && !replaces {
            return Err(Failure::usage(format!("`{name}` is there already")).hint("`--force` replaces it"));
        }
        if path.file_name().is_none() {
            return Err(Failure::usage(format!("`{name}` is no file")));
        }
        Ok(Self { path })
    }

    /// Writes the lines beside the place, then moves the file there.
    pub(super) fn write(&self, lines: &[String]) -> Result<(), Failure> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(".partial");
        let beside = PathBuf::from(beside);
        let written = private_files::create(&beside).and_then(|file| {
            let mut file = std::io::BufWriter::new(file);
            for line in lines {
                file.write_all(line.as_bytes())?;
                file.write_all(b"\n")?;
            }
            file.flush()?;
            file.get_ref().sync_all()?;
            std::fs::rename(&beside, &self.path)
        });
        written.map_err(|error| {
            Failure::disk(format!("cannot write `{}`: {error}", printable(&self.path.display().to_string())))
        })
    }
}
