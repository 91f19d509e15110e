//! What proves who calls, and what of it still holds.

use std::net::IpAddr;
use std::sync::Arc;

use bespoke_core::entity::api_key::DEMO_KEY;
use bespoke_core::entity::user::Standing;
use bespoke_core::permission::Actor;
use bespoke_core::{Claims, ClientNetwork, EntityId, KeySecret, Level, Scope, Scopes, Timestamp};
use bespoke_database::api_keys::Credential;
use bespoke_database::quota::{self, KeyQuota};
use bespoke_database::usage::{self, Call};
use bespoke_database::{Db, api_keys, sets, users};
use http::StatusCode;
use http::request::Parts;
use uuid::Uuid;

use super::credentials::{KeyCredentials, bearer, key_credentials};
use super::{Identity, Via};
use crate::limits::{Guess, Left, Subject, quota_exceeded};
use crate::routes::Terms;
use crate::{ClientIp, Context, Error, NeededScopes, Params, Result, Scheme, Session};

/// Everything about a call that decides whether it may go on, after the part that needs no database.
#[derive(Debug, Clone)]
pub(super) struct Proof {
    credentials: Credentials,
    client: Option<IpAddr>,
    needed: NeededScopes,
    /// The `{id}` of the path.
    record: Option<EntityId>,
}

#[derive(Debug, Clone)]
enum Credentials {
    Token(Claims),
    Key { id: Uuid, secret: KeySecret },
}

/// Somebody who is known, and may be refused all the same.
pub(super) struct Known {
    pub(super) identity: Identity,
    /// The limits of the API key.
    key: Option<Arc<Credential>>,
    /// Whether token or key can be used now.
    usable: Result<()>,
}

pub(super) fn refused() -> Error {
    Error::unauthorized("unauthorized")
}

pub(super) fn require(level: Level, required: u8) -> Result<()> {
    if level.number() >= required {
        Ok(())
    } else {
        Err(Error::forbidden("insufficientAccessLevel"))
    }
}

impl Proof {
    pub(super) fn of(parts: &Parts, context: &Context, now: Timestamp) -> Result<Self> {
        let terms = parts.extensions.get::<Terms>();
        let credentials = match terms.and_then(|terms| terms.scheme) {
            Some(Scheme::Jwt) => {
                let token = bearer(&parts.headers).ok_or_else(refused)?;
                context
                    .tokens()
                    .verify(token, now)
                    .map(Credentials::Token)
                    .map_err(|_| refused())?
            }
            Some(Scheme::Key) => {
                // A mistyped secret is refused here, without a look at the database.
                let KeyCredentials { id, secret } = key_credentials(&parts.headers)?;
                if id == DEMO_KEY && !context.config().demo_key {
                    return Err(refused());
                }
                Credentials::Key { id, secret }
            }
            None => return Err(Error::internal("a route for callers without an authentication scheme")),
        };
        let record = parts.extensions.get::<Params>();
        Ok(Self {
            credentials,
            client: parts.extensions.get::<ClientIp>().map(|client| client.0),
            needed: terms.and_then(|terms| terms.scopes),
            record: record.and_then(|params| EntityId::parse(params.get("id"))),
        })
    }

    /// The claims of the caller's token; `None` for an API key.
    pub(super) fn claims(&self) -> Option<&Claims> {
        match &self.credentials {
            Credentials::Token(claims) => Some(claims),
            Credentials::Key { .. } => None,
        }
    }

    /// Counts a call with an API key that may be wrong.
    ///
    /// # Errors
    /// 429 when the network of the client has sent too many wrong keys.
    pub(super) fn reserve_guess(&self, context: &Context) -> Result<Option<Guess>> {
        match (&self.credentials, self.client, context.limits()) {
            (Credentials::Key { id, secret }, Some(client), Some(limits)) => {
                limits.guesses.reserve(*id, secret, ClientNetwork::of(client))
            }
            _ => Ok(None),
        }
    }

    /// Settles the count of such a call by its result.
    pub(super) fn settle_guess<T>(&self, guess: Option<Guess>, result: &Result<T>, context: &Context) {
        let (Credentials::Key { id, secret }, Some(limits)) = (&self.credentials, context.limits()) else {
            return;
        };
        match result {
            Ok(_) => limits.guesses.key_is_right(*id, secret, guess),
            Err(error) if error.status() == StatusCode::UNAUTHORIZED => limits.guesses.key_is_wrong(*id, secret),
            Err(_) => limits.guesses.guess_is_open(guess),
        }
    }

