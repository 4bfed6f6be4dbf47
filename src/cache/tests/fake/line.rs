//! One instance's connection to the fake server, and what can happen on it. Commands travel as
//! tasks of their own: who gives up waiting does not stop them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use deadpool_redis::redis::{Arg, Pipeline, Value};
use tokio::sync::{mpsc, oneshot, watch};

use super::Server;
use super::commands::Command;
use crate::stats::RedisError;

/// An instance's connection. Cheap to clone; the clones are one connection.
#[derive(Clone)]
pub(in crate::cache) struct Line(Arc<Inner>);

struct Inner {
    server: Server,
    number: usize,
    state: watch::Sender<State>,
    random: AtomicU64,
}

/// Whether anything comes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cache) enum Way {
    Open,
    /// Nothing is lost, and nothing comes through before it is open again: a partition that TCP
    /// outlasts, or an instance that is stopped.
    Held,
    /// Commands fail at once; there is no subscription.
    Refused,
    /// For good: the instance is gone.
    Cut,
}

#[derive(Clone, Copy)]
struct State {
    way: Way,
    /// Changes when the connection breaks: what was under way is lost.
    era: u64,
    /// Added to the way there and to the way back.
    slow: [Duration; 2],
}

/// The longest that a command or its answer is under way when nothing is wrong, in microseconds.
const TRAVEL_US: u64 = 400;

impl Line {
    pub(super) fn new(server: Server, number: usize, seed: u64) -> Line {
        let state = State {
            way: Way::Open,
            era: 0,
            slow: [Duration::ZERO; 2],
        };
        Line(Arc::new(Inner {
            server,
            number,
            state: watch::Sender::new(state),
            random: AtomicU64::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
        }))
    }

    /// Its number in the server's log.
    pub(in crate::cache) fn number(&self) -> usize {
        self.0.number
    }

    /// The replies to `commands`, in order; another instance's may come between them. Dropping it
    /// does not stop the commands.
    pub(in crate::cache) async fn exchange(
        &self,
        commands: &Pipeline,
    ) -> Result<Vec<Value>, RedisError> {
        let commands = commands.cmd_iter().map(|command| {
            let words = command.args_iter().map(|word| match word {
                Arg::Simple(bytes) => Bytes::copy_from_slice(bytes),
                _ => panic!("the cache uses no cursors"),
            });
            words.collect()
        });
        let commands: Vec<Command> = commands.collect();
        let (tell, told) = oneshot::channel();
        let line = self.clone();
        tokio::spawn(async move {
            let _ = tell.send(line.carry(commands).await);
        });
        told.await.unwrap_or(Err(RedisError::Closed))
    }

    async fn carry(&self, commands: Vec<Command>) -> Result<Vec<Value>, RedisError> {
        let era = self.0.state.borrow().era;
        self.travel(era, 0).await?;
        let mut replies = Vec::with_capacity(commands.len());
        for command in &commands {
            if !replies.is_empty() && self.draw(4) == 0 {
                tokio::time::sleep(Duration::from_micros(self.draw(TRAVEL_US))).await;
            }
            replies.push(self.0.server.answer(command, self.0.number));
        }
        self.travel(era, 1).await?;
        Ok(replies)
    }

    /// Messages published on `channel` from now on, until the connection breaks.
    pub(in crate::cache) async fn subscribe(
        &self,
        channel: &str,
    ) -> Result<mpsc::UnboundedReceiver<Bytes>, RedisError> {
        let era = self.0.state.borrow().era;
        self.travel(era, 0).await?;
        let mut published = self.0.server.subscribe(channel);
        self.travel(era, 1).await?;
        let (forward, messages) = mpsc::unbounded_channel();
        let line = self.clone();
        tokio::spawn(async move {
            loop {
                let message = tokio::select! {
                    () = forward.closed() => return,
                    () = line.broken(era) => return,
                    message = published.recv() => message,
                };
                let Some(message) = message else { return };
                if line.travel(era, 1).await.is_err() || forward.send(message).is_err() {
                    return;
                }
            }
        });
        Ok(messages)
    }

    /// The time it takes, as long as the connection holds.
    async fn travel(&self, era: u64, direction: usize) -> Result<(), RedisError> {
        let slow = self.0.state.borrow().slow[direction];
        let time = slow + Duration::from_micros(1 + self.draw(TRAVEL_US));
        tokio::select! {
            biased;
            () = self.broken(era) => return Err(RedisError::Closed),
            () = tokio::time::sleep(time) => {}
        }
        let mut state = self.0.state.subscribe();
        let now = state.wait_for(|state| state.way != Way::Held).await;
        let now = now.expect("the sender is in self");
        if now.way == Way::Open && now.era == era {
            Ok(())
        } else {
            Err(RedisError::Closed)
        }
    }

