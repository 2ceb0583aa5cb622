//! Commands that change what is asked: the constitution, which principles are on, models, schedule, rounds, settings.
//!
//! A change that cannot be made leaves everything as it was.

use super::command::Command;
use super::editor;
use super::save_commands;
use super::session::Session;
use crate::faces::cli::Failure;
use crate::faces::cli::settings;
use crate::faces::cli::user_files::with_warnings;
use crate::pure::call::Role;
use crate::pure::constitution::diff::{Change, diff};
use crate::pure::recipe::{Models, Recipe};
use crate::pure::text::printable;
use crate::pure::transcript::Ended;
use crate::runtime::project::InputFiles;

use std::collections::BTreeSet;
use std::path::PathBuf;

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

impl Session {
    /// Carries out a command.
    pub(super) fn carry_out(&mut self, command: Command) -> Result<Then, Failure> {
        match command {
            Command::Quit => return Ok(Then::Quit),
            Command::Again => return Ok(Then::Again),
            Command::On(ids) => return self.switch(&ids, BTreeSet::remove),
            Command::Off(ids) => return self.switch(&ids, |off, id| off.insert(id.to_owned())),
            Command::Only(ids) => return self.only(&ids),
            Command::Constitution(name) => return self.change_constitution(name),
            Command::Edit(id) => return self.edit(id.as_deref()),
            Command::Reload => return self.reload(),
            Command::Next => return self.next_round(),
            Command::Rounds(rounds) => return self.change(|recipe| recipe.method.rounds = rounds),
            Command::Schedule(schedule) => return self.change(|recipe| recipe.method.schedule = schedule),
            Command::Model(role, name) => {
                return self.change(|recipe| name_model(&mut recipe.models, role, name));
            }
            Command::Set(pair) => return self.set(&pair),
            Command::New => {
                self.forget()?;
                self.screen.line("a new conversation");
            }
            Command::Help => self.help(),
            Command::Principles => self.list_principles(),
            Command::Turns => self.list_turns(),
            Command::Show(turn) => self.show(turn)?,
            Command::Diff(from) => self.show_difference(from),
            Command::Cost => self.show_cost(),
            Command::Accept => self.accept()?,
            Command::Rate(stars, note) => self.rate(stars, note)?,
            Command::Save(save) => self.save(&save)?,
            Command::Test(test) => self.add_test(&test)?,
        }
        Ok(Then::Wait)
    }

    /// Something changed that the last answer depends on.
    fn changed(&self) -> Then {
        self.screen.say(&self.screen.style().faint(&self.in_force()));
        if self.last.is_some() { Then::Again } else { Then::Wait }
    }

    fn change(&mut self, make: impl FnOnce(&mut Recipe)) -> Result<Then, Failure> {
        let mut recipe = self.project.recipe.clone();
        make(&mut recipe);
        self.adopt(recipe)?;
        Ok(self.changed())
    }

    fn set(&mut self, pair: &str) -> Result<Then, Failure> {
        let recipe = settings::set(&self.project.recipe, pair)?;
        if recipe.constitution != self.project.recipe.constitution {
            return Err(Failure::usage("the constitution is switched with `/constitution FILE`"));
        }
        if recipe.templates != self.project.recipe.templates {
            self.project.templates = with_warnings(|files| files.templates(recipe.templates.as_deref()))?;
        }
        self.change(|old| *old = recipe)
    }

