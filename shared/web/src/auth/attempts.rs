//! Counts failed attempts at passwords, codes and the checks of mail links, and locks their targets.
//!
//! A caller reserves an attempt ([`Session::reserve_attempt`]) before it hashes the password or compares the code, so that concurrent attempts
//! count for each other, also in other processes. After a success it releases the attempt.
//!
//! Attempts are stored in objects of the bucket and not in the database, so that a flood of attempts costs no commits. The number of objects is
//! fixed: each contains the attempts at many targets. Attempts that are a day old are removed with the next change of the object. Targets and
//! clients are stored as keyed hashes.
//!
//! The number of stored attempts at one target is bounded, so that one target cannot fill an object that others share. For an account, the bound
//! is the number that locks the account for all unknown networks, plus ten for each known network. For a name, it is the number that would lock
//! an account.

use bespoke_core::entity::confirmation::{Confirmation, is_code};
use bespoke_core::{BlindIndex, ClientNetwork, Timestamp};
use bespoke_database::{confirmations, known_networks};
use bespoke_storage::{Fetched, PutCondition, StoreError};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::client::ClientIp;
use crate::limits::TOO_MANY;
use crate::response::{Error, Result};
use crate::state::Session;

/// How long an attempt counts, in milliseconds.
pub const WINDOW_MS: i64 = 15 * 60 * 1000;
/// Maximum clock difference at which attempts of another process count, in milliseconds. Without this limit, a clock that is a year ahead
/// would lock a target for a year.
const CLOCK_TOLERANCE_MS: i64 = 60 * 1000;
/// The age at which an attempt is removed, in milliseconds. It exceeds [`WINDOW_MS`], because a process whose clock is ahead must not remove
/// attempts that count for other processes.
const REMOVAL_AGE_MS: u64 = 24 * 60 * 60 * 1000;
/// The number of attempts from one customer network within [`WINDOW_MS`] that lock a target for that network.
const FROM_ONE_CUSTOMER: usize = 10;
/// The number of attempts from one site (the /48 of IPv6) that lock a target for that site.
const FROM_ONE_SITE: usize = 30;
/// The number of attempts from all networks that lock a target for every network from which its owner has not signed in before.
const FROM_EVERYWHERE: usize = 100;

/// The prefix of the object keys, before the first digits of the hash of the target.
const PREFIX: &str = "attempts/";
/// The number of hexadecimal digits of the hash that select the object, so that there are 4,096 objects.
const OBJECT_DIGITS: usize = 3;
/// The maximum number of attempts in an object, about 75 KB. Password hashes are too slow for an attack that reaches this limit.
const MAX_ATTEMPTS: usize = 500;
/// The maximum number of PUTs for one attempt. A PUT fails if another process has changed the object.
const MAX_TRIES: usize = 16;
/// `Retry-After` if an attempt could not be stored, in seconds.
const BUSY_RETRY_S: u64 = 1;
/// Length of the stored hash of a target, in bytes.
const TARGET_BYTES: usize = 16;
/// Length of the stored hash of a network, in bytes.
const NETWORK_BYTES: usize = 8;
/// Length of the random id of an attempt, in bytes.
const ID_BYTES: usize = 8;

/// The target of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptTarget {
    /// A normalized name as the client sent it, whether an account has this name or not.
    Name(String),
    /// An account, under any of its names.
    Account(i64),
    /// A substitute for the account if no account has the name, so that both cases do the same work.
    UnknownAccount(String),
    /// The second factor of an account.
    SecondFactor(i64),
    /// The check of a link in a mail.
    Confirmation(Uuid),
}

impl AttemptTarget {
    /// A name is locked for single networks only, because a lock for all networks would reveal that others try it.
    fn is_locked_for_all(&self) -> bool {
        !matches!(self, Self::Name(_))
    }

