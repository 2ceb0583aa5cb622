//! From a transcript to rows.
//!
//! Every text passes the gates once more before it becomes a row; what a gate objects to is a [`Drop`] with its
//! reason, never a silent gap. `latency_ms` is not a column: measured times would make two exports of one run differ.

use super::schema::{Chat, MoreColumns, Row, Value};
use super::styled_columns::styled_values;
use crate::pure::constitution::Constitution;
use crate::pure::digest::Parts;
use crate::pure::gates::{Candidate, Verdict as Gate, check_response, refusal};
use crate::pure::judged::is_judged;
use crate::pure::prompt::Message;
use crate::pure::reason::Reason;
use crate::pure::recipe::Config;
use crate::pure::recipe::{Export, Gates, is_simulated};
use crate::pure::transcript::{Critique, Ended, Response, RevisionFate, Transcript};
use crate::runtime::dataset::boilerplate::Boilerplate;
use std::sync::Arc;

/// What all rows of an export share.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The constitution.
    pub constitution: &'a Constitution,
    /// SHA-256 of its text.
    pub constitution_sha256: &'a str,
    /// The run's seed.
    pub seed: u64,
    /// Whether the whole run used the simulated model.
    pub simulated: bool,
    /// Which columns the rows have besides those of every dataset.
    pub more_columns: MoreColumns,
    /// What is written.
    pub export: &'a Export,
    /// What may become a row.
    pub gates: &'a Gates,
    /// Phrases that no more than so many pairs may teach.
    pub boilerplate: &'a Boilerplate,
}

/// Where a prompt's rows belong.
#[derive(Debug, Clone, Copy)]
pub struct Passport<'a> {
    /// Its family.
    pub family: &'a str,
    /// Its split.
    pub split: &'a str,
    /// Its language, BCP 47; `und` when unknown.
    pub language: &'a str,
    /// How many prompts of the split came before it.
    pub index: i64,
}

impl Passport<'static> {
    /// Of a prompt whose rows go nowhere.
    fn none() -> Self {
        Self { family: "", split: "", language: "", index: 0 }
    }
}

/// A row that could have been and is not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Drop {
    /// The config it would have been in; for pairs always [`Config::Preference`].
    pub config: Config,
    /// Why.
    pub reason: Reason,
}

/// The rows of one transcript in the configs asked for, in a fixed order, and what was dropped.
pub fn rows_of(
    transcript: &Transcript,
    context: &Context<'_>,
    passport: &Passport<'_>,
    configs: &[Config],
) -> (Vec<Row>, Vec<Drop>) {
    let mut maker = Maker::new(transcript, context, passport);
    if !is_usable(transcript) {
        return (maker.rows, maker.drops);
    }
    let texts = maker.clean_texts();
    maker.refuses =
        texts.iter().map(|text| text.as_ref().is_ok_and(|text| refusal(text).refuses())).collect();
    let wanted = |config: Config| configs.contains(&config);
    if wanted(Config::Sft) {
        maker.sft(&texts);
    }
    let of_pairs = [
        Config::Preference,
        Config::PreferenceImplicit,
        Config::PreferenceFlat,
        Config::Reward,
        Config::Kto,
        Config::KtoFlat,
    ];
    if of_pairs.iter().any(|c| wanted(*c)) {
        let pairs = maker.pairs(&texts);
        for config in of_pairs.into_iter().filter(|c| wanted(*c)) {
            maker.pair_rows(config, &pairs, &texts);
        }
    }
    if wanted(Config::Critique) {
        maker.critiques();
    }
    if wanted(Config::Classifier) {
        maker.classifier(&texts);
    }
    if wanted(Config::Prompts) {
        maker.prompt();
    }
    if wanted(Config::Transcripts) {
        maker.audit();
    }
    (maker.rows, maker.drops)
}

/// The chosen and rejected texts of a transcript's pairs, as rows of `preference` would hold them.
pub fn pairs_of(transcript: &Transcript, context: &Context<'_>) -> Vec<(String, String)> {
    if !is_usable(transcript) {
        return Vec::new();
    }
    let passport = Passport::none();
    let mut maker = Maker::new(transcript, context, &passport);
    let texts = maker.clean_texts();
    let text = |k: usize| texts.get(k)?.as_ref().ok().cloned();
    let pairs = maker.pairs(&texts);
    pairs.iter().filter_map(|(pair, _)| text(pair.chosen).zip(text(pair.rejected))).collect()
}

fn is_usable(transcript: &Transcript) -> bool {
    !matches!(transcript.ended, Ended::NoDraft(_)) && !transcript.responses.is_empty()
}

