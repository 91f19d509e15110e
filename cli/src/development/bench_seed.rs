//! `bespoke bench-seed`: fills an installation for measurements.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Result;
use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::entity::set::{DEFAULT_IMAGE, SetContent};
use bespoke_core::entity::user::{Consent, Status};
use bespoke_core::measurement;
use bespoke_core::validate::Language;
use bespoke_core::{Grant, KeySecret, Level, Role, TokenAccount};
use bespoke_database::users::NewUser;
use bespoke_database::{Db, api_keys, sets, users};
use bespoke_web::config::Environment;
use bespoke_web::{Error, Overrides, Session, logging};
use serde_json::json;
use uuid::Uuid;

use crate::start::{self, Expect};

/// The password of every account.
const PASSWORD: &str = "measure with care";
const YEAR_MS: i64 = 365 * 24 * 60 * 60 * 1000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Number of sets
    #[arg(long)]
    sets: usize,
    /// Number of accounts, each with one key; the sets are distributed evenly among them
    #[arg(long)]
    keys: usize,
    /// File for one JSON line per set: key, secret, token, username, password, set, set_uuid
    #[arg(long)]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, data_dir: Option<PathBuf>) -> Result<()> {
    let environment = Environment::read(Overrides {
        data_dir,
        ..Overrides::default()
    });
    logging::start(&environment);
    start::block_on(async {
        let context = start::open(environment, Expect::InstallationOrNone, None).await?;
        context.database().compact_by_itself();
        let session = Session::new(context.clone());
        let mut out = BufWriter::new(File::create(&arguments.out)?);
        let hash = session.hash_password(PASSWORD.to_owned()).await;
        let hash = hash.map_err(|error| anyhow::anyhow!("cannot hash: {}", error.code()))?;
        for number in 0..arguments.keys {
            let count = arguments.sets / arguments.keys + usize::from(number < arguments.sets % arguments.keys);
            let account = Account::new(&session, number, count, hash.clone());
            let secret = account.secret.expose().to_owned();
            let (uuid, key, set_uuids) = (account.uuid, account.key, account.sets.clone());
            let session_of_write = session.clone();
            let ids = session.write(move |db| account.store(db, &session_of_write)).await;
            let (user_id, last_set) = ids.map_err(|error| anyhow::anyhow!("cannot store: {}", error.code()))?;
            let username = format!("user-{user_id}");
            let account = TokenAccount {
                id: user_id,
                uuid,
                username: &username,
                role: Role::User.name(),
                status: Status::Active as i64,
                tokens_from: session.now(),
            };
            let token = session.tokens().issue(account, Grant::SignIn, session.now());
            for (set_uuid, set) in set_uuids.iter().zip(last_set + 1 - count as i64..) {
                writeln!(
                    out,
                    "{}",
                    json!({ "key": key, "secret": secret, "token": token, "username": username, "password": PASSWORD,
                        "set": set, "set_uuid": set_uuid })
                )?;
            }
        }
        out.flush()?;
        context.database().clone().close().await;
        Ok(())
    })
}

/// An account with one key and some sets.
struct Account {
    number: usize,
    password_hash: String,
    uuid: Uuid,
    key: Uuid,
    secret: KeySecret,
    sets: Vec<Uuid>,
}

impl Account {
    fn new(session: &Session, number: usize, sets: usize, password_hash: String) -> Self {
        let random = session.random();
        Self {
            number,
            password_hash,
            uuid: random.uuid(),
            key: random.uuid(),
            secret: KeySecret::generate(random),
            sets: (0..sets).map(|_| random.uuid()).collect(),
        }
    }

    /// Returns the integer ids of the account and of its last set.
    fn store(&self, db: &Db<'_>, session: &Session) -> Result<(i64, i64), Error> {
        let now = session.now();
        let new = NewUser {
            uuid: self.uuid,
            email: format!("bench-{}@example.com", self.number),
            password: self.password_hash.clone(),
            role: Role::User,
            status: Status::Active,
            consent: Consent::Measurements,
            language: Language::En,
            created_at: now,
        };
        let user_id = users::insert(db, &new)?;
        let key = ApiKey {
            uuid: self.key,
            user_id,
            user_uuid: self.uuid,
            name: json!("bench"),
            level: Level::WRITE_SOME,
            secret: self.secret.digest().into(),
            grace_until: None,
            scopes: None,
            cidr: None,
            instance: session.config().instance.clone(),
            calls: 0,
            created_at: now,
            expires_at: now.plus_ms(YEAR_MS),
            last_seen: None,
        };
        api_keys::insert(db, &key)?;
        let measies = measurement::NAMES.iter().enumerate();
        let content = SetContent {
            name: format!("Set of account {}", self.number),
            notes: "--".to_owned(),
            imperial: false,
            public: true,
            measies: measies
                .map(|(index, name)| ((*name).to_owned(), json!(100 + 20 * index)))
                .collect(),
            img: Some(DEFAULT_IMAGE.to_owned()),
        };
        let mut last = 0;
        for uuid in &self.sets {
            last = sets::insert(db, *uuid, user_id, &content, now)?;
        }
        Ok((user_id, last))
    }
}