    /// Returns whether further attempts at a name need not be stored. With so many attempts at a name, its account (or
    /// [`AttemptTarget::UnknownAccount`]) is locked for unknown networks, and attempts from known networks are counted for the account.
    fn has_enough(&self, counts: Counts) -> bool {
        !self.is_locked_for_all() && counts.everywhere >= FROM_EVERYWHERE
    }

    fn hash(&self, index: &BlindIndex) -> String {
        let text = match self {
            Self::Name(name) => format!("name {name}"),
            Self::Account(id) => format!("account {id}"),
            Self::UnknownAccount(name) => format!("nobody {name}"),
            Self::SecondFactor(id) => format!("second factor {id}"),
            Self::Confirmation(uuid) => format!("confirmation {uuid}"),
        };
        hex::encode(&index.entry("attempt", &text)[..TARGET_BYTES])
    }
}

/// The client and the time of an attempt.
#[derive(Debug, Clone, Copy)]
pub struct AttemptOrigin {
    /// The networks of the client.
    pub client: ClientNetwork,
    /// The time of the attempt.
    pub now: Timestamp,
}

/// A stored attempt. Hashes are hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Attempt {
    /// Hash of the target. The JSON name is part of the stored format.
    #[serde(rename = "subject")]
    target: String,
    id: String,
    /// Hash of the customer network.
    customer: String,
    site: String,
    /// Milliseconds since 1970.
    at: i64,
}

impl Attempt {
    fn counts_at(&self, now: i64) -> bool {
        self.at > now - WINDOW_MS && self.at <= now + CLOCK_TOLERANCE_MS
    }
}

/// An object with attempts, and the condition for replacing it.
#[derive(Debug, Clone)]
struct AttemptObject {
    key: String,
    condition: PutCondition,
    content: AttemptList,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct AttemptList {
    attempts: Vec<Attempt>,
}

/// The attempts at one target that count now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    customer: usize,
    site: usize,
    everywhere: usize,
}

/// A counted attempt. After a success, [`Session::release_attempt`] takes it back.
#[derive(Debug, Clone)]
pub struct ReservedAttempt {
    id: String,
    /// The object that contains the attempt; `None` if the attempt was not stored.
    object: Option<AttemptObject>,
    /// The account that this attempt locks for all unknown networks if it fails. Its owner then gets a mail.
    pub locks: Option<i64>,
}

impl Session {
    /// The origin of an attempt that `client` makes now.
    pub fn origin(&self, client: ClientIp) -> AttemptOrigin {
        AttemptOrigin {
            client: client.network(),
            now: self.now(),
        }
    }

    /// Counts an attempt at `target`, which belongs to the account `owner`, before its secret is compared. Returns `None` if the target is
    /// locked. In that case the caller must reject the attempt without comparing the secret, even if it is right. Attempts at a locked
    /// target are not counted, so they do not prolong the lock.
    ///
    /// # Errors
    /// 429 if too many attempts run at the same time; 503 if the bucket does not respond.
    pub async fn reserve_attempt(
        &self,
        target: &AttemptTarget,
        owner: Option<i64>,
        origin: AttemptOrigin,
    ) -> Result<Option<ReservedAttempt>> {
        let attempt = self.attempt(target, origin);
        let key = key_of(&attempt.target);
        // Held after the first conflict, so that the attempts of this process at the same object run one after the other.
        let mut lock = None;
        let mut is_put_in_doubt = false;
        let mut failure = Error::too_many(TOO_MANY, BUSY_RETRY_S);
        for _ in 0..MAX_TRIES {
            let mut object = self.attempts_in(&key).await?;
            let counts = object.content.counts(&attempt);
            // A PUT without a response may have succeeded.
            let is_stored = object.content.attempts.iter().any(|stored| stored.id == attempt.id);
            let locks = owner.filter(|_| target.is_locked_for_all() && counts.everywhere + 1 == FROM_EVERYWHERE);
            let reserved = |object| ReservedAttempt {
                id: attempt.id.clone(),
                object,
                locks,
            };
            if !is_stored {
                if self.is_locked_at(counts, target, owner, origin).await? {
                    return Ok(None);
                }
                if target.has_enough(counts) {
                    return Ok(Some(reserved(None)));
                }
                if !object.content.make_room(attempt.at) {
                    break;
                }
                object.content.attempts.push(attempt.clone());
            }
            let put = if is_stored {
                Ok(true)
            } else {
                self.put_attempts(&mut object).await
            };
            match put {
                Ok(true) => return Ok(Some(reserved(Some(object)))),
                Ok(false) => {}
                Err(error @ StoreError::Busy(_)) => failure = error.into(),
                // The next GET shows whether the attempt was stored.
                Err(StoreError::Unknown(_)) if !is_put_in_doubt => is_put_in_doubt = true,
                Err(error) => return Err(error.into()),
            }
            if lock.is_none() {
                lock = Some(self.lock_attempts(&key).await?);
            }
        }
        Err(failure)
    }

