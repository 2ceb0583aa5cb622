//! The constitution: the TOML file that drives everything.
//!
//! [`Constitution`] is what a file means once it is read, extended and checked; how files are read, and what is
//! reported about them, stands in the modules below. Pure: callers hand in text.

mod principle;

pub use principle::{Constitution, Example, Expect, Principle, TestCase, When};
