//! [`WriteQueue`]: the writes that wait for the next commit. A batch of them becomes one commit (group commit).

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument as _;

use crate::clock::StorageClock;
use crate::commit::usage::UsageBatch;
use crate::commit::write::{CommitId, Committed, QueuedWrite, TypedWrite, WriteReply, WriteTarget};
use crate::error::Error;
use crate::format::head::SchemaEdit;
use crate::limits::{BATCH_MAX, BATCH_WAIT_MAX_MS, QUEUE_MAX};
use crate::trace::{self, Position};

enum Message {
    Write(Box<QueuedWrite>),
    Close,
}

/// The sending end of the queue.
#[derive(Clone)]
pub(crate) struct WriteQueue {
    sender: mpsc::Sender<Message>,
    clock: Arc<dyn StorageClock>,
    write_deadline_ms: u64,
}

impl WriteQueue {
    /// Creates a queue for [`QUEUE_MAX`] writes, and its receiving end.
    pub(crate) fn new(clock: Arc<dyn StorageClock>, write_deadline_ms: u64) -> (Self, BatchCollector) {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let queue = Self {
            sender,
            clock: Arc::clone(&clock),
            write_deadline_ms,
        };
        (queue, BatchCollector::new(receiver, clock))
    }

    /// Queues a write and waits for its result. The same commit applies the counter batches `usage`.
    pub(crate) async fn write<T, E>(
        &self,
        id: CommitId,
        schema: Option<SchemaEdit>,
        usage: Vec<Arc<UsageBatch>>,
        closure: impl Fn(WriteTarget<'_>) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Committed<T>, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (caller, reply) = oneshot::channel();
        let span = trace::commit();
        let limit_us = self.write_deadline_ms.saturating_mul(1_000);
        let deadline_us = self.clock.monotonic_us().saturating_add(limit_us);
        let pending = Box::new(TypedWrite::new(closure, caller));
        let write = QueuedWrite {
            id,
            pending,
            deadline_us,
            queued_at_ms: self.clock.unix_ms(),
            first_attempt_ms: None,
            schema,
            usage,
            position: Position::new(trace::current(), span.clone()),
        };
        self.sender
            .try_send(Message::Write(Box::new(write)))
            .inspect_err(|_| trace::fail(&span))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Error::unavailable("too many writes wait"),
                mpsc::error::TrySendError::Closed(_) => Error::Closed,
            })?;
        match reply.instrument(span).await {
            Ok(WriteReply::Done(result)) => result,
            Ok(WriteReply::Panicked(panic)) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Closed.into()),
        }
    }

    /// Closes the queue after the writes that are in it. Returns `false` if it was closed already.
    pub(crate) async fn close(&self) -> bool {
        self.sender.send(Message::Close).await.is_ok()
    }
}

/// The receiving end of the queue, which forms batches.
pub(crate) struct BatchCollector {
    receiver: mpsc::Receiver<Message>,
    clock: Arc<dyn StorageClock>,
    is_open: bool,
    expected: ExpectedBatch,
}

/// The size of the next batch if the callers of the last one write again, and the longest time to wait for them.
struct ExpectedBatch {
    writes: usize,
    wait_max_ms: u64,
}

impl BatchCollector {
    fn new(receiver: mpsc::Receiver<Message>, clock: Arc<dyn StorageClock>) -> Self {
        let expected = ExpectedBatch {
            writes: 0,
            wait_max_ms: 0,
        };
        Self {
            receiver,
            clock,
            is_open: true,
            expected,
        }
    }

    /// Returns the writes of the next commit. Empty if the queue is closed or its last sender was dropped.
    pub(crate) async fn next(&mut self) -> Vec<QueuedWrite> {
        let mut batch = Vec::new();
        if self.is_open {
            let first = self.receiver.recv().await;
            self.add(first, &mut batch);
            // Callers that have just got a result can queue another write now.
            tokio::task::yield_now().await;
            self.add_queued(&mut batch);
            self.wait_for_expected(&mut batch).await;
        }
        batch
    }

    /// Records that a commit of `writes` writes took `took_us`. The next batch waits for their callers, because callers
    /// usually write again, and one commit of their writes and of the queued ones is cheaper than two.
    pub(crate) fn record_commit(&mut self, writes: usize, took_us: u64) {
        self.expected = ExpectedBatch {
            writes: writes + self.receiver.len(),
            wait_max_ms: (took_us / 2).div_ceil(1_000).min(BATCH_WAIT_MAX_MS),
        };
    }

