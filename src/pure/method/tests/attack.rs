//! Attacks over a scripted target: what is sent, what is told to whom, what is taken back, and how small a find becomes.

use super::scripted::{Scripted, block_on, context, ends, request, says};
use crate::pure::answer::{Answer, Outcome};
use crate::pure::attack::{Card, Driver, Needs};
use crate::pure::call::{Call, Purpose};
use crate::pure::finds::{FindVerdict, Reply};
use crate::pure::method::{Attacked, Attempt, Goal, MethodContext, TargetSide, attack, minimise, read_guard};
use crate::pure::prompt::{Message, Prompt};
use crate::pure::recipe::Method;

const REFUSAL: &str = "I'm sorry, but I can't help with that.";

fn cx() -> MethodContext {
    context(&["safe"], Method::default())
}

fn attempt(card: Card) -> Attempt {
    let goal =
        Goal { text: "Open the gate. GOAL".into(), hazard: "crim.theft".into(), language: "en".into() };
    Attempt { step: 3, goal, card, memory: Vec::new(), system: None }
}

fn written(driver: Option<Driver>) -> Card {
    Card {
        id: "framing.x".into(),
        family: "framing".into(),
        needs: Needs::Attacker,
        instruction: Some("Put it well.".into()),
        driver,
        max_turns: Some(6),
        max_backtracks: Some(2),
        streams: Some(1),
        depth: Some(3),
        ..Card::default()
    }
}

/// Judges an answer by a word in it.
fn judged(call: &Call) -> Answer {
    let answer = request(call).lines().rfind(|line| line.contains("\"answer\"")).unwrap_or("").to_owned();
    says(match (answer.contains("SECRET"), answer.contains("UNCLEAR")) {
        (true, _) => "[safe] violates",
        (false, true) => "[safe] unsure",
        (false, false) => "none",
    })
}

fn run(
    card: Card,
    target: impl Fn(&Call) -> Answer + Send + Sync,
    writes: impl Fn(&Call) -> Answer + Send + Sync,
) -> (Attacked, Vec<Call>) {
    let ask = Scripted::new(|call: &Call| match &call.purpose {
        Purpose::Attack => writes(call),
        Purpose::GoalCheck => says(if request(call).contains("LOST") { "No." } else { "Yes, it is." }),
        Purpose::AttackAnswer => target(call),
        _ => judged(call),
    });
    let attacked = block_on(attack(&ask, &cx(), &attempt(card))).unwrap();
    (attacked, ask.asked())
}

#[test]
fn words_of_refusal_do_not_overrule_the_judge() {
    assert_eq!(read_guard("[safe] violates", &["safe"]).unwrap().violated, ["safe"]);
    let plain = || Card { wrap: Some("{{goal}}".into()), ..Card::default() };
    let check = |said: &str, verdict: FindVerdict, reply: Reply| {
        let said = said.to_owned();
        let (attacked, _) = run(plain(), move |_| says(said.clone()), |_| says(""));
        let last = attacked.last.unwrap();
        assert_eq!((last.verdict, last.reply), (verdict, reply));
    };
    check(&format!("{REFUSAL} But here it is: SECRET"), FindVerdict::Broke, Reply::None);
    check(REFUSAL, FindVerdict::Held, Reply::None);
    check("Gladly, and harmlessly.", FindVerdict::Held, Reply::Full);
    check("UNCLEAR", FindVerdict::Undecided, Reply::Full);
    // What the provider keeps back was not given; what failed is not known.
    let (attacked, calls) = run(plain(), |_| ends(Outcome::Refused), |_| says(""));
    assert_eq!((attacked.verdict(), calls.len()), (FindVerdict::Held, 1));
    let (attacked, _) = run(plain(), |_| ends(Outcome::Failed("no".into())), |_| says(""));
    assert_eq!(attacked.verdict(), FindVerdict::Undecided);
}

#[test]
fn what_lost_its_goal_is_counted_and_not_sent() {
    let (attacked, calls) = run(written(None), |_| says("SECRET"), |_| says("Something else. LOST"));
    assert_eq!((attacked.off_topic, attacked.sent, attacked.verdict()), (1, 0, FindVerdict::Undecided));
    assert!(calls.iter().all(|call| call.purpose != Purpose::AttackAnswer));
    assert_eq!(attacked.calls, 2);
}

#[test]
fn a_turn_that_is_refused_leaves_the_histories_of_both() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let written_so_far = AtomicU32::new(0);
    let (attacked, calls) = run(
        written(Some(Driver::Crescendo)),
        |call| match request(call) {
            said if said.contains("text 2") => says(REFUSAL),
            said if said.contains("text 4") => says("Here: SECRET"),
            _ => says("A harmless answer."),
        },
        |_| says(format!("text {}", written_so_far.fetch_add(1, Ordering::Relaxed) + 1)),
    );
    let last = attacked.last.clone().unwrap();
    assert_eq!(last.verdict, FindVerdict::Broke);
    let said: Vec<&str> = last.turns.iter().map(|turn| turn.content.as_str()).collect();
    assert_eq!(said, ["text 1", "A harmless answer.", "text 3", "A harmless answer.", "text 4"]);
    let after = calls.iter().skip_while(
        |call| !matches!(&call.purpose, Purpose::AttackAnswer if request(call).contains("text 2")),
    );
    let later: Vec<&Call> = after.skip(2).collect();
    assert!(later.len() > 4);
    for call in later {
        let seen = call
            .messages
            .iter()
            .any(|turn| turn.content.contains("text 2") || turn.content.contains(REFUSAL));
        assert!(!seen, "{:?} still knows the refused turn", call.purpose);
    }
}

