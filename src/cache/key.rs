//! What one entry is found by. The digest covers everything the answer depends on, each part
//! length-prefixed; the canonical parameters go along, so that two keys of one digest are still
//! two keys.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// What all keys of one query share, computed once.
#[derive(Clone)]
pub struct KeyBase {
    /// Has taken in everything but the parameters.
    midstate: Sha256,
    names: Arc<Names>,
}

struct Names {
    query: String,
    /// `{namespace}:v1:{query}:`
    prefix: String,
}

/// What one entry is found by. Cheap to clone.
#[derive(Clone)]
pub struct Key {
    digest: [u8; 32],
    canonical: Bytes,
    names: Arc<Names>,
}

/// Bytes of the digest that the name in Redis shows; the whole of it stands in the envelope.
const SHOWN: usize = 16;

impl KeyBase {
    /// The base for one query. `sql` is the statement as written, `db_identity` what distinguishes
    /// its database from another; a change of either is a new key.
    pub fn new(namespace: &str, query_name: &str, sql: &str, db_identity: &str) -> KeyBase {
        let mut midstate = Sha256::new();
        for part in [namespace, query_name, sql, db_identity] {
            take_in(&mut midstate, part.as_bytes());
        }
        KeyBase {
            midstate,
            names: Arc::new(Names {
                query: query_name.to_owned(),
                prefix: format!("{namespace}:v1:{{{query_name}}}:"),
            }),
        }
    }

    /// The key for one set of parameters in canonical form.
    pub fn key(&self, canonical: impl Into<Bytes>) -> Key {
        let canonical = canonical.into();
        let mut hash = self.midstate.clone();
        take_in(&mut hash, &canonical);
        Key {
            digest: hash.finalize().into(),
            canonical,
            names: Arc::clone(&self.names),
        }
    }
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

    /// The name in Redis. The query's name is the hash tag, literally in braces, so that on a
    /// cluster all keys of a query are on one node.
    pub fn redis_name(&self) -> String {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut name = String::with_capacity(self.names.prefix.len() + 2 * SHOWN);
        name.push_str(&self.names.prefix);
        for byte in &self.digest[..SHOWN] {
            name.push(char::from(HEX[usize::from(byte >> 4)]));
            name.push(char::from(HEX[usize::from(byte & 15)]));
        }
        name
    }

    pub(super) fn digest(&self) -> &[u8; 32] {
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

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // A part of a digest is as evenly spread as the whole, and the map's own hash is keyed.
        let (head, _) = self.digest.split_first_chunk::<8>().expect("32 bytes");
        state.write_u64(u64::from_le_bytes(*head));
    }
}

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
        let digest = name.strip_prefix("unslow:v1:{version}:").expect(&name);
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
