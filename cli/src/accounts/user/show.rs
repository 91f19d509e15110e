//! `bespoke user list` and `bespoke user show`: print accounts.

use anyhow::Result;
use bespoke_core::entity::user::User;
use bespoke_database::{Page, api_keys, sets, users};
use bespoke_web::Session;
use serde_json::{Value, json};

use crate::accounts::find;
use crate::output::{self, readable};

#[derive(clap::Args)]
pub(crate) struct List {
    /// List accounts after this id
    #[arg(long, default_value_t = 0)]
    after: i64,
    /// Maximum number of accounts
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Print the accounts as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct Show {
    /// User name, address or id
    account: String,
    /// Print the account as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(session: &Session, arguments: &List) -> Result<()> {
    let users = session
        .read(|db| Ok(users::list_after(db, arguments.after, arguments.limit)?))
        .await;
    let users = users.map_err(readable)?;
    output::print(
        arguments.json,
        || users.iter().map(as_json).collect(),
        || {
            for user in &users {
                let account_status = &user.account_status;
                let (role, status) = (account_status.role.name(), format!("{:?}", account_status.status));
                output::say!(
                    "{:>8}  {:<24}{:<12}{status:<10}{}",
                    account_status.id,
                    user.username,
                    role,
                    user.email
                );
            }
        },
    );
    Ok(())
}

pub(super) async fn show(session: &Session, arguments: &Show) -> Result<()> {
    let read = session.read(|db| {
        let user = find(db, &arguments.account)?;
        let id = user.account_status.id;
        let (keys, sets) = (api_keys::by_user(db, id, Page::ALL)?, sets::by_user(db, id, Page::ALL)?);
        let mut shown = as_json(&user);
        shown["apikeys"] = keys.len().into();
        shown["sets"] = sets.len().into();
        Ok(shown)
    });
    let shown = read.await.map_err(readable)?;
    output::print(
        arguments.json,
        || shown.clone(),
        || {
            for (name, value) in shown.as_object().into_iter().flatten() {
                output::say!(
                    "{name:<12}{}",
                    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                );
            }
        },
    );
    Ok(())
}

fn as_json(user: &User) -> Value {
    let account_status = &user.account_status;
    json!({
        "id": account_status.id,
        "uuid": account_status.uuid,
        "username": user.username,
        "email": user.email,
        "role": account_status.role.name(),
        "status": account_status.status as i64,
        "consent": account_status.consent as i64,
        "mfaEnabled": user.mfa_enabled,
        "language": user.language.code(),
        "createdAt": account_status.created_at,
        "lastSeen": user.last_seen,
        "jwtCalls": user.jwt_calls,
        "keyCalls": user.key_calls,
    })
}
