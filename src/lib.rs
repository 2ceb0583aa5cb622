//! amend: a Constitutional AI engine.
//!
//! It drafts an answer to a prompt, criticises the draft against every principle of a TOML constitution, revises it
//! in loops, and keeps the whole chain as training data. `ARCHITECTURE.md` is the map. The code has three floors, and
//! each imports only what is below it: [`faces`] (what people touch), [`runtime`] (network, files, clock) and [`pure`]
//! (everything that can be said without them). Start reading at [`pure::method`].

pub mod faces;
pub mod pure;
pub mod runtime;
