//! [`Network`]: the store and the time of a simulation. Every request waits until the schedule delivers it, and every
//! response waits until the schedule returns it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;

use super::checker::Checker;
use crate::format::head::Head;
use crate::format::keys::HEAD_KEY;
use crate::store::{ETag, Fetched, Listed, Object, PutCondition, StoreError};

/// Start time of a simulation. Milliseconds since 1970.
const START_MS: u64 = 1_800_000_000_000;

/// A request to the store.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Get(String, Option<ETag>),
    Put(String, Bytes, PutCondition),
    Delete(String),
    List(String),
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get(key, _) => write!(f, "GET {key}"),
            Self::Put(key, body, _) if key == HEAD_KEY => match Head::decode(body) {
                Ok(head) => write!(f, "PUT head {} base {}", head.json.version(), head.json.base.id),
                Err(error) => write!(f, "PUT head, {error}"),
            },
            Self::Put(key, ..) => write!(f, "PUT {key}"),
            Self::Delete(key) => write!(f, "DELETE {key}"),
            Self::List(prefix) => write!(f, "LIST {prefix}"),
        }
    }
}

/// A response of the store.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Fetched(Fetched),
    Stored(ETag),
    Deleted,
    Listed(Vec<Listed>),
}

pub(super) type CallResult = Result<Reply, StoreError>;

/// A PUT (key, new ETag, body) whose condition was checked, and which still has to take effect.
pub(super) type DeferredPut = (String, ETag, Bytes);

/// The state of a call.
#[derive(Debug)]
pub(super) enum CallState {
    /// The request is on its way.
    Sent,
    /// The request arrived, and the response is on its way. In a store that checks the condition and acts later, a PUT
    /// still has to take effect.
    Arrived(CallResult, Option<DeferredPut>),
    /// The response arrived at the process.
    Answered(CallResult),
    /// There will be no response.
    Silent,
}

/// A call of a process to the store.
pub(super) struct Call {
    pub(super) process: usize,
    pub(super) request: Request,
    pub(super) state: CallState,
    /// Whether the caller has stopped waiting for the response. The request may still arrive.
    pub(super) orphan: bool,
    pub(super) waker: Option<Waker>,
}

impl Call {
    /// Returns whether it is a PUT of an object other than `head`.
    pub(super) fn puts_object(&self) -> bool {
        matches!(&self.request, Request::Put(key, ..) if key != HEAD_KEY)
    }
}

pub(super) struct Timer {
    pub(super) process: usize,
    pub(super) at_ms: u64,
    pub(super) waker: Waker,
}

/// The time of a process.
#[derive(Default)]
pub(super) struct Timing {
    /// End of the current stall, by the store's clock. Milliseconds since 1970.
    pub(super) stalled_until_ms: Option<u64>,
    /// Start of the last stall, by the store's clock. Milliseconds since 1970.
    pub(super) stalled_at_ms: u64,
    /// Total duration of the stalls that have ended, in milliseconds.
    pub(super) stalled_total_ms: u64,
    /// Difference between the clock of the process and that of the store, in milliseconds.
    pub(super) skew_ms: i64,
}

pub(super) type Stored = (ETag, Bytes, u64);

/// Everything outside the processes.
pub(super) struct Network {
    /// The store's clock. Milliseconds since 1970.
    pub(super) now_ms: u64,
    pub(super) calls: BTreeMap<u64, Call>,
    pub(super) calls_made: u64,
    pub(super) head_puts: u64,
    pub(super) processes: Vec<Timing>,
    pub(super) checker: Checker,
    /// Whether a PUT takes effect only when its response is returned, although its condition is checked when it arrives.
    pub(super) checks_then_acts: bool,
    pub(super) timers: BTreeMap<u64, Timer>,
    /// The last id of a call, a timer or an ETag.
    pub(super) next: u64,
    pub(super) objects: BTreeMap<String, Stored>,
}

/// The network behind a lock, which is never contended because there is one thread.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Network>>);

