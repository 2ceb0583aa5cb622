//! The world of requests: which ones are harmful, what the target does with them, and what it has learnt.
//!
//! A request is known by its mark, or by its text among the labelled ones; one that is neither is benign. What the target
//! does follows from the class, the cells of the world's file and the seed.

use super::conversation::Turn;
use super::draw::Draw;
use super::request_mark::{Ask, field, fields, without_marks};
use super::words::Language;
use crate::pure::attack::{Family, recognise};
use crate::pure::diagnostic::{Diagnostic, SourceFile};
use crate::pure::digest::Parts;
use crate::pure::prompt::Prompt;
use crate::pure::recipe::{Cell, CellOf, Input, RequestWorld, Sim};
use crate::pure::request_class::RequestClass;
use crate::pure::taxonomy::Taxonomy;
use crate::pure::text::{language, normalise};
use crate::runtime::dataset::prompts::{self, Row};
use crate::runtime::dataset::readers::Source;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Why a world cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// A file or folder that cannot be used; what to do about it.
    #[error("{message}")]
    Unusable {
        /// What happened.
        message: String,
        /// What to do.
        hint: &'static str,
    },
    /// Mistakes in the world's file.
    #[error("`{}` cannot be used", .file.name)]
    Findings {
        /// The file.
        file: SourceFile,
        /// What is wrong in it.
        findings: Vec<Diagnostic>,
    },
}

/// What is planted about requests.
#[derive(Debug, Default)]
pub struct Requests {
    pub(super) world: RequestWorld,
    labels: HashMap<u64, Labelled>,
    /// How long the labelled texts are: what is of another length is none of them, and need not be hashed to know.
    lengths: BTreeSet<usize>,
    learned: Learned,
}

#[derive(Debug, Clone)]
struct Labelled {
    hazard: Option<String>,
    class: RequestClass,
    language: Option<String>,
}

/// What the target was trained on: styled rows of harmful requests by hazard, family and language, and the hazards that
/// have benign ones.
#[derive(Debug, Default)]
struct Learned {
    rows: BTreeMap<(String, String, String), u32>,
    benign: BTreeSet<String>,
}

/// A request, understood.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) class: RequestClass,
    pub(super) hazard: Option<String>,
    family: Option<String>,
    language: Option<String>,
    turns: u32,
    /// Hash of the conversation: chance is about this very request.
    key: String,
}

/// What the target does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Answers,
    /// Does what a harmful request asks for.
    Complies,
    Declines,
    Partly,
}

impl Requests {
    /// Reads what the settings name; nothing where they name nothing.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is wrong, labels that match nothing, a folder that is no dataset.
    pub fn open(sim: &Sim) -> Result<Option<Self>, WorldError> {
        if !sim.knows_requests() {
            return Ok(None);
        }
        let world = sim.world.as_deref().map(read_world).transpose()?.unwrap_or_default();
        let (labels, lengths) = read_labels(&sim.labels)?;
        let learned = sim.learned.as_deref().map(Learned::read).transpose()?.unwrap_or_default();
        Ok(Some(Self { world, labels, lengths, learned }))
    }

    /// What is known of a labelled text.
    pub(super) fn labelled(&self, text: &str) -> Option<Ask> {
        let key = key_of(text);
        let known = self.labels.get(&key)?;
        let (hazard, language) = (known.hazard.clone(), known.language.clone());
        Some(Ask { hazard, class: known.class, goal: Some((key % 1_000_000).to_string()), language })
    }

    /// What the last user turn of a conversation asks for.
    pub(super) fn request(&self, turns: &[Turn], conversation: &str) -> Request {
        let users: Vec<&str> =
            turns.iter().filter(|turn| turn.role == "user").map(|turn| turn.content.as_str()).collect();
        let last = users.last().copied().unwrap_or("");
        let attack = users.iter().rev().find_map(|text| fields(text, "atk")).unwrap_or_default();
        let put = self.understood(last);
        // A goal that was asked for in earlier turns is what the conversation is about.
        let earlier = || users.iter().rev().find_map(|text| Ask::find(text));
        let family = put.as_ref().and_then(|(_, family)| *family).map(str::to_owned);
        let ask = put.map(|(ask, _)| ask).or_else(earlier);
        let tag = ask.as_ref().and_then(|ask| ask.language.clone());
        let language = tag.or_else(|| language::detect(last).map(|found| found.tag.to_owned()));
        let (class, hazard) = ask.map_or((RequestClass::Benign, None), |ask| (ask.class, ask.hazard));
        Request {
            class,
            hazard,
            family: field(&attack, "f").map(str::to_owned).or(family),
            language,
            turns: u32::try_from(users.len()).unwrap_or(u32::MAX),
            key: conversation.to_owned(),
        }
    }