/// Why a transcript gives no row: no final response for `sft`, or, where responses were only compared, no pair for
/// `preference`; `None` when it gives one. What an engine counts as rows and rejects is decided here, by the same rules as
/// an export; only what depends on the other rows (repeats, boilerplate) is not.
pub fn why_no_row(transcript: &Transcript, context: &Context<'_>) -> Option<Reason> {
    if let Ended::NoDraft(reason) = &transcript.ended {
        return Some(reason.clone());
    }
    let passport = Passport::none();
    let config = if transcript.ended == Ended::Labelled { Config::Preference } else { Config::Sft };
    let (rows, drops) = rows_of(transcript, context, &passport, &[config]);
    if !rows.is_empty() {
        return None;
    }
    Some(drops.into_iter().next().map_or(Reason::Empty, |drop| drop.reason))
}

/// What a row says about itself besides its own columns.
pub(super) struct Origin<'a> {
    pub(super) principles: Vec<String>,
    pub(super) round: u32,
    pub(super) model: &'a str,
    pub(super) judge: Option<&'a str>,
    /// What tells this row from others of its prompt.
    pub(super) mark: String,
    /// The responses that the row teaches and teaches against.
    pub(super) replies: [Option<usize>; 2],
}

/// Makes the rows of one transcript. The configs of pairs are in `of_pairs`, those of critiques in `of_critiques`.
pub(super) struct Maker<'a> {
    pub(super) transcript: &'a Transcript,
    pub(super) context: &'a Context<'a>,
    /// The prompt's messages, once for all rows.
    pub(super) asked: Arc<[Message]>,
    passport: &'a Passport<'a>,
    /// Of each response, whether it is a refusal.
    refuses: Vec<bool>,
    rows: Vec<Row>,
    drops: Vec<Drop>,
}

impl<'a> Maker<'a> {
    fn new(transcript: &'a Transcript, context: &'a Context<'a>, passport: &'a Passport<'a>) -> Self {
        Self {
            transcript,
            context,
            asked: transcript.prompt.messages.clone().into(),
            passport,
            refuses: Vec::new(),
            rows: Vec::new(),
            drops: Vec::new(),
        }
    }
}

