//! `bespoke keys`: lists and revokes API keys.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use bespoke_core::entity::api_key::ApiKey;
use bespoke_database::{Page, api_keys};
use bespoke_web::{Error, Session};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{OPERATOR, find};
use crate::output::readable;
use crate::start::Expect;
use crate::{output, start};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the keys of an account
    List(List),
    /// Revoke keys: every process refuses them immediately
    Revoke(Revoke),
}

#[derive(clap::Args)]
pub(crate) struct List {
    /// User name, address or id
    account: String,
    /// Print the keys as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct Revoke {
    /// The key's UUID
    #[arg(required_unless_present = "all_of", conflicts_with = "all_of", value_parser = key_id)]
    key: Option<Uuid>,
    /// All keys of this account
    #[arg(long, value_name = "ACCOUNT")]
    all_of: Option<String>,
}

fn key_id(text: &str) -> Result<Uuid, &'static str> {
    text.parse()
        .map_err(|_| "takes a UUID, as `bespoke keys list` shows it")
}

pub(crate) fn run(command: Command, data_dir: Option<PathBuf>) -> Result<()> {
    start::with_context(data_dir, Expect::Installation, async |context| {
        let session = Session::new(context.clone());
        match command {
            Command::List(arguments) => list(&session, &arguments).await,
            Command::Revoke(arguments) => revoke(&session, arguments).await,
        }
    })
}

async fn list(session: &Session, arguments: &List) -> Result<()> {
    let read = session.read(|db| {
        let user = find(db, &arguments.account)?;
        Ok(api_keys::by_user(db, user.account_status.id, Page::ALL)?)
    });
    let keys = read.await.map_err(readable)?;
    output::print(
        arguments.json,
        || keys.iter().map(as_json).collect(),
        || {
            for key in &keys {
                output::say!(
                    "{}  level {}  until {}  {} calls  {}",
                    key.uuid,
                    key.level,
                    key.expires_at,
                    key.calls,
                    key.name
                );
            }
        },
    );
    Ok(())
}

fn as_json(key: &ApiKey) -> Value {
    json!({
        "key": key.uuid,
        "name": key.name,
        "level": key.level,
        "calls": key.calls,
        "createdAt": key.created_at,
        "expiresAt": key.expires_at,
        "lastSeen": key.last_seen,
    })
}

async fn revoke(session: &Session, Revoke { key, all_of }: Revoke) -> Result<()> {
    let (audit_entry, now) = (session.audit_entry("operator.revoke"), session.now());
    let revoke = session.write(move |db| {
        let keys = match (key, &all_of) {
            (Some(uuid), _) => vec![api_keys::by_uuid(db, uuid)?.ok_or_else(Error::not_found)?],
            (None, Some(account)) => api_keys::by_user(db, find(db, account)?.account_status.id, Page::ALL)?,
            (None, None) => Vec::new(),
        };
        for key in &keys {
            api_keys::revoke(db, key.uuid, now)?;
        }
        let uuids = keys.iter().map(|key| key.uuid.to_string()).collect::<Vec<_>>();
        audit_entry
            .clone()
            .change(json!(uuids), Value::Null)
            .record(db, OPERATOR)?;
        Ok(keys.len())
    });
    let count = revoke.await.map_err(readable)?;
    ensure!(count > 0, "this account has no keys");
    output::say!("{count} ended.");
    Ok(())
}
