//! One request on its way through the guard, as a state machine: no IO, no clock.
//!
//! ```text
//! received ─▶ screened ─▶ answered by style
//!                     ├─▶ steered ─┐
//!                     └─▶ forwarded ─▶ held ─▶ answered, revised, replaced or stopped
//! ```
//!
//! Every state may also end in `could-not-judge`, `upstream-failed` or `cancelled`. Whoever drives it tells what happened
//! ([`Input`]) and does what it says ([`Step`]), in that order. It holds the pieces that may not leave yet; nobody else does.

mod events;
mod shadow;

pub use events::{Decision, Input, Piece, Step};

use super::finding::{Finding, GRAVE, Grounds};
use super::schedule::{CheckSchedule, tokens_of};
use crate::pure::recipe::{GuardMode, GuardOutput, Hold, OnViolation, Tier, UndecidedInput, UndecidedOutput};
use std::collections::VecDeque;

/// What a flow goes by.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowSettings {
    /// Whether it acts.
    pub mode: GuardMode,
    /// Whether the client asked for a stream. What is not streamed is one piece, and judged as one.
    pub streams: bool,
    /// What becomes of a request that could not be judged.
    pub undecided: UndecidedInput,
    /// How the answer is judged.
    pub output: GuardOutput,
}

impl FlowSettings {
    /// Whether a model judges the answer; else rules alone do.
    fn asks_judge(&self) -> bool {
        self.output.tiers.contains(&Tier::Screen)
    }
}

/// Where it stands between its beginning and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
enum State {
    /// The request is being judged.
    Received,
    /// The answer comes, and is held as far as it must.
    Held,
    /// A revision is being made.
    Revising,
    /// Over.
    Over,
}

/// How far the upstream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upstream {
    Coming,
    Ended,
    Failed,
}

/// One request on its way through the guard.
#[derive(Debug)]
pub struct Flow {
    settings: FlowSettings,
    state: State,
    hold: Hold,
    steered: bool,
    schedule: CheckSchedule,
    held: VecDeque<Piece>,
    held_bytes: usize,
    /// Pieces that are held no more, and those that rules let go.
    gone: usize,
    clear: usize,
    /// What a rule found in the answer.
    forbidden: Option<Grounds>,
    /// Characters that came, that a check has reached, that left.
    came: usize,
    checked: usize,
    released: usize,
    has_released: bool,
    upstream: Upstream,
    /// Characters that the check under way reaches.
    checking: Option<usize>,
    /// In shadow: what would have happened.
    would: Option<Decision>,
}

impl Flow {
    /// A request was received.
    pub fn new(settings: FlowSettings) -> Self {
        let output = &settings.output;
        let schedule = CheckSchedule::new(output.first_tokens, output.grow, output.most_tokens);
        let hold = output.hold;
        Self {
            settings,
            state: State::Received,
            hold,
            steered: false,
            schedule,
            held: VecDeque::new(),
            held_bytes: 0,
            gone: 0,
            clear: 0,
            forbidden: None,
            came: 0,
            checked: 0,
            released: 0,
            has_released: false,
            upstream: Upstream::Coming,
            checking: None,
            would: None,
        }
    }

    /// Tokens of the upstream's answer that left.
    pub fn released(&self) -> usize {
        tokens_of(self.released)
    }

    /// Whether the request is judged.
    pub fn is_screened(&self) -> bool {
        self.state != State::Received
    }

    /// Bytes that are held back now.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether the model answers under a hint.
    pub fn is_steered(&self) -> bool {
        self.steered
    }

    /// What would have happened, where the guard only looks on.
    pub fn would(&self) -> Option<Decision> {
        self.would
    }

    /// Whether all of the answer must be judged before any of it leaves.
    pub fn holds_all(&self) -> bool {
        self.hold == Hold::Full
    }

