//! From a transcript to rows.
//!
//! Every text passes the gates once more before it becomes a row; what a gate objects to is a [`Drop`] with its
//! reason, never a silent gap. `latency_ms` is not a column: measured times would make two exports of one run differ.

use super::pairs::{Judged, Pair, judge, objections, subject};
use super::schema::{Config, Row, Value};
use crate::constitution::Constitution;
use crate::dataset::gates::{Candidate, Code, Verdict as Gate, check_pair, check_response};
use crate::digest::Parts;
use crate::prompt::{GivenLabel, Message, Speaker};
use crate::recipe::{Export, Gates, SoftLabels, is_simulated};
use crate::transcript::{Critique, Ended, Response, Revision, RevisionFate, Transcript, Verdict};

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
    /// What is written.
    pub export: &'a Export,
    /// What may become a row.
    pub gates: &'a Gates,
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

/// A row that could have been and is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Drop {
    /// The config it would have been in; for pairs always [`Config::Preference`].
    pub config: Config,
    /// The reason code.
    pub reason: &'static str,
}

/// The rows of one transcript in the configs asked for, in a fixed order, and what was dropped.
pub fn rows_of(
    transcript: &Transcript,
    context: &Context<'_>,
    passport: &Passport<'_>,
    configs: &[Config],
) -> (Vec<Row>, Vec<Drop>) {
    let mut maker = Maker { transcript, context, passport, rows: Vec::new(), drops: Vec::new() };
    if matches!(transcript.ended, Ended::NoDraft(_)) || transcript.responses.is_empty() {
        return (maker.rows, maker.drops);
    }
    let texts = maker.clean_texts();
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

/// Why a transcript gives no row: no final response for `sft`, or, where responses were only compared, no pair for
/// `preference`; `None` when it gives one. What an engine counts as rows and rejects is decided here, by the same rules as
/// an export; only what depends on the other rows (repeats, boilerplate) is not.
pub fn why_no_row(transcript: &Transcript, context: &Context<'_>) -> Option<String> {
    if let Ended::NoDraft(reason) = &transcript.ended {
        return Some(reason.clone());
    }
    let passport = Passport { family: "", split: "", language: "", index: 0 };
    let config = if transcript.ended == Ended::Labelled { Config::Preference } else { Config::Sft };
    let (rows, drops) = rows_of(transcript, context, &passport, &[config]);
    if !rows.is_empty() {
        return None;
    }
    Some(drops.first().map_or("empty", |drop| drop.reason).to_owned())
}

/// What a row says about itself besides its own columns.
struct Origin<'a> {
    principles: Vec<String>,
    round: u32,
    model: &'a str,
    judge: Option<&'a str>,
    /// What tells this row from others of its prompt.
    mark: String,
}

struct Maker<'a> {
    transcript: &'a Transcript,
    context: &'a Context<'a>,
    passport: &'a Passport<'a>,
    rows: Vec<Row>,
    drops: Vec<Drop>,
}

