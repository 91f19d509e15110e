//! A limit for calls with wrong API keys, by the network of the client, so that they do not read the database without end.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use bespoke_core::{ClientNetwork, KeySecret};
use governor::nanos::Nanos;
use uuid::Uuid;

use super::{BUCKETS_MAX, CUSTOMERS_OF_A_SITE, Forward, TOO_MANY, seconds};
use crate::Error;

/// Calls with API keys that may be wrong, by the network of the client. A call is counted before its key is looked up, and taken
/// back when the key is right, so that calls at the same time count for each other.
pub(crate) struct Guesses {
    most: u32,
    counts: Mutex<HashMap<(IpAddr, IsSite), Window>>,
    verified: VerifiedKeys,
    clock: Forward,
}

type IsSite = bool;

/// Wrong keys in the current minute.
struct Window {
    began: Nanos,
    calls: u32,
}

/// A call that is counted as a guess.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guess(ClientNetwork);

/// How long a wrong key counts.
const GUESSES_WINDOW: Duration = Duration::from_secs(60);

impl Guesses {
    pub(super) fn new(most: NonZeroU32, clock: &Forward) -> Self {
        Self {
            most: most.get(),
            counts: Mutex::default(),
            verified: VerifiedKeys::default(),
            clock: clock.clone(),
        }
    }

    /// Counts a call with an API key as a guess, unless this process has verified the key before.
    ///
    /// # Errors
    /// 429 when the network of the client has sent too many wrong keys in the last minute.
    pub(crate) fn reserve(&self, key: Uuid, secret: &KeySecret, client: ClientNetwork) -> Result<Option<Guess>, Error> {
        if self.verified.contains(key, secret) {
            Ok(None)
        } else {
            self.count(client).map(Some)
        }
    }

    /// The key of a call was right.
    pub(crate) fn key_is_right(&self, key: Uuid, secret: &KeySecret, guess: Option<Guess>) {
        if let Some(guess) = guess {
            self.release(guess);
            self.verified.insert(key, secret);
        }
    }

    /// The key of a call was wrong.
    pub(crate) fn key_is_wrong(&self, key: Uuid, secret: &KeySecret) {
        self.verified.remove(key, secret);
    }

    /// Whether the key of a call was right is not known.
    pub(crate) fn guess_is_open(&self, guess: Option<Guess>) {
        if let Some(guess) = guess {
            self.release(guess);
        }
    }

    fn count(&self, client: ClientNetwork) -> Result<Guess, Error> {
        let now = governor::clock::Clock::now(&self.clock);
        let window = Nanos::from(GUESSES_WINDOW);
        let is_over = |one: &Window| now.saturating_sub(one.began) >= window;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() > BUCKETS_MAX {
            counts.retain(|_, one| !is_over(one));
        }
        for (key, most) in self.keys(client) {
            if let Some(one) = counts.get(&key)
                && !is_over(one)
                && one.calls >= most
            {
                let wait = window.saturating_sub(now.saturating_sub(one.began));
                return Err(Error::too_many(TOO_MANY, seconds(wait.into())));
            }
        }
        for (key, _) in self.keys(client) {
            let one = counts.entry(key).or_insert(Window { began: now, calls: 0 });
            if is_over(one) {
                *one = Window { began: now, calls: 0 };
            }
            one.calls += 1;
        }
        Ok(Guess(client))
    }

    fn release(&self, Guess(client): Guess) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, _) in self.keys(client) {
            if let Some(one) = counts.get_mut(&key) {
                one.calls = one.calls.saturating_sub(1);
            }
        }
    }

    fn keys(&self, client: ClientNetwork) -> impl Iterator<Item = ((IpAddr, IsSite), u32)> {
        let site = client.has_site().then(|| {
            let most = self.most.saturating_mul(CUSTOMERS_OF_A_SITE.get());
            ((client.site, true), most)
        });
        std::iter::once(((client.customer, false), self.most)).chain(site)
    }
}

/// API keys that this process has verified: their calls are no guesses. Each is kept with a keyed hash of its secret, so that a call
/// with another secret is a guess, and does not make a guess of the next call with the right one.
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

    use super::super::tests::Manual;
    use super::*;
    use crate::SystemRandom;

    #[test]
    fn wrong_keys_are_limited_and_right_ones_are_not() {
        let clock = Arc::new(Manual::default());
        let most = NonZeroU32::new(120).unwrap();
        let guesses = Guesses::new(most, &Forward::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let client = ClientNetwork::of([192, 0, 2, 1].into());
        let (right, wrong) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let [secret, other] = [(); 2].map(|()| KeySecret::generate(&SystemRandom));
        for _ in 0..200 {
            let guess = guesses.reserve(right, &secret, client).unwrap();
            guesses.key_is_right(right, &secret, guess);
        }
        let guess = |key, secret| guesses.reserve(key, secret, client);
        let wrong_ones = || (0..200).take_while(|_| guess(wrong, &other).is_ok()).count();
        assert_eq!(wrong_ones(), 120);
        // A wrong secret of a verified key is a guess, and does not harm the right one.
        assert_eq!(guess(right, &other).unwrap_err().status().as_u16(), 429);
        guesses.key_is_wrong(right, &other);
        assert!(guess(right, &secret).unwrap().is_none());
        // A key that was revoked since is a guess again.
        guesses.key_is_wrong(right, &secret);
        assert_eq!(guess(right, &secret).unwrap_err().status().as_u16(), 429);
        let elsewhere = ClientNetwork::of([192, 0, 2, 2].into());
        assert!(guesses.reserve(wrong, &other, elsewhere).is_ok());
        clock.0.fetch_add(60_000, Ordering::Relaxed);
        assert_eq!(wrong_ones(), 120);
    }
}
