//! Commands for accounts: `user`, `keys` and `export`.
//!
//! A command looks up the account with [`find`], changes it in one write, and inserts an audit entry with the actor
//! [`OPERATOR`] in the same write.

pub(crate) mod export;
pub(crate) mod keys;
pub(crate) mod user;

use anyhow::{Context as _, Result};
use bespoke_core::entity::user::User;
use bespoke_core::permission::Actor;
use bespoke_core::{Level, Role};
use bespoke_database::{Db, users};
use bespoke_web::{Error, Session};

use crate::output::readable;

/// Size of a generated password, in bytes. It is shown as twice as many hexadecimal digits.
const PASSWORD_BYTES: usize = 12;

/// The actor of all commands.
const OPERATOR: Actor = Actor {
    user_id: 0,
    level: Level::ADMIN,
    restricted: false,
};

/// Returns the account with that user name, address or id.
fn find(db: &Db<'_>, name: &str) -> Result<User, Error> {
    users::by_lookup(db, name)?.ok_or_else(Error::not_found)
}

fn role(name: &str) -> Result<Role> {
    Role::NAMED
        .into_iter()
        .find(|role| role.name() == name)
        .with_context(|| {
            let names = Role::NAMED.map(|role| role.name().to_owned()).join(", ");
            format!("`{name}` is not a role; the roles are {names}")
        })
}

/// Returns a new password and its hash.
async fn new_password(session: &Session) -> Result<(String, String)> {
    let password = session.random().hex::<PASSWORD_BYTES>();
    let hash = session.hash_password(password.clone()).await.map_err(readable)?;
    Ok((password, hash))
}
