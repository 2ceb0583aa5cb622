//! From a transcript's pairs to rows: the configs of preferences, of margins and of single labelled replies.

use super::row_builder::{Maker, Origin, chat_values, distinct};
use super::schema::{Chat, Value};
use crate::pure::digest::Parts;
use crate::pure::gates::{artefacts, check_pair};
use crate::pure::pairing::{Judged, Pair, judge};
use crate::pure::prompt::{GivenLabel, Message, Speaker};
use crate::pure::reason::Reason;
use crate::pure::recipe::Config;
use crate::pure::recipe::SoftLabels;
use crate::pure::transcript::Ended;
use std::sync::Arc;

impl<'a> Maker<'a> {
    /// The pairs that pass the gates, swapped or repeated as the soft labels ask.
    pub(super) fn pairs(&mut self, texts: &[Result<String, Reason>]) -> Vec<(Pair, u32)> {
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
        let is_compared_only = self.transcript.ended == Ended::Labelled;
        for pair in pairs {
            // A judge may prefer a response that no critic could be asked about; that does not make it a good one.
            if !is_compared_only && !self.is_judged(pair.chosen) {
                self.drop(Config::Preference, Reason::Undecided);
                continue;
            }
            let objection = match (texts.get(pair.chosen), texts.get(pair.rejected)) {
                (Some(Ok(chosen)), Some(Ok(rejected))) => check_pair(chosen, rejected, self.context.gates)
                    .objection()
                    .or_else(|| if is_compared_only { self.artefact_of(chosen) } else { None }),
                (Some(Err(reason)), _) | (_, Some(Err(reason))) => Some(reason.clone()),
                (None, _) | (_, None) => Some(Reason::Empty),
            };
            if let Some(reason) = objection.or_else(|| self.teaches_boilerplate(&pair, texts)) {
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

    /// The first artefact of a response that no gate saw when it was made: anybody's pairs are labelled as they come.
    fn artefact_of(&self, chosen: &str) -> Option<Reason> {
        artefacts(chosen).into_iter().find(|code| self.context.gates.runs(code))
    }

    /// Whether the pair is one of those that would teach a phrase too often; which of them it is, is drawn.
    fn teaches_boilerplate(&self, pair: &Pair, texts: &[Result<String, Reason>]) -> Option<Reason> {
        let text = |k: usize| texts.get(k)?.as_deref().ok();
        let kept = self.context.boilerplate.share_kept(text(pair.chosen)?, text(pair.rejected)?);
        let draw = Parts::new("boilerplate")
            .with_u64(self.context.seed)
            .with(&self.transcript.prompt.id.0)
            .with_u64(pair.chosen as u64)
            .with_u64(pair.rejected as u64)
            .unit();
        (draw >= kept).then_some(Reason::BoilerplatePhrase)
    }

    pub(super) fn pair_rows(
        &mut self,
        config: Config,
        pairs: &[(Pair, u32)],
        texts: &[Result<String, Reason>],
    ) {
        let asked = Arc::clone(&self.asked);
        let flat = flatten(&asked);
        let mut labelled = Vec::new();
        for (pair, copy) in pairs {
            let (Some(Ok(chosen)), Some(Ok(rejected))) = (texts.get(pair.chosen), texts.get(pair.rejected))
            else {
                continue;
            };
            let (good, bad) = pair.scores();
            let reply = |text: &str| Value::Messages(Chat::reply(text));
            let conversation =
                |text: &str| Value::Messages(Chat::new(&asked, vec![Message::assistant(text)]));
            let prompt = Value::Messages(self.prompt_alone());
            let own = match config {
                Config::Preference => {
                    vec![prompt, reply(chosen), reply(rejected), reply(chosen), reply(rejected)]
                }
                Config::PreferenceImplicit => vec![conversation(chosen), conversation(rejected)],
                Config::PreferenceFlat => {
                    let Some((system, user)) = &flat else {
                        self.drop(config, Reason::MultiTurn);
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
                Value::Text(pair.source.as_str().to_owned()),
                Value::text(self.given_label(pair.chosen)),
            ];
            let scored =
                matches!(config, Config::Preference | Config::PreferenceImplicit | Config::PreferenceFlat);
            let own = own.into_iter().chain(judged.into_iter().filter(|_| scored)).collect();
            let mark = format!("{}>{}#{copy}", pair.chosen, pair.rejected);
            let origin = self.origin_of(pair, [Some(pair.chosen), Some(pair.rejected)], mark);
            self.push(config, own, &origin);
        }
    }

    /// What the input said of a response that it brought along.
    fn given_label(&self, k: usize) -> Option<&'static str> {
        self.transcript.prompt.given.get(k).and_then(|given| given.label).map(GivenLabel::as_str)
    }

    fn labelled(&mut self, config: Config, pair: &Pair, copy: u32, (text, label, score): (&str, bool, f64)) {
        let k = if label { pair.chosen } else { pair.rejected };
        let own = if config == Config::Kto {
            let mut own = chat_values(&self.asked, text.to_owned());
            let whole = own.remove(0);
            own.extend([Value::Bool(label), whole, Value::Float(score)]);
            own
        } else if let Some((system, user)) = flatten(&self.asked) {
            vec![
                Value::Text(system),
                Value::Text(user),
                Value::Text(text.to_owned()),
                Value::Bool(label),
                Value::Float(score),
            ]
        } else {
            return self.drop(config, Reason::MultiTurn);
        };
        let mark = format!("{k}{label}:{}>{}#{copy}", pair.chosen, pair.rejected);
        let origin = self.origin_of(pair, [Some(k), None], mark);
        self.push(config, own, &origin);
    }

    /// The row is about the first of its replies.
    fn origin_of<'p>(&self, pair: &'p Pair, replies: [Option<usize>; 2], mark: String) -> Origin<'p>
    where
        'a: 'p,
    {
        let response = replies[0].and_then(|k| self.transcript.responses.get(k));
        Origin {
            principles: distinct(pair.principles.clone()),
            round: response.map_or(0, |r| r.round),
            model: response.map_or("", |r| &r.model),
            judge: pair.judge.as_deref(),
            mark,
            replies,
        }
    }
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
