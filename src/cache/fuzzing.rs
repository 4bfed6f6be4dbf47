//! The functions that fuzz targets (`tests/fuzz`) call and nobody else may: they are in no other
//! build.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::entry::Entry;
use super::envelope::{self, EnvelopeReading};
use super::generations::QueryEpochs;
use super::key::{Key, KeyBase};
use super::lookup::Policy;
use crate::stats::Rejected;

const MAX_ENTRY: usize = 1 << 16;
const PHYSICAL: Duration = Duration::from_secs(100);

/// Reads `bytes` as they would be found in Redis, and with what only our own envelopes have: the
/// version and digest of the key, and a checksum that holds. What can be read must come back the
/// same when it is stored again, and be within the bounds.
///
/// # Panics
///
/// When it does not, or is not.
pub fn read_fuzzed_envelope(bytes: &[u8]) {
    let base = KeyBase::new("fuzz", "q", "select 1", "db");
    let key = base.make_key(&b"parameters"[..]);
    drop(read(bytes, &key, PHYSICAL));
    let _ = envelope::read_front(bytes);

    let mut ours = bytes.to_vec();
    let digest = envelope::FRONT..envelope::FRONT + 32;
    let sealed = ours.len().saturating_sub(4);
    if sealed < digest.end {
        return;
    }
    ours[0] = envelope::VERSION;
    ours[digest].copy_from_slice(&key.digest().0);
    let sum = crc32fast::hash(&ours[..sealed]).to_le_bytes();
    ours[sealed..].copy_from_slice(&sum);
    let Ok(entry) = read(&ours, &key, PHYSICAL) else {
        return;
    };
    let front = envelope::read_front(&ours);
    assert_eq!(front, Some((entry.rank.hard, entry.rank.order)));
    assert!(envelope::envelope_size(&entry) <= MAX_ENTRY);
    let policy = Policy {
        ttl: PHYSICAL,
        stale_while_revalidate: PHYSICAL,
        stale_if_error: Duration::MAX,
    };
    assert!(entry.ttl(&policy) <= policy.ttl);
    let _ = (entry.freshness(&policy, Instant::now()), policy.retention());
    let stored = envelope::encode(&entry, PHYSICAL);
    assert!(stored.len() <= MAX_ENTRY + envelope::OVERHEAD);
    let again = read(&stored, &key, PHYSICAL).expect("what was written can be read");
    let parts = |entry: &Entry| {
        let parts = (entry.body.clone(), entry.head.clone(), entry.etag.clone());
        (parts, entry.rows, entry.load_time, entry.rank, entry.stamp)
    };
    assert_eq!(parts(&again), parts(&entry));
}

fn read(bytes: &[u8], key: &Key, left: Duration) -> Result<Entry, Rejected> {
    let reading = EnvelopeReading {
        key,
        generations: &Arc::<QueryEpochs>::default(),
        sequence: 1,
        max_entry: MAX_ENTRY,
        now: Instant::now(),
    };
    envelope::decode(&Bytes::copy_from_slice(bytes), left, &reading)
}
