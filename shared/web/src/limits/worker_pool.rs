//! [`WorkerPool`]: runs CPU-bound work on a bounded number of threads: password hashes, images, parsers of large bodies, and long reads.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;

use crate::response::Error;

/// The maximum number of jobs that wait or run; further jobs are refused.
const MAX_JOBS: usize = 64;
/// `Retry-After` of a refused caller, in seconds.
const BUSY_RETRY_S: u64 = 1;

/// Runs CPU-bound jobs on blocking threads, at most one for each core.
#[derive(Default)]
pub(crate) struct WorkerPool {
    /// One permit for each core, because a password hash occupies a core and 19 MiB.
    cores: OnceLock<Arc<Semaphore>>,
    /// The number of jobs that wait or run.
    count: Arc<AtomicUsize>,
}

impl WorkerPool {
    /// Runs `work` on a blocking thread as soon as a core is free. Work that has begun keeps its slot until it ends, even if the request is
    /// dropped, because a blocking thread cannot be stopped.
    ///
    /// # Errors
    /// 503 if too many jobs wait or run.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let slot = JobSlot::take(&self.count).ok_or_else(|| Error::busy(BUSY_RETRY_S))?;
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        let permits = self.cores.get_or_init(|| Arc::new(Semaphore::new(cores())));
        let core = Arc::clone(permits).acquire_owned().await.map_err(Error::internal)?;
        let run = move || {
            let _held = (slot, core);
            work()
        };
        tokio::task::spawn_blocking(run).await.map_err(Error::internal)
    }
}

/// The slot of a job in the pool, which is freed on drop.
struct JobSlot(Arc<AtomicUsize>);

impl JobSlot {
    fn take(count: &Arc<AtomicUsize>) -> Option<Self> {
        let others = count.fetch_add(1, Ordering::Relaxed);
        let slot = Self(Arc::clone(count));
        (others < MAX_JOBS).then_some(slot)
    }
}

impl Drop for JobSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    fn on_one_core() -> WorkerPool {
        WorkerPool {
            cores: Arc::new(Semaphore::new(1)).into(),
            count: Arc::default(),
        }
    }

    fn count(pool: &WorkerPool) -> usize {
        pool.count.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn dropped_request_keeps_its_core_until_the_job_ends() {
        let pool = Arc::new(on_one_core());
        let (begin, begun) = oneshot::channel();
        let (end, may_end) = channel::<()>();
        let request = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                let work = move || {
                    let _ = begin.send(());
                    let _ = may_end.recv();
                };
                pool.run(work).await
            }
        });
        begun.await.unwrap();
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        let cores = Arc::clone(pool.cores.get().unwrap());
        assert_eq!((count(&pool), cores.available_permits()), (1, 0));
        end.send(()).unwrap();
        assert_eq!(pool.run(|| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn request_dropped_while_waiting_frees_its_place() {
        let pool = on_one_core();
        let permits = Arc::clone(pool.cores.get().unwrap());
        let core = permits.acquire_owned().await.unwrap();
        let mut waiting = Box::pin(pool.run(|| ()));
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!(count(&pool), 1);
        drop(waiting);
        assert_eq!(count(&pool), 0);
        drop(core);
    }

    #[tokio::test]
    async fn job_above_the_limit_is_refused() {
        let pool = on_one_core();
        let slots: Vec<_> = (0..MAX_JOBS).map(|_| JobSlot::take(&pool.count)).collect();
        assert!(slots.iter().all(Option::is_some));
        assert_eq!(pool.run(|| ()).await.unwrap_err().status(), 503);
        assert_eq!(count(&pool), MAX_JOBS);
    }
}
