//! `[label]`: preference labels, the second stage of Constitutional AI.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which responses are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LabelSource {
    /// None: a run makes critiques and revisions only.
    #[default]
    Off,
    /// Several drafts of each prompt, which are not revised: the paper's second stage.
    Samples,
    /// The draft and its revisions.
    Chain,
    /// The responses that each row of the input brings along (`amend label`): nothing is drafted.
    Given,
}

/// Which of a prompt's responses meet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LabelPairs {
    /// Every two of them.
    #[default]
    All,
    /// Each with the next.
    Steps,
    /// The first with the last.
    FirstLast,
}

/// How a judge's preference is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LabelHow {
    /// From log-probabilities where the endpoint gives them, else by votes.
    #[default]
    Auto,
    /// By sampled votes, whatever the endpoint gives.
    Votes,
}

/// `[label]`: preference labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Label {
    /// Which responses are compared.
    pub source: LabelSource,
    /// With `samples`: how many drafts of each prompt.
    pub samples: u32,
    /// Which of a prompt's responses meet.
    pub pairs: LabelPairs,
    /// How many principles are drawn for a pair, by weight; 0 for an ensemble over all that apply. With `chain` they are
    /// drawn from those that a critique objected with to one of the two, for of the others the pair says nothing.
    pub principles: u32,
    /// How a preference is read.
    pub how: LabelHow,
    /// Votes per order where votes are counted, and chains of thought per order where the judge thinks first.
    pub votes: u32,
    /// Let the judge think step by step first. Its probabilities are then nearly 0 or 1, so they are clamped.
    pub reason_first: bool,
    /// How far from 0.5 a label after thinking may be: 0.1 is the paper's 40 to 60 %.
    pub clamp: f64,
    /// The judge's temperature in comparisons. At 1 log-probabilities are the model's own, and votes are drawn by them.
    pub temperature: f64,
    /// How many alternatives per token to ask for.
    pub top_logprobs: u8,
}

impl Default for Label {
    fn default() -> Self {
        Self {
            source: LabelSource::Off,
            samples: 2,
            pairs: LabelPairs::All,
            principles: 1,
            how: LabelHow::Auto,
            votes: 5,
            reason_first: false,
            clamp: 0.1,
            temperature: 1.0,
            top_logprobs: 5,
        }
    }
}
