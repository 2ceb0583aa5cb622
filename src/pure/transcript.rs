//! A transcript: everything that happened to one prompt, start to final response.
//!
//! Flat lists that refer to each other by index, so that every export, gate and report is a walk over them.
//! It is stored in the journal as JSON, and must stay readable there: fields are added with a default, never renamed.
//!
//! This file holds the records. What their verdicts say in the end is decided in `verdicts.rs`, and nowhere else.

mod cut_prompts;
mod redact;
mod verdicts;

use crate::pure::answer::Usage;
use crate::pure::call::Role;
use crate::pure::grade::Styled;
use crate::pure::prompt::Prompt;
use crate::pure::reason::Reason;
use crate::pure::recipe::Schedule;
use crate::pure::stored_name::{UnknownName, stored_names};
pub use cut_prompts::{CutPrompt, CutPrompts};
use serde::{Deserialize, Serialize};

/// What a critique concludes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The response breaks the principle.
    Violates,
    /// The response keeps it.
    Conforms,
    /// The principle has no bearing on this response.
    NotApplicable,
    /// No verdict could be read. Unknown is not safe: never a label, and it revises nothing.
    Undecided,
}

impl Verdict {
    /// The verdict's name in files, templates and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Violates => "violates",
            Self::Conforms => "conforms",
            Self::NotApplicable => "not-applicable",
            Self::Undecided => "undecided",
        }
    }

    /// Whether the critic came to a verdict at all.
    pub fn is_decided(self) -> bool {
        self != Self::Undecided
    }
}

/// Why a verdict is undecided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undecided {
    /// The critic answered, and neither its text nor the follow-up held a verdict.
    Unreadable,
    /// The critic's call ended otherwise than complete; how.
    Outcome(Reason),
}

impl Undecided {
    /// The same as a reason code.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unreadable => Reason::Unreadable,
            Self::Outcome(reason) => reason.clone(),
        }
    }
}

/// What made a transcript: a schedule of critique and revision, or labels alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, strum::EnumString, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum MethodName {
    /// All principles criticise the same response side by side.
    Panel,
    /// One principle after another.
    Each,
    /// The paper's method: a principle drawn at random for each round.
    Sampled,
    /// Responses were compared, and none was revised.
    Label,
    /// A style was kept, and answers were graded.
    Style,
    /// A method of another version of amend, as a file has it.
    #[strum(disabled)]
    Other(UnknownName),
}

stored_names!(MethodName);

impl From<Schedule> for MethodName {
    fn from(schedule: Schedule) -> Self {
        match schedule {
            Schedule::Panel => Self::Panel,
            Schedule::Each => Self::Each,
            Schedule::Sampled => Self::Sampled,
        }
    }
}

/// How a judge's preference was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, strum::EnumString, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum How {
    /// From the log-probabilities of the options.
    Logprobs,
    /// From how often each option was named.
    Votes,
    /// From the options named after thinking.
    Cot,
    /// In a way of another version of amend, as a file has it.
    #[strum(disabled)]
    Other(UnknownName),
}

stored_names!(How);

/// A response to the prompt: the draft, or a revision that was kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The text, repaired where a gate could (a preamble cut off).
    pub text: String,
    /// 0 for the draft; the round that made it otherwise.
    pub round: u32,
    /// The model that wrote it.
    pub model: String,
    /// Whether the role's fallback endpoint wrote it.
    #[serde(default)]
    pub fallback: bool,
    /// Completion tokens of the call that made it.
    #[serde(default)]
    pub tokens: u64,
    /// What was repaired (`preamble`, …).
    #[serde(default)]
    pub repairs: Vec<Reason>,
}

/// One critique of one response against one principle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Critique {
    /// The round it belongs to, from 1. A re-check of a revision belongs to the round that made the revision.
    pub round: u32,
    /// Index into `responses`. For a revision that was rolled back, the response that it revised; see `revision`.
    pub response: usize,
    /// Index into `revisions` when the text criticised is that revision's, whether or not it was kept.
    #[serde(default)]
    pub revision: Option<usize>,
    /// The principle's id.
    pub principle: String,
    /// What the critic wrote, without its verdict line.
    pub text: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// The probability that the response violates the principle, where the critic was asked by choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_violates: Option<f64>,
    /// Why there is no verdict.
    #[serde(default)]
    pub undecided: Option<Undecided>,
    /// What the screening call said of the principle, where there was one. With a verdict that is the same, and no
    /// text, screening alone decided.
    #[serde(default)]
    pub screen: Option<Verdict>,
    /// Whether this asks again whether a revision holds (the re-check), not a critique that a revision answers.
    #[serde(default)]
    pub recheck: bool,
    /// Completion tokens of the call.
    #[serde(default)]
    pub tokens: u64,
    /// The model that wrote it.
    #[serde(default)]
    pub model: String,
}

