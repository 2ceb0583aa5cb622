//! The directory of a chat session: what was asked and answered, and the settings in force, so that a session can be left
//! and gone on with.
//!
//! ```text
//! journal.db       every answer, as in a run
//! chat.jsonl       what was said, a line for each [`SessionEntry`]; only ever appended to
//! chat.toml        the recipe in force
//! constitutions/   each constitution that an answer was made with, by its hash
//! ```
//!
//! Whoever holds the journal holds the session: open it before anything is written here.

use super::{InputFiles, Project, ProjectError, RunDir};
use crate::pure::constitution::{self, Constitution, built_in};
use crate::pure::prompt::Prompt;
use crate::pure::recipe::Recipe;
use crate::pure::transcript::Transcript;
use crate::runtime::private_files;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const LOG: &str = "chat.jsonl";
const SETTINGS: &str = "chat.toml";
const CONSTITUTIONS: &str = "constitutions";

/// Something that happened in a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum SessionEntry {
    /// A new conversation begins.
    New,
    /// A prompt is asked as the next turn. A turn before it that got no response is no part of the conversation.
    Asked {
        /// The prompt, with the whole conversation before it.
        prompt: Prompt,
    },
    /// The last turn is answered, or answered again.
    Answered {
        /// Everything that happened to it.
        transcript: Box<Transcript>,
        /// The hash of the constitution, with the principles that are off.
        constitution: String,
        /// Ids of the principles that were off.
        off: BTreeSet<String>,
        /// Rounds beyond the recipe's.
        more_rounds: u32,
    },
    /// What the person thinks of the last answer.
    Rated {
        /// It is good.
        accepted: bool,
        /// Stars from 1 to 5, and a note.
        rating: Option<(u8, String)>,
    },
}

/// A turn of the conversation, as the log has it.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionTurn {
    /// What was asked.
    pub prompt: Prompt,
    /// What came of it, if it was answered.
    pub answer: Option<SessionAnswer>,
    /// The last answer is good.
    pub accepted: bool,
    /// Stars from 1 to 5, and a note.
    pub rating: Option<(u8, String)>,
}

/// The last answer to a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionAnswer {
    /// Everything that happened to the prompt.
    pub transcript: Transcript,
    /// The constitution that it was made with, without the principles that were off.
    pub made_with: Constitution,
    /// Ids of the principles that were off.
    pub off: BTreeSet<String>,
    /// Rounds beyond the recipe's.
    pub more_rounds: u32,
}

/// The directory of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDir {
    dir: RunDir,
}

impl SessionDir {
    /// The directory at this path, which need not be there yet. One that holds something else is refused.
    pub fn at(path: impl Into<PathBuf>) -> Result<Self, ProjectError> {
        let session = Self { dir: RunDir::new(path) };
        let is_taken = std::fs::read_dir(session.path()).is_ok_and(|mut entries| entries.next().is_some());
        if session.path().is_file() || (is_taken && !session.has_log()) {
            let shown = session.path().display();
            return Err(ProjectError::input(format!(
                "`{shown}` is there, and is not the directory of a chat"
            ))
            .hint("name a new directory, or one that a chat was kept in"));
        }
        Ok(session)
    }

    /// Makes the directory of a new session in `runs`: `chat-1`, `chat-2` and so on.
    pub fn create_next(runs: &Path) -> Result<Self, ProjectError> {
        let cannot = |error: std::io::Error| ProjectError::Disk {
            message: format!("cannot make a directory in `{}`: {error}", runs.display()),
            hint: "name another place with `--out DIR`".into(),
        };
        private_files::create_dir_all(runs).map_err(cannot)?;
        let mut number = numbers_in(runs).last().copied().unwrap_or(0);
        loop {
            number += 1;
            let path = runs.join(format!("chat-{number}"));
            match private_files::create_dir(&path) {
                Ok(()) => return Ok(Self { dir: RunDir::new(path) }),
                // Another chat began at the same time.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot(error)),
            }
        }
    }

    /// The newest session in `runs`.
    pub fn newest(runs: &Path) -> Option<Self> {
        let sessions = numbers_in(runs).into_iter().rev();
        let dir = |number| Self { dir: RunDir::new(runs.join(format!("chat-{number}"))) };
        sessions.map(dir).find(Self::has_log)
    }

    /// Its path, as the user named it.
    pub fn path(&self) -> &Path {
        &self.dir.path
    }

    /// Whether anything was said in it.
    pub fn has_log(&self) -> bool {
        self.path().join(LOG).is_file()
    }

    /// The recipe that was in force last.
    pub fn settings(&self) -> Option<PathBuf> {
        Some(self.path().join(SETTINGS)).filter(|path| path.is_file())
    }

