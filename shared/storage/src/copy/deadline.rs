//! [`Deadline`]: stops the statements of a connection at a given time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::Connection;

use crate::clock::StorageClock;
use crate::limits::STEPS_PER_DEADLINE_CHECK;

/// The deadline of a connection. Clones refer to the same deadline.
#[derive(Clone)]
pub(crate) struct Deadline {
    /// On the clock's monotonic scale, in microseconds.
    at_us: Arc<AtomicU64>,
    has_stopped: Arc<AtomicBool>,
}

impl Deadline {
    /// Installs a deadline on `connection`.
    pub(crate) fn install(connection: &mut Connection, clock: Arc<dyn StorageClock>) -> rusqlite::Result<Self> {
        let deadline = Self {
            at_us: Arc::new(AtomicU64::new(u64::MAX)),
            has_stopped: Arc::default(),
        };
        let Self { at_us, has_stopped } = deadline.clone();
        let handler = move || {
            let is_over = clock.monotonic_us() >= at_us.load(Ordering::Relaxed);
            if is_over {
                has_stopped.store(true, Ordering::Relaxed);
            }
            is_over
        };
        connection.progress_handler(STEPS_PER_DEADLINE_CHECK, Some(handler))?;
        Ok(deadline)
    }

    /// Sets the deadline, on the clock's monotonic scale.
    pub(crate) fn set(&self, at_us: u64) {
        self.has_stopped.store(false, Ordering::Relaxed);
        self.at_us.store(at_us, Ordering::Relaxed);
    }

    /// Returns whether a statement was stopped since [`Deadline::set`].
    pub(crate) fn has_stopped(&self) -> bool {
        self.has_stopped.load(Ordering::Relaxed)
    }
}
