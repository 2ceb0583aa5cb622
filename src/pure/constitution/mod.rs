//! The constitution: the TOML file that drives everything.
//!
//! [`Constitution`] is what a file means once it is read, extended and checked; how files are read, and what is
//! reported about them, stands in the modules below. Pure: callers hand in text.

mod built_in;
pub mod diff;
mod file;
pub mod import;
mod language;
mod lint;
mod principle;
mod read;
mod sides;
mod values;
mod write;

pub use built_in::{built_in, built_in_names};
pub use file::schema;
pub use principle::{Constitution, Example, Expect, Principle, TestCase, When};
pub use read::{Load, check, read, read_built_in};
pub use sides::{LESS_HARM, MORE_HELP, sides};
pub use write::write;
