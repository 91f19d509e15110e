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
    Write(Waiting),
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
            Some(Message::Write(waiting)) => batch.push(waiting),
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