    async fn broken(&self, era: u64) {
        let mut state = self.0.state.subscribe();
        let gone = |state: &State| state.era != era || matches!(state.way, Way::Refused | Way::Cut);
        let _ = state.wait_for(gone).await;
    }

    pub(in crate::cache) fn set_way(&self, way: Way) {
        self.0.state.send_modify(|state| {
            if state.way != Way::Cut {
                state.way = way;
            }
        });
    }

    /// Until it is not [`Way::Held`]: what a stopped instance waits for too.
    pub(in crate::cache) async fn passable(&self) {
        let mut state = self.0.state.subscribe();
        let _ = state.wait_for(|state| state.way != Way::Held).await;
    }

    /// The connection breaks, and the next one works.
    pub(in crate::cache) fn break_once(&self) {
        self.0.state.send_modify(|state| state.era += 1);
    }

    /// How much later than usual commands arrive, and answers.
    pub(in crate::cache) fn set_slow(&self, there: Duration, back: Duration) {
        self.0.state.send_modify(|state| state.slow = [there, back]);
    }

    /// Below `bound`, from the connection's seed.
    fn draw(&self, bound: u64) -> u64 {
        let next = |state: u64| {
            let mut next = state;
            next ^= next << 13;
            next ^= next >> 7;
            next ^= next << 17;
            Some(next)
        };
        let random = &self.0.random;
        let drawn = random.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        (drawn.unwrap_or_else(|state| state) >> 11) % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use deadpool_redis::redis::pipe;
    use tokio::time::timeout;

    use super::*;

    const DEADLINE: Duration = Duration::from_millis(250);

    async fn set(line: &Line, value: &str) -> Result<Vec<Value>, RedisError> {
        let mut commands = pipe();
        commands.cmd("SET").arg("k").arg(value);
        line.exchange(&commands).await
    }

    fn publish(server: &Server, message: &str) -> Value {
        server.execute(&[b"PUBLISH", b"channel", message.as_bytes()])
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_is_executed_though_its_sender_gave_up() {
        let server = Server::new();
        let line = server.line(1);
        line.set_slow(Duration::ZERO, 2 * DEADLINE);
        assert!(timeout(DEADLINE, set(&line, "late answer")).await.is_err());
        assert_eq!(server.get("k").unwrap(), "late answer");
        line.set_slow(2 * DEADLINE, Duration::ZERO);
        assert!(timeout(DEADLINE, set(&line, "late")).await.is_err());
        assert_eq!(server.get("k").unwrap(), "late answer");
        tokio::time::sleep(2 * DEADLINE).await;
        assert_eq!(server.get("k").unwrap(), "late");
        assert_eq!(server.take_log().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_comes_through_when_the_way_is_open_again() {
        let server = Server::new();
        let line = server.line(1);
        let mut messages = line.subscribe("channel").await.unwrap();
        line.set_way(Way::Held);
        assert!(timeout(DEADLINE, set(&line, "held")).await.is_err());
        assert_eq!(publish(&server, "held"), Value::Int(1));
        assert!(timeout(DEADLINE, messages.recv()).await.is_err());
        assert!(timeout(DEADLINE, line.passable()).await.is_err());
        assert_eq!(server.get("k"), None);
        line.set_way(Way::Open);
        assert_eq!(messages.recv().await.unwrap(), "held");
        line.passable().await;
        assert_eq!(set(&line, "next").await.unwrap(), [Value::Okay]);
        assert_eq!(server.take_log().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_break_loses_what_is_under_way_and_ends_the_subscription() {
        let server = Server::new();
        let line = server.line(1);
        for way in [None, Some(Way::Refused), Some(Way::Cut)] {
            line.set_way(Way::Open);
            let mut messages = line.subscribe("channel").await.unwrap();
            let (answer, ()) = tokio::join!(set(&line, "lost"), async {
                // The command has been sent.
                tokio::task::yield_now().await;
                way.map_or_else(|| line.break_once(), |way| line.set_way(way));
            });
            assert_eq!(answer, Err(RedisError::Closed), "{way:?}");
            assert_eq!(messages.recv().await, None, "{way:?}");
            assert_eq!(set(&line, "next").await.is_ok(), way.is_none());
        }
        line.set_way(Way::Open);
        assert!(set(&line, "never").await.is_err(), "who is gone is gone");
        assert_eq!(server.get("k").unwrap(), "next");
        assert_eq!(server.take_log()[0].by, line.number());
    }
}
