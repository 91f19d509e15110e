//! `bespoke user`: accounts, by the operator.

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

/// Bytes of a password that is made here; shown as twice as many hexadecimal digits.
const PASSWORD_BYTES: usize = 12;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make an account that can sign in right away, and print its password
    Create(create::Create),
    /// List accounts
    List(show::List),
    /// Show an account
    Show(show::Show),
    /// Give an account another role
    Role(change::RoleArguments),
    /// Shut an account out: it cannot sign in, and its tokens and keys are refused
    Block(change::Account),
    /// Let an account in again
    Unblock(change::Account),
    /// Give an account a new password, and print it
    Password(change::Account),
    /// Take the second factor away from an account whose owner has lost it
    MfaOff(change::Account),
    /// Refuse all tokens of an account that were given until now
    SignOut(change::Account),
    /// Remove an account with everything that is its own
    Remove(change::Remove),
}

pub(crate) fn run(command: Command, data_dir: Option<PathBuf>) -> Result<()> {
    let expect = match &command {
        // On AWS, the first administrator may be there before any function has started.
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

/// The account of that user name, address or id.
pub(crate) fn find(db: &Db<'_>, name: &str) -> Result<User, Error> {
    users::by_lookup(db, name)?.ok_or_else(Error::not_found)
}

fn role(name: &str) -> Result<Role> {
    Role::NAMED
        .into_iter()
        .find(|role| role.name() == name)
        .with_context(|| {
            let names = Role::NAMED.map(|role| role.name().to_owned()).join(", ");
            format!("`{name}` is no role; there are {names}")
        })
}

/// A new password and its hash.
async fn new_password(session: &Session) -> Result<(String, String)> {
    let password = session.random().hex::<PASSWORD_BYTES>();
    let hash = session.hash_password(password.clone()).await.map_err(readable)?;
    Ok((password, hash))
}

/// What an error of the API means to an operator.
pub(crate) fn readable(error: Error) -> anyhow::Error {
    match (error.code(), error.status().as_u16()) {
        ("emailTaken", _) => anyhow!("this address has an account already"),
        ("usernameTaken", _) => anyhow!("this user name is taken"),
        (_, 404) => anyhow!("there is no such thing"),
        (code, _) => anyhow!("that cannot be done: {}", error.detail().unwrap_or(code)),
    }
}
