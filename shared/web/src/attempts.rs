//! Attempts at passwords, codes and the checks of links that failed, or that have been reserved and may still fail.
//!
//! Attempts are counted in objects of the bucket and not in the database, so that a flood of them costs no commit. An attempt is stored, under a
//! condition on the version of its object, before the password is hashed or the code is compared; so attempts that run at the same time
//! count for each other, also in other processes. An attempt that was right is taken back. The number of objects is fixed: each has the attempts
//! at many subjects, and loses those that are a day old with its next change. Subjects and clients are stored as keyed hashes.
//!
//! The number of attempts at one subject is bounded, so that it cannot fill the object of others. An account has at most those that lock it
//! for all networks but the known ones, and ten for each known network; a name has no more than would lock an account.

use bespoke_core::{BlindIndex, ClientNetwork, Timestamp};
use bespoke_database::known_networks;
use bespoke_storage::{Fetched, PutCondition, StoreError};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::limits::TOO_MANY;
use crate::{Error, Result, Session};

/// How long an attempt counts, in milliseconds.
pub const WINDOW_MS: i64 = 15 * 60 * 1000;
/// How far the clock of another process may be ahead so that its attempts count, in milliseconds. Otherwise a clock that is a year ahead would lock
/// for a year.
const CLOCK_TOLERANCE_MS: i64 = 60 * 1000;
/// How far the time of an attempt may be from now until the attempt is removed, in milliseconds. It is longer than an attempt counts, because
/// a process whose clock is ahead must not remove attempts that count for the others.
const KEPT_MS: u64 = 24 * 60 * 60 * 1000;
/// Attempts from one network of a customer within [`WINDOW_MS`] that lock a subject for that network.
const FROM_ONE_CUSTOMER: usize = 10;
/// Attempts from one site (the /48 of IPv6) that lock a subject for that site.
const FROM_ONE_SITE: usize = 30;
/// Attempts from everywhere that lock a subject for all networks from which its owner has not signed in before.
const FROM_EVERYWHERE: usize = 100;

/// The beginning of the keys of the objects. The first digits of a subject's hash follow.
const PREFIX: &str = "attempts/";
/// Hexadecimal digits of a hash that choose the object: there are 4,096.
const OBJECT_DIGITS: usize = 3;
/// Most attempts in an object, about 75 KB. More come only from a flood that no password hash could keep up with.
const MAX_ATTEMPTS: usize = 500;
/// How often an attempt is stored again if another process has changed the object meanwhile.
const MAX_TRIES: usize = 16;
/// When a client may try again whose attempt could not be stored, in seconds.
const BUSY_RETRY_S: u64 = 1;
/// Bytes of the hash of a subject that are stored.
const SUBJECT_BYTES: usize = 16;
/// Bytes of the hash of a network that are stored.
const NETWORK_BYTES: usize = 8;
/// Bytes of the random id of an attempt.
const ID_BYTES: usize = 8;

/// The target of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A name as it was typed, cleaned, whether an account has it or not.
    Name(String),
    /// An account, under any of its names.
    Account(i64),
    /// Stands for the account if no account has that name, so that both cases do the same work.
    Nobody(String),
    /// The second factor of an account.
    SecondFactor(i64),
    /// The check of a link in a mail.
    Confirmation(Uuid),
}

impl Subject {
    /// A name is locked for single networks only: locked for all, it would tell that many try it.
    fn is_locked_for_all(&self) -> bool {
        !matches!(self, Self::Name(_))
    }

    /// Whether no further attempt has to be stored. So many attempts at a name have locked its account (or [`Subject::Nobody`]) for all, and
    /// those from known networks are counted there.
    fn has_enough(&self, counts: Counts) -> bool {
        !self.is_locked_for_all() && counts.everywhere >= FROM_EVERYWHERE
    }

