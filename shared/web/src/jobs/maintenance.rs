//! [`Task`]: a maintenance task. The `maintenance` function runs the tasks on Lambda; `bespoke serve` runs them on a timer.

use std::fmt;

use bespoke_database::{Compacted, Db, api_keys, exports, purge, sets, usage, users};
use serde::{Deserialize, Serialize};

use crate::objects::exports::KEPT_MS;
use crate::response::Result;
use crate::state::{Context, Session};

/// The maximum number of rows of each table that one commit indexes, which takes a few milliseconds.
const INDEX_ROWS: u32 = 250;
/// The maximum number of commits that index rows in one run.
const INDEX_COMMITS: u32 = 100;

/// A maintenance task. Tasks may be repeated, and may run in two processes at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Sends the mails of the outbox.
    Mail,
    /// Applies the usage counters that processes have stored in the bucket to the database.
    Usage,
    /// Compacts the segments of recent commits into a new base, if they are large enough.
    Compact,
    /// Deletes expired rows, and objects without a row.
    Purge,
    /// Fills index columns of rows that an older version has written.
    Index,
    /// Deletes objects of the storage engine to which nothing refers.
    Garbage,
}

impl Task {
    /// All tasks.
    pub const ALL: [Self; 6] = [
        Self::Mail,
        Self::Usage,
        Self::Index,
        Self::Compact,
        Self::Purge,
        Self::Garbage,
    ];
    /// Tasks that run every few minutes.
    pub const FREQUENT: [Self; 4] = [Self::Mail, Self::Usage, Self::Index, Self::Compact];
    /// Tasks that run every few hours.
    pub const RARE: [Self; 2] = [Self::Purge, Self::Garbage];
}

/// The result of a task.
#[derive(Debug, Serialize)]
pub struct TaskResult {
    /// The task.
    pub task: Task,
    /// A summary, or the error.
    pub outcome: String,
    /// Whether the task failed.
    pub failed: bool,
}

impl Context {
    /// Runs the tasks one after the other. A task that fails does not stop the others.
    pub async fn maintain(&self, tasks: &[Task]) -> Vec<TaskResult> {
        let mut results = Vec::new();
        for &task in tasks {
            let result = match self.run_task(task).await {
                Ok(outcome) => TaskResult {
                    task,
                    outcome,
                    failed: false,
                },
                Err(error) => {
                    tracing::error!(?task, %error, "maintenance failed");
                    TaskResult {
                        task,
                        outcome: error.to_string(),
                        failed: true,
                    }
                }
            };
            results.push(result);
        }
        results
    }

    async fn run_task(&self, task: Task) -> Result<String, TaskError> {
        let database = self.database();
        Ok(match task {
            Task::Mail => {
                Session::new(self.clone()).deliver_due().await;
                "tried".to_owned()
            }
            Task::Usage => format!("{} batches applied", database.usage().merge().await?),
            Task::Index => format!("{} rows indexed", self.index().await?),
            Task::Compact => match database.compact().await? {
                Compacted::NotNeeded => "not needed".to_owned(),
                Compacted::Done => "done".to_owned(),
                Compacted::Abandoned => "another process compacted first".to_owned(),
            },
            Task::Garbage => format!("{} objects deleted", database.collect_garbage().await?.deleted),
            Task::Purge => format!("{} rows deleted", self.purge().await?),
        })
    }

    /// Indexes rows in small commits, so that other writes do not wait. The next run continues.
    async fn index(&self) -> Result<usize, TaskError> {
        let session = Session::new(self.clone());
        let mut indexed = 0;
        for _ in 0..INDEX_COMMITS {
            let fill = |db: &Db<'_>| {
                Ok([
                    sets::index_names(db, INDEX_ROWS)?,
                    users::fill_skeletons(db, INDEX_ROWS)?,
                ])
            };
            let filled = session.write(fill).await?;
            indexed += filled.iter().sum::<usize>();
            if filled.iter().all(|&rows| rows < INDEX_ROWS as usize) {
                break;
            }
        }
        Ok(indexed)
    }

    async fn purge(&self) -> Result<usize, TaskError> {
        let now = self.now();
        let first_day = usage::day_of(now) - usage::KEPT_DAYS;
        let exports_before = now.plus_ms(-KEPT_MS);
        let session = Session::new(self.clone());
        let purge = session.write(move |db| {
            usage::purge(db, first_day)?;
            exports::purge(db, exports_before)?;
            api_keys::purge_revoked(db, now)?;
            Ok(purge::expired(db, now)?)
        });
        let purged = purge.await?;
        session.remove_leftovers().await;
        self.purge_exports().await?;
        let images = session.purge_page_images().await? + self.purge_unnamed_images().await?;
        Ok(purged + images)
    }
}

/// The reason why a task failed.
struct TaskError(String);

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<bespoke_database::Error> for TaskError {
    fn from(error: bespoke_database::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<crate::Error> for TaskError {
    fn from(error: crate::Error) -> Self {
        Self(error.code().to_owned())
    }
}
