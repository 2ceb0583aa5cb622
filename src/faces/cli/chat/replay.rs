//! `amend chat --find`: what a person would have typed to attack a model, taken from a red team's finds.

use crate::faces::cli::Failure;
use crate::pure::call::Role;
use crate::pure::finds::Find;
use crate::pure::prompt::Speaker;
use crate::pure::recipe::Recipe;
use crate::pure::text::printable;

const FORM: &str = "name a `finds.jsonl` of `amend redteam`";

/// Ids that are named where an id fits none.
const NAMED: usize = 8;

/// The user's turns of a find, in its smallest form where there is one. `place` is a file of finds, or `FILE#ID`, where the id
/// may be the beginning of one.
pub(super) fn turns_of(place: &str) -> Result<Vec<String>, Failure> {
    let (file, id) = place.rsplit_once('#').unwrap_or((place, ""));
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read `{}`: {error}", printable(file))).hint(FORM))?;
    let read = |(n, line): (usize, &str)| {
        serde_json::from_str::<Find>(line).map_err(|error| {
            Failure::usage(format!("{}:{}: this is not a find: {error}", printable(file), n + 1)).hint(FORM)
        })
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let finds: Vec<Find> = lines.map(read).collect::<Result<_, _>>()?;
    let mut fitting = finds.iter().filter(|find| find.find.starts_with(id));
    let (find, more) = (fitting.next(), fitting.next());
    let Some(find) = find.filter(|_| more.is_none()) else {
        let names: Vec<&str> = finds.iter().take(NAMED).map(|find| find.find.as_str()).collect();
        let problem = if finds.is_empty() {
            format!("`{}` holds no find", printable(file))
        } else if more.is_some() {
            format!(
                "{} finds of `{}` fit",
                finds.iter().filter(|f| f.find.starts_with(id)).count(),
                printable(file)
            )
        } else {
            format!("no find of `{}` has the id `{}`", printable(file), printable(id))
        };
        return Err(Failure::usage(problem)
            .hint(format!("write `FILE#ID`; ids are {}", printable(&names.join(", ")))));
    };
    let turns = find.minimal.as_ref().unwrap_or(&find.turns);
    Ok(turns.iter().filter(|turn| turn.role == Speaker::User).map(|turn| turn.content.clone()).collect())
}

/// Lets the model that was attacked answer, where the recipe names it.
pub(super) fn answered_by_the_target(recipe: &mut Recipe) {
    if let Some(target) = recipe.models.own.get(&Role::Target).cloned() {
        recipe.models.own.insert(Role::Generator, target);
    }
}
