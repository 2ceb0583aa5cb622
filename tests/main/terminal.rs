//! A terminal of 80 columns and 24 lines with the binary in it: tmux, its keys sent and its screen read. A test that starts
//! one is called `needs_tmux_…` and is ignored by a plain `cargo test`; `.ci/run` runs it where tmux is.

use crate::support::Scratch;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long a text may take to appear: far longer than it ever does, so that a busy machine fails no test.
const PATIENCE: Duration = Duration::from_secs(60);

/// Terminals started, so that each has files of its own.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A terminal, ended with the test.
#[derive(Debug)]
pub(crate) struct Terminal {
    socket: PathBuf,
    /// Everything that was written to the terminal, as it was written.
    raw: PathBuf,
    /// The exit code, once there is one.
    code: PathBuf,
}

impl Terminal {
    /// `amend` with these arguments and variables in a terminal.
    pub(crate) fn start(scratch: &Scratch, args: &[&str], variables: &[(&str, &str)]) -> Self {
        assert!(
            Command::new("tmux").arg("-V").output().is_ok(),
            "this test needs tmux, and it is not installed"
        );
        let n = STARTED.fetch_add(1, Ordering::Relaxed);
        let path = |name: &str| scratch.path(&format!("{name}-{n}"));
        let terminal = Self { socket: path("tmux"), raw: path("raw"), code: path("code") };
        let home = scratch.path("").display().to_string();
        let mut words: Vec<String> =
            ["env", "-i", "PATH=/usr/bin:/bin", "NO_COLOR=1", "TERM=screen"].map(String::from).to_vec();
        words.push(format!("HOME={home}"));
        words.extend(variables.iter().map(|(name, value)| format!("{name}={value}")));
        words.push(env!("CARGO_BIN_EXE_amend").to_owned());
        words.extend(args.iter().map(ToString::to_string));
        let quoted: Vec<String> =
            words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
        // It starts when everything that it writes is being recorded.
        let (words, code) = (quoted.join(" "), terminal.code.display());
        let command = format!("trap : INT; read start; {words}; echo $? > '{code}'");
        terminal.tmux(&["new-session", "-d", "-x", "80", "-y", "24", "-c", &home, &command]);
        terminal.tmux(&["set-option", "-g", "remain-on-exit", "on"]);
        terminal.tmux(&["pipe-pane", &format!("cat >> '{}'", terminal.raw.display())]);
        terminal.keys(&["Enter"]);
        terminal
    }

    fn tmux(&self, args: &[&str]) -> String {
        let socket = self.socket.display().to_string();
        let output = Command::new("tmux")
            .args(["-u", "-f", "/dev/null", "-S", &socket])
            .args(args)
            .env_remove("TMUX")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .expect("tmux runs");
        assert!(output.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Presses keys by their names.
    pub(crate) fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a line and sends it.
    pub(crate) fn line(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
        self.keys(&["Enter"]);
    }

    /// Pastes a text, as a terminal does for a program that knows pastes from typing.
    pub(crate) fn paste(&self, text: &str) {
        self.tmux(&["set-buffer", "-b", "pasted", text]);
        self.tmux(&["paste-buffer", "-p", "-r", "-b", "pasted"]);
    }

    /// The screen and all that scrolled out of it.
    pub(crate) fn seen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-S", "-5000"]).trim_end().to_owned()
    }

    /// The same with what the terminal itself had to break joined again, and with the codes of colours and weights.
    pub(crate) fn seen_with_codes(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e", "-J", "-S", "-5000"]).trim_end().to_owned()
    }

    /// What tmux knows of the terminal, by its format names.
    pub(crate) fn asked(&self, format: &str) -> String {
        self.tmux(&["display-message", "-p", format]).trim_end().to_owned()
    }

    /// Every byte that was written so far.
    pub(crate) fn written(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.raw).unwrap_or_default()).into_owned()
    }

    /// Waits until what is seen is as wanted, and gives it.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let began = std::time::Instant::now();
        loop {
            let seen = self.seen();
            if is_there(&seen) {
                return seen;
            }
            assert!(began.elapsed() < PATIENCE, "there is no {what} in:\n{seen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a text is seen `times` times.
    #[track_caller]
    pub(crate) fn until_seen(&self, text: &str, times: usize) -> String {
        self.until(&format!("{times} × `{text}`"), |seen| seen.matches(text).count() >= times)
    }

    /// Waits until `times` answers of a chat are done and the prompt for the next line is there: a key pressed before that
    /// would be echoed by the terminal, too.
    #[track_caller]
    pub(crate) fn until_answered(&self, times: usize) -> String {
        let is_done = |seen: &str| seen.matches(" asked, ").count() >= times && seen.ends_with("\n>");
        self.until(&format!("prompt after {times} answers"), is_done)
    }

    /// Waits until the program has ended, and gives its exit code.
    #[track_caller]
    pub(crate) fn exit_code(&self) -> i32 {
        let began = std::time::Instant::now();
        loop {
            let code = std::fs::read_to_string(&self.code).unwrap_or_default();
            if let Ok(code) = code.trim().parse() {
                return code;
            }
            assert!(began.elapsed() < PATIENCE, "it goes on:\n{}", self.seen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = self.socket.display().to_string();
        let _ = Command::new("tmux").args(["-S", &socket, "kill-server"]).env_remove("TMUX").output();
    }
}