    /// What a text asks for, by its mark; by its label where it is as long as a labelled text.
    fn asked(&self, text: &str) -> Option<Ask> {
        let is_as_long = || self.lengths.contains(&length_of(text));
        Ask::find(text).or_else(|| if is_as_long() { self.labelled(text) } else { None })
    }

    /// What a text asks for, also in a code or a disguise that is made by rule; and the family of that.
    fn understood(&self, text: &str) -> Option<(Ask, Option<&'static str>)> {
        if let Some(known) = self.labelled(text) {
            return Some((known, None));
        }
        let found = recognise(text, |text| self.asked(text).is_some())?;
        Some((self.asked(&found.goal)?, found.family.map(Family::as_str)))
    }

    /// What the target does with a request.
    pub(super) fn deed(&self, seed: u64, request: &Request) -> Deed {
        let happens = |name: &str, rate: f64| {
            Draw::new("request").with_u64(seed).with(&request.key).happens(name, rate)
        };
        let of = request.cell();
        let over = Cell::rate_of(&self.world.over, &of);
        match request.class {
            RequestClass::Harmful => {
                let weak = Cell::rate_of(&self.world.weak, &of).filter(|_| !self.is_taught(seed, request));
                let gives_way = weak.is_some_and(|rate| happens("gives way", rate));
                let holds = happens("refuses", self.world.refuses);
                if gives_way || weak.is_none() && !holds { Deed::Complies } else { Deed::Declines }
            }
            RequestClass::Borderline if over.is_some_and(|rate| happens("refuses", rate)) => Deed::Declines,
            RequestClass::Borderline => Deed::Partly,
            RequestClass::Benign => {
                let forgot = if self.has_no_twins(request) { self.world.forgetting } else { 0.0 };
                let rate = over.unwrap_or(self.world.over_refuses) + forgot;
                if happens("refuses", rate) { Deed::Declines } else { Deed::Answers }
            }
        }
    }

    /// Whether the target has learnt to hold in the request's cell: from rows of this very cell, or from other families of the
    /// hazard, as far as that generalises.
    fn is_taught(&self, seed: u64, request: &Request) -> bool {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        let (hazard, family) = (part(&request.hazard), part(&request.family));
        let cell = (hazard.clone(), family.clone(), part(&request.language));
        let enough = |rows: u32| rows >= self.world.learn_rows;
        if self.learned.rows.get(&cell).is_some_and(|rows| enough(*rows)) {
            return true;
        }
        let of_hazard = self.learned.rows.iter().filter(|((known, _, _), _)| *known == hazard);
        let (mut of_family, mut of_others) = (0, 0);
        for ((_, known, _), rows) in of_hazard {
            *(if *known == family { &mut of_family } else { &mut of_others }) += rows;
        }
        let follows = Draw::new("generalises").with_u64(seed).with(&hazard).with(&family);
        of_family == 0 && enough(of_others) && follows.happens("", self.world.generalises)
    }

    /// Whether the request's hazard was taught by harmful rows alone.
    fn has_no_twins(&self, request: &Request) -> bool {
        request.hazard.as_ref().is_some_and(|hazard| {
            !self.learned.benign.contains(hazard)
                && self.learned.rows.keys().any(|(known, _, _)| known == hazard)
        })
    }
}

impl Request {
    fn cell(&self) -> CellOf<'_> {
        CellOf {
            hazard: self.hazard.as_deref(),
            // A request in plain words is the attack that is none.
            family: Some(self.family.as_deref().unwrap_or("direct")),
            language: self.language.as_deref(),
            turns: self.turns,
        }
    }
}

/// The words of a deed, with its mark. An ordinary answer has none.
pub(super) fn words_of(deed: Deed, request: &Request, language: Language, draw: &Draw) -> String {
    let prose = |sentences: usize| language.prose(draw, sentences);
    let hazard = request.hazard.as_deref().unwrap_or("none");
    match deed {
        Deed::Answers => prose(4 + draw.below("length", 7)),
        Deed::Declines => format!("{}\n\n⟦refused h={hazard}⟧", language.decline()),
        Deed::Partly => format!("{} {}\n\n⟦partial h={hazard}⟧", language.decline(), prose(5)),
        Deed::Complies => {
            let known = Taxonomy::built_in().hazards().iter().find(|known| known.id == hazard);
            let severity = known.map_or(1, |known| known.severity);
            format!("{}\n\n⟦did h={hazard} sev={severity}⟧", prose(4 + draw.below("length", 7)))
        }
    }
}

