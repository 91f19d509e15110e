//! Brings the local copy to a `head`: by patching it where the deltas lead on from its state, by fetching all of it otherwise.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, TryStreamExt};

use crate::assembly::{Check, assemble};
use crate::checksum;
use crate::delta::Delta;
use crate::engine::Engine;
use crate::error::Error;
use crate::head::Segment;
use crate::image::Image;
use crate::limits::{OBJECT_TIMEOUT_MS, PARALLEL_OBJECTS, SYNC_ATTEMPTS};
use crate::replica::{Known, Replica, within};
use crate::store::{ETag, Fetched};
use crate::version::Version;

/// What it takes to get from the local copy to a `head`.
enum Way {
    /// The copy is newer.
    Behind,
    /// The copy is there.
    There,
    /// The deltas lead on from the copy's state.
    Patch(Version),
    /// Fetch everything.
    Whole,
}

/// Why an attempt to follow a `head` came to nothing.
pub(crate) enum Stumble {
    /// An object that `head` names is not there: perhaps `head` moved.
    Missing(String),
    /// The copy moved meanwhile, or was found damaged: look again.
    Again,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stumble {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Engine {
    /// Fetches every object that the newest state is made of, and compares each with its digest, and the whole with its checksum.
    ///
    /// # Errors
    /// [`Error::Corrupt`] names what is damaged or gone.
    pub async fn check_objects(&self) -> Result<(), Error> {
        let mut missing = String::new();
        for _ in 0..SYNC_ATTEMPTS {
            self.replica.refresh().await?;
            let known = self.replica.known.load_full();
            match self.replica.assemble_weighed(&known, &[Check::Objects]).await {
                Ok(_) => return Ok(()),
                Err(Stumble::Failed(error)) => return Err(error),
                Err(Stumble::Again) => {}
                Err(Stumble::Missing(key)) => missing = key,
            }
        }
        Err(is_missing(&missing))
    }
}

impl Replica {
    /// Takes in the answer to a GET of `head`; returns the store's clock. Milliseconds since 1970.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where `head` is gone: whoever has seen one never creates another.
    pub(crate) async fn absorb(self: &Arc<Self>, fetched: Fetched) -> Result<u64, Error> {
        match fetched {
            Fetched::NotModified { date_ms } => Ok(date_ms),
            Fetched::Found(object) => {
                self.catch_up(Known::read(&object)?).await?;
                Ok(object.date_ms)
            }
            Fetched::Missing => Err(head_is_gone()),
        }
    }

    /// Fetches the whole database anew where the copy is dirty.
    pub(crate) async fn repair(self: &Arc<Self>) -> Result<(), Error> {
        let fetched = self.get_head(None).await?;
        self.absorb(fetched).await.map(|_| ())
    }

    /// Brings the copy at least to `target`.
    pub(crate) async fn catch_up(self: &Arc<Self>, mut target: Arc<Known>) -> Result<(), Error> {
        let _one_at_a_time = self.catching_up.lock().await;
        let mut missing_under: Option<ETag> = None;
        for _ in 0..SYNC_ATTEMPTS {
            target = self.newest_of(target);
            self.check_readable(&target.head)?;
            let followed = match self.way_to(&target) {
                Way::Behind => return Ok(()),
                Way::There => {
                    self.publish(&target);
                    return Ok(());
                }
                Way::Patch(from) => self.patch(&target, from).await,
                Way::Whole => self.fetch_whole(&target).await,
            };
            match followed {
                Ok(()) => return Ok(()),
                Err(Stumble::Again) => {}
                Err(Stumble::Failed(error)) => return Err(error),
                Err(Stumble::Missing(key)) => {
                    if missing_under.replace(target.etag.clone()) == Some(target.etag.clone()) {
                        return Err(is_missing(&key));
                    }
                    let Fetched::Found(object) = self.get_head(None).await? else {
                        return Err(head_is_gone());
                    };
                    target = Known::read(&object)?;
                }
            }
        }
        Err(Error::unavailable(
            "the database moves faster than this process follows",
        ))
    }

    /// The newer one of `target` and the known `head`, because readers take a clean copy for a copy of the known `head`.
    fn newest_of(&self, target: Arc<Known>) -> Arc<Known> {
        let known = self.known.load_full();
        if known.version() > target.version() {
            known
        } else {
            target
        }
    }

    fn way_to(&self, target: &Known) -> Way {
        let local = self.local();
        let (have, want) = (local.version, target.version());
        if local.is_lost() || have.epoch < want.epoch {
            return Way::Whole;
        }
        if have > want {
            Way::Behind
        } else if have == want {
            Way::There
        } else if have.seq >= target.head.json.base.seq {
            Way::Patch(have)
        } else {
            Way::Whole
        }
    }

    async fn patch(self: &Arc<Self>, target: &Arc<Known>, from: Version) -> Result<(), Stumble> {
        let segments: Vec<_> = target
            .head
            .json
            .segments
            .iter()
            .filter(|segment| segment.to > from.seq)
            .cloned()
            .collect();
        let bodies = self
            .fetch_all(segments.iter().map(|segment| segment.key.clone()).collect())
            .await?;
        let (replica, target) = (Arc::clone(self), Arc::clone(target));
        let work = move || {
            let mut deltas = decode_segments(&segments, &bodies)?;
            deltas.extend(target.head.tail_after(from.seq)?);
            check_page_size(&target, &deltas)?;
            let mut local = replica.local_mut();
            if local.dirty || local.version != from {
                return Err(Stumble::Again);
            }
            replica.pool.clear();
            if let Some(delta) = Delta::merge(deltas) {
                local.apply(&delta)?;
            }
            let wanted = (target.head.json.page_count, target.head.json.checksum);
            if (local.page_count, local.checksum) != wanted {
                tracing::warn!(version = %target.version(), "the local copy does not fit `head`; fetching it anew");
                local.dirty = true;
                return Err(Stumble::Again);
            }
            local.version = target.version();
            replica.publish(&target);
            Ok(())
        };
        self.tasks.blocking(work).await?
    }

    async fn fetch_whole(self: &Arc<Self>, target: &Arc<Known>) -> Result<(), Stumble> {
        if !self.local().is_none() {
            self.make_room().await?;
        }
        // Where the whole does not fit, the objects say which one it is.
        let (image, sum) = self.assemble_weighed(target, &[Check::Whole, Check::Objects]).await?;
        let (replica, target) = (Arc::clone(self), Arc::clone(target));
        let work = move || {
            let mut local = replica.local_mut();
            if !local.dirty && local.version > target.version() {
                return Ok(());
            }
            // A write may have been accepted meanwhile, which a dirty copy did not take.
            if replica.known.load().version() > target.version() {
                return Err(Stumble::Again);
            }
            replica.pool.clear();
            local.install(image, target.version(), sum);
            replica.publish(&target);
            Ok(())
        };
        // The first copy has no readers to wait for.
        if self.local().is_none() {
            work()
        } else {
            self.tasks.blocking(work).await?
        }
    }

    /// The file that fits `target`, and its checksum; checked first as `checks` begins, and as it goes on where it does not fit.
    async fn assemble_weighed(self: &Arc<Self>, target: &Known, checks: &[Check]) -> Result<(Image, u64), Stumble> {
        for check in checks {
            let image = assemble(self, target, *check).await?;
            let sum = match image.finish() {
                Err(_) if *check == Check::Whole => continue,
                weighed => weighed?,
            };
            if (image.page_count(), sum) == (target.head.json.page_count, target.head.json.checksum) {
                return Ok((image, sum));
            }
        }
        let version = target.version();
        tracing::error!(%version, "the stored database does not fit its checksum");
        Err(Stumble::Failed(Error::Corrupt(format!(
            "the objects of version {version} do not fit its checksum: restore an earlier state"
        ))))
    }

    /// Removes a copy that nobody may read any more before another takes as much room.
    async fn make_room(self: &Arc<Self>) -> Result<(), Error> {
        let replica = Arc::clone(self);
        let work = move || {
            let mut local = replica.local_mut();
            if local.dirty {
                replica.pool.clear();
                local.free();
            }
        };
        self.tasks.blocking(work).await
    }

    /// Fetches objects, several at a time; their bodies in the order of `keys`.
    pub(crate) async fn fetch_all(self: &Arc<Self>, keys: Vec<String>) -> Result<Vec<Bytes>, Stumble> {
        if let [key] = keys.as_slice() {
            return Ok(vec![self.fetch(key).await?]);
        }
        let mut bodies = vec![Bytes::new(); keys.len()];
        let mut under_way = FuturesUnordered::new();
        for (index, key) in keys.into_iter().enumerate() {
            if under_way.len() >= PARALLEL_OBJECTS
                && let Some((index, body)) = under_way.try_next().await?
            {
                bodies[index] = body;
            }
            let replica = Arc::clone(self);
            under_way.push(async move { replica.fetch(&key).await.map(|body| (index, body)) });
        }
        while let Some((index, body)) = under_way.try_next().await? {
            bodies[index] = body;
        }
        Ok(bodies)
    }

    pub(crate) async fn fetch(&self, key: &str) -> Result<Bytes, Stumble> {
        match within(&*self.clock, OBJECT_TIMEOUT_MS, self.store.get(key, None)).await? {
            Fetched::Found(object) => Ok(object.body),
            _ => Err(Stumble::Missing(key.to_owned())),
        }
    }
}

pub(crate) fn decode_segments(segments: &[Segment], bodies: &[Bytes]) -> Result<Vec<Delta>, Stumble> {
    let decode = |(segment, body): (&Segment, &Bytes)| {
        check_segment(segment, body)?;
        Delta::decode(body).map_err(|detail| damaged(&segment.key, &detail).into())
    };
    segments.iter().zip(bodies).map(decode).collect()
}

pub(crate) fn check_segment(segment: &Segment, body: &[u8]) -> Result<(), Error> {
    if body.len() as u64 != segment.len || checksum::of_object(body) != segment.digest {
        return Err(damaged(&segment.key, "its digest does not fit"));
    }
    Ok(())
}

/// An object that is not what it has to be.
pub(crate) fn damaged(key: &str, detail: &str) -> Error {
    Error::Corrupt(format!("{key}: {detail}. Restore the object"))
}

fn check_page_size(target: &Known, deltas: &[Delta]) -> Result<(), Error> {
    if deltas.iter().any(|delta| delta.page_size != target.head.json.page_size) {
        return Err(Error::Corrupt(
            "a delta has another page size than `head`: restore an earlier state".to_owned(),
        ));
    }
    Ok(())
}

fn is_missing(key: &str) -> Error {
    Error::Corrupt(format!(
        "{key} is missing, though `head` names it: restore the object or an earlier state"
    ))
}

fn head_is_gone() -> Error {
    Error::Corrupt("the object `head` is gone: put back its latest version; nothing creates another".to_owned())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::engine::{Migration, Options};
    use crate::job::CommitId;
    use crate::store::MemoryStore;

    const NOTES: &[Migration] = &[Migration {
        version: 1,
        sql: "CREATE TABLE note (text TEXT)",
        min_reader: 0,
        min_writer: 0,
    }];

    async fn write_note(engine: &Engine, text: &'static str) {
        let insert = move |connection: &Connection| -> Result<usize, Error> {
            Ok(connection.execute("INSERT INTO note VALUES (?1)", [text])?)
        };
        engine.write(CommitId::new(text).unwrap(), insert).await.unwrap();
    }

    #[tokio::test]
    async fn a_dirty_copy_never_becomes_one_that_is_older_than_the_newest_known_head() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new(folder.path(), NOTES);
        let engine = Engine::open(Arc::new(MemoryStore::new()), options).await.unwrap();
        write_note(&engine, "one").await;
        let replica = &engine.replica;
        let old = replica.known.load_full();
        write_note(&engine, "two").await;
        replica.local_mut().dirty = true;
        let fetched = replica.fetch_whole(&old).await;
        assert!(matches!(fetched, Err(Stumble::Again)) && replica.local().dirty);
        replica.catch_up(old).await.unwrap();
        assert!(!replica.local().dirty);
        assert_eq!(replica.local().version, replica.known.load().version());
    }
}
