//! `bespoke user`: accounts, by the operator.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use bespoke_core::entity::user::{Consent, Status};
use bespoke_core::validate::{Language, clean_email, clean_username, fold_username, is_email};
use bespoke_core::{EntityId, Role};
use bespoke_database::users::NewUser;
use bespoke_database::{Db, users};
use bespoke_web::config::Environment;
use bespoke_web::{Error, Overrides, Session, logging};

use crate::start;

/// Bytes of a password that is made here; shown as twice as many hexadecimal digits.
const PASSWORD_BYTES: usize = 12;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make an account that can sign in right away, and print its password
    Create(Create),
}

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

pub(crate) fn run(command: Command, data_dir: Option<PathBuf>) -> Result<()> {
    let environment = Environment::read(Overrides {
        data_dir,
        ..Overrides::default()
    });
    logging::start(environment.log_filter());
    let Command::Create(create) = command;
    start::block_on(async {
        let context = start::open(environment, None).await?;
        let session = Session::new(context.clone());
        let result = make(&session, create).await;
        context.database().clone().close().await;
        result
    })
}

async fn make(session: &Session, create: Create) -> Result<()> {
    let email = clean_email(&create.email);
    if !is_email(&email) {
        bail!("`{}` is no e-mail address", create.email);
    }
    let role = Role::NAMED
        .into_iter()
        .find(|role| role.name() == create.role)
        .with_context(|| {
            let names = Role::NAMED.map(|role| role.name().to_owned()).join(", ");
            format!("`{}` is no role; there are {names}", create.role)
        })?;
    let username = match &create.username {
        Some(name) => Some(clean_username(name).with_context(|| format!("`{name}` cannot be a user name"))?),
        None => None,
    };
    let password = session.random().hex::<PASSWORD_BYTES>();
    let hash = session.hash_password(password.clone()).await.map_err(readable)?;
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
    println!(
        "username  {}\nemail     {email}\nrole      {}\npassword  {password}",
        user.username,
        user.standing.role.name()
    );
    Ok(())
}

fn store(db: &Db<'_>, new: &NewUser, username: Option<&str>) -> Result<i64, Error> {
    if users::by_email(db, &new.email)?.is_some() {
        return Err(Error::conflict("emailTaken"));
    }
    let id = users::insert(db, new)?;
    let Some(name) = username else { return Ok(id) };
    if users::username_taken(db, name, id)? {
        return Err(Error::conflict("usernameTaken"));
    }
    let mut user = users::by_id(db, EntityId::Integer(id))?.ok_or_else(Error::not_found)?;
    name.clone_into(&mut user.username);
    user.lusername = fold_username(name);
    users::update(db, &user)?;
    Ok(id)
}

fn readable(error: Error) -> anyhow::Error {
    match error.code() {
        "emailTaken" => anyhow::anyhow!("this address has an account already"),
        "usernameTaken" => anyhow::anyhow!("this user name is taken"),
        code => anyhow::anyhow!("the account cannot be stored: {code}"),
    }
}
