//! The bound on guesses of a token. Each client has a few wrong ones, and then one now and again;
//! beyond that nothing it brings is even compared. Whoever comes from elsewhere has attempts of his
//! own, so nobody can shut the operator out by guessing.
//!
//! Clients share a fixed number of accounts, by a hash that nobody outside can compute: however
//! many addresses somebody has, this takes the same memory, and there is a bound on the guesses of
//! all together. It is an account of each network that one owner usually has.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Wrong tokens that a client has at once.
const AT_ONCE: u64 = 10;
/// The time for which it takes until it has one more.
const ONE_MORE: Duration = Duration::from_secs(6);
/// The number of clients that can be told apart.
const ACCOUNTS: usize = 4096;
/// The bits of an IPv6 address that tell its owner.
const OWNER: u32 = 56;

/// The attempts of all clients.
pub(super) struct TokenAttempts {
    /// The moment, for each account, when all its attempts are back, in milliseconds since `born`.
    accounts: Box<[AtomicU64]>,
    hasher: RandomState,
    born: Instant,
}

impl std::fmt::Debug for TokenAttempts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempts").finish_non_exhaustive()
    }
}

/// An attempt that has been taken. It is spent, unless it is given back.
#[must_use]
pub(super) struct TokenAttempt<'a>(&'a AtomicU64);

impl TokenAttempt<'_> {
    /// It was no guess.
    pub(super) fn give_back(self) {
        self.0.fetch_sub(whole_millis(ONE_MORE), Ordering::Relaxed);
    }
}

impl TokenAttempts {
    pub(super) fn new() -> TokenAttempts {
        TokenAttempts {
            accounts: std::iter::repeat_with(AtomicU64::default)
                .take(ACCOUNTS)
                .collect(),
            hasher: RandomState::new(),
            born: Instant::now(),
        }
    }

    /// Takes one before a token is compared, so that many at once do not get more. `None` stands
    /// for all clients that nobody can tell apart.
    ///
    /// # Errors
    /// There is none left; the time until there is.
    pub(super) fn take(&self, client: Option<IpAddr>) -> Result<TokenAttempt<'_>, Duration> {
        self.take_at(client, whole_millis(self.born.elapsed()))
    }

    fn take_at(&self, client: Option<IpAddr>, now: u64) -> Result<TokenAttempt<'_>, Duration> {
        let account = self.client_account(client);
        let one = whole_millis(ONE_MORE);
        let latest = now + AT_ONCE * one;
        let taken = account.try_update(Ordering::Relaxed, Ordering::Relaxed, |full| {
            let after = full.max(now) + one;
            (after <= latest).then_some(after)
        });
        match taken {
            Ok(_) => Ok(TokenAttempt(account)),
            Err(full) => Err(Duration::from_millis(full + one - latest)),
        }
    }

    fn client_account(&self, client: Option<IpAddr>) -> &AtomicU64 {
        let hash = self.hasher.hash_one(client.map(owned_prefix));
        let place = usize::try_from(hash % ACCOUNTS as u64).expect("below the number of accounts");
        &self.accounts[place]
    }
}

/// Returns the part of an address that somebody cannot change at will.
fn owned_prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let mask = u128::MAX << (Ipv6Addr::BITS - OWNER);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const ONE: u64 = 6_000;

    #[allow(clippy::unnecessary_wraps, reason = "as the attempts take it")]
    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    /// Returns how many attempts there are at this moment.
    fn left(attempts: &TokenAttempts, client: Option<IpAddr>, now: u64) -> usize {
        let taken = std::iter::from_fn(|| attempts.take_at(client, now).ok());
        taken.take(1000).count()
    }

    /// Returns a client that shares no account with this one.
    fn apart(attempts: &TokenAttempts, from: Option<IpAddr>) -> Option<IpAddr> {
        let others = (1..=255).map(|last| address(&format!("198.51.100.{last}")));
        let taken = std::ptr::from_ref(attempts.client_account(from));
        let mut free =
            others.filter(|other| std::ptr::from_ref(attempts.client_account(*other)) != taken);
        free.next().unwrap()
    }

    #[test]
    fn a_client_has_some_attempts_at_once_and_then_one_now_and_again() {
        let attempts = TokenAttempts::new();
        let client = address("192.0.2.1");
        assert_eq!(left(&attempts, client, 5), 10);
        let wait = attempts.take_at(client, 5).err().unwrap();
        assert_eq!(wait, ONE_MORE);
        let wait = attempts.take_at(client, 1_005).err().unwrap();
        assert_eq!(wait, Duration::from_secs(5));
        assert_eq!(left(&attempts, client, 5 + ONE - 1), 0);
        assert_eq!(left(&attempts, client, 5 + ONE), 1);
        assert_eq!(left(&attempts, client, 5 + 4 * ONE), 3);
        assert_eq!(left(&attempts, client, 5 + 500 * ONE), 10, "and not more");
    }

    #[test]
    fn what_was_no_guess_is_given_back() {
        let attempts = TokenAttempts::new();
        let client = address("192.0.2.1");
        for now in 0..1000 {
            attempts.take_at(client, now).unwrap().give_back();
        }
        assert_eq!(left(&attempts, client, 1000), 10);
    }

    #[test]
    fn somebody_elses_guesses_cost_a_client_nothing() {
        let attempts = TokenAttempts::new();
        let client = address("192.0.2.1");
        let other = apart(&attempts, client);
        assert_eq!(left(&attempts, client, 0), 10);
        assert_eq!(left(&attempts, other, 0), 10);
    }

    #[test]
    fn one_owners_addresses_have_one_account() {
        for (one, same, other) in [
            ("2001:db8::1", "2001:db8:0:ff::2", "2001:db8:0:100::1"),
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ] {
            let of = |text: &str| owned_prefix(text.parse().unwrap());
            assert_eq!(of(one), of(same));
            assert_ne!(of(one), of(other));
        }
        let attempts = TokenAttempts::new();
        assert_eq!(left(&attempts, None, 0), 10, "whom nobody can tell apart");
    }

    #[test]
    fn however_many_come_at_once_none_gets_more() {
        let attempts = TokenAttempts::new();
        let client = address("192.0.2.1");
        let taken: usize = std::thread::scope(|scope| {
            let guess = || {
                (0..100)
                    .filter(|_| attempts.take_at(client, 0).is_ok())
                    .count()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(guess)).collect();
            threads.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!(taken, 10);
    }
}
