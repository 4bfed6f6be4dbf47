//! The schedules of an application, by the places of their queries in the catalog.

use super::schedule::{Newcomer, Schedule};
use crate::query::{Arguments, Query};

/// The schedules of the queries that have one, by their place in the catalog.
#[derive(Default)]
pub(super) struct Schedules(pub(super) Vec<Option<Schedule>>);

impl Schedules {
    /// Notes that a key is read; see [`Schedule::read`].
    pub(super) fn read(&self, query: &Query, arguments: &Arguments) -> Option<Newcomer<'_>> {
        self.0.get(query.index)?.as_ref()?.read(arguments)
    }
}

impl std::fmt::Debug for Schedules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Schedules").field(&self.0.len()).finish()
    }
}
