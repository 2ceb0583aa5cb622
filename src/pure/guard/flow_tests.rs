//! The flow on virtual time: a script of pieces, a judge that answers some pieces later, and what a client gets.

use super::*;
use bytes::Bytes;
use proptest::prelude::*;

/// Characters of a token.
const CHARS: usize = 4;

/// A stream to play: how many tokens each piece has, and how many pieces come before a check is answered.
#[derive(Debug, Clone)]
struct Played {
    pieces: Vec<usize>,
    delay: usize,
    /// Pieces that come before the request is judged.
    screening: usize,
    /// The token with which the answer begins to violate.
    bad_from: Option<usize>,
    output: GuardOutput,
    streams: bool,
}

#[derive(Debug, Default)]
struct Outcome {
    text: Vec<u8>,
    /// Tokens that had left when each step came.
    decision: Option<Decision>,
    released: usize,
    released_before_verdict: usize,
    checks: Vec<usize>,
    would: Option<Decision>,
}

fn settings(mode: GuardMode, output: &GuardOutput, streams: bool) -> FlowSettings {
    FlowSettings { mode, streams, undecided: UndecidedInput::FullHold, output: output.clone() }
}

fn play(played: &Played, mode: GuardMode, screened: &Finding) -> Outcome {
    let mut flow = Flow::new(settings(mode, &played.output, played.streams));
    let mut outcome = Outcome::default();
    let mut check: Option<(usize, usize)> = None;
    let mut upto = 0;
    let mut inputs: VecDeque<Input> = VecDeque::new();
    let mut tick = 0;
    let (mut sent, mut is_screened, mut ended) = (0, false, false);
    let mut is_over = false;
    while !is_over {
        if let Some(input) = inputs.pop_front() {
            for step in flow.take(input) {
                match step {
                    Step::Release(bytes) => outcome.text.extend_from_slice(&bytes),
                    Step::Check => {
                        outcome.checks.push(upto);
                        check = Some((upto, tick + played.delay));
                    }
                    Step::Revise(_) => inputs.push_back(Input::Revised(Some(Bytes::from_static(b"revised")))),
                    Step::Cancel => ended = true,
                    Step::End(decision) => {
                        outcome.decision = Some(decision);
                        is_over = true;
                    }
                    Step::Style(_) => outcome.text.extend_from_slice(b"styled"),
                    Step::Close(_) => outcome.text.extend_from_slice(b"closed"),
                    Step::Steer | Step::Fail | Step::Finish => {}
                }
            }
            continue;
        }
        tick += 1;
        if !is_screened && tick > played.screening {
            is_screened = true;
            inputs.push_back(Input::Screened { finding: screened.clone(), steerable: false });
        } else if let Some((reached, _)) = check.filter(|(_, due)| tick >= *due || ended) {
            check = None;
            let is_bad = played.bad_from.is_some_and(|from| reached >= from);
            if is_bad {
                outcome.released_before_verdict = flow.released();
            }
            let grounds = Grounds { principles: vec!["kind".into()], severity: 2, ..Grounds::default() };
            let finding = if is_bad { Finding::Violates(grounds) } else { Finding::Conforms };
            inputs.push_back(Input::Checked(finding));
        } else if let Some(tokens) = played.pieces.get(sent).filter(|_| !ended) {
            upto += tokens;
            sent += 1;
            inputs.push_back(Input::Piece(Piece {
                bytes: Bytes::from(format!("<{sent}>")),
                upto: upto * CHARS,
                clear: usize::MAX,
            }));
        } else if !ended {
            ended = true;
            inputs.push_back(Input::Ended);
        }
    }
    outcome.released = flow.released();
    outcome.would = flow.would();
    outcome
}

fn whole(played: &Played) -> Vec<u8> {
    (1..=played.pieces.len()).flat_map(|n| format!("<{n}>").into_bytes()).collect()
}

fn output(hold: Hold, on_violation: OnViolation) -> GuardOutput {
    GuardOutput { hold, on_violation, ..GuardOutput::default() }
}

