//! The name of one entry. The digest covers everything that the answer depends on, each part
//! length-prefixed; the canonical parameters go along, so that two keys of one digest are still two
//! keys.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::stats::KeyId;

/// The part that all keys of one query share, computed once.
#[derive(Clone)]
pub struct KeyBase {
    /// Has taken in everything but the system and the parameters.
    common: Sha256,
    /// Has taken in everything but the parameters.
    midstate: Sha256,
    names: Arc<KeyNames>,
}

struct KeyNames {
    namespace: String,
    query: String,
    /// The query on one database: `SYSTEM:{query}`.
    family: String,
    /// `{namespace}:v2:{family}:`
    prefix: String,
}

/// The name of one entry. It is cheap to clone.
#[derive(Clone)]
pub struct Key {
    digest: KeyDigest,
    canonical: Bytes,
    names: Arc<KeyNames>,
}

/// A short name of one database, as it stands in every name in Redis: what is stored, purged or
/// reported on one database is never found by an instance on another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SystemTag(Arc<str>);

/// SHA-256 over everything that the answer depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyDigest(pub(super) [u8; 32]);

/// The names of an entry in Redis. All names of a query have one hash tag, so that a script may
/// touch them together on a cluster.
pub(super) struct RedisNames {
    /// The query's generations.
    pub(super) generations: String,
    /// The envelope.
    pub(super) entry: String,
    /// The numbers of the latest purges of this entry alone.
    pub(super) tombstone: String,
    /// The lease of the instance that loads it.
    pub(super) lease: String,
    /// The reason why it is not loaded at the moment.
    pub(super) note: String,
}

/// The version of the key's own form. It is part of every digest and of every name in Redis, so
/// programs whose keys are made in another way never read each other's entries.
const FORM: &str = "v2";
/// Bytes of the digest that the name in Redis shows; the whole of it stands in the envelope.
const SHOWN: usize = 16;
/// The same of a database's own identity.
const TAG_SHOWN: usize = 8;

impl KeyBase {
    /// Makes the base for one query on a database that does not say which one it is; see
    /// [`KeyBase::for_system`]. `asked` is everything that decides the rows beside the
    /// values of the parameters, `db_identity` distinguishes its database from another; a change
    /// of either is a new key.
    pub fn new(
        namespace: &str,
        query_name: &str,
        asked: impl AsRef<[u8]>,
        db_identity: &str,
    ) -> KeyBase {
        let mut common = Sha256::new();
        let (head, asked) = ([FORM, namespace, query_name], asked.as_ref());
        for part in head.map(str::as_bytes) {
            take_in(&mut common, part);
        }
        take_in(&mut common, asked);
        take_in(&mut common, db_identity.as_bytes());
        let names = KeyNames::new(namespace, query_name, &SystemTag::default());
        KeyBase::with_names(common, "", names)
    }

    /// Makes the base for the same query on the database that says this of itself.
    #[must_use]
    pub fn for_system(&self, system: &str) -> KeyBase {
        let KeyNames {
            namespace, query, ..
        } = &*self.names;
        let names = KeyNames::new(namespace, query, &SystemTag::for_system(system));
        KeyBase::with_names(self.common.clone(), system, names)
    }

    /// Makes the base for the same query on a database that does not say which one it is.
    #[must_use]
    pub fn without_system(&self) -> KeyBase {
        let KeyNames {
            namespace, query, ..
        } = &*self.names;
        let names = KeyNames::new(namespace, query, &SystemTag::default());
        KeyBase::with_names(self.common.clone(), "", names)
    }

    /// Makes the base for the same query in sessions of these settings. The names in Redis that are
    /// not of one entry stay as they are.
    #[must_use]
    pub fn in_session(mut self, session: &str) -> KeyBase {
        if !session.is_empty() {
            take_in(&mut self.midstate, session.as_bytes());
        }
        self
    }

