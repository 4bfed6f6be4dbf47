//! What one entry is found by. The digest covers everything the answer depends on, each part
//! length-prefixed; the canonical parameters go along, so that two keys of one digest are still
//! two keys.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::stats::KeyId;

/// What all keys of one query share, computed once.
#[derive(Clone)]
pub struct KeyBase {
    /// Has taken in everything but the parameters.
    midstate: Sha256,
    names: Arc<Names>,
}

struct Names {
    query: String,
    /// `{namespace}:v2:{query}:`
    prefix: String,
}

/// What one entry is found by. Cheap to clone.
#[derive(Clone)]
pub struct Key {
    digest: Digest,
    canonical: Bytes,
    names: Arc<Names>,
}

/// SHA-256 over everything that the answer depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest(pub(super) [u8; 32]);

/// What an entry has in Redis. All names of a query have one hash tag, so that a script may touch
/// them together on a cluster.
pub(super) struct RedisNames {
    /// The query's generations.
    pub(super) generations: String,
    /// The envelope.
    pub(super) entry: String,
    /// The numbers of the latest purges of this entry alone.
    pub(super) tombstone: String,
    /// Who loads it.
    pub(super) lease: String,
    /// Why it is not loaded at the moment.
    pub(super) note: String,
}

/// The version of the key's own form. It is part of every digest and of every name in Redis, so
/// programs whose keys are made in another way never read each other's entries.
const FORM: &str = "v2";
/// Bytes of the digest that the name in Redis shows; the whole of it stands in the envelope.
const SHOWN: usize = 16;

impl KeyBase {
    /// Makes the base for one query. `asked` is everything that decides the rows beside the
    /// values of the parameters, `db_identity` distinguishes its database from another; a change
    /// of either is a new key.
    pub fn new(
        namespace: &str,
        query_name: &str,
        asked: impl AsRef<[u8]>,
        db_identity: &str,
    ) -> KeyBase {
        let mut midstate = Sha256::new();
        let (head, asked) = ([FORM, namespace, query_name], asked.as_ref());
        for part in head.map(str::as_bytes) {
            take_in(&mut midstate, part);
        }
        take_in(&mut midstate, asked);
        take_in(&mut midstate, db_identity.as_bytes());
        KeyBase {
            midstate,
            names: Arc::new(Names {
                query: query_name.to_owned(),
                prefix: prefix(namespace, query_name),
            }),
        }
    }

    /// The key for one set of parameters in canonical form.
    pub fn key(&self, canonical: impl Into<Bytes>) -> Key {
        let canonical = canonical.into();
        let mut hash = self.midstate.clone();
        take_in(&mut hash, &canonical);
        Key {
            digest: Digest(hash.finalize().into()),
            canonical,
            names: Arc::clone(&self.names),
        }
    }
}

impl Digest {
    /// In lower-case hexadecimal digits.
    pub(super) fn hex(&self) -> String {
        let mut text = String::with_capacity(2 * self.0.len());
        push_hex(&mut text, &self.0);
        text
    }

    /// The digest that [`Digest::hex`] has written so.
    pub(super) fn from_hex(text: &str) -> Option<Digest> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let digit = |at: usize| char::from(digits[at]).to_digit(16);
        let mut digest = [0; 32];
        for (at, byte) in digest.iter_mut().enumerate() {
            *byte = u8::try_from(digit(2 * at)? << 4 | digit(2 * at + 1)?).ok()?;
        }
        Some(Digest(digest))
    }
}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // A part of a digest is as evenly spread as the whole, and the map's own hash is keyed.
        let (head, _) = self.0.split_first_chunk::<8>().expect("32 bytes");
        state.write_u64(u64::from_le_bytes(*head));
    }
}

/// Without its value: a digest of few possible values can be guessed.
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

/// Where the generations of a query are. The hash tag is the query's name, literally in braces.
pub(super) fn generations_name(namespace: &str, query: &str) -> String {
    format!("{}gen", prefix(namespace, query))
}

fn prefix(namespace: &str, query: &str) -> String {
    format!("{}:{{{query}}}:", place(namespace))
}

/// Returns the beginning of every name in Redis.
pub(super) fn place(namespace: &str) -> String {
    format!("{namespace}:{FORM}")
}

fn take_in(hash: &mut Sha256, part: &[u8]) {
    hash.update((part.len() as u64).to_le_bytes());
    hash.update(part);
}

impl Key {
    /// The query this is a key of.
    pub fn query(&self) -> &str {
        &self.names.query
    }

    /// The name of the entry in Redis. The query's name is the hash tag, literally in braces, so
    /// that on a cluster all keys of a query are on one node.
    pub fn redis_name(&self) -> String {
        let mut name = String::with_capacity(self.names.prefix.len() + 2 * SHOWN);
        name.push_str(&self.names.prefix);
        push_hex(&mut name, &self.digest.0[..SHOWN]);
        name
    }

    pub(super) fn redis_names(&self) -> RedisNames {
        let entry = self.redis_name();
        RedisNames {
            generations: format!("{}gen", self.names.prefix),
            tombstone: format!("{entry}:t"),
            lease: format!("{entry}:l"),
            note: format!("{entry}:n"),
            entry,
        }
    }

    /// What is counted and ranked by.
    pub(super) fn id(&self) -> KeyId<'_> {
        let (digest, _) = self.digest.0.split_first_chunk().expect("32 bytes");
        KeyId {
            digest,
            canonical: &self.canonical,
        }
    }

    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(super) fn canonical(&self) -> &Bytes {
        &self.canonical
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.digest == other.digest && self.canonical == other.canonical
    }
}

impl Eq for Key {}

/// Without digest and parameters: a digest of few possible values can be guessed.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("query", &self.names.query)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyBase")
            .field("query", &self.names.query)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> KeyBase {
        KeyBase::new("unslow", "version", "select 1", "db:5432/x")
    }

    #[test]
    fn the_name_in_redis_has_the_query_as_hash_tag() {
        let name = base().key(Vec::new()).redis_name();
        let digest = name.strip_prefix("unslow:v2:{version}:").expect(&name);
        assert_eq!(digest.len(), 2 * SHOWN);
        assert!(digest.bytes().all(|b| b.is_ascii_hexdigit()));
    }

    #[test]
    fn the_same_parts_give_the_same_key_and_any_other_part_another() {
        let key = base().key(b"p".to_vec());
        assert_eq!(key, base().key(b"p".to_vec()));
        for other in [
            KeyBase::new("other", "version", "select 1", "db:5432/x"),
            KeyBase::new("unslow", "other", "select 1", "db:5432/x"),
            KeyBase::new("unslow", "version", "select 2", "db:5432/x"),
            KeyBase::new("unslow", "version", "select 1", "db:5432/y"),
        ] {
            assert_ne!(key.digest, other.key(b"p".to_vec()).digest);
        }
        assert_ne!(key.digest, base().key(b"q".to_vec()).digest);
    }

    #[test]
    fn parts_cannot_run_into_each_other() {
        let one = KeyBase::new("n", "q", "ab", "c").key(Vec::new());
        let two = KeyBase::new("n", "q", "a", "bc").key(Vec::new());
        assert_ne!(one.digest, two.digest);
    }

    #[test]
    fn keys_of_one_digest_with_other_parameters_differ() {
        let key = base().key(b"p".to_vec());
        let collision = Key {
            canonical: Bytes::from_static(b"q"),
            ..key.clone()
        };
        assert_ne!(key, collision);
    }

    #[test]
    fn debug_output_holds_no_parameter() {
        assert!(!format!("{:?}", base().key(b"secret".to_vec())).contains("secret"));
    }
}