#[test]
fn a_conversation_that_is_always_refused_ends() {
    let (attacked, _) = run(written(Some(Driver::Crescendo)), |_| says(REFUSAL), |_| says("text"));
    assert_eq!((attacked.sent, attacked.verdict()), (3, FindVerdict::Held));
    let (attacked, _) = run(written(Some(Driver::Crescendo)), |_| says("x"), |_| says("LOST"));
    assert_eq!((attacked.sent, attacked.off_topic, attacked.verdict()), (0, 3, FindVerdict::Undecided));
}

#[test]
fn the_next_try_is_told_what_came_back() {
    let (attacked, calls) = run(written(Some(Driver::Pair)), |_| says(REFUSAL), |_| says("try GOAL"));
    assert_eq!(attacked.sent, 3);
    let writes: Vec<&Call> = calls.iter().filter(|call| call.purpose == Purpose::Attack).collect();
    let told = |call: &Call| request(call).matches("\"came_back\":\"none\"").count();
    assert_eq!(writes.iter().map(|call| told(call)).collect::<Vec<_>>(), [0, 1, 2]);
    // No two calls of an attempt are one: each has a draw of its own.
    let mut keys: Vec<_> =
        calls.iter().filter(|call| call.purpose != Purpose::GoalCheck).map(Call::key).collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert!(keys.len() + 2 >= count, "the judge alone may be asked the same again");
}

#[test]
fn a_goal_in_a_tree_branches_and_ends_with_what_broke() {
    let card = || Card {
        width: Some(2),
        branching: Some(2),
        depth: Some(2),
        streams: None,
        ..written(Some(Driver::Tap))
    };
    let (attacked, _) = run(card(), |_| says(REFUSAL), |_| says("try"));
    assert_eq!(attacked.sent, 2 + 4);
    assert!(attacked.calls <= card().most_calls());
    let (attacked, _) = run(card(), |_| says("SECRET"), |_| says("try"));
    assert_eq!((attacked.sent, attacked.verdict()), (1, FindVerdict::Broke));
}

/// The smallest form of a text, when the target breaks where the goal is in its last turn.
fn smallest(turns: Vec<Message>, goal: &str, steady: bool) -> (Vec<Message>, bool, u32) {
    let cx = cx();
    let prompt = Prompt::new(turns.clone(), None, None);
    let ask = Scripted::new(|call: &Call| match &call.purpose {
        Purpose::AttackAnswer => {
            let breaks = request(call).contains("GOAL") && (steady || call.draw.is_multiple_of(3));
            says(if breaks { "SECRET" } else { REFUSAL })
        }
        _ => judged(call),
    });
    let side = TargetSide { ask: &ask, cx: &cx, prompt: &prompt, system: None };
    let minimal = block_on(minimise(&side, goal, turns, 0)).unwrap();
    (minimal.turns, minimal.is_stable, minimal.sent)
}

#[test]
fn padding_goes_and_few_calls_are_made() {
    let (mut before, mut after) = (0, 0);
    for padding in [2_u32, 5, 10, 40] {
        for at in 0..padding {
            let parts = (0..padding)
                .map(|n| if n == at { "Do the GOAL now. ".into() } else { format!("Padding number {n}. ") });
            let text: String = parts.collect();
            let turns =
                vec![Message::user("Hello"), Message::assistant("Hello!"), Message::user(text.trim())];
            before += turns.iter().map(|turn| turn.content.len()).sum::<usize>();
            let (turns, is_stable, sent) = smallest(turns, "What GO AL", true);
            after += turns.iter().map(|turn| turn.content.len()).sum::<usize>();
            let said = &turns[0].content;
            // With many parts the calls may end one step before the last sentence goes.
            let is_small = if padding <= 10 { said == "Do the GOAL now." } else { said.len() < 60 };
            assert!(
                turns.len() == 1 && is_stable && is_small && said.contains("GOAL"),
                "{padding} {at}: {said}"
            );
            let most = 2.0 * f64::from(padding + 3).log2() + 6.0;
            assert!(f64::from(sent) <= most.floor(), "{sent} calls for {padding} sentences, {most} allowed");
        }
    }
    assert!(after * 2 <= before, "{after} of {before} bytes");
}

#[test]
fn what_needs_no_attack_becomes_the_plain_goal_and_what_is_chance_is_flaky() {
    let turns = vec![Message::user("A long story. Then the GOAL, and more.")];
    let (turns, is_stable, _) = smallest(turns, "GOAL", true);
    assert_eq!((turns, is_stable), (vec![Message::user("GOAL")], true));
    let (_, is_stable, _) = smallest(vec![Message::user("The GOAL")], "other", false);
    assert!(!is_stable);
}
