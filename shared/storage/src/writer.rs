//! The task that writes: one for each engine, fed by a queue, so that no caller who goes away cancels a write. What waits while
//! a PUT is under way shares the next commit.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::commit::Refusal;
use crate::engine::Ablation;
use crate::error::Error;
use crate::job::Waiting;
use crate::limits::{
    BACKOFF_MAX_MS, BACKOFF_MIN_MS, LOCK_WAIT_MAX_MS, LOCK_WAIT_MIN_MS, LOSSES_BEFORE_LOCK, LOSSES_COUNTED,
    RERUN_MAX_MS,
};
use crate::lock::Locking;
use crate::queue::{Message, Queue};
use crate::replica::{Known, Replica};
use crate::stage::{Stage, Staged, Staging, stage};
use crate::turn::Turn;

pub(crate) struct Writer {
    replica: Arc<Replica>,
    /// Out on a thread for blocking work while there is none.
    session: Option<Box<dyn Staging>>,
    locking: Locking,
    turn: Turn,
}

/// What an attempt came to.
enum Attempt {
    Done,
    /// What it came to stands on a copy that may be old.
    Doubtful,
    /// Each write has to run alone; where there is only one, this is its error.
    Left(Error),
    /// Somebody else holds the lock.
    Locked,
    Refused(Refusal),
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        Self::Refused(error.into())
    }
}

impl From<Refusal> for Attempt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// How long a batch has been at it.
struct Patience {
    losses: u32,
    lock_wait_ms: u64,
    backoff_ms: u64,
    /// Why the last attempt failed, for the log.
    last: String,
}

impl Writer {
    pub(crate) fn new(replica: Arc<Replica>) -> Self {
        let locking = Locking::new(&replica);
        let session = Some(replica.place.staging());
        Self {
            replica,
            session,
            locking,
            turn: Turn::default(),
        }
    }

    /// Serves the queue until it is closed, or nobody is left who could fill it.
    pub(crate) async fn run(mut self, messages: mpsc::Receiver<Message>) {
        let clock = Arc::clone(&self.replica.clock);
        let mut queue = Queue::new(messages, Arc::clone(&clock));
        loop {
            let batch = queue.next().await;
            if batch.is_empty() {
                break;
            }
            let (writes, began_us) = (batch.len(), clock.monotonic_us());
            self.serve(batch).await;
            queue.were_answered(writes, clock.monotonic_us().saturating_sub(began_us));
        }
    }

    /// Brings every write of a batch to an answer.
    async fn serve(&mut self, batch: Vec<Waiting>) {
        let mut groups = vec![batch];
        while let Some(mut group) = groups.pop() {
            if group.is_empty() {
                continue;
            }
            // The calls of a shared commit stand below the write that came first.
            let position = group[0].position.clone();
            let left = position.run(self.drive(&mut group)).await;
            self.locking.release(&self.replica).await;
            match left {
                Some(_) if group.len() > 1 => groups.extend(group.into_iter().rev().map(|waiting| vec![waiting])),
                Some(error) => {
                    for waiting in group.iter_mut().filter(|waiting| !waiting.job.has_failed()) {
                        waiting.job.reject(unshared(&error));
                    }
                    self.answer(group);
                }
                None => self.answer(group),
            }
        }
    }

    fn answer(&self, group: Vec<Waiting>) {
        let version = self.replica.known.load().version();
        for Waiting { job, position, .. } in group {
            // The span of the write ends with the call that made it.
            drop(position);
            job.answer(version);
        }
    }

