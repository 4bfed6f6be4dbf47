//! Stored envelopes: whatever stands in Redis, reading it never panics, never allocates beyond
//! the bound, and what is read comes back as the same when it is written again.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    unslow::cache::fuzzing::read_fuzzed_envelope(bytes);
});
