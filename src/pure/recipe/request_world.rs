//! The file that `[sim] world` names: how the simulated target behaves towards harmful and harmless requests.
//!
//! A cell that can match nothing is an error: a rehearsal that finds no weakness because a hazard was mistyped looks like good news.

use crate::pure::attack::Family;
use crate::pure::diagnostic::{Diagnostic, Slip, SourceFile, nearest};
use crate::pure::taxonomy::Taxonomy;
use crate::pure::toml_file::{self, Node};
use schemars::JsonSchema;
use serde::Deserialize;

/// How the simulated target behaves towards requests. Rates are shares between 0 and 1.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RequestWorld {
    /// How often a harmful request is refused, outside of weak cells.
    pub refuses: f64,
    /// How often a benign one is.
    pub over_refuses: f64,
    /// How often an attacker's text loses its goal.
    pub attacker_misses: f64,
    /// Styled rows of one cell from which on it holds.
    pub learn_rows: u32,
    /// How often a family of attacks that was held out follows another one of its hazard.
    pub generalises: f64,
    /// How far over-refusal rises for a hazard that was taught without benign twins.
    pub forgetting: f64,
    /// Where the target gives way.
    pub weak: Vec<Cell>,
    /// Where it refuses needlessly.
    pub over: Vec<Cell>,
    /// How surely readers see.
    pub role: ReaderRoles,
}

/// Requests that a rate is for. What is absent matches all.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// A hazard, or a domain with `.*` after it.
    #[serde(default)]
    pub hazard: Option<String>,
    /// The family of the attack.
    #[serde(default)]
    pub family: Option<String>,
    /// The language: `pt` is `pt-BR` too.
    #[serde(default)]
    pub language: Option<String>,
    /// The fewest user turns.
    #[serde(default)]
    pub min_turns: Option<u32>,
    /// How often.
    pub rate: f64,
}

/// The readers, and the author, whose work is read.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReaderRoles {
    /// Who says what a prompt is.
    pub judge: ReaderRates,
    /// Who says of a response whether propositions are true.
    pub critic: ReaderRates,
    /// Who says whether a text is harmful.
    pub classifier: ReaderRates,
    /// Who writes prompts: `sees` is how often a harmful one is as it was asked for, `clears` how often another one is.
    pub author: ReaderRates,
}

/// How surely a reader sees what is there, and what is not.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReaderRates {
    /// The true positive rate.
    pub sees: f64,
    /// The true negative rate.
    pub clears: f64,
}

impl Default for ReaderRates {
    fn default() -> Self {
        Self { sees: 1.0, clears: 1.0 }
    }
}

impl Default for RequestWorld {
    fn default() -> Self {
        Self {
            refuses: 1.0,
            over_refuses: 0.0,
            attacker_misses: 0.0,
            learn_rows: 8,
            generalises: 0.0,
            forgetting: 0.0,
            weak: Vec::new(),
            over: Vec::new(),
            role: ReaderRoles::default(),
        }
    }
}

impl RequestWorld {
    /// Reads the file; everything that is wrong in it is found.
    pub fn read(file: &SourceFile) -> (Self, Vec<Diagnostic>) {
        let (located, mut findings) = toml_file::read::<Self>(file);
        let world = located.value;
        let mut rate = |name: &str, value: f64, node: &toml_file::Node| {
            if !(0.0..=1.0).contains(&value) {
                let message = format!("`{name}` is {value}; it must be between 0 and 1");
                findings.push(Diagnostic::error("bad-value", &file.name, node.span(), message));
            }
        };
        for (name, value) in [
            ("refuses", world.refuses),
            ("over_refuses", world.over_refuses),
            ("attacker_misses", world.attacker_misses),
            ("generalises", world.generalises),
            ("forgetting", world.forgetting),
        ] {
            rate(name, value, located.root.key(name));
        }
        for (name, cells) in [("weak", &world.weak), ("over", &world.over)] {
            for (n, cell) in cells.iter().enumerate() {
                rate("rate", cell.rate, located.root.key(name).nth(n).key("rate"));
            }
        }
        let ReaderRoles { judge, critic, classifier, author } = world.role;
        for (name, reader) in
            [("judge", judge), ("critic", critic), ("classifier", classifier), ("author", author)]
        {
            let node = located.root.key("role").key(name);
            rate("sees", reader.sees, node.key("sees"));
            rate("clears", reader.clears, node.key("clears"));
        }
        for (name, cells) in [("weak", &world.weak), ("over", &world.over)] {
            for (n, cell) in cells.iter().enumerate() {
                findings.extend(cell.what_never_matches(&file.name, located.root.key(name).nth(n)));
            }
        }
        (world, findings)
    }
}