    /// Tries until the batch is committed or refused, or out of time. Returns why its transaction was left, if it was.
    async fn drive(&mut self, group: &mut Vec<Waiting>) -> Option<Error> {
        let mut patience = Patience {
            losses: 0,
            lock_wait_ms: LOCK_WAIT_MIN_MS,
            backoff_ms: BACKOFF_MIN_MS,
            last: String::new(),
        };
        loop {
            self.expire(group, &patience.last).await;
            if group.is_empty() {
                return None;
            }
            let began_us = self.replica.clock.monotonic_us();
            let attempt = self.attempt(group, &patience).await;
            let took_ms = (self.replica.clock.monotonic_us() - began_us) / 1_000;
            match attempt {
                Attempt::Done => return None,
                Attempt::Doubtful => {
                    // Nothing was sent: the next attempt is the first.
                    group.iter_mut().for_each(|waiting| waiting.first_attempt_ms = None);
                    self.turn.ask();
                }
                Attempt::Left(error) => return Some(error),
                Attempt::Locked => {
                    self.turn.met_others(&*self.replica.clock);
                    "somebody else holds the lock".clone_into(&mut patience.last);
                    self.replica.pause(patience.lock_wait_ms).await;
                    patience.lock_wait_ms = (patience.lock_wait_ms * 3 / 2).min(LOCK_WAIT_MAX_MS);
                }
                Attempt::Refused(Refusal::Lost(detail)) => {
                    patience.losses += 1;
                    patience.last = detail;
                    self.turn.met_others(&*self.replica.clock);
                    self.replica.pause(took_ms << patience.losses.min(LOSSES_COUNTED)).await;
                }
                Attempt::Refused(Refusal::Busy(detail)) => {
                    patience.last = detail;
                    self.turn.ask();
                    self.replica.pause(patience.backoff_ms).await;
                    patience.backoff_ms = (patience.backoff_ms * 2).min(BACKOFF_MAX_MS);
                }
                Attempt::Refused(Refusal::Failed(error)) => {
                    for waiting in group.iter_mut() {
                        waiting.job.reject(unshared(&error));
                    }
                    return None;
                }
            }
        }
    }

    /// Answers the writes whose time is over: their outcome is unknown.
    async fn expire(&mut self, group: &mut Vec<Waiting>, why: &str) {
        let now_us = self.replica.clock.monotonic_us();
        let mut expired: Vec<_> = group.extract_if(.., |waiting| now_us >= waiting.deadline_us).collect();
        for waiting in &mut expired {
            waiting.job.reject(Error::unavailable(format!(
                "out of time, the outcome is unknown: {why}"
            )));
        }
        if group.is_empty() && !expired.is_empty() {
            // Nothing may run after the last answer.
            self.locking.release(&self.replica).await;
        }
        self.answer(expired);
    }

    async fn attempt(&mut self, group: &mut Vec<Waiting>, patience: &Patience) -> Attempt {
        match self.attempt_or(group, patience).await {
            Ok(attempt) | Err(attempt) => attempt,
        }
    }

    async fn attempt_or(&mut self, group: &mut Vec<Waiting>, patience: &Patience) -> Result<Attempt, Attempt> {
        let replica = Arc::clone(&self.replica);
        let trusted_ms = self.turn.begin(&self.replica).await;
        let date_ms = match trusted_ms {
            Some(date_ms) => date_ms,
            None => self.replica.refresh().await?,
        };
        let _turn = replica.changing.lock().await;
        self.forget_the_old(group, date_ms);
        let mut known = self.replica.known.load_full();
        self.replica.check_writable(&known.head.json)?;
        if self.locking.is_locked_out(&known, date_ms) {
            return Ok(Attempt::Locked);
        }
        if patience.losses >= LOSSES_BEFORE_LOCK && !self.locking.holds(&known) {
            known = self.locking.take(&self.replica, &known, date_ms).await?;
        }
        let staged = match self.stage(group, &known, date_ms).await? {
            Stage::Staged(staged) => Arc::new(*staged),
            Stage::Unchanged | Stage::Left(_) if trusted_ms.is_some() => return Ok(Attempt::Doubtful),
            Stage::Unchanged => return Ok(Attempt::Done),
            Stage::Left(error) => return Ok(Attempt::Left(error)),
            Stage::Moved => return Err(Refusal::Lost("the local copy moved on".to_owned()).into()),
        };
        match self.replica.commit(&known, &staged, date_ms).await {
            Ok(committed) => {
                // The PUT that committed cleared the lock.
                self.locking.cleared();
                self.turn.committed(&*self.replica.clock);
                self.replica.frozen.forget(&staged.usage);
                self.accept(staged, Arc::clone(&committed)).await;
                replica.compact_beside(&committed);
                Ok(Attempt::Done)
            }
            Err(refusal) => {
                if let Some(session) = &mut self.session {
                    session.discard()?;
                }
                Err(refusal.into())
            }
        }
    }

