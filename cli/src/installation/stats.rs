//! `bespoke stats`: prints the numbers of accounts, records and objects of an installation.

use std::path::PathBuf;

use anyhow::Result;
use bespoke_database::statistics;
use bespoke_web::Session;
use serde_json::{Value, json};

use crate::output::readable;
use crate::start::Expect;
use crate::{output, start};

/// The maximum number of designs for which patterns are counted.
const DESIGNS: u32 = 10;
/// Prefixes of the objects of an installation.
const FOLDERS: [&str; 8] = [
    "chunk/", "segment/", "history/", "table/", "trash/", "usage/", "images/", "exports/",
];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Print the statistics as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments, data_dir: Option<PathBuf>) -> Result<()> {
    let shown = start::with_context(data_dir, Expect::Installation, async |context| {
        let session = Session::new(context.clone());
        let counted = session
            .read(|db| Ok(statistics::read(db, DESIGNS, 0)?))
            .await
            .map_err(readable)?;
        let mut objects = serde_json::Map::new();
        for folder in FOLDERS {
            let listed = context.bucket().list(folder).await?;
            let bytes: u64 = listed.iter().map(|object| object.bytes).sum();
            let name = folder.trim_end_matches('/').to_owned();
            objects.insert(name, json!({ "objects": listed.len(), "bytes": bytes }));
        }
        Ok(json!({
            "users": counted.users,
            "sets": counted.sets,
            "patterns": counted.patterns,
            "bookmarks": counted.bookmarks,
            "curatedSets": counted.curated_sets,
            "apikeys": counted.api_keys,
            "subscribers": counted.subscribers,
            "calls": { "jwt": counted.jwt_calls, "key": counted.key_calls },
            "database": {
                "state": context.database().version().to_string(),
                "store": context.config().store.to_string(),
                "objects": objects,
            },
        }))
    })?;
    output::print(arguments.json, || shown.clone(), || lines("", &shown));
    Ok(())
}

/// Prints one name and value per line.
fn lines(prefix: &str, value: &Value) {
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) => lines(&format!("{prefix}{name} "), value),
            value => {
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                output::say!("{:<34}{shown}", format!("{prefix}{name}"));
            }
        }
    }
}
