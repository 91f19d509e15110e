//! [`Caller`]: the extractor for routes that need a usable account.

use axum::extract::FromRequestParts;
use bespoke_core::Scope;
use bespoke_core::permission::Actor;
use bespoke_database::Db;
use bespoke_database::quota::{self, KeyQuota};
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::access_check::AccessCheck;
use super::audit::AuditEntry;
use super::identity::{AuthMethod, Identity};
use super::public::AccessGuard;
use super::quota::take_call;
use crate::access::Access;
use crate::limits::WriteCost;
use crate::response::{Error, Result};
use crate::state::{Context, Creation, Session};

/// A caller of level `LEVEL` or above with a usable account. Other calls do not reach the handler: the response is 401 without valid
/// credentials for a usable account, and 403 below the level.
#[derive(Debug)]
pub struct Caller<const LEVEL: u8> {
    identity: Identity,
    check: AccessCheck,
}

impl<const LEVEL: u8> Caller<LEVEL> {
    /// Writes on behalf of the caller, as [`Session::write`]. The transaction checks the credentials again, because the body may have taken
    /// long to arrive and the key may have been revoked in the meantime. `f` gets the account and the level of that moment.
    ///
    /// # Errors
    /// 401 and 403 if the credentials are no longer valid; 403 and 429 beyond a limit of the account; the errors of [`Session::write`].
    pub async fn write<T>(
        &self,
        session: &Session,
        f: impl Fn(&Db<'_>, Actor) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        self.write_at_cost(session, WriteCost::ordinary(session.take_object_bytes()), f)
            .await
    }

    /// Writes a change of credentials, status or consent, as [`Caller::write`]. Such a write may exceed the daily limit of written bytes by
    /// 100 percent, because it protects the account.
    ///
    /// # Errors
    /// The errors of [`Caller::write`].
    pub async fn protect<T>(
        &self,
        session: &Session,
        f: impl Fn(&Db<'_>, Actor) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        self.write_at_cost(session, WriteCost::protection(session.take_object_bytes()), f)
            .await
    }

    async fn write_at_cost<T>(
        &self,
        session: &Session,
        cost: WriteCost,
        f: impl Fn(&Db<'_>, Actor) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let (check, context) = (self.check.clone(), Context::clone(session));
        let write = move |db: &Db<'_>| {
            let actor = check.authorized_actor(LEVEL, db, &context)?;
            let limits = &context.config().account_limits;
            limits.enforce(db, actor.user_id, context.now(), cost, || f(db, actor))
        };
        session.write(write).await
    }

    /// Creates a record on behalf of the caller, as [`Caller::write`]. With an `Idempotency-Key`, a repeat of the request creates nothing and
    /// returns the value of the first request.
    ///
    /// # Errors
    /// The errors of [`Caller::write`]; 400 for a malformed key; 422 if another request used the same key.
    pub async fn create<T>(
        &self,
        session: &Session,
        make: impl Fn(&Db<'_>, Actor) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Creation<T>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let key = match self.identity.auth_method {
            AuthMethod::Token => None,
            AuthMethod::Key(uuid) => Some(uuid),
        };
        let account = self.identity.account_status.uuid;
        let request = session
            .idempotency()
            .by(account, key, self.identity.impersonator, session.database().index());
        let Some(request) = request? else {
            let value = self.write(session, make).await?;
            return Ok(Creation {
                value,
                is_repeat: false,
            });
        };
        let (check, context) = (self.check.clone(), Context::clone(session));
        let sealing_request = request.clone();
        let cost = WriteCost::ordinary(session.take_object_bytes());
        let write = session.commit(request.commit_id(), move |db| {
            let actor = check.authorized_actor(LEVEL, db, &context)?;
            let limits = &context.config().account_limits;
            let value = limits.enforce(db, actor.user_id, context.now(), cost, || make(db, actor))?;
            Ok(sealing_request.seal(value))
        });
        request.open(write.await?)
    }

    /// Records in the audit that the caller reads a private record of another account. Does nothing if `owner_id` is the caller. A handler
    /// calls it before it responds, so that every such response has an audit entry.
    ///
    /// # Errors
    /// 401 and 403 if the credentials are no longer valid; the errors of [`Session::write`].
    pub async fn record_read(&self, session: &Session, audit_entry: AuditEntry, owner_id: i64) -> Result<()> {
        if self.actor.user_id == owner_id {
            return Ok(());
        }
        let (check, context) = (self.check.clone(), Context::clone(session));
        let write = move |db: &Db<'_>| {
            let actor = check.authorized_actor(LEVEL, db, &context)?;
            audit_entry.record(db, actor)
        };
        session.write_on_any_route(write).await
    }

    /// Checks that the API key of the caller has `scope`, if the key is restricted to scopes. `set` is the set that the call reads.
    ///
    /// # Errors
    /// 403 with the missing scope.
    pub async fn require_scope(&self, session: &Session, scope: Scope, set: Option<Uuid>) -> Result<()> {
        let check = session.read(|db| self.check.require_scope(db, session, scope, set));
        check.await
    }
}

/// Whether the first transaction of the handler may confirm a call: the call is authorized, needs no reservation of its quota, and is not one
/// of an impersonator, whose calls are audited before the handler runs.
fn may_be_confirmed_later((identity, quota): &(Identity, Result<Option<(KeyQuota, u64)>>)) -> bool {
    let is_within_quota = match quota {
        Ok(None) => true,
        Ok(Some((quota, made))) => !quota::is_near(quota.calls, *made),
        Err(_) => false,
    };
    is_within_quota && identity.impersonator.is_none()
}

impl<const LEVEL: u8> std::ops::Deref for Caller<LEVEL> {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.identity
    }
}

