//! [`Limits`]: rate limits by [`RateSubject`], with token buckets in this process for client networks, API keys and accounts.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use bespoke_core::{ClientNetwork, Clock};
use governor::clock::Clock as _;
use governor::middleware::{NoOpMiddleware, StateInformationMiddleware};
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use uuid::Uuid;

use super::errors::{TOO_MANY, seconds};
use super::headers::{Limit, LimitState};
use super::key_guesses::{BUCKETS_MAX, CUSTOMERS_OF_A_SITE, KeyGuesses};
use super::monotonic_clock::MonotonicClock;
use crate::response::Error;

/// Settings of the rate limits.
#[derive(Debug, Clone, Copy)]
pub struct LimitSettings {
    /// Calls a minute by one address on routes that sign in, send mail or store data without an account. The burst is twice as large.
    pub public_writes: NonZeroU32,
    /// Calls a minute by one address on routes that only read, without an account.
    pub public_reads: NonZeroU32,
    /// Calls a minute with one API key, and by one account.
    pub callers: NonZeroU32,
}

/// The subject of a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RateSubject {
    /// The network of a client without credentials, for a route that only reads.
    NetworkReads(ClientNetwork),
    /// The network of a client without credentials, for all other routes.
    NetworkWrites(ClientNetwork),
    /// An API key.
    Key(Uuid),
    /// An account, by its integer id.
    Account(i64),
}

type Buckets<K> = RateLimiter<K, HashMapStateStore<K>, MonotonicClock, StateInformationMiddleware>;

/// The token buckets of one process.
pub(crate) struct Limits {
    network_reads: NetworkBuckets,
    network_writes: NetworkBuckets,
    keys: Buckets<Uuid>,
    accounts: Buckets<i64>,
    pub(crate) guesses: KeyGuesses,
    clock: MonotonicClock,
}

/// The buckets of clients without credentials.
struct NetworkBuckets {
    customers: Buckets<IpAddr>,
    sites: Buckets<IpAddr>,
}

impl NetworkBuckets {
    /// Creates buckets for `rate` calls a minute by a customer network, in bursts of at most `burst` calls.
    fn new(rate: NonZeroU32, burst: NonZeroU32, clock: &MonotonicClock) -> Self {
        let quota =
            |times: NonZeroU32| Quota::per_minute(rate.saturating_mul(times)).allow_burst(burst.saturating_mul(times));
        Self {
            customers: buckets(quota(NonZeroU32::MIN), clock),
            sites: buckets(quota(CUSTOMERS_OF_A_SITE), clock),
        }
    }
}

impl Limits {
    pub(crate) fn new(settings: LimitSettings, clock: Arc<dyn Clock>) -> Self {
        let clock = MonotonicClock::new(clock);
        let twice = settings.public_writes.saturating_add(settings.public_writes.get());
        Self {
            network_reads: NetworkBuckets::new(settings.public_reads, settings.public_reads, &clock),
            network_writes: NetworkBuckets::new(settings.public_writes, twice, &clock),
            keys: buckets(Quota::per_minute(settings.callers), &clock),
            accounts: buckets(Quota::per_minute(settings.callers), &clock),
            guesses: KeyGuesses::new(twice, &clock),
            clock,
        }
    }

    /// Counts one call of `subject`.
    ///
    /// # Errors
    /// 429 if the bucket is empty; `Retry-After` is the time until it contains a call again.
    pub(crate) fn take(&self, subject: RateSubject) -> Result<LimitState, Error> {
        match subject {
            RateSubject::NetworkReads(client) => self.take_from_network(&self.network_reads, "reads", client),
            RateSubject::NetworkWrites(client) => self.take_from_network(&self.network_writes, "writes", client),
            RateSubject::Key(uuid) => self.take_from(&self.keys, "key", uuid),
            RateSubject::Account(id) => self.take_from(&self.accounts, "account", id),
        }
    }

    fn take_from_network(
        &self,
        networks: &NetworkBuckets,
        name: &'static str,
        client: ClientNetwork,
    ) -> Result<LimitState, Error> {
        let state = self.take_from(&networks.customers, name, client.customer)?;
        if client.has_site() {
            self.take_from(&networks.sites, name, client.site)?;
        }
        Ok(state)
    }

    fn take_from<K: Hash + Eq + Clone>(
        &self,
        buckets: &Buckets<K>,
        name: &'static str,
        key: K,
    ) -> Result<LimitState, Error> {
        if buckets.len() > BUCKETS_MAX {
            buckets.retain_recent();
        }
        match buckets.check_key(&key) {
            Ok(state) => {
                let (limit, remaining) = (state.quota().burst_size().get(), state.remaining_burst_capacity());
                let time_for = |calls| seconds(state.quota().replenish_interval() * calls);
                Ok(LimitState {
                    limit: Limit {
                        name,
                        calls: limit.into(),
                        window_s: time_for(limit),
                    },
                    remaining: remaining.into(),
                    reset_s: time_for(limit - remaining),
                })
            }
            Err(early) => {
                let wait = early.wait_time_from(self.clock.now());
                Err(Error::too_many(TOO_MANY, seconds(wait)))
            }
        }
    }
}

