//! [`AccessCheck`]: verifies the credentials of a call, first without the database, then against the current rows of the account and the
//! API key.

use std::net::IpAddr;
use std::sync::Arc;

use bespoke_core::entity::api_key::DEMO_KEY;
use bespoke_core::entity::user::AccountStatus;
use bespoke_core::permission::Actor;
use bespoke_core::{Claims, ClientNetwork, EntityId, KeySecret, Level, Scope, Scopes, Timestamp};
use bespoke_database::api_keys::Credential;
use bespoke_database::quota::{self, KeyQuota};
use bespoke_database::{Db, api_keys, sets, users};
use http::StatusCode;
use http::request::Parts;
use uuid::Uuid;

use super::credentials::{KeyCredentials, bearer, key_credentials};
use super::identity::{AuthMethod, Identity};
use crate::access::{AccessRules, NeededScopes, Scheme};
use crate::client::ClientIp;
use crate::limits::{CountedGuess, RateSubject, quota_exceeded};
use crate::request::Params;
use crate::response::{Error, Result};
use crate::state::{Context, Session};

/// The credentials of a call, verified as far as that needs no database, and the facts that authorization depends on. A transaction verifies
/// the rest with [`AccessCheck::authenticate`] and [`AccessCheck::authorize`], possibly several times for one call.
#[derive(Debug, Clone)]
pub(super) struct AccessCheck {
    credentials: Credentials,
    client: Option<IpAddr>,
    /// The scopes that the route requires.
    needed: NeededScopes,
    /// The record that the `{id}` of the path names.
    record: Option<EntityId>,
    /// Whether the first access of the handler to the database is a write, whose transaction checks the credentials.
    pub(super) writes_first: bool,
    /// The daily quota of the key if the call was counted on a local copy that may be outdated, so that a transaction must check it again.
    pub(super) unconfirmed_quota: Option<KeyQuota>,
}

#[derive(Debug, Clone)]
enum Credentials {
    Token(Claims),
    Key { id: Uuid, secret: KeySecret },
}

/// An authenticated caller, which may still lack authorization.
pub(super) struct Authenticated {
    pub(super) identity: Identity,
    /// The limits of the API key.
    pub(super) key: Option<Arc<Credential>>,
    /// Whether the token or the key is usable now: not expired, not rotated out, and sent from an allowed address.
    usable: Result<()>,
}

/// 401 without a reason, because the caller has not proved that it holds the secret.
pub(super) fn unauthenticated() -> Error {
    Error::unauthorized("unauthorized")
}

/// # Errors
/// 403 if `level` is below `required`.
pub(super) fn require_level(level: Level, required: u8) -> Result<()> {
    if level.number() >= required {
        Ok(())
    } else {
        Err(Error::forbidden("insufficientAccessLevel"))
    }
}

impl AccessCheck {
    /// Parses the credentials of the scheme that the route requires, and verifies the signature of a token.
    ///
    /// # Errors
    /// 400 and 401 for missing, malformed or forged credentials.
    pub(super) fn of(parts: &Parts, context: &Context, now: Timestamp) -> Result<Self> {
        let rules = parts.extensions.get::<AccessRules>();
        let credentials = match rules.and_then(|rules| rules.scheme) {
            Some(Scheme::Jwt) => {
                let token = bearer(&parts.headers).ok_or_else(unauthenticated)?;
                context
                    .tokens()
                    .verify(token, now)
                    .map(Credentials::Token)
                    .map_err(|_| unauthenticated())?
            }
            Some(Scheme::Key) => {
                // The checksum of the secret rejects typing errors here, without a query.
                let KeyCredentials { id, secret } = key_credentials(&parts.headers)?;
                if id == DEMO_KEY && !context.config().demo_key {
                    return Err(unauthenticated());
                }
                Credentials::Key { id, secret }
            }
            None => return Err(Error::internal("a route for callers without an authentication scheme")),
        };
        let record = parts.extensions.get::<Params>();
        Ok(Self {
            credentials,
            client: parts.extensions.get::<ClientIp>().map(|client| client.0),
            needed: rules.and_then(|rules| rules.scopes),
            record: record.and_then(|params| EntityId::parse(params.get("id"))),
            writes_first: rules.is_some_and(|rules| rules.writes_first),
            unconfirmed_quota: None,
        })
    }

