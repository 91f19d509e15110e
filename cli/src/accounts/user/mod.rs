//! `bespoke user`: the commands that create, show and change accounts.

mod change;
mod create;
mod show;

use std::path::PathBuf;

use anyhow::Result;
use bespoke_web::Session;

use crate::start::{self, Expect};

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
