//! A chat session: the conversation, what is in force, and how a prompt is answered, once and again.
//!
//! What commands do with it is beside it: `edit_commands` (what is asked), `show_commands` (what is shown),
//! `save_commands` (what is saved). Where it is kept is in `session_store`.

use super::screen::Screen;
use super::session_cost::SessionCost;
use super::session_store::SessionStore;
use super::shown_calls::{CallLedger, ShownCalls};
use super::summary;
use crate::faces::cli::Failure;
use crate::faces::cli::failure::stopped;
use crate::faces::cli::style::plural;
use crate::pure::ask::Stop;
use crate::pure::call::Role;
use crate::pure::constitution::Constitution;
use crate::pure::method::critique_revision;
use crate::pure::prompt::{Message, Prompt};
use crate::pure::recipe::Recipe;
use crate::pure::recipe::RoleModels;
use crate::pure::text::printable;
use crate::pure::transcript::Transcript;
use crate::runtime::project::{Project, SessionEntry, SessionTurn, models};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Seconds that a person waits at most for a model that is away.
const LONGEST_OUTAGE_S: f64 = 15.0;

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
    pub(super) store: SessionStore,
    ledger: CallLedger,
    /// Why the last answer broke off.
    broken: Option<Stop>,
}

impl Session {
    /// A session over a recipe and what it names. What its store holds already is gone on with.
    pub(super) fn new(mut project: Project, screen: Screen, store: SessionStore) -> Result<Self, Failure> {
        let limits = &mut project.recipe.limits;
        limits.outage_s = limits.outage_s.min(LONGEST_OUTAGE_S);
        Ok(Self {
            models: models::resolve(&project.recipe)?,
            project,
            screen: Arc::new(screen),
            off: BTreeSet::new(),
            earlier: Vec::new(),
            last: None,
            store,
            ledger: CallLedger::default(),
            broken: None,
        })
    }