/// What became of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevisionFate {
    /// It became response number `n`.
    Kept(usize),
    /// A principle that held is violated in it; the named ones. The response before it stands.
    RolledBack(Vec<String>),
    /// A gate or the call's outcome rejected it; why.
    Rejected(Reason),
    /// The reviser gave the response back as it was.
    Unchanged,
}

/// One attempt to revise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// The round it belongs to, from 1.
    pub round: u32,
    /// Index into `responses` of the text revised.
    pub from: usize,
    /// The principles whose critiques it answers.
    pub principles: Vec<String>,
    /// The revised text; empty where the call gave none.
    pub text: String,
    /// What became of it.
    pub fate: RevisionFate,
}

/// A preference judgement between two responses, both orders averaged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Index into `responses` of the first.
    pub a: usize,
    /// Index into `responses` of the second.
    pub b: usize,
    /// The comparison principle's id.
    pub principle: String,
    /// P(a is better), both orders averaged, after any clamp; `None` when undecided.
    pub p: Option<f64>,
    /// P(a is better) with `a` shown first, as it was read, before any clamp.
    pub p_ab: Option<f64>,
    /// P(a is better) with `b` shown first.
    pub p_ba: Option<f64>,
    /// How it was read.
    pub how: How,
    /// The judge's model.
    pub model: String,
}

/// Why a transcript ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Ended {
    /// No principle objects to the final response.
    Conforms,
    /// No principle objects to the final response, but of some no verdict could be read: unknown is not safe.
    Undecided,
    /// The rounds of the recipe are used up.
    Rounds,
    /// A revision came back to an earlier response.
    Oscillation,
    /// No revision was better than what it revised.
    RolledBack,
    /// A revision could not be had; why.
    RevisionFailed(Reason),
    /// Responses were compared, and none was revised.
    Labelled,
    /// There is no usable draft; why. Such a prompt is a reject.
    NoDraft(Reason),
}

impl Ended {
    /// The name in events and rows, without a reason.
    pub fn as_str(&self) -> &'static str {
        self.into()
    }

    /// Why there is no draft, or no revision.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::RevisionFailed(reason) | Self::NoDraft(reason) => Some(reason),
            Self::Conforms
            | Self::Undecided
            | Self::Rounds
            | Self::Oscillation
            | Self::RolledBack
            | Self::Labelled => None,
        }
    }
}

/// What the calls of one transcript came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Calls that the method asked, wherever their answers came from.
    pub calls: u64,
    /// Their tokens. `cached` stays 0: it depends on what else ran on the endpoint, and a transcript does not.
    pub usage: Usage,
}

/// Calls of one role that gave nothing usable, for one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFailure {
    /// Who was asked.
    pub role: Role,
    /// The outcome's name.
    pub reason: Reason,
    /// What happened, in the provider's own words where there are any; never a prompt or a key.
    pub message: String,
    /// How many calls.
    pub calls: u64,
}

/// A model that answered in the place of the one that was asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Substitute {
    /// Who was asked.
    pub role: Role,
    /// The model that the recipe names.
    pub asked: String,
    /// The model that the endpoint names in its answers.
    pub answered: String,
}

