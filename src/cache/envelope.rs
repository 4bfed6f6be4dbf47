//! The stored form of an entry: bytes that any instance can read, or tell that it cannot. What is
//! read may come from anybody, so nothing in it is believed before the checksum holds, and no
//! length in it leads to an allocation beyond the bound.
//!
//! Layout, integers little-endian:
//!
//! | Bytes | |
//! |---|---|
//! | 1 | format version |
//! | 1 | encoding of the body |
//! | 16 | hard generation, in decimal digits: what scripts compare is text |
//! | 16 | order number, in decimal digits |
//! | 32 | digest of the key |
//! | 16 | `ETag` |
//! | 8 | stamp |
//! | 8 | physical TTL at storing, ms |
//! | 8 | load duration, µs |
//! | 8 | rows |
//! | 4 × 4 | lengths: canonical parameters, head, body as stored, body |
//! | … | canonical parameters, head, body as stored |
//! | 4 | CRC-32 of everything before |

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::entry::{Entry, LoadContext, StoredMetadata};
use super::generations::QueryEpochs;
use super::key::Key;
use super::lookup::LoadedValue;
use super::rank::LoadVersion;
use crate::stats::Rejected;

/// The format that is written, and the only one that is read.
pub(super) const VERSION: u8 = 2;
const IDENTITY: u8 = 0;
const ZSTD: u8 = 1;
/// Bodies from this size on are compressed, where that makes them smaller.
const COMPRESS_FROM: usize = 1024;
/// Version, encoding and the two numbers: enough to know which load this is.
pub(super) const FRONT: usize = 2 + 2 * DIGITS;
const DIGITS: usize = 16;
const HEADER: usize = FRONT + 32 + 16 + 4 * 8 + 4 * 4;
const CHECKSUM: usize = 4;

/// The bytes that an envelope takes beyond [`envelope_size`].
pub(super) const OVERHEAD: usize = HEADER + CHECKSUM;

/// Returns what counts against `max_entry`.
pub(super) fn envelope_size(entry: &Entry) -> usize {
    entry.key.canonical().len() + entry.head.len() + entry.body.len()
}

/// Returns the envelope of an entry that Redis is to keep for `physical`.
pub(super) fn encode(entry: &Entry, physical: Duration) -> Vec<u8> {
    let packed = (entry.body.len() >= COMPRESS_FROM)
        .then(|| zstd::bulk::compress(&entry.body, zstd::DEFAULT_COMPRESSION_LEVEL).ok())
        .flatten()
        .filter(|packed| packed.len() < entry.body.len());
    let (encoding, stored) = match &packed {
        Some(packed) => (ZSTD, &packed[..]),
        None => (IDENTITY, &entry.body[..]),
    };
    let canonical = entry.key.canonical();
    let mut out = Vec::with_capacity(OVERHEAD + canonical.len() + entry.head.len() + stored.len());
    out.extend([VERSION, encoding]);
    for number in [entry.rank.hard, entry.rank.order] {
        write!(out, "{number:0DIGITS$}").expect("a Vec takes what is written to it");
    }
    out.extend(entry.key.digest().0);
    let etag = u128::from_str_radix(&entry.etag, 16).expect("an ETag is 32 hex digits");
    out.extend(etag.to_be_bytes());
    out.extend(entry.stamp.to_le_bytes());
    out.extend(whole_nanos(physical.as_millis()).to_le_bytes());
    out.extend(whole_nanos(entry.load_time.as_micros()).to_le_bytes());
    out.extend(entry.rows.to_le_bytes());
    for part in [&canonical[..], &entry.head, stored, &entry.body] {
        let length = u32::try_from(part.len()).expect("max_entry is below 4 GiB");
        out.extend(length.to_le_bytes());
    }
    for part in [&canonical[..], &entry.head, stored] {
        out.extend_from_slice(part);
    }
    out.extend(crc32fast::hash(&out).to_le_bytes());
    out
}

fn whole_nanos(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The time by which an expiry may seem to be later than it was stored: Redis rounds, and its clock
/// is slewed.
const EXPIRY_SLACK: Duration = Duration::from_secs(1);

/// The things that a reader needs to read an envelope.
pub(super) struct EnvelopeReading<'a> {
    /// The key whose envelope it has to be.
    pub(super) key: &'a Key,
    /// Those of its query.
    pub(super) generations: &'a Arc<QueryEpochs>,
    /// The place of the reading in the order of events.
    pub(super) sequence: u64,
    /// The bound above which nothing is unpacked.
    pub(super) max_entry: usize,
    pub(super) now: Instant,
}

