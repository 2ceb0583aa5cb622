//! How text reaches a terminal: safe, and readable without colour.
//!
//! Prompts and model output are hostile. Nothing of theirs is printed unless it went through
//! [`crate::pure::text::printable`]. How a text is broken into lines is in `word_wrap`.

use std::io::IsTerminal as _;

/// Whether and how to decorate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether colour and weight may be used.
    pub colour: bool,
    /// Columns of the terminal; 80 where there is none.
    pub width: usize,
}

impl Style {
    /// What stdout can show. `NO_COLOR` and `TERM=dumb` turn colour off, `CLICOLOR_FORCE` turns it on.
    pub fn of_stdout() -> Self {
        Self::decide(std::io::stdout().is_terminal())
    }

    /// What stderr can show.
    pub fn of_stderr() -> Self {
        Self::decide(std::io::stderr().is_terminal())
    }

    /// No decoration, 80 columns: pipes, files and tests.
    pub fn plain() -> Self {
        Self { colour: false, width: 80 }
    }

    fn decide(terminal: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = set("CLICOLOR_FORCE") || (terminal && !dumb && !set("NO_COLOR"));
        let columns = std::env::var_os("COLUMNS").and_then(|c| c.to_str()?.parse().ok());
        let measured = terminal.then(console_width).flatten();
        Self { colour, width: columns.or(measured).unwrap_or(80).clamp(40, 200) }
    }

    /// The same for findings in files.
    pub(super) fn of_findings(self) -> crate::pure::diagnostic::Style {
        crate::pure::diagnostic::Style { color: self.colour, width: self.width }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A heading or the thing that matters.
    pub fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What may be passed over.
    pub fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Good.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Bad.
    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Worth a look.
    pub fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }
}

/// "1 round", "2 rounds".
pub fn plural(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn console_width() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size()?;
    (columns > 0).then_some(usize::from(columns))
}