/// The language to answer a request in: what its mark or its label says, also behind an attack made by rule, else that of its
/// words.
pub(super) fn answered_in(requests: Option<&Requests>, text: &str) -> Language {
    let said = match requests {
        None => Ask::find(text).and_then(|ask| ask.language),
        Some(requests) => requests.understood(text).and_then(|(ask, _)| ask.language),
    };
    said.map_or_else(|| Language::of(&without_marks(text)), |tag| Language::tagged(&tag))
}

/// Letters and digits: what normalising keeps.
fn length_of(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

fn key_of(text: &str) -> u64 {
    Parts::new("labelled").with(normalise(text)).uniform()
}

fn read_world(path: &str) -> Result<RequestWorld, WorldError> {
    let text = std::fs::read_to_string(path).map_err(|error| WorldError::Unusable {
        message: format!("cannot read the world `{path}`: {error}"),
        hint: "give the path of a TOML file; `refuses`, `over_refuses` and `[[weak]]` stand in it",
    })?;
    let file = SourceFile::new(path, text);
    let (world, findings) = RequestWorld::read(&file);
    if findings.is_empty() { Ok(world) } else { Err(WorldError::Findings { file, findings }) }
}

fn read_labels(named: &[String]) -> Result<(HashMap<u64, Labelled>, BTreeSet<usize>), WorldError> {
    let (mut labels, mut lengths) = (HashMap::new(), BTreeSet::new());
    for pattern in named {
        let files = matching(pattern);
        if files.is_empty() {
            let message = format!("no file matches the labels `{pattern}`");
            let hint = "give a file of prompts with the columns `prompt` and `class` or `side`";
            return Err(WorldError::Unusable { message, hint });
        }
        let sources = files.into_iter().map(Source::Path).collect();
        let input = Input { carries_labels: true, ..Input::default() };
        let reader = prompts::open(sources, &input, 0).map_err(|error| WorldError::Unusable {
            message: format!("the labels cannot be read: {error}"),
            hint: "give a file of prompts with the columns `prompt` and `class` or `side`",
        })?;
        let before = labels.len();
        for row in reader {
            let Row::Prompt { prompt, .. } = row else { continue };
            let Some(class) = prompt.class else { continue };
            let key = key_of(prompt.last_user_turn());
            lengths.insert(length_of(prompt.last_user_turn()));
            let Prompt { hazard, language, .. } = prompt;
            labels.insert(key, Labelled { hazard, class, language });
        }
        if labels.len() == before {
            let message = format!("no prompt in the labels `{pattern}` says what it is");
            let hint =
                "each needs `class` (`harmful`, `borderline`, `benign`) or `side` (`harmful`, `harmless`)";
            return Err(WorldError::Unusable { message, hint });
        }
    }
    Ok((labels, lengths))
}

/// The files that a name means: itself, or those of its folder that its last part matches, with `*` for anything.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let path = Path::new(pattern);
    let Some((before, after)) =
        path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once('*'))
    else {
        return if path.exists() { vec![path.to_owned()] } else { Vec::new() };
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let fits = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| {
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        })
    };
    let mut found: Vec<PathBuf> = names.filter(fits).collect();
    found.sort();
    found
}

impl Learned {
    /// Reads the `sft` rows of a dataset's train split.
    fn read(folder: &str) -> Result<Self, WorldError> {
        let path = Path::new(folder).join("jsonl").join("sft_train.jsonl");
        let text = std::fs::read_to_string(&path).map_err(|error| WorldError::Unusable {
            message: format!("`{folder}` is no dataset with `sft` rows: {}: {error}", path.display()),
            hint: "give the `dataset` folder of a run that was made with `method.target = \"style\"`",
        })?;
        let mut learned = Self::default();
        for line in text.lines() {
            let Ok(row) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            let text = |name: &str| row[name].as_str().unwrap_or("").to_owned();
            // Only styled rows teach a style.
            if row["style"].is_null() {
                continue;
            }
            let kept: serde_json::Value =
                row["kept"].as_str().and_then(|kept| serde_json::from_str(kept).ok()).unwrap_or_default();
            let family = kept["family"].as_str().or(kept["technique"].as_str()).unwrap_or("").to_owned();
            match RequestClass::read(&text("class")) {
                Some(RequestClass::Harmful) => {
                    *learned.rows.entry((text("harm_category"), family, text("language"))).or_default() += 1;
                }
                Some(RequestClass::Benign) => {
                    learned.benign.insert(text("harm_category"));
                }
                Some(RequestClass::Borderline) | None => {}
            }
        }
        Ok(learned)
    }
}

#[cfg(test)]
#[path = "requests_tests.rs"]
mod tests;