    /// Keeps the recipe as it is now. Files that it names are kept by their full paths, so that it can be read from here.
    pub fn keep_settings(&self, project: &Project) -> Result<(), ProjectError> {
        let recipe = Recipe {
            constitution: full_path(&project.recipe.constitution),
            templates: project.recipe.templates.as_deref().map(full_path),
            prompts: Vec::new(),
            out: None,
            ..project.recipe.clone()
        };
        let text = recipe
            .to_toml()
            .map_err(|error| ProjectError::Bug(format!("the recipe cannot be written as TOML: {error}")))?;
        self.dir.put(Path::new(SETTINGS), &text)
    }

    /// Keeps a constitution, and gives the hash by which an entry names it.
    pub fn keep_constitution(&self, constitution: &Constitution) -> Result<String, ProjectError> {
        let text = constitution::write(constitution).map_err(|error| {
            ProjectError::Bug(format!("the constitution cannot be written as TOML: {error}"))
        })?;
        let folder = self.path().join(CONSTITUTIONS);
        private_files::create_dir_all(&folder).map_err(|error| cannot_write(&folder, &error))?;
        let hash = constitution.sha256();
        self.dir.put(&constitution_file(&hash), &text)?;
        Ok(hash)
    }

    /// Appends to the log; it is on disk when this returns.
    pub fn append(&self, entry: &SessionEntry) -> Result<(), ProjectError> {
        let line = serde_json::to_string(entry)
            .map_err(|error| ProjectError::Bug(format!("an entry of the chat cannot be written: {error}")))?;
        let path = self.path().join(LOG);
        let write = || {
            let mut log = private_files::options().create(true).append(true).open(&path)?;
            log.write_all(format!("{line}\n").as_bytes())?;
            log.sync_data()
        };
        write().map_err(|error| cannot_write(&path, &error))
    }

    /// The turns of the conversation that the log ends with. A last line that a crash cut off is taken away.
    pub fn turns(&self) -> Result<Vec<SessionTurn>, ProjectError> {
        let mut turns: Vec<SessionTurn> = Vec::new();
        for entry in self.entries()? {
            match entry {
                SessionEntry::New => turns.clear(),
                SessionEntry::Asked { prompt } => {
                    turns.pop_if(|turn| !turn.has_response());
                    turns.push(SessionTurn { prompt, answer: None, accepted: false, rating: None });
                }
                SessionEntry::Answered { transcript, constitution, off, more_rounds } => {
                    let Some(turn) = turns.last_mut() else { continue };
                    let mut made_with = self.constitution(&constitution)?;
                    made_with.principles.retain(|principle| !off.contains(&principle.id));
                    let is_same = turn.answer.as_ref().is_some_and(|old| {
                        let text =
                            |of: &Transcript| of.final_response().map(|response| response.text.clone());
                        text(&old.transcript) == text(&transcript)
                    });
                    // What was said of the answer before was said of its text.
                    if !is_same {
                        (turn.accepted, turn.rating) = (false, None);
                    }
                    turn.answer =
                        Some(SessionAnswer { transcript: *transcript, made_with, off, more_rounds });
                }
                SessionEntry::Rated { accepted, rating } => {
                    if let Some(turn) = turns.last_mut() {
                        (turn.accepted, turn.rating) = (accepted, rating);
                    }
                }
            }
        }
        Ok(turns)
    }

    fn entries(&self) -> Result<Vec<SessionEntry>, ProjectError> {
        let path = self.path().join(LOG);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(cannot_read(&path, &error.to_string())),
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            let cut = std::fs::OpenOptions::new().write(true).open(&path);
            cut.and_then(|log| log.set_len(whole as u64)).map_err(|error| cannot_write(&path, &error))?;
        }
        let lines = text.get(..whole).unwrap_or_default().lines().enumerate();
        lines
            .map(|(n, line)| {
                serde_json::from_str(line)
                    .map_err(|error| cannot_read(&path, &format!("line {}: {error}", n + 1)))
            })
            .collect()
    }

    fn constitution(&self, hash: &str) -> Result<Constitution, ProjectError> {
        let path = self.path().join(constitution_file(hash));
        InputFiles::default().constitution(&path.display().to_string())
    }
}

impl SessionTurn {
    fn has_response(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.transcript.final_response().is_some())
    }
}

fn constitution_file(hash: &str) -> PathBuf {
    Path::new(CONSTITUTIONS).join(format!("{hash}.toml"))
}

/// The numbers of the sessions in `runs`, in order.
fn numbers_in(runs: &Path) -> BTreeSet<u64> {
    let Ok(entries) = std::fs::read_dir(runs) else { return BTreeSet::new() };
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.strip_prefix("chat-")?.parse().ok();
    entries.flatten().filter_map(number).collect()
}

/// The full path of a file; what is not there, such as a built-in constitution's name, stays as it is.
fn full_path(name: &str) -> String {
    if !Path::new(name).exists() && built_in(name).is_some() {
        return name.to_owned();
    }
    std::path::absolute(name).map_or_else(|_| name.to_owned(), |path| path.display().to_string())
}

