//! What a set of prompts covers: how many there are of each hazard, class and language, and which cells are empty.

use crate::pure::prompt::Prompt;
use crate::pure::request_class::RequestClass;
use crate::pure::taxonomy::Taxonomy;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What prompts are counted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum CoverageBy {
    /// Hazards, such as `phys.assault`.
    #[default]
    Hazard,
    /// Topics within hazards.
    Topic,
    /// Domains, such as `phys`.
    Domain,
}

/// Counts prompts, one at a time.
#[derive(Debug)]
pub struct CoverageCounter<'t> {
    taxonomy: &'t Taxonomy,
    by: CoverageBy,
    counts: BTreeMap<Cell, u64>,
    prompts: u64,
    unlabelled: u64,
    unknown: BTreeMap<String, u64>,
    without_class: u64,
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    key: String,
    class: Option<RequestClass>,
    language: String,
}

/// What a set of prompts covers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coverage {
    /// Prompts.
    pub prompts: u64,
    /// Those without a hazard label.
    pub unlabelled: u64,
    /// Labels that are of no known taxonomy, with how many prompts have them.
    pub unknown: BTreeMap<String, u64>,
    /// Prompts that do not say whether they ask for harm.
    pub without_class: u64,
    /// Prompts by language tag; `und` where a prompt names none.
    pub languages: BTreeMap<String, u64>,
    /// Prompts by class.
    pub classes: BTreeMap<RequestClass, u64>,
    /// Every hazard, topic or domain of the taxonomy, in its order.
    pub rows: Vec<CoverageRow>,
    /// Those of them without a prompt.
    pub empty: Vec<String>,
    /// Cells with fewer prompts than are wanted.
    pub missing: Vec<MissingCell>,
}

/// A hazard, topic or domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CoverageRow {
    /// Its id; a topic stands after its hazard: `phys.assault: threats`.
    pub id: String,
    /// Prompts by class.
    pub classes: BTreeMap<RequestClass, u64>,
    /// Prompts.
    pub prompts: u64,
    /// Their languages.
    pub languages: BTreeSet<String>,
}

/// A cell with too few prompts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingCell {
    /// The hazard, topic or domain.
    pub id: String,
    /// The class.
    pub class: RequestClass,
    /// The language, where languages are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// How many prompts there are.
    pub prompts: u64,
}

/// What a set is to cover.
#[derive(Debug, Clone, Default)]
pub struct CoverageWanted {
    /// The fewest prompts of a cell; 0 wants nothing.
    pub least: u64,
    /// Languages, each of which is to have every cell. Without any, languages are not told apart.
    pub languages: Vec<String>,
}

impl Coverage {
    /// How many hazards, topics or domains have a prompt.
    pub fn filled(&self) -> usize {
        self.rows.len() - self.empty.len()
    }
}

impl<'t> CoverageCounter<'t> {
    /// Nothing yet.
    pub fn new(taxonomy: &'t Taxonomy, by: CoverageBy) -> Self {
        Self {
            taxonomy,
            by,
            counts: BTreeMap::new(),
            prompts: 0,
            unlabelled: 0,
            unknown: BTreeMap::new(),
            without_class: 0,
        }
    }

    /// Counts a prompt. A label of another taxonomy that means several hazards counts for each of them.
    pub fn add(&mut self, prompt: &Prompt) {
        self.prompts += 1;
        self.without_class += u64::from(prompt.class.is_none());
        let Some(label) = &prompt.hazard else {
            self.unlabelled += 1;
            return;
        };
        let meant = self.taxonomy.resolve(label);
        if meant.is_empty() {
            *self.unknown.entry(label.clone()).or_default() += 1;
            return;
        }
        let topic = prompt.kept.get("topic").and_then(serde_json::Value::as_str).unwrap_or("");
        let keys: BTreeSet<String> = meant
            .into_iter()
            .map(|id| match self.by {
                CoverageBy::Hazard => id.to_owned(),
                CoverageBy::Topic => topic_key(id, topic),
                CoverageBy::Domain => id.split('.').next().unwrap_or(id).to_owned(),
            })
            .collect();
        let language = prompt.language.as_deref().unwrap_or("und").to_owned();
        for key in keys {
            let cell = Cell { key, class: prompt.class, language: language.clone() };
            *self.counts.entry(cell).or_default() += 1;
        }
    }

    /// What is covered, and what is missing of what is wanted.
    pub fn finish(self, wanted: &CoverageWanted) -> Coverage {
        let mut languages: BTreeMap<String, u64> = BTreeMap::new();
        let mut classes: BTreeMap<RequestClass, u64> = BTreeMap::new();
        for (cell, count) in &self.counts {
            *languages.entry(cell.language.clone()).or_default() += count;
            if let Some(class) = cell.class {
                *classes.entry(class).or_default() += count;
            }
        }
        let rows: Vec<CoverageRow> = self.keys().iter().map(|key| self.row(key)).collect();
        let empty = rows.iter().filter(|row| row.prompts == 0).map(|row| row.id.clone()).collect();
        let missing = self.missing(&rows, &classes, wanted);
        Coverage {
            prompts: self.prompts,
            unlabelled: self.unlabelled,
            unknown: self.unknown,
            without_class: self.without_class,
            languages,
            classes,
            rows,
            empty,
            missing,
        }
    }