    /// Takes what happened, and says what is to be done.
    pub fn take(&mut self, input: Input) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.state == State::Over {
            return steps;
        }
        if input == Input::Gone {
            self.end(Decision::Cancelled, &mut steps);
        } else if self.settings.mode == GuardMode::Shadow {
            self.look_on(input, &mut steps);
        } else {
            self.act(input, &mut steps);
        }
        steps
    }

    fn has_ended(&self) -> bool {
        self.upstream == Upstream::Ended
    }

    fn act(&mut self, input: Input, steps: &mut Vec<Step>) {
        match input {
            Input::Screened { finding, steerable } => self.screened(finding, steerable, steps),
            Input::Piece(piece) => self.piece(piece, steps),
            Input::Forbidden(grounds) => {
                self.forbidden.get_or_insert(grounds);
                self.go_on(steps);
            }
            Input::Ended => {
                self.upstream = Upstream::Ended;
                self.clear = usize::MAX;
                self.go_on(steps);
            }
            // A request that is declined is declined, however the upstream is.
            Input::Failed if self.state == State::Received => self.upstream = Upstream::Failed,
            Input::Failed => self.fail(steps),
            Input::Checked(finding) => self.checked(finding, steps),
            Input::Revised(Some(bytes)) => {
                self.has_released = true;
                steps.push(Step::Release(bytes));
                self.end(Decision::Revised, steps);
            }
            Input::Revised(None) => {
                steps.push(Step::Style(Grounds::default()));
                self.end(Decision::Replaced, steps);
            }
            Input::Gone => {}
        }
    }

    fn screened(&mut self, finding: Finding, steerable: bool, steps: &mut Vec<Step>) {
        let undecided = self.settings.undecided;
        match finding {
            Finding::Conforms => {
                if self.hold == Hold::Auto {
                    self.hold = Hold::Geometric;
                }
            }
            Finding::Violates(_) if steerable => {
                self.steered = true;
                self.hold = Hold::Full;
                self.forget_answer();
                steps.extend([Step::Cancel, Step::Steer]);
            }
            Finding::Violates(grounds) => {
                steps.extend([Step::Cancel, Step::Style(grounds)]);
                return self.end(Decision::AnsweredByStyle, steps);
            }
            Finding::Undecided(grounds) => match undecided {
                UndecidedInput::Closed => {
                    steps.extend([Step::Cancel, Step::Style(grounds)]);
                    return self.end(Decision::CouldNotJudge, steps);
                }
                UndecidedInput::Pass if grounds.severity < GRAVE => {
                    if self.hold == Hold::Auto {
                        self.hold = Hold::Geometric;
                    }
                }
                UndecidedInput::Pass | UndecidedInput::FullHold => self.hold = Hold::Full,
            },
        }
        if !self.settings.streams && self.hold != Hold::None {
            self.hold = Hold::Full;
        }
        self.state = State::Held;
        if self.upstream == Upstream::Failed {
            return self.fail(steps);
        }
        self.go_on(steps);
    }

    fn fail(&mut self, steps: &mut Vec<Step>) {
        steps.push(Step::Fail);
        self.end(Decision::UpstreamFailed, steps);
    }

    fn piece(&mut self, piece: Piece, steps: &mut Vec<Step>) {
        (self.came, self.clear) = (piece.upto, piece.clear);
        self.held_bytes += piece.bytes.len();
        self.held.push_back(piece);
        self.go_on(steps);
        let most =
            usize::try_from(self.settings.output.max_held_kib).unwrap_or(usize::MAX).saturating_mul(1024);
        if self.state != State::Over && self.held_bytes > most {
            let why = Some("the answer is longer than may be held back".to_owned());
            self.object(Grounds { why, ..Grounds::default() }, Decision::CouldNotJudge, steps);
        }
    }

    /// Releases what may leave, asks for the check that is due, and ends what is at its end.
    fn go_on(&mut self, steps: &mut Vec<Step>) {
        if self.state != State::Held {
            return;
        }
        if self.forbidden.is_some() {
            return self.forbid(steps);
        }
        if !self.settings.asks_judge() {
            self.checked = self.came;
        }
        if self.hold == Hold::None {
            self.release_upto(usize::MAX, steps);
            if self.has_ended() {
                return self.end(Decision::Answered, steps);
            }
        }
        if self.hold == Hold::Geometric && self.checked > 0 {
            self.release_upto(self.checked, steps);
        }
        if self.has_ended() && self.checked == self.came {
            self.release_upto(usize::MAX, steps);
            return self.end(Decision::Answered, steps);
        }
        let is_due = match self.hold {
            Hold::Full | Hold::Auto => self.has_ended(),
            Hold::Geometric | Hold::None => self.has_ended() || tokens_of(self.came) >= self.schedule.next(),
        };
        if is_due && self.checking.is_none() && self.came > self.checked {
            self.schedule.checked_at(tokens_of(self.came));
            self.checking = Some(self.came);
            steps.push(Step::Check);
        }
    }

    /// A rule found a forbidden span, of which nothing has left. What is held in full may still be revised when it is whole.
    fn forbid(&mut self, steps: &mut Vec<Step>) {
        let revises = self.settings.output.on_violation == OnViolation::Revise && !self.has_released;
        if revises && self.hold == Hold::Full && !self.has_ended() {
            return;
        }
        let Some(grounds) = self.forbidden.take() else { return };
        if revises && self.has_ended() {
            self.state = State::Revising;
            steps.push(Step::Revise(grounds));
        } else {
            self.object(grounds, Decision::Replaced, steps);
        }
    }

    fn checked(&mut self, finding: Finding, steps: &mut Vec<Step>) {
        let Some(upto) = self.checking.take() else { return };
        match finding {
            Finding::Conforms => self.passes(upto, steps),
            Finding::Undecided(grounds)
                if self.settings.output.undecided == UndecidedOutput::ClosedFromSeverity3
                    && grounds.severity < GRAVE =>
            {
                self.passes(upto, steps);
            }
            Finding::Undecided(grounds) => self.object(grounds, Decision::CouldNotJudge, steps),
            Finding::Violates(grounds) => {
                let may_revise = self.has_ended() && upto == self.came && !self.has_released;
                match self.settings.output.on_violation {
                    OnViolation::Revise if may_revise => {
                        self.state = State::Revising;
                        steps.push(Step::Revise(grounds));
                    }
                    OnViolation::Revise | OnViolation::Replace | OnViolation::Stop => {
                        self.object(grounds, Decision::Replaced, steps);
                    }
                }
            }
        }
    }

    fn passes(&mut self, upto: usize, steps: &mut Vec<Step>) {
        self.checked = upto;
        if self.hold != Hold::Full || self.has_ended() {
            self.release_upto(upto, steps);
        }
        self.go_on(steps);
    }

    /// No more of the answer leaves.
    fn object(&mut self, grounds: Grounds, decision: Decision, steps: &mut Vec<Step>) {
        self.forget_answer();
        steps.push(Step::Cancel);
        let closes = self.has_released || self.settings.output.on_violation == OnViolation::Stop;
        if closes && self.settings.streams {
            steps.push(Step::Close(grounds));
            let decision = if decision == Decision::Replaced { Decision::Stopped } else { decision };
            self.end(decision, steps);
        } else {
            steps.push(Step::Style(grounds));
            self.end(decision, steps);
        }
    }

    fn release_upto(&mut self, upto: usize, steps: &mut Vec<Step>) {
        while self.held.front().is_some_and(|piece| piece.upto <= upto && self.gone < self.clear) {
            let Some(piece) = self.held.pop_front() else { return };
            self.gone += 1;
            self.held_bytes -= piece.bytes.len();
            self.released = piece.upto;
            self.has_released = true;
            steps.push(Step::Release(piece.bytes));
        }
    }

    fn forget_answer(&mut self) {
        self.held.clear();
        (self.held_bytes, self.came, self.gone, self.clear) = (0, 0, 0, 0);
        self.forbidden = None;
        self.upstream = Upstream::Coming;
    }

    fn end(&mut self, decision: Decision, steps: &mut Vec<Step>) {
        self.state = State::Over;
        self.held.clear();
        self.held_bytes = 0;
        steps.push(Step::End(decision));
    }
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
