//! The search on a target that is a table of rates.