impl<const LEVEL: u8> AccessGuard for Caller<LEVEL> {
    const ACCESS: Access = Access::Level(LEVEL);
}

impl<const LEVEL: u8> FromRequestParts<Context> for Caller<LEVEL> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self> {
        let now = context.now();
        let mut check = AccessCheck::of(parts, context, now)?;
        let session = Session::from_request_parts(parts, context).await?;
        let guess = check.reserve_guess(context)?;
        check.replace_imported(&session).await?;
        let lookup = |db: &Db<'_>| {
            let authenticated = check.authenticate(db, context, now)?;
            let quota = check
                .authorize(&authenticated, LEVEL, db)
                .and_then(|()| authenticated.quota(db, context, now));
            Ok((authenticated.identity, quota))
        };
        // A call that seems to be refused, or to need a reservation of its quota, is looked up again in the newest version.
        let unconfirmed = match check.writes_first {
            true => session
                .read_unconfirmed(lookup)
                .await
                .ok()
                .filter(may_be_confirmed_later),
            false => None,
        };
        let is_unconfirmed = unconfirmed.is_some();
        let found = match unconfirmed {
            Some(found) => Ok(found),
            None => session.read(lookup).await,
        };
        check.settle_guess(guess, &found, context);
        let (identity, quota) = found?;
        if is_unconfirmed {
            check.unconfirmed_quota = quota.as_ref().ok().and_then(|quota| quota.map(|(quota, _)| quota));
            let (check, context) = (check.clone(), context.clone());
            session.check_caller_later(move |db| check.authorized_actor(LEVEL, db, &context).map(|_| ()));
        }
        let quota_within_rate = quota.and_then(|quota| identity.limit(&session).map(|()| quota));
        let verdict = match quota_within_rate {
            Ok(Some(quota)) => take_call(quota, &session, now)
                .await
                .map(|state| session.add_limit_first(state)),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        // A refused call is counted, too, so `verdict` is returned only afterwards.
        identity.count(&session, verdict, now)?;
        session.set_account(identity.actor.user_id);
        session.record_impersonated_call(&identity, parts).await?;
        Ok(Self { identity, check })
    }
}