    fn add(&mut self, message: Option<Message>, batch: &mut Vec<QueuedWrite>) {
        match message {
            Some(Message::Write(write)) => batch.push(*write),
            Some(Message::Close) | None => self.is_open = false,
        }
    }

    fn add_queued(&mut self, batch: &mut Vec<QueuedWrite>) {
        while self.is_open && batch.len() < BATCH_MAX {
            match self.receiver.try_recv() {
                Ok(message) => self.add(Some(message), batch),
                Err(_) => break,
            }
        }
    }

    async fn wait_for_expected(&mut self, batch: &mut Vec<QueuedWrite>) {
        let expected = self.expected.writes.min(BATCH_MAX);
        if batch.len() >= expected {
            return;
        }
        let clock = Arc::clone(&self.clock);
        let mut timeout = clock.sleep(self.expected.wait_max_ms);
        while self.is_open && batch.len() < expected {
            let message = match select(pin!(self.receiver.recv()), &mut timeout).await {
                Either::Left((message, _)) => message,
                Either::Right(_) => return,
            };
            self.add(message, batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;

    use futures_util::{FutureExt, poll};

    use super::*;
    use crate::clock::Sleep;
    use crate::commit::write::{PendingWrite, RunOutcome};
    use crate::random::SystemStorageRandom;
    use crate::version::Version;

    /// A clock whose sleep ends at once or never.
    struct StoppedClock {
        sleep_ends: bool,
    }

    impl StorageClock for StoppedClock {
        fn unix_ms(&self) -> u64 {
            0
        }

        fn monotonic_us(&self) -> u64 {
            0
        }

        fn sleep(&self, ms: u64) -> Sleep<'_> {
            assert!((1..=BATCH_WAIT_MAX_MS).contains(&ms), "{ms}");
            match self.sleep_ends {
                true => std::future::ready(()).boxed(),
                false => std::future::pending().boxed(),
            }
        }
    }

    struct NoWrite;

    impl PendingWrite for NoWrite {
        fn run(&mut self, _: WriteTarget<'_>) -> RunOutcome {
            RunOutcome::Failed
        }

        fn replay(&mut self, _: &[u8]) {}

        fn has_failed(&self) -> bool {
            false
        }

        fn reject(&mut self, _: Error) {}

        fn reply(self: Box<Self>, _: Version) {}
    }

    fn write() -> Message {
        Message::Write(Box::new(QueuedWrite {
            id: CommitId::random(&SystemStorageRandom),
            pending: Box::new(NoWrite),
            deadline_us: 0,
            queued_at_ms: 0,
            first_attempt_ms: None,
            schema: None,
            usage: Vec::new(),
            position: Position::here(),
        }))
    }

    fn queue(sleep_ends: bool) -> (mpsc::Sender<Message>, BatchCollector) {
        let (sender, receiver) = mpsc::channel(10);
        (
            sender,
            BatchCollector::new(receiver, Arc::new(StoppedClock { sleep_ends })),
        )
    }

    #[tokio::test]
    async fn callers_of_the_last_commit_join_the_next_one() {
        let (sender, mut collector) = queue(false);
        sender.try_send(write()).unwrap();
        collector.record_commit(2, 10_000);
        sender.try_send(write()).unwrap();
        let mut next = pin!(collector.next());
        // The first poll yields to callers that write again.
        assert!(poll!(&mut next).is_pending() && poll!(&mut next).is_pending());
        sender.try_send(write()).unwrap();
        let Poll::Ready(batch) = poll!(&mut next) else {
            panic!("the batch is complete");
        };
        assert_eq!(batch.len(), 3);
    }

    #[tokio::test]
    async fn wait_is_bounded_and_a_single_caller_does_not_wait() {
        let (sender, mut collector) = queue(true);
        collector.record_commit(5, 10_000);
        sender.try_send(write()).unwrap();
        assert_eq!(collector.next().await.len(), 1);
        let (sender, mut collector) = queue(false);
        collector.record_commit(1, 10_000);
        sender.try_send(write()).unwrap();
        assert_eq!(collector.next().await.len(), 1);
    }

    #[tokio::test]
    async fn writes_before_the_close_are_committed() {
        let (sender, mut collector) = queue(false);
        sender.try_send(write()).unwrap();
        sender.try_send(Message::Close).unwrap();
        assert_eq!((collector.next().await.len(), collector.next().await.len()), (1, 0));
    }
}