fn cannot_write(path: &Path, error: &std::io::Error) -> ProjectError {
    ProjectError::Disk {
        message: format!("cannot write `{}`: {error}", path.display()),
        hint: "check the disk and the permissions, or name another place with `--out DIR`".into(),
    }
}

fn cannot_read(path: &Path, why: &str) -> ProjectError {
    ProjectError::Disk {
        message: format!("cannot read `{}`: {why}", path.display()),
        hint: "mend the file, or begin another chat with `--out DIR`".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::method::critique_revision;
    use crate::pure::method::tests::scripted::{Scripted, block_on, context, says};
    use crate::pure::prompt::Message;
    use crate::pure::recipe::Method;

    /// A transcript whose draft holds, with its constitution.
    fn answered(text: &str, response: &'static str) -> (Transcript, Constitution) {
        let cx = context(&["kind", "brief"], Method::default());
        let model = Scripted::new(|call| match call.role {
            crate::pure::call::Role::Generator => says(response),
            _ => says("Fine.\n\nVerdict: conforms"),
        });
        let prompt = Prompt::new(vec![Message::user(text)], None, None);
        (block_on(critique_revision(&model, &cx, &prompt)).unwrap(), cx.constitution)
    }

    fn answer(session: &SessionDir, text: &str, response: &'static str, off: &[&str]) {
        let (transcript, constitution) = answered(text, response);
        session.append(&SessionEntry::Asked { prompt: transcript.prompt.clone() }).unwrap();
        let off: BTreeSet<String> = off.iter().map(ToString::to_string).collect();
        let constitution = session.keep_constitution(&constitution).unwrap();
        let transcript = Box::new(transcript);
        session.append(&SessionEntry::Answered { transcript, constitution, off, more_rounds: 0 }).unwrap();
    }

    #[test]
    fn a_session_is_read_back_as_it_was_left() {
        let runs = tempfile::tempdir().unwrap();
        let session = SessionDir::create_next(runs.path()).unwrap();
        answer(&session, "forgotten", "One.", &[]);
        session.append(&SessionEntry::New).unwrap();
        answer(&session, "first", "Two.", &["kind", "brief"]);
        session.append(&SessionEntry::Rated { accepted: true, rating: Some((4, "good".into())) }).unwrap();
        let (unanswered, _) = answered("interrupted", "Three.");
        session.append(&SessionEntry::Asked { prompt: unanswered.prompt }).unwrap();
        answer(&session, "second", "Four.", &["kind"]);
        // A crash in the middle of a line loses that line alone, and the next one stands by itself.
        let log = session.path().join(LOG);
        let whole = std::fs::read_to_string(&log).unwrap();
        std::fs::write(&log, format!("{whole}{{\"entry\":\"as")).unwrap();
        let turns = session.turns().unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), whole);
        let texts: Vec<&str> = turns.iter().map(|turn| turn.prompt.last_user_turn()).collect();
        assert_eq!(texts, ["first", "second"], "what got no answer is no part of the conversation");
        assert_eq!((turns[0].accepted, turns[0].rating.clone()), (true, Some((4, "good".into()))));
        let (first, second) = (turns[0].answer.as_ref().unwrap(), turns[1].answer.as_ref().unwrap());
        assert!(first.made_with.principles.is_empty());
        assert_eq!(second.made_with.principles.len(), 1);
        assert_eq!(second.transcript, answered("second", "Four.").0);
        session.append(&SessionEntry::New).unwrap();
        assert_eq!(session.turns().unwrap(), []);
    }

    #[test]
    fn sessions_are_numbered_and_the_newest_that_holds_something_is_found() {
        let runs = tempfile::tempdir().unwrap();
        assert_eq!(SessionDir::newest(runs.path()), None);
        let first = SessionDir::create_next(runs.path()).unwrap();
        let second = SessionDir::create_next(runs.path()).unwrap();
        let third = SessionDir::create_next(&runs.path().join("deep/er")).unwrap();
        assert!(first.path().ends_with("chat-1") && second.path().ends_with("chat-2"));
        assert!(third.path().ends_with("deep/er/chat-1"));
        first.append(&SessionEntry::New).unwrap();
        assert_eq!(SessionDir::newest(runs.path()), Some(first));
        second.append(&SessionEntry::New).unwrap();
        assert_eq!(SessionDir::newest(runs.path()), Some(second));
    }

    #[test]
    fn a_directory_of_something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(SessionDir::at(dir.path()).is_ok(), "an empty one will do");
        std::fs::write(dir.path().join("recipe.toml"), "").unwrap();
        let error = SessionDir::at(dir.path()).unwrap_err();
        assert!(error.to_string().contains("is not the directory of a chat"), "{error}");
        assert!(SessionDir::at(dir.path().join("recipe.toml")).is_err());
        assert!(SessionDir::at(dir.path().join("new")).is_ok());
    }
}
