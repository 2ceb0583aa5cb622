//! The bus that carries run events to any number of receivers: the progress display, the JSON lines, a log, a viewer.
//!
//! A receiver that is slow or gone never stops a run. Each receiver may keep the run waiting for [`PATIENCE`] once; from
//! then on it misses what it has no room for, until it has caught up. Nothing here decides what is told: see [`Event`].

use super::Event;
use futures::future::join_all;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;

/// How long a receiver of events may keep a run waiting before it misses some.
const PATIENCE: Duration = Duration::from_secs(1);

/// Events that may wait for a receiver.
const ROOM: usize = 1024;

/// Carries events to whoever subscribed. Clones share their receivers; a receiver ends when the last clone is dropped.
#[derive(Debug, Clone, Default)]
pub struct EventBus(Arc<Mutex<Vec<Arc<Subscription>>>>);

/// One receiver, seen from the bus.
#[derive(Debug)]
struct Subscription {
    sender: mpsc::Sender<Event>,
    /// The receiver did not keep up, and misses what it has no room for.
    lagging: AtomicBool,
}

impl EventBus {
    /// A receiver of every event from now on.
    pub fn subscribe(&self) -> mpsc::Receiver<Event> {
        self.subscribe_with_room(ROOM)
    }

    /// The same, with room for so many events that wait; at least one.
    pub fn subscribe_with_room(&self, room: usize) -> mpsc::Receiver<Event> {
        let (sender, receiver) = mpsc::channel(room.max(1));
        self.subscriptions().push(Arc::new(Subscription { sender, lagging: AtomicBool::new(false) }));
        receiver
    }

    /// Hands an event to every receiver, and waits a little for those that have no room.
    pub async fn tell(&self, event: Event) {
        let open = self.open();
        join_all(open.iter().map(|subscription| subscription.hand(event.clone()))).await;
    }

    /// Hands an event to the receivers that have room, without a wait.
    pub fn offer(&self, event: &Event) {
        for subscription in self.open() {
            let _ = subscription.sender.try_send(event.clone());
        }
    }

    /// The same as [`Self::tell`], for a thread outside of the runtime.
    pub fn tell_blocking(&self, event: &Event) {
        for subscription in self.open() {
            let _ = subscription.sender.blocking_send(event.clone());
        }
    }

    /// The subscriptions whose receivers are still there. The others are forgotten.
    fn open(&self) -> Vec<Arc<Subscription>> {
        let mut subscriptions = self.subscriptions();
        subscriptions.retain(|subscription| !subscription.sender.is_closed());
        subscriptions.clone()
    }

    fn subscriptions(&self) -> MutexGuard<'_, Vec<Arc<Subscription>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    async fn hand(&self, event: Event) {
        if self.lagging.load(Ordering::Relaxed) {
            let missed = self.sender.try_send(event).is_err();
            self.lagging.store(missed, Ordering::Relaxed);
        } else if let Err(SendTimeoutError::Timeout(_)) = self.sender.send_timeout(event, PATIENCE).await {
            self.lagging.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    fn reject(n: usize) -> Event {
        Event::Reject {
            prompt_id: None,
            at: Some(n.to_string()),
            reason: crate::pure::reason::Reason::Empty,
            detail: String::new(),
        }
    }

    fn drain(receiver: &mut mpsc::Receiver<Event>) -> Vec<Event> {
        std::iter::from_fn(|| receiver.try_recv().ok()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_receiver_has_its_own_patience() {
        let bus = EventBus::default();
        let (mut quick, mut slow) = (bus.subscribe_with_room(100), bus.subscribe_with_room(2));
        drop(bus.subscribe());
        let began = Instant::now();
        for n in 0..50 {
            bus.tell(reject(n)).await;
        }
        assert_eq!(began.elapsed(), PATIENCE, "the slow one is waited for once");
        assert_eq!(drain(&mut quick), (0..50).map(reject).collect::<Vec<_>>());
        assert_eq!(drain(&mut slow), [reject(0), reject(1)]);
        // It has caught up, so that it hears everything again, and is waited for once more.
        for n in 50..54 {
            bus.tell(reject(n)).await;
        }
        assert_eq!(began.elapsed(), 2 * PATIENCE);
        assert_eq!(drain(&mut slow), [reject(50), reject(51)]);
        assert_eq!(drain(&mut quick).len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn receivers_come_and_go() {
        let bus = EventBus::default();
        bus.tell(reject(0)).await;
        let mut late = bus.subscribe();
        bus.offer(&reject(1));
        let other = bus.clone();
        drop(bus);
        other.tell(reject(2)).await;
        drop(other);
        assert_eq!((late.recv().await, late.recv().await), (Some(reject(1)), Some(reject(2))));
        assert_eq!(late.recv().await, None, "the last clone is gone");
    }
}
