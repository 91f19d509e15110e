//! [`Synchronizer`]: brings the local copy to a `head`, by applying the missing deltas if possible, otherwise by
//! replacing the copy.

use std::sync::Arc;

use crate::copy::known_head::KnownHead;
use crate::copy::replica::Replica;
use crate::error::Error;
use crate::format::delta::Delta;
use crate::format::head::{Head, HeadJson};
use crate::limits::SYNC_ATTEMPTS;
use crate::store::{Bucket, ETag, Fetched};
use crate::sync::assembly::{Assembler, Check};
use crate::sync::error::SyncError;
use crate::sync::objects;
use crate::sync::plan::SyncPlan;
use crate::sync::revalidation::{Moment, Revalidator};
use crate::tasks::Tasks;
use crate::version::Version;

/// Follows `head` with the local copy.
pub(crate) struct Synchronizer {
    bucket: Arc<Bucket>,
    replica: Arc<Replica>,
    revalidator: Arc<Revalidator>,
    assembler: Arc<Assembler>,
    tasks: Tasks,
    /// The newest schema that this code knows.
    code_version: u32,
    /// Held by the sync that runs, because only one runs at a time.
    syncing: tokio::sync::Mutex<()>,
}

impl Synchronizer {
    pub(crate) fn new(
        bucket: Arc<Bucket>,
        replica: Arc<Replica>,
        assembler: Arc<Assembler>,
        tasks: Tasks,
        code_version: u32,
    ) -> Self {
        Self {
            revalidator: Arc::new(Revalidator::new(Arc::clone(&bucket), Arc::clone(&replica))),
            bucket,
            replica,
            assembler,
            tasks,
            code_version,
            syncing: tokio::sync::Mutex::new(()),
        }
    }

    pub(crate) fn revalidator(&self) -> &Arc<Revalidator> {
        &self.revalidator
    }

    /// Revalidates `head` and follows it. Returns the store's time in milliseconds since 1970.
    pub(crate) async fn refresh(&self) -> Result<u64, Error> {
        let sent_at = Moment::now(self.bucket.clock());
        let date_ms = match self.revalidator.confirmed_without_request() {
            Some(date_ms) => date_ms,
            None => {
                let known = self.replica.head_arc();
                let fetched = self.bucket.get_head(Some(&known.etag)).await?;
                self.follow(fetched).await?
            }
        };
        self.revalidator.record_confirmation(sent_at, date_ms);
        if self.replica.copy().is_lost() {
            self.replace_dirty_copy().await?;
        }
        Ok(date_ms)
    }

    /// Follows the response to a GET of `head`. Returns the store's time in milliseconds since 1970.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if `head` is missing. A process that has seen a `head` never creates another one.
    pub(crate) async fn follow(&self, fetched: Fetched) -> Result<u64, Error> {
        match fetched {
            Fetched::NotModified { date_ms } => Ok(date_ms),
            Fetched::Found(object) => {
                self.sync_to(KnownHead::decode(&object)?).await?;
                Ok(object.date_ms)
            }
            Fetched::Missing => Err(head_is_missing()),
        }
    }

    /// Gets the current `head` and replaces the copy if it is dirty.
    pub(crate) async fn replace_dirty_copy(&self) -> Result<(), Error> {
        let fetched = self.bucket.get_head(None).await?;
        self.follow(fetched).await.map(|_| ())
    }

    /// Brings the copy to `target` or to a newer version.
    pub(crate) async fn sync_to(&self, mut target: Arc<KnownHead>) -> Result<(), Error> {
        let _one_at_a_time = self.syncing.lock().await;
        // The ETag of the `head` under which an object was missing. If `head` has not changed since, the object is lost.
        let mut missing_under: Option<ETag> = None;
        for _ in 0..SYNC_ATTEMPTS {
            target = self.newer_of_known_and(target);
            self.check_readable(&target.head)?;
            let plan = SyncPlan::choose(&self.replica.copy(), &target);
            let result = match plan {
                SyncPlan::CopyIsNewer => return Ok(()),
                SyncPlan::UpToDate => {
                    self.replica.publish(&target);
                    return Ok(());
                }
                SyncPlan::Incremental(from) => self.apply_missing_deltas(&target, from).await,
                SyncPlan::Full => self.replace_copy(&target).await,
            };
            match result {
                Ok(()) => return Ok(()),
                Err(SyncError::Retry) => {}
                Err(SyncError::Failed(error)) => return Err(error),
                Err(SyncError::Missing(key)) => {
                    if missing_under.replace(target.etag.clone()) == Some(target.etag.clone()) {
                        return Err(object_is_missing(&key));
                    }
                    let Fetched::Found(object) = self.bucket.get_head(None).await? else {
                        return Err(head_is_missing());
                    };
                    target = KnownHead::decode(&object)?;
                }
            }
        }
        Err(Error::unavailable(
            "the database changes faster than this process can follow",
        ))
    }

