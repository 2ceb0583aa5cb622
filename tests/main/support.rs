//! What every test of the binary stands on: a cleared environment, a scratch directory, a simulated endpoint.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A scratch directory and the binary run in it with nothing of the outer environment.
#[derive(Debug)]
pub(crate) struct Scratch {
    dir: tempfile::TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a scratch directory") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("a folder");
        }
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The command, ready to be given more.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_amend"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("NO_COLOR", "1")
            .env("COLUMNS", "80")
            .env("HOME", self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs to the end.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        Done::of(&self.command(args).output().expect("the binary runs"))
    }
}

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Fails the test with everything that was printed unless the exit code is this one.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// The last line of stdout as JSON: the summary of a run with `--json`.
    #[track_caller]
    pub(crate) fn summary(&self) -> serde_json::Value {
        let last = self.out.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}\n{}", self.err))
    }
}

/// `amend sim` on a free port of the loopback interface, ended with the test.
#[derive(Debug)]
pub(crate) struct Sim {
    child: Child,
    /// Such as `http://127.0.0.1:40001/v1`.
    pub(crate) url: String,
}

impl Sim {
    pub(crate) fn start(scratch: &Scratch, args: &[&str]) -> Self {
        Self::start_at("0", scratch, args)
    }

    /// The same on a port, such as that of one that was killed.
    pub(crate) fn start_at(port: &str, scratch: &Scratch, args: &[&str]) -> Self {
        let mut all = vec!["sim", "--port", port];
        all.extend(args);
        let mut child = scratch
            .command(&all)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the sim starts");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("its stdout"));
        out.read_line(&mut line).expect("its first line");
        let url = line.trim().rsplit(' ').next().unwrap_or_default().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "the sim said: {line}");
        Self { child, url }
    }

    /// `GET /stats`.
    pub(crate) fn stats(&self) -> serde_json::Value {
        let address = self.url.trim_start_matches("http://").trim_end_matches("/v1");
        let mut stream = std::net::TcpStream::connect(address).expect("the sim listens");
        let request = format!("GET /stats HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).expect("a request");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stream, &mut text).expect("a response");
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

impl Sim {
    /// Kills the command each time that it has had so many answers, and says how often that was. Answers and not time: the
    /// machine's speed must not matter.
    pub(crate) fn kill_at(&self, scratch: &Scratch, args: &[&str], answers: &[u64]) -> u64 {
        let mut kills = 0;
        for at in answers {
            let mut command = scratch.command(args);
            let mut child =
                command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the run starts");
            while self.stats()["requests"].as_u64() < Some(*at)
                && child.try_wait().expect("a child").is_none()
            {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            kills += u64::from(child.try_wait().expect("a child").is_none());
            child.kill().expect("killed");
            child.wait().expect("waited for");
        }
        kills
    }

    /// The same, so many times, each after so many further answers.
    pub(crate) fn kill_after_each(&self, scratch: &Scratch, args: &[&str], answers: u64, times: u64) -> u64 {
        let so_far = self.stats()["requests"].as_u64().expect("a count");
        let places: Vec<u64> = (1..=times).map(|n| so_far + n * answers).collect();
        self.kill_at(scratch, args, &places)
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every file of a directory with its bytes.
pub(crate) fn bytes(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).expect("inside").display().to_string();
                found.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// Prompts = rows + rejects + unfinished, whatever happened.
#[track_caller]
pub(crate) fn adds_up(summary: &serde_json::Value) {
    let n = |key: &str| summary[key].as_u64().expect("a count");
    assert_eq!(n("prompts"), n("rows") + n("rejects") + n("unfinished"), "{summary}");
}