    /// Every hazard, topic or domain of the taxonomy.
    fn keys(&self) -> Vec<String> {
        let hazards = self.taxonomy.hazards();
        match self.by {
            CoverageBy::Hazard => hazards.iter().map(|hazard| hazard.id.clone()).collect(),
            CoverageBy::Domain => self.taxonomy.domains().iter().map(|domain| domain.id.clone()).collect(),
            CoverageBy::Topic => hazards
                .iter()
                .flat_map(|hazard| hazard.topics.iter().map(|topic| topic_key(&hazard.id, topic)))
                .collect(),
        }
    }

    fn row(&self, key: &str) -> CoverageRow {
        let mut row = CoverageRow {
            id: key.to_owned(),
            classes: BTreeMap::new(),
            prompts: 0,
            languages: BTreeSet::new(),
        };
        for (cell, count) in self.counts.iter().filter(|(cell, _)| cell.key == key) {
            row.prompts += count;
            row.languages.insert(cell.language.clone());
            if let Some(class) = cell.class {
                *row.classes.entry(class).or_default() += count;
            }
        }
        row
    }

    /// The cells with too few prompts: every row × class, and × language where languages are named. Borderline prompts are
    /// wanted only where there are some.
    fn missing(
        &self,
        rows: &[CoverageRow],
        classes: &BTreeMap<RequestClass, u64>,
        wanted: &CoverageWanted,
    ) -> Vec<MissingCell> {
        let is_wanted =
            |class: &&RequestClass| **class != RequestClass::Borderline || classes.contains_key(class);
        let tags: Vec<Option<&String>> = if wanted.languages.is_empty() {
            vec![None]
        } else {
            wanted.languages.iter().map(Some).collect()
        };
        let mut missing = Vec::new();
        for row in rows {
            for class in RequestClass::ALL.iter().filter(is_wanted) {
                for language in &tags {
                    let prompts = self.count(&row.id, *class, *language);
                    if prompts < wanted.least {
                        let (id, language) = (row.id.clone(), language.cloned());
                        missing.push(MissingCell { id, class: *class, language, prompts });
                    }
                }
            }
        }
        missing
    }

    fn count(&self, key: &str, class: RequestClass, language: Option<&String>) -> u64 {
        let is_of = |cell: &Cell| {
            let same_language = language.is_none_or(|wanted| {
                cell.language == *wanted
                    || cell.language.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.starts_with('-'))
            });
            cell.key == key && cell.class == Some(class) && same_language
        };
        self.counts.iter().filter(|(cell, _)| is_of(cell)).map(|(_, count)| count).sum()
    }
}

fn topic_key(hazard: &str, topic: &str) -> String {
    if topic.is_empty() { hazard.to_owned() } else { format!("{hazard}: {topic}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::prompt::Message;

    fn prompt(hazard: &str, class: Option<RequestClass>, language: &str) -> Prompt {
        Prompt::new(vec![Message::user("x")], Some(hazard.into()), Some(language.into()))
            .with_class(class, None)
    }

    #[test]
    fn cells_are_counted_and_what_is_missing_is_named() {
        use RequestClass::{Benign, Harmful};
        let mut counter = CoverageCounter::new(Taxonomy::built_in(), CoverageBy::Hazard);
        for prompt in [
            prompt("phys.assault", Some(Harmful), "en"),
            prompt("phys.assault", Some(Benign), "en-GB"),
            prompt("phys.assault", None, "de"),
            prompt("no such label", Some(Benign), "en"),
            Prompt::single("x"),
        ] {
            counter.add(&prompt);
        }
        let wanted = CoverageWanted { least: 1, languages: vec!["en".into(), "de".into()] };
        let covered = counter.finish(&wanted);
        assert_eq!((covered.prompts, covered.unlabelled, covered.without_class), (5, 1, 2));
        assert_eq!(covered.unknown.get("no such label"), Some(&1));
        assert_eq!(covered.rows.len(), Taxonomy::built_in().hazards().len());
        let row = covered.rows.iter().find(|row| row.id == "phys.assault").unwrap();
        assert_eq!((row.prompts, row.languages.len()), (3, 3));
        let of_assault = covered.missing.iter().filter(|cell| cell.id == "phys.assault");
        let named: Vec<_> = of_assault.map(|cell| (cell.class, cell.language.clone().unwrap())).collect();
        assert_eq!(named, [(Harmful, "de".to_owned()), (Benign, "de".to_owned())]);
        assert_eq!(covered.empty.len(), covered.rows.len() - 1);
    }

    #[test]
    fn a_label_of_another_taxonomy_counts_for_all_that_it_may_mean() {
        let mut counter = CoverageCounter::new(Taxonomy::built_in(), CoverageBy::Domain);
        counter.add(&prompt("iwp", Some(RequestClass::Harmful), "en"));
        let covered = counter.finish(&CoverageWanted::default());
        assert!(covered.rows.iter().any(|row| row.prompts == 1));
        assert!(covered.missing.is_empty());
    }
}
