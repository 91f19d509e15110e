//! Going back to an earlier state: under a new epoch, from what `head`, trash and history still hold.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::stream::{FuturesOrdered, TryStreamExt};

use crate::assembly::{Check, assemble};
use crate::catch_up::Stumble;
use crate::commit::Refusal;
use crate::delta::Delta;
use crate::engine::Engine;
use crate::environment::hex_16;
use crate::error::{Error, NotRestorable};
use crate::head::{Branch, FullHead};
use crate::history::{self, Commit, HISTORY, HistoryKey};
use crate::limits::{
    BACKOFF_MIN_MS, LOCK_WAIT_MAX_MS, LOSSES_BEFORE_LOCK, MAINTENANCE_ATTEMPTS, OBJECT_TIMEOUT_MS, PARALLEL_OBJECTS,
    RESTORABLE_MS,
};
use crate::lock::Locking;
use crate::plan;
use crate::replica::{Known, Replica, within};
use crate::store::Fetched;
use crate::timeline::{Cuts, Route, Span, Timeline};
use crate::trash::Trash;
use crate::version::Version;

/// Which state is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestorePoint {
    /// Exactly this one.
    At(Version),
    /// The newest that was committed by this moment. Milliseconds since 1970.
    Before(u64),
}

/// What a restore put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// The state whose content it is.
    pub from: Version,
    /// What that is called now.
    pub version: Version,
}

/// A restore under way.
#[derive(Default)]
struct Restoring {
    /// The epoch that it began in.
    epoch: Option<u64>,
    /// The base that it last tried to put, and what that stands for.
    ours: Option<(String, Restored)>,
    losses: u32,
    last: String,
}

enum Attempt {
    Done(Restored),
    Wait,
}

impl From<Stumble> for Refusal {
    fn from(stumble: Stumble) -> Self {
        match stumble {
            // Where `head` has not moved, whoever reads from the beginning says that it is damaged.
            Stumble::Missing(key) => Self::Lost(format!("{key} is gone")),
            Stumble::Again => Self::Lost("the local copy moved on".to_owned()),
            Stumble::Failed(error) => error.into(),
        }
    }
}

/// The same without a difference between a store that is busy and one that lost a race: nothing but fresh names is put.
fn stumble(refusal: Refusal) -> Stumble {
    match refusal {
        Refusal::Failed(error) => Stumble::Failed(error),
        Refusal::Lost(detail) | Refusal::Busy(detail) => Stumble::Failed(Error::unavailable(detail)),
    }
}

impl Engine {
    /// Puts an earlier state back: everything after it is undone, for every process. The states after it can still be restored,
    /// so that a restore can be taken back by another. Every state of the last [`HISTORY_MS`](crate::limits::HISTORY_MS) is kept.
    ///
    /// # Errors
    /// [`Error::NotRestorable`] says why there is no such state. [`Error::Unavailable`]: the outcome is unknown, look at
    /// [`Engine::version`] before repeating: another epoch means that it took place.
    pub async fn restore(&self, point: RestorePoint) -> Result<Restored, Error> {
        let mut locking = Locking::new(&self.replica);
        let restored = self.replica.restore(point, &mut locking).await;
        locking.release(&self.replica).await;
        restored
    }

    /// The states that can be restored now, the earliest first. States older than [`HISTORY_MS`](crate::limits::HISTORY_MS) are
    /// among them until maintenance deletes what they consist of.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::Corrupt`] names an object that cannot be read.
    pub async fn restorable(&self) -> Result<Vec<Span>, Error> {
        let replica = &self.replica;
        let mut last = String::new();
        for _ in 0..MAINTENANCE_ATTEMPTS {
            let date_ms = replica.refresh().await?;
            match replica.timeline(&replica.known.load_full(), date_ms).await {
                Ok(timeline) => return Ok(timeline.spans()),
                Err(Refusal::Failed(error)) => return Err(error),
                Err(Refusal::Lost(detail) | Refusal::Busy(detail)) => last = detail,
            }
            replica.pause(BACKOFF_MIN_MS).await;
        }
        Err(Error::unavailable(format!(
            "the restorable states cannot be listed: {last}"
        )))
    }
}

impl Replica {
    async fn restore(self: &Arc<Self>, point: RestorePoint, locking: &mut Locking) -> Result<Restored, Error> {
        let mut restoring = Restoring::default();
        for _ in 0..MAINTENANCE_ATTEMPTS {
            match self.try_restore(point, &mut restoring, locking).await {
                Ok(Attempt::Done(restored)) => return Ok(restored),
                Ok(Attempt::Wait) => self.pause(LOCK_WAIT_MAX_MS).await,
                Err(Refusal::Lost(detail)) => {
                    restoring.losses += 1;
                    restoring.last = detail;
                }
                Err(Refusal::Busy(detail)) => {
                    restoring.last = detail;
                    self.pause(BACKOFF_MIN_MS).await;
                }
                Err(Refusal::Failed(error)) => return Err(error),
            }
        }
        let last = restoring.last;
        Err(Error::unavailable(format!("the restore's outcome is unknown: {last}")))
    }

