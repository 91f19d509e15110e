//! How often somebody may call: token buckets in this process, for addresses, API keys and accounts.

mod account;
mod guesses;

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bespoke_core::{ClientNetwork, Clock, Timestamp};
use governor::clock::Clock as _;
use governor::middleware::{NoOpMiddleware, StateInformationMiddleware};
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

use crate::Error;
use crate::repeated::Repeated;

pub(crate) use account::WriteCost;
pub use account::{AccountLimits, ExportAllowance};
pub(crate) use guesses::{Guess, Guesses};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// With more buckets than this in one process, those that are full again are forgotten.
const BUCKETS_MAX: usize = 10_000;

/// How often each may call.
#[derive(Debug, Clone, Copy)]
pub struct LimitSettings {
    /// Calls a minute by one address on routes that sign in, mail or store without an account; twice as many at once.
    pub public_writes: NonZeroU32,
    /// Calls a minute by one address on routes that only read, without an account.
    pub public_reads: NonZeroU32,
    /// Calls a minute with one API key, and by one account.
    pub callers: NonZeroU32,
}

/// What calls are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A client without credentials that only reads.
    Reader(ClientNetwork),
    /// A client without credentials that does more.
    Stranger(ClientNetwork),
    Key(Uuid),
    Account(i64),
}

/// How many calls there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    name: &'static str,
    calls: u64,
    /// In so many seconds.
    window_s: u64,
}

/// How much of a limit is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    of: Limit,
    /// Calls that are left now.
    remaining: u64,
    /// When all of them are back. Seconds.
    reset_s: u64,
}

const DAY_S: u64 = 24 * 60 * 60;

/// What one limit takes in a header, as a rule. Bytes.
const FIELD_BYTES: usize = 40;

/// Every limit is as good as used up: 429.
pub(crate) const TOO_MANY: &str = "tooManyRequests";
/// The calls, or the written bytes, of a day are used up: 429.
pub(crate) const QUOTA: &str = "quotaExceeded";

type Buckets<K> = RateLimiter<K, HashMapStateStore<K>, Forward, StateInformationMiddleware>;

/// A site (the /48 of IPv6) may call as often as so many of its customers together.
const CUSTOMERS_OF_A_SITE: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

/// The buckets of one process.
pub(crate) struct Limits {
    readers: Networks,
    strangers: Networks,
    keys: Buckets<Uuid>,
    accounts: Buckets<i64>,
    pub(crate) guesses: Guesses,
    clock: Forward,
}

/// Buckets of clients without credentials.
struct Networks {
    customers: Buckets<IpAddr>,
    sites: Buckets<IpAddr>,
}

impl Networks {
    /// `rate` calls a minute by a customer, and `burst` at once.
    fn new(rate: NonZeroU32, burst: NonZeroU32, clock: &Forward) -> Self {
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
        let clock = Forward::new(clock);
        let twice = settings.public_writes.saturating_add(settings.public_writes.get());
        Self {
            readers: Networks::new(settings.public_reads, settings.public_reads, &clock),
            strangers: Networks::new(settings.public_writes, twice, &clock),
            keys: buckets(Quota::per_minute(settings.callers), &clock),
            accounts: buckets(Quota::per_minute(settings.callers), &clock),
            guesses: Guesses::new(twice, &clock),
            clock,
        }
    }

    /// Takes one call out of a bucket.
    ///
    /// # Errors
    /// 429, with the seconds until there is another.
    pub(crate) fn take(&self, subject: Subject) -> Result<Left, Error> {
        match subject {
            Subject::Reader(client) => self.take_from_network(&self.readers, "reads", client),
            Subject::Stranger(client) => self.take_from_network(&self.strangers, "writes", client),
            Subject::Key(uuid) => self.take_from(&self.keys, "key", uuid),
            Subject::Account(id) => self.take_from(&self.accounts, "account", id),
        }
    }

    fn take_from_network(&self, networks: &Networks, name: &'static str, client: ClientNetwork) -> Result<Left, Error> {
        let left = self.take_from(&networks.customers, name, client.customer)?;
        if client.has_site() {
            self.take_from(&networks.sites, name, client.site)?;
        }
        Ok(left)
    }

