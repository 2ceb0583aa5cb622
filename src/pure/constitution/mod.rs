//! The constitution: the TOML file that drives everything.
//!
//! [`Constitution`] is what a file means once it is read, extended and checked; how files are read, and what is
//! reported about them, stands in the modules below. Pure: callers hand in text.

mod ablation_principles;
mod built_in;
mod change;
pub mod diff;
mod diff_styles;
mod file;
pub mod import;
mod language;
mod lint;
mod principle;
mod principle_rule;
mod read;
mod read_styles;
mod shipped_styles;
mod style;
mod style_checks;
mod validate;
mod variables;
mod write;

pub use ablation_principles::{LESS_HARM, MORE_HELP, sides};
pub use built_in::{built_in, built_in_names};
pub use file::schema;
pub use lint::{check, stale_resources};
pub use principle::{Constitution, Example, Expect, Principle, TestCase, When};
pub use principle_rule::{PrincipleRule, RulePlace};
pub use read::{Load, read, read_built_in};
pub use shipped_styles::built_in_styles;
pub use style::{Breaks, Day, Policy, Proposition, RefusalClass, Resource, Rule, Style, Styles};
pub use write::write;
