//! A chat session: the conversation, the constitution as it is switched and edited, and the last exchange.

use super::command::Command;
use super::live::{Live, Memory, Spent};
use super::notes;
use super::screen::Screen;
use crate::cli::failure::{Kind, stopped};
use crate::cli::inputs::Inputs;
use crate::cli::project::Project;
use crate::cli::show_transcript;
use crate::cli::style::{one_line, printable};
use crate::cli::{Failure, models};
use crate::constitution::Constitution;
use crate::method::{MethodContext, RoleModels, Stop, critique_revision};
use crate::model::{Client, Transports};
use crate::prompt::{Message, Prompt};
use crate::recipe::{Models, Recipe};
use crate::transcript::Transcript;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What a command did with the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Wait for the next line.
    Wait,
    /// Answer the last prompt again.
    Again,
    /// Leave.
    Quit,
}

/// The last prompt and what came of it.
#[derive(Debug)]
pub(super) struct Exchange {
    prompt: Prompt,
    transcript: Option<Transcript>,
    accepted: bool,
    rating: Option<(u8, String)>,
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    project: Project,
    models: RoleModels,
    client: Client<Transports>,
    memory: Mutex<Memory>,
    screen: Screen,
    off: BTreeSet<String>,
    /// The turns before the last prompt.
    conversation: Vec<Message>,
    last: Option<Exchange>,
    /// Why the last answer broke off.
    broken: Option<Stop>,
}

impl Session {
    /// A session over a recipe and what it names.
    pub(super) fn new(project: Project, screen: Screen) -> Result<Self, Failure> {
        let models = models::resolve(&project.recipe)?;
        let client = models::client(&project.recipe, Arc::new(|_| ()));
        Ok(Self {
            project,
            models,
            client,
            memory: Mutex::default(),
            screen,
            off: BTreeSet::new(),
            conversation: Vec::new(),
            last: None,
            broken: None,
        })
    }

    /// Where it writes.
    pub(super) fn screen(&self) -> &Screen {
        &self.screen
    }

    /// The ids of the principles, for completion.
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

    /// One line that says what is set.
    pub(super) fn greeting(&self) -> String {
        let Project { recipe, constitution, .. } = &self.project;
        format!(
            "{} {} · {} principles · {} · {} · {} rounds · /help lists the commands",
            printable(&constitution.id),
            printable(&constitution.version),
            constitution.principles.len() - self.off.len(),
            printable(&self.models.generator.model),
            recipe.method.schedule.as_str(),
            recipe.method.rounds
        )
    }

    /// Answers a new prompt, as the next turn of the conversation.
    pub(super) async fn answer(&mut self, text: &str) -> Result<(), Failure> {
        self.settle();
        let mut messages = self.conversation.clone();
        messages.push(Message::user(text));
        let prompt = Prompt::new(messages, None, None);
        self.last = Some(Exchange { prompt, transcript: None, accepted: false, rating: None });
        self.again().await
    }

    /// The last exchange becomes part of the conversation, with the revised answer.
    fn settle(&mut self) {
        if let Some(exchange) = self.last.take()
            && let Some(response) = exchange.transcript.as_ref().and_then(Transcript::final_response)
        {
            self.conversation = exchange.prompt.messages;
            self.conversation.push(Message::assistant(&response.text));
        }
    }

    /// Answers the last prompt with everything as it is set now.
    pub(super) async fn again(&mut self) -> Result<(), Failure> {
        let Some(exchange) = &self.last else {
            self.screen.line("there is no prompt to answer yet");
            return Ok(());
        };
        let Project { recipe, templates, .. } = &self.project;
        let (method, gates) = (recipe.method.clone(), recipe.gates.clone());
        let context = MethodContext::new(
            self.in_force(),
            templates.clone(),
            self.models.clone(),
            method,
            gates,
            recipe.seed,
        )
        .map_err(|error| Failure::usage(error.to_string()))?;
        self.broken = None;
        let before = self.spent();
        let live =
            Live { client: &self.client, models: &self.models, memory: &self.memory, screen: &self.screen };
        let made = tokio::select! {
            made = critique_revision(&live, &context, &exchange.prompt) => made,
            _ = tokio::signal::ctrl_c() => Err(Stop::Interrupted),
        };
        match made {
            Ok(transcript) => self.show_end(transcript, before),
            Err(stop) => {
                self.screen
                    .line(&self.screen.style().warn(&format!("stopped: {}", printable(&stop.to_string()))));
                self.broken = Some(stop);
            }
        }
        Ok(())
    }