fn streams() -> impl Strategy<Value = Played> {
    (
        prop::collection::vec(0_usize..9, 1..200),
        0_usize..40,
        0_usize..30,
        prop::option::of(1_usize..600),
        any::<bool>(),
    )
        .prop_map(|(pieces, delay, screening, bad_from, streams)| Played {
            pieces,
            delay,
            screening,
            bad_from,
            output: GuardOutput::default(),
            streams,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// In `full` nothing leaves before the verdict on all of it.
    #[test]
    fn full_releases_nothing_of_what_violates(played in streams()) {
        let played = Played { output: output(Hold::Full, OnViolation::Replace), ..played };
        let outcome = play(&played, GuardMode::Enforce, &Finding::Conforms);
        let total: usize = played.pieces.iter().sum();
        if played.bad_from.is_some_and(|from| from <= total) {
            prop_assert_eq!(outcome.text, b"styled");
            prop_assert_eq!((outcome.released, outcome.decision), (0, Some(Decision::Replaced)));
        } else {
            prop_assert_eq!(outcome.text, whole(&played));
            prop_assert_eq!(outcome.checks.len(), usize::from(total > 0));
        }
    }

    /// In `geometric` only what stands before the check that failed leaves, and it never reaches the violation.
    #[test]
    fn geometric_releases_only_what_a_check_has_passed(played in streams()) {
        let played = Played { output: output(Hold::Geometric, OnViolation::Replace), streams: true, ..played };
        let outcome = play(&played, GuardMode::Enforce, &Finding::Conforms);
        let total: usize = played.pieces.iter().sum();
        let Some(from) = played.bad_from.filter(|from| *from <= total) else {
            prop_assert_eq!(outcome.text, whole(&played));
            prop_assert_eq!(outcome.decision, Some(Decision::Answered));
            return Ok(());
        };
        prop_assert!(outcome.released < from, "{} of {from}", outcome.released);
        let passed: Vec<usize> = outcome.checks.iter().copied().filter(|upto| *upto < from).collect();
        prop_assert_eq!(outcome.released, passed.last().copied().unwrap_or(0));
        prop_assert_eq!(outcome.released, outcome.released_before_verdict);
        let is_stopped = outcome.released > 0;
        let expected = if is_stopped { Decision::Stopped } else { Decision::Replaced };
        prop_assert_eq!(outcome.decision, Some(expected));
        let end: &[u8] = if is_stopped { b"closed" } else { b"styled" };
        prop_assert!(outcome.text.ends_with(end));
        prop_assert!(whole(&played).starts_with(&outcome.text[..outcome.text.len() - end.len()]));
    }

    /// Streamed or not, with all of it held a request ends in the same decision.
    #[test]
    fn a_stream_and_a_whole_answer_end_alike(played in streams()) {
        let of = |streams: bool, hold: Hold| {
            let pieces = if streams { played.pieces.clone() } else { vec![played.pieces.iter().sum()] };
            let played = Played { output: output(hold, OnViolation::Revise), streams, pieces, ..played.clone() };
            play(&played, GuardMode::Enforce, &Finding::Conforms).decision
        };
        prop_assert_eq!(of(true, Hold::Full), of(false, Hold::Auto));
    }

    /// In shadow the client gets the upstream's bytes, whatever is found.
    #[test]
    fn shadow_changes_nothing(played in streams(), violates in any::<bool>()) {
        let grounds = Grounds { severity: 4, ..Grounds::default() };
        let screened = if violates { Finding::Violates(grounds) } else { Finding::Conforms };
        let outcome = play(&played, GuardMode::Shadow, &screened);
        prop_assert_eq!(outcome.text, whole(&played));
        prop_assert_eq!(outcome.decision, Some(Decision::Answered));
        let total: usize = played.pieces.iter().sum();
        let is_bad = played.bad_from.is_some_and(|from| from <= total);
        let expected = match (violates, is_bad) {
            (true, _) => Decision::AnsweredByStyle,
            (false, true) => Decision::Revised,
            (false, false) => Decision::Answered,
        };
        prop_assert_eq!(outcome.would, Some(expected));
    }

    /// Whatever comes in whatever order, it ends once and nothing follows.
    #[test]
    fn it_ends_once_whatever_happens(inputs in prop::collection::vec(0_usize..10, 0..60), hold in 0_usize..4, shadow in any::<bool>()) {
        let hold = [Hold::Auto, Hold::Full, Hold::Geometric, Hold::None][hold];
        let mode = if shadow { GuardMode::Shadow } else { GuardMode::Enforce };
        let mut flow = Flow::new(settings(mode, &output(hold, OnViolation::Revise), true));
        let mut ends = 0;
        let (mut screened, mut is_forbidden) = (false, false);
        for (n, kind) in inputs.into_iter().enumerate() {
            let grounds = Grounds { severity: 3, ..Grounds::default() };
            let input = match kind {
                0 if screened => Input::Screened { finding: Finding::Conforms, steerable: false },
                1 => Input::Ended,
                2 => Input::Failed,
                3 => Input::Checked(Finding::Conforms),
                4 => Input::Checked(Finding::Violates(grounds)),
                5 => Input::Checked(Finding::Undecided(grounds)),
                6 => Input::Revised(None),
                7 => Input::Gone,
                8 => Input::Forbidden(grounds),
                _ => Input::Piece(Piece { bytes: Bytes::from_static(b"x"), upto: n, clear: usize::MAX }),
            };
            screened |= matches!(input, Input::Screened { .. });
            let steps = flow.take(input);
            prop_assert!(ends == 0 || steps.is_empty());
            is_forbidden |= kind == 8 && mode == GuardMode::Enforce && ends == 0;
            let leaves = steps.iter().any(|step| matches!(step, Step::Release(_)));
            prop_assert!(!(is_forbidden && leaves) || steps.contains(&Step::End(Decision::Revised)));
            if !screened && mode == GuardMode::Enforce {
                let leaves = steps.iter().any(|step| matches!(step, Step::Release(_)));
                prop_assert!(!leaves || steps.contains(&Step::End(Decision::Revised)));
            }
            ends += steps.iter().filter(|step| matches!(step, Step::End(_))).count();
        }
        prop_assert!(ends <= 1);
    }
}

#[test]
fn a_clean_stream_is_checked_after_24_72_168_and_360_tokens_and_at_its_end() {
    let played = Played {
        pieces: vec![1; 400],
        delay: 0,
        screening: 0,
        bad_from: None,
        output: GuardOutput::default(),
        streams: true,
    };
    let outcome = play(&played, GuardMode::Enforce, &Finding::Conforms);
    assert_eq!(outcome.checks, [24, 72, 168, 360, 400]);
    assert_eq!(outcome.text, whole(&played));
}

#[test]
fn a_request_is_screened_before_anything_leaves() {
    let grave = Grounds { severity: 4, ..Grounds::default() };
    let check = |undecided: UndecidedInput, finding: Finding, steps: &[Step], hold: Hold| {
        let settings =
            FlowSettings { undecided, ..settings(GuardMode::Enforce, &GuardOutput::default(), true) };
        let mut flow = Flow::new(settings);
        let piece = Piece { bytes: Bytes::from_static(b"x"), upto: 30 * CHARS, clear: usize::MAX };
        assert_eq!(flow.take(Input::Piece(piece)), [], "nothing leaves");
        assert_eq!(flow.take(Input::Screened { finding, steerable: false }), steps);
        assert_eq!(flow.hold, hold);
    };
    let styled = |decision| vec![Step::Cancel, Step::Style(grave.clone()), Step::End(decision)];
    let violates = Finding::Violates(grave.clone());
    let unknown = Finding::Undecided(grave.clone());
    let mild = Finding::Undecided(Grounds { severity: 2, ..Grounds::default() });
    check(UndecidedInput::FullHold, violates, &styled(Decision::AnsweredByStyle), Hold::Auto);
    check(UndecidedInput::Closed, unknown.clone(), &styled(Decision::CouldNotJudge), Hold::Auto);
    check(UndecidedInput::FullHold, unknown.clone(), &[], Hold::Full);
    check(UndecidedInput::Pass, unknown, &[], Hold::Full);
    check(UndecidedInput::Pass, mild, &[Step::Check], Hold::Geometric);
    check(UndecidedInput::Pass, Finding::Conforms, &[Step::Check], Hold::Geometric);
}

#[test]
fn a_judge_that_says_nothing_is_never_fine_from_severity_3_on() {
    let check = |severity: u8, undecided: UndecidedOutput, decision: Decision| {
        let output = GuardOutput { undecided, ..GuardOutput::default() };
        let mut flow = Flow::new(settings(GuardMode::Enforce, &output, false));
        flow.take(Input::Screened { finding: Finding::Conforms, steerable: false });
        flow.take(Input::Piece(Piece {
            bytes: Bytes::from_static(b"x"),
            upto: 30 * CHARS,
            clear: usize::MAX,
        }));
        assert_eq!(flow.take(Input::Ended), [Step::Check]);
        let grounds = Grounds { severity, ..Grounds::default() };
        let steps = flow.take(Input::Checked(Finding::Undecided(grounds)));
        assert_eq!(steps.last(), Some(&Step::End(decision)));
    };
    check(2, UndecidedOutput::ClosedFromSeverity3, Decision::Answered);
    check(3, UndecidedOutput::ClosedFromSeverity3, Decision::CouldNotJudge);
    check(2, UndecidedOutput::Closed, Decision::CouldNotJudge);
}

#[test]
fn what_is_steered_is_asked_anew_and_held_in_full() {
    let mut flow =
        Flow::new(settings(GuardMode::Enforce, &output(Hold::Geometric, OnViolation::Replace), true));
    flow.take(Input::Piece(Piece { bytes: Bytes::from_static(b"old"), upto: 9, clear: usize::MAX }));
    flow.take(Input::Failed);
    let finding = Finding::Violates(Grounds::default());
    assert_eq!(flow.take(Input::Screened { finding, steerable: true }), [Step::Cancel, Step::Steer]);
    let fresh = Bytes::from_static(b"new");
    assert_eq!(
        flow.take(Input::Piece(Piece { bytes: fresh.clone(), upto: 500 * CHARS, clear: usize::MAX })),
        []
    );
    assert_eq!(flow.take(Input::Ended), [Step::Check]);
    let steps = flow.take(Input::Checked(Finding::Conforms));
    assert_eq!(steps, [Step::Release(fresh), Step::End(Decision::Answered)]);
}

#[test]
fn what_does_not_fit_is_stopped_and_never_clipped() {
    let output = GuardOutput { max_held_kib: 1, hold: Hold::Full, ..GuardOutput::default() };
    let mut flow = Flow::new(settings(GuardMode::Enforce, &output, true));
    flow.take(Input::Screened { finding: Finding::Conforms, steerable: false });
    let steps = flow.take(Input::Piece(Piece {
        bytes: Bytes::from(vec![b'x'; 1_025]),
        upto: 257,
        clear: usize::MAX,
    }));
    assert_eq!(steps.last(), Some(&Step::End(Decision::CouldNotJudge)));
    assert!(!steps.iter().any(|step| matches!(step, Step::Release(_))));
}

/// Milliseconds that a guard adds to the first and to the last byte of an answer: so many tokens at 60 a second, a first token
/// after 400 ms, a screening and a judge that take so long each.
fn added_ms(hold: Hold, tokens: usize, screening: u64, judge: u64) -> (u64, u64) {
    let at = |token: usize| 400 + (token as u64 - 1) * 1_000 / 60;
    let mut flow = Flow::new(settings(GuardMode::Enforce, &output(hold, OnViolation::Replace), true));
    let mut due: Vec<(u64, Input)> = (1..=tokens)
        .map(|token| {
            (
                at(token),
                Input::Piece(Piece {
                    bytes: Bytes::from_static(b"x"),
                    upto: token * CHARS,
                    clear: usize::MAX,
                }),
            )
        })
        .collect();
    due.push((at(tokens), Input::Ended));
    due.push((screening, Input::Screened { finding: Finding::Conforms, steerable: false }));
    let (mut first, mut last) = (None, 0);
    while !due.is_empty() {
        // Events of one moment come in the order in which they were planned.
        let next = (0..due.len()).min_by_key(|n| due[*n].0).expect("one is left");
        let (now, input) = due.remove(next);
        for step in flow.take(input) {
            match step {
                Step::Check => due.push((now + judge, Input::Checked(Finding::Conforms))),
                Step::Release(_) => {
                    first = first.or(Some(now));
                    last = now;
                }
                _ => {}
            }
        }
    }
    (first.expect("a byte") - at(1), last - at(tokens))
}

#[test]
fn what_a_guard_adds_is_what_its_hold_back_costs() {
    assert_eq!(added_ms(Hold::None, 400, 200, 250), (0, 0), "screening is done before the model begins");
    assert_eq!(added_ms(Hold::None, 400, 520, 250).0, 120, "else its rest is waited for");
    let (first, last) = added_ms(Hold::Geometric, 400, 200, 250);
    assert_eq!((first, last), (383 + 250, 250), "23 more tokens and a check, and one at the end");
    let (first, last) = added_ms(Hold::Full, 400, 200, 250);
    assert_eq!((first, last), (6_650 + 250, 250));
    assert_eq!(
        added_ms(Hold::Geometric, 10, 200, 250),
        (150 + 250, 250),
        "an answer that ends before the first check"
    );
}
