//! A demo with real words: what the simulated model says to the shipped seed prompts that `demo.toml` knows.
//!
//! A [`Scene`] is one of these prompts with texts written by hand: a good draft, and [`Flaw`]s, each a draft that breaks
//! one named principle, the critique that says so, and the revision that mends it. The world plants the flaw
//! (`world.rs`), the answers take its words from here (`answer.rs`), and the mark at the end of a text carries the truth
//! as it does everywhere. A prompt that is no scene is answered with filler (`words.rs`).
//!
//! Scenes are found by the hash of their conversation, so a scene must hold its seed letter by letter; a test says so.
//! Nothing here helps anyone to do harm: what is wrong with a flawed draft is its tone, its vagueness or a small error.

use super::conversation::conversation_hash;
use super::draw::Draw;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Which side of the line a prompt stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    /// An ordinary request.
    Harmless,
    /// A request that has to be declined, in part at least.
    Harmful,
}

/// A seed prompt, and what is said about it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scene {
    pub(super) side: Side,
    hazard: String,
    language: String,
    /// Earlier turns, the user's first.
    #[serde(default)]
    before: Vec<String>,
    prompt: String,
    /// Whether a closing sentence would be out of place.
    #[serde(default)]
    bare: bool,
    /// The good draft. It also mends a flaw that brings no revision of its own.
    draft: String,
    #[serde(rename = "flaw")]
    pub(super) flaws: Vec<Flaw>,
}

/// One way in which the draft can go wrong.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flaw {
    /// The principle that it breaks.
    pub(super) principle: String,
    draft: String,
    /// What a critic says about that draft.
    critique: String,
    /// What a critic says where the principle is kept.
    keeps: String,
    revision: Option<String>,
}

/// A principle of `harmlessness`, for verdicts that no scene has words for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Principle {
    id: String,
    /// The prompts that it has a bearing on: hazards or their domains, a side, or `*` for all.
    on: Vec<String>,
    /// What a critic says where it is kept.
    keeps: String,
    /// What a critic says where it has no bearing.
    silent: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    principle: Vec<Principle>,
    /// Sentences that may follow a text, by language: they tell several draws of one prompt apart.
    closings: BTreeMap<String, Vec<String>>,
    scene: Vec<Scene>,
}

#[derive(Debug)]
struct Demo {
    principles: BTreeMap<String, Principle>,
    closings: BTreeMap<String, Vec<String>>,
    /// By the hash of their conversation.
    scenes: BTreeMap<String, Scene>,
}

static DEMO: LazyLock<Demo> = LazyLock::new(Demo::read);

impl Demo {
    #[expect(clippy::expect_used, reason = "the file is a constant, and the first test to touch it shows a mistake")]
    fn read() -> Self {
        let file: File = toml::from_str(include_str!("demo.toml")).expect("the demo is well formed");
        Self {
            principles: file.principle.into_iter().map(|p| (p.id.clone(), p)).collect(),
            closings: file.closings,
            scenes: file.scene.into_iter().map(|scene| (scene.hash(), scene)).collect(),
        }
    }
}

/// The scene of a conversation, by its hash.
pub(super) fn scene(prompt: &str) -> Option<&'static Scene> {
    DEMO.scenes.get(prompt)
}

/// Whether there are words about the principle, so that it is broken only where a flaw names it.
pub(super) fn knows(principle: &str) -> bool {
    DEMO.principles.contains_key(principle)
}

impl Scene {
    fn hash(&self) -> String {
        let turns = self.before.iter().chain([&self.prompt]).map(String::as_str);
        conversation_hash(["user", "assistant"].into_iter().cycle().zip(turns))
    }

    /// Whether the critic may well hesitate over the principle here: a flaw could break it, or nothing is known of it.
    pub(super) fn is_at_stake(&self, principle: &str) -> bool {
        self.flaw(principle).is_some() || !knows(principle)
    }

    fn flaw(&self, principle: &str) -> Option<&Flaw> {
        self.flaws.iter().find(|flaw| flaw.principle == principle)
    }

    /// Whether the principle has a bearing on the prompt, where that is known.
    pub(super) fn bears(&self, principle: &str) -> Option<bool> {
        let on = &DEMO.principles.get(principle)?.on;
        let side = match self.side {
            Side::Harmless => "harmless",
            Side::Harmful => "harmful",
        };
        let fits = |on: &String| on == "*" || on == side || self.hazard.starts_with(on.as_str());
        Some(self.flaw(principle).is_some() || on.iter().any(fits))
    }

    /// A text of the scene: with the flaw, with the flaw mended, or good from the start. Where it would repeat `previous`
    /// word for word, it ends in another way.
    pub(super) fn text(&self, flaw: Option<&Flaw>, mended: bool, draw: &Draw, previous: &str) -> String {
        let text = match flaw {
            Some(flaw) if !mended => &flaw.draft,
            Some(Flaw { revision: Some(revision), .. }) => revision,
            Some(_) | None => &self.draft,
        };
        let none = Vec::new();
        let closings = if self.bare { &none } else { DEMO.closings.get(&self.language).unwrap_or(&none) };
        // The text alone is the likeliest.
        let ways = closings.len() + 1;
        let first = draw.below("closing", 2 * ways).saturating_sub(ways);
        let way = |n: usize| {
            let closing = n.checked_sub(1).and_then(|n| closings.get(n));
            closing.map_or_else(|| text.clone(), |closing| format!("{text}\n\n{closing}"))
        };
        (0..ways).map(|n| way((first + n) % ways)).find(|text| text != previous).unwrap_or_else(|| way(0))
    }

    /// What the critic says about a response to this prompt; `quote` is how a passage of it begins.
    pub(super) fn critique(&self, principle: &str, verdict: &str, response: &str, quote: &str) -> String {
        let flaw = self.flaw(principle);
        let is_flawed = |flaw: &&Flaw| response.starts_with(&flaw.draft);
        let known = DEMO.principles.get(principle);
        match verdict {
            "violates" => flaw.filter(is_flawed).map_or_else(
                || {
                    format!(
                        "The passage that begins “{quote}” goes against the principle as it can be read. The rest may stay."
                    )
                },
                |flaw| flaw.critique.clone(),
            ),
            "conforms" => flaw
                .filter(|flaw| !is_flawed(flaw))
                .map(|flaw| &flaw.keeps)
                .or(known.map(|known| &known.keeps))
                .cloned()
                .unwrap_or_else(|| {
                    format!("Nothing in the response speaks against it; “{quote}” is fine as it stands.")
                }),
            _ => known.map_or_else(
                || "The response does not touch on what the principle is about.".to_owned(),
                |known| known.silent.clone(),
            ),
        }
    }
}
