//! Where rows come from: a path, or a stream that the caller hands in.

use super::OpenError;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file, a directory or a stream.
pub enum Source {
    /// A file or a directory.
    Path(PathBuf),
    /// A stream that can be read once.
    Stream {
        /// What to call it in messages, such as `standard input`.
        name: String,
        /// The bytes.
        read: Box<dyn Read + Send>,
    },
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Self::Stream { name, .. } => f.debug_tuple("Stream").field(name).finish(),
        }
    }
}

/// The sources that a user names: paths, and `-` for standard input, which the caller opens.
pub fn sources(named: &[String], stdin: impl Fn() -> Box<dyn Read + Send>) -> Vec<Source> {
    named
        .iter()
        .map(|name| match name.as_str() {
            "-" => Source::Stream { name: "standard input".into(), read: stdin() },
            path => Source::Path(path.into()),
        })
        .collect()
}

const DATA: &[&str] = &["jsonl", "ndjson", "csv", "tsv", "parquet", "txt"];
const PAPERS: &[&str] = &["readme", "license", "licence", "notice", "source", "changelog", "copying"];

/// The data files of a directory in the order of their names. Hidden files, and texts about the data such as
/// `README.txt`, are not data.
pub(super) fn data_files(dir: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let unreadable =
        |e: std::io::Error| OpenError::Unreadable { file: dir.display().to_string(), cause: e.to_string() };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default();
        let known = extension(&name).is_some_and(|e| DATA.contains(&e));
        if known && !stem.is_empty() && !name.starts_with('_') && !PAPERS.contains(&stem) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(OpenError::NothingInDirectory { dir: dir.display().to_string() });
    }
    Ok(files)
}

/// The extension of a lower-case file name, looked for below the ones of compression.
pub(super) fn extension(name: &str) -> Option<&str> {
    let plain =
        [".gz", ".gzip", ".zst", ".zstd"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    plain.rsplit_once('.').map(|(_, extension)| extension)
}
