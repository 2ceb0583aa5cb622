//! A chat session: the conversation, what is in force, and how a prompt is answered, once and again.
//!
//! What commands do with it is beside it: `changes` (what is asked), `looks` (what is shown), `notes` (what is saved).

use super::screen::Screen;
use super::session_cost::SessionCost;
use super::streaming_model::{Live, Memory};
use super::summary;
use crate::faces::cli::Failure;
use crate::faces::cli::failure::stopped;
use crate::faces::cli::style::plural;
use crate::pure::ask::Stop;
use crate::pure::constitution::Constitution;
use crate::pure::method::critique_revision;
use crate::pure::prompt::{Message, Prompt};
use crate::pure::recipe::Recipe;
use crate::pure::recipe::RoleModels;
use crate::pure::text::printable;
use crate::pure::transcript::Transcript;
use crate::runtime::model::Client;
use crate::runtime::project::Project;
use crate::runtime::project::Transports;
use crate::runtime::project::models;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// A prompt and what came of it.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) prompt: Prompt,
    pub(super) transcript: Option<Transcript>,
    /// The transcript that was there before the last change.
    pub(super) before: Option<Transcript>,
    /// What the transcript was made with.
    pub(super) made_with: Arc<Constitution>,
    /// Rounds beyond the recipe's.
    pub(super) more_rounds: u32,
    pub(super) accepted: bool,
    pub(super) rating: Option<(u8, String)>,
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) project: Project,
    pub(super) models: RoleModels,
    pub(super) screen: Arc<Screen>,
    /// Ids of the principles that are switched off.
    pub(super) off: BTreeSet<String>,
    /// The exchanges of the conversation before the last.
    pub(super) earlier: Vec<Exchange>,
    pub(super) last: Option<Exchange>,
    client: Client<Transports>,
    memory: Mutex<Memory>,
    /// Why the last answer broke off.
    broken: Option<Stop>,
}

impl Session {
    /// A session over a recipe and what it names.
    pub(super) fn new(project: Project, screen: Screen) -> Result<Self, Failure> {
        let screen = Arc::new(screen);
        Ok(Self {
            models: models::resolve(&project.recipe)?,
            client: client(&project.recipe, &screen),
            project,
            screen,
            off: BTreeSet::new(),
            earlier: Vec::new(),
            last: None,
            memory: Mutex::default(),
            broken: None,
        })
    }

    /// The ids of the principles.
    pub(super) fn principle_ids(&self) -> Vec<String> {
        self.project.constitution.principles.iter().map(|p| p.id.clone()).collect()
    }

    /// The last transcript.
    pub(super) fn transcript(&self) -> Option<&Transcript> {
        self.last.as_ref()?.transcript.as_ref()
    }

    /// Why the last answer broke off, as a failure of the command.
    pub(super) fn stop(&self) -> Option<Failure> {
        self.broken.as_ref().map(stopped)
    }

    /// What is in force, in a sentence.
    pub(super) fn in_force(&self) -> String {
        let Project { recipe, constitution, .. } = &self.project;
        let (all, off) = (constitution.principles.len(), self.off.len());
        let off = if off == 0 { String::new() } else { format!(" ({off} off)") };
        format!(
            "{} {}, {}{off}, model {}, {}, at most {}.",
            printable(&constitution.id),
            printable(&constitution.version),
            plural(all - self.off.len(), "principle"),
            printable(&self.models.generator.model),
            recipe.method.schedule.as_str(),
            plural(recipe.method.rounds as usize, "round")
        )
    }