    async fn try_restore(
        self: &Arc<Self>,
        point: RestorePoint,
        restoring: &mut Restoring,
        locking: &mut Locking,
    ) -> Result<Attempt, Refusal> {
        let date_ms = self.refresh().await?;
        let mut known = self.known.load_full();
        self.check_writable(&known.head.json)?;
        if let Some((base, restored)) = &restoring.ours
            && *base == known.head.json.base.id
        {
            return Ok(Attempt::Done(*restored));
        }
        if *restoring.epoch.get_or_insert(known.head.json.epoch) != known.head.json.epoch {
            let detail = "the epoch moved during the restore: look before repeating";
            return Err(Refusal::Failed(Error::unavailable(detail)));
        }
        if locking.is_locked_out(&known, date_ms) {
            return Ok(Attempt::Wait);
        }
        if restoring.losses >= LOSSES_BEFORE_LOCK && !locking.holds(&known) {
            known = locking.take(self, &known, date_ms).await?;
        }
        let (from, next) = self.build(&known, point, date_ms).await?;
        let version = next.json.version();
        let restored = Restored { from, version };
        restoring.ours = Some((next.json.base.id.clone(), restored));
        let put = self.put_head(next, &known.etag, date_ms).await?;
        locking.cleared();
        self.catch_up(put).await?;
        Ok(Attempt::Done(restored))
    }

    /// Everything that can be restored. Objects that garbage collection may be about to delete are left out.
    async fn timeline(self: &Arc<Self>, known: &Known, date_ms: u64) -> Result<Timeline, Refusal> {
        let mut heads = vec![Cuts::of(None, &known.head)];
        let mut under_way = FuturesOrdered::new();
        for key in self.young_objects("trash/", date_ms).await? {
            if under_way.len() >= PARALLEL_OBJECTS {
                heads.extend(under_way.try_next().await?);
            }
            under_way.push_back(async move {
                let head = self.trash(&key).await?.head;
                Ok::<_, Refusal>(Cuts::of(Some(key), &head))
            });
        }
        while let Some(head) = under_way.try_next().await? {
            heads.push(head);
        }
        let history = self.young_objects(HISTORY, date_ms).await?;
        Ok(Timeline::new(
            heads,
            history.iter().filter_map(|key| HistoryKey::parse(key)).collect(),
        ))
    }

    async fn young_objects(&self, prefix: &str, date_ms: u64) -> Result<Vec<String>, Refusal> {
        let listed = within(&*self.clock, OBJECT_TIMEOUT_MS, self.store.list(prefix)).await?;
        let young = listed
            .into_iter()
            .filter(|object| date_ms < object.last_modified_ms + RESTORABLE_MS);
        Ok(young.map(|object| object.key).collect())
    }

    /// The successor of `known` that ends with the wanted state, and which state that is. All of its objects were read, and those
    /// that it takes out of `head` are named in the trash.
    async fn build(
        self: &Arc<Self>,
        known: &Arc<Known>,
        point: RestorePoint,
        date_ms: u64,
    ) -> Result<(Version, FullHead), Refusal> {
        let timeline = self.timeline(known, date_ms).await?;
        let version = self.version_at(&timeline, point, date_ms).await?;
        let routes = timeline.routes(version).map_err(Error::NotRestorable)?;
        let mut gone = String::new();
        for route in &routes {
            match self.build_by(known, route, version).await {
                Ok((target, page_count, checksum)) => {
                    let mut next = self.succeed(known, &target, date_ms).await?;
                    (next.json.page_count, next.json.checksum) = (page_count, checksum);
                    return Ok((version, next));
                }
                Err(Stumble::Missing(key)) => gone = key,
                Err(stumble) => return Err(stumble.into()),
            }
        }
        Err(Error::NotRestorable(NotRestorable::Gone { version, key: gone }).into())
    }

    /// Which state is wanted.
    async fn version_at(&self, timeline: &Timeline, point: RestorePoint, date_ms: u64) -> Result<Version, Refusal> {
        let wanted_ms = match point {
            RestorePoint::At(version) => return Ok(version),
            RestorePoint::Before(wanted_ms) => wanted_ms,
        };
        // Another process may have dated a state by a clock that is ahead of this one's.
        let now_ms = self.now_ms(date_ms).max(date_ms);
        if wanted_ms > now_ms {
            return Err(Error::NotRestorable(NotRestorable::Future { wanted_ms, now_ms }).into());
        }
        let mut read = Vec::new();
        if let Some(object) = timeline.history_at(wanted_ms) {
            let epoch = object.epoch;
            let commits = self.commits(object).await?;
            let version = |commit: &Commit| Version { epoch, seq: commit.seq };
            read.extend(commits.iter().map(|commit| (version(commit), commit.stamp.at_ms)));
        }
        Ok(timeline.newest_at(wanted_ms, &read).map_err(Error::NotRestorable)?)
    }

