//! What a process gets from outside: the time, randomness, where the bucket is, who takes the mails.

use std::sync::Arc;

use bespoke_core::{Clock, Random, Timestamp};
use bespoke_services::mail::Mailer;
use bespoke_storage::ObjectStore;

/// What is handed to a [`crate::Context`]; tests replace it.
#[derive(Clone)]
pub struct Surroundings {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The bucket; `None` takes the one that the configuration names.
    pub store: Option<Arc<dyn ObjectStore>>,
    /// Who takes the mails; with `None` they wait for a process that delivers.
    pub mailer: Option<Arc<dyn Mailer>>,
}

impl Surroundings {
    /// The system's clock and randomness, and the bucket of the configuration.
    pub fn system() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            store: None,
            mailer: None,
        }
    }
}

/// Has this process make files and folders that only its owner can read: the local copy, the bucket's folder and the
/// outbox hold what concerns nobody else on the machine.
pub fn keep_files_private() {
    let _ = rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where the time comes from"
    )]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The randomness of the operating system.
#[derive(Debug, Clone, Copy)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where randomness comes from"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("an operating system without randomness cannot keep secrets");
    }
}
