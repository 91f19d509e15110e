//! Databases in memory for unit tests: [`with_database`], [`with_account`] and [`with_other_keys`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bespoke_core::entity::user::{Consent, Status};
use bespoke_core::validate::Language;
use bespoke_core::{BlindIndex, FieldCipher, KEY_BYTES, Key, Random, Role, Timestamp};
use rusqlite::Connection;
use uuid::Uuid;

use crate::accounts::users::{self, NewUser};
use crate::connection::{Db, Vault};
use crate::migrations::MIGRATIONS;

/// The time of the tests.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Fills each buffer with the number of the call.
#[derive(Default)]
struct CallNumber(AtomicU8);

impl Random for CallNumber {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

/// Runs a test on an empty database of the newest schema.
pub(crate) fn with_database(test: impl FnOnce(&Db<'_>)) {
    let connection = Connection::open_in_memory().unwrap();
    for migration in MIGRATIONS {
        connection.execute_batch(migration.sql).unwrap();
    }
    let key = Key::from_bytes([1; KEY_BYTES]);
    let vault = Vault::new(
        FieldCipher::new(&key, &[]),
        BlindIndex::new(&key),
        Arc::new(CallNumber::default()),
    );
    test(&Db {
        connection: &connection,
        vault: &vault,
        read_cache: None,
    });
}

/// Runs a test on the same database as a process with other keys.
pub(crate) fn with_other_keys(db: &Db<'_>, test: impl FnOnce(&Db<'_>)) {
    let key = Key::from_bytes([2; KEY_BYTES]);
    let vault = Vault::new(
        FieldCipher::new(&key, &[]),
        BlindIndex::new(&key),
        Arc::new(CallNumber::default()),
    );
    test(&Db {
        connection: db.connection,
        vault: &vault,
        read_cache: None,
    });
}

/// Runs a test on a database with one account, whose integer id it gets.
pub(crate) fn with_account(test: impl FnOnce(&Db<'_>, i64)) {
    with_database(|db| {
        let user = NewUser {
            uuid: Uuid::nil(),
            email: "jane@example.com".to_owned(),
            password: String::new(),
            role: Role::User,
            status: Status::Active,
            consent: Consent::Account,
            language: Language::En,
            created_at: NOW,
        };
        test(db, users::insert(db, &user).unwrap());
    });
}