impl Shared {
    pub(super) fn new(checker: Checker, checks_then_acts: bool) -> Self {
        Self(Arc::new(Mutex::new(Network {
            now_ms: START_MS,
            calls: BTreeMap::new(),
            calls_made: 0,
            head_puts: 0,
            processes: Vec::new(),
            checker,
            checks_then_acts,
            timers: BTreeMap::new(),
            next: 0,
            objects: BTreeMap::new(),
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Network> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Network {
    pub(super) fn monotonic_ms(&self, process: usize) -> u64 {
        let timing = &self.processes[process];
        let asleep = match timing.stalled_until_ms {
            Some(_) => self.now_ms - timing.stalled_at_ms,
            None => 0,
        };
        self.now_ms - timing.stalled_total_ms - asleep
    }

    pub(super) fn stall(&mut self, process: usize, ms: u64) {
        let now_ms = self.now_ms;
        let timing = &mut self.processes[process];
        timing.stalled_at_ms = now_ms;
        timing.stalled_until_ms = Some(now_ms + ms);
    }

    /// Advances the time, and wakes the processes and timers that are due. Returns whether there were any.
    pub(super) fn advance(&mut self, ms: u64) -> bool {
        self.now_ms += ms;
        let now_ms = self.now_ms;
        let mut has_woken_any = false;
        for timing in &mut self.processes {
            if timing.stalled_until_ms.is_some_and(|until_ms| until_ms <= now_ms) {
                has_woken_any = true;
                timing.stalled_until_ms = None;
                timing.stalled_total_ms += now_ms - timing.stalled_at_ms;
            }
        }
        let due = |(id, timer): (&u64, &Timer)| {
            let awake = self.processes[timer.process].stalled_until_ms.is_none();
            (awake && self.monotonic_ms(timer.process) >= timer.at_ms).then_some(*id)
        };
        let due: Vec<_> = self.timers.iter().filter_map(due).collect();
        for id in due {
            if let Some(timer) = self.timers.remove(&id) {
                has_woken_any = true;
                timer.waker.wake();
            }
        }
        has_woken_any
    }

    /// Returns the time until the next process or timer is due, in milliseconds.
    pub(super) fn until_next_ms(&self) -> Option<u64> {
        let stalls = self.processes.iter().filter_map(|timing| timing.stalled_until_ms);
        let stalls = stalls.map(|until_ms| until_ms.saturating_sub(self.now_ms));
        let awake = |timer: &&Timer| self.processes[timer.process].stalled_until_ms.is_none();
        let timers = self.timers.values().filter(awake);
        let timers = timers.map(|timer| timer.at_ms.saturating_sub(self.monotonic_ms(timer.process)));
        stalls.chain(timers).min()
    }

    /// Lets the request arrive at the store.
    pub(super) fn deliver(&mut self, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (request, orphan) = (call.request.clone(), call.orphan);
        let mut deferred_put = None;
        let result = match request {
            Request::Get(key, etag) => Ok(Reply::Fetched(self.get(&key, etag.as_ref()))),
            Request::Put(key, body, condition) => self.put(key, body, &condition, &mut deferred_put),
            Request::Delete(key) => {
                self.checker.before_delete(&key);
                self.objects.remove(&key);
                Ok(Reply::Deleted)
            }
            Request::List(prefix) => Ok(Reply::Listed(self.list(&prefix))),
        };
        if orphan {
            self.calls.remove(&id);
            self.complete(deferred_put);
        } else if let Some(call) = self.calls.get_mut(&id) {
            call.state = CallState::Arrived(result, deferred_put);
        }
    }

    /// Lets the response, or the error `instead`, arrive at the process.
    pub(super) fn answer(&mut self, id: u64, instead: Option<StoreError>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (result, deferred_put) = match (std::mem::replace(&mut call.state, CallState::Silent), instead) {
            (CallState::Arrived(_, deferred_put), Some(error)) => (Err(error), deferred_put),
            (CallState::Arrived(result, deferred_put), None) => (result, deferred_put),
            (_, Some(error)) => (Err(error), None),
            (other, None) => {
                call.state = other;
                return;
            }
        };
        call.state = CallState::Answered(result);
        if let Some(waker) = call.waker.take() {
            waker.wake();
        }
        self.complete(deferred_put);
    }

    pub(super) fn deliver_if_sent(&mut self, id: u64) {
        if self
            .calls
            .get(&id)
            .is_some_and(|call| matches!(call.state, CallState::Sent))
        {
            self.deliver(id);
        }
    }

    /// Rejects a request that has not arrived yet. A request that has arrived gets its normal response.
    pub(super) fn refuse(&mut self, id: u64, error: StoreError) {
        let is_on_its_way = self
            .calls
            .get(&id)
            .is_some_and(|call| matches!(call.state, CallState::Sent));
        self.answer(id, is_on_its_way.then_some(error));
    }

    /// Drops the response to a request.
    pub(super) fn silence(&mut self, id: u64) {
        if let Some(call) = self.calls.get_mut(&id) {
            let state = std::mem::replace(&mut call.state, CallState::Silent);
            if let CallState::Arrived(_, deferred_put) = state {
                self.complete(deferred_put);
            }
        }
    }

    /// Ends the call with an unknown outcome for the process, while the request is still on its way.
    pub(super) fn delay(&mut self, id: u64) {
        let Some(call) = self.calls.get(&id) else { return };
        let (process, request) = (call.process, call.request.clone());
        self.answer(id, Some(StoreError::Unknown("no answer".to_owned())));
        self.next += 1;
        let late = Call {
            process,
            request,
            state: CallState::Sent,
            orphan: true,
            waker: None,
        };
        self.calls.insert(self.next, late);
    }

    fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Fetched {
        match self.objects.get(key) {
            None => Fetched::Missing,
            Some((etag, ..)) if Some(etag) == if_none_match => Fetched::NotModified { date_ms: self.now_ms },
            Some((etag, body, put_ms)) => Fetched::Found(Object {
                etag: etag.clone(),
                body: body.clone(),
                date_ms: self.now_ms,
                last_modified_ms: *put_ms,
            }),
        }
    }

    fn put(
        &mut self,
        key: String,
        body: Bytes,
        condition: &PutCondition,
        deferred_put: &mut Option<DeferredPut>,
    ) -> CallResult {
        let current = self.objects.get(&key).map(|(etag, ..)| etag);
        let is_met = match condition {
            PutCondition::None => true,
            PutCondition::CreateOnly => current.is_none(),
            PutCondition::Match(etag) => current == Some(etag),
        };
        self.checker.before_put(&key, condition);
        if !is_met {
            return Err(StoreError::PreconditionFailed);
        }
        self.next += 1;
        let etag = ETag::new(self.next.to_string());
        if self.checks_then_acts {
            *deferred_put = Some((key, etag.clone(), body));
        } else {
            self.replace(key, etag.clone(), body);
        }
        Ok(Reply::Stored(etag))
    }

    /// Lets a deferred PUT take effect.
    pub(super) fn complete(&mut self, deferred_put: Option<DeferredPut>) {
        if let Some((key, etag, body)) = deferred_put {
            self.replace(key, etag, body);
        }
    }

    fn replace(&mut self, key: String, etag: ETag, body: Bytes) {
        if key == HEAD_KEY {
            self.head_puts += 1;
            let objects = &self.objects;
            self.checker.on_head(&body, self.now_ms, &|key| {
                objects.get(key).map(|(_, body, _)| body.clone())
            });
        }
        self.objects.insert(key, (etag, body, self.now_ms));
    }

    fn list(&self, prefix: &str) -> Vec<Listed> {
        let from = self.objects.range(prefix.to_owned()..);
        from.take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, (_, body, put_ms))| Listed {
                key: key.clone(),
                bytes: body.len() as u64,
                last_modified_ms: *put_ms,
            })
            .collect()
    }
}