impl<'a> Maker<'a> {
    /// The responses as they may be used: repaired, or `Err` with the gate's reason.
    fn clean_texts(&self) -> Vec<Result<String, &'static str>> {
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
            };
            match check_response(&candidate, self.context.gates) {
                Gate::Pass => Ok(response.text.trim().to_owned()),
                // What somebody else wrote was compared as it is, and stays so.
                Gate::Repair { .. } if !self.transcript.prompt.given.is_empty() => {
                    Ok(response.text.trim().to_owned())
                }
                Gate::Repair { text, .. } => Ok(text),
                Gate::Retry(code) | Gate::Reject(code) => Err(code.as_str()),
            }
        };
        self.transcript.responses.iter().enumerate().map(clean).collect()
    }

    fn drop(&mut self, config: Config, reason: &'static str) {
        self.drops.push(Drop { config, reason });
    }

    /// Adds a row: its own values, then the passport.
    fn push(&mut self, config: Config, own: Vec<Value>, origin: &Origin<'_>) {
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
        self.rows.push(Row { config, values });
    }

    fn sft(&mut self, texts: &[Result<String, &'static str>]) {
        let last = self.transcript.last;
        let text = match texts.get(last) {
            Some(Ok(text)) => text.clone(),
            Some(Err(reason)) => return self.drop(Config::Sft, reason),
            None => return self.drop(Config::Sft, "empty"),
        };
        let compared = self.transcript.comparisons.iter().any(|comparison| comparison.p.is_some());
        if self.transcript.ended == Ended::Labelled && !compared {
            // Nobody knows which of the responses is the best.
            return self.drop(Config::Sft, "undecided");
        }
        let unresolved = objections(self.transcript, last);
        if !unresolved.is_empty() && !self.context.export.keep_unresolved {
            return self.drop(Config::Sft, "unresolved");
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
        };
        let own = chat_values(&self.transcript.prompt.messages, text);
        self.push(Config::Sft, own, &origin);
    }

    /// The pairs that pass the gates, swapped or repeated as the soft labels ask.
    fn pairs(&mut self, texts: &[Result<String, &'static str>]) -> Vec<(Pair, u32)> {
        let Judged { pairs, dropped } = judge(
            self.transcript,
            self.context.constitution,
            self.context.export.pairs,
            self.context.gates.confirm,
        );
        for reason in dropped {
            self.drop(Config::Preference, reason);
        }
        let mut kept = Vec::new();
        for pair in pairs {
            let objection = match (texts.get(pair.chosen), texts.get(pair.rejected)) {
                (Some(Ok(chosen)), Some(Ok(rejected))) => {
                    check_pair(chosen, rejected, self.context.gates).objection().map(Code::as_str)
                }
                (Some(Err(reason)), _) | (_, Some(Err(reason))) => Some(*reason),
                (None, _) | (_, None) => Some("empty"),
            };
            if let Some(reason) = objection {
                self.drop(Config::Preference, reason);
                continue;
            }
            let copies = soften(
                &pair,
                self.context.export.soft_labels,
                self.context.seed,
                &self.transcript.prompt.id.0,
            );
            kept.extend(copies.into_iter().zip(0..));
        }
        kept
    }

    fn pair_rows(&mut self, config: Config, pairs: &[(Pair, u32)], texts: &[Result<String, &'static str>]) {
        let messages = &self.transcript.prompt.messages;
        let flat = flatten(messages);
        let mut labelled = Vec::new();
        for (pair, copy) in pairs {
            let (Some(Ok(chosen)), Some(Ok(rejected))) = (texts.get(pair.chosen), texts.get(pair.rejected))
            else {
                continue;
            };
            let (good, bad) = pair.scores();
            let reply = |text: &str| Value::Messages(vec![Message::assistant(text)]);
            let conversation =
                |text: &str| Value::Messages([messages.as_slice(), &[Message::assistant(text)]].concat());
            let prompt = Value::Messages(messages.clone());
            let own = match config {
                Config::Preference => {
                    vec![prompt, reply(chosen), reply(rejected), reply(chosen), reply(rejected)]
                }
                Config::PreferenceImplicit => vec![conversation(chosen), conversation(rejected)],
                Config::PreferenceFlat => {
                    let Some((system, user)) = &flat else {
                        self.drop(config, "multi-turn");
                        continue;
                    };
                    [system, user, user, chosen, rejected].map(|text| Value::Text(text.clone())).to_vec()
                }
                Config::Reward => vec![prompt, reply(chosen), reply(rejected), Value::Float(good - bad)],
                Config::Kto | Config::KtoFlat => {
                    for (text, k, label, score) in
                        [(chosen, pair.chosen, true, good), (rejected, pair.rejected, false, bad)]
                    {
                        if labelled.contains(&(k, label))
                            && self.context.export.soft_labels == SoftLabels::Hard
                        {
                            continue;
                        }
                        labelled.push((k, label));
                        self.labelled(config, pair, *copy, (text, label, score));
                    }
                    continue;
                }
                Config::Sft
                | Config::Critique
                | Config::Classifier
                | Config::Prompts
                | Config::Transcripts => continue,
            };
            let judged = [
                Value::Float(good),
                Value::Float(bad),
                Value::Float(pair.p),
                pair.p_raw.map_or(Value::Null, Value::Float),
                Value::Text(pair.source.clone()),
                Value::text(self.given_label(pair.chosen)),
            ];
            let scored =
                matches!(config, Config::Preference | Config::PreferenceImplicit | Config::PreferenceFlat);
            let own = own.into_iter().chain(judged.into_iter().filter(|_| scored)).collect();
            let origin =
                self.origin_of(pair, pair.chosen, format!("{}>{}#{copy}", pair.chosen, pair.rejected));
            self.push(config, own, &origin);
        }
    }

    /// What the input said of a response that it brought along.
    fn given_label(&self, k: usize) -> Option<&'static str> {
        self.transcript.prompt.given.get(k).and_then(|given| given.label).map(GivenLabel::as_str)
    }

    fn labelled(&mut self, config: Config, pair: &Pair, copy: u32, (text, label, score): (&str, bool, f64)) {
        let messages = &self.transcript.prompt.messages;
        let k = if label { pair.chosen } else { pair.rejected };
        let own = if config == Config::Kto {
            let mut own = chat_values(messages, text.to_owned());
            let whole = own.remove(0);
            own.extend([Value::Bool(label), whole, Value::Float(score)]);
            own
        } else if let Some((system, user)) = flatten(messages) {
            vec![
                Value::Text(system),
                Value::Text(user),
                Value::Text(text.to_owned()),
                Value::Bool(label),
                Value::Float(score),
            ]
        } else {
            return self.drop(config, "multi-turn");
        };
        let mark = format!("{k}{label}:{}>{}#{copy}", pair.chosen, pair.rejected);
        let origin = self.origin_of(pair, k, mark);
        self.push(config, own, &origin);
    }

    fn origin_of<'p>(&self, pair: &'p Pair, k: usize, mark: String) -> Origin<'p>
    where
        'a: 'p,
    {
        let response = self.transcript.responses.get(k);
        Origin {
            principles: distinct(pair.principles.clone()),
            round: response.map_or(0, |r| r.round),
            model: response.map_or("", |r| &r.model),
            judge: pair.judge.as_deref(),
            mark,
        }
    }

    fn critiques(&mut self) {
        for (at, critique) in self.transcript.critiques.iter().enumerate() {
            let Some(text) = criticised(self.transcript, critique) else { continue };
            if critique.verdict == Verdict::Undecided {
                self.drop(Config::Critique, "undecided");
                continue;
            }
            if critique.text.trim().is_empty() || text.trim().is_empty() {
                self.drop(Config::Critique, "empty");
                continue;
            }
            let principle = self.context.constitution.principles.iter().find(|p| p.id == critique.principle);
            let Some(principle) = principle else {
                self.drop(Config::Critique, "unknown-principle");
                continue;
            };
            let rule = format!("Principle: {}", principle.text);
            let request = principle
                .critique
                .as_deref()
                .unwrap_or("Say how your last response keeps or breaks this principle.");
            let ask = format!(
                "{request}\n\n{rule}\n\nClose with one line: Verdict: violates, conforms or not-applicable."
            );
            let mut prompt = self.transcript.prompt.messages.clone();
            prompt.extend([Message::assistant(text), Message::user(ask)]);
            let answer = format!("{}\n\nVerdict: {}", critique.text.trim(), critique.verdict.as_str());
            let own = chat_values(&prompt, answer);
            let origin = self.origin_of_critique(critique, at);
            self.push(Config::Critique, own, &origin);
        }
    }

    fn origin_of_critique<'p>(&self, critique: &'p Critique, at: usize) -> Origin<'p>
    where
        'a: 'p,
    {
        Origin {
            principles: vec![critique.principle.clone()],
            round: critique.round,
            model: if critique.model.is_empty() {
                critic_of(self.transcript).unwrap_or("")
            } else {
                &critique.model
            },
            judge: None,
            mark: at.to_string(),
        }
    }

    /// A response is unsafe when a principle that guards against hazards objects, and safe when every such principle
    /// that was asked about it had none. Unknown is neither.
    fn classifier(&mut self, texts: &[Result<String, &'static str>]) {
        let guards = |id: &str| {
            let principles = &self.context.constitution.principles;
            let any = principles.iter().any(|p| !p.hazards.is_empty());
            !any || principles.iter().any(|p| p.id == id && !p.hazards.is_empty())
        };
        for (k, text) in texts.iter().enumerate() {
            let Some(response) = self.transcript.responses.get(k) else { continue };
            let text = match text {
                Ok(text) => text,
                Err(reason) => {
                    self.drop(Config::Classifier, reason);
                    continue;
                }
            };
            let verdicts: Vec<(&str, Verdict)> = self
                .transcript
                .critiques
                .iter()
                .filter(|c| subject(self.transcript, c) == Some(k) && guards(&c.principle))
                .map(|c| (c.principle.as_str(), c.verdict))
                .collect();
            let objects = verdicts.iter().any(|(_, v)| *v == Verdict::Violates);
            if verdicts.is_empty() || !objects && verdicts.iter().any(|(_, v)| *v == Verdict::Undecided) {
                self.drop(Config::Classifier, "undecided");
                continue;
            }
            let prompt = as_text(&self.transcript.prompt.messages);
            let own = vec![
                Value::Text(format!("{prompt}\n\nAssistant: {text}")),
                Value::Text(prompt),
                Value::Text(text.clone()),
                Value::Int(i64::from(objects)),
            ];
            let speaking = verdicts.iter().filter(|(_, v)| !objects || *v == Verdict::Violates);
            let origin = Origin {
                principles: distinct(speaking.map(|(id, _)| (*id).to_owned()).collect()),
                round: response.round,
                model: &response.model,
                judge: critic_of(self.transcript),
                mark: k.to_string(),
            };
            self.push(Config::Classifier, own, &origin);
        }
    }

    fn prompt(&mut self) {
        let own = vec![
            Value::Messages(self.transcript.prompt.messages.clone()),
            Value::Text(format!("amend/{}", self.context.constitution.id)),
            Value::Text("alignment".into()),
            Value::Struct(vec![Value::Text("model".into()), Value::Text(String::new())]),
            Value::Struct(vec![Value::Text(self.passport.split.to_owned()), Value::Int(self.passport.index)]),
        ];
        let model = self.transcript.draft().map_or("", |d| &d.model);
        let origin = Origin { principles: Vec::new(), round: 0, model, judge: None, mark: String::new() };
        self.push(Config::Prompts, own, &origin);
    }

    /// One row per critique: what was criticised, what was said, and what came of it. Where nothing was criticised, one
    /// per revision; where nothing was revised either, the response.
    fn audit(&mut self) {
        let transcript = self.transcript;
        for (at, critique) in transcript.critiques.iter().enumerate() {
            let Some(text) = criticised(transcript, critique) else { continue };
            let answers = |r: &&Revision| {
                !critique.recheck
                    && r.round == critique.round
                    && r.from == critique.response
                    && r.principles.contains(&critique.principle)
            };
            let revision = transcript.revisions.iter().rev().find(answers);
            let own = self.audited(text, Some(critique), revision, critique.tokens);
            let origin = self.origin_of_critique(critique, at);
            self.push(Config::Transcripts, own, &origin);
        }
        if !transcript.critiques.is_empty() {
            return;
        }
        let unjudged = |principles: Vec<String>, response: &'a Response, mark: String| {
            let (round, model) = (response.round, response.model.as_str());
            Origin { principles, round, model, judge: None, mark }
        };
        for (at, revision) in transcript.revisions.iter().enumerate() {
            let Some(from) = transcript.responses.get(revision.from) else { continue };
            let own = self.audited(&from.text, None, Some(revision), from.tokens);
            let origin = unjudged(revision.principles.clone(), from, format!("revision {at}"));
            self.push(Config::Transcripts, own, &Origin { round: revision.round, ..origin });
        }
        if let Some(last) = transcript.final_response().filter(|_| transcript.revisions.is_empty()) {
            let own = self.audited(&last.text, None, None, last.tokens);
            self.push(Config::Transcripts, own, &unjudged(Vec::new(), last, "none".into()));
        }
    }

    /// The columns of a row of `transcripts`.
    fn audited(
        &self,
        response: &str,
        critique: Option<&Critique>,
        revision: Option<&Revision>,
        tokens: u64,
    ) -> Vec<Value> {
        vec![
            Value::Messages(self.transcript.prompt.messages.clone()),
            Value::Text(response.to_owned()),
            Value::text(critique.map(|critique| critique.text.clone())),
            Value::text(revision.map(|revision| revision.text.clone())),
            Value::text(critique.map(|critique| critique.verdict.as_str())),
            Value::text(revision.map(|revision| fate_of(&revision.fate))),
            Value::Text(name_of(&self.transcript.ended)),
            Value::Int(tokens.cast_signed()),
        ]
    }
}

