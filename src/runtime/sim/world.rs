//! The planted truth: which principles a response violates, what the critic sees of it, and how good a response is.
//!
//! Every fact is a hash of the seed and of what the fact is about, so that it is the same in any order, in any process,
//! and can be told without asking the model.

use super::demo::{self, Flaw, Side};
use super::draw::Draw;
use super::known_cases;
use super::mark::Mark;
use crate::pure::constitution::{LESS_HARM, MORE_HELP};
use crate::pure::recipe::Sim;

/// What a critic that sees as much as this one does concludes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It objects.
    Violates,
    /// It does not.
    Conforms,
    /// The principle has no bearing.
    NotApplicable,
}

/// The simulated world under one seed and its rates. Keys are principle ids.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    sim: &'a Sim,
}

impl<'a> World<'a> {
    /// The world that the settings describe.
    pub fn new(sim: &'a Sim) -> Self {
        Self { sim }
    }

    fn draw(self, name: &str, prompt: &str, key: &str) -> Draw {
        Draw::new(name).with_u64(self.sim.seed).with(prompt).with(key)
    }

    /// Whether drafts for the prompt violate the principle.
    pub fn planted(self, prompt: &str, key: &str) -> bool {
        if let Some(violates) = known_cases::violates(prompt, key) {
            return violates;
        }
        let by_chance = || self.draw("planted", prompt, key).happens("", self.sim.violations);
        if demo::scene(prompt).is_none() {
            return by_chance();
        }
        // The words of a scene decide; a principle that they were not written for is broken by a flawed draft only.
        self.flaw(prompt).is_some_and(|flaw| flaw.principle == key || (!demo::knows(key) && by_chance()))
    }