    /// Returns the claims of the token; `None` for an API key.
    pub(super) fn claims(&self) -> Option<&Claims> {
        match &self.credentials {
            Credentials::Token(claims) => Some(claims),
            Credentials::Key { .. } => None,
        }
    }

    /// Counts the call as a wrong API key until its result is known.
    ///
    /// # Errors
    /// 429 if the network of the client has sent too many wrong keys.
    pub(super) fn reserve_guess(&self, context: &Context) -> Result<Option<CountedGuess>> {
        match (&self.credentials, self.client, context.limits()) {
            (Credentials::Key { id, secret }, Some(client), Some(limits)) => {
                limits.guesses.reserve(*id, secret, ClientNetwork::of(client))
            }
            _ => Ok(None),
        }
    }

    /// Takes the counted call back if the key turned out to be right, or if its check did not finish.
    pub(super) fn settle_guess<T>(&self, guess: Option<CountedGuess>, result: &Result<T>, context: &Context) {
        let (Credentials::Key { id, secret }, Some(limits)) = (&self.credentials, context.limits()) else {
            return;
        };
        match result {
            Ok(_) => limits.guesses.accept(*id, secret, guess),
            Err(error) if error.status() == StatusCode::UNAUTHORIZED => limits.guesses.reject(*id, secret),
            Err(_) => limits.guesses.cancel(guess),
        }
    }

