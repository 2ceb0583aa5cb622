//! What a method works with besides the prompt: the constitution, the templates, the models and the settings of a run.
//!
//! Everything a method asks is built here, so that every call of one prompt begins with the same bytes (law 5) and every
//! choice that looks like chance is a hash of the run's seed, the prompt's id and the step.

use crate::pure::call::{Call, Purpose, ResponseFormat, Role};
use crate::pure::constitution::{Constitution, Principle};
use crate::pure::digest::Parts;
use crate::pure::prompt::{Message, Prompt, Speaker};
use crate::pure::recipe::{Gates, Label, Method, RoleModels, VerdictForm};
use crate::pure::taxonomy::Taxonomy;
use crate::pure::template::{TemplateError, Templates};

/// What the methods of one run share.
#[derive(Debug, Clone)]
pub struct MethodContext {
    /// The principles.
    pub constitution: Constitution,
    /// The texts of requests.
    pub templates: Templates,
    /// The harm taxonomy that says which hazards a principle covers.
    pub taxonomy: Taxonomy,
    /// Who answers.
    pub models: RoleModels,
    /// Schedule, rounds, retries.
    pub settings: Method,
    /// What makes a text unusable as a response.
    pub gates: Gates,
    /// Which responses are compared, and how.
    pub label: Label,
    /// The run's seed.
    pub seed: u64,
    system: Option<String>,
}

impl MethodContext {
    /// The context of a run. The system turn is rendered here, once, so that it is the same in every call.
    pub fn new(
        constitution: Constitution,
        templates: Templates,
        models: RoleModels,
        settings: Method,
        gates: Gates,
        seed: u64,
    ) -> Result<Self, TemplateError> {
        let system = templates.system(&constitution)?;
        let taxonomy = Taxonomy::built_in().clone();
        let label = Label::default();
        Ok(Self { constitution, templates, taxonomy, models, settings, gates, label, seed, system })
    }

    /// The same, with responses compared as `label` says.
    #[must_use]
    pub fn with_label(self, label: Label) -> Self {
        Self { label, ..self }
    }

    /// The principles that apply to a prompt, highest priority first.
    pub fn applicable(&self, prompt: &Prompt) -> Vec<&Principle> {
        self.constitution.principles.iter().filter(|p| p.applies_to(prompt, &self.taxonomy)).collect()
    }

    /// How every conversation about a prompt begins: the system turn, unless the prompt brings its own, and the prompt.
    pub fn opening(&self, prompt: &Prompt) -> Vec<Message> {
        let mut messages = self.system_turn(prompt);
        messages.extend(prompt.messages.iter().cloned());
        messages
    }

    /// A conversation of one user turn that shows all it is about: a comparison, a question.
    pub fn alone(&self, prompt: &Prompt, request: String) -> Vec<Message> {
        let mut messages = self.system_turn(prompt);
        messages.push(Message::user(request));
        messages
    }

    /// The run's system turn, if there is one and the prompt brings none of its own.
    fn system_turn(&self, prompt: &Prompt) -> Vec<Message> {
        let has_own = prompt.messages.first().is_some_and(|turn| turn.role == Speaker::System);
        let system = self.system.iter().filter(|_| !has_own);
        system.map(|text| Message::new(Speaker::System, text)).collect()
    }

    /// A conversation about a response: the opening, the response, and one user turn with the request.
    pub fn about(&self, prompt: &Prompt, response: &str, request: String) -> Vec<Message> {
        let mut messages = self.opening(prompt);
        messages.push(Message::assistant(response));
        messages.push(Message::user(request));
        messages
    }

    /// A conversation about a response, whose system turn has all the principles: what most prompts share comes first.
    pub(super) fn screening(
        &self,
        prompt: &Prompt,
        response: &str,
        principles: &[&Principle],
        structured: bool,
    ) -> Result<Vec<Message>, TemplateError> {
        let request = self.templates.screen_ask()?;
        let mut messages = self.about(prompt, response, request);
        let has_system = messages.first().is_some_and(|turn| turn.role == Speaker::System);
        let told = if has_system { messages.remove(0).content } else { String::new() };
        let policy = self.templates.screen(principles, structured, &told)?;
        messages.insert(0, Message::new(Speaker::System, policy));
        Ok(messages)
    }

