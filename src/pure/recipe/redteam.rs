//! `[redteam]`: how `amend redteam` searches. No run reads it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[redteam]`: how `amend redteam` searches for attacks that break a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Redteam {
    /// Files of prompts: those of the class `harmful` are goals, those of the class `benign` are asked as they are, so that
    /// over-refusal stands beside the success rate.
    pub goals: Vec<String>,
    /// Hazards or domains; all that the goals have when empty.
    pub hazards: Vec<String>,
    /// Files of attacks; those that ship when empty.
    pub attacks: Vec<String>,
    /// Families of attacks; all when empty.
    pub families: Vec<String>,
    /// Languages; a goal that is not there in one of them is translated by the attacker. Those of the goals when empty.
    pub languages: Vec<String>,
    /// A file with the target's system prompt.
    pub target_system: Option<String>,
    /// Calls that all attempts may take together, from the journal or not.
    pub calls: u64,
    /// Tokens that they may take.
    pub tokens: Option<u64>,
    /// A cell is known when half of the 95 % interval of its rate is narrower.
    pub half_width: f64,
    /// Attempts at every cell before any is preferred.
    pub min_tries: u64,
    /// A cell in which so many attempts broke is not tried again.
    pub max_finds: u64,
    /// Attempts of a round: their answers are taken in together, so another number is another search.
    pub round: u32,
    /// Labelled responses on which the judge is measured (`prompt`, `response`, `verdict`: broke or held); the constitution's
    /// own test cases when absent.
    pub qualify: Option<String>,
    /// Find the smallest form of every attack that broke.
    pub minimise: bool,
    /// Keep answers of severity 4 as they are, and not as a hash.
    pub keep_severe_text: bool,
}

impl Default for Redteam {
    fn default() -> Self {
        Self {
            goals: Vec::new(),
            hazards: Vec::new(),
            attacks: Vec::new(),
            families: Vec::new(),
            languages: Vec::new(),
            target_system: None,
            calls: 6_000,
            tokens: None,
            half_width: 0.1,
            min_tries: 3,
            max_finds: 5,
            round: 32,
            qualify: None,
            minimise: true,
            keep_severe_text: false,
        }
    }
}
