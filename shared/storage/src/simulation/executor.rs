//! [`Executor`]: polls the tasks of all processes on one thread, so that the order depends on the schedule only.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use crate::tasks::{Spawn, Task};

/// New tasks, which have not been polled yet.
type Incoming = Arc<Mutex<Vec<(usize, Task)>>>;

/// The waker of a task: whether the task must be polled.
struct Awake(AtomicBool);

impl Wake for Awake {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A task of a process.
struct Slot {
    process: usize,
    task: Task,
    awake: Arc<Awake>,
    waker: Waker,
}

/// All tasks of a simulation.
#[derive(Default)]
pub(super) struct Executor {
    slots: Vec<Slot>,
    incoming: Incoming,
}

/// Starts tasks for one process.
pub(super) struct Spawner {
    process: usize,
    incoming: Incoming,
}

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        let mut incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        incoming.push((self.process, task));
    }
}

impl Executor {
    pub(super) fn spawner(&self, process: usize) -> Spawner {
        Spawner {
            process,
            incoming: Arc::clone(&self.incoming),
        }
    }

    pub(super) fn spawn(&self, process: usize, task: impl Future<Output = ()> + Send + 'static) {
        self.spawner(process).spawn(Box::pin(task));
    }

    /// Polls until every task of the processes for which `may_run` is true is pending.
    pub(super) fn run(&mut self, may_run: impl Fn(usize) -> bool) {
        loop {
            self.add_incoming();
            let mut progressed = false;
            let mut index = 0;
            while index < self.slots.len() {
                let slot = &mut self.slots[index];
                if may_run(slot.process) && slot.awake.0.swap(false, Ordering::Relaxed) {
                    progressed = true;
                    if slot
                        .task
                        .as_mut()
                        .poll(&mut Context::from_waker(&slot.waker))
                        .is_ready()
                    {
                        drop(self.slots.remove(index));
                        continue;
                    }
                }
                index += 1;
            }
            if !progressed {
                return;
            }
        }
    }

    fn add_incoming(&mut self) {
        let incoming = std::mem::take(&mut *self.incoming.lock().unwrap_or_else(PoisonError::into_inner));
        self.slots.extend(incoming.into_iter().map(|(process, task)| {
            let awake = Arc::new(Awake(AtomicBool::new(true)));
            Slot {
                process,
                task,
                waker: Waker::from(Arc::clone(&awake)),
                awake,
            }
        }));
    }

    /// Drops every task of a process.
    pub(super) fn kill(&mut self, process: usize) {
        self.add_incoming();
        self.slots.retain(|slot| slot.process != process);
    }
}
