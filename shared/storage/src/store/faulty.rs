//! [`FaultyStore`]: a memory store with injected network faults, by script or by seed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::{ETag, Fetched, Listed, MemoryStore, ObjectStore, PutCondition, StoreError};
use crate::random::{SeededRandom, below};

/// The kind of a call to which a fault applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// [`ObjectStore::get`] and [`ObjectStore::get_range`].
    Get,
    /// [`ObjectStore::put`].
    Put,
}

/// A network fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request is lost. It has no effect, and the outcome is unknown to the caller.
    LostRequest,
    /// The request takes effect, and its response is lost.
    LostReply,
    /// The request takes effect later, before the next PUT of any process. The outcome is unknown to the caller.
    LateArrival,
    /// The response is 409. The request has no effect.
    Conflict,
    /// The response is 503. The request has no effect.
    Unavailable,
    /// The response is another 4xx. The request has no effect, and a retry would not help.
    Forbidden,
}

/// The rates of random faults, in thousandths of all calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// [`Fault::LostRequest`].
    pub lost_request: u64,
    /// [`Fault::LostReply`].
    pub lost_reply: u64,
    /// [`Fault::LateArrival`], PUT only.
    pub late_arrival: u64,
    /// [`Fault::Conflict`], PUT only.
    pub conflict: u64,
    /// [`Fault::Unavailable`].
    pub unavailable: u64,
}

/// The faulty connection of one process to a [`MemoryStore`]. The store itself works correctly. Several connections with
/// different seeds may lead to one store.
#[derive(Clone)]
pub struct FaultyStore {
    inner: MemoryStore,
    shared: Arc<Mutex<Faults>>,
    random: Arc<SeededRandom>,
    rates: Rates,
}

#[derive(Default)]
struct Faults {
    /// The scripted faults that have not occurred yet, with the prefix of the key.
    script: VecDeque<(Operation, String, Fault)>,
    /// PUTs that take effect later.
    late: Vec<(String, Bytes, PutCondition)>,
    calls: Vec<(Operation, String)>,
}

impl FaultyStore {
    /// Wraps `inner`. Random faults follow from `seed` and occur with `rates`.
    #[must_use]
    pub fn new(inner: MemoryStore, seed: u64, rates: Rates) -> Self {
        Self {
            inner,
            shared: Arc::default(),
            random: Arc::new(SeededRandom::new(seed)),
            rates,
        }
    }

    /// Applies `fault` once, to the next `operation` on a key that begins with `prefix`, after all faults that were
    /// scripted before.
    pub fn script(&self, operation: Operation, prefix: &str, fault: Fault) {
        self.faults().script.push_back((operation, prefix.to_owned(), fault));
    }

    /// Returns the kinds and the keys of all calls so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<(Operation, String)> {
        self.faults().calls.clone()
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_fault(&self, operation: Operation, key: &str) -> Option<Fault> {
        let mut faults = self.faults();
        faults.calls.push((operation, key.to_owned()));
        if let Some((wanted, prefix, fault)) = faults.script.front()
            && *wanted == operation
            && key.starts_with(prefix.as_str())
        {
            let fault = *fault;
            faults.script.pop_front();
            return Some(fault);
        }
        // Faults that only a PUT can have occur with the rate 0 for other operations.
        let put = if operation == Operation::Put { 1 } else { 0 };
        let Rates {
            lost_request,
            lost_reply,
            late_arrival,
            conflict,
            unavailable,
        } = self.rates;
        let mut drawn = below(&*self.random, 1_000);
        for (rate, fault) in [
            (lost_request, Fault::LostRequest),
            (lost_reply, Fault::LostReply),
            (late_arrival * put, Fault::LateArrival),
            (conflict * put, Fault::Conflict),
            (unavailable, Fault::Unavailable),
        ] {
            if drawn < rate {
                return Some(fault);
            }
            drawn -= rate;
        }
        None
    }

    fn deliver_late(&self) {
        let late = std::mem::take(&mut self.faults().late);
        for (key, body, condition) in late {
            // The caller got another result already.
            let _ = self.inner.put_now(&key, body, &condition);
        }
    }
}

fn error_of(fault: Fault) -> StoreError {
    match fault {
        Fault::LostRequest | Fault::LostReply | Fault::LateArrival => StoreError::Unknown(format!("{fault:?}")),
        Fault::Conflict | Fault::Unavailable => StoreError::Busy(format!("{fault:?}")),
        Fault::Forbidden => StoreError::Refused("403".to_owned()),
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError> {
        // A real store responds later, so other tasks of the caller run first.
        tokio::task::yield_now().await;
        match self.next_fault(Operation::Get, key) {
            None => self.inner.get(key, if_none_match).await,
            Some(fault) => Err(error_of(fault)),
        }
    }

    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Fetched, StoreError> {
        match self.next_fault(Operation::Get, key) {
            None => self.inner.get_range(key, offset, length).await,
            Some(fault) => Err(error_of(fault)),
        }
    }

    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError> {
        tokio::task::yield_now().await;
        self.deliver_late();
        let Some(fault) = self.next_fault(Operation::Put, key) else {
            return self.inner.put(key, body, condition).await;
        };
        match fault {
            Fault::LostReply => {
                // The caller must not learn the outcome.
                let _ = self.inner.put_now(key, body, &condition);
            }
            Fault::LateArrival => self.faults().late.push((key.to_owned(), body, condition)),
            _ => {}
        }
        Err(error_of(fault))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.inner.list(prefix).await
    }
}