    /// Replaces what was moved in for the secret of an API key by its digest, at its first use. Costs nothing for a key that
    /// is unknown or was replaced, and one hash of the kind of passwords for a wrong secret, of which an address has few.
    pub(super) async fn replace_imported(&self, session: &Session) -> Result<()> {
        let (id, secret) = match &self.credentials {
            Credentials::Key { id, secret } if secret.is_imported() => (*id, secret.clone()),
            _ => return Ok(()),
        };
        let hashes = session.read(|db| Ok(api_keys::imported_hashes(db, id)?)).await?;
        if hashes.is_empty() {
            return Ok(());
        }
        if let Some(client) = self.client {
            session.limit(Subject::Stranger(ClientNetwork::of(client)))?;
        }
        let digest = secret.digest();
        let verify = session.compute(move |_| hashes.into_iter().find(|hash| hash.verify(secret.expose())));
        if let Some(hash) = verify.await? {
            let replace = session.write_on_any_route(move |db| Ok(api_keys::replace_imported(db, id, &hash, &digest)?));
            replace.await?;
        }
        Ok(())
    }

    /// Who that is, as the database has it now.
    pub(super) fn known(&self, db: &Db<'_>, context: &Context, now: Timestamp) -> Result<Known> {
        match &self.credentials {
            Credentials::Token(claims) => by_token(claims, db, now),
            Credentials::Key { id, secret } => self.by_key(*id, secret, db, context, now),
        }
    }

    fn by_key(&self, id: Uuid, secret: &KeySecret, db: &Db<'_>, context: &Context, now: Timestamp) -> Result<Known> {
        let Some(credential) = api_keys::credential(db, id)? else {
            let was_revoked = api_keys::was_revoked(db, id, secret)?;
            return Err(if was_revoked { revoked() } else { refused() });
        };
        let is_current = credential.secret.matches(secret);
        let old = credential.old_secret.as_ref();
        let grace_until = old
            .filter(|(old, _)| !is_current && old.matches(secret))
            .map(|(_, until)| *until);
        if !(is_current || grace_until.is_some()) || credential.instance != context.config().instance {
            return Err(refused());
        }
        // From here on the caller holds the secret, so it may be told why the key is refused.
        let usable = if grace_until.is_some_and(|until| now >= until) {
            Err(revoked())
        } else if now >= credential.expires_at {
            Err(Error::unauthorized("keyExpired"))
        } else if !self.comes_from(&credential) {
            Err(Error::forbidden("addressNotAllowed"))
        } else {
            Ok(())
        };
        let standing = credential.owner.clone();
        let actor = Actor {
            user_id: standing.id,
            level: Actor::key_level(credential.level, &standing.role),
            restricted: credential.scopes.is_some() || credential.cidr.is_some(),
        };
        Ok(Known {
            identity: Identity {
                actor,
                standing,
                via: Via::Key(id),
                impersonator: None,
            },
            key: Some(credential),
            usable,
        })
    }

    fn comes_from(&self, credential: &Credential) -> bool {
        let allowed = credential.cidr.as_ref();
        allowed.is_none_or(|networks| self.client.is_some_and(|client| networks.contain(client)))
    }

    /// The scope that the key lacks for this call.
    fn missing_scope(&self, credential: &Credential, db: &Db<'_>) -> Result<()> {
        let Some(scopes) = &credential.scopes else {
            return Ok(());
        };
        let needed = self.needed.ok_or_else(|| Error::lacks_scope(None))?;
        let set = match self.record {
            Some(record) if needed.contains(&Scope::SetsRead) && scopes.has_single_sets() => sets::uuid_of(db, record)?,
            _ => None,
        };
        check_scopes(scopes, needed, set)
    }

    /// Lets the caller go on unless its API key has scopes and lacks `scope`. `set` is the set that is read.
    pub(super) fn require_scope(&self, db: &Db<'_>, context: &Context, scope: Scope, set: Option<Uuid>) -> Result<()> {
        let known = self.known(db, context, context.now())?;
        let scopes = known.key.as_ref().and_then(|key| key.scopes.as_ref());
        scopes.map_or(Ok(()), |scopes| check_scopes(scopes, &[scope], set))
    }

    /// Who acts, where that may be at a route of that level now.
    pub(super) fn actor(&self, level: u8, db: &Db<'_>, context: &Context) -> Result<Actor> {
        let known = self.known(db, context, context.now())?;
        self.admit(&known, level, db)?;
        Ok(known.identity.actor)
    }

    /// Whether whoever it is may call a route of that level now.
    pub(super) fn admit(&self, known: &Known, level: u8, db: &Db<'_>) -> Result<()> {
        known.usable.clone()?;
        known.identity.standing.usable().map_err(|_| refused())?;
        require(known.identity.actor.level, level)?;
        known.key.as_ref().map_or(Ok(()), |key| self.missing_scope(key, db))
    }
}

fn check_scopes(scopes: &Scopes, needed: &[Scope], set: Option<Uuid>) -> Result<()> {
    match scopes.missing(needed, set) {
        None => Ok(()),
        missing => Err(Error::lacks_scope(missing)),
    }
}

