//! `bespoke bench-original`: creates a synthetic database of FreeSewing's backend, for tests and measurements of the
//! import.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bespoke_core::{Random, measurement};
use bespoke_web::config::Environment;
use bespoke_web::{Overrides, SystemRandom};
use rusqlite::{Connection, Transaction, params};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::import::legacy_cipher::LegacyCipher;
use crate::output;

/// The creation time of all records: 2023-10-01T00:00:00Z, in milliseconds since 1970.
const MADE_AT_MS: i64 = 1_696_118_400_000;
/// The password `correct horse battery staple`, hashed with scrypt.
const V3: &str = r#"{"type":"v3","hash":"63dcfa78e6be23c23dbff0dba06747be476e3632b36c9bf3e1f321466d3b0371a19b81bfa6e5f37de7148a8ca7c23aa0a7adb3572bd280ee8183e171214691c2","salt":"08fab17674291a1c70fcbe9e8159defd"}"#;
/// The password `legacy-password`, hashed with bcrypt.
const V2: &str = r#"{"type":"v2","data":"$2a$10$xd5fTqlE6GvSicbQwkDJ1uwIpvMvbXaJ6o2MfthvmNdiOMjXvQGRC"}"#;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// File to create
    file: PathBuf,
    /// Number of accounts; every other one has a bcrypt password
    #[arg(long)]
    users: u64,
    /// Number of sets, distributed evenly among the accounts
    #[arg(long)]
    sets: u64,
    /// The year of its schema
    #[arg(long, default_value = "2023", value_parser = ["2023", "2026"])]
    shape: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let passphrase = Environment::read(Overrides::default()).import_passphrase();
    let cipher = LegacyCipher::new(&passphrase.context("set IMPORT_ENC_KEY to the passphrase for the new database")?);
    let mut connection = create(&arguments.file, arguments.shape == "2026")?;
    let transaction = connection.transaction()?;
    let writer = RecordWriter {
        cipher,
        random: &SystemRandom,
        with_uuids: arguments.shape == "2026",
    };
    let bar = output::bar(arguments.users + arguments.sets, "rows");
    for id in 1..=arguments.users {
        writer.user(&transaction, id)?;
        bar.inc(1);
    }
    for id in 1..=arguments.sets {
        writer.set(&transaction, id, (id - 1) % arguments.users + 1)?;
        bar.inc(1);
    }
    transaction.commit()?;
    bar.finish_and_clear();
    Ok(())
}

fn create(file: &Path, with_uuids: bool) -> Result<Connection> {
    let connection = Connection::open(file)?;
    connection.execute_batch("PRAGMA synchronous = OFF")?;
    connection.execute_batch(include_str!("bench_original/schema.sql"))?;
    connection.execute_batch(if with_uuids {
        include_str!("bench_original/uuids.sql")
    } else {
        include_str!("bench_original/option_packs.sql")
    })?;
    Ok(connection)
}

struct RecordWriter<'a> {
    cipher: LegacyCipher,
    random: &'a dyn Random,
    with_uuids: bool,
}

impl RecordWriter<'_> {
    fn sealed(&self, value: &Value) -> String {
        self.cipher.seal(self.random, value)
    }

    fn user(&self, transaction: &Transaction<'_>, id: u64) -> Result<()> {
        let (name, email) = (format!("user-{id}"), format!("user-{id}@example.com"));
        let hash = hex::encode(Sha256::digest(email.as_bytes()));
        let sql = "INSERT INTO \"User\" (id, bio, consent, createdAt, data, ehash, email, ihash, initial, lusername, \
             password, status, updatedAt, username) VALUES (?1, ?2, 2, ?3, ?4, ?5, ?6, ?5, ?7, ?8, ?9, 1, ?3, ?8)";
        transaction.prepare_cached(sql)?.execute(params![
            id as i64,
            self.sealed(&json!("I sew.")),
            MADE_AT_MS,
            self.cipher.seal_text_of(self.random, &json!({ "n": id })),
            hash,
            self.sealed(&json!(email)),
            self.sealed(&json!(email)),
            name,
            if id.is_multiple_of(2) { V2 } else { V3 },
        ])?;
        self.set_uuid(transaction, "User", id)
    }

    fn set(&self, transaction: &Transaction<'_>, id: u64, user_id: u64) -> Result<()> {
        let measies = measurement::NAMES.iter().enumerate();
        let measies: Map<_, _> = measies
            .map(|(at, name)| ((*name).to_owned(), json!(100 + 20 * at)))
            .collect();
        let sql = "INSERT INTO \"Set\" (id, createdAt, img, name, notes, userId, measies, public, updatedAt) \
             VALUES (?1, ?2, 'default-avatar', ?3, ?4, ?5, ?6, ?7, ?2)";
        transaction.prepare_cached(sql)?.execute(params![
            id as i64,
            MADE_AT_MS,
            self.sealed(&json!(format!("Set {id}"))),
            self.sealed(&json!("--")),
            user_id as i64,
            self.cipher.seal_text_of(self.random, &Value::Object(measies)),
            id.is_multiple_of(10),
        ])?;
        self.set_uuid(transaction, "Set", id)
    }

    /// Sets the UUID of a row if the schema has UUIDs.
    fn set_uuid(&self, transaction: &Transaction<'_>, table: &str, id: u64) -> Result<()> {
        if self.with_uuids {
            let sql = format!("UPDATE \"{table}\" SET uuid = ?2 WHERE id = ?1");
            let uuid = self.random.uuid().to_string();
            transaction.prepare_cached(&sql)?.execute(params![id as i64, uuid])?;
        }
        Ok(())
    }
}
