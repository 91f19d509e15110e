//! [`QueuedWrite`]: one write with the closure of its caller, the last result of the closure, and the reply to the
//! caller.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::commit::usage::UsageBatch;
use crate::error::Error;
use crate::format::head::SchemaEdit;
use crate::limits::COMMIT_ID_MAX_BYTES;
use crate::random::{StorageRandom, hex_16};
use crate::trace::Position;
use crate::version::Version;

/// Identifies one write. A write takes effect once, however often it is sent with the same id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommitId(String);

impl CommitId {
    /// Returns a unique id.
    #[must_use]
    pub fn random(random: &dyn StorageRandom) -> Self {
        Self(hex_16(random))
    }

    /// Returns an id that the caller chose, for example from an `Idempotency-Key`.
    ///
    /// All ids of a database share one namespace, so a key from a client must be combined with the id of that client.
    /// An id is at most [`COMMIT_ID_MAX_BYTES`] long.
    ///
    /// # Errors
    /// [`Error::TooLarge`], or [`Error::Refused`] if the id is empty.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        let bytes = text.len();
        if bytes > COMMIT_ID_MAX_BYTES {
            return Err(Error::TooLarge {
                name: "a commit id",
                bytes,
                limit: COMMIT_ID_MAX_BYTES,
            });
        }
        if bytes == 0 {
            Err(Error::Refused("a commit id is not empty".to_owned()))
        } else {
            Ok(Self(text))
        }
    }

    /// Returns the text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A committed write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed<T> {
    /// The value that the closure returned in the run that was committed.
    pub value: T,
    /// A version that contains the write.
    pub version: Version,
    /// Whether an earlier attempt with the same commit id had succeeded, so that the closure did not run again.
    pub replayed: bool,
}

/// The result of one run of a closure.
pub(crate) enum RunOutcome {
    /// The value as JSON, which is recorded in `_commits`.
    Value(Vec<u8>),
    /// An error or a panic, which the write remembers.
    Failed,
}

/// The reply that the task of the caller receives.
pub(crate) enum WriteReply<T, E> {
    Done(Result<Committed<T>, E>),
    Panicked(Box<dyn Any + Send>),
}

/// The database that a closure changes.
pub(crate) enum WriteTarget<'a> {
    Sqlite(&'a Connection),
    /// A model of SQLite, whose type only the simulation knows.
    Simulated(&'a mut dyn Any),
}

impl<'a> WriteTarget<'a> {
    /// # Errors
    /// [`Error::Refused`] in a simulation without SQLite.
    pub(crate) fn sqlite(self) -> Result<&'a Connection, Error> {
        match self {
            Self::Sqlite(connection) => Ok(connection),
            Self::Simulated(_) => Err(Error::Refused("a model runs no SQL".to_owned())),
        }
    }
}

/// A write whose result types are erased, so that one queue can contain writes of all types.
pub(crate) trait PendingWrite: Send {
    /// Runs the closure and remembers its result.
    fn run(&mut self, target: WriteTarget<'_>) -> RunOutcome;
    /// Uses the result that an earlier attempt recorded in `_commits`.
    fn replay(&mut self, stored: &[u8]);
    /// Returns whether the closure itself has failed.
    fn has_failed(&self) -> bool;
    /// Uses an error of the engine as the result.
    fn reject(&mut self, error: Error);
    /// Sends the remembered result to the caller.
    fn reply(self: Box<Self>, version: Version);
}

enum WriteResult<T, E> {
    NotRun,
    Value(T),
    Replayed(T),
    Failed(E),
    Panicked(Box<dyn Any + Send>),
}

/// A [`PendingWrite`] with its types.
pub(crate) struct TypedWrite<T, E, F> {
    closure: F,
    result: WriteResult<T, E>,
    caller: oneshot::Sender<WriteReply<T, E>>,
}

impl<T, E, F> TypedWrite<T, E, F> {
    pub(crate) fn new(closure: F, caller: oneshot::Sender<WriteReply<T, E>>) -> Self {
        Self {
            closure,
            result: WriteResult::NotRun,
            caller,
        }
    }
}

impl<T, E, F> PendingWrite for TypedWrite<T, E, F>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    E: From<Error> + Send + 'static,
    F: Fn(WriteTarget<'_>) -> Result<T, E> + Send + Sync + 'static,
{
    fn run(&mut self, target: WriteTarget<'_>) -> RunOutcome {
        let returned = catch_unwind(AssertUnwindSafe(|| (self.closure)(target)));
        let (result, outcome) = match returned {
            Ok(Ok(value)) => match serde_json::to_vec(&value) {
                Ok(json) => (WriteResult::Value(value), RunOutcome::Value(json)),
                Err(error) => {
                    let refused = Error::Refused(format!("the value of a write is not JSON: {error}"));
                    (WriteResult::Failed(refused.into()), RunOutcome::Failed)
                }
            },
            Ok(Err(error)) => (WriteResult::Failed(error), RunOutcome::Failed),
            Err(panic) => (WriteResult::Panicked(panic), RunOutcome::Failed),
        };
        self.result = result;
        outcome
    }

    fn replay(&mut self, stored: &[u8]) {
        self.result = match serde_json::from_slice(stored) {
            Ok(value) => WriteResult::Replayed(value),
            Err(_) => {
                let refused = Error::Refused("this commit id was used by a different write".to_owned());
                WriteResult::Failed(refused.into())
            }
        };
    }

    fn has_failed(&self) -> bool {
        matches!(self.result, WriteResult::Failed(_) | WriteResult::Panicked(_))
    }

    fn reject(&mut self, error: Error) {
        self.result = WriteResult::Failed(error.into());
    }

    fn reply(self: Box<Self>, version: Version) {
        let committed = |value, replayed| {
            WriteReply::Done(Ok(Committed {
                value,
                version,
                replayed,
            }))
        };
        let reply = match self.result {
            WriteResult::Value(value) => committed(value, false),
            WriteResult::Replayed(value) => committed(value, true),
            WriteResult::Failed(error) => WriteReply::Done(Err(error)),
            WriteResult::Panicked(panic) => WriteReply::Panicked(panic),
            WriteResult::NotRun => WriteReply::Done(Err(Error::Closed.into())),
        };
        // The caller may have stopped waiting.
        let _ = self.caller.send(reply);
    }
}

/// A write in the queue.
pub(crate) struct QueuedWrite {
    pub(crate) id: CommitId,
    pub(crate) pending: Box<dyn PendingWrite>,
    /// The deadline on the clock's monotonic scale, in microseconds.
    pub(crate) deadline_us: u64,
    /// Time when it was queued, by the clock of this process. Milliseconds since 1970.
    pub(crate) queued_at_ms: u64,
    /// Time when it was queued, by the store's clock. Known from the first attempt on. Milliseconds since 1970.
    pub(crate) first_attempt_ms: Option<u64>,
    pub(crate) schema: Option<SchemaEdit>,
    /// Counter batches that the same commit applies.
    pub(crate) usage: Vec<Arc<UsageBatch>>,
    /// The position of the work in the trace: below the span of the write.
    pub(crate) position: Position,
}
