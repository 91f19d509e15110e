//! Work that keeps a core busy: password hashes, pictures, and long reads.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;

use crate::Error;

/// Most computations that wait or run; further ones are refused.
const MAX_COMPUTATIONS: usize = 64;
/// When a client may try again whose computation was refused, in seconds.
const BUSY_RETRY_S: u64 = 1;

/// The computations of one kind in a process.
#[derive(Default)]
pub(crate) struct Computations {
    /// A permit for each core, because a password hash takes a core and 19 MiB.
    cores: OnceLock<Arc<Semaphore>>,
    /// How many wait or run.
    count: Arc<AtomicUsize>,
}

impl Computations {
    /// Runs `work` on a blocking thread when a core is free. Work that has begun keeps its place until it ends, also if the request is
    /// dropped, because a blocking thread cannot be stopped.
    ///
    /// # Errors
    /// 503 if too many computations wait or run.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let place = Place::take(&self.count).ok_or_else(|| Error::busy(BUSY_RETRY_S))?;
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        let permits = self.cores.get_or_init(|| Arc::new(Semaphore::new(cores())));
        let core = Arc::clone(permits).acquire_owned().await.map_err(Error::internal)?;
        let run = move || {
            let _held = (place, core);
            work()
        };
        tokio::task::spawn_blocking(run).await.map_err(Error::internal)
    }
}

/// The place of a computation, given back when this is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(count: &Arc<AtomicUsize>) -> Option<Self> {
        let others = count.fetch_add(1, Ordering::Relaxed);
        let place = Self(Arc::clone(count));
        (others < MAX_COMPUTATIONS).then_some(place)
    }
}

impl Drop for Place {
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

    fn on_one_core() -> Computations {
        Computations {
            cores: Arc::new(Semaphore::new(1)).into(),
            count: Arc::default(),
        }
    }

    fn count(computations: &Computations) -> usize {
        computations.count.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn dropped_request_keeps_the_core_until_its_computation_ends() {
        let computations = Arc::new(on_one_core());
        let (begin, begun) = oneshot::channel();
        let (end, may_end) = channel::<()>();
        let request = tokio::spawn({
            let computations = Arc::clone(&computations);
            async move {
                let work = move || {
                    let _ = begin.send(());
                    let _ = may_end.recv();
                };
                computations.run(work).await
            }
        });
        begun.await.unwrap();
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        let cores = Arc::clone(computations.cores.get().unwrap());
        assert_eq!((count(&computations), cores.available_permits()), (1, 0));
        end.send(()).unwrap();
        assert_eq!(computations.run(|| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn request_that_is_dropped_while_it_waits_gives_its_place_back() {
        let computations = on_one_core();
        let permits = Arc::clone(computations.cores.get().unwrap());
        let core = permits.acquire_owned().await.unwrap();
        let mut waiting = Box::pin(computations.run(|| ()));
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!(count(&computations), 1);
        drop(waiting);
        assert_eq!(count(&computations), 0);
        drop(core);
    }

    #[tokio::test]
    async fn computation_above_the_limit_is_refused_and_takes_no_place() {
        let computations = on_one_core();
        let places: Vec<_> = (0..MAX_COMPUTATIONS)
            .map(|_| Place::take(&computations.count))
            .collect();
        assert!(places.iter().all(Option::is_some));
        assert_eq!(computations.run(|| ()).await.unwrap_err().status(), 503);
        assert_eq!(count(&computations), MAX_COMPUTATIONS);
    }
}
