//! Run events: one stream that the progress bar, the JSON lines and any viewer receive.
//!
//! A receiver that fails never stops a run. Events carry ids, names and counts; never a prompt or an answer.

use crate::pure::answer::Usage;
use crate::pure::reason::Reason;
use crate::pure::reports::examination::Examination;
use crate::pure::reports::judge_report::JudgeReport;
use crate::pure::transcript::{CutPrompt, Substitute, Transcript};
use crate::runtime::dataset::prompts::TakenColumns;
use crate::runtime::model::{ClientNews, ConcurrencyChange, Outage, Retrying};
use serde::Serialize;

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// What the run is about to do, before its first call.
    Preflight {
        /// Each model, with the roles that it answers for.
        models: Vec<ModelInUse>,
        /// Prompts expected, where that can be known beforehand.
        expected: Option<u64>,
        /// Calls that those take when the journal knows nothing, where there are bounds.
        calls: Option<CallBounds>,
        /// Which columns of each prompt file are looked at.
        files: Vec<TakenColumns>,
    },
    /// The critic is examined on test cases of the constitution before the first prompt.
    ExaminationBegan {
        /// How many.
        cases: u64,
    },
    /// What the examination of the critic came to.
    Examined(Box<Examination>),
    /// A file of the hub has other bytes than when this run read it before: its prompts may be others.
    HubFileChanged {
        /// The dataset's name with the configuration, the split and the file.
        name: String,
    },
    /// Conversations that ended in a reply, which was left out.
    RepliesDropped {
        /// How many.
        count: u64,
    },
    /// Another process writes the run, and this one waits until it has ended.
    Waiting {
        /// The run directory.
        run: String,
        /// The process and its host.
        holder: String,
    },
    /// The run directory is on a network file system, where a journal is slow and not safe.
    NetworkDisk {
        /// The run directory.
        run: String,
        /// Which file system.
        kind: &'static str,
    },
    /// The limits were changed while the run works.
    Tuned {
        /// What was changed, as `amend tune` takes it.
        limits: String,
    },
    /// What happened to the copy on shared storage.
    Mirror(MirrorNews),
    /// The run begins, or goes on.
    Started {
        /// The run directory.
        run: String,
        /// Prompts expected, where that can be known beforehand.
        expected: Option<u64>,
        /// Answers already in the journal.
        journalled: u64,
    },
    /// A prompt's chain is finished.
    Prompt {
        /// Its id.
        prompt_id: String,
        /// Why it ended: a name of [`crate::pure::transcript::Ended`].
        ended: String,
        /// Rounds of revision kept.
        rounds: u32,
        /// Principles still violated in the final response, as the critic sees it.
        violated: Vec<String>,
        /// Whether the transcript was in the journal, complete and current.
        from_journal: bool,
    },
    /// A row of the input, or a prompt, that failed.
    Reject {
        /// The prompt's id, where it got that far.
        prompt_id: Option<String>,
        /// Source and line (`file:line`), where it is a row of the input.
        at: Option<String>,
        /// The reason code.
        reason: Reason,
        /// What happened, without the prompt's text.
        detail: String,
    },
    /// An attempt failed and will be made again.
    Retry {
        /// Who was asked.
        role: String,
        /// What went wrong, such as `429` or `timeout`.
        cause: String,
        /// Seconds until the next attempt.
        wait_s: f64,
    },
    /// An endpoint refuses an optional field of a request, and the run goes on without it. Told once for each model.
    FieldRefused {
        /// Who was asked.
        role: String,
        /// The field.
        field: String,
        /// What the run does instead.
        instead: String,
    },
    /// Another model answers than the one that is asked. Told once for each.
    OtherModel(Substitute),
    /// An endpoint counted far fewer tokens than a prompt has. Told once for each role and model.
    PromptCut(CutPrompt),
    /// The number of calls in flight at an endpoint changed by a tenth or more, because `concurrency` is `auto`.
    Concurrency {
        /// The endpoint.
        endpoint: String,
        /// Calls that may be in flight from now on.
        calls: u32,
        /// Calls that might be in flight until now.
        before: u32,
        /// Why: `gain`, `no_gain`, `probe`, `slower` or `refused`.
        reason: &'static str,
    },
    /// A model is away that answered before. Its calls wait, or go to other endpoints that serve it, and one probes from time to
    /// time.
    OutageBegan {
        /// The model and its endpoint.
        place: String,
        /// What the endpoint said, or what went wrong on the way to it.
        message: String,
        /// Seconds after which the run ends, where no other endpoint serves the model.
        patience_s: f64,
        /// Other endpoints that serve the model meanwhile.
        others: usize,
    },
    /// The model answers again.
    OutageEnded {
        /// The model and its endpoint.
        place: String,
        /// Seconds that it was away.
        lasted_s: f64,
    },
    /// Counts so far, every few seconds.
    Progress(Summary),
    /// The user asked to stop; what is in flight is finished.
    Stopping,
    /// A dataset was written.
    Exported {
        /// Where.
        dir: String,
        /// Rows per config.
        rows: Vec<(String, u64)>,
        /// Rows that could have been and are not there: config, reason, how many.
        left_out: Vec<(String, Reason, u64)>,
    },
    /// The dataset of an earlier, finished run was not replaced by that of this one, which is not finished.
    DatasetLeftAlone {
        /// Where.
        dir: String,
    },
    /// What the verdicts and preferences of the run are worth.
    Report(Box<JudgeReport>),
    /// The end: the counts add up.
    Summary(Summary),
}