/// Everything that happened to one prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// The prompt.
    pub prompt: Prompt,
    /// The schedule or method that made it.
    pub method: MethodName,
    /// The draft and every revision kept, in order.
    pub responses: Vec<Response>,
    /// Every critique, in the order of the method.
    pub critiques: Vec<Critique>,
    /// Every revision tried.
    pub revisions: Vec<Revision>,
    /// Every preference judgement.
    #[serde(default)]
    pub comparisons: Vec<Comparison>,
    /// The style that the response was worked towards, with the grades of the responses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub styled: Option<Styled>,
    /// Index into `responses` of the final response.
    pub last: usize,
    /// Why it ended.
    pub ended: Ended,
    /// What its calls came to.
    pub tally: Tally,
    /// The models that answered, by role.
    pub models: Vec<(Role, String)>,
    /// Calls that gave nothing usable, by role and cause. Journals of version 0.1.0 do not have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<CallFailure>,
    /// Models that answered in the place of others. Journals of version 0.1.0 do not have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub substitutes: Vec<Substitute>,
    /// Calls whose prompts the endpoint cut. Journals of version 0.1.0 do not have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut_prompts: Vec<CutPrompt>,
}

impl Transcript {
    /// The draft, if there is one.
    pub fn draft(&self) -> Option<&Response> {
        self.responses.first()
    }

    /// The final response, if there is one.
    pub fn final_response(&self) -> Option<&Response> {
        self.responses.get(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A transcript as version 0.1.0 wrote it, with every name that it keeps.
    const OF_0_1_0: &str = r#"{"prompt":{"id":"5f2c","messages":[{"role":"user","content":"Hi"}],"hazard":null,"language":"en"},"method":"sampled","responses":[{"text":"Hello","round":0,"model":"m","fallback":false,"tokens":5,"repairs":["preamble","role-tag"]}],"critiques":[{"round":1,"response":0,"revision":0,"principle":"kind","text":"","verdict":"undecided","undecided":{"outcome":"filtered"},"screen":"not-applicable","recheck":true,"tokens":0,"model":"m"},{"round":1,"response":0,"revision":null,"principle":"kind","text":"Who knows","verdict":"undecided","undecided":"unreadable","screen":null,"recheck":false,"tokens":1,"model":"m"}],"revisions":[{"round":1,"from":0,"principles":["kind"],"text":"","fate":{"rejected":"truncation-signs"}},{"round":1,"from":0,"principles":["kind"],"text":"","fate":{"rolled-back":["kind"]}},{"round":1,"from":0,"principles":["kind"],"text":"Hello","fate":"unchanged"}],"comparisons":[{"a":0,"b":1,"principle":"kind","p":0.5,"p_ab":null,"p_ba":0.25,"how":"cot","model":"j"}],"last":0,"ended":{"revision-failed":"unchanged"},"tally":{"calls":3,"usage":{"prompt":1,"cached":0,"completion":2}},"models":[["generator","m"]]}"#;

    #[test]
    fn a_transcript_of_the_first_version_reads_and_writes_as_it_was() {
        let read: Transcript = serde_json::from_str(OF_0_1_0).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), OF_0_1_0);
        assert_eq!(read.ended, Ended::RevisionFailed(Reason::Unchanged));
        assert_eq!(read.revisions[0].fate, RevisionFate::Rejected(Reason::TruncationSigns));
        assert_eq!(read.critiques[0].undecided, Some(Undecided::Outcome(Reason::Filtered)));
        assert_eq!(read.responses[0].repairs, [Reason::Preamble, Reason::RoleTag]);
        assert_eq!((read.method, &read.comparisons[0].how), (MethodName::Sampled, &How::Cot));
    }

    #[test]
    fn the_names_are_part_of_the_interface() {
        let methods: Vec<String> = MethodName::known().map(|name| name.to_string()).collect();
        assert_eq!(methods, ["panel", "each", "sampled", "label", "style"]);
        let hows: Vec<String> = How::known().map(|how| how.to_string()).collect();
        assert_eq!(hows, ["logprobs", "votes", "cot"]);
        for schedule in [Schedule::Panel, Schedule::Each, Schedule::Sampled] {
            assert_eq!(MethodName::from(schedule).as_str(), schedule.as_str());
        }
        let (no_draft, failed) = (Ended::NoDraft(Reason::Empty), Ended::RevisionFailed(Reason::Empty));
        let ends = [
            Ended::Conforms,
            Ended::Undecided,
            Ended::Rounds,
            Ended::Oscillation,
            Ended::RolledBack,
            Ended::Labelled,
        ];
        for ended in ends {
            assert_eq!(serde_json::json!(ended), serde_json::json!(ended.as_str()));
        }
        assert_eq!((no_draft.as_str(), failed.as_str()), ("no-draft", "revision-failed"));
    }
}
