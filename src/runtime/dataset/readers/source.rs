//! Where rows come from: a path, or a stream that the caller hands in.

use super::OpenError;
use crate::runtime::hub;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A file, a directory or a stream.
pub enum Source {
    /// A file or a directory.
    Path(PathBuf),
    /// A dataset of the Hugging Face hub, such as `hf://datasets/OWNER/NAME`.
    Hub(String),
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
            Self::Hub(name) => f.debug_tuple("Hub").field(name).finish(),
            Self::Stream { name, .. } => f.debug_tuple("Stream").field(name).finish(),
        }
    }
}

/// The sources that a user names: paths, datasets of the hub, and `-` for standard input, which the caller opens.
pub fn sources(named: &[String], stdin: impl Fn() -> Box<dyn Read + Send>) -> Vec<Source> {
    named
        .iter()
        .map(|name| match name.as_str() {
            "-" => Source::Stream { name: "standard input".into(), read: stdin() },
            dataset if hub::is_hub_name(dataset) => Source::Hub(dataset.into()),
            path => Source::Path(path.into()),
        })
        .collect()
}

/// Sources that can be read as often as one likes. What comes only once, standard input or a pipe, is copied to a
/// temporary file without a name, so that memory does not hold it.
#[derive(Debug)]
pub struct RereadableSources(Vec<Rereadable>);

#[derive(Debug)]
enum Rereadable {
    Path(PathBuf),
    Hub(String),
    Copy { name: String, file: Arc<Mutex<std::fs::File>> },
}

impl RereadableSources {
    /// Copies what comes only once, to its end.
    pub fn new(sources: Vec<Source>) -> Result<Self, OpenError> {
        let rereadable = |source| match source {
            Source::Stream { name, read } => Rereadable::copy(name, read),
            Source::Path(path) if is_pipe(&path) => {
                let name = path.display().to_string();
                let file = std::fs::File::open(&path).map_err(|error| unreadable(&name, &error))?;
                Rereadable::copy(name, Box::new(file))
            }
            Source::Path(path) => Ok(Rereadable::Path(path)),
            Source::Hub(name) => Ok(Rereadable::Hub(name)),
        };
        Ok(Self(sources.into_iter().map(rereadable).collect::<Result<_, _>>()?))
    }

    /// The sources, from their beginning. Each time they are independent of what was read before.
    pub fn sources(&self) -> Vec<Source> {
        let fresh = |source: &Rereadable| match source {
            Rereadable::Path(path) => Source::Path(path.clone()),
            Rereadable::Hub(name) => Source::Hub(name.clone()),
            Rereadable::Copy { name, file } => Source::Stream {
                name: name.clone(),
                read: Box::new(CopyReader { file: Arc::clone(file), position: 0 }),
            },
        };
        self.0.iter().map(fresh).collect()
    }
}

impl Rereadable {
    fn copy(name: String, mut from: Box<dyn Read + Send>) -> Result<Self, OpenError> {
        let copied = tempfile::tempfile().and_then(|mut file| {
            std::io::copy(&mut from, &mut file)?;
            Ok(file)
        });
        let file = copied.map_err(|error| unreadable(&name, &error))?;
        Ok(Self::Copy { name, file: Arc::new(Mutex::new(file)) })
    }
}

/// One reader of a copy, with a place of its own in it.
struct CopyReader {
    file: Arc<Mutex<std::fs::File>>,
    position: u64,
}

impl Read for CopyReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.position))?;
        let read = file.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// Whether a path is neither a file nor a directory: a pipe, such as the shell's `<(…)`, can be read only once.
fn is_pipe(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn unreadable(name: &str, error: &std::io::Error) -> OpenError {
    OpenError::Unreadable { file: name.to_owned(), cause: error.to_string() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn what_comes_once_is_read_again_and_side_by_side() {
        let lines: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
        let text = lines.join("\n");
        let read = Box::new(std::io::Cursor::new(text.clone().into_bytes()));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        std::fs::File::create(&path).unwrap().write_all(b"file").unwrap();
        let once = vec![Source::Stream { name: "standard input".into(), read }, Source::Path(path.clone())];
        let sources = RereadableSources::new(once).unwrap();
        let mut readers: Vec<Box<dyn Read + Send>> = Vec::new();
        for _ in 0..2 {
            let mut again = sources.sources().into_iter();
            let Some(Source::Stream { name, read }) = again.next() else { panic!("a stream") };
            assert_eq!(name, "standard input");
            readers.push(read);
            assert!(matches!(again.next(), Some(Source::Path(same)) if same == path));
        }
        // Turn by turn: neither moves the other's place.
        let mut texts = [Vec::new(), Vec::new()];
        let mut buffer = [0; 777];
        for turn in 0.. {
            let n = readers[turn % 2].read(&mut buffer).unwrap();
            texts[turn % 2].extend_from_slice(&buffer[..n]);
            if n == 0 && texts[0].len() == texts[1].len() {
                break;
            }
        }
        assert!(texts.iter().all(|read| read == text.as_bytes()));
    }
}