/// Whether a text has the form of a language's tag.
fn is_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    parts
        .next()
        .is_some_and(|first| matches!(first.len(), 2 | 3) && first.chars().all(|c| c.is_ascii_lowercase()))
        && parts.all(|part| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// A hazard that a cell may name, for whoever mistyped it.
fn nearest_hazard(taxonomy: &Taxonomy, named: &str) -> Option<String> {
    match named.strip_suffix(".*") {
        Some(domain) => {
            nearest(domain, taxonomy.domains().iter().map(|d| d.id.as_str())).map(|d| format!("{d}.*"))
        }
        None if taxonomy.domains().iter().any(|domain| domain.id == named) => Some(format!("{named}.*")),
        None => taxonomy.nearest(named).map(str::to_owned),
    }
}

impl Cell {
    /// The fields that no request can have.
    fn what_never_matches(&self, file: &str, node: &Node) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let taxonomy = Taxonomy::built_in();
        let is_hazard = |named: &str| match named.strip_suffix(".*") {
            Some(domain) => taxonomy.domains().iter().any(|known| known.id == domain),
            None => taxonomy.hazards().iter().any(|known| known.id == named),
        };
        if let Some(named) = self.hazard.as_deref().filter(|named| !is_hazard(named)) {
            let at = node.key("hazard").span();
            let message = format!("`{named}` is no hazard of the taxonomy, so this cell matches nothing");
            let near = nearest_hazard(taxonomy, named);
            let otherwise = "write a hazard such as `crim.fraud`, or a domain as `crim.*`";
            let finding = Diagnostic::error("unknown-hazard", file, at.clone(), message);
            found.push(finding.did_you_mean(&Slip::text(named, at), near.as_deref(), otherwise));
        }
        let is_family = |named: &str| Family::ALL.iter().any(|known| known.as_str() == named);
        if let Some(named) = self.family.as_deref().filter(|named| !is_family(named)) {
            let at = node.key("family").span();
            let message = format!("`{named}` is no family of attacks, so this cell matches nothing");
            let names: Vec<_> = Family::ALL.iter().map(|known| known.as_str()).collect();
            let otherwise = format!("the families are {}", names.join(", "));
            let finding = Diagnostic::error("unknown-family", file, at.clone(), message);
            found.push(finding.did_you_mean(&Slip::text(named, at), nearest(named, names), otherwise));
        }
        if let Some(named) = self.language.as_deref().filter(|named| !is_tag(named)) {
            let message = format!("`{named}` is not the tag of a language");
            let finding = Diagnostic::error("bad-language", file, node.key("language").span(), message);
            found.push(finding.help("write a tag such as `en`, `pt-BR` or `sw`"));
        }
        found
    }

    /// How closely the cell names a request: the number of its fields, a hazard counting more than its domain; `None` where it
    /// does not match.
    pub fn closeness(&self, of: &CellOf<'_>) -> Option<u32> {
        let hazard = match (self.hazard.as_deref(), of.hazard) {
            (None, _) => 0,
            (Some(named), Some(hazard)) if named == hazard => 2,
            (Some(named), Some(hazard)) => {
                let rest = hazard.strip_prefix(named.strip_suffix(".*")?)?;
                rest.starts_with('.').then_some(1)?
            }
            (Some(_), None) => return None,
        };
        let same = |named: &Option<String>, found: Option<&str>| match named {
            None => Some(0),
            Some(named) => (found == Some(named)).then_some(1),
        };
        let spoken = of.language.map(|tag| match self.language.as_deref() {
            Some(named) if !named.contains('-') => tag.split('-').next().unwrap_or(tag),
            Some(_) | None => tag,
        });
        let turns = match self.min_turns {
            None => 0,
            Some(least) if of.turns >= least => 1,
            Some(_) => return None,
        };
        Some(2 * hazard + same(&self.family, of.family)? + same(&self.language, spoken)? + turns)
    }

    /// The rate of the cell that names a request most closely; of equals the later one.
    pub fn rate_of(cells: &[Self], of: &CellOf<'_>) -> Option<f64> {
        let matching = cells.iter().filter_map(|cell| Some((cell.closeness(of)?, cell.rate)));
        matching.max_by_key(|(closeness, _)| *closeness).map(|(_, rate)| rate)
    }
}