/// `[messages, prompt, completion]` of a reply.
fn chat_values(prompt: &[Message], reply: String) -> Vec<Value> {
    let completion = vec![Message::assistant(reply)];
    vec![
        Value::Messages([prompt, &completion].concat()),
        Value::Messages(prompt.to_vec()),
        Value::Messages(completion),
    ]
}

/// System and user text of a single-turn prompt.
fn flatten(messages: &[Message]) -> Option<(String, String)> {
    match messages {
        [user] if user.role == Speaker::User => Some((String::new(), user.content.clone())),
        [system, user] if system.role == Speaker::System && user.role == Speaker::User => {
            Some((system.content.clone(), user.content.clone()))
        }
        [] | [_, ..] => None,
    }
}

/// A conversation as plain text. A single turn stands as it is.
fn as_text(messages: &[Message]) -> String {
    if let [only] = messages {
        return only.content.clone();
    }
    let name = |role: Speaker| match role {
        Speaker::System => "System",
        Speaker::User => "User",
        Speaker::Assistant => "Assistant",
    };
    messages.iter().map(|m| format!("{}: {}", name(m.role), m.content)).collect::<Vec<_>>().join("\n\n")
}

fn criticised<'t>(transcript: &'t Transcript, critique: &Critique) -> Option<&'t str> {
    match critique.revision {
        Some(at) => transcript.revisions.get(at).map(|r| r.text.as_str()),
        None => transcript.responses.get(critique.response).map(|r| r.text.as_str()),
    }
}

