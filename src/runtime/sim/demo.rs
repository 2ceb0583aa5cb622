//! A demo with real words: what the simulated model says to the shipped seed prompts that `demo.toml` knows.
//!
//! A [`Scene`] is one of these prompts with texts written for it: a good draft, and [`Flaw`]s, each a draft that breaks
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
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
    /// What a critic says that objects without a reason; `{quote}` is where it begins.
    alarm: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    principle: Vec<Principle>,
    closings: Closings,
    scene: Vec<Scene>,
}

/// Sentences that may follow a text, by side and language: they tell several draws of one prompt apart.
type Closings = BTreeMap<Side, BTreeMap<String, Vec<String>>>;

#[derive(Debug)]
struct Demo {
    principles: BTreeMap<String, Principle>,
    closings: Closings,
    /// By the hash of their conversation.
    scenes: BTreeMap<String, Scene>,
}

static DEMO: LazyLock<Demo> = LazyLock::new(Demo::read);

impl Demo {
    #[expect(
        clippy::expect_used,
        reason = "the file is a constant, and the first test to touch it shows a mistake"
    )]
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

/// A text, with a closing or without.
fn closed(text: &str, closing: Option<&String>) -> String {
    closing.map_or_else(|| text.to_owned(), |closing| format!("{text}\n\n{closing}"))
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

    /// The closings that fit the scene.
    fn closings(&self) -> &'static [String] {
        let closings = DEMO.closings.get(&self.side).and_then(|by_language| by_language.get(&self.language));
        closings.filter(|_| !self.bare).map_or(&[], Vec::as_slice)
    }

    /// The words of a draft, with the flaw or good. Most end where they end; some have a closing.
    pub(super) fn draft(&self, flaw: Option<&Flaw>, draw: &Draw) -> String {
        let closings = self.closings();
        let drawn = draw.below("closing", 2 * closings.len() + 1);
        closed(flaw.map_or(&self.draft, |flaw| &flaw.draft), closings.get(drawn))
    }

    /// The words of a revision of `previous`, which still has the flaw or is mended. They close as those before, and in
    /// another way only where nothing else would change.
    pub(super) fn revision(&self, flaw: Option<&Flaw>, mended: bool, previous: &str) -> String {
        let text = match flaw {
            Some(flaw) if !mended => &flaw.draft,
            Some(Flaw { revision: Some(revision), .. }) => revision,
            Some(_) | None => &self.draft,
        };
        let closings = self.closings();
        let now = closings.iter().position(|closing| previous.ends_with(closing.as_str()));
        let same = closed(text, now.and_then(|now| closings.get(now)));
        if same == previous { closed(text, closings.get(now.map_or(0, |now| now + 1))) } else { same }
    }

    /// What the critic says about a response to this prompt; `quote` is how a passage of it begins.
    pub(super) fn critique(&self, principle: &str, verdict: &str, response: &str, quote: &str) -> String {
        let flaw = self.flaw(principle);
        let is_flawed = |flaw: &&Flaw| response.starts_with(&flaw.draft);
        let known = DEMO.principles.get(principle);
        match verdict {
            "violates" => flaw
                .filter(is_flawed)
                .map(|flaw| flaw.critique.clone())
                .or_else(|| known.map(|known| known.alarm.replace("{quote}", quote)))
                .unwrap_or_else(|| {
                    format!("The passage that begins “{quote}” is not in keeping with the principle.")
                }),
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

/// All scenes.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static Scene> {
    DEMO.scenes.values()
}

#[cfg(test)]
impl Scene {
    /// The conversation.
    pub(super) fn messages(&self) -> Vec<crate::pure::prompt::Message> {
        use crate::pure::prompt::Message;
        let turns = self.before.iter().chain([&self.prompt]).enumerate();
        turns
            .map(|(n, turn)| if n % 2 == 0 { Message::user(turn) } else { Message::assistant(turn) })
            .collect()
    }
}

impl Scene {
    /// The good draft.
    pub(super) fn good(&self) -> &str {
        &self.draft
    }
}

#[cfg(test)]
impl Flaw {
    /// The flawed draft, the critique of it, and the revision that mends it.
    pub(super) fn words<'a>(&'a self, scene: &'a Scene) -> [&'a str; 3] {
        [&self.draft, &self.critique, self.revision.as_ref().unwrap_or(&scene.draft)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::constitution::read_built_in;
    use crate::pure::gates::{Candidate, Verdict, changes_language, check_response, repeats_request};
    use crate::pure::recipe::Gates;
    use crate::pure::template::{CritiqueAsk, Templates};
    use serde_json::Value;

    #[test]
    fn a_scene_is_labelled_as_its_seed() {
        let seeds = |side: &str| {
            let path = format!("{}/prompts/seeds/{side}.jsonl", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).unwrap();
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
        };
        let (harmless, harmful) = (seeds("harmless"), seeds("harmful"));
        for scene in all() {
            let seeds = if scene.side == Side::Harmless { &harmless } else { &harmful };
            let is_it = |seed: &&Value| {
                let prompt = seed["prompt"].as_str().unwrap();
                prompt == scene.prompt
                    || !scene.before.is_empty()
                        && scene.messages().iter().all(|m| prompt.contains(&m.content))
            };
            let seed = seeds.iter().find(is_it).unwrap_or_else(|| panic!("no seed: {}", scene.prompt));
            let labels = (seed["hazard"].as_str(), seed["language"].as_str());
            assert_eq!(labels, (Some(&*scene.hazard), Some(&*scene.language)), "{}", scene.prompt);
        }
    }

    #[test]
    fn the_principles_are_those_of_the_constitution() {
        let constitution = read_built_in("harmlessness").unwrap();
        let ids: Vec<&str> = constitution.principles.iter().map(|p| p.id.as_str()).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        assert_eq!(DEMO.principles.keys().map(String::as_str).collect::<Vec<_>>(), sorted);
        for scene in all() {
            assert!(!scene.flaws.is_empty(), "{}", scene.prompt);
            for flaw in &scene.flaws {
                assert!(ids.contains(&flaw.principle.as_str()), "{}", flaw.principle);
            }
        }
    }

    /// The passages between “ and ”.
    fn quotes(text: &str) -> impl Iterator<Item = &str> {
        text.split('“').skip(1).filter_map(|rest| rest.split_once('”').map(|(quote, _)| quote))
    }

    #[test]
    fn critiques_quote_what_was_said_and_texts_pass_the_gates() {
        let constitution = read_built_in("harmlessness").unwrap();
        let templates = Templates::built_in();
        for scene in all() {
            for flaw in &scene.flaws {
                let [flawed, critique, revision] = flaw.words(scene);
                let name = format!("{}: {}", flaw.principle, scene.prompt);
                assert!(quotes(critique).count() > 0, "{name}");
                assert!(quotes(critique).all(|quote| flawed.contains(quote)), "{name}");
                for text in [flawed, revision] {
                    assert!(!changes_language(&scene.prompt, text), "{name}");
                }
                let original = Some(flawed);
                let revised =
                    Candidate { text: revision, original, critiques: &[critique], ..Candidate::default() };
                assert_eq!(check_response(&revised, &Gates::default()), Verdict::Pass, "{name}");
                let principle = constitution.principles.iter().find(|p| p.id == flaw.principle).unwrap();
                let request = templates.critique(principle, true, CritiqueAsk::Line).unwrap();
                let rule = principle.exceptions.iter().chain([&principle.text]).map(String::as_str);
                for (said, response) in [(critique, flawed), (flaw.keeps.as_str(), revision)] {
                    let known: Vec<&str> = rule.clone().chain([scene.prompt.as_str(), response]).collect();
                    assert!(!repeats_request(said, &request, &known), "{name}: {said}");
                }
            }
        }
        for principle in &constitution.principles {
            let request = templates.critique(principle, true, CritiqueAsk::Line).unwrap();
            let words = &DEMO.principles[&principle.id];
            for said in [&words.keeps, &words.silent, &words.alarm] {
                assert!(!repeats_request(said, &request, &[]), "{}: {said}", principle.id);
            }
        }
    }

    #[test]
    fn a_revision_changes_the_closing_only_where_nothing_else_changes() {
        let scene = all().find(|scene| scene.closings().len() == 3).unwrap();
        let flaw = &scene.flaws[0];
        let [one, two, _] = scene.closings() else { panic!("three closings") };
        let with = |text: &str, closing: &str| format!("{text}\n\n{closing}");
        let [flawed, _, mended] = flaw.words(scene);
        assert_eq!(scene.revision(Some(flaw), true, flawed), mended);
        assert_eq!(scene.revision(Some(flaw), true, &with(flawed, two)), with(mended, two));
        assert_eq!(scene.revision(Some(flaw), false, flawed), with(flawed, one));
        assert_eq!(scene.revision(Some(flaw), false, &with(flawed, one)), with(flawed, two));
        assert_eq!(scene.revision(None, false, &with(&scene.draft, one)), with(&scene.draft, two));
    }
}
