//! How many bytes of responses may be in memory: of one body by what was asked for, and of all bodies together.

use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of all bodies that are being read at once.
const ALL_BODIES: usize = 128 << 20;
/// Bytes that a body may have whatever was asked for: a page of an error, say.
const ANY_BODY: u64 = 1 << 20;
/// Bytes of a body for each token that was allowed, with the names and marks that go with a token in a stream.
const PER_TOKEN: u64 = 1 << 10;
/// The same for each alternative of which the log-probability was asked.
const PER_ALTERNATIVE: u64 = 1 << 8;
/// Bytes that no body has, however much was asked for.
const LARGEST_BODY: u64 = 64 << 20;

/// The bytes that all endpoints of a run share.
#[derive(Debug, Clone, Default)]
pub(super) struct BodyBudget {
    used: Arc<AtomicUsize>,
}

/// A body that is being read. Its bytes are given back when this is dropped.
#[derive(Debug)]
pub(super) struct BodyBytes {
    budget: BodyBudget,
    held: usize,
    most: usize,
}

impl BodyBudget {
    /// For the response to a request.
    pub(super) fn for_request(&self, request: &Value) -> BodyBytes {
        let number = |name: &str| request[name].as_u64();
        let tokens = number("max_tokens").or_else(|| number("max_completion_tokens")).unwrap_or(u64::MAX);
        let per_token = PER_TOKEN + PER_ALTERNATIVE * number("top_logprobs").unwrap_or(0).min(100);
        let most = ANY_BODY.saturating_add(tokens.saturating_mul(per_token)).min(LARGEST_BODY);
        BodyBytes { budget: self.clone(), held: 0, most: usize::try_from(most).unwrap_or(usize::MAX) }
    }
}

impl BodyBytes {
    /// Takes bytes that came. `Err` says why they cannot be kept.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), String> {
        if self.held.saturating_add(bytes) > self.most {
            let most = self.most as f64 / f64::from(1 << 20);
            return Err(format!("the response is larger than {most:.1} MiB, far more than was asked for"));
        }
        self.held += bytes;
        let all = self.budget.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if all > ALL_BODIES {
            return Err("the responses that come at once do not fit into memory".to_owned());
        }
        Ok(())
    }
}

impl Drop for BodyBytes {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_body_is_as_large_as_what_was_asked_for() {
        let budget = BodyBudget::default();
        let mut small = budget.for_request(&json!({ "max_tokens": 1000 }));
        assert_eq!(small.take(2_000_000), Ok(()));
        let why = small.take(100_000).unwrap_err();
        assert_eq!(why, "the response is larger than 2.0 MiB, far more than was asked for");
        let mut with_logprobs = budget.for_request(&json!({ "max_tokens": 1000, "top_logprobs": 20 }));
        assert_eq!(with_logprobs.take(5_000_000), Ok(()));
        let mut unlimited = budget.for_request(&json!({}));
        assert_eq!(unlimited.take(64 << 20), Ok(()));
        assert!(unlimited.take(1).is_err());
    }

    #[test]
    fn all_bodies_share_what_there_is() {
        let budget = BodyBudget::default();
        let large = || budget.for_request(&json!({}));
        let mut two = [large(), large()];
        assert!(two.iter_mut().all(|body| body.take(60 << 20).is_ok()));
        assert!(large().take(60 << 20).is_err());
        // What did not fit is given back as well.
        drop(two);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
        assert_eq!(large().take(60 << 20), Ok(()));
    }
}
