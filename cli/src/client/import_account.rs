//! `bespoke import-account`: imports an export of any size into an account of any installation.
//!
//! `POST /account/import/key` accepts bodies of a few megabytes, so the export is sent in parts, each of which is an
//! export itself. Records that the account already has are skipped, so that the command can be repeated after a
//! failure.

mod parts;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use bespoke_core::decode_text;
use serde_json::Value;

use self::parts::{LISTS, Part};
use super::remote::{KEY_VARIABLE, agent, authorization, base_url};
use crate::output;

/// Limits of an account that an import can reach: their name in the response, their name for the user, and the advice.
const ACCOUNT_LIMITS: [(&str, &str, &str); 5] = [
    (
        "sets",
        "the number of measurement sets",
        "delete sets or ask the operator to raise BACKEND_ACCOUNT_MAX_SETS",
    ),
    (
        "patterns",
        "the number of patterns",
        "delete patterns or ask the operator to raise BACKEND_ACCOUNT_MAX_PATTERNS",
    ),
    (
        "bookmarks",
        "the number of bookmarks",
        "delete bookmarks or ask the operator to raise BACKEND_ACCOUNT_MAX_BOOKMARKS",
    ),
    (
        "textBytes",
        "the stored text",
        "delete records or ask the operator to raise BACKEND_ACCOUNT_MAX_TEXT_MIB",
    ),
    (
        "writtenBytes",
        "the bytes written on a day",
        "wait until the next day (UTC) or ask the operator to raise BACKEND_ACCOUNT_WRITES_MIB_PER_DAY",
    ),
];

/// Timeout of one part, in seconds.
const DEADLINE_S: u64 = 120;

#[derive(clap::Args)]
#[command(after_help = "The API key of the account is read from BESPOKE_KEY, as <key>:<secret>; its level must be 4.")]
pub(crate) struct Arguments {
    /// The file that `POST /account/export/{auth}` or `bespoke export` created
    file: PathBuf,
    /// URL of the API
    #[arg(long)]
    url: String,
}

/// The number of records that were added, the number that the account already had, and the names of ignored fields.
#[derive(Default)]
struct Totals {
    added: u64,
    present: u64,
    ignored: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let base = base_url(&arguments.url)?;
    let Some(authorization) = authorization()? else {
        bail!("set {KEY_VARIABLE} to the <key>:<secret> of the account");
    };
    let file = &arguments.file;
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let text = decode_text(&bytes).with_context(|| format!("{} is not a text in UTF-8 or UTF-16", file.display()))?;
    let parts = parts::split(&text).with_context(|| format!("{} is not an export of an account", file.display()))?;
    if parts.is_empty() {
        bail!("{} has neither an account nor records", file.display());
    }
    let agent = agent(DEADLINE_S);
    let count = parts.len();
    let mut totals = Totals::default();
    for (number, part) in parts.iter().enumerate() {
        let result = agent
            .post(format!("{base}/account/import/key"))
            .header("Authorization", &authorization)
            .header("Content-Type", "application/json")
            .send(part.body());
        let place = || format!("part {} of {count} was not imported; run the command again", number + 1);
        let mut response = result.with_context(place)?;
        let status = response.status().as_u16();
        let body = response.body_mut().read_to_string().unwrap_or_default();
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        if status != 200 {
            bail!("{}: {}", place(), refusal(status, &body));
        }
        totals.add(&body, part);
        eprintln!("bespoke: part {} of {count} is imported", number + 1);
    }
    let Totals {
        added,
        present,
        ignored,
    } = totals;
    output::say!("{added} records were added; the account had {present} already.");
    if !ignored.is_empty() {
        output::say!("Ignored: {}", ignored.join(", "));
    }
    Ok(())
}

/// Returns the reason why the API rejected a part, for the user.
fn refusal(status: u16, body: &Value) -> String {
    let code = body["error"].as_str().unwrap_or("no reason given");
    let response = format!("the API answers {status} {code}");
    let Some(limit) = body["limit"].as_str() else {
        return response;
    };
    match ACCOUNT_LIMITS.iter().find(|(name, ..)| *name == limit) {
        Some((_, title, advice)) => {
            format!("{response}, because the account has reached its limit of {title} (`{limit}`); {advice}")
        }
        // A newer API may have limits that this program does not know.
        None => format!("{response}, because the account has reached its limit `{limit}`"),
    }
}

impl Totals {
    /// Adds the counts in the response to `part`.
    fn add(&mut self, body: &Value, part: &Part<'_>) {
        let sum = |counts: &Value| LISTS.iter().filter_map(|list| counts[list].as_u64()).sum::<u64>();
        self.added += sum(&body["added"]);
        self.present += sum(&body["present"]);
        let ignored = body["ignored"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        self.ignored.extend(ignored.map(|name| part.name_in_file(name)));
    }
}
