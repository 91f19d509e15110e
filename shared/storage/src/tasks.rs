//! Where work runs: on tokio, or on one thread under a scheduler that decides everything.

use std::pin::Pin;
use std::sync::Arc;

use crate::error::Error;

/// Something that runs by itself.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Who polls what an engine starts.
pub(crate) trait Spawn: Send + Sync + 'static {
    /// Takes over `task`.
    fn spawn(&self, task: Task);
}

/// Where the tasks of an engine run.
#[derive(Clone, Default)]
pub(crate) enum Tasks {
    /// On the runtime that the engine was opened in; what blocks, on threads of its own.
    #[default]
    Tokio,
    /// Where a simulation says; what blocks, in its place.
    Simulated(Arc<dyn Spawn>),
}

impl Tasks {
    pub(crate) fn spawn(&self, task: Task) {
        match self {
            Self::Tokio => drop(tokio::spawn(task)),
            Self::Simulated(executor) => executor.spawn(task),
        }
    }

    /// Whether this is no simulation, whose store is as honest as the simulation wants it.
    pub(crate) fn are_real(&self) -> bool {
        matches!(self, Self::Tokio)
    }

    /// Runs what blocks.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where it panicked, or the runtime shuts down.
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
