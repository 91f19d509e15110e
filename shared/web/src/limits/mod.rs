//! Limits for calls, stored and written bytes, memory and concurrent work.
//!
//! | File | Limits | Response beyond the limit |
//! | --- | --- | --- |
//! | `rates` | calls a minute by a client network, an API key or an account | 429 `tooManyRequests` |
//! | `key_guesses` | wrong API keys a minute by a client network | 429 `tooManyRequests` |
//! | `account` | records, stored bytes, and written and exported bytes of a day | 403 `accountLimitReached`, 429 `quotaExceeded` |
//! | `body_memory` | memory for bodies of requests and of unsent responses, for each client and in total | 429, 503 |
//! | `worker_pool` | CPU-bound work that waits or runs; that of one caller runs one after the other | 429, 503 |
//! | `keyed_lock` | concurrent work with the same key, for example of one account | 429 |
//!
//! Every limit is checked before the work that it limits. Rates, memory and work are counted in this process; the limits of an account are
//! counted in the database, in the transaction of the write. `errors` contains the responses, `headers` the `RateLimit` headers, and
//! `monotonic_clock` the clock of the rates.
//!
//! This module must not depend on a session or on the configuration, because both use it.
//!
//! To add a limit, add a constant with its unit, or a setting, and check it where the work begins. For a rate, add a variant to `RateSubject`
//! and a bucket to `Limits`.

mod account;
mod body_memory;
mod errors;
mod headers;
mod key_guesses;
mod keyed_lock;
mod monotonic_clock;
mod rates;
mod worker_pool;

pub(crate) use account::WriteCost;
pub use account::{AccountLimits, ExportAllowance, Growth};
pub(crate) use body_memory::{BodyMemory, BodyReservation, MAX_BODY_BYTES, RESERVATION_WAIT_S, ShareHolder};
pub(crate) use errors::{TOO_MANY, quota_exceeded};
pub(crate) use headers::{Limit, LimitState};
pub(crate) use key_guesses::CountedGuess;
pub(crate) use keyed_lock::{KeyedLock, KeyedLocks};
pub use rates::LimitSettings;
pub(crate) use rates::{Limits, RateSubject};
pub(crate) use worker_pool::WorkerPool;