/// Returns the hard generation and the order number in the front of an envelope of our version.
pub(super) fn read_front(bytes: &[u8]) -> Option<(u64, u64)> {
    let (version, rest) = bytes.split_first()?;
    let rest = rest.get(1..=2 * DIGITS)?;
    if *version != VERSION {
        return None;
    }
    Some((read_digits(&rest[..DIGITS])?, read_digits(&rest[DIGITS..])?))
}

fn read_digits(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// Returns the entry in `bytes`, which Redis will drop after `left`; or why it cannot be used for
/// this key. The body shares the memory of `bytes` where it is not compressed.
pub(super) fn decode(
    bytes: &Bytes,
    left: Duration,
    reading: &EnvelopeReading<'_>,
) -> Result<Entry, Rejected> {
    let EnvelopeReading { key, max_entry, .. } = *reading;
    if bytes.len() > max_entry.saturating_add(OVERHEAD) {
        return Err(Rejected::TooLarge);
    }
    if bytes.first().is_some_and(|version| *version != VERSION) {
        return Err(Rejected::Version);
    }
    let sealed = bytes
        .len()
        .checked_sub(CHECKSUM)
        .filter(|sealed| *sealed >= HEADER)
        .ok_or(Rejected::Damaged)?;
    if crc32fast::hash(&bytes[..sealed]).to_le_bytes() != bytes[sealed..] {
        return Err(Rejected::Damaged);
    }
    let (hard, order) = read_front(bytes).ok_or(Rejected::Damaged)?;
    let encoding = bytes[1];
    let mut header = EnvelopeHeader(&bytes[FRONT..HEADER]);
    let digest: [u8; 32] = header.take();
    let etag: [u8; 16] = header.take();
    let [stamp, physical, load_time, rows] = [(); 4].map(|()| u64::from_le_bytes(header.take()));
    let [canonical, head, stored, body] =
        [(); 4].map(|()| u32::from_le_bytes(header.take()) as usize);
    if [canonical, head, stored].iter().sum::<usize>() != sealed - HEADER {
        return Err(Rejected::Damaged);
    }
    let (canonical, head, stored) = (
        HEADER..HEADER + canonical,
        HEADER + canonical..HEADER + canonical + head,
        HEADER + canonical + head..sealed,
    );
    if digest != key.digest().0 || bytes[canonical.clone()] != key.canonical()[..] {
        return Err(Rejected::OtherKey);
    }
    if canonical.len() + head.len() + body > max_entry {
        return Err(Rejected::TooLarge);
    }
    let physical = Duration::from_millis(physical);
    if left > physical + EXPIRY_SLACK {
        return Err(Rejected::Expiry);
    }
    let loaded = LoadedValue {
        body: unpack_body(encoding, bytes.slice(stored), body)?,
        head: bytes.slice(head),
        rows,
        is_foreign: false,
    };
    let revived = StoredMetadata {
        etag,
        stamp,
        load_time: Duration::from_micros(load_time),
        aged: physical.saturating_sub(left),
        kept_for: physical,
    };
    let origin = LoadContext {
        generations: Arc::clone(reading.generations),
        rank: LoadVersion {
            hard,
            order,
            sequence: reading.sequence,
        },
    };
    Ok(Entry::new_revived(
        key,
        origin,
        loaded,
        &revived,
        reading.now,
    ))
}

/// Returns the body, which must come out at exactly `length` bytes. zstd writes straight into a
/// buffer of that size, so that a frame which declares a huge window gets none.
fn unpack_body(encoding: u8, stored: Bytes, length: usize) -> Result<Bytes, Rejected> {
    let body = match encoding {
        IDENTITY => stored,
        ZSTD => zstd::bulk::decompress(&stored, length)
            .map_err(|_| Rejected::Damaged)?
            .into(),
        _ => return Err(Rejected::Damaged),
    };
    if body.len() == length {
        Ok(body)
    } else {
        Err(Rejected::Damaged)
    }
}

/// Reads a header whose length has been checked.
struct EnvelopeHeader<'a>(&'a [u8]);

impl EnvelopeHeader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self
            .0
            .split_first_chunk()
            .expect("HEADER is the sum of the fields");
        self.0 = rest;
        *field
    }
}

#[cfg(test)]
mod tests;
