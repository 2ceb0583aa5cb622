//! `[export]`: what a dataset is made of.

use crate::pure::grade::Grade;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One table of the dataset.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Config {
    /// Final responses, for supervised fine-tuning.
    Sft,
    /// Pairs with an explicit prompt: DPO, reward models and their kin.
    Preference,
    /// Pairs whose replies carry the whole conversation.
    PreferenceImplicit,
    /// Pairs of plain text; single-turn rows only.
    PreferenceFlat,
    /// Pairs with a margin, which changes a reward trainer's loss by being there.
    Reward,
    /// Single replies with a good-or-bad label.
    Kto,
    /// The same in plain text; single-turn rows only.
    KtoFlat,
    /// Critiques, to train a critic.
    Critique,
    /// Responses labelled safe or unsafe.
    Classifier,
    /// Prompts alone, for methods that sample their own responses.
    Prompts,
    /// Every critique of every round, for audit.
    Transcripts,
}

impl Config {
    /// Every config, in the order of the card.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The config's name, which is also its folder.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The names of all configs, in the same order.
    pub fn names() -> Vec<&'static str> {
        Self::ALL.iter().map(|config| config.as_str()).collect()
    }
}

/// Which responses of a chain are paired.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pairs {
    /// The final response against the draft: the clearest difference.
    #[default]
    FirstLast,
    /// The response with the fewest objections against the draft.
    FirstBest,
    /// Each response against the one before it.
    Steps,
    /// Every later response against every earlier one.
    All,
}

/// What is done about labels that are probabilities, since no trainer reads one per row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SoftLabels {
    /// The likelier response is `chosen`; the probability stands beside it.
    #[default]
    Hard,
    /// Chosen and rejected are swapped with probability `1 - p_chosen`: right in expectation, at no extra size.
    Sample,
    /// Every pair is written this often, `round(K × p_chosen)` times as it is and otherwise swapped.
    Expand(u32),
}

impl std::str::FromStr for SoftLabels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let copies = text
            .strip_prefix("expand=")
            .and_then(|k| k.parse::<u32>().ok())
            .filter(|k| (2..=100).contains(k));
        match (text, copies) {
            ("hard", _) => Ok(Self::Hard),
            ("sample", _) => Ok(Self::Sample),
            (_, Some(k)) => Ok(Self::Expand(k)),
            (_, None) => {
                Err(format!("`{text}` is none of `hard`, `sample` and `expand=K` with K from 2 to 100"))
            }
        }
    }
}

impl std::fmt::Display for SoftLabels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hard => f.write_str("hard"),
            Self::Sample => f.write_str("sample"),
            Self::Expand(k) => write!(f, "expand={k}"),
        }
    }
}

impl Serialize for SoftLabels {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SoftLabels {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for SoftLabels {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SoftLabels".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^(hard|sample|expand=[0-9]+)$" })
    }
}

/// The lowest grade that becomes an `sft` row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MinGrade {
    /// The style has all that it asks for.
    #[default]
    Ideal,
    /// The style has what is essential.
    Acceptable,
}

impl From<MinGrade> for Grade {
    fn from(least: MinGrade) -> Self {
        match least {
            MinGrade::Ideal => Self::Ideal,
            MinGrade::Acceptable => Self::Acceptable,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_ideal(grade: &MinGrade) -> bool {
    *grade == MinGrade::Ideal
}

/// `[export.mix]`: how many prompts of each kind a dataset has, in parts. Without any part nothing is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mix {
    /// Parts of harmful prompts.
    pub harmful: u32,
    /// Parts of borderline prompts.
    pub borderline: u32,
    /// Parts of benign twins of harmful prompts that are there.
    pub benign_twin: u32,
    /// Parts of other benign prompts.
    pub benign: u32,
    /// What the mix is even over: `hazard`, `language`. Each cell has the same number of rows.
    pub even: Vec<Even>,
    /// Write what there is where a cell has too few of something; else the export fails and says what is missing.
    pub partial: bool,
}

impl Mix {
    /// Whether anything is mixed.
    pub fn is_on(&self) -> bool {
        self.harmful + self.borderline + self.benign_twin + self.benign > 0
    }
}

/// What a mix is even over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Even {
    /// Hazards, as the prompts name them.
    Hazard,
    /// Languages, as the prompts name them.
    Language,
}

/// `[export.gate]`: what a dataset must keep on both sides; one that breaks it is not written, and the exit code is 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExportGate {
    /// The largest share of `sft` rows of benign prompts whose answer refuses.
    pub max_refusal_on_benign: Option<f64>,
    /// The smallest share of `sft` rows of harmful prompts whose benign twin has a row too.
    pub min_twin_share: Option<f64>,
}

