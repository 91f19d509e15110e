//! The commands of `bespoke user` that change an account: [`role`], [`block`], [`unblock`], [`password`],
//! [`mfa_off`], [`sign_out`] and [`remove`]. Each inserts an audit entry with the actor 0, which is not an account.

use anyhow::{Result, ensure};
use bespoke_core::entity::user::{Status, User};
use bespoke_database::{Db, second_factors, users};
use bespoke_web::{Error, Session};
use serde_json::{Value, json};

use crate::accounts::{self, OPERATOR, find, new_password};
use crate::output::{self, readable};

#[derive(clap::Args)]
pub(crate) struct Account {
    /// User name, address or id
    account: String,
}

#[derive(clap::Args)]
pub(crate) struct RoleArguments {
    /// User name, address or id
    account: String,
    /// For example user, curator, bughunter, support or admin
    role: String,
}

#[derive(clap::Args)]
pub(crate) struct Remove {
    /// User name, address or id
    account: String,
    /// Confirm the removal, which only `bespoke restore` can undo, together with all later changes
    #[arg(long)]
    yes: bool,
}

pub(super) async fn role(session: &Session, arguments: RoleArguments) -> Result<()> {
    let role = accounts::role(&arguments.role)?;
    change(session, &arguments.account, move |_, user| {
        user.account_status.role.clone_from(&role);
        Ok(())
    })
    .await
}

pub(super) async fn block(session: &Session, Account { account }: Account) -> Result<()> {
    let now = session.now();
    change(session, &account, move |db, user| {
        user.account_status.status = Status::Blocked;
        Ok(users::revoke_tokens(db, user.account_status.id, now)?)
    })
    .await
}

pub(super) async fn unblock(session: &Session, Account { account }: Account) -> Result<()> {
    change(session, &account, |_, user| {
        user.account_status.status = Status::Active;
        Ok(())
    })
    .await
}

pub(super) async fn password(session: &Session, Account { account }: Account) -> Result<()> {
    let (password, hash) = new_password(session).await?;
    change(session, &account, move |_, user| {
        user.password.clone_from(&hash);
        Ok(())
    })
    .await?;
    output::say!("password  {password}");
    Ok(())
}

pub(super) async fn mfa_off(session: &Session, Account { account }: Account) -> Result<()> {
    change(session, &account, |db, user| {
        user.mfa_enabled = false;
        Ok(second_factors::delete(db, user.account_status.id)?)
    })
    .await
}

pub(super) async fn sign_out(session: &Session, Account { account }: Account) -> Result<()> {
    let now = session.now();
    change(session, &account, move |db, user| {
        Ok(users::revoke_tokens(db, user.account_status.id, now)?)
    })
    .await
}

pub(super) async fn remove(session: &Session, Remove { account, yes }: Remove) -> Result<()> {
    ensure!(yes, "this deletes the account and all its data; add --yes to confirm");
    let audit_entry = session.audit_entry("operator.remove");
    let remove = session.write(move |db| {
        let user = find(db, &account)?;
        let audit_entry = audit_entry.clone().target("users", user.account_status.id);
        audit_entry.change(audited(&user), Value::Null).record(db, OPERATOR)?;
        Ok(users::delete(db, user.account_status.id)?)
    });
    remove.await.map_err(readable)?;
    session.remove_leftovers().await;
    Ok(())
}

/// Changes an account with `apply`, and inserts an audit entry.
async fn change(
    session: &Session,
    account: &str,
    apply: impl Fn(&Db<'_>, &mut User) -> Result<(), Error> + Send + Sync + 'static,
) -> Result<()> {
    let audit_entry = session.audit_entry("operator.change");
    let now = session.now();
    let account = account.to_owned();
    let write = session.write(move |db| {
        let mut user = find(db, &account)?;
        let before = audited(&user);
        apply(db, &mut user)?;
        user.updated_at = now;
        users::update(db, &user)?;
        let audit_entry = audit_entry.clone().target("users", user.account_status.id);
        audit_entry.change(before, audited(&user)).record(db, OPERATOR)?;
        Ok(())
    });
    write.await.map_err(readable)
}

/// Returns the fields of an account that audit entries contain.
fn audited(user: &User) -> Value {
    json!({
        "username": user.username,
        "role": user.account_status.role.name(),
        "status": user.account_status.status as i64,
        "mfaEnabled": user.mfa_enabled,
    })
}