    /// A call to the own model of the role that answers such calls.
    pub fn call(&self, prompt: &Prompt, purpose: Purpose, messages: Vec<Message>, draw: u32) -> Call {
        let role = purpose.role();
        let model = self.models.of(role);
        Call {
            prompt_id: prompt.id.clone(),
            role,
            purpose,
            model: model.model.clone(),
            sampling: model.sampling.clone(),
            messages,
            draw,
            seed: self.call_seed(prompt, draw),
            format: None,
            fallback: false,
        }
    }

    /// The same call to the role's fallback, if it has one and the prompt is among those that may use it.
    pub fn fallback(&self, prompt: &Prompt, call: &Call) -> Option<Call> {
        let own = self.models.of(call.role);
        let model = own.fallback.as_deref().filter(|_| !call.fallback)?;
        let drawn = self.chance("fallback", prompt).with(call.role.as_str()).unit() < own.fallback_share;
        let format = call.format.clone().filter(|_| model.structured);
        drawn.then(|| Call {
            model: model.model.clone(),
            sampling: model.sampling.clone(),
            format,
            fallback: true,
            ..call.clone()
        })
    }

    /// How the critic is asked: as the recipe says, else in the form that its model is known to hold to.
    pub fn verdict_form(&self) -> VerdictForm {
        match self.settings.verdict {
            VerdictForm::Auto if self.models.of(Role::Critic).structured => VerdictForm::Json,
            VerdictForm::Auto => VerdictForm::Line,
            form @ (VerdictForm::Line | VerdictForm::Json | VerdictForm::Choice) => form,
        }
    }

    /// The same context, with the critic asked in another form.
    #[must_use]
    pub fn with_verdict_form(&self, form: VerdictForm) -> Self {
        let mut other = self.clone();
        other.settings.verdict = form;
        other
    }

    /// The format to ask of a critic's answer, where it is asked for JSON.
    pub fn critic_format(
        &self,
        name: &str,
        schema: impl FnOnce() -> serde_json::Value,
    ) -> Option<ResponseFormat> {
        (self.verdict_form() == VerdictForm::Json)
            .then(|| ResponseFormat { name: name.into(), schema: schema() })
    }

    /// Principles in the order in which they are drawn by weight without replacement. Those without weight are not drawn,
    /// unless no other is there. Each waits for an exponential time with its weight as rate, and they come in the order
    /// of their times, so that a principle that is edited moves no other.
    pub fn drawn<'p>(&self, prompt: &Prompt, principles: &[&'p Principle], step: &str) -> Vec<&'p Principle> {
        let mut pool: Vec<&Principle> = principles.iter().filter(|p| p.weight > 0.0).copied().collect();
        if pool.is_empty() {
            pool = principles.to_vec();
        }
        let time = |principle: &Principle| {
            let unit = self.chance("principle", prompt).with(step).with(&principle.id).unit();
            -(1.0 - unit).ln() / if principle.weight > 0.0 { principle.weight } else { 1.0 }
        };
        pool.sort_by(|a, b| time(a).total_cmp(&time(b)).then_with(|| a.id.cmp(&b.id)));
        pool
    }

    /// A source of seeded chance about one prompt; add what the draw is about, then take a number.
    pub fn chance(&self, step: &str, prompt: &Prompt) -> Parts {
        Parts::new(step).with_u64(self.seed).with(&prompt.id.0)
    }

    /// Thirty-one bits: some servers take no larger seed.
    fn call_seed(&self, prompt: &Prompt, draw: u32) -> u64 {
        self.chance("seed", prompt).with_u64(draw.into()).uniform() >> 33
    }
}
