//! The turn of one load: until when it may wait for its place, a slot and a working connection. The
//! places are `gate`'s, the slots `pool`'s.

use tokio::time::Instant;

use super::gate::Pass;

/// The turn of one load: its place, and until when it may wait for a connection.
pub struct Turn(Pass, Instant);

impl Turn {
    pub(super) fn new(pass: Pass, deadline: Instant) -> Turn {
        Turn(pass, deadline)
    }

    pub(super) fn into_parts(self) -> (Pass, Instant) {
        (self.0, self.1)
    }
}
