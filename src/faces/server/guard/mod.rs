//! `amend guard` as a server: the constitution between clients and a model.
//!
//! A request is taken in by `routes`, carried by `exchange`, and what may leave is said by
//! [`Flow`](crate::pure::guard::flow::Flow). Nothing here reads the environment or the clock, knows a flag, or prints.

mod audit_log;
mod books;
mod exchange;
mod guardrail;
mod incoming;
mod judge;
mod moderation;
mod outlet;
mod record;
mod routes;
mod server;
mod shared;
mod upstream;

pub use audit_log::AuditLog;
pub use server::{GuardHandle, GuardServer};
pub use shared::{Clock, GuardClient, GuardSetup, Policy};