    /// Replaces the imported password hash of an API key by the digest of its secret, when the key is used for the first time. A wrong secret
    /// costs a slow password hash, so the rate limit of the client's network counts these calls.
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
            session.limit(RateSubject::NetworkWrites(ClientNetwork::of(client)))?;
        }
        let digest = secret.digest();
        let verify = session.compute(move |_| hashes.into_iter().find(|hash| hash.verify(secret.expose())));
        if let Some(hash) = verify.await? {
            let replace = session.write_on_any_route(move |db| Ok(api_keys::replace_imported(db, id, &hash, &digest)?));
            replace.await?;
        }
        Ok(())
    }

    /// Looks up the account and the key.
    ///
    /// # Errors
    /// 401 if the credentials are wrong or revoked.
    pub(super) fn authenticate(&self, db: &Db<'_>, context: &Context, now: Timestamp) -> Result<Authenticated> {
        match &self.credentials {
            Credentials::Token(claims) => by_token(claims, db, now),
            Credentials::Key { id, secret } => self.by_key(*id, secret, db, context, now),
        }
    }

    fn by_key(
        &self,
        id: Uuid,
        secret: &KeySecret,
        db: &Db<'_>,
        context: &Context,
        now: Timestamp,
    ) -> Result<Authenticated> {
        let Some(credential) = api_keys::credential(db, id)? else {
            let was_revoked = api_keys::was_revoked(db, id, secret)?;
            return Err(if was_revoked { revoked() } else { unauthenticated() });
        };
        let is_current = credential.secret.matches(secret);
        // The end of the grace period, if the caller uses the secret before the last rotation.
        let old_secret = credential.old_secret.as_ref();
        let grace_until = old_secret
            .filter(|(old, _)| !is_current && old.matches(secret))
            .map(|(_, until)| *until);
        if !(is_current || grace_until.is_some()) || credential.instance != context.config().instance {
            return Err(unauthenticated());
        }
        // The caller holds the secret, so from here on the response may contain the reason.
        let usable = if grace_until.is_some_and(|until| now >= until) {
            Err(revoked())
        } else if now >= credential.expires_at {
            Err(Error::unauthorized("keyExpired"))
        } else if !self.comes_from(&credential) {
            Err(Error::forbidden("addressNotAllowed"))
        } else {
            Ok(())
        };
        let account_status = credential.owner.clone();
        let actor = Actor {
            user_id: account_status.id,
            level: Actor::key_level(credential.level, &account_status.role),
            restricted: credential.scopes.is_some() || credential.cidr.is_some(),
        };
        Ok(Authenticated {
            identity: Identity {
                actor,
                account_status,
                auth_method: AuthMethod::Key(id),
                impersonator: None,
            },
            key: Some(credential),
            usable,
        })
    }

    fn comes_from(&self, credential: &Credential) -> bool {
        let allowed = credential.cidr.as_ref();
        let client = self.client.filter(|client| *client != ClientIp::UNKNOWN.0);
        allowed.is_none_or(|networks| client.is_some_and(|client| networks.contain(client)))
    }

    /// # Errors
    /// 403 if the key is restricted to scopes and lacks one that the route requires.
    fn check_route_scopes(&self, credential: &Credential, db: &Db<'_>) -> Result<()> {
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

    /// Checks that the API key has `scope`, if it is restricted to scopes. `set` is the set that the call reads.
    ///
    /// # Errors
    /// 401 if the credentials are wrong; 403 with the missing scope.
    pub(super) fn require_scope(&self, db: &Db<'_>, context: &Context, scope: Scope, set: Option<Uuid>) -> Result<()> {
        let authenticated = self.authenticate(db, context, context.now())?;
        let scopes = authenticated.key.as_ref().and_then(|key| key.scopes.as_ref());
        scopes.map_or(Ok(()), |scopes| check_scopes(scopes, &[scope], set))
    }

    /// Authenticates and authorizes the call in one step, for a route of that level.
    ///
    /// # Errors
    /// The errors of [`AccessCheck::authenticate`] and [`AccessCheck::authorize`]; 429 if the quota turns out to be used up.
    pub(super) fn authorized_actor(&self, level: u8, db: &Db<'_>, context: &Context) -> Result<Actor> {
        let now = context.now();
        let authenticated = self.authenticate(db, context, now)?;
        self.authorize(&authenticated, level, db)?;
        if let Some(quota) = &self.unconfirmed_quota
            && quota::made(db, quota, now)? >= quota.calls
        {
            return Err(quota_exceeded(now));
        }
        Ok(authenticated.identity.actor)
    }

    /// Authorizes an authenticated caller for a route of that level.
    ///
    /// # Errors
    /// 401 if the account, the token or the key is unusable; 403 below the level, without a required scope, or from another address.
    pub(super) fn authorize(&self, authenticated: &Authenticated, level: u8, db: &Db<'_>) -> Result<()> {
        authenticated.usable.clone()?;
        authenticated
            .identity
            .account_status
            .usable()
            .map_err(|_| unauthenticated())?;
        require_level(authenticated.identity.actor.level, level)?;
        authenticated
            .key
            .as_ref()
            .map_or(Ok(()), |key| self.check_route_scopes(key, db))
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

fn by_token(claims: &Claims, db: &Db<'_>, now: Timestamp) -> Result<Authenticated> {
    if claims.exp <= now.as_seconds() {
        return Err(unauthenticated());
    }
    let account_status = users::account_status(db, claims.id)?.ok_or_else(unauthenticated)?;
    if claims.sub.is_some_and(|uuid| uuid != account_status.uuid) {
        return Err(unauthenticated());
    }
    if claims.iat < account_status.tokens_from.as_seconds() {
        return Err(unauthenticated());
    }
    if let Some(impersonator) = claims.impersonator {
        still_impersonates(impersonator, &account_status, db)?;
    }
    // The level follows the present role of the account. The role in the token may be outdated.
    let actor = Actor {
        user_id: account_status.id,
        level: match claims.impersonator {
            None => account_status.role.level(),
            Some(_) => Actor::impersonation_level(&account_status.role),
        },
        restricted: false,
    };
    Ok(Authenticated {
        identity: Identity {
            actor,
            account_status: AccountStatus::clone(&account_status),
            auth_method: AuthMethod::Token,
            impersonator: claims.impersonator,
        },
        key: None,
        usable: Ok(()),
    })
}

/// Checks that the impersonator of a token may still impersonate the account.
fn still_impersonates(impersonator: i64, target: &AccountStatus, db: &Db<'_>) -> Result<()> {
    let account_status = users::account_status(db, impersonator)?.ok_or_else(unauthenticated)?;
    account_status.usable().map_err(|_| unauthenticated())?;
    let actor = Actor {
        user_id: account_status.id,
        level: account_status.role.level(),
        restricted: false,
    };
    actor.may_impersonate(&target.role).map_err(|_| unauthenticated())
}
