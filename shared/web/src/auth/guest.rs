//! [`Guest`]: the extractor for routes that serve callers whose account may be unusable, for example because consent is missing.

use axum::extract::FromRequestParts;
use bespoke_core::Grant;
use bespoke_core::entity::user::{Unusable, User};
use bespoke_core::permission::Actor;
use bespoke_database::Db;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::access_check::{AccessCheck, require_level, unauthenticated};
use super::identity::Identity;
use super::public::AccessGuard;
use crate::access::Access;
use crate::limits::WriteCost;
use crate::response::{Error, Result};
use crate::state::{Context, Session};

/// A caller with a valid token, whose account may be unusable (without consent, inactive, disabled or blocked). The handler decides with
/// [`Guest::check_level`] or [`Guest::check_usable`] whether it accepts the call.
#[derive(Debug)]
pub struct Guest<const LEVEL: u8> {
    identity: Identity,
    check: AccessCheck,
    verdict: Result<()>,
}

impl<const LEVEL: u8> Guest<LEVEL> {
    /// Accepts a caller of level `LEVEL` or above, also if its account is unusable.
    ///
    /// # Errors
    /// 403 below the level; 429 if a rate limit is used up.
    pub fn check_level(&self) -> Result<()> {
        self.verdict.clone()
    }

    /// Accepts a caller of level `LEVEL` or above if its account is usable. The account is checked before the level, because a blocked role
    /// has no level and the caller should get the reason.
    ///
    /// # Errors
    /// The result of `explain` if the account is unusable; otherwise those of [`Guest::check_level`].
    pub fn check_usable(&self, explain: impl FnOnce(Unusable) -> Error) -> Result<()> {
        self.identity.account_status.usable().map_err(explain)?;
        self.check_level()
    }

    /// Writes on behalf of the caller, as [`Caller::write`](super::Caller::write). The transaction checks the token and the level again.
    ///
    /// # Errors
    /// The errors of [`Caller::write`](super::Caller::write).
    pub async fn write<T>(
        &self,
        session: &Session,
        f: impl Fn(&Db<'_>, Actor) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let (check, context) = (self.check.clone(), Context::clone(session));
        session
            .write(move |db| {
                let actor = check.authenticate(db, &context, context.now())?.identity.actor;
                require_level(actor.level, LEVEL)?;
                let limits = &context.config().account_limits;
                limits.enforce(db, actor.user_id, context.now(), WriteCost::protection(0), || {
                    f(db, actor)
                })
            })
            .await
    }

    /// Returns a token that replaces the token of the caller and contains the present state of the account.
    ///
    /// # Errors
    /// 401 for a caller without a token.
    pub fn renew_token(&self, user: &User, session: &Session) -> Result<String> {
        let of = self.check.claims().ok_or_else(unauthenticated)?;
        Ok(session
            .tokens()
            .issue(user.into(), Grant::Renewal { of }, session.now()))
    }
}

impl<const LEVEL: u8> std::ops::Deref for Guest<LEVEL> {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.identity
    }
}

impl<const LEVEL: u8> AccessGuard for Guest<LEVEL> {
    const ACCESS: Access = Access::Guest(LEVEL);
}

impl<const LEVEL: u8> FromRequestParts<Context> for Guest<LEVEL> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self> {
        let now = context.now();
        let check = AccessCheck::of(parts, context, now)?;
        let session = Session::from_request_parts(parts, context).await?;
        let identity = session
            .read(|db| Ok(check.authenticate(db, context, now)?.identity))
            .await?;
        let verdict = require_level(identity.actor.level, LEVEL).and_then(|()| identity.limit(&session));
        let verdict = identity.count(&session, verdict, now);
        session.set_account(identity.actor.user_id);
        if verdict.is_ok() {
            session.record_impersonated_call(&identity, parts).await?;
        }
        Ok(Self {
            identity,
            check,
            verdict,
        })
    }
}