fn critic_of(transcript: &Transcript) -> Option<&str> {
    transcript.critiques.iter().map(|c| c.model.as_str()).find(|m| !m.is_empty()).or_else(|| {
        transcript
            .models
            .iter()
            .find(|(role, _)| *role == crate::model::Role::Critic)
            .map(|(_, m)| m.as_str())
    })
}

fn distinct(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids.dedup();
    ids
}

fn fate_of(fate: &RevisionFate) -> String {
    match fate {
        RevisionFate::Kept(_) => "kept".into(),
        RevisionFate::RolledBack(ids) => format!("rolled-back: {}", ids.join(", ")),
        RevisionFate::Rejected(reason) => format!("rejected: {reason}"),
        RevisionFate::Unchanged => "unchanged".into(),
    }
}

fn name_of(ended: &Ended) -> String {
    match ended {
        Ended::Conforms => "conforms".into(),
        Ended::Undecided => "undecided".into(),
        Ended::Rounds => "rounds".into(),
        Ended::Oscillation => "oscillation".into(),
        Ended::RolledBack => "rolled-back".into(),
        Ended::RevisionFailed(reason) => format!("revision-failed: {reason}"),
        Ended::Labelled => "labelled".into(),
        Ended::NoDraft(reason) => format!("no-draft: {reason}"),
    }
}

/// The copies of a pair that the soft labels ask for, each either way round.
fn soften(pair: &Pair, labels: SoftLabels, seed: u64, prompt_id: &str) -> Vec<Pair> {
    let swapped = || Pair {
        chosen: pair.rejected,
        rejected: pair.chosen,
        p: 1.0 - pair.p,
        p_raw: pair.p_raw.map(|p| 1.0 - p),
        ..pair.clone()
    };
    match labels {
        SoftLabels::Hard => vec![pair.clone()],
        SoftLabels::Sample => {
            let draw = Parts::new("soft-label")
                .with_u64(seed)
                .with(prompt_id)
                .with_u64(pair.chosen as u64)
                .with_u64(pair.rejected as u64)
                .unit();
            vec![if draw < pair.p { pair.clone() } else { swapped() }]
        }
        SoftLabels::Expand(copies) => {
            let right = (f64::from(copies) * pair.p).round();
            (0..copies).map(|k| if f64::from(k) < right { pair.clone() } else { swapped() }).collect()
        }
    }
}
