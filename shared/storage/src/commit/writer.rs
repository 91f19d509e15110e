//! [`Writer`]: the task that commits the batches of the write queue. Each engine has one, so that a caller that stops
//! waiting does not cancel its write.

use std::sync::Arc;

use crate::ablation::Ablation;
use crate::commit::committer::Committer;
use crate::commit::contention::{AttemptStart, ContentionWindow};
use crate::commit::error::CommitError;
use crate::commit::lock::HeadLock;
use crate::commit::publisher::Publisher;
use crate::commit::queue::BatchCollector;
use crate::commit::staging::{NewStaging, StagedCommit, Stager, Staging, StagingOutcome};
use crate::commit::write::QueuedWrite;
use crate::copy::known_head::KnownHead;
use crate::copy::replica::Replica;
use crate::error::Error;
use crate::limits::{
    BUSY_BACKOFF_MAX_MS, BUSY_BACKOFF_MIN_MS, LOCK_WAIT_MAX_MS, LOCK_WAIT_MIN_MS, LOSSES_BEFORE_LOCK,
    RACE_BACKOFF_DOUBLINGS_MAX, RETRY_MAX_MS,
};
use crate::store::Bucket;
use crate::sync::synchronizer::Synchronizer;
use crate::tasks::Tasks;

/// The dependencies of a writer. `F` is called with each committed `head`.
pub(crate) struct WriterParts<F> {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) sync: Arc<Synchronizer>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) stager: Arc<Stager>,
    pub(crate) committer: Arc<Committer>,
    pub(crate) tasks: Tasks,
    pub(crate) ablation: Option<Ablation>,
    pub(crate) new_staging: NewStaging,
    pub(crate) after_commit: F,
}

/// Commits batches, one after the other.
pub(crate) struct Writer<F> {
    parts: WriterParts<F>,
    /// The staging transaction. `None` while a blocking thread uses it, and if a panic has lost it.
    session: Option<Box<dyn Staging>>,
    lock: HeadLock,
    contention: ContentionWindow,
}

/// The result of one commit attempt.
enum CommitAttempt {
    Done,
    /// The writer did not revalidate, and the batch changed nothing, so the results may be based on an outdated copy.
    Untrusted,
    /// Each write has to run alone. If the batch has only one, this is its error.
    TransactionLost(Error),
    /// Another process holds the lock.
    Locked,
    Failed(CommitError),
}

impl From<Error> for CommitAttempt {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<CommitError> for CommitAttempt {
    fn from(error: CommitError) -> Self {
        Self::Failed(error)
    }
}

/// The retries of a batch.
struct Retries {
    losses: u32,
    lock_wait_ms: u64,
    backoff_ms: u64,
    /// Reason why the last attempt failed, for the log.
    last_failure: String,
}

impl<F: Fn(&Arc<KnownHead>) + Send> Writer<F> {
    pub(crate) fn new(parts: WriterParts<F>) -> Self {
        let lock = HeadLock::new(
            Arc::clone(&parts.bucket),
            Arc::clone(&parts.replica),
            Arc::clone(&parts.sync),
            Arc::clone(&parts.publisher),
        );
        let contention = ContentionWindow::new(parts.committer.writer_id.clone());
        Self {
            session: Some((parts.new_staging)()),
            parts,
            lock,
            contention,
        }
    }

    /// Commits batches until the queue is closed or its last sender is dropped.
    pub(crate) async fn run(mut self, mut batches: BatchCollector) {
        let bucket = Arc::clone(&self.parts.bucket);
        loop {
            let batch = batches.next().await;
            if batch.is_empty() {
                break;
            }
            let writes = batch.len();
            let began_us = bucket.clock().monotonic_us();
            self.process(batch).await;
            batches.record_commit(writes, bucket.clock().monotonic_us().saturating_sub(began_us));
        }
    }

    /// Commits a batch, and replies to every caller. If a write ends the transaction, each write of the batch is
    /// committed alone.
    async fn process(&mut self, batch: Vec<QueuedWrite>) {
        let mut groups = vec![batch];
        while let Some(mut group) = groups.pop() {
            if group.is_empty() {
                continue;
            }
            // The spans of a shared commit are below the write that was queued first.
            let position = group[0].position.clone();
            let transaction_error = position.run(self.commit_with_retries(&mut group)).await;
            self.lock.release().await;
            match transaction_error {
                Some(_) if group.len() > 1 => groups.extend(group.into_iter().rev().map(|write| vec![write])),
                Some(error) => {
                    for write in group.iter_mut().filter(|write| !write.pending.has_failed()) {
                        write.pending.reject(copy_of(&error));
                    }
                    self.reply(group);
                }
                None => self.reply(group),
            }
        }
    }

