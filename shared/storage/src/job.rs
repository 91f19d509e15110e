//! One write that waits: the caller's closure, what it returned last, and where the answer goes.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::environment::{Random, hex_16};
use crate::error::Error;
use crate::limits::COMMIT_ID_MAX_BYTES;
use crate::simulation::Model;
use crate::trace::Position;
use crate::usage::Batch;
use crate::version::Version;

/// Names one write for good: it takes effect once, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommitId(String);

impl CommitId {
    /// An id that nobody else has.
    #[must_use]
    pub fn random(random: &dyn Random) -> Self {
        Self(hex_16(random))
    }

    /// An id of the caller's choice, for instance from an `Idempotency-Key`. Ids are one namespace for the whole database, so
    /// a caller's key belongs behind the caller's own id. At most [`COMMIT_ID_MAX_BYTES`].
    ///
    /// # Errors
    /// [`Error::TooLarge`]; [`Error::Refused`] for an empty one.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        let bytes = text.len();
        if bytes > COMMIT_ID_MAX_BYTES {
            return Err(Error::TooLarge {
                what: "a commit id",
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

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A write that is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed<T> {
    /// What the closure returned, in the run that counts.
    pub value: T,
    /// The first version that is known to hold it.
    pub version: Version,
    /// True where an earlier attempt under the same commit id had landed: the closure did not run again.
    pub replayed: bool,
}

/// What one run of a closure came to.
pub(crate) enum Ran {
    /// What `_commits` keeps, as JSON.
    Value(Vec<u8>),
    /// An error, or a panic; the job remembers it.
    Failed,
}

/// The answer as the caller's task receives it.
pub(crate) enum Answer<T, E> {
    Done(Result<Committed<T>, E>),
    Panicked(Box<dyn Any + Send>),
}

/// What a closure works on.
pub(crate) enum Seen<'a> {
    Sqlite(&'a Connection),
    /// A simulation's stand-in for SQLite.
    Model(&'a mut Model),
}

impl<'a> Seen<'a> {
    /// # Errors
    /// [`Error::Refused`] in a simulation without SQLite.
    pub(crate) fn sqlite(self) -> Result<&'a Connection, Error> {
        match self {
            Self::Sqlite(connection) => Ok(connection),
            Self::Model(_) => Err(Error::Refused("a model runs no SQL".to_owned())),
        }
    }
}

/// A write without its types.
pub(crate) trait Job: Send {
    /// Runs the closure, and remembers what it returned.
    fn run(&mut self, on: Seen<'_>) -> Ran;
    /// Takes what an earlier attempt left in `_commits` as the result.
    fn replay(&mut self, stored: &[u8]);
    /// Whether the closure itself said what is wrong.
    fn has_failed(&self) -> bool;
    /// Takes an error of the engine as the result.
    fn reject(&mut self, error: Error);
    /// Sends the remembered result.
    fn answer(self: Box<Self>, version: Version);
}

enum Outcome<T, E> {
    None,
    Ran(T),
    Replayed(T),
    Failed(E),
    Panicked(Box<dyn Any + Send>),
}

/// A [`Job`] with its types.
pub(crate) struct TypedJob<T, E, F> {
    closure: F,
    outcome: Outcome<T, E>,
    reply: oneshot::Sender<Answer<T, E>>,
}

impl<T, E, F> TypedJob<T, E, F> {
    pub(crate) fn new(closure: F, reply: oneshot::Sender<Answer<T, E>>) -> Self {
        Self {
            closure,
            outcome: Outcome::None,
            reply,
        }
    }
}

impl<T, E, F> Job for TypedJob<T, E, F>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    E: From<Error> + Send + 'static,
    F: Fn(Seen<'_>) -> Result<T, E> + Send + Sync + 'static,
{
    fn run(&mut self, on: Seen<'_>) -> Ran {
        let result = catch_unwind(AssertUnwindSafe(|| (self.closure)(on)));
        let (outcome, ran) = match result {
            Ok(Ok(value)) => match serde_json::to_vec(&value) {
                Ok(json) => (Outcome::Ran(value), Ran::Value(json)),
                Err(error) => {
                    let refused = Error::Refused(format!("the value of a write is not JSON: {error}"));
                    (Outcome::Failed(refused.into()), Ran::Failed)
                }
            },
            Ok(Err(error)) => (Outcome::Failed(error), Ran::Failed),
            Err(panic) => (Outcome::Panicked(panic), Ran::Failed),
        };
        self.outcome = outcome;
        ran
    }

    fn replay(&mut self, stored: &[u8]) {
        self.outcome = match serde_json::from_slice(stored) {
            Ok(value) => Outcome::Replayed(value),
            Err(_) => Outcome::Failed(Error::Refused("this commit id was used by a different write".to_owned()).into()),
        };
    }

    fn has_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed(_) | Outcome::Panicked(_))
    }

    fn reject(&mut self, error: Error) {
        self.outcome = Outcome::Failed(error.into());
    }

    fn answer(self: Box<Self>, version: Version) {
        let done = |value, replayed| {
            Answer::Done(Ok(Committed {
                value,
                version,
                replayed,
            }))
        };
        let answer = match self.outcome {
            Outcome::Ran(value) => done(value, false),
            Outcome::Replayed(value) => done(value, true),
            Outcome::Failed(error) => Answer::Done(Err(error)),
            Outcome::Panicked(panic) => Answer::Panicked(panic),
            Outcome::None => Answer::Done(Err(Error::Closed.into())),
        };
        // A caller that went away needs no answer.
        let _ = self.reply.send(answer);
    }
}

/// What a migration changes in `head` beside the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SchemaEdit {
    pub(crate) schema: u32,
    pub(crate) min_reader: u32,
    pub(crate) min_writer: u32,
}

/// A write in the queue.
pub(crate) struct Waiting {
    pub(crate) id: CommitId,
    pub(crate) job: Box<dyn Job>,
    /// On the clock's monotonic scale. Microseconds.
    pub(crate) deadline_us: u64,
    /// This process's clock when it was handed in. Milliseconds since 1970.
    pub(crate) handed_in_ms: u64,
    /// The store's clock when it was handed in. Known from the first attempt on. Milliseconds since 1970.
    pub(crate) first_attempt_ms: Option<u64>,
    pub(crate) schema: Option<SchemaEdit>,
    /// Counts that are merged in the same commit.
    pub(crate) usage: Vec<Arc<Batch>>,
    /// Below the span of the write.
    pub(crate) position: Position,
}