fn buckets<K: Hash + Eq + Clone>(quota: Quota, clock: &MonotonicClock) -> Buckets<K> {
    RateLimiter::<K, _, _, NoOpMiddleware<Nanos>>::new(quota, HashMapStateStore::default(), clock.clone())
        .with_middleware()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use bespoke_core::Timestamp;
    use http::HeaderMap;

    use super::super::errors::{QUOTA, quota_exceeded};
    use super::super::headers::{LIMIT, POLICY};
    use super::super::monotonic_clock::manual::Manual;
    use super::*;
    use crate::response::HeaderCache;

    fn limits() -> (Limits, Arc<Manual>) {
        let clock = Arc::new(Manual::default());
        let rate = |calls| NonZeroU32::new(calls).unwrap();
        let settings = LimitSettings {
            public_writes: rate(60),
            public_reads: rate(3_000),
            callers: rate(1_200),
        };
        (Limits::new(settings, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    fn taken(limits: &Limits, subject: RateSubject, at_most: usize) -> usize {
        (0..at_most).take_while(|_| limits.take(subject).is_ok()).count()
    }

    #[test]
    fn bucket_refills_and_is_not_shared() {
        let (limits, clock) = limits();
        let (one, other) = (
            RateSubject::NetworkWrites(ClientNetwork::of([192, 0, 2, 1].into())),
            RateSubject::NetworkWrites(ClientNetwork::of([192, 0, 2, 2].into())),
        );
        assert_eq!(taken(&limits, one, 1_000), 120);
        assert_eq!(limits.take(one).unwrap_err().status().as_u16(), 429);
        assert_eq!(taken(&limits, other, 1), 1);
        clock.0.fetch_add(3_000, Ordering::Relaxed);
        assert_eq!(taken(&limits, one, 1_000), 3);
        assert_eq!(taken(&limits, RateSubject::Key(Uuid::nil()), 2_000), 1_200);
        assert_eq!(taken(&limits, RateSubject::Account(1), 2_000), 1_200);
    }

    #[test]
    fn networks_of_one_site_share_a_bucket() {
        let (limits, _) = limits();
        let customer = |n: u16| RateSubject::NetworkWrites(ClientNetwork::of([0x2001, 0xdb8, 1, n, 0, 0, 0, 1].into()));
        let taken_by = |n| taken(&limits, customer(n), 1_000);
        assert_eq!((0..6).map(taken_by).collect::<Vec<_>>(), [120, 120, 120, 120, 0, 0]);
        let elsewhere = ClientNetwork::of([0x2001, 0xdb8, 2, 0, 0, 0, 0, 1].into());
        assert_eq!(taken(&limits, RateSubject::NetworkWrites(elsewhere), 1_000), 120);
    }

    #[test]
    fn clock_set_back_locks_no_caller_out() {
        let (limits, clock) = limits();
        assert_eq!(taken(&limits, RateSubject::Account(1), 2_000), 1_200);
        clock.0.fetch_sub(3_600_000, Ordering::Relaxed);
        assert_eq!(taken(&limits, RateSubject::Account(1), 1), 0);
        clock.0.fetch_add(1_000, Ordering::Relaxed);
        assert_eq!(taken(&limits, RateSubject::Account(1), 100), 20);
    }

    #[test]
    fn full_buckets_are_removed() {
        let (limits, clock) = limits();
        for n in 0..BUCKETS_MAX + 10 {
            limits.take(RateSubject::Account(n as i64)).unwrap();
            clock.0.fetch_add(10, Ordering::Relaxed);
        }
        assert!(limits.accounts.len() < BUCKETS_MAX / 10 + 10);
    }

    #[test]
    fn headers_follow_the_ietf_draft() {
        let (limits, _) = limits();
        let mut headers = HeaderMap::new();
        let account = limits.take(RateSubject::Account(1)).unwrap();
        let day = LimitState::of_day(100, 59, Timestamp::from_millis(86_399_000));
        LimitState::write(&[account, day], &mut headers, &HeaderCache::default());
        assert_eq!(headers[POLICY], r#""account";q=1200;w=60, "day";q=100;w=86400"#);
        assert_eq!(headers[LIMIT], r#""account";r=1199;t=1, "day";r=59;t=1"#);
        let over = quota_exceeded(Timestamp::from_millis(0));
        assert_eq!((over.status().as_u16(), over.code()), (429, QUOTA));
    }
}