    /// Whether the target is locked for the client.
    ///
    /// # Errors
    /// 503 if the bucket does not respond.
    pub async fn is_locked(&self, target: &AttemptTarget, owner: Option<i64>, origin: AttemptOrigin) -> Result<bool> {
        let attempt = self.attempt(target, origin);
        let object = self.attempts_in(&key_of(&attempt.target)).await?;
        self.is_locked_at(object.content.counts(&attempt), target, owner, origin)
            .await
    }

    /// Whether a text is the check of a confirmation, or its code.
    ///
    /// # Errors
    /// The errors of [`Session::write`], which counts wrong codes.
    pub async fn is_check(&self, confirmation: &Confirmation, text: &str) -> Result<bool> {
        if !is_code(text) {
            return Ok(confirmation.check_matches(text));
        }
        let (uuid, code) = (confirmation.uuid, text.to_owned());
        self.write(move |db| Ok(confirmations::enter_code(db, uuid, &code)?))
            .await
    }

    /// Takes a successful attempt back. If the bucket does not respond, the attempt counts until it expires.
    pub async fn release_attempt(&self, reserved: ReservedAttempt) {
        if let Err(error) = self.try_release(reserved).await {
            tracing::warn!(
                error = error.code(),
                "a successful attempt could not be taken back and counts until it expires"
            );
        }
    }

    async fn try_release(&self, ReservedAttempt { id, object, .. }: ReservedAttempt) -> Result<()> {
        let Some(mut object) = object else { return Ok(()) };
        let key = object.key.clone();
        let mut lock = None;
        for _ in 0..MAX_TRIES {
            let before = object.content.attempts.len();
            object.content.attempts.retain(|attempt| attempt.id != id);
            if object.content.attempts.len() == before {
                return Ok(());
            }
            match self.put_attempts(&mut object).await {
                Ok(true) => return Ok(()),
                Ok(false) | Err(StoreError::Busy(_)) => {}
                Err(error) => return Err(error.into()),
            }
            if lock.is_none() {
                lock = Some(self.lock_attempts_for_release(&key).await);
            }
            object = self.attempts_in(&key).await?;
        }
        Err(Error::too_many(TOO_MANY, BUSY_RETRY_S))
    }

    async fn is_locked_at(
        &self,
        counts: Counts,
        target: &AttemptTarget,
        owner: Option<i64>,
        AttemptOrigin { client, now }: AttemptOrigin,
    ) -> Result<bool> {
        if counts.customer >= FROM_ONE_CUSTOMER || counts.site >= FROM_ONE_SITE {
            return Ok(true);
        }
        if !target.is_locked_for_all() || counts.everywhere < FROM_EVERYWHERE {
            return Ok(false);
        }
        let Some(owner) = owner else { return Ok(true) };
        let is_known = self.read(|db| Ok(known_networks::contains(db, owner, client, now)?));
        Ok(!is_known.await?)
    }