fn revoked() -> Error {
    Error::unauthorized("keyRevoked")
}

fn by_token(claims: &Claims, db: &Db<'_>, now: Timestamp) -> Result<Known> {
    if claims.exp <= now.as_seconds() {
        return Err(refused());
    }
    let standing = users::standing(db, claims.id)?.ok_or_else(refused)?;
    if claims.sub.is_some_and(|uuid| uuid != standing.uuid) {
        return Err(refused());
    }
    if claims.iat < standing.tokens_from.as_seconds() {
        return Err(refused());
    }
    if let Some(impersonator) = claims.impersonator {
        still_impersonates(impersonator, &standing, db)?;
    }
    // The role is that of now, not that in the token (defect D35).
    let actor = Actor {
        user_id: standing.id,
        level: match claims.impersonator {
            None => standing.role.level(),
            Some(_) => Actor::acting_level(&standing.role),
        },
        restricted: false,
    };
    Ok(Known {
        identity: Identity {
            actor,
            standing: Standing::clone(&standing),
            via: Via::Token,
            impersonator: claims.impersonator,
        },
        key: None,
        usable: Ok(()),
    })
}

/// Whoever acts as another account has to be somebody who may, also now.
fn still_impersonates(impersonator: i64, target: &Standing, db: &Db<'_>) -> Result<()> {
    let standing = users::standing(db, impersonator)?.ok_or_else(refused)?;
    standing.usable().map_err(|_| refused())?;
    let actor = Actor {
        user_id: standing.id,
        level: standing.role.level(),
        restricted: false,
    };
    actor.may_impersonate(&target.role).map_err(|_| refused())
}

impl Known {
    /// The quota of the key, and the calls of this day that are known; `None` for a token, and if nothing is limited.
    pub(super) fn quota(&self, db: &Db<'_>, context: &Context, now: Timestamp) -> Result<Option<(KeyQuota, u64)>> {
        let (Some(credential), Via::Key(key), true) = (&self.key, self.identity.via, context.limits().is_some()) else {
            return Ok(None);
        };
        let quota = KeyQuota {
            user_id: self.identity.actor.user_id,
            key,
            calls: credential.quota.map_or(context.config().key_quota, u64::from),
        };
        Ok(Some((quota, quota::made(db, &quota, now)?)))
    }
}

/// Takes a call out of the quota of a key, of which `made` calls are known.
///
/// # Errors
/// 429 when it is used up.
pub(super) async fn take_call((quota, made): (KeyQuota, u64), session: &Session, now: Timestamp) -> Result<Left> {
    let database = session.database();
    let of_day = |remaining| Left::of_day(quota.calls, remaining, now);
    let counted = database.calls_in_memory(quota.user_id, quota.key, usage::day_of(now));
    let known = made + counted.unsigned_abs();
    if !quota::is_near(quota.calls, known) {
        return Ok(of_day(quota.calls - known - 1));
    }
    if let Some(remaining) = database.take_reserved_call(&quota, now) {
        return Ok(of_day(remaining));
    }
    if made >= quota.calls {
        return Err(quota_exceeded(now));
    }
    let request = database.reservation(quota, now);
    match session
        .write_on_any_route(move |db| Ok(quota::reserve(db, request)?))
        .await
    {
        Ok(granted) => {
            let remaining = database.reserved(request, granted);
            remaining.map(of_day).ok_or_else(|| quota_exceeded(now))
        }
        // Reads go on while the bucket takes no writes.
        Err(error) if error.status().is_server_error() => {
            tracing::warn!(code = error.code(), "a call is served without a reservation");
            Ok(of_day(quota.calls - made - 1))
        }
        Err(error) => Err(error),
    }
}

impl Identity {
    fn key(&self) -> Option<Uuid> {
        match self.via {
            Via::Token => None,
            Via::Key(uuid) => Some(uuid),
        }
    }

    /// Takes a call out of the limits of the caller.
    ///
    /// # Errors
    /// 429
    pub(super) fn limit(&self, session: &Session) -> Result<()> {
        self.key().map_or(Ok(()), |uuid| session.limit(Subject::Key(uuid)))?;
        session.limit(Subject::Account(self.actor.user_id))
    }

    /// Counts the call under its verdict, and gives that on.
    ///
    /// # Errors
    /// The verdict's.
    pub(super) fn count(&self, session: &Session, verdict: Result<()>, now: Timestamp) -> Result<()> {
        session.database().count(Call {
            // Somebody else's acts are no activity of the account.
            user_id: self.impersonator.unwrap_or(self.actor.user_id),
            key: self.key(),
            refused: verdict.is_err(),
            at: now,
        });
        verdict
    }
}
