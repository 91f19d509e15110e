//! [`MonotonicClock`]: the clock of the rate limits, which never goes back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bespoke_core::{Clock, Timestamp};
use governor::nanos::Nanos;

/// A clock that never goes backwards. If the system clock is set back, this clock continues from its last value, because otherwise callers
/// would be locked out until the system clock has caught up.
#[derive(Clone)]
pub(super) struct MonotonicClock {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

struct State {
    last: Timestamp,
    elapsed_ms: u64,
}

impl MonotonicClock {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let state = State {
            last: clock.now(),
            elapsed_ms: 0,
        };
        Self {
            clock,
            state: Arc::new(Mutex::new(state)),
        }
    }
}

impl governor::clock::Clock for MonotonicClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed_ms = now.as_millis().saturating_sub(state.last.as_millis());
        state.last = now;
        state.elapsed_ms += u64::try_from(elapsed_ms).unwrap_or(0);
        Duration::from_millis(state.elapsed_ms).into()
    }
}

/// A clock that a test sets by hand.
#[cfg(test)]
pub(super) mod manual {
    use std::sync::atomic::{AtomicI64, Ordering};

    use bespoke_core::{Clock, Timestamp};

    pub(in crate::limits) struct Manual(pub(in crate::limits) AtomicI64);

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
}