    /// Opens the store, and takes up the conversation that it holds.
    pub(super) fn resume(&mut self) -> Result<(), Failure> {
        self.store.open(&self.project, &self.models, &self.screen)?;
        let turns = self.store.turns()?;
        let known = self.principle_ids();
        if let Some(answer) = turns.iter().rev().find_map(|turn| turn.answer.as_ref()) {
            self.off = answer.off.iter().filter(|id| known.contains(id)).cloned().collect();
        }
        let in_force = Arc::new(self.constitution_in_force());
        let mut exchanges: Vec<Exchange> =
            turns.into_iter().map(|turn| Exchange::of(turn, &in_force)).collect();
        self.last = exchanges.pop();
        self.earlier = exchanges;
        Ok(())
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
            printable(&self.models.of(Role::Generator).model),
            recipe.method.schedule.as_str(),
            plural(recipe.method.rounds as usize, "round")
        )
    }

    /// What the session has used.
    pub(super) fn spent(&self) -> SessionCost {
        self.ledger.cost()
    }

    /// The constitution without the principles that are switched off.
    pub(super) fn constitution_in_force(&self) -> Constitution {
        let mut constitution = self.project.constitution.clone();
        constitution.principles.retain(|principle| !self.off.contains(&principle.id));
        constitution
    }

    /// Takes on a recipe, if the models that it names can be asked.
    pub(super) fn adopt(&mut self, recipe: Recipe) -> Result<(), Failure> {
        let models = models::resolve(&recipe)?;
        let old = std::mem::replace(&mut self.project.recipe, recipe);
        let Recipe { limits, sim, .. } = &self.project.recipe;
        if models == self.models && (limits, sim) == (&old.limits, &old.sim) {
            return Ok(());
        }
        if let Err(failure) = self.store.change_models(&self.project, &models, &self.screen) {
            self.project.recipe = old;
            return Err(failure);
        }
        self.models = models;
        Ok(())
    }

    /// Forgets the conversation. Its answers stay known.
    pub(super) fn forget(&mut self) -> Result<(), Failure> {
        self.earlier.clear();
        self.last = None;
        self.store.append(&SessionEntry::New)
    }

    /// Keeps what the person thinks of the last answer.
    pub(super) fn keep_rating(&self) -> Result<(), Failure> {
        let Some(Exchange { accepted, rating, .. }) = &self.last else { return Ok(()) };
        self.store.append(&SessionEntry::Rated { accepted: *accepted, rating: rating.clone() })
    }

    /// Answers a new prompt, as the next turn of the conversation.
    pub(super) async fn answer(&mut self, text: &str) -> Result<(), Failure> {
        self.store.open(&self.project, &self.models, &self.screen)?;
        let mut messages = self.settle();
        messages.push(Message::user(text));
        self.ledger.turn_page();
        let prompt = Prompt::new(messages, None, None);
        self.store.append(&SessionEntry::Asked { prompt: prompt.clone() })?;
        self.last = Some(Exchange {
            prompt,
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
        let (Some(exchange), Some(memo)) = (&self.last, self.store.memo()) else {
            self.screen.line("there is no prompt to answer yet");
            return Ok(());
        };
        self.store.keep_settings(&self.project)?;
        let made_with = Arc::new(self.constitution_in_force());
        let mut context = self.project.context_of(Constitution::clone(&made_with), &self.models)?;
        context.settings.rounds += exchange.more_rounds;
        self.broken = None;
        let before = self.spent();
        let shown = ShownCalls::new(memo, &self.screen, &self.ledger);
        let made = tokio::select! {
            made = critique_revision(&shown, &context, &exchange.prompt) => made,
            _ = tokio::signal::ctrl_c() => Err(Stop::Interrupted),
        };
        self.screen.rests();
        match made {
            Ok(transcript) => {
                self.take_answer(transcript, made_with);
                let kept = self.keep_answer();
                self.show_end(&before);
                kept?;
            }
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

    fn keep_answer(&self) -> Result<(), Failure> {
        let Some(Exchange { transcript: Some(transcript), more_rounds, .. }) = &self.last else {
            return Ok(());
        };
        self.store.append(&SessionEntry::Answered {
            transcript: Box::new(transcript.clone()),
            constitution: self.store.keep_constitution(&self.project.constitution)?,
            off: self.off.clone(),
            more_rounds: *more_rounds,
        })
    }

    /// The last exchange has another answer. What was said of the one before was said of its text.
    fn take_answer(&mut self, transcript: Transcript, made_with: Arc<Constitution>) {
        let Some(exchange) = &mut self.last else { return };
        exchange.before = exchange.transcript.replace(transcript);
        exchange.made_with = made_with;
        if !exchange.is_same_response() {
            (exchange.accepted, exchange.rating) = (false, None);
        }
    }

    fn show_end(&self, before: &SessionCost) {
        let (screen, style) = (&self.screen, self.screen.style());
        let Some(exchange @ Exchange { transcript: Some(transcript), before: old, .. }) = &self.last else {
            return;
        };
        if let (Some(draft), Some(last)) = (transcript.draft(), transcript.final_response())
            && draft.text != last.text
            && !exchange.is_same_response()
        {
            screen.difference("changed from the draft", &draft.text, &last.text);
        }
        if let Some(old) = old {
            screen.line(&style.strong("since the answer before"));
            for line in summary::compared(old, transcript) {
                screen.tell(&line);
            }
        }
        for line in summary::fates(transcript) {
            screen.say(&line);
        }
        screen.say(&summary::outcome(transcript, style));
        let spent = self.ledger.cost().since(before);
        screen.say(&style.faint(&summary::took(&spent, &self.project.recipe.models)));
    }
}

impl Exchange {
    /// An exchange as it was left. What was never answered is taken to be of the constitution in force.
    fn of(turn: SessionTurn, in_force: &Arc<Constitution>) -> Self {
        let SessionTurn { prompt, answer, accepted, rating } = turn;
        let made_with =
            answer.as_ref().map_or_else(|| Arc::clone(in_force), |answer| Arc::new(answer.made_with.clone()));
        let more_rounds = answer.as_ref().map_or(0, |answer| answer.more_rounds);
        let transcript = answer.map(|answer| answer.transcript);
        Self { prompt, transcript, before: None, made_with, more_rounds, accepted, rating }
    }

    /// Whether the final response is that of the answer before.
    fn is_same_response(&self) -> bool {
        let (Some(old), Some(new)) = (&self.before, &self.transcript) else { return false };
        let text = |of: &'_ Transcript| of.final_response().map(|response| response.text.clone());
        text(old) == text(new)
    }
}
