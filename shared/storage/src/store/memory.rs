//! [`MemoryStore`]: a store in memory, for tests. It is also the simplest description of a correct store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::{ETag, Fetched, Listed, Object, ObjectStore, PutCondition, StoreError, check_key};
use crate::clock::{StorageClock, SystemStorageClock};

/// Objects in memory. Clones share them, so that several engines can use one bucket.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn StorageClock>,
    objects: Mutex<Objects>,
}

#[derive(Default)]
struct Objects {
    /// The ETag, the body and the time of the PUT of each object. Milliseconds since 1970.
    by_key: BTreeMap<String, (ETag, Bytes, u64)>,
    /// The number of PUTs, from which ETags are made.
    puts: u64,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// Creates an empty store with the clock of the operating system.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemStorageClock::new()))
    }

    /// Creates an empty store with another clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn StorageClock>) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock,
                objects: Mutex::default(),
            }),
        }
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.shared.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores an object like [`ObjectStore::put`], without `async`.
    pub(crate) fn put_now(&self, key: &str, body: Bytes, condition: &PutCondition) -> Result<ETag, StoreError> {
        check_key(key)?;
        let now_ms = self.shared.clock.unix_ms();
        let mut objects = self.objects();
        let current = objects.by_key.get(key).map(|(etag, ..)| etag);
        let is_met = match condition {
            PutCondition::None => true,
            PutCondition::CreateOnly => current.is_none(),
            PutCondition::Match(etag) => current == Some(etag),
        };
        if !is_met {
            return Err(StoreError::PreconditionFailed);
        }
        objects.puts += 1;
        let etag = ETag::new(objects.puts.to_string());
        objects.by_key.insert(key.to_owned(), (etag.clone(), body, now_ms));
        Ok(etag)
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError> {
        check_key(key)?;
        let date_ms = self.shared.clock.unix_ms();
        let objects = self.objects();
        Ok(match objects.by_key.get(key) {
            None => Fetched::Missing,
            Some((etag, ..)) if Some(etag) == if_none_match => Fetched::NotModified { date_ms },
            Some((etag, body, put_ms)) => Fetched::Found(Object {
                etag: etag.clone(),
                body: body.clone(),
                date_ms,
                last_modified_ms: *put_ms,
            }),
        })
    }

    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Fetched, StoreError> {
        Ok(match self.get(key, None).await? {
            Fetched::Found(object) => {
                let end = object.body.len();
                let from = usize::try_from(offset).unwrap_or(end).min(end);
                let to = usize::try_from(offset.saturating_add(length)).unwrap_or(end).min(end);
                Fetched::Found(Object {
                    body: object.body.slice(from..to),
                    ..object
                })
            }
            other => other,
        })
    }

    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError> {
        self.put_now(key, body, &condition)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        check_key(key)?;
        self.objects().by_key.remove(key);
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let objects = self.objects();
        let listed = objects.by_key.iter().filter(|(key, _)| key.starts_with(prefix));
        Ok(listed
            .map(|(key, (_, body, put_ms))| Listed {
                key: key.clone(),
                bytes: body.len() as u64,
                last_modified_ms: *put_ms,
            })
            .collect())
    }
}
