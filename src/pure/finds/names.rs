//! What other tools' names mean here: `names.toml`, built in.

use crate::pure::taxonomy::Taxonomy;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What a name means.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Meaning {
    pub(super) family: Option<String>,
    pub(super) hazard: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Names {
    garak: BTreeMap<String, Meaning>,
    promptfoo_plugins: BTreeMap<String, Meaning>,
    promptfoo_strategies: BTreeMap<String, Meaning>,
}

static NAMES: LazyLock<Names> =
    LazyLock::new(|| toml::from_str(include_str!("names.toml")).unwrap_or_default());

/// A garak probe, such as `dan.Ablation_Dan_11_0`.
pub(super) fn garak_probe(name: &str) -> Option<&'static Meaning> {
    NAMES.garak.get(name.split('.').next().unwrap_or(name))
}

/// A promptfoo plugin, such as `harmful:cybercrime`. The longest known beginning counts.
pub(super) fn promptfoo_plugin(name: &str) -> Option<&'static Meaning> {
    longest(&NAMES.promptfoo_plugins, name)
}

/// A promptfoo strategy, such as `jailbreak:tree`.
pub(super) fn promptfoo_strategy(name: &str) -> Option<&'static Meaning> {
    longest(&NAMES.promptfoo_strategies, name)
}

fn longest(names: &'static BTreeMap<String, Meaning>, name: &str) -> Option<&'static Meaning> {
    let begins = |known: &&String| {
        name.strip_prefix(known.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    };
    names.keys().filter(begins).max_by_key(|known| known.len()).and_then(|known| names.get(known))
}

/// The severity of a hazard of ours.
pub(super) fn severity(hazard: &str) -> Option<u8> {
    let known = Taxonomy::built_in().hazards().iter().find(|known| known.id == hazard)?;
    Some(known.severity)
}

/// The hazard that a label of any known taxonomy means, where it means one.
pub(super) fn hazard(label: &str) -> Option<String> {
    let meant = Taxonomy::built_in().resolve(label);
    (meant.len() == 1).then(|| meant.into_iter().next().map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_means_a_hazard_or_a_family_that_there_is() {
        const FAMILIES: [&str; 12] = [
            "direct",
            "encoding",
            "obfuscation",
            "format",
            "role-play",
            "framing",
            "persuasion",
            "refusal-suppression",
            "translation",
            "decomposition",
            "application",
            "multi-turn",
        ];
        let all = [&NAMES.garak, &NAMES.promptfoo_plugins, &NAMES.promptfoo_strategies];
        assert!(all.iter().all(|names| names.len() > 15));
        for (name, meaning) in all.into_iter().flatten() {
            assert!(meaning.hazard.as_deref().is_none_or(|id| severity(id).is_some()), "{name}");
            assert!(meaning.family.as_deref().is_none_or(|family| FAMILIES.contains(&family)), "{name}");
            assert!(meaning.hazard.is_some() || meaning.family.is_some(), "{name}");
        }
        let cyber = promptfoo_plugin("harmful:cybercrime:malicious-code").unwrap();
        assert_eq!(cyber.hazard.as_deref(), Some("cybr.malware"));
        assert!(promptfoo_plugin("harmfulness").is_none() && promptfoo_strategy("jailbreak:new").is_some());
    }
}
