//! [`Dependencies`]: the injected dependencies of a process: clock, random source, object store, mailer.

use std::sync::Arc;

use bespoke_core::{Clock, Random};
use bespoke_services::mail::Mailer;
use bespoke_storage::ObjectStore;

use crate::system::{SystemClock, SystemRandom};

/// The dependencies of a [`crate::Context`]. Tests replace them.
#[derive(Clone)]
pub struct Dependencies {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The random source.
    pub random: Arc<dyn Random>,
    /// The bucket. If it is `None`, the context opens the bucket of the configuration.
    pub store: Option<Arc<dyn ObjectStore>>,
    /// The mailer. If it is `None`, mails stay in the outbox until a process with a mailer sends them.
    pub mailer: Option<Arc<dyn Mailer>>,
}

impl Dependencies {
    /// The clock and the random source of the operating system, the bucket of the configuration, and no mailer.
    pub fn system() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            store: None,
            mailer: None,
        }
    }
}
