//! What waits before the writer, and who is let into the next commit.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use tokio::sync::mpsc;

use crate::environment::Clock;
use crate::job::Waiting;
use crate::limits::{BATCH_MAX, GATHER_MAX_MS};

/// What stands in the queue.
pub(crate) enum Message {
    Write(Box<Waiting>),
    Close,
}

/// The end of the queue where the writer takes out.
pub(crate) struct Queue {
    messages: mpsc::Receiver<Message>,
    clock: Arc<dyn Clock>,
    is_open: bool,
    crowd: Crowd,
}

/// Who can be expected to share the next commit.
struct Crowd {
    writes: usize,
    /// How long to wait for them. Milliseconds.
    patience_ms: u64,
}

impl Queue {
    pub(crate) fn new(messages: mpsc::Receiver<Message>, clock: Arc<dyn Clock>) -> Self {
        let crowd = Crowd {
            writes: 0,
            patience_ms: 0,
        };
        Self {
            messages,
            clock,
            is_open: true,
            crowd,
        }
    }

    /// The writes of the next commit; none once the queue is closed, or nobody is left who could fill it.
    pub(crate) async fn next(&mut self) -> Vec<Waiting> {
        let mut batch = Vec::new();
        if self.is_open {
            let first = self.messages.recv().await;
            self.take(first, &mut batch);
            // Who was just answered in this process may have more.
            tokio::task::yield_now().await;
            self.take_what_waits(&mut batch);
            self.wait_for_the_crowd(&mut batch).await;
        }
        batch
    }

    /// So many writes were just answered, by a commit that took so long. Those who wrote write again, as a rule, and with those who
    /// wait already they are better off in one commit than in turns.
    pub(crate) fn were_answered(&mut self, writes: usize, took_us: u64) {
        self.crowd = Crowd {
            writes: writes + self.messages.len(),
            patience_ms: (took_us / 2).div_ceil(1_000).min(GATHER_MAX_MS),
        };
    }

    fn take(&mut self, message: Option<Message>, batch: &mut Vec<Waiting>) {
        match message {
            Some(Message::Write(waiting)) => batch.push(*waiting),
            Some(Message::Close) | None => self.is_open = false,
        }
    }

    fn take_what_waits(&mut self, batch: &mut Vec<Waiting>) {
        while self.is_open && batch.len() < BATCH_MAX {
            match self.messages.try_recv() {
                Ok(message) => self.take(Some(message), batch),
                Err(_) => break,
            }
        }
    }

    async fn wait_for_the_crowd(&mut self, batch: &mut Vec<Waiting>) {
        let expected = self.crowd.writes.min(BATCH_MAX);
        if batch.len() >= expected {
            return;
        }
        let clock = Arc::clone(&self.clock);
        let mut patience = clock.sleep(self.crowd.patience_ms);
        while self.is_open && batch.len() < expected {
            let come = match select(pin!(self.messages.recv()), &mut patience).await {
                Either::Left((message, _)) => message,
                Either::Right(_) => return,
            };
            self.take(come, batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;

    use futures_util::{FutureExt, poll};

    use super::*;
    use crate::environment::Sleep;
    use crate::error::Error;
    use crate::job::{Job, Ran, Seen};
    use crate::trace::Position;
    use crate::version::Version;
    use crate::{CommitId, environment};

    /// A clock whose sleep is over at once, or never.
    struct Still {
        sleep_ends: bool,
    }

    impl Clock for Still {
        fn unix_ms(&self) -> u64 {
            0
        }

        fn monotonic_us(&self) -> u64 {
            0
        }

        fn sleep(&self, ms: u64) -> Sleep<'_> {
            assert!((1..=GATHER_MAX_MS).contains(&ms), "{ms}");
            match self.sleep_ends {
                true => std::future::ready(()).boxed(),
                false => std::future::pending().boxed(),
            }
        }
    }

    struct Nothing;

    impl Job for Nothing {
        fn run(&mut self, _: Seen<'_>) -> Ran {
            Ran::Failed
        }

        fn replay(&mut self, _: &[u8]) {}

        fn has_failed(&self) -> bool {
            false
        }

        fn reject(&mut self, _: Error) {}

        fn answer(self: Box<Self>, _: Version) {}
    }

    fn write() -> Message {
        Message::Write(Box::new(Waiting {
            id: CommitId::random(&environment::SystemRandom),
            job: Box::new(Nothing),
            deadline_us: 0,
            handed_in_ms: 0,
            first_attempt_ms: None,
            schema: None,
            usage: Vec::new(),
            position: Position::here(),
        }))
    }

    fn queue(sleep_ends: bool) -> (mpsc::Sender<Message>, Queue) {
        let (sender, messages) = mpsc::channel(10);
        (sender, Queue::new(messages, Arc::new(Still { sleep_ends })))
    }

    #[tokio::test]
    async fn who_was_just_answered_shares_the_next_commit_with_who_waits() {
        let (sender, mut queue) = queue(false);
        sender.try_send(write()).unwrap();
        queue.were_answered(2, 10_000);
        sender.try_send(write()).unwrap();
        let mut next = pin!(queue.next());
        // The first poll yields to whoever has more.
        assert!(poll!(&mut next).is_pending() && poll!(&mut next).is_pending());
        sender.try_send(write()).unwrap();
        let Poll::Ready(batch) = poll!(&mut next) else {
            panic!("all are there");
        };
        assert_eq!(batch.len(), 3);
    }

    #[tokio::test]
    async fn nobody_waits_for_long_and_one_alone_not_at_all() {
        let (sender, mut patient) = queue(true);
        patient.were_answered(5, 10_000);
        sender.try_send(write()).unwrap();
        assert_eq!(patient.next().await.len(), 1);
        let (sender, mut alone) = queue(false);
        alone.were_answered(1, 10_000);
        sender.try_send(write()).unwrap();
        assert_eq!(alone.next().await.len(), 1);
    }

    #[tokio::test]
    async fn what_was_handed_in_before_the_end_is_done() {
        let (sender, mut queue) = queue(false);
        sender.try_send(write()).unwrap();
        sender.try_send(Message::Close).unwrap();
        assert_eq!((queue.next().await.len(), queue.next().await.len()), (1, 0));
    }
}
