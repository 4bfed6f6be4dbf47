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
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::entry::tests::{key, loaded};
    use super::*;

    const MAX: usize = 1 << 20;
    const PHYSICAL: Duration = Duration::from_secs(40);

    fn entry(parameters: &str, body: &str) -> Entry {
        let load_time = Duration::from_millis(5001);
        Entry::loaded(&key(parameters), loaded(body), load_time, Instant::now())
    }

    fn read(bytes: &[u8], parameters: &str) -> Result<Entry, Rejected> {
        let bytes = Bytes::copy_from_slice(bytes);
        decode(&bytes, &key(parameters), MAX, PHYSICAL, Instant::now())
    }

    /// Puts a right checksum on altered bytes.
    fn seal(bytes: &mut [u8]) {
        let sealed = bytes.len() - CHECKSUM;
        let sum = crc32fast::hash(&bytes[..sealed]).to_le_bytes();
        bytes[sealed..].copy_from_slice(&sum);
    }

    #[test]
    fn an_entry_comes_back_as_it_was_stored_whatever_the_size_of_its_body() {
        let noise: String = (0..5000u32)
            .map(|n| char::from(b'!' + u8::try_from(n.wrapping_mul(2_654_435_761) >> 26).unwrap()))
            .collect();
        let repeated = "row ".repeat(10_000);
        for body in ["", "{}", &noise, &repeated] {
            let stored = entry("p", body);
            let found = read(&encode(&stored, PHYSICAL), "p").unwrap();
            assert_eq!(found.body, stored.body);
            assert_eq!(found.head, stored.head);
            assert_eq!(found.etag, stored.etag);
            assert_eq!((found.rows, found.load_time), (1, stored.load_time));
            assert!(found.is_same_load(&stored));
        }
        assert!(encode(&entry("p", &repeated), PHYSICAL).len() < 1000);
    }

    #[test]
    fn the_age_is_the_part_of_the_physical_ttl_that_is_gone() {
        let bytes = Bytes::from(encode(&entry("", "x"), PHYSICAL));
        let now = Instant::now();
        let age = |left| decode(&bytes, &key(""), MAX, left, now).map(|found| found.age(now));
        assert_eq!(
            age(Duration::from_secs(33)).ok(),
            Some(Duration::from_secs(7))
        );
        assert_eq!(age(PHYSICAL).ok(), Some(Duration::ZERO));
        assert_eq!(age(PHYSICAL + EXPIRY_SLACK).ok(), Some(Duration::ZERO));
        assert_eq!(age(PHYSICAL * 2).err(), Some(Rejected::Expiry));
    }

    #[test]
    fn every_cut_is_damage() {
        for body in ["small", &"long ".repeat(1000)] {
            let whole = encode(&entry("p", body), PHYSICAL);
            for length in 0..whole.len() {
                let reason = read(&whole[..length], "p").err();
                assert_eq!(reason, Some(Rejected::Damaged), "cut at {length}");
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for body in ["small", &"long ".repeat(1000)] {
            let whole = encode(&entry("p", body), PHYSICAL);
            for bit in 0..whole.len() * 8 {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let expected = if bit < 8 {
                    Rejected::Version
                } else {
                    Rejected::Damaged
                };
                assert_eq!(read(&flipped, "p").err(), Some(expected), "bit {bit}");
            }
        }
    }

    #[test]
    fn every_flipped_bit_with_a_right_checksum_gives_the_right_body_or_none() {
        let stored = entry("p", &"long ".repeat(1000));
        let whole = encode(&stored, PHYSICAL);
        // The end of the fixed part: past it, a right checksum makes other data genuine.
        for bit in 0..HEADER * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            seal(&mut flipped);
            if let Ok(found) = read(&flipped, "p") {
                assert_eq!(found.body, stored.body, "bit {bit}");
            }
        }
    }

    #[test]
    fn random_bytes_are_refused_with_and_without_a_right_checksum() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for round in 0..20_000 {
            let length = usize::try_from(random() % 400).unwrap();
            let mut bytes: Vec<u8> = (0..length).map(|_| random().to_le_bytes()[0]).collect();
            if round % 2 == 0 && length > CHECKSUM {
                bytes[0] = VERSION;
                bytes[1] = u8::from(round % 4 == 0);
                seal(&mut bytes);
            }
            assert!(read(&bytes, "p").is_err());
        }
    }

    #[test]
    fn a_lying_length_is_refused_before_anything_is_unpacked() {
        let whole = encode(&entry("p", &"long ".repeat(1000)), PHYSICAL);
        for (lie, expected) in [
            (u32::MAX, Rejected::TooLarge),
            (u32::try_from(MAX).unwrap() + 1, Rejected::TooLarge),
            (4999, Rejected::Damaged),
            (5001, Rejected::Damaged),
            (0, Rejected::Damaged),
        ] {
            let mut lying = whole.clone();
            lying[HEADER - 4..HEADER].copy_from_slice(&lie.to_le_bytes());
            seal(&mut lying);
            assert_eq!(read(&lying, "p").err(), Some(expected), "{lie}");
        }
    }

    #[test]
    fn another_keys_envelope_and_another_version_are_told_apart() {
        let mut bytes = encode(&entry("p", "x"), PHYSICAL);
        assert_eq!(read(&bytes, "q").err(), Some(Rejected::OtherKey));
        bytes[0] = VERSION + 1;
        seal(&mut bytes);
        assert_eq!(read(&bytes, "p").err(), Some(Rejected::Version));
    }

    #[test]
    fn an_envelope_moved_between_queries_without_parameters_is_another_keys() {
        let bytes = Bytes::from(encode(&entry("", "x"), PHYSICAL));
        let other = super::super::KeyBase::new("unslow", "other", "select 2", "db").key(Vec::new());
        let found = decode(&bytes, &other, MAX, PHYSICAL, Instant::now());
        assert_eq!(found.err(), Some(Rejected::OtherKey));
    }

    #[test]
    fn what_is_over_the_bound_is_too_large_packed_or_not() {
        let key = key("p");
        let small_bound = |bytes: Vec<u8>| {
            let bytes = Bytes::from(bytes);
            decode(&bytes, &key, 100, PHYSICAL, Instant::now()).err()
        };
        let packed = encode(&entry("p", &" ".repeat(5000)), PHYSICAL);
        assert!(packed.len() < 100 + OVERHEAD);
        assert_eq!(small_bound(packed), Some(Rejected::TooLarge));
        assert_eq!(small_bound(vec![0; 1000]), Some(Rejected::TooLarge));
    }
}
