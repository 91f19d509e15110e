//! [`Session::public_counters`]: the statistics that callers without authentication may read. They are counted at most once a minute,
//! because counting takes longer the more records there are.

use std::sync::Arc;

use bespoke_core::Timestamp;
use bespoke_database::statistics::{self, Statistics};
use tokio::sync::Mutex;

use super::session::Session;
use crate::response::Result;

/// How long counted statistics are returned, in milliseconds.
const LIFETIME_MS: u64 = 60 * 1000;
/// Maximum number of designs in the statistics.
const MAX_DESIGNS: u32 = 200;
/// Maximum number of users in the statistics.
const MAX_USERS: u32 = 25;

/// The statistics that were counted last. The lock is held while they are counted, so that concurrent callers share the result.
#[derive(Default)]
pub(super) struct PublicCounters(Arc<Mutex<Option<Counted>>>);

struct Counted {
    at: Timestamp,
    statistics: Arc<Statistics>,
}

impl Session {
    /// Returns statistics of the complete database that are at most a minute old: at most 200 designs and 25 users.
    ///
    /// # Errors
    /// The errors of [`Session::read_blocking`].
    pub async fn public_counters(&self) -> Result<Arc<Statistics>> {
        let mut counted = Arc::clone(&self.counters().0).lock_owned().await;
        let now = self.now();
        let is_fresh = |counted: &&Counted| counted.at.as_millis().abs_diff(now.as_millis()) < LIFETIME_MS;
        if let Some(fresh) = counted.as_ref().filter(is_fresh) {
            return Ok(Arc::clone(&fresh.statistics));
        }
        // The lock belongs to the read, so that callers that leave early cannot begin another one.
        self.read_blocking(move |db| {
            let statistics = Arc::new(statistics::read(db, MAX_DESIGNS, MAX_USERS)?);
            *counted = Some(Counted {
                at: now,
                statistics: Arc::clone(&statistics),
            });
            Ok(statistics)
        })
        .await
    }
}
