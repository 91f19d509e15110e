//! [`SimStore`] and [`SimClock`]: the store and the clock of a simulated process. Both connect to the network.

use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;

use super::network::{Call, CallResult, CallState, Reply, Request, Shared, Timer};
use crate::clock::{Sleep, StorageClock};
use crate::store::{ETag, Fetched, Listed, ObjectStore, PutCondition, StoreError};

/// The store from the view of one process.
pub(super) struct SimStore {
    pub(super) shared: Shared,
    pub(super) process: usize,
}

/// A call of a process that waits for its response. If it is dropped, the request may still arrive.
struct PendingCall {
    shared: Shared,
    id: u64,
}

impl Future for PendingCall {
    type Output = CallResult;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<CallResult> {
        let mut network = self.shared.lock();
        let Some(call) = network.calls.get_mut(&self.id) else {
            return Poll::Ready(Err(StoreError::Unknown("the call is unknown".to_owned())));
        };
        if let CallState::Answered(result) = &call.state {
            let result = result.clone();
            network.calls.remove(&self.id);
            return Poll::Ready(result);
        }
        call.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        let mut network = self.shared.lock();
        if let Some(call) = network.calls.get_mut(&self.id) {
            match std::mem::replace(&mut call.state, CallState::Silent) {
                CallState::Sent => {
                    call.state = CallState::Sent;
                    call.orphan = true;
                }
                CallState::Arrived(_, deferred_put) => {
                    network.calls.remove(&self.id);
                    network.complete(deferred_put);
                }
                _ => {
                    network.calls.remove(&self.id);
                }
            }
        }
    }
}

impl SimStore {
    fn call(&self, request: Request) -> PendingCall {
        let mut network = self.shared.lock();
        network.next += 1;
        network.calls_made += 1;
        let id = network.next;
        let call = Call {
            process: self.process,
            request,
            state: CallState::Sent,
            orphan: false,
            waker: None,
        };
        network.calls.insert(id, call);
        PendingCall {
            shared: self.shared.clone(),
            id,
        }
    }
}

fn wrong_reply() -> StoreError {
    StoreError::Damaged("the response to another request".to_owned())
}

#[async_trait]
impl ObjectStore for SimStore {
    async fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError> {
        match self.call(Request::Get(key.to_owned(), if_none_match.cloned())).await? {
            Reply::Fetched(fetched) => Ok(fetched),
            _ => Err(wrong_reply()),
        }
    }

    async fn get_range(&self, key: &str, _: u64, _: u64) -> Result<Fetched, StoreError> {
        self.get(key, None).await
    }

    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError> {
        match self.call(Request::Put(key.to_owned(), body, condition)).await? {
            Reply::Stored(etag) => Ok(etag),
            _ => Err(wrong_reply()),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.call(Request::Delete(key.to_owned())).await.map(|_| ())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        match self.call(Request::List(prefix.to_owned())).await? {
            Reply::Listed(listed) => Ok(listed),
            _ => Err(wrong_reply()),
        }
    }
}

/// The clock of one process.
pub(super) struct SimClock {
    pub(super) shared: Shared,
    pub(super) process: usize,
}

struct PendingSleep {
    shared: Shared,
    process: usize,
    /// The end of the sleep, on the monotonic scale of the process, in milliseconds.
    at_ms: u64,
    /// Id of the timer, after the first poll.
    timer: Option<u64>,
}

impl Future for PendingSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let shared = self.shared.clone();
        let mut network = shared.lock();
        if network.monotonic_ms(self.process) >= self.at_ms {
            return Poll::Ready(());
        }
        let id = self.timer.unwrap_or_else(|| {
            network.next += 1;
            network.next
        });
        self.timer = Some(id);
        let timer = Timer {
            process: self.process,
            at_ms: self.at_ms,
            waker: context.waker().clone(),
        };
        network.timers.insert(id, timer);
        Poll::Pending
    }
}

impl Drop for PendingSleep {
    fn drop(&mut self) {
        if let Some(id) = self.timer {
            self.shared.lock().timers.remove(&id);
        }
    }
}

impl StorageClock for SimClock {
    fn unix_ms(&self) -> u64 {
        let network = self.shared.lock();
        network
            .now_ms
            .saturating_add_signed(network.processes[self.process].skew_ms)
    }

    fn monotonic_us(&self) -> u64 {
        self.shared.lock().monotonic_ms(self.process) * 1_000
    }

    fn sleep(&self, ms: u64) -> Sleep<'_> {
        let at_ms = self.shared.lock().monotonic_ms(self.process) + ms;
        Box::pin(PendingSleep {
            shared: self.shared.clone(),
            process: self.process,
            at_ms,
            timer: None,
        })
    }
}
