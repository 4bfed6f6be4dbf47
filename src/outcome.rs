//! The words for how one request was answered. A leaf: the cache decides an outcome, the counters
//! count it, headers and pages name it. It owns the words and nothing else.

/// The place where a copy was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// The memory of this process.
    Memory,
    /// Redis, which the whole fleet shares.
    Redis,
}

impl Tier {
    /// Returns the tier's name in headers, pages and counters.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Memory => "memory",
            Tier::Redis => "redis",
        }
    }
}

/// The reason why a copy past its TTL was served (RFC 5861).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StaleReason {
    /// The copy is within `stale-while-revalidate`: a refresh runs behind.
    Revalidating,
    /// The copy is within `stale-if-error`: loading failed.
    LoadError,
}

/// The reason why the cache was deliberately not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BypassReason {
    /// The query says `cache: off`.
    CacheOff,
    /// The answer is larger than `max_entry`: answered, not stored.
    TooLarge,
    /// It was asked for by a comparison (`unslow compare`), which is nobody's visit.
    Compare,
}

/// The way in which one request was answered; every request ends in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A fresh copy was found.
    Hit(Tier),
    /// A copy past its TTL was served.
    Stale(StaleReason),
    /// It waited for another request's load and got its result.
    Coalesced,
    /// This request's own load ran and succeeded.
    Miss,
    /// The cache was not used.
    Bypass(BypassReason),
    /// No value was returned.
    Error,
}

impl Outcome {
    /// Returns the outcome's one word: `hit`, `stale`, `coalesced`, `miss`, `bypass` or `error`.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Hit(_) => "hit",
            Outcome::Stale(_) => "stale",
            Outcome::Coalesced => "coalesced",
            Outcome::Miss => "miss",
            Outcome::Bypass(_) => "bypass",
            Outcome::Error => "error",
        }
    }
}