    fn hash(&self, index: &BlindIndex) -> String {
        let text = match self {
            Self::Name(name) => format!("name {name}"),
            Self::Account(id) => format!("account {id}"),
            Self::Nobody(name) => format!("nobody {name}"),
            Self::SecondFactor(id) => format!("second factor {id}"),
            Self::Confirmation(uuid) => format!("confirmation {uuid}"),
        };
        hex::encode(&index.entry("attempt", &text)[..SUBJECT_BYTES])
    }
}

/// Origin and time of an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// Where it comes from.
    pub client: ClientNetwork,
    /// When.
    pub now: Timestamp,
}

/// An attempt as it is stored. Hashes are hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Attempt {
    subject: String,
    id: String,
    /// Hash of the customer's network.
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

/// The attempts of an object, and the condition under which they are stored.
#[derive(Debug, Clone)]
struct Object {
    key: String,
    condition: PutCondition,
    content: Content,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Content {
    attempts: Vec<Attempt>,
}

/// Attempts at one subject that count now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    customer: usize,
    site: usize,
    everywhere: usize,
}

/// An attempt that was counted. If it turns out to be right, [`Session::release_attempt`] takes it back.
#[derive(Debug, Clone)]
pub struct Reserved {
    id: String,
    /// The object with the attempt; `None` if the attempt did not have to be stored.
    object: Option<Object>,
    /// The account whose owner has to be told that this attempt locks it, or its second factor, for all if it fails.
    pub locks: Option<i64>,
}

impl Session {
    /// Counts an attempt at `subject`, which belongs to the account `owner`. `None` if the subject is locked: then even the right answer
    /// must not be looked at. Attempts at a locked subject are not counted, so they do not make the lock last longer.
    ///
    /// # Errors
    /// 429 if too many attempts run at the same time; 503 if the bucket does not respond.
    pub async fn reserve_attempt(
        &self,
        subject: &Subject,
        owner: Option<i64>,
        origin: Origin,
    ) -> Result<Option<Reserved>> {
        let attempt = self.attempt(subject, origin);
        let key = key_of(&attempt.subject);
        // Attempts of this process at the same object take turns once they have met.
        let (mut turn, mut in_doubt) = (None, false);
        let mut failure = Error::too_many(TOO_MANY, BUSY_RETRY_S);
        for _ in 0..MAX_TRIES {
            let mut object = self.attempts_in(&key).await?;
            let counts = object.content.counts(&attempt);
            let is_stored = object.content.attempts.iter().any(|stored| stored.id == attempt.id);
            let locks = owner.filter(|_| subject.is_locked_for_all() && counts.everywhere + 1 == FROM_EVERYWHERE);
            let reserved = |object| Reserved {
                id: attempt.id.clone(),
                object,
                locks,
            };
            if !is_stored {
                if self.is_locked_at(counts, subject, owner, origin).await? {
                    return Ok(None);
                }
                if subject.has_enough(counts) {
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
                // The attempt may have been stored: the object will tell.
                Err(StoreError::Unknown(_)) if !in_doubt => in_doubt = true,
                Err(error) => return Err(error.into()),
            }
            if turn.is_none() {
                turn = Some(self.attempt_turn(&key).await?);
            }
        }
        Err(failure)
    }

    /// Whether the subject is locked for that client.
    ///
    /// # Errors
    /// 503 if the bucket does not respond.
    pub async fn is_locked(&self, subject: &Subject, owner: Option<i64>, origin: Origin) -> Result<bool> {
        let attempt = self.attempt(subject, origin);
        let object = self.attempts_in(&key_of(&attempt.subject)).await?;
        self.is_locked_at(object.content.counts(&attempt), subject, owner, origin)
            .await
    }

    /// Takes an attempt back, because it was right. If the bucket does not respond, the attempt counts until it is old.
    pub async fn release_attempt(&self, reserved: Reserved) {
        if let Err(error) = self.try_release(reserved).await {
            tracing::warn!(
                error = error.code(),
                "an attempt that was right could not be taken back; it counts for a while"
            );
        }
    }

    async fn try_release(&self, Reserved { id, object, .. }: Reserved) -> Result<()> {
        let Some(mut object) = object else { return Ok(()) };
        let key = object.key.clone();
        let mut turn = None;
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
            if turn.is_none() {
                turn = Some(self.attempt_turn(&key).await?);
            }
            object = self.attempts_in(&key).await?;
        }
        Err(Error::too_many(TOO_MANY, BUSY_RETRY_S))
    }

