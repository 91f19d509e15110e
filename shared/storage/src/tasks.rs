//! [`Tasks`]: runs background tasks and blocking work on tokio, or on one thread under the scheduler of a simulation.

use std::pin::Pin;
use std::sync::Arc;

use crate::error::Error;

/// A background task.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The scheduler of a simulation.
pub(crate) trait Spawn: Send + Sync + 'static {
    /// Starts `task`.
    fn spawn(&self, task: Task);
}

/// The place where the tasks of an engine run.
#[derive(Clone, Default)]
pub(crate) enum Tasks {
    /// On the runtime in which the engine was opened. Blocking work runs on threads for it.
    #[default]
    Tokio,
    /// Under the scheduler of a simulation. Blocking work runs at once.
    Simulated(Arc<dyn Spawn>),
}

impl Tasks {
    pub(crate) fn spawn(&self, task: Task) {
        match self {
            Self::Tokio => drop(tokio::spawn(task)),
            Self::Simulated(executor) => executor.spawn(task),
        }
    }

    pub(crate) fn is_simulated(&self) -> bool {
        matches!(self, Self::Simulated(_))
    }

    /// Runs blocking work.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it panics, or if the runtime shuts down.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        match self {
            Self::Tokio => tokio::task::spawn_blocking(work)
                .await
                .map_err(|error| Error::unavailable(error.to_string())),
            Self::Simulated(_) => Ok(work()),
        }
    }
}
