//! After how many tokens of a stream it is judged: some at first, then after steps that grow up to a limit.

/// A token is counted as so many characters: a guard knows no tokenizer, and checks must not depend on how a stream is cut.
const CHARS_OF_A_TOKEN: usize = 4;

/// The number of tokens that a text of so many characters is counted as.
pub fn tokens_of(chars: usize) -> usize {
    chars.div_ceil(CHARS_OF_A_TOKEN)
}

/// When the next check is due.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckSchedule {
    next: usize,
    step: f64,
    grow: f64,
    most: f64,
}

impl CheckSchedule {
    /// Checks after `first` tokens, then after steps that are `grow` times longer each, and at most `most` long.
    pub fn new(first: u32, grow: f64, most: u32) -> Self {
        let first = first.max(1);
        Self { next: first as usize, step: first.into(), grow: grow.max(1.0), most: most.max(1).into() }
    }

    /// The number of tokens at which the next check is due.
    pub fn next(&self) -> usize {
        self.next
    }

    /// A check is made at so many tokens: the next is due behind it.
    pub fn checked_at(&mut self, tokens: usize) {
        while self.next <= tokens {
            self.step = (self.step * self.grow).min(self.most);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a step is between 1 and a u32"
            )]
            let step = self.step.max(1.0) as usize;
            self.next += step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the checks of an answer are, the one at its end not counted.
    fn checks(first: u32, grow: f64, most: u32, tokens: usize) -> Vec<usize> {
        let mut schedule = CheckSchedule::new(first, grow, most);
        let mut found = Vec::new();
        for token in 1..tokens {
            if token >= schedule.next() {
                found.push(token);
                schedule.checked_at(token);
            }
        }
        found
    }

    #[test]
    fn steps_double_up_to_a_limit() {
        assert_eq!(checks(24, 2.0, 200, 400), [24, 72, 168, 360]);
        assert_eq!(checks(24, 2.0, 200, 1_500).len() + 1, 10);
        assert_eq!(checks(50, 1.0, 50, 201), [50, 100, 150, 200]);
        assert_eq!(checks(200, 2.0, 200, 401), [200, 400]);
    }

    #[test]
    fn a_late_check_skips_what_it_covers() {
        let mut schedule = CheckSchedule::new(24, 2.0, 200);
        schedule.checked_at(100);
        assert_eq!(schedule.next(), 168);
        assert_eq!((tokens_of(0), tokens_of(1), tokens_of(4), tokens_of(5)), (0, 1, 1, 2));
    }
}