    fn with_names(common: Sha256, system: &str, names: KeyNames) -> KeyBase {
        let mut midstate = common.clone();
        take_in(&mut midstate, system.as_bytes());
        KeyBase {
            common,
            midstate,
            names: Arc::new(names),
        }
    }

    /// Returns the query that this is the base of.
    pub fn query(&self) -> &str {
        &self.names.query
    }

    /// Returns the name of this query on this database, by which purges are told apart.
    pub fn family(&self) -> &str {
        &self.names.family
    }

    /// Returns the key for one set of parameters in canonical form.
    pub fn make_key(&self, canonical: impl Into<Bytes>) -> Key {
        let canonical = canonical.into();
        let mut hash = self.midstate.clone();
        take_in(&mut hash, &canonical);
        Key {
            digest: KeyDigest(hash.finalize().into()),
            canonical,
            names: Arc::clone(&self.names),
        }
    }
}

impl KeyDigest {
    /// Writes it in lower-case hexadecimal digits.
    pub(super) fn hex_digits(&self) -> String {
        let mut text = String::with_capacity(2 * self.0.len());
        push_hex(&mut text, &self.0);
        text
    }

    /// Returns the digest that [`KeyDigest::hex_digits`] has written so.
    pub(super) fn from_hex(text: &str) -> Option<KeyDigest> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let digit = |at: usize| char::from(digits[at]).to_digit(16);
        let mut digest = [0; 32];
        for (at, byte) in digest.iter_mut().enumerate() {
            *byte = u8::try_from(digit(2 * at)? << 4 | digit(2 * at + 1)?).ok()?;
        }
        Some(KeyDigest(digest))
    }
}

impl Hash for KeyDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // A part of a digest is as evenly spread as the whole, and the map's own hash is keyed.
        let (head, _) = self.0.split_first_chunk::<8>().expect("32 bytes");
        state.write_u64(u64::from_le_bytes(*head));
    }
}

/// Shows no value: a digest of few possible values can be guessed.
impl fmt::Debug for KeyDigest {
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

impl KeyNames {
    fn new(namespace: &str, query: &str, system: &SystemTag) -> KeyNames {
        let family = format!("{system}:{{{query}}}");
        KeyNames {
            prefix: key_prefix(namespace, &family),
            namespace: namespace.to_owned(),
            query: query.to_owned(),
            family,
        }
    }
}

impl SystemTag {
    /// Makes the tag of the database that says this of itself.
    pub fn for_system(system: &str) -> SystemTag {
        let digest = Sha256::digest(system);
        let mut text = String::with_capacity(2 * TAG_SHOWN);
        push_hex(&mut text, &digest[..TAG_SHOWN]);
        SystemTag(text.into())
    }
}

impl Default for SystemTag {
    /// Returns the tag of all databases that do not say which one they are.
    fn default() -> SystemTag {
        SystemTag("unnamed".into())
    }
}

impl fmt::Display for SystemTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the name of a family's generations. The hash tag is the query's name, literally in
/// braces.
pub(super) fn generations_name(namespace: &str, family: &str) -> String {
    format!("{}gen", key_prefix(namespace, family))
}

fn key_prefix(namespace: &str, family: &str) -> String {
    format!("{}:{family}:", name_prefix(namespace))
}

/// Returns the beginning of every name in Redis.
pub(super) fn name_prefix(namespace: &str) -> String {
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

    /// Returns the name of its query on its database, by which purges are told apart.
    pub fn family(&self) -> &str {
        &self.names.family
    }

    /// Returns the name of the entry in Redis. The query's name is the hash tag, literally in
    /// braces, so that on a cluster all keys of a query are on one node.
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

    /// Returns what is counted and ranked by.
    pub(super) fn id(&self) -> KeyId<'_> {
        let (digest, _) = self.digest.0.split_first_chunk().expect("32 bytes");
        KeyId {
            digest,
            canonical: &self.canonical,
        }
    }

    pub(super) fn digest(&self) -> &KeyDigest {
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

/// Shows neither digest nor parameters: a digest of few possible values can be guessed.
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
mod tests;