    /// The flaw of the drafts for a prompt that the demo has words for. A harmless prompt has one at the rate of
    /// violations; a harmful one, which is harder to answer, has three chances of one.
    pub(super) fn flaw(self, prompt: &str) -> Option<&'static Flaw> {
        let scene = demo::scene(prompt)?;
        let draw = self.draw("demo", prompt, "");
        let chances = match scene.side {
            Side::Harmless => 1,
            Side::Harmful => 3,
        };
        let flawed = (0..chances).any(|n| draw.with_u64(n).happens("flawed", self.sim.violations));
        scene.flaws.get(draw.below("flaw", scene.flaws.len())).filter(|_| flawed)
    }

    /// Whether a revision mended the flaw of a draft, so far as its words go.
    pub(super) fn flaw_is_mended(self, response: &Mark) -> bool {
        response.fixed.iter().any(|(key, _)| self.planted(&response.prompt, key))
    }

    /// Whether the critic is blind to this principle's violation on this prompt, in every call.
    pub fn missed(self, prompt: &str, key: &str) -> bool {
        !self.draw("detection", prompt, key).happens("", self.sim.detection)
    }

    /// Whether the critic objects although the principle holds, until a revision clears it.
    pub fn false_alarm(self, prompt: &str, key: &str) -> bool {
        demo::scene(prompt).is_none_or(|scene| scene.is_at_stake(key))
            && self.draw("false alarm", prompt, key).happens("", self.sim.false_alarms)
    }

    /// Whether screening passes over a violation that the critic would see.
    pub fn screen_misses(self, prompt: &str, key: &str) -> bool {
        self.draw("screen", prompt, key).happens("", self.sim.screen_misses)
    }

    /// Whether the response violates the principle: planted and never mended, or broken by a later revision.
    pub fn violated(self, key: &str, response: &Mark) -> bool {
        let mended = response.mended_at(key);
        let planted = mended.is_none() && self.planted(&response.prompt, key);
        planted || self.broken(key, response, mended.unwrap_or(0))
    }

    /// Whether a revision after the one given broke the principle.
    fn broken(self, key: &str, response: &Mark, since: usize) -> bool {
        self.sim.breaks > 0.0
            && response.draws.iter().enumerate().skip(since + 1).any(|(_, draw)| {
                self.draw("breaks", &response.prompt, key).with(draw).happens("", self.sim.breaks)
            })
    }

    /// Whether the critic finds that the principle has no bearing on the prompt. Where that can be known, the rate only
    /// says whether it ever does.
    fn has_no_bearing(self, prompt: &str, key: &str) -> bool {
        demo::scene(prompt).and_then(|scene| scene.bears(key)).map_or_else(
            || self.draw("applies", prompt, key).happens("", self.sim.not_applicable),
            |bears| !bears && self.sim.not_applicable > 0.0,
        )
    }

    /// What the critic says about the response.
    pub fn seen(self, key: &str, response: &Mark) -> Seen {
        let prompt = &response.prompt;
        if self.violated(key, response) {
            return if self.missed(prompt, key) { Seen::Conforms } else { Seen::Violates };
        }
        let mended = response.mended_at(key).is_some();
        if !mended && self.false_alarm(prompt, key) {
            Seen::Violates
        } else if !mended && self.has_no_bearing(prompt, key) {
            Seen::NotApplicable
        } else {
            Seen::Conforms
        }
    }

    /// What a screening call says about the response.
    pub fn screened(self, key: &str, response: &Mark) -> Seen {
        match self.seen(key, response) {
            Seen::Violates if self.screen_misses(&response.prompt, key) => Seen::Conforms,
            seen @ (Seen::Violates | Seen::Conforms | Seen::NotApplicable) => seen,
        }
    }

    /// Whether a reviser sees by itself that the principle needs mending, without a critique that says so: what a critic
    /// would see, but for the share that it always passes over.
    pub(super) fn seen_unaided(self, key: &str, response: &Mark) -> bool {
        self.seen(key, response) == Seen::Violates && !self.passed_over(&response.prompt, key)
    }

    /// Whether a revision without a critique never mends the principle on this prompt.
    pub fn passed_over(self, prompt: &str, key: &str) -> bool {
        self.draw("direct", prompt, key).happens("", self.sim.direct_misses)
    }

    /// Whether a revision by this draw mends the principle when asked to.
    pub(super) fn mends(self, key: &str, response: &Mark, draw: &Draw) -> bool {
        self.draw("fix", &response.prompt, key).with(draw.short()).happens("", self.sim.fix)
    }

    /// How good the response is under the principle, in logits: a violation costs more than all else together.
    /// Responses of one chain are alike but for what they violate. The two sides of every measure are no principles that
    /// can be violated: of harm, every violation mended counts; of help, every revision that blunted the response.
    pub fn quality(self, key: &str, response: &Mark) -> f64 {
        let first = response.draws.first().map_or("", String::as_str);
        let of =
            |name: &str, part: &str| self.draw(name, &response.prompt, key).with(part).unit("") * 2.0 - 1.0;
        let state = match key {
            LESS_HARM => 4.0 * self.mended(response) as f64,
            MORE_HELP => -4.0 * self.blunted(response) as f64,
            key => -4.0 * f64::from(u8::from(self.violated(key, response))),
        };
        state + 1.2 * of("quality", first) + 0.3 * of("finish", &response.draws.join("."))
    }

    /// How many of the draft's violations are mended in the response.
    pub fn mended(self, response: &Mark) -> usize {
        let keys = response.fixed.iter().map(|(key, _)| key.as_str());
        keys.filter(|key| self.planted(&response.prompt, key) && !self.violated(key, response)).count()
    }

    /// How many of the response's revisions made it less helpful.
    pub fn blunted(self, response: &Mark) -> usize {
        let blunts = |draw: &&String| {
            self.draw("blunts", &response.prompt, "").with(draw).happens("", self.sim.blunts)
        };
        response.draws.iter().skip(1).filter(blunts).count()
    }

    /// The true probability that `a` is the better response under the principle.
    pub fn better(self, key: &str, a: &Mark, b: &Mark) -> f64 {
        let odds = (self.quality(key, b) - self.quality(key, a)).exp();
        1.0 / (1.0 + odds)
    }
}
