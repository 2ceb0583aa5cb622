//! The lowest floor: what amend knows without a network, a file, a clock or a screen.
//!
//! Nothing here uses tokio, reads files or the environment, tells the time, or prints. Callers hand in texts and
//! answers. So every rule can be tested by calling it. The floor above is [`crate::runtime`].

pub mod answer;
pub mod ask;
pub mod attack;
pub mod audit;
pub mod call;
pub mod constitution;
pub mod diagnostic;
pub mod digest;
pub mod finds;
pub mod gates;
pub mod grade;
pub mod guard;
pub mod judged;
pub mod method;
pub mod mixing;
pub mod multiple_choice;
pub mod pairing;
pub mod prompt;
pub mod reason;
pub mod recipe;
pub mod redteam;
pub mod reject;
pub mod reports;
pub mod request_class;
pub mod shard;
pub mod stored_name;
pub mod taxonomy;
pub mod template;
pub mod text;
pub mod toml_file;
pub mod transcript;
