//! What clients ask of an instance: a value, a purge, a refresh. Each is a task that records when
//! it began and how it ended; none begins while its instance stands still.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::super::key::Key;
use super::super::super::lookup::Lookup;
use super::super::super::purge_request::{PurgeKind, PurgeScope};
use super::database::parse;
use super::fleet::{Fleet, PATIENCE, POLICY, State};
use super::record::{Answer, Purge, Refresh, Request, query_of};
use super::steps::Purged;
use crate::stats::{Stats, Trigger};

/// How long a purge of one entry must be remembered.
const LIFE: Duration = Duration::from_mins(2);

impl Fleet {
    pub(super) fn request(&mut self, at: usize, key: usize, leaves_after: Option<u64>) {
        let number = self.pen.write().requests.len();
        let instance = &self.instances[at];
        self.pen.write().requests.push(Request {
            by: instance.process,
            key,
            begin: Instant::now(),
            place: 0,
            end: None,
            gone: false,
        });
        let (pen, cache) = (self.pen.clone(), instance.cache.clone());
        let (counters, name) = (Arc::clone(&instance.stats), self.keys[key].clone());
        let mut state = instance.state.subscribe();
        let load = self
            .database
            .load(&pen, instance.process, key, state.clone());
        let client = async move {
            let _ = state.wait_for(|state| *state != State::Stopped).await;
            {
                let mut record = pen.write();
                let place = record.next_place();
                record.requests[number].begin = Instant::now();
                record.requests[number].place = place;
            }
            let reply = cache.get_or_load(lookup(&name, key, &counters), load).await;
            let answer = match reply {
                Ok(reply) => {
                    let (key, load) = parse(&reply.entry.body);
                    Answer::Served {
                        load,
                        key,
                        outcome: reply.outcome,
                        age: reply.age,
                        ttl: reply.ttl,
                    }
                }
                Err(error) => Answer::Failed(error.class()),
            };
            pen.write().requests[number].end = Some((Instant::now(), answer));
        };
        let gone = self.pen.clone();
        let client = tokio::spawn(async move {
            match leaves_after {
                None => client.await,
                Some(millis) => {
                    let patience = Duration::from_millis(millis);
                    if tokio::time::timeout(patience, client).await.is_err() {
                        gone.write().requests[number].gone = true;
                    }
                }
            }
        });
        self.instances[at].clients.push(client);
    }

    pub(super) fn purge(&mut self, at: usize, scope: Purged, kind: PurgeKind) {
        let instance = &self.instances[at];
        let (pen, cache) = (self.pen.clone(), instance.cache.clone());
        let (by, mut state) = (instance.process, instance.state.subscribe());
        let (Purged::Entry(key) | Purged::QueryOf(key)) = scope;
        let name = self.keys[key].clone();
        let task = tokio::spawn(async move {
            let _ = state.wait_for(|state| *state != State::Stopped).await;
            let number = pen.write().purges.len();
            pen.write().purges.push(Purge {
                by,
                scope,
                kind,
                begin: Instant::now(),
                end: None,
                place: 0,
            });
            let scope = match scope {
                Purged::Entry(_) => PurgeScope::Entry {
                    key: &name,
                    life: LIFE,
                },
                Purged::QueryOf(_) => PurgeScope::Query(name.family()),
            };
            let reach = cache.purge_scope(scope, kind).await;
            let mut record = pen.write();
            record.purges[number].place = record.next_place();
            record.purges[number].end = Some((Instant::now(), reach));
        });
        self.instances[at].clients.push(task);
    }

    pub(super) fn refresh(&mut self, at: usize, key: usize, max_age: Duration) {
        let instance = &self.instances[at];
        let (pen, cache) = (self.pen.clone(), instance.cache.clone());
        let (counters, name) = (Arc::clone(&instance.stats), self.keys[key].clone());
        let by = instance.process;
        let mut state = instance.state.subscribe();
        let load = self
            .database
            .load(&pen, instance.process, key, state.clone());
        let task = tokio::spawn(async move {
            let _ = state.wait_for(|state| *state != State::Stopped).await;
            let number = pen.write().refreshes.len();
            pen.write().refreshes.push(Refresh {
                by,
                key,
                begin: Instant::now(),
                end: None,
            });
            let lookup = lookup(&name, key, &counters);
            let _ = cache
                .refresh_entry(lookup, max_age, Trigger::Schedule, load)
                .await;
            pen.write().refreshes[number].end = Some(Instant::now());
        });
        self.instances[at].clients.push(task);
    }
}

fn lookup<'a>(name: &'a Key, key: usize, stats: &'a Stats) -> Lookup<'a> {
    Lookup {
        key: name,
        policy: POLICY,
        patience: PATIENCE,
        stats: stats.query_stats(query_of(key)),
    }
}
