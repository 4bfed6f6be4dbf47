//! A Redis in this process: it executes what the cache sends, scripts included, on values held in
//! memory, by tokio's clock, which tests stop. Each instance has a [`Line`] to it, on which
//! everything can go wrong that goes wrong on a network: answers come late or never, commands
//! arrive after their sender gave up, connections break. `against_real` holds it to what a real
//! server replies.
//!
//! Not in here: memory limits that evict by themselves, replication, transactions, Cluster's
//! redirects. What only Cluster would refuse is noted as a violation, see [`Server::violations`].

mod against_real;
mod commands;
mod keyspace;
mod line;
mod script;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

pub(in crate::cache) use commands::Mode;
use commands::{Command, Engine};
use deadpool_redis::redis::Value;
use keyspace::Held;
pub(in crate::cache) use keyspace::{Change, What};
pub(in crate::cache) use line::{Line, Way};

/// Changes that the test made itself, in the log.
pub(super) const BY_TEST: usize = usize::MAX;

/// The server. Cheap to clone; the clones are one server.
#[derive(Clone)]
pub(in crate::cache) struct Server(Arc<Mutex<State>>);

struct State {
    engine: Engine,
    subscriptions: Vec<Subscription>,
    /// Connections made so far.
    connections: usize,
}

struct Subscription {
    channel: String,
    messages: mpsc::UnboundedSender<Bytes>,
}

impl Server {
    pub(in crate::cache) fn new() -> Server {
        Server(Arc::new(Mutex::new(State {
            engine: Engine::new(),
            subscriptions: Vec::new(),
            connections: 0,
        })))
    }

    /// A connection for one instance. Times on it are drawn from `seed`.
    pub(in crate::cache) fn line(&self, seed: u64) -> Line {
        let mut state = self.lock();
        state.connections += 1;
        Line::new(self.clone(), state.connections, seed)
    }

    /// Executes a command at once, as one that has always been connected.
    pub(in crate::cache) fn execute(&self, command: &[&[u8]]) -> Value {
        let command = command
            .iter()
            .copied()
            .map(Bytes::copy_from_slice)
            .collect();
        self.answer(&command, BY_TEST)
    }

    fn answer(&self, command: &Command, by: usize) -> Value {
        let mut state = self.lock();
        let State {
            engine,
            subscriptions,
            ..
        } = &mut *state;
        subscriptions.retain(|subscription| !subscription.messages.is_closed());
        engine.subscribers = subscriptions.len();
        let reply = engine.answer(command, by);
        for (channel, message) in engine.published.drain(..) {
            for subscription in &*subscriptions {
                if subscription.channel == channel {
                    let _ = subscription.messages.send(message.clone());
                }
            }
        }
        reply
    }

    fn subscribe(&self, channel: &str) -> mpsc::UnboundedReceiver<Bytes> {
        let (messages, received) = mpsc::unbounded_channel();
        self.lock().subscriptions.push(Subscription {
            channel: channel.to_owned(),
            messages,
        });
        received
    }

    /// The server comes back without what it held.
    pub(in crate::cache) fn flush(&self) {
        self.lock().engine.keyspace.flush(BY_TEST);
    }

    /// One key is gone, as if there had been no room for it.
    pub(in crate::cache) fn evict(&self, key: &str) {
        self.lock().engine.keyspace.remove(key, BY_TEST);
    }

    pub(in crate::cache) fn get(&self, key: &str) -> Option<Bytes> {
        match self.lock().engine.keyspace.get(key) {
            Some(Held::Text(value)) => Some(value.clone()),
            _ => None,
        }
    }

    /// How far the server's clock is from what it was at first, in microseconds.
    pub(in crate::cache) fn set_skew(&self, skew_us: i64) {
        self.lock().engine.keyspace.skew_us = skew_us;
    }

    pub(in crate::cache) fn set_mode(&self, mode: Mode) {
        self.lock().engine.mode = mode;
    }

    pub(in crate::cache) fn mode(&self) -> Mode {
        self.lock().engine.mode
    }

    /// What the cache did that no server, or no Cluster, would stand: unknown commands, keys that
    /// a script was not given, keys of several hash tags. Every test asserts that there is none.
    pub(in crate::cache) fn violations(&self) -> Vec<String> {
        self.lock().engine.violations.clone()
    }

    /// The changes since the last call.
    pub(in crate::cache) fn take_log(&self) -> Vec<Change> {
        std::mem::take(&mut self.lock().engine.keyspace.log)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn values_expire_by_the_stopped_clock_and_its_skew() {
        let fake = Server::new();
        let get = || fake.execute(&[b"GET", b"k"]);
        let left = || fake.execute(&[b"PTTL", b"k"]);
        fake.execute(&[b"SET", b"k", b"v", b"PX", b"1000"]);
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!(left(), Value::Int(1));
        fake.set_skew(-500_000);
        assert_eq!(left(), Value::Int(501));
        fake.set_skew(0);
        tokio::time::advance(Duration::from_millis(2)).await;
        assert_eq!((get(), left()), (Value::Nil, Value::Int(-2)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_cluster_would_refuse_is_a_violation() {
        for words in [
            &[&b"MGET"[..], b"{a}k", b"{b}k"][..],
            &[b"EVAL", b"return 1", b"2", b"{a}k", b"{b}k"],
            &[b"EVAL", b"return redis.call('GET', '{a}l')", b"1", b"{a}k"],
            &[b"INCR", b"k"],
        ] {
            let fake = Server::new();
            assert!(matches!(fake.execute(words), Value::ServerError(_)));
            assert_eq!(fake.violations().len(), 1, "{words:?}");
        }
    }
}
