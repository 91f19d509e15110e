//! Who calls: the first argument of every handler.

mod credentials;

use axum::extract::FromRequestParts;
use bespoke_core::entity::api_key::DEMO_KEY;
use bespoke_core::entity::user::{Standing, Unusable};
use bespoke_core::permission::Actor;
use bespoke_core::{Claims, KeySecret, Level};
use bespoke_database::{Db, api_keys, users};
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
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
    /// 401 and 403 as before the handler, and those of [`Session::write`].
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
            .write(move |db| f(db, admit(&proof, LEVEL, db, &context)?.actor))
            .await
    }
}

/// Who that is now, if the account can be used and the level suffices.
fn admit(proof: &Proof, level: u8, db: &Db<'_>, context: &Context) -> Result<Identity> {
    let identity = proof.identity(db, context)?;
    identity.standing.usable().map_err(|_| refused())?;
    require(identity.actor.level, level)?;
    Ok(identity)
}

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
        let proof = Proof::of(parts, context)?;
        let session = Session::from_request_parts(parts, context).await?;
        let identity = session.read(|db| proof.identity(db, context)).await?;
        require(identity.actor.level, LEVEL)?;
        let usable = identity.standing.usable();
        Ok(Self { identity, usable })
    }
}

impl<const LEVEL: u8> FromRequestParts<Context> for Caller<LEVEL> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self> {
        let proof = Proof::of(parts, context)?;
        let session = Session::from_request_parts(parts, context).await?;
        let identity = session.read(|db| admit(&proof, LEVEL, db, context)).await?;
        Ok(Self { identity, proof })
    }
}

fn require(level: Level, required: u8) -> Result<()> {
    if level.number() >= required {
        Ok(())
    } else {
        Err(Error::forbidden("insufficientAccessLevel"))
    }
}

/// What proves who calls, after the part that needs no database.
#[derive(Debug, Clone)]
enum Proof {
    Token(Claims),
    Key { id: Uuid, secret: KeySecret },
}

impl Proof {
    fn of(parts: &Parts, context: &Context) -> Result<Self> {
        match parts.extensions.get::<Scheme>() {
            Some(Scheme::Jwt) => {
                let token = bearer(&parts.headers).ok_or_else(refused)?;
                context
                    .tokens()
                    .verify(token, context.now())
                    .map(Self::Token)
                    .map_err(|_| refused())
            }
            Some(Scheme::Key) => {
                // A mistyped secret is refused here, without a look at the database.
                let KeyCredentials { id, secret } = key_credentials(&parts.headers)?;
                if id == DEMO_KEY && !context.config().demo_key {
                    return Err(refused());
                }
                Ok(Self::Key { id, secret })
            }
            None => Err(Error::internal("a route for callers without an authentication scheme")),
        }
    }

    /// Who that is, as the database has it now.
    fn identity(&self, db: &Db<'_>, context: &Context) -> Result<Identity> {
        match self {
            Self::Token(claims) => by_token(claims, db, context),
            Self::Key { id, secret } => by_key(*id, secret, db, context),
        }
    }
}

fn refused() -> Error {
    Error::unauthorized("unauthorized")
}

fn by_token(claims: &Claims, db: &Db<'_>, context: &Context) -> Result<Identity> {
    if claims.exp <= context.now().as_seconds() {
        return Err(refused());
    }
    let standing = users::standing(db, claims.id)?.ok_or_else(refused)?;
    if claims.iat < standing.created_at.as_seconds() {
        return Err(refused());
    }
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

fn by_key(id: Uuid, secret: &KeySecret, db: &Db<'_>, context: &Context) -> Result<Identity> {
    let credential = api_keys::credential(db, id)?.ok_or_else(refused)?;
    if !credential.secret.matches(secret) || credential.instance != context.config().instance {
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