    fn reply(&self, group: Vec<QueuedWrite>) {
        let version = self.parts.replica.version();
        for QueuedWrite { pending, position, .. } in group {
            // The caller ends the span of its write.
            drop(position);
            pending.reply(version);
        }
    }

    /// Tries until every write of the batch is committed, rejected or expired. Returns an error if the transaction was
    /// lost.
    async fn commit_with_retries(&mut self, group: &mut Vec<QueuedWrite>) -> Option<Error> {
        let mut retries = Retries {
            losses: 0,
            lock_wait_ms: LOCK_WAIT_MIN_MS,
            backoff_ms: BUSY_BACKOFF_MIN_MS,
            last_failure: String::new(),
        };
        let bucket = Arc::clone(&self.parts.bucket);
        loop {
            self.reject_expired(group, &retries.last_failure).await;
            if group.is_empty() {
                return None;
            }
            let attempt = match self.attempt(group, &retries).await {
                Ok(attempt) | Err(attempt) => attempt,
            };
            let took_ms = self.contention.attempt_ms(&bucket);
            match attempt {
                CommitAttempt::Done => return None,
                CommitAttempt::Untrusted => {
                    // This attempt has sent nothing, so the next one counts as the first.
                    group.iter_mut().for_each(|write| write.first_attempt_ms = None);
                    self.contention.require_revalidation();
                }
                CommitAttempt::TransactionLost(error) => return Some(error),
                CommitAttempt::Locked => {
                    self.contention.record_contention(&bucket);
                    "another process holds the lock".clone_into(&mut retries.last_failure);
                    bucket.pause(retries.lock_wait_ms).await;
                    retries.lock_wait_ms = (retries.lock_wait_ms * 3 / 2).min(LOCK_WAIT_MAX_MS);
                }
                CommitAttempt::Failed(CommitError::Lost(detail)) => {
                    retries.last_failure = detail;
                    self.contention.record_contention(&bucket);
                    retries.losses += 1;
                    if !self.contention.is_in_rotation() {
                        let doublings = retries.losses.min(RACE_BACKOFF_DOUBLINGS_MAX);
                        bucket.pause(took_ms << doublings).await;
                    }
                }
                CommitAttempt::Failed(CommitError::Busy(detail)) => {
                    retries.last_failure = detail;
                    self.contention.require_revalidation();
                    bucket.pause(retries.backoff_ms).await;
                    retries.backoff_ms = (retries.backoff_ms * 2).min(BUSY_BACKOFF_MAX_MS);
                }
                CommitAttempt::Failed(CommitError::Failed(error)) => {
                    for write in group.iter_mut() {
                        write.pending.reject(copy_of(&error));
                    }
                    return None;
                }
            }
        }
    }

    /// Rejects the writes whose deadline has passed. Their outcome is unknown.
    async fn reject_expired(&mut self, group: &mut Vec<QueuedWrite>, last_failure: &str) {
        let now_us = self.parts.bucket.clock().monotonic_us();
        let mut expired: Vec<_> = group.extract_if(.., |write| now_us >= write.deadline_us).collect();
        for write in &mut expired {
            write.pending.reject(Error::unavailable(format!(
                "out of time, the outcome is unknown: {last_failure}"
            )));
        }
        if group.is_empty() && !expired.is_empty() {
            // The lock is released before the last reply, because Lambda freezes the process after it.
            self.lock.release().await;
        }
        self.reply(expired);
    }

