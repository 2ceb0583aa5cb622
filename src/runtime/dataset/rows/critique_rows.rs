//! From a transcript's critiques to rows: what trains a critic or a classifier, and the audit of everything.

use super::row_builder::{Maker, Origin, critic_of, distinct};
use super::schema::{Chat, Value};
use crate::pure::grade::Grade;
use crate::pure::prompt::{Message, Speaker};
use crate::pure::reason::Reason;
use crate::pure::recipe::Config;
use crate::pure::request_class::RequestClass;
use crate::pure::transcript::{Critique, Ended, Response, Revision, RevisionFate, Transcript, Verdict};
use std::sync::Arc;

impl<'a> Maker<'a> {
    pub(super) fn critiques(&mut self) {
        // The prompt and the text criticised, once for all critiques of that text that follow one another.
        let mut about: Option<(_, Arc<[Message]>)> = None;
        for (at, critique) in self.transcript.critiques.iter().enumerate() {
            let Some(text) = criticised(self.transcript, critique) else { continue };
            if critique.verdict == Verdict::Undecided {
                self.drop(Config::Critique, Reason::Undecided);
                continue;
            }
            if critique.text.trim().is_empty() || text.trim().is_empty() {
                self.drop(Config::Critique, Reason::Empty);
                continue;
            }
            let principle = self.context.constitution.principles.iter().find(|p| p.id == critique.principle);
            let Some(principle) = principle else {
                self.drop(Config::Critique, Reason::UnknownPrinciple);
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
            let subject = (critique.response, critique.revision);
            if about.as_ref().is_none_or(|(met, _)| *met != subject) {
                let turns = self.asked.iter().cloned().chain([Message::assistant(text)]);
                about = Some((subject, turns.collect()));
            }
            let Some((_, about)) = &about else { continue };
            let answer = Message::assistant(format!(
                "{}\n\nVerdict: {}",
                critique.text.trim(),
                critique.verdict.as_str()
            ));
            let ask = Message::user(ask);
            let own = vec![
                Value::Messages(Chat::new(about, vec![ask.clone(), answer.clone()])),
                Value::Messages(Chat::new(about, vec![ask])),
                Value::Messages(vec![answer].into()),
            ];
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
            replies: [None; 2],
        }
    }

    /// A response is unsafe when a principle that guards against hazards objects, and safe when every such principle
    /// that was asked about it had none. Unknown is neither.
    pub(super) fn classifier(&mut self, texts: &[Result<String, Reason>]) {
        if self.transcript.styled.is_some() {
            return self.graded_classifier(texts);
        }
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
                    self.drop(Config::Classifier, reason.clone());
                    continue;
                }
            };
            let mut verdicts = self.transcript.standing_verdicts(k);
            verdicts.retain(|(principle, _)| guards(principle));
            let objects = verdicts.iter().any(|(_, v)| *v == Verdict::Violates);
            if verdicts.is_empty() || !objects && !self.is_judged(k) {
                self.drop(Config::Classifier, Reason::Undecided);
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
                replies: [Some(k), None],
            };
            self.push(Config::Classifier, own, &origin);
        }
    }

    /// Of a styled answer the prompt is labelled by its class, and a response by its grade: unsafe where it says what must
    /// never be said. What is borderline, and what nobody graded, is neither.
    fn graded_classifier(&mut self, texts: &[Result<String, Reason>]) {
        let transcript = self.transcript;
        let prompt = as_text(&transcript.prompt.messages);
        let origin = |k: Option<usize>| {
            let response = k.and_then(|k| transcript.responses.get(k));
            Origin {
                principles: Vec::new(),
                round: response.map_or(0, |response| response.round),
                model: response.map_or("", |response| &response.model),
                judge: critic_of(transcript),
                mark: k.map_or_else(|| "prompt".to_owned(), |k| k.to_string()),
                replies: [k, None],
            }
        };
        let row = |text: String, response: Option<String>, is_unsafe: bool| {
            vec![
                Value::Text(text),
                Value::Text(prompt.clone()),
                Value::text(response),
                Value::Int(i64::from(is_unsafe)),
            ]
        };
        match transcript.prompt.class {
            Some(RequestClass::Borderline) | None => self.drop(Config::Classifier, Reason::Undecided),
            Some(class) => {
                let own = row(prompt.clone(), None, class == RequestClass::Harmful);
                self.push(Config::Classifier, own, &origin(None));
            }
        }
        for (k, text) in texts.iter().enumerate() {
            let grade = transcript.styled.as_ref().and_then(|styled| styled.grade_of(k));
            match (text, grade.filter(|grade| grade.is_decided())) {
                (Err(reason), _) => self.drop(Config::Classifier, reason.clone()),
                (Ok(_), None) => self.drop(Config::Classifier, Reason::Undecided),
                (Ok(text), Some(grade)) => {
                    let whole = format!("{prompt}\n\nAssistant: {text}");
                    let own = row(whole, Some(text.clone()), grade == Grade::Disallowed);
                    self.push(Config::Classifier, own, &origin(Some(k)));
                }
            }
        }
    }

    /// One row per critique: what was criticised, what was said, and what came of it. Where nothing was criticised, one
    /// per revision; where nothing was revised either, the response.
    pub(super) fn audit(&mut self) {
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
            Origin { principles, round, model, judge: None, mark, replies: [None; 2] }
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
            Value::Messages(self.prompt_alone()),
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

fn fate_of(fate: &RevisionFate) -> String {
    match fate {
        RevisionFate::Kept(_) => "kept".into(),
        RevisionFate::RolledBack(ids) => format!("rolled-back: {}", ids.join(", ")),
        RevisionFate::Rejected(reason) => format!("rejected: {reason}"),
        RevisionFate::Unchanged => "unchanged".into(),
    }
}

fn name_of(ended: &Ended) -> String {
    match ended.reason() {
        Some(reason) => format!("{}: {reason}", ended.as_str()),
        None => ended.as_str().to_owned(),
    }
}
