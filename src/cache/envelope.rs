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
//! | 32 | digest of the key |
//! | 16 | `ETag` |
//! | 8 | stamp |
//! | 8 | physical TTL at storing, ms |
//! | 8 | load duration, µs |
//! | 8 | rows |
//! | 4 × 4 | lengths: canonical parameters, head, body as stored, body |
//! | … | canonical parameters, head, body as stored |
//! | 4 | CRC-32 of everything before |

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Entry, Key, Loaded};
use crate::stats::Rejected;

/// The format that is written, and the only one that is read.
const VERSION: u8 = 1;
const IDENTITY: u8 = 0;
const ZSTD: u8 = 1;
/// Bodies from this size on are compressed, where that makes them smaller.
const COMPRESS_FROM: usize = 1024;
const HEADER: usize = 2 + 32 + 16 + 4 * 8 + 4 * 4;
const CHECKSUM: usize = 4;

/// What an envelope takes beyond [`size`].
pub(super) const OVERHEAD: usize = HEADER + CHECKSUM;

/// What counts against `max_entry`.
pub(super) fn size(entry: &Entry) -> usize {
    entry.key.canonical().len() + entry.head.len() + entry.body.len()
}

/// The envelope of an entry that Redis is to keep for `physical`.
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
    out.extend(entry.key.digest());
    let etag = u128::from_str_radix(&entry.etag, 16).expect("an ETag is 32 hex digits");
    out.extend(etag.to_be_bytes());
    out.extend(entry.stamp.to_le_bytes());
    out.extend(whole(physical.as_millis()).to_le_bytes());
    out.extend(whole(entry.load_time.as_micros()).to_le_bytes());
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

fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// How much later than stored an expiry may seem to be: Redis rounds, and its clock is slewed.
const EXPIRY_SLACK: Duration = Duration::from_secs(1);

/// The entry in `bytes`, which Redis will drop after `left`; or why it cannot be used for this
/// key. The body shares the memory of `bytes` where it is not compressed.
pub(super) fn decode(
    bytes: &Bytes,
    key: &Key,
    max_entry: usize,
    left: Duration,
    now: Instant,
) -> Result<Entry, Rejected> {
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
    let mut header = Header(&bytes[1..HEADER]);
    let [encoding] = header.take();
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
    if digest != *key.digest() || bytes[canonical.clone()] != key.canonical()[..] {
        return Err(Rejected::OtherKey);
    }
    if canonical.len() + head.len() + body > max_entry {
        return Err(Rejected::TooLarge);
    }
    let physical = Duration::from_millis(physical);
    if left > physical + EXPIRY_SLACK {
        return Err(Rejected::Expiry);
    }
    let loaded = Loaded {
        body: unpack(encoding, bytes.slice(stored), body)?,
        head: bytes.slice(head),
        rows,
    };
    let aged = physical.saturating_sub(left);
    let load_time = Duration::from_micros(load_time);
    Ok(Entry::revived(
        key, loaded, load_time, etag, stamp, now, aged,
    ))
}

/// The body, which must come out at exactly `length` bytes. zstd writes straight into a buffer of
/// that size, so that a frame which declares a huge window gets none.
fn unpack(encoding: u8, stored: Bytes, length: usize) -> Result<Bytes, Rejected> {
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
struct Header<'a>(&'a [u8]);

impl Header<'_> {
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