    /// What the session has used.
    pub(super) fn spent(&self) -> SessionCost {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).spent().clone()
    }

    /// The constitution without the principles that are switched off.
    pub(super) fn constitution_in_force(&self) -> Constitution {
        let mut constitution = self.project.constitution.clone();
        constitution.principles.retain(|principle| !self.off.contains(&principle.id));
        constitution
    }

    /// Takes on a recipe, if the models that it names can be asked.
    pub(super) fn adopt(&mut self, recipe: Recipe) -> Result<(), Failure> {
        self.models = models::resolve(&recipe)?;
        if (&recipe.limits, &recipe.sim) != (&self.project.recipe.limits, &self.project.recipe.sim) {
            self.client = client(&recipe, &self.screen);
        }
        self.project.recipe = recipe;
        Ok(())
    }

    /// Forgets the conversation. Its answers stay known.
    pub(super) fn forget(&mut self) {
        self.earlier.clear();
        self.last = None;
    }

    /// Answers a new prompt, as the next turn of the conversation.
    pub(super) async fn answer(&mut self, text: &str) -> Result<(), Failure> {
        let mut messages = self.settle();
        messages.push(Message::user(text));
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).turn_page();
        self.last = Some(Exchange {
            prompt: Prompt::new(messages, None, None),
            transcript: None,
            before: None,
            made_with: Arc::new(self.constitution_in_force()),
            more_rounds: 0,
            accepted: false,
            rating: None,
        });
        self.again().await
    }

    /// The last exchange becomes part of the conversation, which goes on with the revised answer. A prompt without an
    /// answer is no part of it.
    fn settle(&mut self) -> Vec<Message> {
        let answered = |exchange: &Exchange| exchange.transcript.as_ref()?.final_response().map(|_| ());
        self.earlier.extend(self.last.take().filter(|exchange| answered(exchange).is_some()));
        let Some(exchange) = self.earlier.last() else { return Vec::new() };
        let response = exchange.transcript.as_ref().and_then(Transcript::final_response);
        let mut messages = exchange.prompt.messages.clone();
        messages.extend(response.map(|response| Message::assistant(&response.text)));
        messages
    }

    /// Answers the last prompt with everything as it is set now.
    pub(super) async fn again(&mut self) -> Result<(), Failure> {
        let Some(exchange) = &self.last else {
            self.screen.line("there is no prompt to answer yet");
            return Ok(());
        };
        let made_with = Arc::new(self.constitution_in_force());
        let mut context = self.project.context_of(Constitution::clone(&made_with), &self.models)?;
        context.settings.rounds += exchange.more_rounds;
        self.broken = None;
        let before = self.spent();
        let live =
            Live { client: &self.client, models: &self.models, memory: &self.memory, screen: &self.screen };
        let made = tokio::select! {
            made = critique_revision(&live, &context, &exchange.prompt) => made,
            _ = tokio::signal::ctrl_c() => Err(Stop::Interrupted),
        };
        self.screen.rests();
        match made {
            Ok(transcript) => self.show_end(transcript, made_with, &before),
            Err(stop) => {
                let why = format!("stopped: {}", printable(&stop.to_string()));
                self.screen.say(&self.screen.style().warn(&why));
                let kept = self.spent().since(&before).asked();
                if kept > 0 {
                    self.screen.say(&format!("{kept} answers are kept; /again asks only the rest"));
                }
                self.broken = Some(stop);
            }
        }
        Ok(())
    }

    fn show_end(&mut self, transcript: Transcript, made_with: Arc<Constitution>, before: &SessionCost) {
        let (screen, style) = (&self.screen, self.screen.style());
        let Some(exchange) = &mut self.last else { return };
        let old = exchange.transcript.as_ref();
        let response = |of: &Transcript| of.final_response().map(|response| response.text.clone());
        let is_same = old.is_some_and(|old| response(old) == response(&transcript));
        if let (Some(draft), Some(last)) = (transcript.draft(), transcript.final_response())
            && draft.text != last.text
            && !is_same
        {
            screen.difference("changed from the draft", &draft.text, &last.text);
        }
        if let Some(old) = old {
            screen.line(&style.strong("since the answer before"));
            for line in summary::compared(old, &transcript) {
                screen.tell(&line);
            }
        }
        for line in summary::fates(&transcript) {
            screen.say(&line);
        }
        screen.say(&summary::outcome(&transcript, style));
        let spent = self.memory.lock().unwrap_or_else(PoisonError::into_inner).spent().since(before);
        screen.say(&style.faint(&summary::took(&spent, &self.project.recipe.models)));
        // What was said of the answer before was said of its text.
        if !is_same {
            (exchange.accepted, exchange.rating) = (false, None);
        }
        exchange.before = exchange.transcript.replace(transcript);
        exchange.made_with = made_with;
    }
}

fn client(recipe: &Recipe, screen: &Arc<Screen>) -> Client<Transports> {
    let screen = Arc::clone(screen);
    models::client(recipe, Arc::new(move |retrying| screen.retries(&retrying)))
}
