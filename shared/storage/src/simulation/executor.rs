//! Polls the tasks of all processes on one thread, in an order that only the schedule decides.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use crate::tasks::{Spawn, Task};

/// Tasks that wait for their first poll.
type Incoming = Arc<Mutex<Vec<(usize, Task)>>>;

/// Set where a task may go on.
struct Awake(AtomicBool);

impl Wake for Awake {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

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

/// How one process starts tasks.
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

    /// Polls until every task of the processes that may run waits for something.
    pub(super) fn run(&mut self, may_run: impl Fn(usize) -> bool) {
        loop {
            self.take_in();
            let mut moved = false;
            let mut index = 0;
            while index < self.slots.len() {
                let slot = &mut self.slots[index];
                if may_run(slot.process) && slot.awake.0.swap(false, Ordering::Relaxed) {
                    moved = true;
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
            if !moved {
                return;
            }
        }
    }

    fn take_in(&mut self) {
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

    /// Ends every task of a process, wherever it stands.
    pub(super) fn kill(&mut self, process: usize) {
        self.take_in();
        self.slots.retain(|slot| slot.process != process);
    }
}
