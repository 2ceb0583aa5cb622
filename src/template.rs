//! Handlebars templates → request texts. Pure; user text is data here and is never compiled.

use crate::constitution::{Constitution, Principle};
use crate::prompt::Message;

/// A template that cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template `{name}`: {message}")]
pub struct TemplateError {
    /// The template's name, such as `critique`.
    pub name: String,
    /// What happened, with line and column where there are any.
    pub message: String,
}

/// A principle that a response violates, with the critique that says so.
#[derive(Debug, Clone, Copy)]
pub struct Objection<'a> {
    /// The principle.
    pub principle: &'a Principle,
    /// The critique.
    pub critique: &'a str,
}

/// Two responses to compare under one principle.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The conversation that both answer.
    pub conversation: &'a [Message],
    /// The response shown as (A).
    pub a: &'a str,
    /// The response shown as (B).
    pub b: &'a str,
}

/// The templates of a run.
#[derive(Debug)]
pub struct Templates {}

impl Templates {
    /// The system turn for all roles, if there is one.
    pub fn system(&self, _constitution: &Constitution) -> Result<Option<String>, TemplateError> {
        Ok(None)
    }

    /// The user turn that asks for a critique of the response before it, and for a verdict.
    pub fn critique(
        &self,
        principle: &Principle,
        _examples: bool,
        _structured: bool,
    ) -> Result<String, TemplateError> {
        Ok(principle.text.clone())
    }

    /// The user turn that asks for a verdict on every principle at once.
    pub fn screen(&self, principles: &[&Principle], _structured: bool) -> Result<String, TemplateError> {
        Ok(principles.iter().map(|p| p.id.as_str()).collect::<Vec<_>>().join("\n"))
    }

    /// The follow-up turn that asks for the verdict alone, after a critique without a readable one.
    pub fn verdict(&self, principle: &Principle, _structured: bool) -> Result<String, TemplateError> {
        Ok(principle.id.clone())
    }

    /// The user turn that asks for a revision, after a critique call and its answer.
    pub fn revision(&self, principle: &Principle, _examples: bool) -> Result<String, TemplateError> {
        Ok(principle.text.clone())
    }

    /// The user turn that asks for one revision that answers every objection.
    pub fn merged_revision(
        &self,
        objections: &[Objection<'_>],
        _examples: bool,
    ) -> Result<String, TemplateError> {
        Ok(objections.iter().map(|o| o.critique).collect::<Vec<_>>().join("\n"))
    }

    /// The user turn that shows a conversation and two responses, and asks which is better under the principle.
    pub fn compare(
        &self,
        pair: Pair<'_>,
        principle: &Principle,
        _reason_first: bool,
    ) -> Result<String, TemplateError> {
        Ok(format!("{}\n{}\n{}", pair.a, pair.b, principle.text))
    }
}
