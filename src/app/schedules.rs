//! The schedules of an application, by the places of their queries in the catalog.

use super::schedule::{QuerySchedule, UnscheduledKey};
use crate::query::{Arguments, Query};

/// The schedules of the queries that have one, by their place in the catalog.
#[derive(Default)]
pub(super) struct QuerySchedules(pub(super) Vec<Option<QuerySchedule>>);

impl QuerySchedules {
    /// Notes that a key is read; see [`QuerySchedule::read`].
    pub(super) fn read(&self, query: &Query, arguments: &Arguments) -> Option<UnscheduledKey<'_>> {
        self.0.get(query.index)?.as_ref()?.read(arguments)
    }
}

impl std::fmt::Debug for QuerySchedules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Schedules").field(&self.0.len()).finish()
    }
}
