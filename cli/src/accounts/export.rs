//! `bespoke export`: writes the unencrypted data of accounts to files, one for each account.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bespoke_database::users;
use bespoke_web::Session;
use serde_json::json;

use super::find;
use crate::output::readable;
use crate::start::Expect;
use crate::{output, start};

/// The number of accounts per query.
const ACCOUNTS: u32 = 100;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Folder for one decrypted file per account, `<id>.json`
    folder: PathBuf,
    /// Only this account: user name, address or id
    #[arg(long)]
    account: Option<String>,
    /// Print the number of accounts as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments, data_dir: Option<PathBuf>) -> Result<()> {
    let Arguments { folder, account, json } = arguments;
    let count = start::with_context(data_dir, Expect::Installation, async |context| {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let session = Session::new(context.clone());
        match account {
            Some(account) => {
                let read = session.read(|db| Ok(find(db, account)?.account_status.id));
                write(&session, folder, read.await.map_err(readable)?).await?;
                Ok(1)
            }
            None => all(&session, folder).await,
        }
    })?;
    output::print(
        *json,
        || json!({ "accounts": count }),
        || {
            output::say!(
                "Exported {count} accounts to {}. The files are not encrypted: protect them like the keys.",
                folder.display()
            );
        },
    );
    Ok(())
}

async fn all(session: &Session, folder: &Path) -> Result<u64> {
    let total = session.read(|db| Ok(bespoke_database::statistics::users(db)?)).await;
    let bar = output::bar(total.map_err(readable)?.unsigned_abs(), "accounts");
    let mut after = 0;
    let mut count = 0;
    loop {
        let users = session.read(|db| Ok(users::list_after(db, after, ACCOUNTS)?)).await;
        let users = users.map_err(readable)?;
        let Some(last) = users.last() else { break };
        after = last.account_status.id;
        for user in users {
            write(session, folder, user.account_status.id).await?;
            count += 1;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(count)
}

async fn write(session: &Session, folder: &Path, id: i64) -> Result<()> {
    let file = account::export_file(session, id).await.map_err(readable)?;
    let path = folder.join(format!("{id}.json"));
    fs::write(&path, file).with_context(|| format!("cannot write {}", path.display()))
}
