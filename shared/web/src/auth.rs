//! Who calls: the first argument of every handler.

mod credentials;

use axum::extract::FromRequestParts;
use bespoke_core::Level;
use bespoke_core::entity::api_key::DEMO_KEY;
use bespoke_core::entity::user::{Standing, Unusable};
use bespoke_core::permission::Actor;
use bespoke_database::{api_keys, users};
use http::request::Parts;
use uuid::Uuid;

use crate::{Context, Error, Result, Scheme, Session};
use credentials::{KeyCredentials, bearer, key_credentials};

/// The levels as numbers, for [`Caller`] and [`Guest`].
pub mod level {
    use bespoke_core::Level;

    /// No level is needed, only an account.
    pub const READ_NONE: u8 = Level::READ_NONE.number();
    /// Reads one's own.
    pub const READ_SOME: u8 = Level::READ_SOME.number();
    /// Writes one's own.
    pub const WRITE_SOME: u8 = Level::WRITE_SOME.number();
    /// Everything a user may do.
    pub const USER: u8 = Level::USER.number();
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
}

/// A caller of level `LEVEL` or more; the rest is answered before the handler runs: 401 without valid credentials for
/// an account that can be used, 403 below the level.
#[derive(Debug)]
pub struct Caller<const LEVEL: u8>(pub Identity);

/// A caller with a valid token of level `LEVEL` or more whose account may be unusable; says why it is.
#[derive(Debug)]
pub struct Guest<const LEVEL: u8> {
    /// Who calls.
    pub identity: Identity,
    /// Why the account cannot be used.
    pub usable: Result<(), Unusable>,
}

/// Everybody may call.
#[derive(Debug)]
pub struct Public;

impl<const LEVEL: u8> std::ops::Deref for Caller<LEVEL> {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
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
        let identity = by_token(parts, context).await?;
        require(identity.actor.level, LEVEL)?;
        let usable = identity.standing.usable();
        Ok(Self { identity, usable })
    }
}

impl<const LEVEL: u8> FromRequestParts<Context> for Caller<LEVEL> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self> {
        let identity = match parts.extensions.get::<Scheme>() {
            Some(Scheme::Jwt) => by_token(parts, context).await?,
            Some(Scheme::Key) => by_key(parts, context).await?,
            None => return Err(Error::internal("a route for callers without an authentication scheme")),
        };
        identity
            .standing
            .usable()
            .map_err(|_| Error::unauthorized("unauthorized"))?;
        require(identity.actor.level, LEVEL)?;
        Ok(Self(identity))
    }
}

fn require(level: Level, required: u8) -> Result<()> {
    if level.number() >= required {
        Ok(())
    } else {
        Err(Error::forbidden("insufficientAccessLevel"))
    }
}

async fn by_token(parts: &mut Parts, context: &Context) -> Result<Identity> {
    let refused = || Error::unauthorized("unauthorized");
    let token = bearer(&parts.headers).ok_or_else(refused)?;
    let claims = context.tokens().verify(token, context.now()).map_err(|_| refused())?;
    let session = Session::from_request_parts(parts, context).await?;
    let standing = session
        .read(|db| Ok(users::standing(db, claims.id)?))
        .await?
        .ok_or_else(refused)?;
    // The role is that of now, not that in the token (defect D35).
    let actor = Actor {
        user_id: standing.id,
        level: standing.role.level(),
    };
    Ok(Identity {
        actor,
        standing,
        via: Via::Token,
    })
}

async fn by_key(parts: &mut Parts, context: &Context) -> Result<Identity> {
    let refused = || Error::unauthorized("unauthorized");
    // A mistyped secret is refused here, without a look at the database.
    let KeyCredentials { id, secret } = key_credentials(&parts.headers)?;
    if id == DEMO_KEY && !context.config().demo_key {
        return Err(refused());
    }
    let session = Session::from_request_parts(parts, context).await?;
    let credential = session
        .read(|db| Ok(api_keys::credential(db, id)?))
        .await?
        .ok_or_else(refused)?;
    if !credential.secret.matches(&secret) || credential.instance != context.config().instance {
        return Err(refused());
    }
    // From here on the caller holds the secret, so it may be told why the key is refused.
    if context.now() >= credential.expires_at {
        return Err(Error::unauthorized("keyExpired"));
    }
    let standing = credential.owner;
    let actor = Actor {
        user_id: standing.id,
        level: Actor::key_level(credential.level, &standing.role),
    };
    Ok(Identity {
        actor,
        standing,
        via: Via::Key(id),
    })
}
