//! The middle floor: everything that needs a network, files, a clock or tasks.
//!
//! It carries out what [`crate::pure`] decides. It knows no command, no flag and no exit code: those are above, in
//! [`crate::faces`].

pub mod audit;
pub mod dataset;
pub mod engine;
pub mod http_server;
pub mod hub;
pub mod journal;
pub mod mirror;
pub mod model;
pub mod private_files;
pub mod project;
pub mod sim;
mod tls;