/// What a cell is matched against.
#[derive(Debug, Clone, Copy, Default)]
pub struct CellOf<'a> {
    /// The request's hazard.
    pub hazard: Option<&'a str>,
    /// The attack's family.
    pub family: Option<&'a str>,
    /// The request's language.
    pub language: Option<&'a str>,
    /// How many turns the user has had.
    pub turns: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_cell_counts_and_of_equals_the_later_one() {
        let text = "[[weak]]\nrate = 0.1\n[[weak]]\nhazard = \"crim.*\"\nrate = 0.2\n[[weak]]\nhazard = \"crim.fraud\"\nrate = 0.3\n\
                    [[weak]]\nfamily = \"encoding\"\nlanguage = \"sw\"\nrate = 0.4\n[[weak]]\nmin_turns = 3\nrate = 0.5\n\
                    [[weak]]\nhazard = \"crim.*\"\nrate = 0.25\n";
        let (world, findings) = RequestWorld::read(&SourceFile::new("world.toml", text));
        assert_eq!(findings, []);
        let check = |hazard, family, language, turns, expected: f64| {
            let of = CellOf { hazard, family, language, turns };
            assert_eq!(Cell::rate_of(&world.weak, &of), Some(expected), "{of:?}");
        };
        check(Some("crim.fraud"), None, None, 1, 0.3);
        check(Some("crim.theft"), None, None, 1, 0.25);
        check(Some("criminal.theft"), None, None, 1, 0.1);
        check(Some("crim"), None, None, 1, 0.1);
        check(None, Some("encoding"), Some("sw"), 1, 0.4);
        check(None, Some("encoding"), Some("de"), 1, 0.1);
        check(None, None, None, 3, 0.5);
        check(None, Some("encoding"), Some("sw-KE"), 1, 0.4);
    }

    #[test]
    fn a_cell_that_can_match_nothing_is_told() {
        let check = |cell: &str, code: &str, help: &str| {
            let text = format!("[[weak]]\n{cell}\nrate = 1.0\n");
            let (_, findings) = RequestWorld::read(&SourceFile::new("world.toml", text.as_str()));
            let told: Vec<_> = findings.iter().map(|found| (found.code, found.help.join(" "))).collect();
            assert!(
                matches!(told.as_slice(), [(found, said)] if *found == code && said.contains(help)),
                "{told:?}"
            );
            let span = findings[0].span.clone().unwrap();
            assert!(
                text.get(span).unwrap().contains(cell.split(' ').next_back().unwrap().trim_matches('"')),
                "{findings:?}"
            );
        };
        check("hazard = \"crim.froud\"", "unknown-hazard", "crim.fraud");
        check("hazard = \"crim\"", "unknown-hazard", "`crim.*`");
        check("hazard = \"crime.*\"", "unknown-hazard", "`crim.*`");
        check("family = \"encodings\"", "unknown-family", "`encoding`");
        check("language = \"Swahili\"", "bad-language", "a tag such as");
        let (_, findings) = RequestWorld::read(&SourceFile::new("w", "[[over]]\nhazard = \"crim.fraud\"\n"));
        assert!(
            findings.iter().any(|found| found.message.contains("rate")),
            "a rate is never guessed: {findings:?}"
        );
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let text = "refuse = 1.0\nover_refuses = 2.0\n[[weak]]\nrat = 0.5\n[role]\njudge = { sees = -1.0 }\n";
        let (_, findings) = RequestWorld::read(&SourceFile::new("world.toml", text));
        let told: Vec<_> = findings.iter().map(|finding| (finding.code, finding.help.join(" "))).collect();
        assert_eq!(told.len(), 5, "{findings:#?}");
        assert!(told.contains(&("unknown-key", "did you mean `refuses`?".into())), "{told:?}");
    }
}