    fn show_end(&mut self, transcript: Transcript, before: Spent) {
        let style = self.screen.style();
        if let (Some(draft), Some(last)) = (transcript.draft(), transcript.final_response())
            && draft.text != last.text
        {
            self.screen.difference(&draft.text, &last.text);
        }
        let left = show_transcript::violated_at_end(&transcript);
        let objections = match left.as_slice() {
            [] => String::new(),
            ids => style.warn(&format!("; still violated: {}", ids.join(", "))),
        };
        let spent = self.spent();
        self.screen.line(&format!(
            "{}{objections}; {} calls asked, {} known",
            show_transcript::ended(&transcript.ended),
            spent.asked - before.asked,
            spent.from_memory - before.from_memory
        ));
        if let Some(exchange) = &mut self.last {
            exchange.transcript = Some(transcript);
        }
    }

    fn spent(&self) -> Spent {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).spent()
    }

    /// The constitution without the principles that are switched off.
    fn in_force(&self) -> Constitution {
        let mut constitution = self.project.constitution.clone();
        constitution.principles.retain(|principle| !self.off.contains(&principle.id));
        constitution
    }

    /// Carries out a command.
    pub(super) fn carry_out(&mut self, command: Command) -> Result<Then, Failure> {
        match command {
            Command::Quit => return Ok(Then::Quit),
            Command::Again => return Ok(Then::Again),
            Command::Help => self.help(),
            Command::Principles => self.list_principles(),
            Command::On(id) => return self.switch(&id, true),
            Command::Off(id) => return self.switch(&id, false),
            Command::Constitution(name) => {
                self.project.constitution = Inputs::default().constitution(&name)?;
                self.project.recipe.constitution = name;
                self.off.clear();
                return Ok(self.changed());
            }
            Command::Edit => return self.edit(),
            Command::Next => {
                self.project.recipe.method.rounds += 1;
                return Ok(Then::Again);
            }
            Command::Rounds(rounds) => self.project.recipe.method.rounds = rounds,
            Command::Schedule(schedule) => {
                self.project.recipe.method.schedule = schedule;
                return Ok(self.changed());
            }
            Command::Model(role, name) => return self.change_model(role.as_deref(), name),
            Command::New => {
                self.conversation.clear();
                self.last = None;
            }
            Command::Show => match self.transcript() {
                Some(transcript) => {
                    self.screen.line(&show_transcript::render(transcript, self.screen.style()));
                }
                None => self.screen.line("there is no transcript yet"),
            },
            Command::Diff => self.diff(),
            Command::Cost => self.cost(),
            Command::Accept => self.note(|exchange| exchange.accepted = true, "accepted; /save keeps it"),
            Command::Rate(stars, text) => {
                self.note(|exchange| exchange.rating = Some((stars, text)), "rated; /save keeps it");
            }
            Command::Save(file) => self.save(Path::new(&file))?,
            Command::Test(id, verdict) => self.add_test(&id, &verdict)?,
        }
        Ok(Then::Wait)
    }

    /// Something changed that the last answer depends on.
    fn changed(&self) -> Then {
        self.screen.line(&self.screen.style().faint(&self.greeting()));
        if self.last.is_some() { Then::Again } else { Then::Wait }
    }

    fn help(&self) {
        for (name, arguments, what) in super::command::COMMANDS {
            let usage = format!("/{name} {arguments}");
            self.screen.line(&format!("  {usage:<20} {what}"));
        }
        self.screen.line(
            "  A line that ends in \\ goes on; Alt-Enter breaks a line; // begins a prompt with a slash.",
        );
    }

    fn list_principles(&self) {
        for principle in &self.project.constitution.principles {
            let mark = if self.off.contains(&principle.id) { "off" } else { "on " };
            let room = self.screen.style().width.saturating_sub(principle.id.len() + 8).max(20);
            self.screen.line(&format!("  {mark} {}  {}", principle.id, one_line(&principle.text, room)));
        }
    }

    fn switch(&mut self, id: &str, on: bool) -> Result<Then, Failure> {
        let ids = self.principle_ids();
        if !ids.iter().any(|known| known == id) {
            let failure = Failure::usage(format!("there is no principle `{id}`"));
            return Err(match crate::diagnostic::nearest(id, ids.iter().map(String::as_str)) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint("/principles lists them"),
            });
        }
        let moved = if on { self.off.remove(id) } else { self.off.insert(id.to_owned()) };
        Ok(if moved { self.changed() } else { Then::Wait })
    }

    fn change_model(&mut self, role: Option<&str>, name: String) -> Result<Then, Failure> {
        let mut recipe: Recipe = self.project.recipe.clone();
        let slot = match role {
            Some("generator") => recipe.models.generator.get_or_insert_default(),
            Some("critic") => recipe.models.critic.get_or_insert_default(),
            Some("reviser") => recipe.models.reviser.get_or_insert_default(),
            Some("judge") => recipe.models.judge.get_or_insert_default(),
            Some(_) | None => {
                let Models { default, generator, critic, reviser, judge } = &mut recipe.models;
                for own in [generator, critic, reviser, judge].into_iter().flatten() {
                    own.model = None;
                }
                default
            }
        };
        slot.model = Some(name);
        self.models = models::resolve(&recipe)?;
        self.project.recipe = recipe;
        Ok(self.changed())
    }

    /// Opens the constitution in the user's editor. A built-in one is first written beside where we are.
    fn edit(&mut self) -> Result<Then, Failure> {
        let path = self.constitution_file()?;
        super::editor::edit(&path)?;
        self.project.constitution = Inputs::default().constitution(&path.display().to_string())?;
        Ok(self.changed())
    }

    fn constitution_file(&mut self) -> Result<PathBuf, Failure> {
        let named = PathBuf::from(&self.project.recipe.constitution);
        if named.exists() {
            return Ok(named);
        }
        let built_in = Inputs::default().constitution_file(&self.project.recipe.constitution)?;
        let path = PathBuf::from(format!("{}.toml", self.project.constitution.id));
        if !path.exists() {
            std::fs::write(&path, built_in.text)
                .map_err(|error| Failure::disk(format!("cannot write `{}`: {error}", path.display())))?;
            self.screen.line(&format!("the built-in constitution is now in `{}`", path.display()));
        }
        self.project.recipe.constitution = path.display().to_string();
        Ok(path)
    }

    fn diff(&self) {
        match self.transcript().map(|t| (t.draft(), t.final_response())) {
            Some((Some(draft), Some(last))) if draft.text == last.text => self.screen.line("nothing changed"),
            Some((Some(draft), Some(last))) => self.screen.difference(&draft.text, &last.text),
            Some(_) | None => self.screen.line("there is no transcript yet"),
        }
    }

    fn cost(&self) {
        let Spent { asked, from_memory, usage } = self.spent();
        self.screen.line(&format!(
            "{asked} calls asked, {from_memory} answered from memory; {} prompt tokens ({} cached), {} completion tokens",
            usage.prompt, usage.cached, usage.completion
        ));
    }

    fn note(&mut self, change: impl FnOnce(&mut Exchange), said: &str) {
        match &mut self.last {
            Some(exchange) => {
                change(exchange);
                self.screen.line(said);
            }
            None => self.screen.line("there is nothing to rate yet"),
        }
    }

    fn finished(&self) -> Result<(&Exchange, &Transcript), Failure> {
        let exchange = self.last.as_ref();
        exchange
            .and_then(|exchange| Some((exchange, exchange.transcript.as_ref()?)))
            .ok_or_else(|| Failure::new(Kind::Usage, "there is no transcript yet"))
    }

    fn save(&self, file: &Path) -> Result<(), Failure> {
        let (exchange, transcript) = self.finished()?;
        let row = notes::row(transcript, &self.in_force(), exchange.accepted, exchange.rating.as_ref())
            .ok_or_else(|| Failure::usage("there is no response to save"))?;
        notes::append(file, &row)?;
        self.screen.line(&format!("saved to `{}`", file.display()));
        Ok(())
    }

    fn add_test(&mut self, id: &str, verdict: &str) -> Result<(), Failure> {
        let (exchange, transcript) = self.finished()?;
        let prompt = exchange.prompt.last_user_turn().to_owned();
        let response = transcript.draft().map(|draft| draft.text.clone()).unwrap_or_default();
        let path = self.constitution_file()?;
        notes::add_test(&path, id, &prompt, &response, verdict)?;
        self.project.constitution = Inputs::default().constitution(&path.display().to_string())?;
        self.screen.line(&format!(
            "the draft is now a test of `{id}` in `{}`; `amend test` runs it",
            path.display()
        ));
        Ok(())
    }
}