    async fn commits(&self, object: &HistoryKey) -> Result<Vec<Commit>, Stumble> {
        let body = self.fetch(&object.key).await?;
        Ok(history::decode(object, &body)?)
    }

    /// The `head` at the end of `route`, with its number of pages and its checksum.
    async fn build_by(
        self: &Arc<Self>,
        known: &Arc<Known>,
        route: &Route<'_>,
        version: Version,
    ) -> Result<(Arc<Known>, u32, u64), Stumble> {
        let whole = match &route.head.key {
            None => known.head.clone(),
            Some(key) => Trash::decode(key, &self.fetch(key).await?)?.head,
        };
        let mut head = plan::cut(&whole, route.cut);
        if !route.history.is_empty() {
            self.lead_on(&mut head, route, version.seq).await?;
        }
        if whole.json.schema < head.json.schema {
            // Which code may read and write the later schema, the later `head` says.
            let (json, newest) = (&mut head.json, &known.head.json);
            json.min_reader = json.min_reader.max(newest.min_reader);
            json.min_writer = json.min_writer.max(newest.min_writer);
        }
        let target = Arc::new(Known {
            head,
            etag: known.etag.clone(),
            last_modified_ms: known.last_modified_ms,
        });
        let (page_count, checksum) = self.weigh(&target).await?;
        Ok((target, page_count, checksum))
    }

    /// Adds the history of `route` to `head`, up to the state `seq`, as one segment. It takes the tail along: segments come first.
    async fn lead_on(self: &Arc<Self>, head: &mut FullHead, route: &Route<'_>, seq: u64) -> Result<(), Stumble> {
        let from = head.json.tail.first().map_or(route.cut, |entry| entry.from);
        let (mut deltas, mut reached, mut stamp) = (head.tail_after(0)?, route.cut, plan::stamp_of(&head.json));
        for object in &route.history {
            let commits = self.commits(object).await?;
            for commit in commits.into_iter().filter(|commit| commit.seq <= seq) {
                if commit.seq == reached + 1 {
                    (reached, stamp) = (commit.seq, commit.stamp);
                    deltas.push(commit.delta);
                }
            }
        }
        if reached != seq || deltas.iter().any(|delta| delta.page_size != head.json.page_size) {
            return Err(Error::Corrupt(format!("history does not lead to the state {seq}")).into());
        }
        let body = self.tasks.blocking(move || Delta::encode_merged(deltas)).await??;
        let segment = self.put_segment(from, seq, stamp, body).await.map_err(stumble)?;
        head.json.tail.clear();
        head.blobs.clear();
        head.json.segments.push(segment);
        head.json.seq = seq;
        head.json.schema = stamp.schema;
        Ok(())
    }

    /// Makes `target` the successor of `known`, after what it takes out of `head` was named.
    async fn succeed(
        self: &Arc<Self>,
        known: &Arc<Known>,
        target: &Arc<Known>,
        date_ms: u64,
    ) -> Result<FullHead, Refusal> {
        let kept: HashSet<_> = self.names_of(target).await?;
        let useless = self.names_of(known).await?;
        let trash = Trash {
            names: useless.difference(&kept).cloned().collect(),
            head: known.head.clone(),
        };
        self.put_trash(&trash).await?;
        let before = &known.head.json;
        let at_ms = self.now_ms(date_ms).max(plan::stamp_of(before).at_ms);
        let mut next = target.head.clone();
        let json = &mut next.json;
        plan::last_stamp_of(json).at_ms = at_ms;
        json.epoch = before.epoch + 1;
        json.branch = Some(Branch {
            epoch: json.epoch,
            seq: json.seq,
            at_ms,
        });
        json.nonce = hex_16(&*self.random);
        json.base.id = self.fresh_name();
        json.lock = None;
        json.floor_ms = before.floor_ms;
        json.unknown = before.unknown.clone();
        Ok(next)
    }

    /// How many pages the database has at `target`, and their checksum.
    async fn weigh(self: &Arc<Self>, target: &Arc<Known>) -> Result<(u32, u64), Stumble> {
        let image = assemble(self, target, Check::Objects).await?;
        Ok((image.page_count(), image.finish()?))
    }

    /// One object of trash.
    pub(crate) async fn trash(&self, key: &str) -> Result<Trash, Refusal> {
        match within(&*self.clock, OBJECT_TIMEOUT_MS, self.store.get(key, None)).await? {
            Fetched::Found(object) => Ok(Trash::decode(key, &object.body)?),
            _ => Err(Refusal::Lost(format!("{key} is gone"))),
        }
    }
}