    /// The ids that are meant; `all` means every one.
    fn meant(&self, ids: &[String]) -> Result<Vec<String>, Failure> {
        let known = self.principle_ids();
        if ids == ["all"] {
            return Ok(known);
        }
        let Some(id) = ids.iter().find(|id| !known.contains(id)) else { return Ok(ids.to_vec()) };
        let failure = Failure::usage(format!("there is no principle `{id}`"));
        Err(match crate::pure::diagnostic::nearest(id, known.iter().map(String::as_str)) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("/principles lists them"),
        })
    }

    fn switch(
        &mut self,
        ids: &[String],
        flip: impl Fn(&mut BTreeSet<String>, &str) -> bool,
    ) -> Result<Then, Failure> {
        let mut moved = 0;
        for id in self.meant(ids)? {
            moved += usize::from(flip(&mut self.off, &id));
        }
        if moved == 0 {
            self.screen.line("nothing is changed");
            return Ok(Then::Wait);
        }
        Ok(self.changed())
    }

    fn only(&mut self, ids: &[String]) -> Result<Then, Failure> {
        let on = self.meant(ids)?;
        self.off = self.principle_ids().into_iter().filter(|id| !on.contains(id)).collect();
        Ok(self.changed())
    }

    fn next_round(&mut self) -> Result<Then, Failure> {
        let Some(exchange) = &mut self.last else {
            return Err(Failure::usage("there is no prompt to answer yet"));
        };
        if let Some(Ended::Conforms) = exchange.transcript.as_ref().map(|transcript| &transcript.ended) {
            self.screen.say("no principle objects, so there is nothing for another round to revise");
            return Ok(Then::Wait);
        }
        exchange.more_rounds += 1;
        Ok(Then::Again)
    }

    fn change_constitution(&mut self, name: String) -> Result<Then, Failure> {
        self.project.constitution = with_warnings(|files| files.constitution(&name))?;
        self.project.recipe.constitution = name;
        self.off.clear();
        Ok(self.changed())
    }

    /// Opens the constitution in the user's editor, at a principle if one is named. Until the file can be used, the
    /// constitution of before stays in force.
    fn edit(&mut self, id: Option<&str>) -> Result<Then, Failure> {
        if let Some(id) = id {
            self.meant(std::slice::from_ref(&id.to_owned()))?;
        }
        let path = self.constitution_file()?;
        let name = path.display().to_string();
        let mut inputs = InputFiles::default();
        let line = id.and_then(|id| save_commands::line_of(&inputs.load(&name).ok()?.text, id));
        editor::edit(&path, line)?;
        self.read_again("/edit opens the file again")
    }

    /// Reads the constitution again, which was edited outside.
    fn reload(&mut self) -> Result<Then, Failure> {
        self.read_again("/reload reads the file again")
    }

    fn read_again(&mut self, retry: &str) -> Result<Then, Failure> {
        let name = self.project.recipe.constitution.clone();
        let read = with_warnings(|files| files.constitution(&name));
        let new = read
            .map_err(|failure| failure.hint(format!("the constitution of before stays in force; {retry}")))?;
        let changes = diff(&self.project.constitution, &new);
        self.project.constitution = new;
        let known = self.principle_ids();
        self.off.retain(|id| known.contains(id));
        if changes.is_empty() {
            self.screen.line("no principle is changed");
        }
        for change in &changes {
            self.screen.tell(&told(change));
        }
        Ok(self.changed())
    }

    /// The file of the constitution in force. A built-in one is first written beside where we are.
    pub(super) fn constitution_file(&mut self) -> Result<PathBuf, Failure> {
        let named = PathBuf::from(&self.project.recipe.constitution);
        if named.exists() {
            return Ok(named);
        }
        let built_in = with_warnings(|files| files.constitution_file(&self.project.recipe.constitution))?;
        let path = PathBuf::from(format!("{}.toml", self.project.constitution.id));
        if path.exists() {
            self.screen
                .say(&format!("`{}` is here already and is taken", printable(&path.display().to_string())));
        } else {
            std::fs::write(&path, built_in.text)
                .map_err(|error| Failure::disk(format!("cannot write `{}`: {error}", path.display())))?;
            let path = printable(&path.display().to_string());
            self.screen.say(&format!("the built-in constitution is now in `{path}`, for you to edit"));
        }
        self.project.recipe.constitution = path.display().to_string();
        Ok(path)
    }
}

fn name_model(models: &mut Models, role: Option<Role>, name: String) {
    let slot = if let Some(role) = role {
        models.own.entry(role).or_default()
    } else {
        models.own.values_mut().for_each(|own| own.model = None);
        &mut models.default
    };
    slot.model = Some(name);
}

/// What an edit did to a principle, in a line.
fn told(change: &Change) -> String {
    let fields = |fields: &[crate::pure::constitution::diff::Field]| {
        fields.iter().map(|field| field.name.to_string()).collect::<Vec<_>>().join(", ")
    };
    match change {
        Change::Added { id, .. } => format!("added {}", printable(id)),
        Change::Removed { id, .. } => format!("removed {}", printable(id)),
        Change::Renamed { from, to, .. } => format!("renamed {} to {}", printable(from), printable(to)),
        Change::Edited { id, fields: of } => format!("edited {}: {}", printable(id), fields(of)),
    }
}
