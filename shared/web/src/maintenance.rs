//! What nobody waits for: done by the function `maintenance` on Lambda, and from time to time by `bespoke serve`.

use std::fmt;

use bespoke_database::{Compacted, api_keys, exports, purge, sets, usage};
use serde::{Deserialize, Serialize};

use crate::{Context, Result, Session};

/// Most rows that one commit indexes: some milliseconds of work.
const INDEX_ROWS: u32 = 250;
/// Most such commits of one task.
const INDEX_COMMITS: u32 = 100;

/// One piece of maintenance. It does no harm to repeat any, or to do any twice at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Delivers mails that wait.
    Mail,
    /// Merges the counts that processes put into the bucket.
    Usage,
    /// Brings what commits left behind into a new base, where that is worth it.
    Compact,
    /// Forgets what has expired, and deletes from the bucket what lost its row.
    Purge,
    /// Fills in index columns of rows that older code has written.
    Index,
    /// Deletes from the bucket what nothing names any more.
    Garbage,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Mail,
        Self::Usage,
        Self::Index,
        Self::Compact,
        Self::Purge,
        Self::Garbage,
    ];
    /// What is done every few minutes.
    pub const FREQUENT: [Self; 4] = [Self::Mail, Self::Usage, Self::Index, Self::Compact];
    /// What is done every few hours.
    pub const RARE: [Self; 2] = [Self::Purge, Self::Garbage];
}

/// What came of a task, in words.
#[derive(Debug, Serialize)]
pub struct Done {
    /// The task.
    pub task: Task,
    /// What was done, or what went wrong.
    pub outcome: String,
    /// Whether it went wrong.
    pub failed: bool,
}

impl Context {
    /// Does these tasks, one after the other; one that fails does not stop the others.
    pub async fn maintain(&self, tasks: &[Task]) -> Vec<Done> {
        let mut all = Vec::new();
        for &task in tasks {
            let done = match self.do_one(task).await {
                Ok(outcome) => Done {
                    task,
                    outcome,
                    failed: false,
                },
                Err(error) => {
                    tracing::error!(?task, %error, "maintenance failed");
                    Done {
                        task,
                        outcome: error.to_string(),
                        failed: true,
                    }
                }
            };
            all.push(done);
        }
        all
    }

    async fn do_one(&self, task: Task) -> Result<String, Failed> {
        let database = self.database();
        Ok(match task {
            Task::Mail => {
                Session::new(self.clone()).deliver_due().await;
                "tried".to_owned()
            }
            Task::Usage => format!("{} batches merged", database.merge_usage().await?),
            Task::Index => format!("{} rows indexed", self.index().await?),
            Task::Compact => match database.compact().await? {
                Compacted::NotNeeded => "not needed".to_owned(),
                Compacted::Done => "done".to_owned(),
                Compacted::Abandoned => "somebody else did it".to_owned(),
            },
            Task::Garbage => format!("{} objects deleted", database.collect_garbage().await?.deleted),
            Task::Purge => format!("{} rows deleted", self.purge().await?),
        })
    }

    /// Works in small commits, so that other writes do not wait; the rest is left to the next run.
    async fn index(&self) -> Result<usize, Failed> {
        let (session, mut indexed) = (Session::new(self.clone()), 0);
        for _ in 0..INDEX_COMMITS {
            let some = session.write(|db| Ok(sets::index_names(db, INDEX_ROWS)?)).await?;
            indexed += some;
            if some < INDEX_ROWS as usize {
                break;
            }
        }
        Ok(indexed)
    }

    async fn purge(&self) -> Result<usize, Failed> {
        let now = self.now();
        let first_day = usage::day_of(now) - usage::KEPT_DAYS;
        let exports_before = now.plus_ms(-crate::exports::KEPT_MS);
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
        let purged = purged + session.purge_page_images().await?;
        Ok(purged)
    }
}

/// Why a task failed.
struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<bespoke_database::Error> for Failed {
    fn from(error: bespoke_database::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<crate::Error> for Failed {
    fn from(error: crate::Error) -> Self {
        Self(error.code().to_owned())
    }
}
