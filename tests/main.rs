//! The real binary, as its users meet it: one test binary, one module per subject.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test may fail loudly"
)]
#![allow(dead_code, reason = "not every helper is used by every set of tests")]

#[path = "main/support.rs"]
mod support;

#[path = "main/ablate.rs"]
mod ablate;
#[path = "main/architecture.rs"]
mod architecture;
#[path = "main/audit.rs"]
mod audit;
#[path = "main/chat.rs"]
mod chat;
#[path = "main/check.rs"]
mod check;
#[path = "main/command_line.rs"]
mod command_line;
#[path = "main/confirm_revision.rs"]
mod confirm_revision;
#[path = "main/diff.rs"]
mod diff;
#[path = "main/doctor.rs"]
mod doctor;
#[path = "main/encryption.rs"]
mod encryption;
#[path = "main/eval.rs"]
mod eval;
#[path = "main/examination.rs"]
mod examination;
#[path = "main/export.rs"]
mod export;
#[path = "main/gates.rs"]
mod gates;
#[path = "main/golden.rs"]
mod golden;
#[path = "main/guard.rs"]
mod guard;
#[path = "main/guard_faults.rs"]
mod guard_faults;
#[path = "main/guard_rules.rs"]
mod guard_rules;
#[path = "main/guard_support.rs"]
mod guard_support;
#[path = "main/guard_tls.rs"]
mod guard_tls;
#[path = "main/hardening.rs"]
mod hardening;
#[path = "main/help.rs"]
mod help;
#[path = "main/hub.rs"]
mod hub;
#[path = "main/hub_push.rs"]
mod hub_push;
#[path = "main/import.rs"]
mod import;
#[path = "main/init.rs"]
mod init;
#[path = "main/label.rs"]
mod label;
#[path = "main/log.rs"]
mod log;
#[path = "main/measures.rs"]
mod measures;
#[path = "main/needs_data.rs"]
mod needs_data;
#[path = "main/parsers.rs"]
mod parsers;
#[path = "main/plan.rs"]
mod plan;
#[path = "main/provenance.rs"]
mod provenance;
#[path = "main/redteam.rs"]
mod redteam;
#[path = "main/redteam_search.rs"]
mod redteam_search;
#[path = "main/refusal.rs"]
mod refusal;
#[path = "main/run.rs"]
mod run;
#[path = "main/scale.rs"]
mod scale;
#[path = "main/schema.rs"]
mod schema;
#[path = "main/scripted_endpoint.rs"]
mod scripted_endpoint;
#[path = "main/scripted_hub.rs"]
mod scripted_hub;
#[path = "main/shipped.rs"]
mod shipped;
#[path = "main/sim_world.rs"]
mod sim_world;
#[path = "main/styles.rs"]
mod styles;
#[path = "main/terminal.rs"]
mod terminal;
#[path = "main/test_cases.rs"]
mod test_cases;
#[path = "main/verdicts.rs"]
mod verdicts;
