//! Time as an injected dependency, so that tests and simulations decide it.
//!
//! [`SystemStorageClock`] is the only code of the crate that reads the ambient clock.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The future that [`StorageClock::sleep`] returns. It borrows the clock.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Source of time for the engine and its stores.
pub trait StorageClock: Send + Sync + 'static {
    /// Milliseconds since 1970-01-01 UTC. It may jump, so it never orders writes. Stores report it as their `Date`.
    fn unix_ms(&self) -> u64;
    /// Microseconds since an arbitrary fixed moment. It never runs backwards. Used for deadlines.
    fn monotonic_us(&self) -> u64;
    /// Resolves after `ms` milliseconds.
    fn sleep(&self, ms: u64) -> Sleep<'_>;
}

/// The clocks of the operating system and the timer of tokio. The runtime must have its timer enabled.
#[derive(Debug)]
pub struct SystemStorageClock {
    started: Instant,
}

impl SystemStorageClock {
    /// Creates a clock whose monotonic time starts now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the implementation that the rest of the code is given"
    )]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemStorageClock {
    fn default() -> Self {
        Self::new()
    }
}

impl StorageClock for SystemStorageClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the implementation that the rest of the code is given"
    )]
    fn unix_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn sleep(&self, ms: u64) -> Sleep<'_> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}
