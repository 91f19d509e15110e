//! `bespoke user`: manages accounts.

mod change;
mod create;
mod show;

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use bespoke_core::Role;
use bespoke_core::entity::user::User;
use bespoke_database::{Db, users};
use bespoke_web::{Error, Session};

pub(crate) use change::OPERATOR;

use crate::start::{self, Expect};

/// Size of a generated password, in bytes. It is shown as twice as many hexadecimal digits.
const PASSWORD_BYTES: usize = 12;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Create an active account, and print its password
    Create(create::Create),
    /// List accounts
    List(show::List),
    /// Show an account
    Show(show::Show),
    /// Change the role of an account
    Role(change::RoleArguments),
    /// Block an account: it cannot sign in, and its tokens and keys are refused
    Block(change::Account),
    /// Unblock an account
    Unblock(change::Account),
    /// Set a new random password for an account, and print it
    Password(change::Account),
    /// Remove the second factor of an account whose owner has lost it
    MfaOff(change::Account),
    /// Revoke all current tokens of an account
    SignOut(change::Account),
    /// Delete an account and all its data
    Remove(change::Remove),
}

pub(crate) fn run(command: Command, data_dir: Option<PathBuf>) -> Result<()> {
    let expect = match &command {
        // On AWS, the first administrator may be created before any function has started.
        Command::Create(_) => Expect::InstallationOrNone,
        _ => Expect::Installation,
    };
    start::with_context(data_dir, expect, async |context| {
        let session = Session::new(context.clone());
        match command {
            Command::Create(arguments) => create::create(&session, arguments).await,
            Command::List(arguments) => show::list(&session, &arguments).await,
            Command::Show(arguments) => show::show(&session, &arguments).await,
            Command::Role(arguments) => change::role(&session, arguments).await,
            Command::Block(account) => change::block(&session, account).await,
            Command::Unblock(account) => change::unblock(&session, account).await,
            Command::Password(account) => change::password(&session, account).await,
            Command::MfaOff(account) => change::mfa_off(&session, account).await,
            Command::SignOut(account) => change::sign_out(&session, account).await,
            Command::Remove(arguments) => change::remove(&session, arguments).await,
        }
    })
}

/// Returns the account with that user name, address or id.
pub(crate) fn find(db: &Db<'_>, name: &str) -> Result<User, Error> {
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

/// Converts an error of the API to a sentence for operators.
pub(crate) fn readable(error: Error) -> anyhow::Error {
    match (error.code(), error.status().as_u16()) {
        ("emailTaken", _) => anyhow!("this address has an account already"),
        ("usernameTaken", _) => anyhow!("this user name is taken"),
        (_, 404) => anyhow!("there is no such record"),
        (code, _) => anyhow!("the operation failed: {}", error.detail().unwrap_or(code)),
    }
}
