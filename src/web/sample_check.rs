//! The question whether the catalog stands at `/` in the place of a sample. What is remembered of
//! it is `stand_in`'s.

use std::sync::Arc;
use std::time::Instant;

use super::site::Site;
use super::stand_in::SampleState;
use crate::query::Query;

/// Tells whether the sample at `/` is known to be without its function. To look at that again is no
/// load, and counts nowhere.
pub(super) async fn catalog_stands_in(site: &Site, query: &Arc<Query>) -> bool {
    match site.stand_in.sample_state(Instant::now()) {
        SampleState::No => false,
        SampleState::Yes => true,
        SampleState::Ask => {
            let is_missing = site.app.lacks_function(query).await;
            site.stand_in.note_missing(is_missing, Instant::now());
            is_missing
        }
    }
}
