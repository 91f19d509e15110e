//! [`FreshReads`]: reads the local copy, after a revalidation if the wanted [`Freshness`] requires it.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tracing::{Instrument as _, Span};

use crate::copy::replica::{ReadAttempt, Replica};
use crate::error::Error;
use crate::store::Fetched;
use crate::sync::synchronizer::Synchronizer;
use crate::trace;
use crate::version::Version;

/// The freshness that a read requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// The read sees every write that any process acknowledged before the call. It revalidates `head` once.
    Strict,
    /// The read uses the local copy as it is, for example because the same request has already made a strict read.
    Local,
    /// The copy may be as old as the operator allows, but not older than the state that the client has seen.
    Within {
        /// Maximum age of the copy, in milliseconds.
        age_ms: u64,
        /// The version that the client has seen, so that it reads its own writes. A copy of another epoch is
        /// revalidated too.
        at_least: Option<Version>,
    },
}

/// The result of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read<T> {
    /// The value that the closure returned.
    pub value: T,
    /// The version that the closure read.
    pub version: Version,
}

/// Reads with the wanted freshness.
pub(crate) struct FreshReads {
    replica: Arc<Replica>,
    sync: Arc<Synchronizer>,
}

impl FreshReads {
    pub(crate) fn new(replica: Arc<Replica>, sync: Arc<Synchronizer>) -> Self {
        Self { replica, sync }
    }

    /// Reads with `attempt`, which may be called several times.
    pub(crate) async fn read<T, E: From<Error>>(
        &self,
        freshness: Freshness,
        mut attempt: impl FnMut(&Replica) -> Result<ReadAttempt<T>, E> + Send,
    ) -> Result<Read<T>, E> {
        if self.needs_revalidation(freshness)
            && self.sync.revalidator().confirmed_without_request().is_none()
            && let Some(read) = self
                .read_during_revalidation(&mut attempt)
                .instrument(trace::revalidation())
                .await?
        {
            return Ok(read);
        }
        loop {
            match attempt(&self.replica)? {
                ReadAttempt::Read(value, version) => return Ok(Read { value, version }),
                ReadAttempt::Dirty => self.sync.replace_dirty_copy().await?,
            }
        }
    }

    fn needs_revalidation(&self, freshness: Freshness) -> bool {
        match freshness {
            Freshness::Strict => true,
            Freshness::Local => false,
            Freshness::Within { age_ms, at_least } => {
                let current = self.replica.version();
                let is_behind_client =
                    at_least.is_some_and(|seen| seen.epoch != current.epoch || seen.seq > current.seq);
                is_behind_client || self.sync.revalidator().confirmed_within(age_ms).is_none()
            }
        }
    }

    /// Revalidates `head`. If the response does not arrive at once, reads meanwhile. Returns this early read if the
    /// response confirms the version that was read, otherwise `None`.
    async fn read_during_revalidation<T, E: From<Error>>(
        &self,
        attempt: &mut (impl FnMut(&Replica) -> Result<ReadAttempt<T>, E> + Send),
    ) -> Result<Option<Read<T>>, E> {
        let revalidator = self.sync.revalidator();
        let mut revalidation = pin!(revalidator.revalidate());
        let first_poll = std::future::poll_fn(|context| {
            Poll::Ready(match revalidation.as_mut().poll(context) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            })
        });
        let (early_read, revalidation) = match first_poll.await {
            Some(result) => (None, result),
            None => (Some(attempt(&self.replica)), revalidation.await),
        };
        let span = Span::current();
        let revalidation = revalidation.map_err(Error::from).inspect_err(|_| trace::fail(&span))?;
        span.record(
            "bespoke.head.moved",
            !matches!(revalidation.fetched, Fetched::NotModified { .. }),
        );
        match (revalidation.fetched, early_read) {
            (Fetched::NotModified { date_ms }, early_read) => {
                revalidator.record_confirmation(revalidation.sent_at, date_ms);
                // The response confirms the version that was known when the GET was sent.
                if let Some(ReadAttempt::Read(value, version)) = early_read.transpose()?
                    && version >= revalidation.confirmed
                {
                    return Ok(Some(Read { value, version }));
                }
            }
            (changed, _) => {
                let followed = self.sync.follow(changed).await;
                let date_ms = followed.inspect_err(|_| trace::fail(&span))?;
                revalidator.record_confirmation(revalidation.sent_at, date_ms);
            }
        }
        Ok(None)
    }
}
