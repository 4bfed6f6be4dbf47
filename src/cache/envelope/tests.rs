//! What comes back from an envelope, and that nothing else does.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::super::tests::{key, loaded, origin};
use super::*;

const MAX: usize = 1 << 20;
const PHYSICAL: Duration = Duration::from_secs(40);

fn entry(parameters: &str, body: &str) -> Entry {
    let load_time = Duration::from_millis(5001);
    let mut origin = origin();
    (origin.rank.hard, origin.rank.order) = (1_795_000_000_000_000, 1_795_000_000_000_001);
    let now = Instant::now();
    Entry::new_loaded(&key(parameters), origin, loaded(body), load_time, now)
}

fn read(bytes: &[u8], parameters: &str) -> Result<Entry, Rejected> {
    let bytes = Bytes::copy_from_slice(bytes);
    decode_as(&bytes, &key(parameters), MAX, PHYSICAL, Instant::now())
}

fn decode_as(
    bytes: &Bytes,
    key: &Key,
    max_entry: usize,
    left: Duration,
    now: Instant,
) -> Result<Entry, Rejected> {
    let reading = EnvelopeReading {
        key,
        generations: &Arc::default(),
        sequence: 7,
        max_entry,
        now,
    };
    decode(bytes, left, &reading)
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
        assert_eq!(
            (found.rank.hard, found.rank.order),
            (stored.rank.hard, stored.rank.order)
        );
        assert!(found.is_same_load(&stored));
    }
    assert!(encode(&entry("p", &repeated), PHYSICAL).len() < 1000);
}

#[test]
fn the_age_is_the_part_of_the_physical_ttl_that_is_gone() {
    let bytes = Bytes::from(encode(&entry("", "x"), PHYSICAL));
    let now = Instant::now();
    let age = |left| decode_as(&bytes, &key(""), MAX, left, now).map(|found| found.age(now));
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
    let other =
        super::super::KeyBase::new("unslow", "other", "select 2", "db").make_key(Vec::new());
    let found = decode_as(&bytes, &other, MAX, PHYSICAL, Instant::now());
    assert_eq!(found.err(), Some(Rejected::OtherKey));
}

#[test]
fn what_is_over_the_bound_is_too_large_packed_or_not() {
    let key = key("p");
    let small_bound = |bytes: Vec<u8>| {
        let bytes = Bytes::from(bytes);
        decode_as(&bytes, &key, 100, PHYSICAL, Instant::now()).err()
    };
    let packed = encode(&entry("p", &" ".repeat(5000)), PHYSICAL);
    assert!(packed.len() < 100 + OVERHEAD);
    assert_eq!(small_bound(packed), Some(Rejected::TooLarge));
    assert_eq!(small_bound(vec![0; 1000]), Some(Rejected::TooLarge));
}