    /// Fetches every object that the current `head` names, and checks all digests and the checksum of the database.
    ///
    /// # Errors
    /// [`Error::Corrupt`] names the object that is damaged or missing.
    pub(crate) async fn check_objects(&self) -> Result<(), Error> {
        let mut missing = String::new();
        for _ in 0..SYNC_ATTEMPTS {
            self.refresh().await?;
            let known = self.replica.head_arc();
            match self.assembler.assemble_matching(&known, &[Check::Digests]).await {
                Ok(_) => return Ok(()),
                Err(SyncError::Failed(error)) => return Err(error),
                Err(SyncError::Retry) => {}
                Err(SyncError::Missing(key)) => missing = key,
            }
        }
        Err(object_is_missing(&missing))
    }

    /// Rejects a database that this code is too old to read, and another database than before.
    fn check_readable(&self, head: &Head) -> Result<(), Error> {
        let (min_reader, code_version) = (head.json.min_reader, self.code_version);
        if min_reader > code_version {
            return Err(Error::Unsupported(format!(
                "reading it needs schema {min_reader}, this code knows {code_version}"
            )));
        }
        if head.json.database != self.replica.head().head.json.database {
            return Err(Error::Refused(
                "the store holds another database than before: restart the process".to_owned(),
            ));
        }
        Ok(())
    }

    /// Rejects a database that this code is too old to write.
    pub(crate) fn check_writable(&self, head: &HeadJson) -> Result<(), Error> {
        if head.min_writer > self.code_version {
            return Err(Error::Unsupported(format!(
                "writing it needs schema {}, this code knows {}",
                head.min_writer, self.code_version
            )));
        }
        Ok(())
    }

    /// Returns the newer one of `target` and the known `head`. A sync to an older one would be useless, because readers
    /// assume that a clean copy is at the known `head`.
    fn newer_of_known_and(&self, target: Arc<KnownHead>) -> Arc<KnownHead> {
        let known = self.replica.head_arc();
        if known.version() > target.version() {
            known
        } else {
            target
        }
    }

    async fn apply_missing_deltas(&self, target: &Arc<KnownHead>, from: Version) -> Result<(), SyncError> {
        let segments: Vec<_> = target
            .head
            .json
            .segments
            .iter()
            .filter(|segment| segment.to > from.seq)
            .cloned()
            .collect();
        let keys = segments.iter().map(|segment| segment.key.clone()).collect();
        let bodies = objects::fetch_all(&self.bucket, keys).await?;
        let (replica, target) = (Arc::clone(&self.replica), Arc::clone(target));
        let work = move || {
            let mut deltas = objects::decode_segments(&segments, &bodies)?;
            deltas.extend(target.head.tail_after(from.seq)?);
            check_page_size(&target, &deltas)?;
            match replica.apply(deltas, from, &target)? {
                true => Ok(()),
                false => Err(SyncError::Retry),
            }
        };
        self.tasks.blocking(work).await?
    }

    async fn replace_copy(&self, target: &Arc<KnownHead>) -> Result<(), SyncError> {
        let is_first = self.replica.copy().is_empty();
        if !is_first {
            let replica = Arc::clone(&self.replica);
            self.tasks.blocking(move || replica.remove_dirty_file()).await?;
        }
        // If the checksum does not match, the digests tell which object is damaged.
        let (file, sum) = self
            .assembler
            .assemble_matching(target, &[Check::Checksum, Check::Digests])
            .await?;
        let (replica, target) = (Arc::clone(&self.replica), Arc::clone(target));
        let work = move || match replica.replace(file, sum, &target) {
            true => Ok(()),
            false => Err(SyncError::Retry),
        };
        // The first copy has no readers to wait for.
        if is_first {
            work()
        } else {
            self.tasks.blocking(work).await?
        }
    }
}

fn check_page_size(target: &KnownHead, deltas: &[Delta]) -> Result<(), Error> {
    if deltas.iter().any(|delta| delta.page_size != target.head.json.page_size) {
        return Err(Error::Corrupt(
            "a delta has another page size than `head`: restore an earlier state".to_owned(),
        ));
    }
    Ok(())
}

fn object_is_missing(key: &str) -> Error {
    Error::Corrupt(format!(
        "{key} is missing, though `head` names it: restore the object or an earlier state"
    ))
}

fn head_is_missing() -> Error {
    Error::Corrupt("the object `head` is missing: put back its latest version; no process creates another".to_owned())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::commit::write::CommitId;
    use crate::engine::Engine;
    use crate::engine::options::{Migration, Options};
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
    async fn dirty_copy_is_never_replaced_by_an_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new(folder.path(), NOTES);
        let engine = Engine::open(Arc::new(MemoryStore::new()), options).await.unwrap();
        write_note(&engine, "one").await;
        let (replica, sync) = (engine.replica(), engine.sync());
        let old = replica.head_arc();
        write_note(&engine, "two").await;
        replica.copy_mut().dirty = true;
        let replaced = sync.replace_copy(&old).await;
        assert!(matches!(replaced, Err(SyncError::Retry)) && replica.copy().dirty);
        sync.sync_to(old).await.unwrap();
        assert!(!replica.copy().dirty);
        assert_eq!(replica.copy().version, replica.version());
    }
}
