//! amend: a Constitutional AI engine.
//!
//! It drafts an answer to a prompt, criticises the draft against every principle of a TOML constitution, revises it
//! in loops, and keeps the whole chain as training data. `ARCHITECTURE.md` is the map; start reading at
//! [`method`], which tells the methods, and go down from there.

pub mod cli;
pub mod compare;
pub mod constitution;
pub mod dataset;
pub mod diagnostic;
pub mod digest;
pub mod engine;
pub mod journal;
pub mod method;
pub mod model;
pub mod prompt;
pub mod recipe;
pub mod taxonomy;
pub mod template;
pub mod text;
pub mod toml_file;
pub mod transcript;