    async fn is_locked_at(
        &self,
        counts: Counts,
        subject: &Subject,
        owner: Option<i64>,
        Origin { client, now }: Origin,
    ) -> Result<bool> {
        if counts.customer >= FROM_ONE_CUSTOMER || counts.site >= FROM_ONE_SITE {
            return Ok(true);
        }
        if !subject.is_locked_for_all() || counts.everywhere < FROM_EVERYWHERE {
            return Ok(false);
        }
        let Some(owner) = owner else { return Ok(true) };
        let is_known = self.read(|db| Ok(known_networks::contains(db, owner, client, now)?));
        Ok(!is_known.await?)
    }

    /// The attempts in an object. One that the bucket cannot read has none, and is replaced.
    async fn attempts_in(&self, key: &str) -> Result<Object> {
        let (condition, content) = match self.bucket().get(key, None).await {
            Ok(Fetched::Found(found)) => (PutCondition::Match(found.etag), Content::read(key, &found.body)),
            Ok(Fetched::Missing | Fetched::NotModified { .. }) => (PutCondition::CreateOnly, Content::default()),
            Err(StoreError::Damaged(error)) => {
                warn_of_damage(key, &error);
                (PutCondition::None, Content::default())
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Object {
            key: key.to_owned(),
            condition,
            content,
        })
    }

    /// Stores an object, unless another process has changed it; returns whether it is stored.
    async fn put_attempts(&self, object: &mut Object) -> std::result::Result<bool, StoreError> {
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

    fn attempt(&self, subject: &Subject, Origin { client, now }: Origin) -> Attempt {
        let index = BlindIndex::new(&self.config().keys.index);
        Attempt {
            subject: subject.hash(&index),
            id: self.random().hex::<ID_BYTES>(),
            customer: network_hash(&index, "customer", client.customer),
            site: network_hash(&index, "site", client.site),
            at: now.as_millis(),
        }
    }
}

impl Content {
    /// The content of a body. A damaged one counts as empty, because otherwise its subjects could not sign in.
    fn read(key: &str, body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_else(|error| {
            warn_of_damage(key, &error);
            Self::default()
        })
    }

    /// Removes old attempts, and all that do not count now if that does not suffice. Gives whether there is room for one more.
    fn make_room(&mut self, now: i64) -> bool {
        self.attempts.retain(|attempt| attempt.at.abs_diff(now) < KEPT_MS);
        if self.attempts.len() >= MAX_ATTEMPTS {
            self.attempts.retain(|attempt| attempt.counts_at(now));
        }
        self.attempts.len() < MAX_ATTEMPTS
    }

    /// The other attempts at the subject of `attempt` that count at its time, as its client is counted.
    fn counts(&self, attempt: &Attempt) -> Counts {
        let same = || {
            let others = self.attempts.iter().filter(|other| other.id != attempt.id);
            others.filter(|other| other.subject == attempt.subject && other.counts_at(attempt.at))
        };
        Counts {
            customer: same().filter(|other| other.customer == attempt.customer).count(),
            site: same().filter(|other| other.site == attempt.site).count(),
            everywhere: same().count(),
        }
    }
}

fn warn_of_damage(key: &str, error: &dyn std::fmt::Display) {
    tracing::warn!(key, %error, "the attempts in this object cannot be read; they no longer count");
}

/// The key of the object with the attempts at the subject of that hash.
fn key_of(subject: &str) -> String {
    format!("{PREFIX}{}", &subject[..OBJECT_DIGITS])
}

fn network_hash(index: &BlindIndex, kind: &str, address: std::net::IpAddr) -> String {
    hex::encode(&index.entry(kind, &address.to_string())[..NETWORK_BYTES])
}