    /// Makes one attempt: revalidates if necessary, takes the lock after several lost races, stages and commits.
    async fn attempt(
        &mut self,
        group: &mut Vec<QueuedWrite>,
        retries: &Retries,
    ) -> Result<CommitAttempt, CommitAttempt> {
        let (bucket, replica) = (Arc::clone(&self.parts.bucket), Arc::clone(&self.parts.replica));
        let (sync, publisher) = (Arc::clone(&self.parts.sync), Arc::clone(&self.parts.publisher));
        let AttemptStart { date_ms, is_trusted } = self.contention.begin_attempt(&bucket, &replica, &sync).await?;
        let _head_change = publisher.head_changes.lock().await;
        self.reject_old(group, date_ms);
        let mut known = replica.head_arc();
        sync.check_writable(&known.head.json)?;
        if self.lock.is_held_by_other(&known, date_ms) {
            return Ok(CommitAttempt::Locked);
        }
        if retries.losses >= LOSSES_BEFORE_LOCK && !self.lock.is_held_in(&known) {
            known = self.lock.acquire(&known, date_ms).await?;
        }
        let staged = match self.stage(group, &known, date_ms).await? {
            StagingOutcome::Staged(staged) => Arc::new(*staged),
            StagingOutcome::Unchanged | StagingOutcome::TransactionLost(_) if is_trusted => {
                return Ok(CommitAttempt::Untrusted);
            }
            StagingOutcome::Unchanged => return Ok(CommitAttempt::Done),
            StagingOutcome::TransactionLost(error) => return Ok(CommitAttempt::TransactionLost(error)),
            StagingOutcome::CopyChanged => {
                return Err(CommitError::Lost("the local copy has changed".to_owned()).into());
            }
        };
        match self.parts.committer.commit(&known, &staged, date_ms).await {
            Ok(committed) => {
                // The accepted `head` has no lock.
                self.lock.record_release();
                self.contention.record_commit(&bucket, committed.version());
                self.parts.stager.usage.remove(&staged.usage);
                self.accept(staged, Arc::clone(&committed)).await;
                (self.parts.after_commit)(&committed);
                Ok(CommitAttempt::Done)
            }
            Err(error) => {
                if let Some(session) = &mut self.session {
                    session.discard()?;
                }
                Err(error.into())
            }
        }
    }

    /// Rejects writes whose first attempt was too long ago. The row in `_commits` that would reveal that the attempt
    /// succeeded may have been purged.
    fn reject_old(&self, group: &mut Vec<QueuedWrite>, date_ms: u64) {
        if self.parts.ablation == Some(Ablation::RerunAfterPurge) {
            return;
        }
        for write in group.iter_mut() {
            // If the process slept with the write in its queue, even the first attempt is late.
            let slept_ms = self.parts.bucket.clock().unix_ms().saturating_sub(write.queued_at_ms);
            write.first_attempt_ms.get_or_insert(date_ms.saturating_sub(slept_ms));
        }
        let is_old = |write: &mut QueuedWrite| {
            write
                .first_attempt_ms
                .is_some_and(|first_ms| date_ms.abs_diff(first_ms) > RETRY_MAX_MS)
        };
        let mut old: Vec<_> = group.extract_if(.., is_old).collect();
        for write in &mut old {
            write.pending.reject(Error::unavailable(
                "it began too long ago to be run again, the outcome is unknown",
            ));
        }
        self.reply(old);
    }

    /// Stages the batch on a blocking thread, which runs the closures.
    async fn stage(
        &mut self,
        group: &mut Vec<QueuedWrite>,
        known: &Arc<KnownHead>,
        date_ms: u64,
    ) -> Result<StagingOutcome, Error> {
        let mut session = self.session.take().unwrap_or_else(|| (self.parts.new_staging)());
        let mut batch = std::mem::take(group);
        let (stager, known) = (Arc::clone(&self.parts.stager), Arc::clone(known));
        let work = move || {
            let result = stager.stage(&mut *session, &mut batch, &known, date_ms);
            (session, batch, result)
        };
        let Ok((session, batch, result)) = self.parts.tasks.blocking(work).await else {
            return Err(Error::Closed);
        };
        (self.session, *group) = (Some(session), batch);
        result
    }

    async fn accept(&mut self, staged: Arc<StagedCommit>, committed: Arc<KnownHead>) {
        let Some(mut session) = self.session.take() else { return };
        let committer = Arc::clone(&self.parts.committer);
        let work = move || {
            committer.accept(&mut *session, &staged, &committed);
            session
        };
        self.session = self.parts.tasks.blocking(work).await.ok();
    }
}

/// Copies an error, for each write of a batch.
fn copy_of(error: &Error) -> Error {
    match error {
        Error::Refused(text) => Error::Refused(text.clone()),
        Error::Unsupported(text) => Error::Unsupported(text.clone()),
        Error::Corrupt(text) => Error::Corrupt(text.clone()),
        Error::LeftTransaction(text) => Error::LeftTransaction(text.clone()),
        Error::TooLarge { name, bytes, limit } => Error::TooLarge {
            name,
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
