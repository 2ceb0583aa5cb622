//! How often something is asked again, and how long is waited before that. Pure: waiting is done in `connection`.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::Duration;

/// The longest wait that amend chooses by itself.
const LONGEST_OWN: Duration = Duration::from_secs(30);
/// The longest wait that a hub may ask for. The hub counts its limits over windows of five minutes.
const LONGEST_ASKED: Duration = Duration::from_secs(330);

/// How often one thing may still be asked, and how long the next wait is.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    left: u32,
    next: Duration,
}

impl Patience {
    /// `tries` attempts in all; `first` is the wait before the second one, and each later wait is twice as long.
    pub(super) fn new(tries: u32, first: Duration) -> Self {
        Self { left: tries.saturating_sub(1), next: first }
    }

    /// The wait before the next attempt, of the length that the hub asked for, if it did. None when there is no next attempt.
    pub(super) fn wait(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let own = self.next;
        self.next = (own * 2).min(LONGEST_OWN);
        match asked {
            Some(asked) => (asked <= LONGEST_ASKED).then_some(asked),
            None => Some(own),
        }
    }
}

/// Whether an answer says that the same request may go well later.
pub(super) fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// How long the hub asks to wait: `Retry-After` in seconds, or the `t` of its `RateLimit` header where nothing remains.
pub(super) fn asked_for(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let seconds = text(RETRY_AFTER.as_str()).and_then(|value| value.trim().parse::<f64>().ok());
    let seconds = seconds.or_else(|| {
        let limit = text("ratelimit")?;
        let field = |name: &str| {
            let pairs = limit.split([';', ',']).filter_map(|pair| pair.trim().split_once('='));
            pairs.into_iter().find(|(key, _)| *key == name).and_then(|(_, value)| value.trim().parse().ok())
        };
        (field("r")? == 0.0).then(|| field("t")).flatten()
    })?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn waits_grow_and_end() {
        let mut patience = Patience::new(4, Duration::from_secs(10));
        let waits: Vec<_> = std::iter::from_fn(|| patience.wait(None)).map(|wait| wait.as_secs()).collect();
        assert_eq!(waits, [10, 20, 30]);
        assert_eq!(Patience::new(1, Duration::ZERO).wait(None), None);
        assert_eq!(Patience::new(0, Duration::ZERO).wait(None), None);
    }

    #[test]
    fn the_hub_may_ask_for_a_wait_within_reason() {
        let mut patience = Patience::new(3, Duration::from_secs(1));
        assert_eq!(patience.wait(Some(Duration::from_secs(300))), Some(Duration::from_secs(300)));
        assert_eq!(patience.wait(Some(Duration::from_secs(3600))), None);
    }

    #[test]
    fn waits_are_read_from_both_headers() {
        let seconds = |name, value| asked_for(&headers(name, value)).map(|wait| wait.as_secs());
        assert_eq!(seconds("retry-after", "7"), Some(7));
        assert_eq!(seconds("retry-after", "-7"), None);
        assert_eq!(seconds("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), None);
        assert_eq!(seconds("ratelimit", "\"api\";r=0;t=55"), Some(55));
        assert_eq!(seconds("ratelimit", "\"api\";r=12;t=55"), None);
        assert_eq!(seconds("x-other", "7"), None);
    }
}