    /// Reads an object. A damaged object counts as empty and is replaced.
    async fn attempts_in(&self, key: &str) -> Result<AttemptObject> {
        let (condition, content) = match self.bucket().get(key, None).await {
            Ok(Fetched::Found(found)) => (PutCondition::Match(found.etag), AttemptList::read(key, &found.body)),
            Ok(Fetched::Missing | Fetched::NotModified { .. }) => (PutCondition::CreateOnly, AttemptList::default()),
            Err(StoreError::Damaged(error)) => {
                warn_of_damage(key, &error);
                (PutCondition::None, AttemptList::default())
            }
            Err(error) => return Err(error.into()),
        };
        Ok(AttemptObject {
            key: key.to_owned(),
            condition,
            content,
        })
    }

    /// Replaces an object. Returns `false` if another process has changed it in the meantime.
    async fn put_attempts(&self, object: &mut AttemptObject) -> std::result::Result<bool, StoreError> {
        let body = serde_json::to_vec(&object.content).map_err(|error| StoreError::Refused(error.to_string()))?;
        let put = self.bucket().put(&object.key, body.into(), object.condition.clone());
        match put.await {
            Ok(version) => {
                object.condition = PutCondition::Match(version);
                Ok(true)
            }
            Err(StoreError::PreconditionFailed) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn attempt(&self, target: &AttemptTarget, AttemptOrigin { client, now }: AttemptOrigin) -> Attempt {
        let index = BlindIndex::new(&self.config().keys.index);
        Attempt {
            target: target.hash(&index),
            id: self.random().hex::<ID_BYTES>(),
            customer: network_hash(&index, "customer", client.customer),
            site: network_hash(&index, "site", client.site),
            at: now.as_millis(),
        }
    }
}

impl AttemptList {
    /// Parses the body of an object. A damaged body counts as empty, because otherwise its targets could not sign in.
    fn read(key: &str, body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_else(|error| {
            warn_of_damage(key, &error);
            Self::default()
        })
    }

    /// Removes old attempts, and if that is not enough, all attempts that do not count now. Returns whether there is room for another attempt.
    fn make_room(&mut self, now: i64) -> bool {
        self.attempts
            .retain(|attempt| attempt.at.abs_diff(now) < REMOVAL_AGE_MS);
        if self.attempts.len() >= MAX_ATTEMPTS {
            self.attempts.retain(|attempt| attempt.counts_at(now));
        }
        self.attempts.len() < MAX_ATTEMPTS
    }

    /// Counts the other attempts at the target of `attempt`.
    fn counts(&self, attempt: &Attempt) -> Counts {
        let same = || {
            let others = self.attempts.iter().filter(|other| other.id != attempt.id);
            others.filter(|other| other.target == attempt.target && other.counts_at(attempt.at))
        };
        Counts {
            customer: same().filter(|other| other.customer == attempt.customer).count(),
            site: same().filter(|other| other.site == attempt.site).count(),
            everywhere: same().count(),
        }
    }
}

fn warn_of_damage(key: &str, error: &dyn std::fmt::Display) {
    tracing::warn!(key, %error, "this object is damaged; its sign-in attempts no longer count");
}

/// Returns the key of the object for the target with that hash.
fn key_of(target: &str) -> String {
    format!("{PREFIX}{}", &target[..OBJECT_DIGITS])
}

fn network_hash(index: &BlindIndex, kind: &str, address: std::net::IpAddr) -> String {
    hex::encode(&index.entry(kind, &address.to_string())[..NETWORK_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_attempt_keeps_its_field_names() {
        let stored = r#"{"attempts":[{"subject":"aa","id":"bb","customer":"cc","site":"dd","at":1}]}"#;
        let list = AttemptList::read("attempts/000", stored.as_bytes());
        assert_eq!(list.attempts.len(), 1);
        assert_eq!(serde_json::to_string(&list).unwrap(), stored);
    }
}
