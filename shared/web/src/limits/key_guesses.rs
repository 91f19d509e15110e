//! [`KeyGuesses`]: limits the calls with wrong API keys from one client network, because each of them costs a query.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use bespoke_core::{ClientNetwork, KeySecret};
use governor::nanos::Nanos;
use uuid::Uuid;

use super::errors::{TOO_MANY, seconds};
use super::monotonic_clock::MonotonicClock;
use crate::response::Error;

/// The number of entries of a map in this process above which entries without effect are removed.
pub(super) const BUCKETS_MAX: usize = 10_000;
/// The limit of a site (the /48 of IPv6), as a multiple of the limit of one of its customer networks.
pub(super) const CUSTOMERS_OF_A_SITE: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);
/// How long a wrong key counts.
const GUESSES_WINDOW: Duration = Duration::from_secs(60);

/// Counters of calls with wrong API keys, by the network of the client. A call is counted before its key is looked up, so that concurrent calls
/// count for each other. It is taken back if the key is right.
pub(crate) struct KeyGuesses {
    /// The maximum number of wrong keys a minute by one customer network.
    max_calls: u32,
    windows: Mutex<HashMap<(IpAddr, IsSite), Window>>,
    verified: VerifiedKeys,
    clock: MonotonicClock,
}

type IsSite = bool;

/// Wrong keys of one network in the current minute.
struct Window {
    began: Nanos,
    calls: u32,
}

/// A call that counts as a wrong key until it is taken back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CountedGuess(ClientNetwork);

impl KeyGuesses {
    pub(super) fn new(max_calls: NonZeroU32, clock: &MonotonicClock) -> Self {
        Self {
            max_calls: max_calls.get(),
            windows: Mutex::default(),
            verified: VerifiedKeys::default(),
            clock: clock.clone(),
        }
    }

    /// Counts a call as a wrong key, unless this process has verified the key before.
    ///
    /// # Errors
    /// 429 if the network of the client has sent too many wrong keys in this minute.
    pub(crate) fn reserve(
        &self,
        key: Uuid,
        secret: &KeySecret,
        client: ClientNetwork,
    ) -> Result<Option<CountedGuess>, Error> {
        if self.verified.contains(key, secret) {
            Ok(None)
        } else {
            self.count(client).map(Some)
        }
    }

    /// Takes a counted call back because its key is right.
    pub(crate) fn accept(&self, key: Uuid, secret: &KeySecret, guess: Option<CountedGuess>) {
        if let Some(guess) = guess {
            self.release(guess);
            self.verified.insert(key, secret);
        }
    }

    /// Lets a call count because its key is wrong, and forgets that the key was verified before.
    pub(crate) fn reject(&self, key: Uuid, secret: &KeySecret) {
        self.verified.remove(key, secret);
    }

    /// Takes a counted call back because the check of its key failed for another reason.
    pub(crate) fn cancel(&self, guess: Option<CountedGuess>) {
        if let Some(guess) = guess {
            self.release(guess);
        }
    }

    fn count(&self, client: ClientNetwork) -> Result<CountedGuess, Error> {
        let now = governor::clock::Clock::now(&self.clock);
        let duration = Nanos::from(GUESSES_WINDOW);
        let has_ended = |window: &Window| now.saturating_sub(window.began) >= duration;
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() > BUCKETS_MAX {
            windows.retain(|_, window| !has_ended(window));
        }
        for (key, max_calls) in self.keys(client) {
            if let Some(window) = windows.get(&key)
                && !has_ended(window)
                && window.calls >= max_calls
            {
                let wait = duration.saturating_sub(now.saturating_sub(window.began));
                return Err(Error::too_many(TOO_MANY, seconds(wait.into())));
            }
        }
        for (key, _) in self.keys(client) {
            let window = windows.entry(key).or_insert(Window { began: now, calls: 0 });
            if has_ended(window) {
                *window = Window { began: now, calls: 0 };
            }
            window.calls += 1;
        }
        Ok(CountedGuess(client))
    }

    fn release(&self, CountedGuess(client): CountedGuess) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, _) in self.keys(client) {
            if let Some(window) = windows.get_mut(&key) {
                window.calls = window.calls.saturating_sub(1);
            }
        }
    }

    fn keys(&self, client: ClientNetwork) -> impl Iterator<Item = ((IpAddr, IsSite), u32)> {
        let site = client.has_site().then(|| {
            let max_calls = self.max_calls.saturating_mul(CUSTOMERS_OF_A_SITE.get());
            ((client.site, true), max_calls)
        });
        std::iter::once(((client.customer, false), self.max_calls)).chain(site)
    }
}

/// API keys that this process has verified; their calls are not counted. An entry contains a keyed hash of the secret, so that a call with
/// another secret for the same key is counted and does not affect calls with the right one.
#[derive(Default)]
struct VerifiedKeys {
    keys: RwLock<HashSet<(Uuid, u64)>>,
    hasher: RandomState,
}

impl VerifiedKeys {
    fn entry(&self, key: Uuid, secret: &KeySecret) -> (Uuid, u64) {
        (key, self.hasher.hash_one(secret.expose()))
    }

    fn contains(&self, key: Uuid, secret: &KeySecret) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.contains(&self.entry(key, secret))
    }

    fn insert(&self, key: Uuid, secret: &KeySecret) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= BUCKETS_MAX {
            keys.clear();
        }
        keys.insert(self.entry(key, secret));
    }

    fn remove(&self, key: Uuid, secret: &KeySecret) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.remove(&self.entry(key, secret));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use bespoke_core::Clock;

    use super::super::monotonic_clock::manual::Manual;
    use super::*;
    use crate::system::SystemRandom;

    #[test]
    fn wrong_keys_are_limited_and_right_ones_are_not() {
        let clock = Arc::new(Manual::default());
        let max_calls = NonZeroU32::new(120).unwrap();
        let guesses = KeyGuesses::new(max_calls, &MonotonicClock::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let client = ClientNetwork::of([192, 0, 2, 1].into());
        let (right, wrong) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let [secret, other] = [(); 2].map(|()| KeySecret::generate(&SystemRandom));
        for _ in 0..200 {
            let guess = guesses.reserve(right, &secret, client).unwrap();
            guesses.accept(right, &secret, guess);
        }
        let guess = |key, secret| guesses.reserve(key, secret, client);
        let wrong_ones = || (0..200).take_while(|_| guess(wrong, &other).is_ok()).count();
        assert_eq!(wrong_ones(), 120);
        // A wrong secret of a verified key is counted, and does not affect calls with the right secret.
        assert_eq!(guess(right, &other).unwrap_err().status().as_u16(), 429);
        guesses.reject(right, &other);
        assert!(guess(right, &secret).unwrap().is_none());
        // A key that has been revoked since is counted again.
        guesses.reject(right, &secret);
        assert_eq!(guess(right, &secret).unwrap_err().status().as_u16(), 429);
        let elsewhere = ClientNetwork::of([192, 0, 2, 2].into());
        assert!(guesses.reserve(wrong, &other, elsewhere).is_ok());
        clock.0.fetch_add(60_000, Ordering::Relaxed);
        assert_eq!(wrong_ones(), 120);
    }
}
