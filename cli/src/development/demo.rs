//! `bespoke demo`: creates the account whose fixed key the sample events use.

use std::path::PathBuf;

use anyhow::Result;
use bespoke_core::entity::api_key::{ApiKey, DEMO_KEY};
use bespoke_core::entity::set::{DEFAULT_IMAGE, SetContent};
use bespoke_core::entity::user::{Consent, Status};
use bespoke_core::validate::Language;
use bespoke_core::{EntityId, KeySecret, Level, Role};
use bespoke_database::users::NewUser;
use bespoke_database::{Db, api_keys, sets, users};
use bespoke_web::config::Environment;
use bespoke_web::{Error, Overrides, Session, logging};
use serde_json::json;
use uuid::Uuid;

use crate::output::readable;
use crate::start::Expect;
use crate::{output, start};

const USER: Uuid = Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0001);
const SET: Uuid = Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0003);
const EMAIL: &str = "demo@example.com";
/// The secret of the demonstration key. It is public, because every copy of the sample events contains it.
const SECRET: &str = "fsk_BespokeDemonstrationKeyThatNobodyEverTrusts1MK5lt";
const LIFE_MS: i64 = 10 * 365 * 24 * 60 * 60 * 1000;

pub(crate) fn run(data_dir: Option<PathBuf>) -> Result<()> {
    let environment = Environment::read(Overrides {
        data_dir,
        ..Overrides::default()
    });
    logging::start(&environment);
    let secret = KeySecret::parse(SECRET)?;
    start::block_on(async {
        let context = start::open(environment, Expect::InstallationOrNone, None).await?;
        let session = Session::new(context.clone());
        let session_of_write = session.clone();
        let result = session.write(move |db| store(db, &session_of_write, &secret)).await;
        let is_new = result.map_err(|error| readable(error).context("cannot store the demonstration account"))?;
        output::say!(
            "{}",
            if is_new {
                "Created the demonstration account."
            } else {
                "The demonstration account exists already."
            }
        );
        output::say!(
            "  key     {DEMO_KEY}\n  secret  {SECRET}\n  set     {SET}\nTry: bespoke invoke --data {} events/sets.read.key.json",
            context.config().data_dir.display(),
        );
        context.database().clone().close().await;
        Ok(())
    })
}

/// Inserts the account with its key and its set. Returns `false` if the account exists already.
fn store(db: &Db<'_>, session: &Session, secret: &KeySecret) -> Result<bool, Error> {
    if users::by_id(db, EntityId::Uuid(USER))?.is_some() {
        return Ok(false);
    }
    let now = session.now();
    let new = NewUser {
        uuid: USER,
        email: EMAIL.to_owned(),
        password: String::new(),
        role: Role::User,
        status: Status::Active,
        consent: Consent::Measurements,
        language: Language::En,
        created_at: now,
    };
    let user_id = users::insert(db, &new)?;
    let key = ApiKey {
        uuid: DEMO_KEY,
        user_id,
        user_uuid: USER,
        name: json!("Demonstration"),
        level: Level::READ_ONLY,
        secret: secret.digest().into(),
        grace_until: None,
        scopes: None,
        cidr: None,
        instance: session.config().instance.clone(),
        calls: 0,
        created_at: now,
        expires_at: now.plus_ms(LIFE_MS),
        last_seen: None,
    };
    api_keys::insert(db, &key)?;
    let measies = json!({ "chest": 925, "hips": 900, "waist": 750, "neck": 340, "shoulderSlope": 13 });
    let content = SetContent {
        name: "Demonstration".to_owned(),
        notes: "Made by `bespoke demo`.".to_owned(),
        imperial: false,
        public: true,
        measies: measies.as_object().cloned().unwrap_or_default(),
        img: Some(DEFAULT_IMAGE.to_owned()),
    };
    sets::insert(db, SET, user_id, &content, now)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_secret_is_valid() {
        assert!(KeySecret::parse(SECRET).is_ok());
    }
}
