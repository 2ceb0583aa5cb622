//! The flow of a guard that only looks on: everything leaves at once, and what would have happened is remembered.

use super::{Decision, Flow, Input, State, Step, Upstream};
use crate::pure::guard::finding::{Finding, GRAVE};
use crate::pure::recipe::{OnViolation, UndecidedInput, UndecidedOutput};

impl Flow {
    /// In shadow everything leaves at once, and what is found is only written down.
    pub(super) fn look_on(&mut self, input: Input, steps: &mut Vec<Step>) {
        match input {
            Input::Screened { finding, steerable } => {
                self.would = match finding {
                    Finding::Violates(_) if !steerable => Some(Decision::AnsweredByStyle),
                    Finding::Undecided(_) if self.settings.undecided == UndecidedInput::Closed => {
                        Some(Decision::CouldNotJudge)
                    }
                    Finding::Conforms | Finding::Violates(_) | Finding::Undecided(_) => None,
                };
                self.state = State::Held;
                self.look_at_end(steps);
            }
            Input::Piece(piece) => {
                (self.came, self.released) = (piece.upto, piece.upto);
                steps.push(Step::Release(piece.bytes));
            }
            Input::Ended => {
                self.upstream = Upstream::Ended;
                steps.push(Step::Finish);
                self.look_at_end(steps);
            }
            Input::Forbidden(_) => {
                let found = self.on_violation();
                self.would.get_or_insert(found);
            }
            Input::Failed => self.fail(steps),
            Input::Checked(finding) => {
                self.checking = None;
                let found = match finding {
                    Finding::Violates(_) => self.on_violation(),
                    Finding::Undecided(grounds)
                        if grounds.severity >= GRAVE
                            || self.settings.output.undecided == UndecidedOutput::Closed =>
                    {
                        Decision::CouldNotJudge
                    }
                    Finding::Conforms | Finding::Undecided(_) => Decision::Answered,
                };
                self.would = Some(found);
                self.end(Decision::Answered, steps);
            }
            Input::Revised(_) | Input::Gone => {}
        }
    }

    /// How an answer that violates a principle would end.
    fn on_violation(&self) -> Decision {
        match self.settings.output.on_violation {
            OnViolation::Revise => Decision::Revised,
            OnViolation::Replace => Decision::Replaced,
            OnViolation::Stop => Decision::Stopped,
        }
    }

    fn look_at_end(&mut self, steps: &mut Vec<Step>) {
        if self.state != State::Held || !self.has_ended() || self.checking.is_some() {
            return;
        }
        if self.would.is_some() || self.came == 0 || !self.settings.asks_judge() {
            self.would = self.would.or(Some(Decision::Answered));
            return self.end(Decision::Answered, steps);
        }
        self.checking = Some(self.came);
        steps.push(Step::Check);
    }
}