/// What happened to the copy of a run on shared storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum MirrorNews {
    /// The run goes on from it.
    Restored {
        /// Records that were in it.
        records: u64,
    },
    /// A file of it is damaged or missing. What is behind it is asked again, or copied again where the journal has it.
    Damaged {
        /// Which, and what is wrong.
        detail: String,
    },
    /// It cannot be written.
    Trouble {
        /// What went wrong.
        detail: String,
        /// Seconds after which the run ends.
        patience_s: u64,
    },
    /// It can be written again.
    Mended,
}

impl From<ClientNews> for Event {
    fn from(news: ClientNews) -> Self {
        match news {
            ClientNews::Retry(retrying) => retrying.into(),
            ClientNews::Concurrency(ConcurrencyChange { endpoint, calls, before, reason }) => {
                Self::Concurrency { endpoint, calls, before, reason: reason.as_str() }
            }
            ClientNews::Outage(Outage::Begins { place, message, patience, others }) => {
                Self::OutageBegan { place, message, patience_s: patience.as_secs_f64(), others }
            }
            ClientNews::Outage(Outage::Ends { place, lasted }) => {
                Self::OutageEnded { place, lasted_s: lasted.as_secs_f64() }
            }
        }
    }
}

impl From<Retrying> for Event {
    fn from(Retrying { role, cause, wait, refused }: Retrying) -> Self {
        match refused {
            Some(field) => Self::FieldRefused {
                role: role.as_str().into(),
                field: field.into(),
                instead: instead_of(field).into(),
            },
            None => Self::Retry { role: role.as_str().into(), cause, wait_s: wait.as_secs_f64() },
        }
    }
}

/// A model that a run asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelInUse {
    /// The roles that it answers for.
    pub roles: Vec<String>,
    /// Its name.
    pub model: String,
    /// Its base URL without user and query; `sim` for the simulated model in process.
    pub endpoint: String,
    /// The key that goes with each call.
    pub key: SentKey,
}

/// Whether a key goes with the calls to a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SentKey {
    /// The variable holds one.
    Set {
        /// The environment variable.
        variable: String,
    },
    /// The variable holds none, so none is sent.
    NotSet {
        /// The environment variable.
        variable: String,
    },
    /// The endpoint is on another machine and its URL is plain `http`: no key is sent unless the recipe names its variable.
    Withheld,
    /// The simulated model in process takes none.
    NotNeeded,
}

/// The least and the most calls of a run, without faults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CallBounds {
    /// Nothing objects.
    pub low: f64,
    /// Everything objects, and every retry is used.
    pub high: f64,
}

/// What a run does without an optional field of a request, and the recipe's line that never sends it.
fn instead_of(field: &str) -> &'static str {
    match field {
        "system" => "it stands before the first user turn; `system = \"fold\"` never sends it",
        "seed" => "draws of one conversation differ by chance; `send_seed = false` never sends it",
        "logprobs" => "preferences are read from votes; `label.how = \"votes\"` never asks for them",
        _ => "verdicts are read from the text; `structured = false` never asks for a schema",
    }
}

/// The counts of a run: `prompts = rows + rejects + unfinished`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Rows of the input that were met.
    pub prompts: u64,
    /// Prompts that became a row.
    pub rows: u64,
    /// Rows of the input, and prompts, that failed; each has its reason in the reject table.
    pub rejects: u64,
    /// Prompts begun or waiting when the run ended.
    pub unfinished: u64,
    /// Rows of the input that were not reached when the run stopped; `None` while it goes on, or where nobody knows.
    pub not_begun: Option<u64>,
    /// Calls.
    pub calls: CallCounts,
    /// Tokens of the calls asked.
    pub tokens: Usage,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Verdicts of the critic.
    pub verdicts: VerdictCounts,
}

/// Verdicts of the critic in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct VerdictCounts {
    /// Verdicts that were asked for.
    pub asked: u64,
    /// Those of them that could not be had: no answer, or none that can be read.
    pub undecided: u64,
}

impl VerdictCounts {
    /// The verdicts of one transcript.
    pub fn of(transcript: &Transcript) -> Self {
        let undecided = transcript.critiques.iter().filter(|critique| !critique.verdict.is_decided());
        Self { asked: transcript.critiques.len() as u64, undecided: undecided.count() as u64 }
    }

    /// The share that is undecided; 0 where nothing was asked.
    pub fn share_undecided(&self) -> f64 {
        if self.asked == 0 { 0.0 } else { self.undecided as f64 / self.asked as f64 }
    }
}

/// Where answers came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CallCounts {
    /// Calls that went to a model.
    pub asked: u64,
    /// Calls that the journal answered.
    pub from_journal: u64,
    /// Attempts beyond the first.
    pub retried: u64,
}
