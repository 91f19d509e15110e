//! Going back to an earlier state: under a new epoch, from what `head` and the trash still name.

use std::collections::HashSet;
use std::sync::Arc;

use crate::assembly::{Check, assemble};
use crate::catch_up::Stumble;
use crate::commit::Refusal;
use crate::engine::Engine;
use crate::environment::hex_16;
use crate::error::Error;
use crate::head::FullHead;
use crate::limits::{
    BACKOFF_MIN_MS, LOCK_WAIT_MAX_MS, LOSSES_BEFORE_LOCK, MAINTENANCE_ATTEMPTS, OBJECT_TIMEOUT_MS, RESTORABLE_MS,
};
use crate::lock::Locking;
use crate::plan;
use crate::replica::{Known, Replica, within};
use crate::store::Fetched;
use crate::trash::Trash;
use crate::version::Version;

/// Which state is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestorePoint {
    /// Exactly this one. Not every state can be: those between two that went into one object together are gone.
    At(Version),
    /// The newest that was there at this moment of the store's clock. Milliseconds since 1970.
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
            Stumble::Missing(key) => Self::Failed(Error::Refused(format!("{key} is gone: restore another state"))),
            Stumble::Again => Self::Lost("the local copy moved on".to_owned()),
            Stumble::Failed(error) => error.into(),
        }
    }
}

impl Engine {
    /// Puts an earlier state back: everything after it is undone, for every process. The states after it stay in the trash, so
    /// that a restore can be taken back by another. Six days are kept.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no such state. [`Error::Unavailable`]: the outcome is unknown, look at
    /// [`Engine::version`] before repeating: another epoch means that it took place.
    pub async fn restore(&self, point: RestorePoint) -> Result<Restored, Error> {
        let mut locking = Locking::new(&self.replica);
        let restored = self.replica.restore(point, &mut locking).await;
        locking.release(&self.replica).await;
        restored
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
        let wanted = self.find(&known, point, date_ms).await?;
        let restored = Restored {
            from: wanted.json.version(),
            version: Version {
                epoch: known.head.json.epoch + 1,
                seq: wanted.json.seq,
            },
        };
        let next = self.prepare(&known, wanted, date_ms).await?;
        restoring.ours = Some((next.json.base.id.clone(), restored));
        let put = self.put_head(next, &known.etag, date_ms).await?;
        locking.cleared();
        self.catch_up(put).await?;
        Ok(Attempt::Done(restored))
    }

    /// The `head` that ends with the wanted state. What garbage collection may be about to delete is not looked at.
    async fn find(&self, known: &Known, point: RestorePoint, date_ms: u64) -> Result<FullHead, Refusal> {
        let mut heads = vec![known.head.clone()];
        for listed in within(&*self.clock, OBJECT_TIMEOUT_MS, self.store.list("trash/")).await? {
            if date_ms < listed.last_modified_ms + RESTORABLE_MS {
                heads.push(self.trash(&listed.key).await?.head);
            }
        }
        let cuts = heads.iter().flat_map(|head| {
            let states = plan::states(head).into_iter();
            states.map(move |(seq, at_ms)| {
                (
                    at_ms,
                    Version {
                        seq,
                        ..head.json.version()
                    },
                    head,
                )
            })
        });
        let fits = |(at_ms, version): (u64, Version)| match point {
            RestorePoint::At(wanted) => version == wanted,
            // The empty database that everything began with has no moment.
            RestorePoint::Before(wanted_ms) => (1..=wanted_ms).contains(&at_ms),
        };
        let best = cuts
            .filter(|(at_ms, version, _)| fits((*at_ms, *version)))
            .max_by_key(|(at_ms, version, _)| (*at_ms, *version));
        match best {
            Some((_, version, head)) => Ok(plan::cut(head, version.seq)),
            None => Err(Refusal::Failed(Error::Refused(format!(
                "{point:?} is no state that can be restored"
            )))),
        }
    }

    /// Makes `wanted` the successor of `known`, after its objects were read and what it takes back was named.
    async fn prepare(
        self: &Arc<Self>,
        known: &Arc<Known>,
        wanted: FullHead,
        date_ms: u64,
    ) -> Result<FullHead, Refusal> {
        let target = Arc::new(Known {
            head: wanted,
            etag: known.etag.clone(),
            last_modified_ms: known.last_modified_ms,
        });
        let kept: HashSet<_> = self.names_of(&target).await?;
        let useless = self.names_of(known).await?;
        let trash = Trash {
            names: useless.difference(&kept).cloned().collect(),
            head: known.head.clone(),
        };
        let (page_count, checksum) = self.weigh(&target).await?;
        self.put_trash(&trash).await?;
        let mut next = target.head.clone();
        let json = &mut next.json;
        plan::last_stamp_of(json).at_ms = date_ms;
        json.page_count = page_count;
        json.checksum = checksum;
        json.epoch = known.head.json.epoch + 1;
        json.nonce = hex_16(&*self.random);
        json.base.id = self.fresh_name();
        json.lock = None;
        json.floor_ms = known.head.json.floor_ms;
        json.unknown = known.head.json.unknown.clone();
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
