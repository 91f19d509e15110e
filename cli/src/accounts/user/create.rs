//! `bespoke user create`: creates an account that is active at once.

use anyhow::{Context as _, Result, bail};
use bespoke_core::EntityId;
use bespoke_core::entity::user::{Consent, Status};
use bespoke_core::validate::{Language, clean_email, clean_username, fold_username, is_email};
use bespoke_database::users::NewUser;
use bespoke_database::{Db, users};
use bespoke_web::{Error, Session};

use crate::accounts;
use crate::output::{self, readable};

#[derive(clap::Args)]
pub(crate) struct Create {
    /// E-mail address
    email: String,
    /// Role: user, curator, bughunter, support or admin, for example
    #[arg(long, default_value = "user")]
    role: String,
    /// User name [default: user-ID]
    #[arg(long)]
    username: Option<String>,
}

pub(super) async fn create(session: &Session, create: Create) -> Result<()> {
    let email = clean_email(&create.email);
    if !is_email(&email) {
        bail!("`{}` is not an e-mail address", create.email);
    }
    let role = accounts::role(&create.role)?;
    let username = match &create.username {
        Some(name) => Some(clean_username(name).with_context(|| format!("`{name}` is not a valid user name"))?),
        None => None,
    };
    let (password, hash) = accounts::new_password(session).await?;
    let new = NewUser {
        uuid: session.random().uuid(),
        email: email.clone(),
        password: hash,
        role,
        status: Status::Active,
        consent: Consent::Account,
        language: Language::En,
        created_at: session.now(),
    };
    let id = session
        .write(move |db| store(db, &new, username.as_deref()))
        .await
        .map_err(readable)?;
    let user = session
        .read(|db| users::by_id(db, EntityId::Integer(id))?.ok_or_else(Error::not_found))
        .await;
    let user = user.map_err(readable)?;
    output::say!(
        "username  {}\nemail     {email}\nrole      {}\npassword  {password}",
        user.username,
        user.account_status.role.name()
    );
    Ok(())
}

/// Inserts the account. Returns its integer id.
fn store(db: &Db<'_>, new: &NewUser, username: Option<&str>) -> Result<i64, Error> {
    if users::by_email(db, &new.email)?.is_some() {
        return Err(Error::conflict("emailTaken"));
    }
    let id = users::insert(db, new)?;
    let Some(name) = username else { return Ok(id) };
    if !users::username_available(db, name, id)? {
        return Err(Error::conflict("usernameTaken"));
    }
    let mut user = users::by_id(db, EntityId::Integer(id))?.ok_or_else(Error::not_found)?;
    name.clone_into(&mut user.username);
    user.lusername = fold_username(name);
    users::update(db, &user)?;
    Ok(id)
}
