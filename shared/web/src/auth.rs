//! Who calls: the first argument of every handler.

mod credentials;
mod proof;

use axum::extract::FromRequestParts;
use bespoke_core::entity::user::{Standing, Unusable, User};
use bespoke_core::permission::Actor;
use bespoke_core::{Grant, Scope};
use bespoke_database::Db;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::idempotency::Made;
use crate::limits::WriteCost;
use crate::{Context, Error, Result, Session, Witness};
use proof::{Proof, refused, require, take_call};

/// The levels as numbers, for [`Caller`] and [`Guest`].
pub mod level {
    use bespoke_core::Level;

    /// No level is needed, only an account.
    pub const READ_NONE: u8 = Level::READ_NONE.number();
    /// Reads one's own.
    pub const READ_SOME: u8 = Level::READ_SOME.number();
    /// Reads all of one's own.
    pub const READ_ONLY: u8 = Level::READ_ONLY.number();
    /// Writes one's own.
    pub const WRITE_SOME: u8 = Level::WRITE_SOME.number();
    /// Everything a user may do.
    pub const USER: u8 = Level::USER.number();
    /// Looks after curated sets and option packs.
    pub const CURATOR: u8 = Level::CURATOR.number();
    /// Helps users.
    pub const SUPPORT: u8 = Level::SUPPORT.number();
    /// Changes other people's data.
    pub const ADMIN: u8 = Level::ADMIN.number();
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Whoever has a valid token of that level or more, also when the account cannot be used.
    Guest(u8),
    /// Whoever has a valid token or API key of that level or more, for an account that can be used.
    Level(u8),
}

/// How a call proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// By a token.
    Token,
    /// By the API key of that UUID.
    Key(Uuid),
}

/// Who calls.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Who acts, at which level.
    pub actor: Actor,
    /// The account.
    pub standing: Standing,
    /// How that was proved.
    pub via: Via,
    /// Integer id of the account that acts as this one, if the token is one of impersonation.
    pub impersonator: Option<i64>,
}

/// A caller of level `LEVEL` or more; the rest is answered before the handler runs: 401 without valid credentials for
/// an account that can be used, 403 below the level.
#[derive(Debug)]
pub struct Caller<const LEVEL: u8> {
    identity: Identity,
    proof: Proof,
}

impl<const LEVEL: u8> Caller<LEVEL> {
    /// Writes on behalf of the caller, who is looked at once more in the same transaction: between the first look and
    /// the write lies the time that the body took to arrive, and the key may have ended meanwhile. `f` gets who acts,
    /// at the level of that moment; otherwise as [`Session::write`].
    ///
    /// # Errors
    /// 401 and 403 as before the handler; 403 and 429 beyond a limit of the account; those of [`Session::write`].
    pub async fn write<T>(
        &self,
        session: &Session,
        f: impl Fn(&Db<'_>, Actor) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        self.write_at_cost(session, WriteCost::data(session.take_object_bytes()), f)
            .await
    }

    /// Writes a change of credentials, status or consent, as [`Caller::write`]. It may pass the limit of the written bytes of a day by as
    /// much again, because it protects the account.
    ///
    /// # Errors
    /// Those of [`Caller::write`].
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
        let (proof, context) = (self.proof.clone(), Context::clone(session));
        let write = move |db: &Db<'_>| {
            let actor = proof.actor(LEVEL, db, &context)?;
            let limits = &context.config().account_limits;
            limits.hold(db, actor.user_id, context.now(), cost, || f(db, actor))
        };
        session.write(write).await
    }

    /// Writes an entry of the audit for a read.
    pub(crate) async fn note(&self, session: &Session, witness: Witness) -> Result<()> {
        let (proof, context) = (self.proof.clone(), Context::clone(session));
        let write = move |db: &Db<'_>| {
            let actor = proof.actor(LEVEL, db, &context)?;
            witness.note(db, actor)
        };
        session.write_on_any_route(write).await
    }

    /// Makes something on behalf of the caller, as [`Caller::write`]. Under an `Idempotency-Key` the same request does so once.
    ///
    /// # Errors
    /// Those of [`Caller::write`]; 400 for a key that is none; 422 for another request under the same key.
    pub async fn create<T>(
        &self,
        session: &Session,
        make: impl Fn(&Db<'_>, Actor) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Made<T>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let Some(repeat) = session.repeatable().by(&self.identity, session)? else {
            let value = self.write(session, make).await?;
            return Ok(Made { value, again: false });
        };
        let (proof, context, kept) = (self.proof.clone(), Context::clone(session), repeat.clone());
        let cost = WriteCost::data(session.take_object_bytes());
        let write = session.commit(repeat.commit_id(), move |db| {
            let actor = proof.actor(LEVEL, db, &context)?;
            let limits = &context.config().account_limits;
            let value = limits.hold(db, actor.user_id, context.now(), cost, || make(db, actor))?;
            Ok(kept.keep(value))
        });
        repeat.open(write.await?)
    }

    /// Lets the caller go on unless it uses an API key that has scopes and lacks this one. `set` is the set that is read.
    ///
    /// # Errors
    /// 403 with the scope.
    pub async fn require_scope(&self, session: &Session, scope: Scope, set: Option<Uuid>) -> Result<()> {
        let look = session.read(|db| self.proof.require_scope(db, session, scope, set));
        look.await
    }
}

