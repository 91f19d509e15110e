//! [`release`]: returns free memory to the system after a burst of requests.

use std::hint::black_box;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

/// Interval of collecting free pages, in seconds.
const INTERVAL_S: u64 = 5;
/// Size of the block that is allocated and freed, in bytes. It is too large for the free lists of a thread, and none of its pages is touched.
const BLOCK_BYTES: usize = 4 * 1024 * 1024;

/// Makes the allocator return free pages, by freeing a block at intervals. mimalloc returns pages that have been free for a second, but only
/// while it frees another page, and an idle server frees none.
pub(super) async fn release() {
    let mut interval = tokio::time::interval(Duration::from_secs(INTERVAL_S));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        drop(black_box(Vec::<u8>::with_capacity(BLOCK_BYTES)));
    }
}