impl Maker<'_> {
    /// The responses as they may be used: repaired, or `Err` with the gate's reason.
    fn clean_texts(&self) -> Vec<Result<String, Reason>> {
        let examples: Vec<&str> = self
            .context
            .constitution
            .principles
            .iter()
            .flat_map(|p| &p.examples)
            .flat_map(|e| [e.response.as_str(), e.critique.as_str(), e.revision.as_deref().unwrap_or("")])
            .collect();
        let prompt: String =
            self.transcript.prompt.messages.iter().map(|m| m.content.as_str()).collect::<Vec<_>>().join("\n");
        let clean = |(k, response): (usize, &Response)| {
            let revision = self.transcript.revisions.iter().find(|r| r.fate == RevisionFate::Kept(k));
            let original = revision.and_then(|r| self.transcript.responses.get(r.from));
            let critiques: Vec<&str> = revision.map_or(Vec::new(), |r| {
                let answered = |c: &&Critique| c.round == r.round && r.principles.contains(&c.principle);
                self.transcript.critiques.iter().filter(answered).map(|c| c.text.as_str()).collect()
            });
            let candidate = Candidate {
                text: &response.text,
                prompt: &prompt,
                original: original.map(|o| o.text.as_str()),
                critiques: &critiques,
                examples: &examples,
                // What was asked is not kept in a transcript; the method looked when the answer came.
                request: None,
            };
            match check_response(&candidate, self.context.gates) {
                Gate::Pass => Ok(response.text.trim().to_owned()),
                // What somebody else wrote was compared as it is, and stays so.
                Gate::Repair { .. } if !self.transcript.prompt.given.is_empty() => {
                    Ok(response.text.trim().to_owned())
                }
                Gate::Repair { text, .. } => Ok(text),
                Gate::Retry(code) | Gate::Reject(code) => Err(code),
            }
        };
        self.transcript.responses.iter().enumerate().map(clean).collect()
    }

    /// Whether a response may be a positive example, as far as its verdicts go.
    pub(super) fn is_judged(&self, response: usize) -> bool {
        is_judged(self.transcript, response, self.context.constitution, self.context.gates)
    }

    pub(super) fn prompt_alone(&self) -> Chat {
        Chat::new(&self.asked, Vec::new())
    }

    pub(super) fn drop(&mut self, config: Config, reason: Reason) {
        self.drops.push(Drop { config, reason });
    }

    /// Adds a row: its own values, then the passport.
    pub(super) fn push(&mut self, config: Config, own: Vec<Value>, origin: &Origin<'_>) {
        let (prompt, context) = (&self.transcript.prompt, self.context);
        let id = Parts::new("row")
            .with(config.as_str())
            .with(&prompt.id.0)
            .with(origin.principles.join(","))
            .with_u64(origin.round.into())
            .with_u64(context.seed)
            .with(context.constitution_sha256)
            .with(&origin.mark)
            .short();
        let simulated =
            context.simulated || is_simulated(origin.model) || origin.judge.is_some_and(is_simulated);
        let mut values = vec![Value::Text(id)];
        values.extend(own);
        values.extend([
            Value::Text(prompt.id.0.clone()),
            Value::Text(self.passport.family.to_owned()),
            Value::Texts(origin.principles.clone()),
            Value::Int(origin.round.into()),
            Value::Text(origin.model.to_owned()),
            Value::text(origin.judge),
            Value::Bool(simulated),
            // Trainers' tools hold integers in 63 bits.
            Value::Int((context.seed & (u64::MAX >> 1)).cast_signed()),
            Value::Text(context.constitution_sha256.to_owned()),
            Value::text(prompt.hazard.clone()),
            Value::Text(self.passport.language.to_owned()),
        ]);
        if context.more_columns >= MoreColumns::Kept {
            let kept =
                (!prompt.kept.is_empty()).then(|| serde_json::Value::Object(prompt.kept.clone()).to_string());
            values.push(Value::text(kept));
        }
        if context.more_columns == MoreColumns::Styled {
            let about = origin.replies[0].unwrap_or(self.transcript.last);
            values.extend(styled_values(self.transcript, about));
        }
        let refuses = origin.replies.map(|k| self.refuses.get(k?).copied());
        self.rows.push(Row { config, values, refuses });
    }

    fn sft(&mut self, texts: &[Result<String, Reason>]) {
        let last = self.transcript.last;
        let text = match texts.get(last) {
            Some(Ok(text)) => text.clone(),
            Some(Err(reason)) => return self.drop(Config::Sft, reason.clone()),
            None => return self.drop(Config::Sft, Reason::Empty),
        };
        let compared = self.transcript.comparisons.iter().any(|comparison| comparison.p.is_some());
        if self.transcript.ended == Ended::Labelled && !compared {
            // Nobody knows which of the responses is the best.
            return self.drop(Config::Sft, Reason::Undecided);
        }
        let unresolved = self.transcript.objections(last);
        if !unresolved.is_empty() && !self.context.export.keep_unresolved {
            return self.drop(Config::Sft, Reason::Unresolved);
        }
        if !self.is_judged(last) {
            return self.drop(Config::Sft, Reason::Undecided);
        }
        let grade = self.transcript.styled.as_ref().and_then(|styled| styled.grade_of(last));
        if grade.is_some_and(|grade| grade < self.context.export.min_grade.into()) {
            return self.drop(Config::Sft, Reason::BelowGrade);
        }
        let Some(response) = self.transcript.responses.get(last) else { return };
        let revised: Vec<String> = self
            .transcript
            .revisions
            .iter()
            .filter(|r| matches!(r.fate, RevisionFate::Kept(_)))
            .flat_map(|r| r.principles.clone())
            .collect();
        let origin = Origin {
            principles: distinct(revised),
            round: response.round,
            model: &response.model,
            judge: critic_of(self.transcript),
            mark: String::new(),
            replies: [Some(last), None],
        };
        let own = chat_values(&self.asked, text);
        self.push(Config::Sft, own, &origin);
    }

    fn prompt(&mut self) {
        let own = vec![
            Value::Messages(self.prompt_alone()),
            Value::Text(format!("amend/{}", self.context.constitution.id)),
            Value::Text("alignment".into()),
            Value::Struct(vec![Value::Text("model".into()), Value::Text(String::new())]),
            Value::Struct(vec![Value::Text(self.passport.split.to_owned()), Value::Int(self.passport.index)]),
        ];
        let model = self.transcript.draft().map_or("", |d| &d.model);
        let origin = Origin {
            principles: Vec::new(),
            round: 0,
            model,
            judge: None,
            mark: String::new(),
            replies: [None; 2],
        };
        self.push(Config::Prompts, own, &origin);
    }
}

/// `[messages, prompt, completion]` of a reply.
pub(super) fn chat_values(asked: &Arc<[Message]>, reply: String) -> Vec<Value> {
    vec![
        Value::Messages(Chat::new(asked, vec![Message::assistant(reply.clone())])),
        Value::Messages(Chat::new(asked, Vec::new())),
        Value::Messages(Chat::reply(reply)),
    ]
}

pub(super) fn critic_of(transcript: &Transcript) -> Option<&str> {
    transcript.critiques.iter().map(|c| c.model.as_str()).find(|m| !m.is_empty()).or_else(|| {
        transcript
            .models
            .iter()
            .find(|(role, _)| *role == crate::pure::call::Role::Critic)
            .map(|(_, m)| m.as_str())
    })
}

pub(super) fn distinct(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids.dedup();
    ids
}