/// A caller with a valid token whose account may be unusable. A handler decides with [`Guest::check_level`] or
/// [`Guest::check_usable`] whether the call goes on.
#[derive(Debug)]
pub struct Guest<const LEVEL: u8> {
    identity: Identity,
    proof: Proof,
    verdict: Result<()>,
}

impl<const LEVEL: u8> Guest<LEVEL> {
    /// Lets a caller of level `LEVEL` or more go on, whether the account can be used or not.
    ///
    /// # Errors
    /// 403 below the level; 429.
    pub fn check_level(&self) -> Result<()> {
        self.verdict.clone()
    }

    /// Lets a caller of level `LEVEL` or more go on whose account can be used. Why the account cannot be used is checked
    /// before the level, because a blocked role has none.
    ///
    /// # Errors
    /// What `explain` makes of the reason; then as [`Guest::check_level`].
    pub fn check_usable(&self, explain: impl FnOnce(Unusable) -> Error) -> Result<()> {
        self.identity.standing.usable().map_err(explain)?;
        self.check_level()
    }

    /// Writes on behalf of the caller, whose token and level are checked again in the same transaction; otherwise as
    /// [`Caller::write`].
    ///
    /// # Errors
    /// Those of [`Caller::write`].
    pub async fn write<T>(
        &self,
        session: &Session,
        f: impl Fn(&Db<'_>, Actor) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let (proof, context) = (self.proof.clone(), Context::clone(session));
        session
            .write(move |db| {
                let actor = proof.known(db, &context, context.now())?.identity.actor;
                require(actor.level, LEVEL)?;
                let limits = &context.config().account_limits;
                limits.hold(db, actor.user_id, context.now(), WriteCost::protection(0), || {
                    f(db, actor)
                })
            })
            .await
    }

    /// A token that shows the account as it is now, in place of the caller's.
    ///
    /// # Errors
    /// 401 for a caller without a token.
    pub fn renew_token(&self, user: &User, session: &Session) -> Result<String> {
        let of = self.proof.claims().ok_or_else(refused)?;
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

/// Everybody may call.
#[derive(Debug)]
pub struct Public;

impl<const LEVEL: u8> std::ops::Deref for Caller<LEVEL> {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.identity
    }
}

/// What can stand first among a handler's arguments.
pub(crate) trait Gate {
    /// Who may call.
    const ACCESS: Access;
}

impl Gate for Public {
    const ACCESS: Access = Access::Public;
}

impl<const LEVEL: u8> Gate for Guest<LEVEL> {
    const ACCESS: Access = Access::Guest(LEVEL);
}

impl<const LEVEL: u8> Gate for Caller<LEVEL> {
    const ACCESS: Access = Access::Level(LEVEL);
}

impl<S: Send + Sync> FromRequestParts<S> for Public {
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self> {
        Ok(Self)
    }
}

impl<const LEVEL: u8> FromRequestParts<Context> for Guest<LEVEL> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self> {
        let now = context.now();
        let proof = Proof::of(parts, context, now)?;
        let session = Session::from_request_parts(parts, context).await?;
        let identity = session.read(|db| Ok(proof.known(db, context, now)?.identity)).await?;
        let verdict = require(identity.actor.level, LEVEL).and_then(|()| identity.limit(&session));
        let verdict = identity.count(&session, verdict, now);
        session.note_account(identity.actor.user_id);
        if verdict.is_ok() {
            session.note_impersonated_call(&identity, parts).await?;
        }
        Ok(Self {
            identity,
            proof,
            verdict,
        })
    }
}

impl<const LEVEL: u8> FromRequestParts<Context> for Caller<LEVEL> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self> {
        let now = context.now();
        let proof = Proof::of(parts, context, now)?;
        let session = Session::from_request_parts(parts, context).await?;
        let guess = proof.reserve_guess(context)?;
        proof.replace_imported(&session).await?;
        let look = session.read(|db| {
            let known = proof.known(db, context, now)?;
            let verdict = proof
                .admit(&known, LEVEL, db)
                .and_then(|()| known.quota(db, context, now));
            Ok((known.identity, verdict))
        });
        let look = look.await;
        proof.settle_guess(guess, &look, context);
        let (identity, verdict) = look?;
        let verdict = match verdict.and_then(|quota| identity.limit(&session).map(|()| quota)) {
            Ok(Some(quota)) => take_call(quota, &session, now)
                .await
                .map(|left| session.note_first(left)),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        identity.count(&session, verdict, now)?;
        session.note_account(identity.actor.user_id);
        session.note_impersonated_call(&identity, parts).await?;
        Ok(Self { identity, proof })
    }
}
