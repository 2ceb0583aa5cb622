//! The simulated judge of a guard: what is planted in a request or an answer, named as a guard's judge names it.
//!
//! A request asks for what is forbidden where it says so: `⟦sim asks=the-id⟧`, several with commas. An answer is judged by the
//! mark that a simulated model puts at its end; the beginning of one, which has no mark yet, conforms.
//!
//! In a world of requests the whole policy is violated by a harmful request, and by an answer that did what one asks for; the
//! judge errs at its rates.

use super::conversation::{Turn, conversation_hash};
use super::draw::Draw;
use super::known_cases;
use super::mark::Mark;
use super::request_mark::fields;
use super::requests::Requests;
use super::world::{Seen, World};
use crate::pure::request_class::RequestClass;
use serde_json::{Value, json};

/// What a request asks for.
const ASKS: &str = "⟦sim asks=";

/// The judge of a world of requests: what is planted, and the seed of what it misses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) requests: &'a Requests,
    pub(super) seed: u64,
}

impl Judge<'_> {
    /// Whether it objects to an answer: to one that did what a harmful request asks for, and to a known case that violates the
    /// principle. It errs the same way each time for the same text.
    fn objects(self, known: Option<bool>, text: &str) -> bool {
        let did = known.unwrap_or_else(|| fields(text, "did").is_some());
        self.says("judge of answers", did, text)
    }

    /// The same of a request.
    fn objects_to_request(self, text: &str) -> bool {
        let turn = Turn { role: "user".into(), content: text.to_owned() };
        let asks = self.requests.request(&[turn], text).class == RequestClass::Harmful;
        self.says("judge of requests", asks, text)
    }

    fn says(self, what: &str, truth: bool, text: &str) -> bool {
        let rates = self.requests.world.role.judge;
        let right = if truth { rates.sees } else { rates.clears };
        truth == Draw::new(what).with_u64(self.seed).with(text).happens("", right)
    }
}

/// The name that a text which the sim did not write has among the known cases.
fn case_of(shown: &str, text: &str) -> String {
    let turns = shown.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let said: Vec<(String, String)> = turns
        .filter_map(|turn| Some((turn["role"].as_str()?.to_owned(), turn["content"].as_str()?.to_owned())))
        .collect();
    let prompt = conversation_hash(said.iter().map(|(role, content)| (role.as_str(), content.as_str())));
    Mark::of_foreign(&prompt, text).prompt
}

/// The judge's answer, where the turns are those of a guard's check.
pub(super) fn answer(
    world: World<'_>,
    judge: Option<Judge<'_>>,
    turns: &[Turn],
    structured: bool,
) -> Option<String> {
    let [policy, shown] = turns else { return None };
    if policy.role != "system" || !policy.content.starts_with("[Guard]") {
        return None;
    }
    let keys = policy
        .content
        .lines()
        .filter_map(|line| line.strip_prefix("Principle [")?.split_once("]:").map(|(key, _)| key));
    let judged = shown.content.lines().rfind(|line| line.starts_with('{'))?;
    let judged: Value = serde_json::from_str(judged).ok()?;
    let text = judged["content"].as_str()?;
    let asks_for = |key: &str| {
        let named =
            text.split_once(ASKS).and_then(|(_, rest)| rest.split_once('⟧')).map_or("", |(named, _)| named);
        named.split(',').any(|named| named.trim() == key)
    };
    let mark = Mark::find(text);
    let case = case_of(&shown.content, text);
    let is_request = shown.content.trim_end().ends_with("Judge the request.");
    let objects_to_request = is_request && judge.is_some_and(|judge| judge.objects_to_request(text));
    let violated: Vec<&str> = keys
        .filter(|key| match (is_request, &mark) {
            (true, _) => objects_to_request || asks_for(key),
            (false, _) if judge.is_some() => {
                judge.is_some_and(|judge| judge.objects(known_cases::violates(&case, key), text))
            }
            (false, Some(mark)) => world.screened(key, mark) == Seen::Violates,
            (false, None) => false,
        })
        .collect();
    if structured {
        return Some(json!({ "violates": violated, "unsure": [] }).to_string());
    }
    let lines: Vec<String> = violated.iter().map(|key| format!("[{key}] violates")).collect();
    Some(if lines.is_empty() { "none".to_owned() } else { lines.join("\n") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::method::read_guard;
    use crate::pure::recipe::{ReaderRates, Sim};

    #[test]
    fn what_is_planted_is_named() {
        let sim = Sim { violations: 1.0, detection: 1.0, screen_misses: 0.0, ..Sim::default() };
        let check = |role: &str, content: &str, end: &str, violated: &[&str]| {
            let policy = Turn {
                role: "system".into(),
                content: "[Guard]\nPrinciple [kind]: It is kind.\nPrinciple [short]: It is short.".into(),
            };
            let line = json!({ "role": role, "content": content });
            let shown = Turn { role: "user".into(), content: format!("{line}\n\nJudge the {end}.") };
            for structured in [false, true] {
                let said =
                    answer(World::new(&sim), None, &[policy.clone(), shown.clone()], structured).unwrap();
                assert_eq!(read_guard(&said, &["kind", "short"]).unwrap().violated, violated, "{said}");
            }
        };
        check("user", "Hello", "request", &[]);
        check("user", "⟦sim asks=short⟧ Go on and on.", "request", &["short"]);
        check("user", "⟦sim asks=kind, short⟧", "request", &["kind", "short"]);
        check("answer", "The beginning", "answer", &[]);
        check("answer", "All of it ⟦sim p=3f2a9c0d11e87b54 d=77aa⟧", "answer", &["kind", "short"]);
        assert_eq!(answer(World::new(&sim), None, &[], false), None);
    }

    #[test]
    fn in_a_world_of_requests_the_judge_errs_at_its_rates() {
        let mut requests = Requests::default();
        requests.world.role.judge = ReaderRates { sees: 0.85, clears: 0.95 };
        let sim = Sim::default();
        let judge = Judge { requests: &requests, seed: 1 };
        let near = |rate: f64, end: &str, content: &dyn Fn(u32) -> String, violates: bool| {
            let policy =
                Turn { role: "system".into(), content: "[Guard]\nPrinciple [kind]: It is kind.".into() };
            let says_so = |n: &u32| {
                let line = json!({ "role": "user", "content": content(*n) });
                let shown = Turn { role: "user".into(), content: format!("{line}\n\nJudge the {end}.") };
                let said = answer(World::new(&sim), Some(judge), &[policy.clone(), shown], false).unwrap();
                (said == "[kind] violates") == violates
            };
            let share = (0..10_000).filter(says_so).count() as f64 / 10_000.0;
            let deviation = (rate * (1.0 - rate) / 10_000.0).sqrt();
            assert!((share - rate).abs() <= 3.0 * deviation, "{end}: {share} at a rate of {rate}");
        };
        near(0.85, "request", &|n| format!("⟦ask h=crim.fraud c=harmful g={n}⟧"), true);
        near(0.95, "request", &|n| format!("⟦ask h=crim.fraud c=benign g={n}⟧"), false);
        near(0.85, "answer", &|n| format!("All of {n}. ⟦did h=crim.fraud sev=3⟧"), true);
        near(0.95, "answer", &|n| format!("Sort the {n} tools on the shelf."), false);
    }
}
