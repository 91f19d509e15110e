//! How long a writer goes on without asking the store whether others write too.

use crate::environment::Clock;
use crate::limits::{CONTENDED_MS, TRUSTED_COMMITS, TRUSTED_MS};
use crate::replica::Replica;

/// A run of commits of one process that are one call each: the PUT of `head` tells whether its copy was the newest.
///
/// Beside others, whoever ends a run lets them go first: who has to ask loses against who need not, so runs make contended writes
/// cheap, and their end makes them fair.
#[derive(Default)]
pub(crate) struct Turn {
    commits: u32,
    must_ask: bool,
    /// What the attempts of the run took that were accepted. Microseconds.
    busy_us: u64,
    /// When the attempt under way began, on the clock's monotonic scale. Microseconds.
    began_us: u64,
    /// When the last commit was accepted, on that scale. Microseconds.
    last_us: u64,
    /// Others write too, until then, on that scale. Microseconds.
    contended_until_us: u64,
}

impl Turn {
    /// Begins an attempt. What the store's clock said a moment ago, where it need not be asked. Milliseconds since 1970.
    pub(crate) async fn begin(&mut self, replica: &Replica) -> Option<u64> {
        self.began_us = replica.clock.monotonic_us();
        let trusted = self.trusted(replica);
        if trusted.is_none() {
            if self.began_us < self.contended_until_us {
                let idle_us = self.began_us.saturating_sub(self.last_us);
                replica.pause(self.busy_us.saturating_sub(idle_us) / 1_000).await;
            }
            (self.commits, self.busy_us, self.must_ask) = (0, 0, false);
            self.began_us = replica.clock.monotonic_us();
        }
        trusted
    }

    fn trusted(&self, replica: &Replica) -> Option<u64> {
        if self.must_ask || self.commits >= TRUSTED_COMMITS {
            return None;
        }
        let is_locked = replica.known.load().head.json.lock.is_some();
        if is_locked || replica.local().is_lost() {
            return None;
        }
        replica.date_if_younger_than(TRUSTED_MS)
    }

    /// The next attempt asks.
    pub(crate) fn ask(&mut self) {
        self.must_ask = true;
    }

    /// The attempt was accepted.
    pub(crate) fn committed(&mut self, clock: &dyn Clock) {
        self.last_us = clock.monotonic_us();
        self.busy_us += self.last_us.saturating_sub(self.began_us);
        self.commits += 1;
    }

    /// Somebody else writes; the next attempt asks.
    pub(crate) fn met_others(&mut self, clock: &dyn Clock) {
        self.must_ask = true;
        self.busy_us = 0;
        self.contended_until_us = clock.monotonic_us().saturating_add(CONTENDED_MS * 1_000);
    }
}