    fn take_from<K: Hash + Eq + Clone>(&self, buckets: &Buckets<K>, name: &'static str, key: K) -> Result<Left, Error> {
        if buckets.len() > BUCKETS_MAX {
            buckets.retain_recent();
        }
        match buckets.check_key(&key) {
            Ok(state) => {
                let (limit, remaining) = (state.quota().burst_size().get(), state.remaining_burst_capacity());
                let time_for = |calls| seconds(state.quota().replenish_interval() * calls);
                Ok(Left {
                    of: Limit {
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

impl Left {
    /// Of a quota of calls a day, UTC, of which that many are left.
    pub(crate) fn of_day(quota: u64, remaining: u64, now: Timestamp) -> Self {
        Self {
            of: Limit {
                name: "day",
                calls: quota,
                window_s: DAY_S,
            },
            remaining,
            reset_s: rest_of_day_s(now),
        }
    }

    /// Writes them into an answer, as fields of the IETF's draft (draft-ietf-httpapi-ratelimit-headers).
    pub(crate) fn write(all: &[Self], headers: &mut HeaderMap, policy: &Repeated<Vec<Limit>>) {
        if all.is_empty() {
            return;
        }
        let limits = || all.iter().map(|left| left.of);
        let write = || {
            let text = list(all, [";q=", ";w="], |left| [left.of.calls, left.of.window_s]);
            (limits().collect(), text)
        };
        headers.insert(POLICY, policy.value(|said| limits().eq(said.iter().copied()), write));
        headers.insert(LIMIT, list(all, [";r=", ";t="], |left| [left.remaining, left.reset_s]));
    }
}

/// 429: the calls of this day, UTC, are used up; says in how many seconds the next day begins.
pub(crate) fn quota_exceeded(now: Timestamp) -> Error {
    Error::too_many(QUOTA, rest_of_day_s(now))
}

/// 429: the account may write no more on this day, UTC; says in how many seconds the next day begins.
fn writes_used_up(now: Timestamp) -> Error {
    quota_exceeded(now).with_limit("writtenBytes")
}

/// 429: the account may export no more on this day, UTC; says in how many seconds the next day begins.
fn exports_used_up(now: Timestamp) -> Error {
    quota_exceeded(now).with_limit("exportedBytes")
}

fn rest_of_day_s(now: Timestamp) -> u64 {
    DAY_S - now.as_seconds().rem_euclid(DAY_S as i64).unsigned_abs()
}

/// A structured field: a list of names with two numbers each. Every answer has one, so it is put together by hand.
fn list(all: &[Left], parameters: [&str; 2], numbers: impl Fn(&Left) -> [u64; 2]) -> HeaderValue {
    let mut text = String::with_capacity(all.len() * FIELD_BYTES);
    for left in all {
        text.push_str(if text.is_empty() { "\"" } else { ", \"" });
        text.push_str(left.of.name);
        text.push('"');
        for (parameter, number) in parameters.iter().zip(numbers(left)) {
            text.push_str(parameter);
            text.push_str(itoa::Buffer::new().format(number));
        }
    }
    HeaderValue::try_from(text).expect("names and numbers are visible ASCII")
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs_f64().ceil() as u64
}

fn buckets<K: Hash + Eq + Clone>(quota: Quota, clock: &Forward) -> Buckets<K> {
    RateLimiter::<K, _, _, NoOpMiddleware<Nanos>>::new(quota, HashMapStateStore::default(), clock.clone())
        .with_middleware()
}

/// The clock of the process, made to go forward only: set back, it goes on from where it was, which shuts nobody out.
#[derive(Clone)]
struct Forward {
    clock: Arc<dyn Clock>,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    last: Timestamp,
    passed_ms: u64,
}

impl Forward {
    fn new(clock: Arc<dyn Clock>) -> Self {
        let seen = Seen {
            last: clock.now(),
            passed_ms: 0,
        };
        Self {
            clock,
            seen: Arc::new(Mutex::new(seen)),
        }
    }
}

impl governor::clock::Clock for Forward {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let now = self.clock.now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let passed_ms = now.as_millis().saturating_sub(seen.last.as_millis());
        seen.last = now;
        seen.passed_ms += u64::try_from(passed_ms).unwrap_or(0);
        Duration::from_millis(seen.passed_ms).into()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    pub(super) struct Manual(pub(super) AtomicI64);

    impl Default for Manual {
        fn default() -> Self {
            Self(AtomicI64::new(1_800_000_000_000))
        }
    }

    impl Clock for Manual {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

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

    fn taken(limits: &Limits, subject: Subject, at_most: usize) -> usize {
        (0..at_most).take_while(|_| limits.take(subject).is_ok()).count()
    }

    #[test]
    fn a_bucket_is_emptied_and_refills_and_is_nobody_elses() {
        let (limits, clock) = limits();
        let (one, other) = (
            Subject::Stranger(ClientNetwork::of([192, 0, 2, 1].into())),
            Subject::Stranger(ClientNetwork::of([192, 0, 2, 2].into())),
        );
        assert_eq!(taken(&limits, one, 1_000), 120);
        assert_eq!(limits.take(one).unwrap_err().status().as_u16(), 429);
        assert_eq!(taken(&limits, other, 1), 1);
        clock.0.fetch_add(3_000, Ordering::Relaxed);
        assert_eq!(taken(&limits, one, 1_000), 3);
        assert_eq!(taken(&limits, Subject::Key(Uuid::nil()), 2_000), 1_200);
        assert_eq!(taken(&limits, Subject::Account(1), 2_000), 1_200);
    }

    #[test]
    fn networks_of_one_site_share_a_bucket() {
        let (limits, _) = limits();
        let customer = |n: u16| Subject::Stranger(ClientNetwork::of([0x2001, 0xdb8, 1, n, 0, 0, 0, 1].into()));
        let taken_by = |n| taken(&limits, customer(n), 1_000);
        assert_eq!((0..6).map(taken_by).collect::<Vec<_>>(), [120, 120, 120, 120, 0, 0]);
        let elsewhere = ClientNetwork::of([0x2001, 0xdb8, 2, 0, 0, 0, 0, 1].into());
        assert_eq!(taken(&limits, Subject::Stranger(elsewhere), 1_000), 120);
    }

    #[test]
    fn a_clock_that_is_set_back_shuts_nobody_out() {
        let (limits, clock) = limits();
        assert_eq!(taken(&limits, Subject::Account(1), 2_000), 1_200);
        clock.0.fetch_sub(3_600_000, Ordering::Relaxed);
        assert_eq!(taken(&limits, Subject::Account(1), 1), 0);
        clock.0.fetch_add(1_000, Ordering::Relaxed);
        assert_eq!(taken(&limits, Subject::Account(1), 100), 20);
    }

    #[test]
    fn buckets_that_are_full_again_are_forgotten() {
        let (limits, clock) = limits();
        for n in 0..BUCKETS_MAX + 10 {
            limits.take(Subject::Account(n as i64)).unwrap();
            clock.0.fetch_add(10, Ordering::Relaxed);
        }
        assert!(limits.accounts.len() < BUCKETS_MAX / 10 + 10);
    }

    #[test]
    fn what_is_left_is_said_as_the_draft_says_it() {
        let (limits, _) = limits();
        let mut headers = HeaderMap::new();
        let account = limits.take(Subject::Account(1)).unwrap();
        let day = Left::of_day(100, 59, Timestamp::from_millis(86_399_000));
        Left::write(&[account, day], &mut headers, &Repeated::default());
        assert_eq!(headers[POLICY], r#""account";q=1200;w=60, "day";q=100;w=86400"#);
        assert_eq!(headers[LIMIT], r#""account";r=1199;t=1, "day";r=59;t=1"#);
        let over = quota_exceeded(Timestamp::from_millis(0));
        assert_eq!((over.status().as_u16(), over.code()), (429, QUOTA));
    }
}