impl ExportGate {
    /// Whether anything is held.
    pub fn is_on(&self) -> bool {
        self.max_refusal_on_benign.is_some() || self.min_twin_share.is_some()
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The largest share of prompt families that may be held out for validation, and as much again for test.
pub const MOST_HELD_OUT: f64 = 0.4;

/// `[export]`: what is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Export {
    /// The configs to write: `sft`, `preference`, `preference_implicit`, `preference_flat`, `reward`, `kto`,
    /// `kto_flat`, `critique`, `classifier`, `prompts`, `transcripts`.
    pub configs: Vec<String>,
    /// Share of prompt families in `validation`, and as much again in `test`.
    pub holdout: f64,
    /// Which responses of a chain are paired.
    pub pairs: Pairs,
    /// What is done about labels that are probabilities: `hard`, `sample` or `expand=K`.
    pub soft_labels: SoftLabels,
    /// Keep final responses that a principle still objects to as `sft` rows. Off by default: they would teach what
    /// the constitution forbids. The paper trains on every revision, whatever is left in it.
    pub keep_unresolved: bool,
    /// How many prompts may share one reply, by its words, before further ones are left out as boilerplate; 0 for
    /// no cap. 200: a stock decline may stay a part of the data, not most of it.
    pub max_same_reply: u32,
    /// Largest share of all pairs that may teach one phrase of five words that is at least five times as common in chosen
    /// replies as in rejected ones; 0 for no cap, the default: what a model should come to say more often is for you to
    /// judge, and the phrases are in the statistics. With a cap, further pairs are left out (`boilerplate-phrase`).
    pub max_phrase_share: f64,
    /// Word-run similarity above which two prompts are one family and share a split; prompts of 5 to 31 words that differ by
    /// one word are one in any case, unless more than eight differ in that word alone. 0.7: a changed name or number
    /// joins, a shared topic does not.
    pub family_similarity: f64,
    /// Bytes after which a new Parquet shard begins.
    pub shard_bytes: u64,
    /// Model named in request files for OpenAI's Batch API, `openai/batch_prompts.jsonl`, made of the config `prompts`
    /// but for its test split; none are written when absent.
    pub batch_model: Option<String>,
    /// The lowest grade of a styled answer that becomes an `sft` row: `ideal` or `acceptable`.
    // What is as usual is not written, here and in what follows: fingerprints of runs without styles do not have it.
    #[serde(skip_serializing_if = "is_ideal")]
    pub min_grade: MinGrade,
    /// How many prompts of each kind the dataset has.
    #[serde(skip_serializing_if = "is_default")]
    pub mix: Mix,
    /// What the dataset must keep on both sides.
    #[serde(skip_serializing_if = "is_default")]
    pub gate: ExportGate,
    /// Largest share of the prompts with a row whose answers may open with the same four words; 0 for no cap, the default.
    /// A model that is trained on one opening learns it by heart. Further prompts are left out (`same-opening`); a mix stays exact.
    #[serde(skip_serializing_if = "is_default")]
    pub max_same_opening: f64,
    /// Similarity of two answers, by their runs of five words, from which only one of their prompts stays; 0 for any, the
    /// default. 0.8 leaves out answers that differ by a few words (`similar-answer`).
    #[serde(skip_serializing_if = "is_default")]
    pub max_answer_similarity: f64,
    /// Licence named in the card, as the Hub spells it; none is named when absent, for only you know it.
    pub license: Option<String>,
}

impl Export {
    /// Whether which prompts have rows depends on all of them together.
    pub fn selects(&self) -> bool {
        self.mix.is_on() || self.max_same_opening > 0.0 || self.max_answer_similarity > 0.0
    }
}

impl Default for Export {
    fn default() -> Self {
        Self {
            configs: ["sft", "preference", "transcripts"].map(String::from).to_vec(),
            holdout: 0.05,
            pairs: Pairs::FirstLast,
            soft_labels: SoftLabels::Hard,
            keep_unresolved: false,
            max_same_reply: 200,
            max_phrase_share: 0.0,
            family_similarity: 0.7,
            shard_bytes: 500_000_000,
            batch_model: None,
            min_grade: MinGrade::Ideal,
            mix: Mix::default(),
            gate: ExportGate::default(),
            max_same_opening: 0.0,
            max_answer_similarity: 0.0,
            license: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn the_names_of_configs_are_part_of_the_interface() {
        assert_eq!(
            Config::names().join(" "),
            "sft preference preference_implicit preference_flat reward kto kto_flat critique classifier prompts transcripts"
        );
        assert!(Config::ALL.iter().all(|config| config.as_str().parse() == Ok(*config)));
    }
}
