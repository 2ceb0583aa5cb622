//! From a recipe on disk to a run: what the commands and the library share.

mod transport_router;

pub use transport_router::Transports;
