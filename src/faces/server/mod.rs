//! Servers that programs talk to. They carry bytes; what may pass is decided on the lowest floor.

pub mod guard;
