//! The test cases of the constitutions that ship: texts whose truth is known, although the simulated model did not write them.
//!
//! A critic is examined on them before a run, and `amend test` asks about them. With them the simulated critic finds and misses
//! as its rates say. Of all other texts that it did not write it knows nothing.

use super::conversation::conversation_hash;
use super::mark::Mark;
use crate::pure::constitution::{Expect, built_in_names, read_built_in};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Whether the response violates the principle, by the hash that a foreign text has for its prompt, and by the principle.
static CASES: LazyLock<HashMap<(String, String), bool>> = LazyLock::new(|| {
    let mut cases = HashMap::new();
    let principles =
        built_in_names().filter_map(read_built_in).flat_map(|constitution| constitution.principles);
    for principle in principles {
        for case in &principle.tests {
            let prompt = conversation_hash([("user", case.prompt.as_str())].into_iter());
            let text = Mark::of_foreign(&prompt, &case.response).prompt;
            cases.insert((text, principle.id.clone()), case.expect == Expect::Violates);
        }
    }
    cases
});

/// Whether a foreign text violates a principle, where it is known.
pub(super) fn violates(prompt: &str, key: &str) -> Option<bool> {
    CASES.get(&(prompt.to_owned(), key.to_owned())).copied()
}
