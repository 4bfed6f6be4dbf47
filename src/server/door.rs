//! The way in, which all generations of workers share: the pair that TLS is spoken with, and how
//! many connections there may be. The process has only so many descriptors, however many of its
//! generations are still ending.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::limits;
use super::tls::CertifiedPair;
use crate::error::StartupError;
use crate::settings::Settings;

/// The way in which clients get in under one state of the settings.
#[derive(Debug, Clone)]
pub struct ConnectionEntrance {
    pair: Option<CertifiedPair>,
    most: usize,
    process: Arc<AtomicUsize>,
    notes: Vec<String>,
}

impl ConnectionEntrance {
    /// Reads the TLS pair, raises the limit on descriptors and finds out how many connections it
    /// allows. To be called while the process still has the right to read the key.
    ///
    /// # Errors
    /// A pair that cannot be used, or too few descriptors to serve at all.
    pub fn open(settings: &Settings) -> Result<ConnectionEntrance, StartupError> {
        let pair = settings.tls.as_ref().map(CertifiedPair::load).transpose()?;
        let (most, fewer) = limits::connection_limit(settings)?;
        let odd = pair
            .as_ref()
            .and_then(CertifiedPair::certificate_note)
            .map(str::to_owned);
        Ok(ConnectionEntrance {
            pair,
            most,
            process: Arc::default(),
            notes: odd.into_iter().chain(fewer).collect(),
        })
    }

    /// Returns the same for other settings, or for files that have changed. Connections that are
    /// open already count towards its bound too.
    ///
    /// # Errors
    /// As [`ConnectionEntrance::open`]; `self` goes on as it was.
    pub fn reconfigured(&self, settings: &Settings) -> Result<ConnectionEntrance, StartupError> {
        Ok(ConnectionEntrance {
            process: Arc::clone(&self.process),
            ..ConnectionEntrance::open(settings)?
        })
    }

    /// Returns what is odd about it and keeps nobody from serving, for the log, which may not be
    /// open yet when this is found out.
    pub fn certificate_notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns what TLS is spoken with.
    pub(super) fn certified_pair(&self) -> Option<&CertifiedPair> {
        self.pair.as_ref()
    }

    /// Connections at once, in the whole process.
    pub(super) fn max_connections(&self) -> usize {
        self.most
    }

    /// Makes the counter of the connections of one generation, which are also counted in
    /// `generation`.
    pub(super) fn make_counter(&self, generation: &Arc<AtomicUsize>) -> ConnectionCounter {
        ConnectionCounter {
            counts: [Arc::clone(&self.process), Arc::clone(generation)],
            most: self.most,
        }
    }
}

/// The door as one generation's connections find it.
#[derive(Debug, Clone)]
pub(super) struct ConnectionCounter {
    /// The process and the generation.
    counts: [Arc<AtomicUsize>; 2],
    most: usize,
}

impl ConnectionCounter {
    /// Lets a connection in and counts it until the value is dropped; `None` where the process
    /// has as many as it may have.
    pub(super) fn try_enter(&self) -> Option<ConnectionGuard> {
        let [before, _] = self
            .counts
            .each_ref()
            .map(|count| count.fetch_add(1, Ordering::Relaxed));
        let visitor = ConnectionGuard(self.counts.clone());
        (before < self.most).then_some(visitor)
    }
}

/// A connection that is in.
#[derive(Debug)]
pub(super) struct ConnectionGuard([Arc<AtomicUsize>; 2]);

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        for count in &self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_count_their_own_and_share_one_bound() {
        let first = ConnectionEntrance {
            pair: None,
            most: 2,
            process: Arc::default(),
            notes: Vec::new(),
        };
        let (old, new) = (Arc::default(), Arc::default());
        let counted = first.make_counter(&old);
        let (one, two) = (counted.try_enter(), counted.try_enter());
        assert!(one.is_some() && two.is_some() && counted.try_enter().is_none());
        let second = ConnectionEntrance {
            most: 3,
            ..first.clone()
        };
        let counted = second.make_counter(&new);
        let three = counted.try_enter();
        assert!(three.is_some() && counted.try_enter().is_none());
        let open = || [&old, &new].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(open(), [2, 1]);
        drop(one);
        assert!(counted.try_enter().is_some(), "somebody has left");
        drop((two, three));
        assert_eq!(open(), [0, 0]);
    }
}
