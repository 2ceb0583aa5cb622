//! What a run has spent, held against its budget before every call.
//!
//! A call is let through while something is left, so what is spent beyond a budget is at most what was in flight when it was used
//! up. What earlier passes took counts too: it is read from the journal's answers.

use crate::pure::answer::{Answer, Usage};
use crate::pure::ask::Stop;
use crate::pure::call::{ByRole, Call, Role};
use crate::pure::recipe::{Budget, Models, Price};
use crate::pure::reports::cost_estimate::Used;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes of a token, where an endpoint counts none.
const BYTES_PER_TOKEN: u64 = 4;

/// A budget, and what was spent of it.
#[derive(Debug)]
pub struct Spending {
    budget: Budget,
    prices: ByRole<Option<Price>>,
    began: Instant,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Spent {
    tokens: u64,
    money: f64,
}

impl Spending {
    /// Nothing spent yet.
    ///
    /// # Errors
    ///
    /// The role whose model has no price, where the budget is of money.
    pub fn new(budget: Budget, models: &Models) -> Result<Self, Role> {
        let mut prices = ByRole::default();
        for &role in Role::ALL {
            prices[role] = models.price(role).cloned();
        }
        if budget.money.is_some()
            && let Some(role) = Role::OF_RUNS.iter().find(|role| prices[**role].is_none())
        {
            return Err(*role);
        }
        Ok(Self { budget, prices, began: Instant::now(), spent: Mutex::default() })
    }

    /// Calls alone are limited.
    pub fn of_calls(calls: Option<u64>) -> Self {
        let budget = Budget { calls, ..Budget::default() };
        Self { budget, prices: ByRole::default(), began: Instant::now(), spent: Mutex::default() }
    }

    /// Whether it must be known how many tokens earlier passes took.
    pub fn counts_tokens(&self) -> bool {
        self.budget.counts_tokens()
    }

    /// Counts an answer of an earlier pass.
    pub fn add_earlier(&self, role: Role, body_bytes: usize, usage: Usage) {
        self.add(role, usage, body_bytes as u64);
    }

    /// Counts an answer.
    pub(super) fn add_answer(&self, call: &Call, answer: &Answer) {
        let asked: usize = call.messages.iter().map(|message| message.content.len()).sum();
        self.add(call.role, answer.usage, (asked + answer.text.len()) as u64);
    }

    fn add(&self, role: Role, usage: Usage, bytes: u64) {
        let usage = match usage.prompt + usage.completion {
            0 => Usage { prompt: bytes / BYTES_PER_TOKEN, ..usage },
            _ => usage,
        };
        let used = Used {
            calls: 1.0,
            prompt: usage.prompt as f64,
            cached: usage.cached as f64,
            completion: usage.completion as f64,
        };
        let mut spent = self.spent();
        spent.tokens += usage.prompt + usage.completion;
        spent.money += self.prices[role].as_ref().map_or(0.0, |price| used.money(price));
    }

    /// Whether another call may be asked, after so many.
    ///
    /// # Errors
    ///
    /// What is used up, and how to go on.
    pub(super) fn check(&self, calls: u64) -> Result<(), Stop> {
        let spent = *self.spent();
        let Budget { calls: most_calls, tokens, money, time_s } = &self.budget;
        let used_up = |what: String, field: &str| {
            Err(Stop::Budget(format!("the budget of {what} is used up; a larger `budget.{field}` goes on")))
        };
        if let Some(most) = most_calls.filter(|most| calls >= *most) {
            return used_up(format!("{most} calls"), "calls");
        }
        if let Some(most) = tokens.filter(|most| spent.tokens >= *most) {
            return used_up(format!("{most} tokens"), "tokens");
        }
        if let Some(most) = money.filter(|most| spent.money >= *most) {
            return used_up(format!("{most:.2} for tokens"), "money");
        }
        let time = time_s.and_then(|most| Duration::try_from_secs_f64(most).ok());
        match time.filter(|most| self.began.elapsed() >= *most) {
            Some(most) => Err(Stop::Budget(format!(
                "the budget of {} s is used up; run again to go on",
                most.as_secs()
            ))),
            None => Ok(()),
        }
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models(priced: bool) -> Models {
        let price = if priced { "price = { prompt = 2.0, cached = 1.0, completion = 10.0 }" } else { "" };
        toml::from_str(&format!("[default]\nmodel = \"m\"\n{price}")).unwrap()
    }

    fn spending(budget: Budget) -> Spending {
        Spending::new(budget, &models(true)).unwrap()
    }

    fn why(spending: &Spending, calls: u64) -> String {
        match spending.check(calls) {
            Err(Stop::Budget(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_part_of_a_budget_stops_when_it_is_used_up_and_not_before() {
        let of = |usage: Usage, spending: &Spending| spending.add_earlier(Role::Critic, 1 << 20, usage);
        let calls = spending(Budget { calls: Some(3), ..Budget::default() });
        assert_eq!(calls.check(2), Ok(()));
        assert_eq!(why(&calls, 3), "the budget of 3 calls is used up; a larger `budget.calls` goes on");
        let tokens = spending(Budget { tokens: Some(1000), ..Budget::default() });
        of(Usage { prompt: 990, cached: 0, completion: 9 }, &tokens);
        assert_eq!(tokens.check(1_000_000), Ok(()));
        of(Usage { prompt: 1, cached: 0, completion: 0 }, &tokens);
        assert!(why(&tokens, 0).contains("1000 tokens"));
        // A million tokens: half of the request's from the cache, the rest at 2, the answer's at 10.
        let money = spending(Budget { money: Some(13.0), ..Budget::default() });
        of(Usage { prompt: 1_000_000, cached: 500_000, completion: 1_000_000 }, &money);
        assert_eq!(money.check(0), Ok(()));
        of(Usage { prompt: 1_000_000, cached: 0, completion: 0 }, &money);
        assert!(why(&money, 0).contains("13.00"));
        let time = spending(Budget { time_s: Some(60.0), ..Budget::default() });
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(time.check(0), Ok(()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(why(&time, 0), "the budget of 60 s is used up; run again to go on");
    }

    #[test]
    fn tokens_that_an_endpoint_does_not_count_are_a_quarter_of_the_bytes_and_money_needs_prices() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _guard = runtime.enter();
        let uncounted = spending(Budget { tokens: Some(100), ..Budget::default() });
        uncounted.add_earlier(Role::Critic, 396, Usage::default());
        assert_eq!(uncounted.check(0), Ok(()));
        uncounted.add_earlier(Role::Critic, 4, Usage::default());
        assert!(uncounted.check(0).is_err());
        let money = Budget { money: Some(1.0), ..Budget::default() };
        assert_eq!(Spending::new(money, &models(false)).unwrap_err(), Role::Generator);
    }
}