    /// Nothing is run again that long after its first attempt: what would tell that it landed may have been purged.
    fn forget_the_old(&self, group: &mut Vec<Waiting>, date_ms: u64) {
        if self.replica.ablation == Some(Ablation::RerunAfterPurge) {
            return;
        }
        for waiting in group.iter_mut() {
            // A process that slept with the write in hand is late with its first attempt already.
            let slept_ms = self.replica.clock.unix_ms().saturating_sub(waiting.handed_in_ms);
            waiting.first_attempt_ms.get_or_insert(date_ms.saturating_sub(slept_ms));
        }
        let is_old = |waiting: &mut Waiting| {
            waiting
                .first_attempt_ms
                .is_some_and(|first_ms| date_ms.abs_diff(first_ms) > RERUN_MAX_MS)
        };
        let mut old: Vec<_> = group.extract_if(.., is_old).collect();
        for waiting in &mut old {
            waiting.job.reject(Error::unavailable(
                "it began too long ago to be run again, the outcome is unknown",
            ));
        }
        self.answer(old);
    }

    /// Runs the closures and stages what they changed, on a thread for blocking work.
    async fn stage(&mut self, group: &mut Vec<Waiting>, known: &Arc<Known>, date_ms: u64) -> Result<Stage, Error> {
        let mut session = self.session.take().unwrap_or_else(|| self.replica.place.staging());
        let mut batch = std::mem::take(group);
        let (replica, known) = (Arc::clone(&self.replica), Arc::clone(known));
        let work = move || {
            let result = stage(&replica, &mut *session, &mut batch, &known, date_ms);
            (session, batch, result)
        };
        let Ok((session, batch, result)) = self.replica.tasks.blocking(work).await else {
            return Err(Error::Closed);
        };
        (self.session, *group) = (Some(session), batch);
        result
    }

    async fn accept(&mut self, staged: Arc<Staged>, committed: Arc<Known>) {
        let Some(mut session) = self.session.take() else { return };
        let replica = Arc::clone(&self.replica);
        let work = move || {
            replica.accept(&mut *session, &staged, &committed);
            session
        };
        self.session = self.replica.tasks.blocking(work).await.ok();
    }
}

/// The same error for each write of a batch.
fn unshared(error: &Error) -> Error {
    match error {
        Error::Refused(text) => Error::Refused(text.clone()),
        Error::Unsupported(text) => Error::Unsupported(text.clone()),
        Error::Corrupt(text) => Error::Corrupt(text.clone()),
        Error::LeftTransaction(text) => Error::LeftTransaction(text.clone()),
        Error::TooLarge { what, bytes, limit } => Error::TooLarge {
            what,
            bytes: *bytes,
            limit: *limit,
        },
        Error::NotRestorable(why) => Error::NotRestorable(why.clone()),
        Error::Closed => Error::Closed,
        Error::ReadTimeout { limit_ms } => Error::ReadTimeout { limit_ms: *limit_ms },
        Error::Local(error) => Error::Local(std::io::Error::new(error.kind(), error.to_string())),
        Error::Sqlite(rusqlite::Error::SqliteFailure(code, text)) => {
            Error::Sqlite(rusqlite::Error::SqliteFailure(*code, text.clone()))
        }
        Error::Sqlite(other) => Error::Local(std::io::Error::other(other.to_string())),
        Error::Unavailable { retry_after_ms, detail } => Error::Unavailable {
            retry_after_ms: *retry_after_ms,
            detail: detail.clone(),
        },
    }
}
