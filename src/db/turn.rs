//! The turn of one load: until when it may wait for its place, a slot and a working connection. The
//! places are `gate`'s, the slots `pool`'s.

use tokio::time::Instant;

use super::gate::LoadPass;

/// The turn of one load: its place, and until when it may wait for a connection.
pub struct LoadTurn(LoadPass, Instant);

impl LoadTurn {
    pub(super) fn new(pass: LoadPass, deadline: Instant) -> LoadTurn {
        LoadTurn(pass, deadline)
    }

    pub(super) fn into_parts(self) -> (LoadPass, Instant) {
        (self.0, self.1)
    }
}
