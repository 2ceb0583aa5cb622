//! The audit on disk: lines are appended whole, each by one write. A line that a kill has torn stays alone on its line.
//!
//! A file that has become too large is put aside under the time of its last line, and a new one is begun. No file is deleted.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A file that lines are appended to.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    /// Bytes after which a new file is begun.
    most: u64,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
}

impl AuditLog {
    /// Opens the file, or makes it. What a torn line left is ended first. After so many bytes a new file is begun.
    pub fn open(path: &Path, most: u64) -> io::Result<Self> {
        let open = Mutex::new(open(path)?);
        Ok(Self { path: path.to_owned(), most, open })
    }

    /// Appends a line, with its end; `at` is the time that it has.
    pub(super) fn write(&self, line: &str, at: &str) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.bytes > 0 && open.bytes + line.len() as u64 > self.most {
            self.put_aside(&mut open, at);
        }
        open.file.write_all(line.as_bytes())?;
        open.bytes += line.len() as u64;
        Ok(())
    }

    /// Where that fails the file grows on: a line is worth more than a file of the right size.
    fn put_aside(&self, now: &mut Open, at: &str) {
        let at: String = at.chars().filter(char::is_ascii_alphanumeric).collect();
        let names = (0..1_000).map(|n| match n {
            0 => format!("{}.{at}", self.path.display()),
            n => format!("{}.{at}-{n}", self.path.display()),
        });
        let done = names.map(PathBuf::from).find(|name| !name.exists()).map(|name| {
            std::fs::rename(&self.path, &name)?;
            *now = open(&self.path)?;
            Ok::<_, io::Error>(())
        });
        if let Some(Err(error)) = done {
            tracing::warn!(%error, "the audit cannot be put aside, so it grows on");
        }
    }
}

fn open(path: &Path) -> io::Result<Open> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let mut bytes = file.seek(SeekFrom::End(0))?;
    if bytes > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            bytes += 1;
        }
    }
    Ok(Open { file, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_stays_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        std::fs::write(&path, "{\"event\":\"received\"}\n{\"event\":\"do").unwrap();
        AuditLog::open(&path, 1_000).unwrap().write("{\"event\":\"done\"}\n", "now").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let readable = text.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
        assert_eq!((text.lines().count(), readable.count()), (3, 2), "{text}");
    }

    #[test]
    fn a_large_file_is_put_aside_and_no_line_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let log = AuditLog::open(&path, 25).unwrap();
        for n in 10..20 {
            log.write(&format!("{{\"n\":{n}}}\n"), "2026-11-27T10:00:00Z").unwrap();
        }
        let mut lines = Vec::new();
        let mut files: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert_eq!(files.len(), 5, "two lines a file: {files:?}");
        for file in files {
            let text = std::fs::read_to_string(file).unwrap();
            assert!(text.len() <= 25);
            lines.extend(text.lines().map(str::to_owned));
        }
        lines.sort();
        assert_eq!(lines, (10..20).map(|n| format!("{{\"n\":{n}}}")).collect::<Vec<_>>());
    }
}
