//! Apps whose bucket fails ([`app_with_faults`]), or holds back its PUTs ([`app_with_held_puts`]), so that a test can act
//! between a PUT and the steps before and after it.

use std::sync::Arc;

use async_trait::async_trait;
use bespoke_storage::{ETag, FaultyStore, Fetched, Listed, MemoryStore, ObjectStore, PutCondition, Rates, StoreError};
use bespoke_tests::support::App;
use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, Semaphore};

/// Starts a process whose bucket fails as the test says, and records each call.
pub(crate) async fn app_with_faults() -> (App, Arc<FaultyStore>) {
    let bucket = MemoryStore::new();
    let store = Arc::new(FaultyStore::new(bucket.clone(), 1, Rates::default()));
    let app = App::over(store.clone(), bucket, &[]).await.expect("a start");
    (app, store)
}

/// Starts a process whose bucket stores objects with that prefix only when the test says.
pub(crate) async fn app_with_held_puts(prefix: &'static str) -> (App, Arc<HeldStore>) {
    let bucket = MemoryStore::new();
    let store = Arc::new(HeldStore::new(bucket.clone(), prefix));
    let app = App::over(store.clone(), bucket, &[]).await.expect("a start");
    (app, store)
}

/// A bucket in memory that holds back each PUT of a key with a prefix until the test releases it.
pub(crate) struct HeldStore {
    bucket: MemoryStore,
    prefix: &'static str,
    arrived: Semaphore,
    released: Semaphore,
    ends: UnboundedSender<bool>,
    ended: Mutex<UnboundedReceiver<bool>>,
}

/// Reports the end of a held PUT.
struct End<'a> {
    ends: &'a UnboundedSender<bool>,
    is_done: bool,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        let _ = self.ends.send(self.is_done);
    }
}

impl HeldStore {
    fn new(bucket: MemoryStore, prefix: &'static str) -> Self {
        let (ends, ended) = unbounded_channel();
        Self {
            bucket,
            prefix,
            arrived: Semaphore::new(0),
            released: Semaphore::new(0),
            ends,
            ended: Mutex::new(ended),
        }
    }

    /// Waits until the next PUT is held back.
    pub(crate) async fn arrival(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    /// Releases one PUT.
    pub(crate) fn release(&self) {
        self.released.add_permits(1);
    }

    /// Waits for the end of a held PUT. Returns whether it completed, or was dropped with its request.
    pub(crate) async fn end(&self) -> bool {
        self.ended.lock().await.recv().await.unwrap()
    }
}

#[async_trait]
impl ObjectStore for HeldStore {
    async fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError> {
        self.bucket.get(key, if_none_match).await
    }

    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Fetched, StoreError> {
        self.bucket.get_range(key, offset, length).await
    }

    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError> {
        if !key.starts_with(self.prefix) {
            return self.bucket.put(key, body, condition).await;
        }
        let mut end = End {
            ends: &self.ends,
            is_done: false,
        };
        self.arrived.add_permits(1);
        self.released.acquire().await.unwrap().forget();
        let put = self.bucket.put(key, body, condition).await;
        end.is_done = true;
        put
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.bucket.delete(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.bucket.list(prefix).await
    }
}
